//! `ec2:ReplaceRoute`: changes the target of a route.

use doorward_core::inventory::{Route, RouteTableId};

use super::route;
use crate::operation::{Body, Done, Operation, Service};

/// Changes the target of a route in one call: there is no moment without a route.
#[derive(Debug, Clone)]
pub(crate) struct ReplaceRoute {
    pub(crate) table: RouteTableId,
    pub(crate) route: Route,
}

impl Operation for ReplaceRoute {
    const NAME: &'static str = "ReplaceRoute";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        route(&self.table, &self.route)
    }
}
