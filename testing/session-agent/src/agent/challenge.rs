//! The keys of an encrypted shell, and the proof that the client has them.
//!
//! AES-256-GCM, laid out as nonce (12), ciphertext, tag. The client decrypts with the data key's bytes 0 to 31 and
//! encrypts with 32 to 63; the agent the other way round.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde_json::{Value, json};

use crate::kms::Kms;
use crate::session::Session;

pub(super) struct Keys {
    seals: LessSafeKey,
    opens: LessSafeKey,
}

/// 64 bytes to prove the keys with.
pub(super) fn draw() -> [u8; 64] {
    let mut challenge = [0; 64];
    // Without randomness the proof is weaker, and the test none the worse.
    let _ = getrandom::fill(&mut challenge);
    challenge
}

impl Keys {
    /// From the client's answer to the KMSEncryption action.
    pub(super) fn agreed(kms: &Kms, session: &Session, result: Option<&Value>) -> Option<Self> {
        let blob = STANDARD.decode(result?.get("KMSCipherTextKey")?.as_str()?).ok()?;
        let context = BTreeMap::from([
            ("aws:ssm:SessionId".to_owned(), session.id.clone()),
            ("aws:ssm:TargetId".to_owned(), session.target.clone()),
        ]);
        Self::new(&kms.decrypt(&blob, &context)?)
    }

    fn new(data_key: &[u8]) -> Option<Self> {
        let (seals, opens) = data_key.split_at_checked(32)?;
        let key = |bytes| UnboundKey::new(&AES_256_GCM, bytes).ok().map(LessSafeKey::new);
        Some(Self { seals: key(seals)?, opens: key(opens)? })
    }

    pub(super) fn seal(&self, plain: &[u8]) -> Bytes {
        let mut nonce = [0; NONCE_LEN];
        let _ = getrandom::fill(&mut nonce);
        let mut sealed = plain.to_vec();
        // It fails on nothing that fits a payload.
        let _ = self.seals.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut sealed,
        );
        let mut out = BytesMut::from(nonce.as_slice());
        out.extend_from_slice(&sealed);
        out.freeze()
    }

    pub(super) fn open(&self, sealed: &[u8]) -> Option<Bytes> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut rest = rest.to_vec();
        let plain = self.opens.open_in_place(nonce, Aad::empty(), &mut rest).ok()?;
        Some(Bytes::copy_from_slice(plain))
    }

    /// What asks for the proof.
    pub(super) fn ask(&self, challenge: &[u8]) -> Value {
        json!({"Challenge": STANDARD.encode(self.seal(challenge))})
    }

    /// Whether the answer is the challenge, sealed by the client.
    pub(super) fn is_proof(&self, payload: &[u8], challenge: &[u8]) -> bool {
        serde_json::from_slice::<Value>(payload)
            .ok()
            .and_then(|answer| STANDARD.decode(answer.get("Challenge")?.as_str()?).ok())
            .and_then(|sealed| self.open(&sealed))
            .is_some_and(|plain| plain == challenge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_opens_what_the_agent_seals_and_the_other_way_round() {
        let data_key: Vec<u8> = (0..64).collect();
        let agent = Keys::new(&data_key).unwrap();
        let swapped: Vec<u8> = (32..64).chain(0..32).collect();
        let client = Keys::new(&swapped).unwrap();
        assert_eq!(client.open(&agent.seal(b"uname")).unwrap().as_ref(), b"uname");
        assert_eq!(agent.open(&agent.seal(b"uname")), None);
        let challenge = draw();
        let asked = STANDARD.decode(agent.ask(&challenge)["Challenge"].as_str().unwrap()).unwrap();
        let plain = client.open(&asked).unwrap();
        let answer = json!({"Challenge": STANDARD.encode(client.seal(&plain))}).to_string();
        assert!(agent.is_proof(answer.as_bytes(), &challenge));
        assert!(!agent.is_proof(answer.as_bytes(), &draw()));
        assert!(!agent.is_proof(b"{}", &challenge));
        let mut broken = agent.seal(b"uname").to_vec();
        broken[13] ^= 1;
        assert_eq!(client.open(&broken), None);
        assert!(Keys::new(&data_key[..63]).is_none());
    }
}
