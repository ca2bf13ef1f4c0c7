//! `ec2:CreateNatGateway`: makes a NAT gateway with a way to the internet.

use doorward_core::inventory::{AllocationId, NatAvailability, NatGateway, Tags};

use super::{Creates, tagged};
use crate::operation::describe::shape;
use crate::operation::{Body, DescribeNatGateways, NatGatewayShape, Operation, Service};
use crate::wire::Form;

/// Makes a NAT gateway: in a subnet with an address of its own, or for all zones of a VPC with addresses that AWS chooses.
#[derive(Debug, Clone)]
pub(crate) struct CreateNatGateway {
    pub(crate) gateway: NatGateway,
    /// The address of a zonal one.
    pub(crate) allocation: Option<AllocationId>,
    pub(crate) token: String,
}

impl Operation for CreateNatGateway {
    const NAME: &'static str = "CreateNatGateway";
    const SERVICE: Service = Service::Ec2;
    type Answer = NatGatewayAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        match &self.gateway.availability {
            NatAvailability::Zonal(subnet) => form.put("SubnetId", subnet.as_str()),
            NatAvailability::Regional(_) => {
                form.put("AvailabilityMode", "regional");
                form.put("VpcId", self.gateway.vpc.as_str());
            }
        }
        if let Some(allocation) = &self.allocation {
            form.put("AllocationId", allocation.as_str());
        }
        form.put("ConnectivityType", "public");
        form.put("ClientToken", &self.token);
        tagged(&mut form, "natgateway", &self.gateway.tags);
        Body::Form(form)
    }
}

impl Creates for CreateNatGateway {
    type Look = DescribeNatGateways;
    const HAS_TOKEN: bool = true;
    const LOOKS_FIRST: bool = true;

    fn tags(&self) -> &Tags {
        &self.gateway.tags
    }

    fn made(answer: NatGatewayAnswer) -> Option<NatGatewayShape> {
        answer.gateway
    }
}

shape! {
    /// `natGateway`
    NatGatewayAnswer {
        gateway: Option<NatGatewayShape> = "NatGateway" | "natGateway",
    }
}
