//! OpenSSH's file of known hosts, read and never written.
//!
//! As in sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".

use std::io;
use std::path::PathBuf;
use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use russh::keys::{Algorithm, PublicKey};

use super::host_keys::{Host, HostKeyError, HostKeys, Verdict, fingerprint, fingerprints, same};
use super::key_file;
use crate::dial::Answer;

/// What a file of known hosts says.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    lines: Vec<Line>,
}

#[derive(Debug, Clone)]
struct Line {
    revoked: bool,
    hosts: Hosts,
    key: PublicKey,
}

#[derive(Debug, Clone)]
enum Hosts {
    /// `name,*.example.com,!not.example.com,[name]:2222`
    Patterns(Vec<String>),
    /// `|1|salt|HMAC-SHA1(salt, name)`
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

impl KnownHosts {
    /// Reads a file's text. Lines that say nothing to us are left out, as OpenSSH does: comments, keys of kinds that
    /// we do not know, authorities (we ask for keys and not for certificates).
    pub fn parse(text: &str) -> Self {
        Self { lines: text.lines().filter_map(line).collect() }
    }

    /// How many lines were understood.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The keys of a host by any of its names.
    pub fn of<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = &'a PublicKey> {
        let matching = move |line: &&Line| !line.revoked && line.hosts.any(names);
        self.lines.iter().filter(matching).map(|line| &line.key)
    }

    /// Whether the key was revoked for any of the names.
    pub fn is_revoked(&self, names: &[String], key: &PublicKey) -> bool {
        self.lines.iter().any(|line| line.revoked && same(&line.key, key) && line.hosts.any(names))
    }

    /// The verdict on a host that is looked up by these names, in OpenSSH's form: `name`, or `[name]:port`.
    fn verdict(
        &self,
        label: &str,
        names: &[String],
        key: &PublicKey,
        place: &str,
    ) -> Result<Verdict, HostKeyError> {
        let (host, place) = (label.to_owned(), place.to_owned());
        if self.is_revoked(names, key) {
            return Err(HostKeyError::Revoked { host, offered: fingerprint(key), place });
        }
        let mut known = self.of(names).peekable();
        if known.peek().is_none() {
            return Ok(Verdict::Unknown);
        }
        let known: Vec<&PublicKey> = known.collect();
        if known.iter().any(|known| same(known, key)) {
            return Ok(Verdict::Known);
        }
        Err(HostKeyError::Changed { host, offered: fingerprint(key), known: fingerprints(known), place })
    }
}

/// A host's names as OpenSSH writes them: with a port other than 22 in brackets.
fn names(host: &Host) -> Vec<String> {
    let with_port = |name: &String| {
        let name = name.to_ascii_lowercase();
        if host.port == 22 { name } else { format!("[{name}]:{}", host.port) }
    };
    let instance = host.instance.iter().map(|instance| instance.to_ascii_lowercase());
    host.names.iter().map(with_port).chain(instance).collect()
}

fn line(text: &str) -> Option<Line> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let (revoked, rest) = match text.split_once([' ', '\t'])? {
        ("@revoked", rest) => (true, rest),
        (marker, _) if marker.starts_with('@') => return None,
        _ => (false, text),
    };
    let (hosts, key) = rest.trim_start().split_once([' ', '\t'])?;
    let hosts = Hosts::parse(hosts)?;
    let key = key.trim_start();
    let mut words = key.split_ascii_whitespace();
    // The comment is not ours, and may hold anything.
    let key = PublicKey::from_openssh(&format!("{} {}", words.next()?, words.next()?)).ok()?;
    Some(Line { revoked, hosts, key })
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        let Some(hashed) = text.strip_prefix("|1|") else {
            return Some(Self::Patterns(text.split(',').map(str::to_ascii_lowercase).collect()));
        };
        let (salt, hash) = hashed.split_once('|')?;
        Some(Self::Hashed { salt: STANDARD.decode(salt).ok()?, hash: STANDARD.decode(hash).ok()? })
    }

    fn any(&self, names: &[String]) -> bool {
        names.iter().any(|name| self.matches(name))
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Hashed { salt, hash } => {
                let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
                hmac::verify(&key, name.as_bytes(), hash).is_ok()
            }
            Self::Patterns(patterns) => {
                let excluded = |pattern: &String| {
                    pattern.strip_prefix('!').is_some_and(|pattern| glob(pattern.as_bytes(), name.as_bytes()))
                };
                !patterns.iter().any(excluded)
                    && patterns.iter().any(|pattern| glob(pattern.as_bytes(), name.as_bytes()))
            }
        }
    }
}

/// Whether a name is matched by a pattern of `*` and `?`, in time proportional to their product.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(in_name) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((after, taken)) = star else { return false };
                star = Some((after, taken + 1));
                at = after + 1;
                in_name = taken + 1;
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// A file of known hosts that is read anew at each question; one that is not there knows nobody.
#[derive(Debug, Clone)]
pub struct KnownHostsFile(pub PathBuf);

impl KnownHostsFile {
    async fn read(&self) -> Result<KnownHosts, HostKeyError> {
        let path = self.0.clone();
        let read = tokio::task::spawn_blocking(move || key_file::read(&path)).await;
        match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(bytes) => Ok(KnownHosts::parse(&String::from_utf8_lossy(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KnownHosts::default()),
            Err(source) => Err(HostKeyError::File { path: self.0.clone(), source }),
        }
    }
}

impl HostKeys for KnownHostsFile {
    fn verdict<'a>(
        &'a self,
        host: &'a Host,
        key: &'a PublicKey,
    ) -> Answer<'a, Result<Verdict, HostKeyError>> {
        Box::pin(async move {
            let place = format!("`{}`", self.0.display());
            self.read().await?.verdict(&host.label(), &names(host), key, &place)
        })
    }

    fn algorithms<'a>(&'a self, host: &'a Host) -> Answer<'a, Vec<Algorithm>> {
        Box::pin(async move {
            let Ok(known) = self.read().await else { return Vec::new() };
            known.of(&names(host)).map(PublicKey::algorithm).collect()
        })
    }
}

/// Known hosts that were read elsewhere, for whoever is told of a machine with its keys.
#[derive(Debug, Clone)]
pub struct Listed {
    pub hosts: KnownHosts,
    /// Where they stand, in words.
    pub place: String,
}

impl HostKeys for Listed {
    fn verdict<'a>(
        &'a self,
        host: &'a Host,
        key: &'a PublicKey,
    ) -> Answer<'a, Result<Verdict, HostKeyError>> {
        Box::pin(async move { self.hosts.verdict(&host.label(), &names(host), key, &self.place) })
    }

    fn algorithms<'a>(&'a self, host: &'a Host) -> Answer<'a, Vec<Algorithm>> {
        Box::pin(async move { self.hosts.of(&names(host)).map(PublicKey::algorithm).collect() })
    }
}

/// Reads a key as `ssh-keygen -y` prints it.
pub fn key(text: &str) -> Option<PublicKey> {
    PublicKey::from_str(text.trim()).ok()
}

#[cfg(test)]
mod tests;
