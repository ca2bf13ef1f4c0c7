//! `ec2:CreateRoute`: adds a route.

use doorward_core::inventory::{Route, RouteTableId};

use super::route;
use crate::operation::{Body, Done, Operation, Service};

/// Adds a route to a table that has none to the destination.
#[derive(Debug, Clone)]
pub(crate) struct CreateRoute {
    pub(crate) table: RouteTableId,
    pub(crate) route: Route,
}

impl Operation for CreateRoute {
    const NAME: &'static str = "CreateRoute";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        route(&self.table, &self.route)
    }
}
