//! `ec2:DescribeVpcAttribute`: one attribute of one VPC.

use doorward_core::inventory::{DnsAttribute, VpcId};

use super::describe::shape;
use super::{Body, Operation, Service};
use crate::wire::Form;

/// Asks for one DNS attribute of a VPC: the call takes one at a time.
#[derive(Debug, Clone)]
pub(crate) struct DescribeVpcAttribute {
    pub(crate) vpc: VpcId,
    pub(crate) attribute: DnsAttribute,
}

impl Operation for DescribeVpcAttribute {
    const NAME: &'static str = "DescribeVpcAttribute";
    const SERVICE: Service = Service::Ec2;
    type Answer = VpcAttributeAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("VpcId", self.vpc.as_str());
        form.put("Attribute", self.attribute.name());
        Body::Form(form)
    }
}

shape! {
    /// The attribute that was asked for, and the VPC that it is of.
    VpcAttributeAnswer {
        vpc: Option<String> = "VpcId" | "vpcId",
        support: Option<FlagShape> = "EnableDnsSupport" | "enableDnsSupport",
        hostnames: Option<FlagShape> = "EnableDnsHostnames" | "enableDnsHostnames",
    }
}

shape! {
    /// Whether it is on.
    FlagShape {
        value: Option<bool> = "Value" | "value",
    }
}
