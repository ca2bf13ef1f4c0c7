//! `ec2:CreateRouteTable`: makes a route table with its local routes.

use doorward_core::inventory::{Tags, VpcId};

use super::{Creates, tagged};
use crate::operation::describe::shape;
use crate::operation::{Body, DescribeRouteTables, Operation, RouteTableShape, Service};
use crate::wire::Form;

/// Makes a route table.
#[derive(Debug, Clone)]
pub(crate) struct CreateRouteTable {
    pub(crate) vpc: VpcId,
    pub(crate) tags: Tags,
    pub(crate) token: String,
}

impl Operation for CreateRouteTable {
    const NAME: &'static str = "CreateRouteTable";
    const SERVICE: Service = Service::Ec2;
    type Answer = RouteTableAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("VpcId", self.vpc.as_str());
        form.put("ClientToken", &self.token);
        tagged(&mut form, "route-table", &self.tags);
        Body::Form(form)
    }
}

impl Creates for CreateRouteTable {
    type Look = DescribeRouteTables;
    const HAS_TOKEN: bool = true;

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn made(answer: RouteTableAnswer) -> Option<RouteTableShape> {
        answer.table
    }
}

shape! {
    /// `routeTable`
    RouteTableAnswer {
        table: Option<RouteTableShape> = "RouteTable" | "routeTable",
    }
}
