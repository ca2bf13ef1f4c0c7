//! `ssm:DeleteDocument`: takes a document away, with all its versions.

use serde_json::json;

use crate::operation::{Body, Done, Operation, Service};

/// By its name.
#[derive(Debug, Clone)]
pub(crate) struct DeleteDocument {
    pub(crate) name: String,
}

impl Operation for DeleteDocument {
    const NAME: &'static str = "DeleteDocument";
    const SERVICE: Service = Service::Ssm;
    type Answer = Done;

    fn body(&self) -> Body {
        Body::Json(json!({"Name": self.name}).to_string())
    }
}
