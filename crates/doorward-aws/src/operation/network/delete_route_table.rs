//! `ec2:DeleteRouteTable`: deletes a route table.

use doorward_core::inventory::{Owned, RouteTableId};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Deletes a route table that no subnet uses.
#[derive(Debug, Clone)]
pub(crate) struct DeleteRouteTable(pub(crate) Owned<RouteTableId>);

impl Operation for DeleteRouteTable {
    const NAME: &'static str = "DeleteRouteTable";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("RouteTableId", self.0.id().as_str());
        Body::Form(form)
    }
}
