//! `ssm:StartSession`: opens a session to an instance.

use std::collections::BTreeMap;

use serde::Serialize;

use super::SessionShape;
use crate::operation::{Body, Operation, Service, json};

/// Opens one with a document and what that asks for.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StartSession {
    pub(crate) target: String,
    #[serde(rename = "DocumentName", skip_serializing_if = "Option::is_none")]
    pub(crate) document: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) parameters: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl Operation for StartSession {
    const NAME: &'static str = "StartSession";
    const SERVICE: Service = Service::Ssm;
    type Answer = SessionShape;

    fn body(&self) -> Body {
        json(self)
    }
}
