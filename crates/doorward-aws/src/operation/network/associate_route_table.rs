//! `ec2:AssociateRouteTable`: associates a route table with a subnet.

use doorward_core::inventory::{RouteTableId, SubnetId};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Associates a table with a subnet that has the main table.
#[derive(Debug, Clone)]
pub(crate) struct AssociateRouteTable {
    pub(crate) table: RouteTableId,
    pub(crate) subnet: SubnetId,
}

impl Operation for AssociateRouteTable {
    const NAME: &'static str = "AssociateRouteTable";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("RouteTableId", self.table.as_str());
        form.put("SubnetId", self.subnet.as_str());
        Body::Form(form)
    }
}
