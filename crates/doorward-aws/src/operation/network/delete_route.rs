//! `ec2:DeleteRoute`: removes a route.

use doorward_core::inventory::{Destination, Owned, RouteTableId};

use super::destination;
use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Removes the route to a destination.
#[derive(Debug, Clone)]
pub(crate) struct DeleteRoute {
    pub(crate) table: Owned<RouteTableId>,
    pub(crate) destination: Destination,
}

impl Operation for DeleteRoute {
    const NAME: &'static str = "DeleteRoute";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("RouteTableId", self.table.id().as_str());
        destination(&mut form, &self.destination);
        Body::Form(form)
    }
}
