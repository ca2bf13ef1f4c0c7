//! `ssm:GetDocument`: the text of a document.

use serde::Deserialize;
use serde_json::json;

use crate::operation::{Body, Operation, Service};

/// The version that sessions are opened with.
#[derive(Debug, Clone)]
pub(crate) struct GetDocument {
    pub(crate) name: String,
}

impl Operation for GetDocument {
    const NAME: &'static str = "GetDocument";
    const SERVICE: Service = Service::Ssm;
    type Answer = DocumentShape;

    fn body(&self) -> Body {
        Body::Json(json!({"Name": self.name, "DocumentFormat": "JSON"}).to_string())
    }
}

/// A document with its text.
#[derive(Debug, Deserialize)]
pub(crate) struct DocumentShape {
    #[serde(rename = "DocumentVersion", default)]
    pub(crate) version: Option<String>,
    #[serde(rename = "DocumentType", default)]
    pub(crate) kind: Option<String>,
    #[serde(rename = "Content", default)]
    pub(crate) content: Option<String>,
}
