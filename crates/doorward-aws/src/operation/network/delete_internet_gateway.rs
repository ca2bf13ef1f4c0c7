//! `ec2:DeleteInternetGateway`: deletes an internet gateway.

use doorward_core::inventory::{InternetGatewayId, Owned};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Deletes an internet gateway that is attached to nothing.
#[derive(Debug, Clone)]
pub(crate) struct DeleteInternetGateway(pub(crate) Owned<InternetGatewayId>);

impl Operation for DeleteInternetGateway {
    const NAME: &'static str = "DeleteInternetGateway";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("InternetGatewayId", self.0.id().as_str());
        Body::Form(form)
    }
}
