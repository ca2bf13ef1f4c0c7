//! `rds:ModifyDBProxy`: sets the security groups of an RDS Proxy.

use std::collections::BTreeSet;

use doorward_core::inventory::SecurityGroupId;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Sets all groups of an RDS Proxy.
#[derive(Debug, Clone)]
pub(crate) struct ModifyDBProxy {
    pub(crate) name: String,
    pub(crate) groups: BTreeSet<SecurityGroupId>,
}

impl Operation for ModifyDBProxy {
    const NAME: &'static str = "ModifyDBProxy";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("DBProxyName", &self.name);
        form.each("SecurityGroups.member", &self.groups);
        Body::Form(form)
    }
}
