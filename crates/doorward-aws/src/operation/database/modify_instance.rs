//! `rds:ModifyDBInstance`: sets the security groups of a DB instance.

use std::collections::BTreeSet;

use doorward_core::inventory::SecurityGroupId;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Sets all groups of a DB instance: they change at once, and not in the maintenance window.
#[derive(Debug, Clone)]
pub(crate) struct ModifyDBInstance {
    pub(crate) name: String,
    pub(crate) groups: BTreeSet<SecurityGroupId>,
}

impl Operation for ModifyDBInstance {
    const NAME: &'static str = "ModifyDBInstance";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("DBInstanceIdentifier", &self.name);
        form.each("VpcSecurityGroupIds.VpcSecurityGroupId", &self.groups);
        Body::Form(form)
    }
}
