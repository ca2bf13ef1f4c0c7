//! `elasticache:ModifyCacheCluster`: sets the security groups of a cache.

use std::collections::BTreeSet;

use doorward_core::inventory::SecurityGroupId;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Sets all groups of a cache cluster that is in no replication group.
#[derive(Debug, Clone)]
pub(crate) struct ModifyCacheCluster {
    pub(crate) name: String,
    pub(crate) groups: BTreeSet<SecurityGroupId>,
}

impl Operation for ModifyCacheCluster {
    const NAME: &'static str = "ModifyCacheCluster";
    const SERVICE: Service = Service::ElastiCache;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("CacheClusterId", &self.name);
        form.each("SecurityGroupIds.SecurityGroupId", &self.groups);
        form.put("ApplyImmediately", "true");
        Body::Form(form)
    }
}
