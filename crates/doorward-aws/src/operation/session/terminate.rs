//! `ssm:TerminateSession`: ends a session.

use serde::Serialize;

use crate::operation::{Body, Done, Operation, Service, json};

/// One that has ended already is ended again without a word.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TerminateSession {
    #[serde(rename = "SessionId")]
    pub(crate) session: String,
}

impl Operation for TerminateSession {
    const NAME: &'static str = "TerminateSession";
    const SERVICE: Service = Service::Ssm;
    type Answer = Done;

    fn body(&self) -> Body {
        json(self)
    }
}
