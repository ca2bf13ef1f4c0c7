//! `rds:DeleteDBInstance`: deletes a database.

use doorward_core::inventory::Owned;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Deletes a database, and leaves a final snapshot. Its secret goes with it.
#[derive(Debug, Clone)]
pub(crate) struct DeleteDBInstance {
    pub(crate) name: Owned<String>,
    pub(crate) snapshot: String,
}

impl Operation for DeleteDBInstance {
    const NAME: &'static str = "DeleteDBInstance";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("DBInstanceIdentifier", self.name.id());
        form.put("FinalDBSnapshotIdentifier", &self.snapshot);
        Body::Form(form)
    }
}
