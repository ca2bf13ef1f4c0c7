//! `lambda:UpdateFunctionConfiguration`: sets the security groups of a function.

use std::collections::BTreeSet;

use doorward_core::inventory::{SecurityGroupId, SubnetId};
use serde_json::json;

use super::{Body, Done, Operation, Service};

/// Sets where a function has interfaces, all of it at once.
#[derive(Debug, Clone)]
pub(crate) struct UpdateFunctionConfiguration {
    /// Letters, digits, hyphens and underscores.
    pub(crate) function: String,
    pub(crate) subnets: BTreeSet<SubnetId>,
    pub(crate) groups: BTreeSet<SecurityGroupId>,
}

impl Operation for UpdateFunctionConfiguration {
    const NAME: &'static str = "UpdateFunctionConfiguration";
    const SERVICE: Service = Service::Lambda;
    type Answer = Done;

    fn body(&self) -> Body {
        let network = json!({"SubnetIds": self.subnets, "SecurityGroupIds": self.groups});
        Body::Put {
            path: format!("/2015-03-31/functions/{}/configuration", self.function),
            json: json!({"VpcConfig": network}).to_string(),
        }
    }
}
