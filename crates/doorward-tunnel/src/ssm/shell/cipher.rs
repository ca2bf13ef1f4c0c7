//! What an agent and a client encrypt between them: AES-256-GCM, with a key of KMS's for each direction.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// The key's length for both directions, in bytes.
const KEYS: usize = 64;

/// Both directions of one session.
pub(super) struct Cipher {
    opening: LessSafeKey,
    sealing: LessSafeKey,
    /// The key is of this session and of this direction alone, so a count never comes twice under it.
    count: u128,
}

impl Cipher {
    /// With the plaintext of a data key; none: it is not 64 bytes long.
    pub(super) fn new(plaintext: &[u8]) -> Option<Self> {
        let (opening, sealing) = plaintext.split_at_checked(KEYS / 2)?;
        let key = |bytes: &[u8]| Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?));
        Some(Self { opening: key(opening)?, sealing: key(sealing)?, count: 0 })
    }

    /// A nonce, the ciphertext and its tag.
    pub(super) fn seal(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.count += 1;
        let (_, nonce) = self
            .count
            .to_be_bytes()
            .split_last_chunk::<NONCE_LEN>()
            .map(|(rest, nonce)| (rest.len(), *nonce))?;
        let mut text = bytes.to_vec();
        let sealed = self.sealing.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut text,
        );
        sealed.ok()?;
        Some([nonce.as_slice(), &text].concat())
    }

    /// What the agent sealed; none: it is not of this session, or was changed.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.opening.open_in_place(nonce, Aad::empty(), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> (Cipher, Cipher) {
        let (mut key, mut turned) = ((0..64).collect::<Vec<u8>>(), Vec::new());
        turned.extend_from_slice(&key[32..]);
        turned.extend_from_slice(&key[..32]);
        key.truncate(64);
        (Cipher::new(&key).unwrap(), Cipher::new(&turned).unwrap())
    }

    #[test]
    fn each_side_reads_the_other() {
        let (mut client, mut agent) = both();
        let (first, second) = (client.seal(b"ls\n").unwrap(), client.seal(b"ls\n").unwrap());
        assert_ne!(first[..12], second[..12]);
        assert_eq!(agent.open(&first).unwrap(), b"ls\n");
        assert_eq!(agent.open(&second).unwrap(), b"ls\n");
        let answer = agent.seal(b"README").unwrap();
        assert_eq!(client.open(&answer).unwrap(), b"README");
        assert_eq!(client.open(&first), None, "what we sealed is not what the agent seals");
    }

    #[test]
    fn what_was_changed_is_not_read() {
        let (client, mut agent) = both();
        let sealed = agent.seal(b"README").unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(client.open(&changed), None, "{place}");
        }
        for length in 0..sealed.len() {
            assert_eq!(client.open(&sealed[..length]), None, "{length}");
        }
    }

    #[test]
    fn a_key_has_64_bytes() {
        for length in [0, 32, 63, 65] {
            assert!(Cipher::new(&vec![0; length]).is_none(), "{length}");
        }
    }

    /// Sealed by Python's `cryptography` 48: AESGCM(bytes(range(32))).encrypt(bytes(range(12)), b"challenge", None)
    #[test]
    fn it_is_the_usual_aes_256_gcm() {
        let (client, _) = both();
        let hex = VECTOR;
        let sealed: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        assert_eq!(client.open(&sealed).unwrap(), b"challenge");
    }

    const VECTOR: &str = "000102030405060708090a0b246ab777a980ac7ce8267ad5d208999721362f191d88c09fcc";
}
