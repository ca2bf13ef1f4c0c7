//! `rds:CreateDBSubnetGroup`: makes a DB subnet group.

use doorward_core::firewall::{InstallationId, Mark};
use doorward_core::inventory::SubnetGroup;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Makes a DB subnet group. RDS has no tokens: its name tells whether it was made.
#[derive(Debug, Clone)]
pub(crate) struct CreateDBSubnetGroup {
    pub(crate) group: SubnetGroup,
    pub(crate) about: String,
    pub(crate) by: InstallationId,
}

impl Operation for CreateDBSubnetGroup {
    const NAME: &'static str = "CreateDBSubnetGroup";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("DBSubnetGroupName", &self.group.name);
        form.put("DBSubnetGroupDescription", &self.about);
        form.each("SubnetIds.SubnetIdentifier", &self.group.subnets);
        form.put("Tags.Tag.1.Key", Mark::TAG);
        form.put("Tags.Tag.1.Value", self.by.as_str());
        Body::Form(form)
    }
}
