//! `ec2:DeleteVpc`: deletes a VPC.

use doorward_core::inventory::{Owned, VpcId};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Deletes a VPC with nothing in it, and with what AWS made with it.
#[derive(Debug, Clone)]
pub(crate) struct DeleteVpc(pub(crate) Owned<VpcId>);

impl Operation for DeleteVpc {
    const NAME: &'static str = "DeleteVpc";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("VpcId", self.0.id().as_str());
        Body::Form(form)
    }
}
