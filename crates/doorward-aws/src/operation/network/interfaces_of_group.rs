//! `ec2:DescribeNetworkInterfaces`: the interfaces that have a security group attached.

use doorward_core::inventory::SecurityGroupId;

use crate::operation::describe_network_interfaces::InterfacesAnswer;
use crate::operation::{Body, DescribeNetworkInterfaces, InterfaceShape, Operation, PAGE, Paged, Service};
use crate::wire::Form;

/// Asks for the interfaces of one group, also those that services of AWS manage.
#[derive(Debug, Clone)]
pub(crate) struct InterfacesOfGroup {
    pub(crate) group: SecurityGroupId,
    pub(crate) token: Option<String>,
}

impl Operation for InterfacesOfGroup {
    const NAME: &'static str = DescribeNetworkInterfaces::NAME;
    const SERVICE: Service = Service::Ec2;
    type Answer = InterfacesAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.filter("group-id", [self.group.as_str()]);
        form.page(PAGE, self.token.as_deref());
        form.put("IncludeManagedResources", "true");
        Body::Form(form)
    }
}

impl Paged for InterfacesOfGroup {
    type Item = InterfaceShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: InterfacesAnswer) -> (Vec<InterfaceShape>, Option<String>) {
        (answer.interfaces.0, answer.next)
    }
}
