//! How a describe call and what it answers are declared: most differ in nothing but their names.

/// A member of an answer. Whatever AWS may leave out is optional, and a list that is missing is empty.
///
/// Each field is given by its name in the AWS CLI's JSON and, after the stroke, in the wire's XML.
macro_rules! shape {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $json:literal | $xml:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, serde::Deserialize)]
        #[serde(expecting = "an object")]
        pub(crate) struct $name {
            $(#[serde(rename = $json, alias = $xml, default)]
            pub(crate) $field: $type,)*
        }
    };
}

/// A call of EC2 that asks for everything of a kind, a page at a time.
macro_rules! describe {
    (
        $(#[$doc:meta])* $call:ident as $name:literal, pages of $page:expr;
        $answer:ident of $item:ident = $json:literal | $xml:literal
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default)]
        pub(crate) struct $call {
            pub(crate) token: Option<String>,
        }

        impl crate::operation::Operation for $call {
            const NAME: &'static str = $name;
            const SERVICE: crate::operation::Service = crate::operation::Service::Ec2;
            type Answer = $answer;

            fn body(&self) -> crate::operation::Body {
                let mut form = crate::wire::Form::default();
                crate::operation::describe::page(&mut form, $page, self.token.as_deref());
                crate::operation::Body::Form(form)
            }
        }

        impl crate::operation::Paged for $call {
            type Item = $item;

            fn at(&self, token: String) -> Self {
                Self { token: Some(token) }
            }

            fn split(answer: $answer) -> (Vec<$item>, Option<String>) {
                (answer.members.0, answer.next)
            }
        }

        #[doc = concat!("`", $json, "`, `", $xml, "`")]
        #[derive(Debug, serde::Deserialize)]
        pub(crate) struct $answer {
            #[serde(rename = $json, alias = $xml, default)]
            members: crate::wire::List<$item>,
            #[serde(rename = "NextToken", alias = "nextToken", default)]
            next: Option<String>,
        }
    };
}

pub(super) use {describe, shape};

use crate::wire::Form;

/// The size of a page and where to go on; some calls of EC2 have no pages and refuse to be asked for a size.
pub(super) fn page(form: &mut Form, size: Option<u32>, token: Option<&str>) {
    if let Some(size) = size {
        form.page(size, token);
    }
}
