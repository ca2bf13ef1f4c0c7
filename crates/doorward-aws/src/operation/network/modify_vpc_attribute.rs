//! `ec2:ModifyVpcAttribute`: turns a DNS attribute of a VPC on.

use doorward_core::inventory::{DnsAttribute, Owned, VpcId};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Turns one attribute on: EC2 takes one at a time.
#[derive(Debug, Clone)]
pub(crate) struct ModifyVpcAttribute {
    pub(crate) vpc: Owned<VpcId>,
    pub(crate) attribute: DnsAttribute,
}

impl Operation for ModifyVpcAttribute {
    const NAME: &'static str = "ModifyVpcAttribute";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("VpcId", self.vpc.id().as_str());
        let attribute = match self.attribute {
            DnsAttribute::Support => "EnableDnsSupport.Value",
            DnsAttribute::Hostnames => "EnableDnsHostnames.Value",
        };
        form.put(attribute, "true");
        Body::Form(form)
    }
}
