//! `elasticache:ModifyServerlessCache`: sets the security groups of a serverless cache.

use std::collections::BTreeSet;

use doorward_core::inventory::SecurityGroupId;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Sets all groups of a serverless cache.
#[derive(Debug, Clone)]
pub(crate) struct ModifyServerlessCache {
    pub(crate) name: String,
    pub(crate) groups: BTreeSet<SecurityGroupId>,
}

impl Operation for ModifyServerlessCache {
    const NAME: &'static str = "ModifyServerlessCache";
    const SERVICE: Service = Service::ElastiCache;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("ServerlessCacheName", &self.name);
        form.each("SecurityGroupIds.SecurityGroupId", &self.groups);
        Body::Form(form)
    }
}
