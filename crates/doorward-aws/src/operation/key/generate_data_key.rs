//! `kms:GenerateDataKey`: random bytes, plain and encrypted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::operation::{Body, Operation, Service, json};

/// Asks for so many bytes, bound to a context.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GenerateDataKey {
    #[serde(rename = "KeyId")]
    pub(crate) key: String,
    pub(crate) number_of_bytes: u32,
    pub(crate) encryption_context: BTreeMap<String, String>,
}

impl Operation for GenerateDataKey {
    const NAME: &'static str = "GenerateDataKey";
    const SERVICE: Service = Service::Kms;
    type Answer = DataKeyShape;

    fn body(&self) -> Body {
        json(self)
    }
}

/// Both in base64. Its `Debug` shows neither.
#[derive(Deserialize)]
pub(crate) struct DataKeyShape {
    #[serde(rename = "Plaintext")]
    pub(crate) plain: String,
    #[serde(rename = "CiphertextBlob")]
    pub(crate) encrypted: String,
}

impl std::fmt::Debug for DataKeyShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataKeyShape").finish_non_exhaustive()
    }
}
