//! The key of an encrypted shell: made by KMS, and bound to the session and the instance.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::account::Account;
use crate::error::Error;
use crate::operation::Operation;
use crate::operation::key::{Decrypt, GenerateDataKey};

/// A key, plain and encrypted. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey {
    /// As it is used.
    pub plain: Vec<u8>,
    /// As it is sent.
    pub encrypted: Vec<u8>,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").finish_non_exhaustive()
    }
}

/// How many bytes a session's key has: two keys of AES-256.
const BYTES: u32 = 64;

impl Account {
    /// 64 new bytes, encrypted under a key of KMS and bound to a context.
    pub async fn data_key(&self, key: &str, context: &BTreeMap<String, String>) -> Result<DataKey, Error> {
        let operation = GenerateDataKey {
            key: key.to_owned(),
            number_of_bytes: BYTES,
            encryption_context: context.clone(),
        };
        let answer = self.ask(&operation).await?;
        let plain = self.bytes::<GenerateDataKey>(&answer.plain)?;
        if plain.len() != BYTES as usize {
            return Err(self.unreadable::<GenerateDataKey>(&format!("the key has {} bytes", plain.len())));
        }
        Ok(DataKey { plain, encrypted: self.bytes::<GenerateDataKey>(&answer.encrypted)? })
    }

    /// The plain bytes of what KMS encrypted under the same context; `key` says under which key, if that is known.
    pub async fn decrypt(
        &self,
        encrypted: &[u8],
        context: &BTreeMap<String, String>,
        key: Option<&str>,
    ) -> Result<Vec<u8>, Error> {
        let operation = Decrypt {
            encrypted: BASE64_STANDARD.encode(encrypted),
            encryption_context: context.clone(),
            key: key.map(str::to_owned),
        };
        let answer = self.ask(&operation).await?;
        self.bytes::<Decrypt>(&answer.plain)
    }

    fn bytes<O: Operation>(&self, text: &str) -> Result<Vec<u8>, Error> {
        BASE64_STANDARD.decode(text).map_err(|_| self.unreadable::<O>("the bytes are not base64"))
    }
}
