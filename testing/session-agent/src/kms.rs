//! Keys of KMS that exist while the stand does.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::uuid::Uuid;

/// The data keys that were made, by their ciphertext.
#[derive(Debug, Default)]
pub(crate) struct Kms {
    keys: Mutex<BTreeMap<Vec<u8>, DataKey>>,
}

#[derive(Debug)]
struct DataKey {
    key: String,
    plain: Vec<u8>,
    context: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Generate {
    key_id: String,
    #[serde(default)]
    number_of_bytes: Option<usize>,
    #[serde(default)]
    key_spec: Option<String>,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypt {
    ciphertext_blob: String,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

impl Kms {
    /// The data key of a ciphertext, if the context is that of its making.
    pub(crate) fn decrypt(&self, blob: &[u8], context: &BTreeMap<String, String>) -> Option<Vec<u8>> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(blob).filter(|it| it.context == *context).map(|it| it.plain.clone())
    }

    /// `GenerateDataKey`. The error is AWS's code.
    pub(crate) fn generate(&self, body: &Value) -> Result<Value, &'static str> {
        let asked: Generate = Deserialize::deserialize(body).map_err(|_| "ValidationException")?;
        let length = match (asked.number_of_bytes, asked.key_spec.as_deref()) {
            (Some(bytes @ 1..=1024), None) => bytes,
            (None, Some("AES_256")) => 32,
            (None, Some("AES_128")) => 16,
            _ => return Err("ValidationException"),
        };
        let mut plain = vec![0; length];
        getrandom::fill(&mut plain).map_err(|_| "KMSInternalException")?;
        let blob = [Uuid::random().0, Uuid::random().0].concat();
        let answer = json!({"CiphertextBlob": STANDARD.encode(&blob), "Plaintext": STANDARD.encode(&plain),
                            "KeyId": asked.key_id});
        let made = DataKey { key: asked.key_id, plain, context: asked.encryption_context };
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(blob, made);
        Ok(answer)
    }

    /// `Decrypt`. The error is AWS's code.
    pub(crate) fn decrypts(&self, body: &Value) -> Result<Value, &'static str> {
        let asked: Decrypt = Deserialize::deserialize(body).map_err(|_| "ValidationException")?;
        let blob = STANDARD.decode(asked.ciphertext_blob).map_err(|_| "InvalidCiphertextException")?;
        let plain = self.decrypt(&blob, &asked.encryption_context).ok_or("InvalidCiphertextException")?;
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let key = keys.get(&blob).map(|it| it.key.clone()).unwrap_or_default();
        Ok(
            json!({"Plaintext": STANDARD.encode(plain), "KeyId": key, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_key_opens_in_its_own_context_alone() {
        let kms = Kms::default();
        let made = kms
            .generate(
                &json!({"KeyId": "alias/sessions", "NumberOfBytes": 64, "EncryptionContext": {"a": "b"}}),
            )
            .unwrap();
        let asked =
            |context: Value| json!({"CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": context});
        let opened = kms.decrypts(&asked(json!({"a": "b"}))).unwrap();
        assert_eq!((&opened["Plaintext"], &opened["KeyId"]), (&made["Plaintext"], &json!("alias/sessions")));
        assert_eq!(STANDARD.decode(made["Plaintext"].as_str().unwrap()).unwrap().len(), 64);
        for wrong in [json!({}), json!({"a": "c"}), json!({"a": "b", "c": "d"})] {
            assert_eq!(kms.decrypts(&asked(wrong)), Err("InvalidCiphertextException"));
        }
        assert_eq!(kms.generate(&json!({"KeyId": "k"})), Err("ValidationException"));
    }
}
