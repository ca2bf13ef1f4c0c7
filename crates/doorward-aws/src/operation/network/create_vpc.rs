//! `ec2:CreateVpc`: makes a VPC, and with it a route table, a network ACL and a security group.

use doorward_core::inventory::Tags;
use doorward_core::net::Cidr;

use super::{Creates, tagged};
use crate::operation::describe::shape;
use crate::operation::{Body, DescribeVpcs, Operation, Service, VpcShape};
use crate::wire::Form;

/// Makes a VPC. EC2 has no token for it: its tags tell whether it was made.
#[derive(Debug, Clone)]
pub(crate) struct CreateVpc {
    /// Its first block of IPv4.
    pub(crate) cidr: Cidr,
    pub(crate) tags: Tags,
}

impl Operation for CreateVpc {
    const NAME: &'static str = "CreateVpc";
    const SERVICE: Service = Service::Ec2;
    type Answer = VpcAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("CidrBlock", &self.cidr.to_string());
        tagged(&mut form, "vpc", &self.tags);
        Body::Form(form)
    }
}

impl Creates for CreateVpc {
    type Look = DescribeVpcs;

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn made(answer: VpcAnswer) -> Option<VpcShape> {
        answer.vpc
    }
}

shape! {
    /// `vpc`
    VpcAnswer {
        vpc: Option<VpcShape> = "Vpc" | "vpc",
    }
}
