//! `kms:Decrypt`: the plain bytes of what KMS encrypted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::operation::{Body, Operation, Service, json};

/// In base64, with the context that it was bound to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Decrypt {
    #[serde(rename = "CiphertextBlob")]
    pub(crate) encrypted: String,
    pub(crate) encryption_context: BTreeMap<String, String>,
    #[serde(rename = "KeyId", skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

impl Operation for Decrypt {
    const NAME: &'static str = "Decrypt";
    const SERVICE: Service = Service::Kms;
    type Answer = PlainShape;

    fn body(&self) -> Body {
        json(self)
    }
}

/// In base64. Its `Debug` does not show it.
#[derive(Deserialize)]
pub(crate) struct PlainShape {
    #[serde(rename = "Plaintext")]
    pub(crate) plain: String,
}

impl std::fmt::Debug for PlainShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlainShape").finish_non_exhaustive()
    }
}
