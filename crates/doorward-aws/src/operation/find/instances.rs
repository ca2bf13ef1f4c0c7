//! `ec2:DescribeInstances`: one by its id, or those that bear a tag.

use crate::operation::describe_instances::{InstanceShape, ReservationsAnswer};
use crate::operation::{Body, Operation, PAGE, Paged, Service};
use crate::wire::Form;

/// Which.
#[derive(Debug, Clone)]
pub(crate) enum Sought {
    Id(String),
    Tag(String, String),
}

/// Asks for them.
#[derive(Debug, Clone)]
pub(crate) struct FindInstances {
    pub(crate) sought: Sought,
    pub(crate) token: Option<String>,
}

impl Operation for FindInstances {
    const NAME: &'static str = "DescribeInstances";
    const SERVICE: Service = Service::Ec2;
    type Answer = ReservationsAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        match &self.sought {
            // A filter, since an id that is not there would be an error of another kind.
            Sought::Id(id) => form.filter("instance-id", [id.as_str()]),
            Sought::Tag(key, value) => form.filter(&format!("tag:{key}"), [plain(value).as_str()]),
        }
        form.page(PAGE, self.token.as_deref());
        Body::Form(form)
    }
}

impl Paged for FindInstances {
    type Item = InstanceShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: ReservationsAnswer) -> (Vec<InstanceShape>, Option<String>) {
        let instances = answer.reservations.0.into_iter().flat_map(|reservation| reservation.instances.0);
        (instances.collect(), answer.next)
    }
}

/// In a filter `*` and `?` stand for others, unless a backslash is before them (EC2 user guide, "List and filter").
fn plain(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for letter in value.chars() {
        if matches!(letter, '*' | '?' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}
