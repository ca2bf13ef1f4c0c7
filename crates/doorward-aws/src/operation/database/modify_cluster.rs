//! `rds:ModifyDBCluster`: sets the security groups of a DB cluster.

use std::collections::BTreeSet;

use doorward_core::inventory::SecurityGroupId;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Sets all groups of a DB cluster, and so of its instances.
#[derive(Debug, Clone)]
pub(crate) struct ModifyDBCluster {
    pub(crate) name: String,
    pub(crate) groups: BTreeSet<SecurityGroupId>,
}

impl Operation for ModifyDBCluster {
    const NAME: &'static str = "ModifyDBCluster";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("DBClusterIdentifier", &self.name);
        form.each("VpcSecurityGroupIds.VpcSecurityGroupId", &self.groups);
        Body::Form(form)
    }
}
