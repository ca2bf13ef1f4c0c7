//! `ec2:StartInstances`: starts an instance that is stopped.

use doorward_core::inventory::{InstanceId, Owned};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Starts one instance. Of one that runs it changes nothing.
#[derive(Debug, Clone)]
pub(crate) struct StartInstances(pub(crate) Owned<InstanceId>);

impl Operation for StartInstances {
    const NAME: &'static str = "StartInstances";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("InstanceId.1", self.0.id().as_str());
        Body::Form(form)
    }
}
