//! The key that authenticates the audit log and the rows of the store. It is kept outside the store.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use doorward_core::audit::{Authenticator, Hash};
use ring::hmac;

use super::Store;

/// 32 bytes of chance, with which HMAC-SHA-256 is computed.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the audit key `{}`", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// The file holds something else.
    #[error("`{}` is not an audit key: it has to contain 64 hexadecimal digits", path.display())]
    NotAKey { path: PathBuf },
    /// It cannot be made.
    #[error("cannot create the audit key `{}`", path.display())]
    NotMade { path: PathBuf, source: io::Error },
    /// It was there, since a head that it authenticates is noted.
    #[error(
        "the audit key `{}` is missing, but `{}` shows that there was one",
        path.display(),
        head.display()
    )]
    Lost {
        /// Where it should be.
        path: PathBuf,
        /// The head that was noted with it.
        head: PathBuf,
    },
    /// Another server has written the audit log, and this one has no key.
    #[error(
        "the audit log in the store is authenticated by a key, but there is no key at `{}`; nothing was written to the store",
        path.display()
    )]
    Absent {
        /// Where it should be.
        path: PathBuf,
        /// Where the head should be.
        head: PathBuf,
    },
    /// Another server has written the audit log, with another key.
    #[error(
        "the audit log in the store is authenticated by another key than `{}`; nothing was written to the store",
        path.display()
    )]
    Foreign {
        path: PathBuf,
        /// Where the head should be.
        head: PathBuf,
    },
}

impl KeyError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Lost { path, head } => Some(format!(
                "restore the copy of the key as `{}`, the key that `{}` was written with (docs/audit.md)",
                path.display(),
                head.display()
            )),
            Self::Absent { path, head } | Self::Foreign { path, head } => Some(format!(
                "copy both files of a server of this store, or both copies of them: its `[audit] key` to `{}` and its \
                 `[audit] head` to `{}` (docs/audit.md); where nobody has that key any more, name a new store and run \
                 `doorward sweep`",
                path.display(),
                head.display()
            )),
            Self::Unreadable { .. } | Self::NotAKey { .. } | Self::NotMade { .. } => None,
        }
    }
}

impl Key {
    /// From 32 bytes of chance.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Reads a file: 64 hexadecimal digits, and a line's end if there is one. None where there is no file.
    pub fn read(path: &Path) -> Result<Option<Self>, KeyError> {
        let text = match crate::bounded_file::read(path, super::outside::AT_MOST) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(KeyError::Unreadable { path: path.into(), source }),
        };
        let text = String::from_utf8_lossy(&text).trim().to_ascii_lowercase();
        let bytes: Hash = text.parse().map_err(|_| KeyError::NotAKey { path: path.into() })?;
        Ok(Some(Self::new(bytes.as_bytes())))
    }

    /// Makes a file that its owner alone reads; where another process has just made it, that one is read.
    pub fn make(path: &Path, random: [u8; 32]) -> Result<Self, KeyError> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let not_made = |source| KeyError::NotMade { path: path.into(), source };
        match made {
            Ok(mut file) => {
                let text = format!("{}\n", Hash::from_bytes(random));
                let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
                if let Err(source) = written.and_then(|()| sync_folder(path)) {
                    // Half a key would be taken for another.
                    let _ = fs::remove_file(path);
                    return Err(not_made(source));
                }
                super::owners::give_to_folders_owner(&file, path);
                tracing::info!(key = %path.display(), "created the audit key; keep a copy of it away from the store");
                Ok(Self::new(&random))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::read(path)?.ok_or_else(|| not_made(error))
            }
            Err(source) => Err(not_made(source)),
        }
    }

    /// The MAC of some fields for one purpose. Fields are distinguished by their lengths.
    pub fn seal(&self, purpose: &str, fields: &[&str]) -> String {
        self.mac(&framed(purpose, fields)).to_string()
    }

    /// Whether a text is that MAC.
    pub fn is_seal(&self, seal: &str, purpose: &str, fields: &[&str]) -> bool {
        seal.parse::<Hash>().is_ok_and(|seal| self.is_mac(&framed(purpose, fields), &seal))
    }
}

/// Authenticates what the processes of one machine tell each other about a store, in files that are not the store's.
#[derive(Debug, Clone)]
pub struct Seals {
    key: Key,
    /// What was sealed for one store is not believed of another.
    installation: String,
}

