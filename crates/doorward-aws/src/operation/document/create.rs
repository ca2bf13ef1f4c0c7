//! `ssm:CreateDocument`: makes a session document.

use serde_json::json;

use super::DescribedAnswer;
use crate::operation::{Body, Operation, Service};

/// A document of sessions, in JSON.
#[derive(Debug, Clone)]
pub(crate) struct CreateDocument {
    pub(crate) name: String,
    pub(crate) content: String,
}

impl Operation for CreateDocument {
    const NAME: &'static str = "CreateDocument";
    const SERVICE: Service = Service::Ssm;
    type Answer = DescribedAnswer;

    fn body(&self) -> Body {
        let body = json!({
            "Name": self.name,
            "Content": self.content,
            "DocumentType": "Session",
            "DocumentFormat": "JSON",
        });
        Body::Json(body.to_string())
    }
}
