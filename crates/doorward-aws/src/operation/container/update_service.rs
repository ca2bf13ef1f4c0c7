//! `ecs:UpdateService`: sets the security groups of a service, which replaces its tasks.

use std::collections::BTreeSet;

use doorward_core::inventory::{SecurityGroupId, SubnetId};
use serde_json::json;

use crate::operation::{Body, Done, Operation, Service};

/// Sets where the tasks of a service have interfaces, all of it at once.
#[derive(Debug, Clone)]
pub(crate) struct UpdateService {
    /// The cluster's ARN; none for the default cluster.
    pub(crate) cluster: Option<String>,
    pub(crate) service: String,
    pub(crate) subnets: BTreeSet<SubnetId>,
    pub(crate) groups: BTreeSet<SecurityGroupId>,
    /// Whether its tasks have public addresses: what is not said again would be switched off.
    pub(crate) public: bool,
}

impl Operation for UpdateService {
    const NAME: &'static str = "UpdateService";
    const SERVICE: Service = Service::Ecs;
    type Answer = Done;

    fn body(&self) -> Body {
        let network = json!({"awsvpcConfiguration": {
            "subnets": self.subnets,
            "securityGroups": self.groups,
            "assignPublicIp": if self.public { "ENABLED" } else { "DISABLED" },
        }});
        let mut call = json!({"service": self.service, "networkConfiguration": network});
        if let (Some(cluster), Some(call)) = (&self.cluster, call.as_object_mut()) {
            call.insert("cluster".to_owned(), json!(cluster));
        }
        Body::Json(call.to_string())
    }
}
