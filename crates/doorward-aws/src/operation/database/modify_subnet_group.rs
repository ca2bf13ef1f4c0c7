//! `rds:ModifyDBSubnetGroup`: sets the subnets of a DB subnet group.

use std::collections::BTreeSet;

use doorward_core::inventory::{Owned, SubnetId};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Sets all subnets of a group at once.
#[derive(Debug, Clone)]
pub(crate) struct ModifyDBSubnetGroup {
    pub(crate) name: Owned<String>,
    pub(crate) subnets: BTreeSet<SubnetId>,
}

impl Operation for ModifyDBSubnetGroup {
    const NAME: &'static str = "ModifyDBSubnetGroup";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("DBSubnetGroupName", self.name.id());
        form.each("SubnetIds.SubnetIdentifier", &self.subnets);
        Body::Form(form)
    }
}
