//! `ec2:TerminateInstances`: terminates an instance, with the volumes that were created with it.

use doorward_core::inventory::{InstanceId, Owned};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Terminates one instance.
#[derive(Debug, Clone)]
pub(crate) struct TerminateInstances(pub(crate) Owned<InstanceId>);

impl Operation for TerminateInstances {
    const NAME: &'static str = "TerminateInstances";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("InstanceId.1", self.0.id().as_str());
        Body::Form(form)
    }
}
