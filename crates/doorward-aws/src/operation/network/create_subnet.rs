//! `ec2:CreateSubnet`: makes a subnet in a zone.

use doorward_core::inventory::{Subnet, Tags};
use doorward_core::net::Family;

use super::{Creates, tagged};
use crate::operation::describe::shape;
use crate::operation::{Body, DescribeSubnets, Operation, Service, SubnetShape};
use crate::wire::Form;

/// Makes a subnet. EC2 has no token for it; a second one of the same block is refused.
#[derive(Debug, Clone)]
pub(crate) struct CreateSubnet(pub(crate) Subnet);

impl Operation for CreateSubnet {
    const NAME: &'static str = "CreateSubnet";
    const SERVICE: Service = Service::Ec2;
    type Answer = SubnetAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("VpcId", self.0.vpc.as_str());
        if let Some(zone) = &self.0.zone_id {
            form.put("AvailabilityZoneId", zone);
        }
        for cidr in &self.0.cidrs {
            let name = match cidr.family() {
                Family::V4 => "CidrBlock",
                Family::V6 => "Ipv6CidrBlock",
            };
            form.put(name, &cidr.to_string());
        }
        tagged(&mut form, "subnet", &self.0.tags);
        Body::Form(form)
    }
}

impl Creates for CreateSubnet {
    type Look = DescribeSubnets;
    const THERE: &'static [&'static str] = &["InvalidSubnet.Conflict"];

    fn tags(&self) -> &Tags {
        &self.0.tags
    }

    fn made(answer: SubnetAnswer) -> Option<SubnetShape> {
        answer.subnet
    }
}

shape! {
    /// `subnet`
    SubnetAnswer {
        subnet: Option<SubnetShape> = "Subnet" | "subnet",
    }
}
