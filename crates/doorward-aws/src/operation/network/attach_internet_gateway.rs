//! `ec2:AttachInternetGateway`: attaches an internet gateway to a VPC.

use doorward_core::inventory::{InternetGatewayId, VpcId};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Attaches a gateway. A VPC has one at most.
#[derive(Debug, Clone)]
pub(crate) struct AttachInternetGateway {
    pub(crate) gateway: InternetGatewayId,
    pub(crate) vpc: VpcId,
}

impl Operation for AttachInternetGateway {
    const NAME: &'static str = "AttachInternetGateway";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("InternetGatewayId", self.gateway.as_str());
        form.put("VpcId", self.vpc.as_str());
        Body::Form(form)
    }
}
