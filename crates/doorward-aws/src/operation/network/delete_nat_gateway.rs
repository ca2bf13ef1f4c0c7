//! `ec2:DeleteNatGateway`: deletes a NAT gateway.

use doorward_core::inventory::{NatGatewayId, Owned};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Deletes a NAT gateway; its address and the routes to it stay.
#[derive(Debug, Clone)]
pub(crate) struct DeleteNatGateway(pub(crate) Owned<NatGatewayId>);

impl Operation for DeleteNatGateway {
    const NAME: &'static str = "DeleteNatGateway";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("NatGatewayId", self.0.id().as_str());
        Body::Form(form)
    }
}
