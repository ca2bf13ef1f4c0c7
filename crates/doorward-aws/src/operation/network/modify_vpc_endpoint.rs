//! `ec2:ModifyVpcEndpoint`: associates a VPC endpoint with other tables, subnets or groups.

use doorward_core::plan::network::Modified;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Changes what an endpoint is associated with.
#[derive(Debug, Clone)]
pub(crate) struct ModifyVpcEndpoint {
    pub(crate) modified: Modified,
}

impl Operation for ModifyVpcEndpoint {
    const NAME: &'static str = "ModifyVpcEndpoint";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        let Modified { id, tables, subnets, groups } = &self.modified;
        form.put("VpcEndpointId", id.id().as_str());
        form.each("AddRouteTableId", &tables.0);
        form.each("RemoveRouteTableId", &tables.1);
        form.each("AddSubnetId", &subnets.0);
        form.each("RemoveSubnetId", &subnets.1);
        form.each("AddSecurityGroupId", &groups.0);
        form.each("RemoveSecurityGroupId", &groups.1);
        Body::Form(form)
    }
}
