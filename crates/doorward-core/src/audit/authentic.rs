//! Who wrote an entry: each carries a MAC whose key is not in the store.
//!
//! The MAC is over the entry's hash, and the hash over everything that the entry says and over the hash of the entry
//! before it. So one MAC vouches for its own entry and for all that come before it, and nobody without the key can
//! add, alter, drop or reorder an entry unseen. (What was cut off at the end is found by a head that was noted
//! elsewhere: a chain that is shorter is still a chain.)

use sha2::{Digest as _, Sha256};

use super::{Broken, Entry, Hash, Head, Verifier, What};

/// A secret key and what is computed with it. Core has no secrets and no choice of an implementation.
pub trait Authenticator: Send + Sync {
    /// HMAC-SHA-256 (RFC 2104, FIPS 198-1) of a text.
    fn mac(&self, text: &[u8]) -> Hash;

    /// Whether a MAC is that of a text, compared in constant time.
    fn is_mac(&self, text: &[u8], mac: &Hash) -> bool;
}

/// What the MAC of an entry covers: its hash, and the purpose, so that no MAC of another purpose will do.
pub(super) fn covered(hash: Hash) -> Vec<u8> {
    let mut text = b"doorward audit entry\0".to_vec();
    text.extend_from_slice(hash.as_bytes());
    text
}

/// Entries that had no authentication of their own until an authentic entry sealed them as they stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The number of the entry that sealed them.
    pub by: u64,
    /// What was found before it, in words; nothing where they were written before there was a key.
    pub found: Vec<String>,
}

/// Checks a whole record from its first line: the chain, every MAC, and what was sealed.
///
/// It reads on behind a fault, since an authentic entry that comes later may have sealed the record as it stood with
/// that fault: then it names the digest of every line before it, and none of them can be changed any more.
pub struct Whole<'k> {
    key: Option<&'k dyn Authenticator>,
    verifier: Verifier,
    lines: Sha256,
    broken: Option<Broken>,
    sealed: Vec<Sealed>,
}

impl<'k> Whole<'k> {
    /// Begins at the first line; without a key only the chain is checked.
    pub fn new(key: Option<&'k dyn Authenticator>) -> Self {
        let verifier = Verifier::default();
        Self { key, verifier, lines: Sha256::new(), broken: None, sealed: Vec::new() }
    }

    /// Takes the next line, and returns it where it can be read, with whether it is authentic by itself.
    pub fn line(&mut self, text: &str) -> Option<(Entry, bool)> {
        let before = self.lines.clone();
        self.lines.update(text.as_bytes());
        self.lines.update(b"\n");
        let followed = self.verifier.entry(text);
        let entry = match &followed {
            Ok(entry) => Some(entry.clone()),
            Err(broken) => {
                self.broken.get_or_insert_with(|| broken.clone());
                Entry::read(text).ok()
            }
        };
        let Some(entry) = entry else {
            // What cannot be read still has a place, and whoever seals the record sealed it by its bytes.
            let (seq, hash) = (self.verifier.head().seq.saturating_add(1), Hash::of(text.as_bytes()));
            self.verifier.resume(Head { seq, hash });
            return None;
        };
        self.verifier.resume(entry.head);
        let Some(key) = self.key else { return Some((entry, false)) };
        if !entry.is_authentic(key) {
            self.note_unauthentic(&entry);
            return Some((entry, false));
        }
        match &entry.line.event.what {
            What::LogSealed { digest: sealed, found, .. }
                if *sealed == Hash::from_bytes(before.finalize().into()) =>
            {
                self.broken = None;
                self.sealed.push(Sealed { by: entry.head.seq, found: found.clone() });
            }
            _ => {}
        }
        Some((entry, true))
    }

    fn note_unauthentic(&mut self, entry: &Entry) {
        let seq = entry.head.seq;
        match &mut self.broken {
            Some(Broken::Unauthentic { last, .. }) if last.checked_add(1) == Some(seq) => *last = seq,
            Some(_) => {}
            None => {
                let missing = entry.mac.is_none();
                self.broken = Some(Broken::Unauthentic { first: seq, last: seq, missing });
            }
        }
    }

    /// SHA-256 of every line that was read, each with a line's end.
    pub fn digest(&self) -> Hash {
        Hash::from_bytes(self.lines.clone().finalize().into())
    }

    /// Notes a fault that is seen beside the lines; the first fault is the one that is told.
    pub fn note(&mut self, broken: Broken) {
        self.broken.get_or_insert(broken);
    }

    /// The first fault that nobody sealed since.
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// The entries that sealed what came before them.
    pub fn sealed(&self) -> &[Sealed] {
        &self.sealed
    }

    /// Where what was read ends: the last line's number and hash, as it bears them.
    pub fn end(&self) -> Head {
        self.verifier.head()
    }
}
