//! `ec2:CreateInternetGateway`: makes an internet gateway, which is attached to nothing yet.

use doorward_core::inventory::Tags;

use super::{Creates, tagged};
use crate::operation::describe::shape;
use crate::operation::{Body, DescribeInternetGateways, InternetGatewayShape, Operation, Service};
use crate::wire::Form;

/// Makes an internet gateway. EC2 has no token for it: its tags tell whether it was made.
#[derive(Debug, Clone)]
pub(crate) struct CreateInternetGateway {
    pub(crate) tags: Tags,
}

impl Operation for CreateInternetGateway {
    const NAME: &'static str = "CreateInternetGateway";
    const SERVICE: Service = Service::Ec2;
    type Answer = InternetGatewayAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        tagged(&mut form, "internet-gateway", &self.tags);
        Body::Form(form)
    }
}

impl Creates for CreateInternetGateway {
    type Look = DescribeInternetGateways;

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn made(answer: InternetGatewayAnswer) -> Option<InternetGatewayShape> {
        answer.gateway
    }
}

shape! {
    /// `internetGateway`
    InternetGatewayAnswer {
        gateway: Option<InternetGatewayShape> = "InternetGateway" | "internetGateway",
    }
}
