//! Host keys that were seen, in a file of our own: the first use is said, a change is refused.
//!
//! The file has OpenSSH's form, so that the user's own `ssh` can read it too (`UserKnownHostsFile`, with the
//! instance's id as `HostKeyAlias`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{Algorithm, PublicKey};

use super::console::host_keys;
use super::host_keys::{Host, HostKeyError, HostKeys, Verdict, fingerprint, fingerprints, same};
use super::key_file;
use super::known_hosts::KnownHosts;
use crate::dial::Answer;

/// Reads what an instance wrote to its console. (EC2's `GetConsoleOutput`; it keeps the last 64 KB.)
pub trait Consoles: Send + Sync + 'static {
    /// The text, or why there is none.
    fn output<'a>(&'a self, instance: &'a str) -> Answer<'a, Result<String, String>>;
}

/// The keys that were seen.
#[derive(Clone)]
pub struct Pins {
    path: PathBuf,
    consoles: Option<Arc<dyn Consoles>>,
}

impl Pins {
    /// Keys in this file, which is made when the first one comes. It is locked while it is changed.
    pub fn new(path: PathBuf) -> Self {
        Self { path, consoles: None }
    }

    /// Before an instance's key is remembered, it is compared with what the instance wrote to its console.
    #[must_use]
    pub fn compared_with(mut self, consoles: Arc<dyn Consoles>) -> Self {
        self.consoles = Some(consoles);
        self
    }

    async fn known(&self, host: &Host) -> Result<Vec<PublicKey>, HostKeyError> {
        let (path, label) = (self.path.clone(), host.label());
        on_disk(&self.path, move || Ok(read(&path)?.of(&[label.to_ascii_lowercase()]).cloned().collect()))
            .await
    }

    /// Compares with the console; whether it had anything to compare with.
    async fn console(&self, host: &Host, key: &PublicKey) -> Result<bool, HostKeyError> {
        let (Some(consoles), Some(instance)) = (&self.consoles, &host.instance) else { return Ok(false) };
        let keys = match consoles.output(instance).await {
            Ok(output) => host_keys(&output),
            Err(why) => {
                tracing::debug!(%instance, %why, "no console to compare a host key with");
                return Ok(false);
            }
        };
        if keys.is_empty() || keys.iter().any(|known| same(known, key)) {
            return Ok(!keys.is_empty());
        }
        Err(changed(host, key, &keys, "the instance's console".to_owned()))
    }
}

fn changed(host: &Host, key: &PublicKey, known: &[PublicKey], place: String) -> HostKeyError {
    HostKeyError::Changed { host: host.label(), offered: fingerprint(key), known: fingerprints(known), place }
}

impl HostKeys for Pins {
    fn verdict<'a>(
        &'a self,
        host: &'a Host,
        key: &'a PublicKey,
    ) -> Answer<'a, Result<Verdict, HostKeyError>> {
        Box::pin(async move {
            let place = || format!("`{}`", self.path.display());
            let compare = |known: &[PublicKey]| {
                if known.iter().any(|known| same(known, key)) {
                    Ok(Verdict::Known)
                } else {
                    Err(changed(host, key, known, place()))
                }
            };
            let known = self.known(host).await?;
            if !known.is_empty() {
                return compare(&known);
            }
            let compared = self.console(host, key).await?;
            let (path, label, new) = (self.path.clone(), host.label(), key.clone());
            // Somebody else may have seen the host meanwhile.
            let before = on_disk(&self.path, move || pin(&path, &label, &new)).await?;
            if !before.is_empty() {
                return compare(&before);
            }
            Ok(if compared { Verdict::Known } else { Verdict::Pinned })
        })
    }

    fn algorithms<'a>(&'a self, host: &'a Host) -> Answer<'a, Vec<Algorithm>> {
        Box::pin(async move {
            let known = self.known(host).await.unwrap_or_default();
            known.iter().map(PublicKey::algorithm).collect()
        })
    }
}

async fn on_disk<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, HostKeyError> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|source| HostKeyError::File { path: path.to_owned(), source })
}

fn text(path: &Path) -> io::Result<String> {
    match key_file::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> io::Result<KnownHosts> {
    text(path).map(|text| KnownHosts::parse(&text))
}

/// Adds a key, unless the host has one; those that it has.
fn pin(path: &Path, label: &str, key: &PublicKey) -> io::Result<Vec<PublicKey>> {
    // What would mean something else in the file, or nothing.
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]%".contains(letter);
    if label.is_empty() || !label.chars().all(is_plain) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{label}` is not a host name")));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let lock: File = OpenOptions::new().create(true).append(true).mode(0o600).open(beside(".lock"))?;
    lock.lock()?;
    let mut text = text(path)?;
    let known: Vec<PublicKey> = KnownHosts::parse(&text).of(&[label.to_ascii_lowercase()]).cloned().collect();
    if !known.is_empty() {
        return Ok(known);
    }
    let key = PublicKey::new(key.key_data().clone(), "").to_openssh().map_err(io::Error::other)?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("{label} {key}\n"));
    // Whole or not at all: a reader without the lock sees the old file or the new one.
    let new = beside(".new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    Ok(Vec::new())
}

#[cfg(test)]
mod tests;
