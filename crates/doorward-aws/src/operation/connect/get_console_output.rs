//! `ec2:GetConsoleOutput`: what an instance wrote to its console, its host keys among it.

use crate::operation::describe::shape;
use crate::operation::{Body, Operation, Service};
use crate::wire::Form;

/// Asks for the last 64 KiB.
#[derive(Debug, Clone)]
pub(crate) struct GetConsoleOutput {
    pub(crate) instance: String,
    /// Asks the instance itself, where its kind can do that, and not what was kept of its start.
    pub(crate) latest: bool,
}

impl Operation for GetConsoleOutput {
    const NAME: &'static str = "GetConsoleOutput";
    const SERVICE: Service = Service::Ec2;
    type Answer = ConsoleShape;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("InstanceId", &self.instance);
        if self.latest {
            form.put("Latest", "true");
        }
        Body::Form(form)
    }
}

shape! {
    /// In base64; nothing while there is nothing.
    ConsoleShape {
        output: Option<String> = "Output" | "output",
    }
}
