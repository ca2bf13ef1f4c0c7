//! `ssm:ResumeSession`: joins a session again, with a new token.

use serde::Serialize;

use super::SessionShape;
use crate::operation::{Body, Operation, Service, json};

/// An empty token says that the session is over.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ResumeSession {
    #[serde(rename = "SessionId")]
    pub(crate) session: String,
}

impl Operation for ResumeSession {
    const NAME: &'static str = "ResumeSession";
    const SERVICE: Service = Service::Ssm;
    type Answer = SessionShape;

    fn body(&self) -> Body {
        json(self)
    }
}
