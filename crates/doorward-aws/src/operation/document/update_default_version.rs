//! `ssm:UpdateDocumentDefaultVersion`: from now on sessions are opened with this version.

use serde_json::json;

use crate::operation::{Body, Done, Operation, Service};

/// A version by its number.
#[derive(Debug, Clone)]
pub(crate) struct UpdateDocumentDefaultVersion {
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Operation for UpdateDocumentDefaultVersion {
    const NAME: &'static str = "UpdateDocumentDefaultVersion";
    const SERVICE: Service = Service::Ssm;
    type Answer = Done;

    fn body(&self) -> Body {
        Body::Json(json!({"Name": self.name, "DocumentVersion": self.version}).to_string())
    }
}
