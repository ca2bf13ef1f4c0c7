//! The ids of what Doorward makes: grants and installations.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A grant's name: `g-` and twelve letters or digits, unguessable enough to be unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct GrantId(String);

/// A text that is no grant's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a grant (like `g-k3v9t2m4x7q8`)")]
pub struct NotAGrant(String);

impl GrantId {
    const LETTERS: &'static [u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

    /// From 8 random bytes, of which 60 bits are used.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        let mut bits = u64::from_le_bytes(bytes);
        let mut id = String::from("g-");
        for _ in 0..12 {
            let letter = Self::LETTERS.get((bits & 31) as usize).copied().unwrap_or(b'a');
            id.push(char::from(letter));
            bits >>= 5;
        }
        Self(id)
    }
}

crate::text::is_text!(GrantId);

impl FromStr for GrantId {
    type Err = NotAGrant;

    fn from_str(text: &str) -> Result<Self, NotAGrant> {
        let good = text
            .strip_prefix("g-")
            .is_some_and(|rest| rest.len() == 12 && rest.bytes().all(|byte| Self::LETTERS.contains(&byte)));
        if good { Ok(Self(text.into())) } else { Err(NotAGrant(text.into())) }
    }
}

/// Which Doorward made a rule: eight hexadecimal digits, drawn when its store is made.
///
/// Two installations may share a security group; neither touches what the other keeps open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct InstallationId(String);

/// A text that names no installation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an installation (eight hexadecimal digits)")]
pub struct NotAnInstallation(String);

impl InstallationId {
    /// From four random bytes.
    pub fn from_random(bytes: [u8; 4]) -> Self {
        Self(format!("{:08x}", u32::from_be_bytes(bytes)))
    }
}

crate::text::is_text!(InstallationId);

impl FromStr for InstallationId {
    type Err = NotAnInstallation;

    fn from_str(text: &str) -> Result<Self, NotAnInstallation> {
        let good = text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if good { Ok(Self(text.into())) } else { Err(NotAnInstallation(text.into())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_writes() {
        let id = GrantId::from_random(*b"\xff\x01\x02\x03\x04\x05\x06\x07");
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert!("g-".parse::<GrantId>().is_err());
        assert!("g-ABCDEFGHIJKL".parse::<GrantId>().is_err());
    }
}
