//! `rds:DeleteDBSnapshot`: deletes a manual snapshot of a database.

use doorward_core::inventory::Owned;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Deletes a snapshot that is available.
#[derive(Debug, Clone)]
pub(crate) struct DeleteDBSnapshot(pub(crate) Owned<String>);

impl Operation for DeleteDBSnapshot {
    const NAME: &'static str = "DeleteDBSnapshot";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("DBSnapshotIdentifier", self.0.id());
        Body::Form(form)
    }
}
