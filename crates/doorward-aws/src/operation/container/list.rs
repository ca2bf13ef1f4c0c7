//! `ecs:ListClusters`, `ListServices` and `ListTasks`: ARNs, to be described by other calls.

use serde::Deserialize;
use serde_json::json;

use crate::operation::{Body, Operation, Paged, Service};
use crate::wire::List;

/// Asks for all clusters of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListClusters {
    pub(crate) token: Option<String>,
}

impl Operation for ListClusters {
    const NAME: &'static str = "ListClusters";
    const SERVICE: Service = Service::Ecs;
    type Answer = ClusterArns;

    fn body(&self) -> Body {
        // Without a token the field is null, which is none to ECS.
        Body::Json(json!({"maxResults": 100, "nextToken": self.token}).to_string())
    }
}

impl Paged for ListClusters {
    type Item = String;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token) }
    }

    fn split(answer: ClusterArns) -> (Vec<String>, Option<String>) {
        (answer.arns.0, answer.next)
    }
}

/// `clusterArns`
#[derive(Debug, Deserialize)]
pub(crate) struct ClusterArns {
    #[serde(rename = "clusterArns", default)]
    pub(crate) arns: List<String>,
    #[serde(rename = "nextToken", default)]
    pub(crate) next: Option<String>,
}

/// What is in a cluster, by its ARN.
#[derive(Debug, Deserialize)]
pub(crate) struct MemberArns {
    #[serde(rename = "serviceArns", alias = "taskArns", default)]
    arns: List<String>,
    #[serde(rename = "nextToken", default)]
    next: Option<String>,
}

macro_rules! members {
    ($(#[$doc:meta])* $operation:ident is $name:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $operation {
            pub(crate) cluster: String,
            pub(crate) token: Option<String>,
        }

        impl Operation for $operation {
            const NAME: &'static str = $name;
            const SERVICE: Service = Service::Ecs;
            type Answer = MemberArns;

            fn body(&self) -> Body {
                // Without a token the field is null, which is none to ECS.
                Body::Json(json!({"cluster": self.cluster, "maxResults": 100, "nextToken": self.token}).to_string())
            }
        }

        impl Paged for $operation {
            type Item = String;

            fn at(&self, token: String) -> Self {
                Self { token: Some(token), ..self.clone() }
            }

            fn split(answer: MemberArns) -> (Vec<String>, Option<String>) {
                (answer.arns.0, answer.next)
            }
        }
    };
}

members!(
    /// Asks for all services of a cluster.
    ListServices is "ListServices"
);
members!(
    /// Asks for all tasks of a cluster that are wanted to run.
    ListTasks is "ListTasks"
);
