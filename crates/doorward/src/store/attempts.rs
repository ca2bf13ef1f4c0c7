//! Counters of failed sign-ins, kept next to the head of the audit log, so that a restart gives nobody new attempts.

use std::io;
use std::path::PathBuf;

use doorward_core::audit::Authenticator as _;

use super::Store;
use super::key::framed;
use super::outside::replace;
use crate::state_file;

const PURPOSE: &str = "sign-in attempts";
/// The most bytes that are read; the counters have a fixed number.
const AT_MOST: u64 = 4 << 20;

impl Store {
    fn attempts_file(&self) -> PathBuf {
        state_file::beside(&self.trust.outside, ".attempts")
    }

    /// A secret that assigns accounts to counters: the same after a restart, and unknown to strangers.
    pub fn attempts_key(&self) -> [u8; 32] {
        *self.trust.key.mac(&framed(PURPOSE, &[self.installation.as_str(), "cells"])).as_bytes()
    }

    /// Keeps a line of text, in the place of the one before.
    pub fn keep_attempts(&self, text: &str) -> io::Result<()> {
        let seal = self.trust.key.seal(PURPOSE, &[self.installation.as_str(), text]);
        replace(&self.attempts_file(), &self.trust.outside, format!("{seal} {text}\n").as_bytes())
    }

    /// What was kept; none where there is nothing, or where the holder of the key did not write it.
    pub fn kept_attempts(&self) -> io::Result<Option<String>> {
        let bytes = match crate::bounded_file::read(&self.attempts_file(), AT_MOST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let kept = text.trim_end().split_once(' ').filter(|(seal, text)| {
            self.trust.key.is_seal(seal, PURPOSE, &[self.installation.as_str(), text])
        });
        let (_, kept) = kept.ok_or_else(|| io::Error::other("it was not written with the audit key"))?;
        Ok(Some(kept.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_read_again_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        assert_eq!(store.kept_attempts().expect("no file"), None);
        store.keep_attempts("[1, 2]").expect("kept");
        store.keep_attempts("[1, 3]").expect("kept");
        let key = store.attempts_key();
        store.close().await;
        let store = Store::open(&path, [2; 4]).await.expect("a store");
        assert_eq!(store.kept_attempts().expect("a file").as_deref(), Some("[1, 3]"));
        assert_eq!(store.attempts_key(), key);
        let forged = std::fs::read_to_string(store.attempts_file()).expect("text").replace("[1, 3]", "[]");
        std::fs::write(store.attempts_file(), forged).expect("written");
        assert!(store.kept_attempts().is_err());
        store.close().await;
    }
}
