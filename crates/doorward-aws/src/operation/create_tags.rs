//! `ec2:CreateTags`: puts the tag back on rules that lost it.

use doorward_core::firewall::{InstallationId, Mark};
use doorward_core::inventory::SecurityGroupRuleId;

use super::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Writes the tag of an installation on rules; a tag that is there is overwritten.
#[derive(Debug, Clone)]
pub(crate) struct CreateTags {
    pub(crate) rules: Vec<SecurityGroupRuleId>,
    pub(crate) by: InstallationId,
}

impl Operation for CreateTags {
    const NAME: &'static str = "CreateTags";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        for (number, id) in (1..).zip(&self.rules) {
            form.put(&format!("ResourceId.{number}"), id.as_str());
        }
        form.put("Tag.1.Key", Mark::TAG);
        form.put("Tag.1.Value", self.by.as_str());
        Body::Form(form)
    }
}
