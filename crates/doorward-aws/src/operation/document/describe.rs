//! `ssm:DescribeDocument`: in what state a document is.

use serde_json::json;

use super::DescribedAnswer;
use crate::operation::{Body, Operation, Service};

/// The version that sessions are opened with.
#[derive(Debug, Clone)]
pub(crate) struct DescribeDocument {
    pub(crate) name: String,
}

impl Operation for DescribeDocument {
    const NAME: &'static str = "DescribeDocument";
    const SERVICE: Service = Service::Ssm;
    type Answer = DescribedAnswer;

    fn body(&self) -> Body {
        Body::Json(json!({"Name": self.name}).to_string())
    }
}
