//! `ecs:DescribeTasks`: tasks, and the interfaces that they have.

use serde::Deserialize;
use serde_json::json;

use super::FailureShape;
use crate::operation::{Body, Operation, Service};
use crate::wire::List;

/// How many one call describes.
pub(crate) const TASKS_A_CALL: usize = 100;

/// Asks for some of a cluster, by their ARNs.
#[derive(Debug, Clone)]
pub(crate) struct DescribeTasks {
    pub(crate) cluster: String,
    pub(crate) tasks: Vec<String>,
}

impl Operation for DescribeTasks {
    const NAME: &'static str = "DescribeTasks";
    const SERVICE: Service = Service::Ecs;
    type Answer = TasksAnswer;

    fn body(&self) -> Body {
        Body::Json(json!({"cluster": self.cluster, "tasks": self.tasks}).to_string())
    }
}

/// `tasks`
#[derive(Debug, Deserialize)]
pub(crate) struct TasksAnswer {
    #[serde(default)]
    pub(crate) tasks: List<TaskShape>,
    #[serde(default)]
    pub(crate) failures: List<FailureShape>,
}

/// One task.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskShape {
    #[serde(default)]
    pub(crate) task_arn: Option<String>,
    #[serde(default)]
    pub(crate) cluster_arn: Option<String>,
    #[serde(default)]
    pub(crate) group: Option<String>,
    #[serde(default)]
    pub(crate) last_status: Option<String>,
    #[serde(default)]
    attachments: List<AttachmentShape>,
}

#[derive(Debug, Clone, Deserialize)]
struct AttachmentShape {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    details: List<DetailShape>,
}

#[derive(Debug, Clone, Deserialize)]
struct DetailShape {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    value: Option<String>,
}

impl TaskShape {
    /// The ids of its interfaces.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = &str> {
        let attached =
            self.attachments.0.iter().filter(|attachment| attachment.status.as_deref() != Some("DELETED"));
        attached
            .flat_map(|attachment| &attachment.details.0)
            .filter(|detail| detail.name.as_deref() == Some("networkInterfaceId"))
            .filter_map(|detail| detail.value.as_deref())
    }
}
