//! `ec2:StopInstances`: stops an instance, which keeps its volumes.

use doorward_core::inventory::{InstanceId, Owned};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Stops one instance. Of one that is stopped it changes nothing.
#[derive(Debug, Clone)]
pub(crate) struct StopInstances(pub(crate) Owned<InstanceId>);

impl Operation for StopInstances {
    const NAME: &'static str = "StopInstances";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("InstanceId.1", self.0.id().as_str());
        Body::Form(form)
    }
}
