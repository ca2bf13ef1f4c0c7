//! `ec2:GetTransitGatewayRouteTablePropagations`: which attachments fill one table of a transit gateway.

use doorward_core::inventory::TransitTableId;

use super::describe::shape;
use super::{Body, Operation, PAGE, Paged, Service};
use crate::wire::{Form, List};

/// Asks for all propagations into a table. The answer does not say which table it is about.
#[derive(Debug, Clone)]
pub(crate) struct GetTransitGatewayRouteTablePropagations {
    pub(crate) table: TransitTableId,
    pub(crate) token: Option<String>,
}

impl Operation for GetTransitGatewayRouteTablePropagations {
    const NAME: &'static str = "GetTransitGatewayRouteTablePropagations";
    const SERVICE: Service = Service::Ec2;
    type Answer = PropagationsAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("TransitGatewayRouteTableId", self.table.as_str());
        form.page(PAGE, self.token.as_deref());
        Body::Form(form)
    }
}

impl Paged for GetTransitGatewayRouteTablePropagations {
    type Item = PropagationShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: PropagationsAnswer) -> (Vec<PropagationShape>, Option<String>) {
        (answer.propagations.0, answer.next)
    }
}

shape! {
    /// `TransitGatewayRouteTablePropagations`, `transitGatewayRouteTablePropagations`
    PropagationsAnswer {
        propagations: List<PropagationShape>
            = "TransitGatewayRouteTablePropagations" | "transitGatewayRouteTablePropagations",
        next: Option<String> = "NextToken" | "nextToken",
    }
}

shape! {
    /// One attachment whose prefixes are propagated.
    PropagationShape {
        attachment: Option<String> = "TransitGatewayAttachmentId" | "transitGatewayAttachmentId",
        state: Option<String> = "State" | "state",
    }
}
