//! `ssm:UpdateDocument`: makes a new version of a document, which nobody uses yet.

use serde_json::json;

use super::DescribedAnswer;
use crate::operation::{Body, Operation, Service};

/// A version behind the latest.
#[derive(Debug, Clone)]
pub(crate) struct UpdateDocument {
    pub(crate) name: String,
    pub(crate) content: String,
}

impl Operation for UpdateDocument {
    const NAME: &'static str = "UpdateDocument";
    const SERVICE: Service = Service::Ssm;
    type Answer = DescribedAnswer;

    fn body(&self) -> Body {
        let body = json!({
            "Name": self.name,
            "Content": self.content,
            "DocumentFormat": "JSON",
            "DocumentVersion": "$LATEST",
        });
        Body::Json(body.to_string())
    }
}
