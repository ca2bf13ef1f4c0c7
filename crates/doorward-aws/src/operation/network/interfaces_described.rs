//! `ec2:DescribeNetworkInterfaces` of those whose description begins in some way: services name themselves there.

use crate::operation::{Body, DescribeNetworkInterfaces, InterfaceShape, Operation, PAGE, Paged, Service};
use crate::wire::Form;

/// Asks for the interfaces of a load balancer, like `ELB app/NAME/*`.
#[derive(Debug, Clone)]
pub(crate) struct InterfacesDescribed {
    pub(crate) description: String,
    pub(crate) token: Option<String>,
}

impl Operation for InterfacesDescribed {
    const NAME: &'static str = "DescribeNetworkInterfaces";
    const SERVICE: Service = Service::Ec2;
    type Answer = <DescribeNetworkInterfaces as Operation>::Answer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.filter("description", [self.description.as_str()]);
        form.page(PAGE, self.token.as_deref());
        form.put("IncludeManagedResources", "true");
        Body::Form(form)
    }
}

impl Paged for InterfacesDescribed {
    type Item = InterfaceShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: Self::Answer) -> (Vec<InterfaceShape>, Option<String>) {
        DescribeNetworkInterfaces::split(answer)
    }
}
