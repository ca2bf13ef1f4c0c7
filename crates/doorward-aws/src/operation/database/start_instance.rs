//! `rds:StartDBInstance`: starts a database that is stopped.

use doorward_core::inventory::Owned;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Starts a database that is stopped.
#[derive(Debug, Clone)]
pub(crate) struct StartDBInstance(pub(crate) Owned<String>);

impl Operation for StartDBInstance {
    const NAME: &'static str = "StartDBInstance";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("DBInstanceIdentifier", self.0.id());
        Body::Form(form)
    }
}
