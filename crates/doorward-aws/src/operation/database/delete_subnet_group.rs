//! `rds:DeleteDBSubnetGroup`: deletes a DB subnet group.

use doorward_core::inventory::Owned;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Deletes a DB subnet group that no database is in.
#[derive(Debug, Clone)]
pub(crate) struct DeleteDBSubnetGroup(pub(crate) Owned<String>);

impl Operation for DeleteDBSubnetGroup {
    const NAME: &'static str = "DeleteDBSubnetGroup";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("DBSubnetGroupName", self.0.id());
        Body::Form(form)
    }

    /// This call has no result in its answer.
    fn read(body: &[u8]) -> Result<Done, String> {
        Service::Ec2.read(body)
    }
}
