//! `ec2:DetachInternetGateway`: detaches an internet gateway.

use doorward_core::inventory::{InternetGatewayId, Owned, VpcId};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Detaches a gateway: refused while the VPC has mapped public addresses.
#[derive(Debug, Clone)]
pub(crate) struct DetachInternetGateway {
    pub(crate) gateway: Owned<InternetGatewayId>,
    pub(crate) vpc: VpcId,
}

impl Operation for DetachInternetGateway {
    const NAME: &'static str = "DetachInternetGateway";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("InternetGatewayId", self.gateway.id().as_str());
        form.put("VpcId", self.vpc.as_str());
        Body::Form(form)
    }
}
