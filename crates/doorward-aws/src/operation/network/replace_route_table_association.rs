//! `ec2:ReplaceRouteTableAssociation`: gives a subnet another route table.

use doorward_core::inventory::RouteTableId;

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Gives a subnet another table in one call: there is no moment without one.
#[derive(Debug, Clone)]
pub(crate) struct ReplaceRouteTableAssociation {
    /// Like `rtbassoc-0a`.
    pub(crate) association: String,
    pub(crate) table: RouteTableId,
}

impl Operation for ReplaceRouteTableAssociation {
    const NAME: &'static str = "ReplaceRouteTableAssociation";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("AssociationId", &self.association);
        form.put("RouteTableId", self.table.as_str());
        Body::Form(form)
    }
}
