//! Whether the far side is the one that is meant.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use russh::keys::{Algorithm, HashAlg, PublicKey};

use crate::dial::Answer;

/// What a host key is looked up by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The names and addresses that a person knows it by, the most usual first.
    pub names: Vec<String>,
    /// The port of its sshd.
    pub port: u16,
    /// The instance that it is (`i-0123456789abcdef0`), where it is one: names and addresses are given to others,
    /// an instance's id never is.
    pub instance: Option<String>,
}

impl Host {
    /// What it is called in our own file and to a person: the instance, or the first name (with its port unless 22).
    pub fn label(&self) -> String {
        if let Some(instance) = &self.instance {
            return instance.clone();
        }
        let name = self.names.first().map_or("", String::as_str);
        if self.port == 22 { name.to_owned() } else { format!("[{name}]:{}", self.port) }
    }
}

/// What is known of a host's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the host's.
    Known,
    /// Nothing is known of this host here.
    Unknown,
    /// Nothing was known; it is remembered from now on.
    Pinned,
}

/// Why a host key is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// Another key is known.
    #[error(
        "the host key of `{host}` is not the one in {place}: the host has {offered}, and the known key is {known}; \
         somebody may intercept the connection, or the machine was created again"
    )]
    Changed {
        host: String,
        /// The fingerprint that it shows.
        offered: String,
        /// The fingerprints that are known.
        known: String,
        /// Who knows them.
        place: String,
    },
    /// The key was revoked.
    #[error("the host key {offered} of `{host}` is revoked in {place}")]
    Revoked {
        host: String,
        /// The fingerprint that it shows.
        offered: String,
        /// Who says so.
        place: String,
    },
    /// Nobody knows the host.
    #[error("the host key {offered} of `{host}` is unknown")]
    Unknown {
        host: String,
        /// The fingerprint that it shows.
        offered: String,
    },
    /// The file of keys cannot be read or written.
    #[error("cannot use the host keys in `{}`", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        source: io::Error,
    },
}

impl HostKeyError {
    /// Whether the same would be said at the next attempt.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::File { .. })
    }
}

/// Says whether a key is a host's.
pub trait HostKeys: Send + Sync + 'static {
    /// The verdict on a key that the far side has proved to hold.
    fn verdict<'a>(&'a self, host: &'a Host, key: &'a PublicKey)
    -> Answer<'a, Result<Verdict, HostKeyError>>;

    /// The algorithms of the keys that are known of a host; they are asked for first.
    fn algorithms<'a>(&'a self, host: &'a Host) -> Answer<'a, Vec<Algorithm>>;
}

/// Asks one after the other; the first that knows the host decides.
pub struct Either(pub Vec<Arc<dyn HostKeys>>);

impl HostKeys for Either {
    fn verdict<'a>(
        &'a self,
        host: &'a Host,
        key: &'a PublicKey,
    ) -> Answer<'a, Result<Verdict, HostKeyError>> {
        Box::pin(async move {
            for keys in &self.0 {
                match keys.verdict(host, key).await? {
                    Verdict::Unknown => {}
                    verdict => return Ok(verdict),
                }
            }
            Ok(Verdict::Unknown)
        })
    }

    fn algorithms<'a>(&'a self, host: &'a Host) -> Answer<'a, Vec<Algorithm>> {
        Box::pin(async move {
            for keys in &self.0 {
                let known = keys.algorithms(host).await;
                if !known.is_empty() {
                    return known;
                }
            }
            Vec::new()
        })
    }
}

/// A key as people compare it: `SHA256:…`, and its kind.
pub fn fingerprint(key: &PublicKey) -> String {
    format!("{} ({})", key.fingerprint(HashAlg::Sha256), key.algorithm())
}

/// Several keys, likewise.
pub(super) fn fingerprints<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> String {
    keys.into_iter().map(fingerprint).collect::<Vec<_>>().join(" or ")
}

/// Whether two are the same key, whatever their comments.
pub(super) fn same(a: &PublicKey, b: &PublicKey) -> bool {
    a.key_data() == b.key_data()
}
