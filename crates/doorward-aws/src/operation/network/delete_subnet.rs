//! `ec2:DeleteSubnet`: deletes a subnet.

use doorward_core::inventory::{Owned, SubnetId};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Deletes a subnet without interfaces.
#[derive(Debug, Clone)]
pub(crate) struct DeleteSubnet(pub(crate) Owned<SubnetId>);

impl Operation for DeleteSubnet {
    const NAME: &'static str = "DeleteSubnet";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("SubnetId", self.0.id().as_str());
        Body::Form(form)
    }
}