impl Seals {
    /// By the key of a store, and the name of its installation.
    pub fn new(key: Key, installation: &str) -> Self {
        Self { key, installation: installation.to_owned() }
    }

    /// A text with its MAC for one purpose in front, as one line.
    pub fn sealed(&self, purpose: &str, text: &str) -> String {
        format!("{} {text}\n", self.key.seal(purpose, &[&self.installation, text]))
    }

    /// The text of such a line; none of one that was sealed for something else, or not with the key.
    pub fn opened<'t>(&self, purpose: &str, line: &'t str) -> Option<&'t str> {
        let (seal, text) = line.strip_suffix('\n')?.split_once(' ')?;
        self.key.is_seal(seal, purpose, &[&self.installation, text]).then_some(text)
    }
}

impl Store {
    /// Authenticates what other processes of this machine note beside the store.
    pub fn seals(&self) -> Seals {
        Seals::new(self.trust.key.clone(), self.installation.as_str())
    }
}

/// Fields of one purpose as bytes that no others give.
pub(super) fn framed(purpose: &str, fields: &[&str]) -> Vec<u8> {
    let mut text = b"doorward ".to_vec();
    for field in [purpose].iter().chain(fields) {
        text.extend_from_slice(&(field.len() as u64).to_be_bytes());
        text.extend_from_slice(field.as_bytes());
    }
    text
}

impl Authenticator for Key {
    fn mac(&self, text: &[u8]) -> Hash {
        let mut bytes = [0; 32];
        for (byte, tag) in bytes.iter_mut().zip(hmac::sign(&self.0, text).as_ref()) {
            *byte = *tag;
        }
        Hash::from_bytes(bytes)
    }

    fn is_mac(&self, text: &[u8], mac: &Hash) -> bool {
        hmac::verify(&self.0, text, mac.as_bytes()).is_ok()
    }
}

/// Makes the name of a new file outlive a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_mac_is_that_of_rfc_4231() {
        // Test case 2: "Jefe", "what do ya want for nothing?".
        let key = Key(hmac::Key::new(hmac::HMAC_SHA256, b"Jefe"));
        let mac = key.mac(b"what do ya want for nothing?");
        assert_eq!(mac.to_string(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(key.is_mac(b"what do ya want for nothing?", &mac) && !key.is_mac(b"something", &mac));
    }

    #[test]
    fn fields_and_purposes_are_told_apart() {
        let key = Key::new(&[7; 32]);
        let seal = key.seal("session", &["ab", "c"]);
        assert!(key.is_seal(&seal, "session", &["ab", "c"]));
        for (purpose, fields) in
            [("session", ["a", "bc"]), ("settled", ["ab", "c"]), ("sessio", ["nab", "c"])]
        {
            assert!(!key.is_seal(&seal, purpose, &fields), "{purpose} {fields:?}");
        }
        assert!(!key.is_seal("", "session", &["ab", "c"]));
        assert!(!Key::new(&[8; 32]).is_seal(&seal, "session", &["ab", "c"]));
    }

    #[test]
    fn a_sealed_line_is_opened_for_its_purpose_and_store_alone() {
        let seals = |key, installation| Seals::new(Key::new(&[key; 32]), installation);
        let line = seals(7, "one").sealed("state", "{\"a\": 1}");
        assert_eq!(seals(7, "one").opened("state", &line), Some("{\"a\": 1}"));
        assert_eq!(seals(7, "one").opened("other", &line), None);
        assert_eq!(seals(7, "two").opened("state", &line), None);
        assert_eq!(seals(8, "one").opened("state", &line), None);
        for altered in ["", "\n", line.trim_end(), &line.replace('1', "2"), &format!("{line}{line}")] {
            assert_eq!(seals(7, "one").opened("state", altered), None, "{altered:?}");
        }
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.key");
        assert!(Key::read(&path).expect("no key").is_none());
        let made = Key::make(&path, [1; 32]).expect("a key");
        assert_eq!(fs::metadata(&path).expect("a file").mode() & 0o777, 0o600);
        let again = Key::make(&path, [2; 32]).expect("the same key");
        let read = Key::read(&path).expect("a key").expect("a key");
        for key in [again, read] {
            assert_eq!(key.mac(b"x"), made.mac(b"x"));
        }
        for wrong in ["", "xyz", "0123", &"0".repeat(63), &"0".repeat(65)] {
            fs::write(&path, wrong).expect("a file");
            assert!(matches!(Key::read(&path), Err(KeyError::NotAKey { .. })), "{wrong}");
        }
    }
}
