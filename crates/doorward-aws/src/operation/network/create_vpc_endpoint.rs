//! `ec2:CreateVpcEndpoint`: makes a VPC endpoint.

use doorward_core::inventory::{Endpoint, EndpointKind, Tags};

use super::{Creates, tagged};
use crate::operation::describe::shape;
use crate::operation::{Body, DescribeVpcEndpoints, EndpointShape, Operation, Service};
use crate::wire::Form;

/// Makes a gateway endpoint, or an interface endpoint with the private DNS name of its service.
#[derive(Debug, Clone)]
pub(crate) struct CreateVpcEndpoint {
    pub(crate) endpoint: Endpoint,
    pub(crate) token: String,
}

impl Operation for CreateVpcEndpoint {
    const NAME: &'static str = "CreateVpcEndpoint";
    const SERVICE: Service = Service::Ec2;
    type Answer = EndpointAnswer;

    fn body(&self) -> Body {
        let Endpoint { vpc, kind, service, tables, subnets, groups, tags, .. } = &self.endpoint;
        let mut form = Form::default();
        form.put("VpcId", vpc.as_str());
        form.put("ServiceName", service);
        let kind = match kind {
            EndpointKind::Gateway => "Gateway",
            EndpointKind::Interface => "Interface",
            EndpointKind::GatewayLoadBalancer => "GatewayLoadBalancer",
            EndpointKind::Other(other) => other,
        };
        form.put("VpcEndpointType", kind);
        if self.endpoint.kind == EndpointKind::Interface {
            form.put("PrivateDnsEnabled", "true");
        }
        form.each("RouteTableId", tables);
        form.each("SubnetId", subnets);
        form.each("SecurityGroupId", groups);
        form.put("ClientToken", &self.token);
        tagged(&mut form, "vpc-endpoint", tags);
        Body::Form(form)
    }
}

impl Creates for CreateVpcEndpoint {
    type Look = DescribeVpcEndpoints;
    const HAS_TOKEN: bool = true;
    /// A table has one endpoint of a service.
    const THERE: &'static [&'static str] = &["RouteAlreadyExists"];

    fn tags(&self) -> &Tags {
        &self.endpoint.tags
    }

    fn made(answer: EndpointAnswer) -> Option<EndpointShape> {
        answer.endpoint
    }
}

shape! {
    /// `vpcEndpoint`
    EndpointAnswer {
        endpoint: Option<EndpointShape> = "VpcEndpoint" | "vpcEndpoint",
    }
}
