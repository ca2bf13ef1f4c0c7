//! `ec2:SearchTransitGatewayRoutes`: the routes of one table of a transit gateway.

use doorward_core::inventory::TransitTableId;

use super::describe::shape;
use super::{Body, Operation, Paged, Service};
use crate::wire::{Form, List};

/// Asks for all routes of a table, static and propagated. The answer does not say which table it is about.
#[derive(Debug, Clone)]
pub(crate) struct SearchTransitGatewayRoutes {
    pub(crate) table: TransitTableId,
    pub(crate) token: Option<String>,
}

impl Operation for SearchTransitGatewayRoutes {
    const NAME: &'static str = "SearchTransitGatewayRoutes";
    const SERVICE: Service = Service::Ec2;
    type Answer = TransitRoutesAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("TransitGatewayRouteTableId", self.table.as_str());
        // The call wants a filter; every route is of one of the two types.
        form.filter("type", ["static", "propagated"]);
        // Without a size a page holds as many as it may, 1000.
        if let Some(token) = &self.token {
            form.put("NextToken", token);
        }
        Body::Form(form)
    }
}

impl Paged for SearchTransitGatewayRoutes {
    type Item = TransitRouteShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: TransitRoutesAnswer) -> (Vec<TransitRouteShape>, Option<String>) {
        let more = answer.more == Some(true) && answer.next.is_none();
        let mut routes = answer.routes.0;
        routes.extend(more.then(|| TransitRouteShape { more: true, ..TransitRouteShape::default() }));
        (routes, answer.next)
    }
}

shape! {
    /// `Routes`, `routeSet`
    TransitRoutesAnswer {
        routes: List<TransitRouteShape> = "Routes" | "routeSet",
        more: Option<bool> = "AdditionalRoutesAvailable" | "additionalRoutesAvailable",
        next: Option<String> = "NextToken" | "nextToken",
    }
}

/// One route, or the word that there are more of them than the answer tells.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct TransitRouteShape {
    #[serde(rename = "DestinationCidrBlock", alias = "destinationCidrBlock", default)]
    pub(crate) cidr: Option<String>,
    #[serde(rename = "PrefixListId", alias = "prefixListId", default)]
    pub(crate) prefix_list: Option<String>,
    #[serde(rename = "TransitGatewayAttachments", alias = "transitGatewayAttachments", default)]
    pub(crate) attachments: List<TransitRouteAttachmentShape>,
    #[serde(rename = "Type", alias = "type", default)]
    pub(crate) kind: Option<String>,
    #[serde(rename = "State", alias = "state", default)]
    pub(crate) state: Option<String>,
    #[serde(skip)]
    pub(crate) more: bool,
}

shape! {
    /// Where a route leads.
    TransitRouteAttachmentShape {
        id: Option<String> = "TransitGatewayAttachmentId" | "transitGatewayAttachmentId",
    }
}
