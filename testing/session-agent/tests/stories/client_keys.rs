//! The client's half of an encrypted shell.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Value, json};
use session_agent::{Credential, Uuid};

use crate::aws::Api;

pub struct Keys {
    opens: LessSafeKey,
    seals: LessSafeKey,
}

fn key(bytes: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).unwrap())
}

impl Keys {
    /// Asks KMS for a data key; the other half of the answer is the handshake's.
    pub async fn generate(api: &Api<'_>, who: &Credential, session: &str) -> (Self, Value) {
        let context = json!({"aws:ssm:SessionId": session, "aws:ssm:TargetId": "i-0123456789abcdef0"});
        let body = json!({"KeyId": "alias/sessions", "NumberOfBytes": 64, "EncryptionContext": context});
        let made = api.call(who, "TrentService.GenerateDataKey", body).await.unwrap();
        let plain = STANDARD.decode(made["Plaintext"].as_str().unwrap()).unwrap();
        let keys = Self { opens: key(&plain[..32]), seals: key(&plain[32..]) };
        (keys, json!({"KMSCipherTextKey": made["CiphertextBlob"]}))
    }

    pub fn seal(&self, plain: &[u8]) -> Bytes {
        let nonce: [u8; 12] = Uuid::random().0[..12].try_into().unwrap();
        let mut sealed = plain.to_vec();
        self.seals
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .unwrap();
        [nonce.as_slice(), &sealed].concat().into()
    }

    pub fn open(&self, sealed: &[u8]) -> Bytes {
        let (nonce, rest) = sealed.split_at(12);
        let mut rest = rest.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
        Bytes::copy_from_slice(self.opens.open_in_place(nonce, Aad::empty(), &mut rest).unwrap())
    }

    pub fn answer(&self, challenge: &[u8]) -> Bytes {
        let asked: Value = serde_json::from_slice(challenge).unwrap();
        let plain = self.open(&STANDARD.decode(asked["Challenge"].as_str().unwrap()).unwrap());
        Bytes::from(json!({"Challenge": STANDARD.encode(self.seal(&plain))}).to_string())
    }
}
