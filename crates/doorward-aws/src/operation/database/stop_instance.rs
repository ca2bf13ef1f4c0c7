//! `rds:StopDBInstance`: stops a database, for seven days at most.

use doorward_core::inventory::Owned;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Stops a database that is available.
#[derive(Debug, Clone)]
pub(crate) struct StopDBInstance(pub(crate) Owned<String>);

impl Operation for StopDBInstance {
    const NAME: &'static str = "StopDBInstance";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("DBInstanceIdentifier", self.0.id());
        Body::Form(form)
    }
}
