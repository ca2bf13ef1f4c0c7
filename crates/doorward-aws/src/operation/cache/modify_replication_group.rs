//! `elasticache:ModifyReplicationGroup`: sets the security groups of a replication group.

use std::collections::BTreeSet;

use doorward_core::inventory::SecurityGroupId;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Sets all groups of all caches of a replication group.
#[derive(Debug, Clone)]
pub(crate) struct ModifyReplicationGroup {
    pub(crate) name: String,
    pub(crate) groups: BTreeSet<SecurityGroupId>,
}

impl Operation for ModifyReplicationGroup {
    const NAME: &'static str = "ModifyReplicationGroup";
    const SERVICE: Service = Service::ElastiCache;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("ReplicationGroupId", &self.name);
        form.each("SecurityGroupIds.SecurityGroupId", &self.groups);
        form.put("ApplyImmediately", "true");
        Body::Form(form)
    }
}
