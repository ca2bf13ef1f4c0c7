//! Calls of the query services that tell all there is of something, page by page.

/// Implements [`Operation`](super::Operation) and [`Paged`](super::Paged) for a call whose pages are followed by a
/// `Marker`: its name, its service, the field of its answer that holds the members, the parameter that sizes a
/// page with the most that it takes, and the parameters that say whose members are asked for.
macro_rules! listed {
    (
        $operation:ident is $name:literal of $service:ident,
        $answer:ident.$members:ident: $member:ty,
        $size:literal up to $most:literal
        $(, $parameter:literal: $owner:ident)* $(, always $constant:literal: $value:literal)*
    ) => {
        impl crate::operation::Operation for $operation {
            const NAME: &'static str = $name;
            const SERVICE: crate::operation::Service = crate::operation::Service::$service;
            type Answer = $answer;

            fn body(&self) -> crate::operation::Body {
                let mut form = crate::wire::Form::default();
                $(form.put($parameter, &self.$owner);)*
                $(form.put($constant, $value);)*
                form.put($size, $most);
                if let Some(token) = &self.token {
                    form.put("Marker", token);
                }
                crate::operation::Body::Form(form)
            }
        }

        impl crate::operation::Paged for $operation {
            type Item = $member;

            fn at(&self, token: String) -> Self {
                let mut next = self.clone();
                next.token = Some(token);
                next
            }

            fn split(answer: $answer) -> (Vec<$member>, Option<String>) {
                (answer.$members.0, answer.next)
            }
        }
    };
}

pub(super) use listed;
