//! `ec2:DescribeInstanceConnectEndpoints`: ways into a VPC that carry SSH without an open port.

use crate::operation::describe::shape;
use crate::operation::{Body, Operation, Paged, Service};
use crate::wire::{Form, List};

/// The largest page.
const PAGE: u32 = 50;

/// Asks for those of one VPC, or for one by its id, or for all.
#[derive(Debug, Clone)]
pub(crate) struct DescribeInstanceConnectEndpoints {
    /// A filter's name and its value.
    pub(crate) filter: Option<(&'static str, String)>,
    pub(crate) token: Option<String>,
}

impl Operation for DescribeInstanceConnectEndpoints {
    const NAME: &'static str = "DescribeInstanceConnectEndpoints";
    const SERVICE: Service = Service::Ec2;
    type Answer = ConnectEndpointsAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        if let Some((name, value)) = &self.filter {
            form.filter(name, [value.as_str()]);
        }
        form.page(PAGE, self.token.as_deref());
        Body::Form(form)
    }
}

impl Paged for DescribeInstanceConnectEndpoints {
    type Item = ConnectEndpointShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: ConnectEndpointsAnswer) -> (Vec<ConnectEndpointShape>, Option<String>) {
        (answer.endpoints.0, answer.next)
    }
}

shape! {
    /// `InstanceConnectEndpoints`, `instanceConnectEndpointSet`
    ConnectEndpointsAnswer {
        endpoints: List<ConnectEndpointShape> = "InstanceConnectEndpoints" | "instanceConnectEndpointSet",
        next: Option<String> = "NextToken" | "nextToken",
    }
}

shape! {
    /// One endpoint.
    ConnectEndpointShape {
        id: Option<String> = "InstanceConnectEndpointId" | "instanceConnectEndpointId",
        state: Option<String> = "State" | "state",
        message: Option<String> = "StateMessage" | "stateMessage",
        host: Option<String> = "DnsName" | "dnsName",
        fips_host: Option<String> = "FipsDnsName" | "fipsDnsName",
        vpc: Option<String> = "VpcId" | "vpcId",
        subnet: Option<String> = "SubnetId" | "subnetId",
    }
}
