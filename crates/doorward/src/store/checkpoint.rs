//! The state of the audit log at its last complete read, kept outside the store, so that a start reads only the later
//! entries.
//!
//! It is next to the head and not in the store, where somebody could restore an earlier one, which only the head would
//! reveal. It has a MAC over its content, the installation and its last entry, and is used only if the store still has
//! that very entry. Without it, or with one of another version, the whole audit log is read.

use std::io;
use std::path::{Path, PathBuf};

use doorward_core::audit::{Head, Ledger};

use super::key::Key;
use super::outside::{Unnoted, replace};
use crate::state_file;

/// A ledger, and the entry at which it stood.
#[derive(Debug)]
pub(super) struct Checkpoint {
    /// The name of the store's installation.
    pub installation: String,
    pub head: Head,
    /// As [`Ledger::saved`].
    pub ledger: String,
}

/// The purpose of its MAC, which says the version of its form, too.
const PURPOSE: &str = "audit checkpoint 3";
/// What a file begins with; behind it the installation, the head and the MAC, and on the next line the ledger.
const FORM: &str = "doorward-checkpoint-3";

/// The most bytes that are read, which is more than a ledger ever has: with more, the whole record is read.
const AT_MOST: u64 = 1 << 28;

impl Checkpoint {
    fn path(head: &Path) -> PathBuf {
        state_file::beside(head, ".checkpoint")
    }

    /// Reads the one next to a head; none where there is none of this version, or none that may be read.
    pub fn read(head: &Path, key: &Key) -> Result<Option<(Head, Ledger, String)>, Unnoted> {
        let path = Self::path(head);
        let bytes = match crate::bounded_file::read(&path, AT_MOST) {
            Ok(bytes) => bytes,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, file = %path.display(), "could not read the checkpoint, reading the whole audit log");
                }
                return Ok(None);
            }
        };
        // Of another version, or none at all: nobody gains by that, since the whole audit log is read then.
        if !bytes.starts_with(FORM.as_bytes()) {
            if !bytes.starts_with(b"doorward-checkpoint-") {
                tracing::warn!(file = %path.display(), "the checkpoint is damaged, reading the whole audit log");
            }
            return Ok(None);
        }
        let forged = || Unnoted::Forged(path.clone());
        let text = String::from_utf8(bytes).map_err(|_| forged())?;
        let (first, ledger) = text.split_once('\n').ok_or_else(forged)?;
        let words: Vec<&str> = first.split(' ').collect();
        let [FORM, installation, end, mac] = words.as_slice() else { return Err(forged()) };
        if !key.is_seal(mac, PURPOSE, &[installation, end, ledger]) {
            return Err(forged());
        }
        let (Ok(end), Ok(ledger)) = (end.parse(), Ledger::restored(ledger)) else { return Err(forged()) };
        Ok(Some((end, ledger, (*installation).to_owned())))
    }

    /// Takes away the one next to a head: then the whole record is read.
    pub fn remove(head: &Path) {
        let path = Self::path(head);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, file = %path.display(), "could not remove the checkpoint");
            }
            _ => {}
        }
    }

    /// Puts it next to a head.
    pub fn write(&self, head: &Path, key: &Key) -> io::Result<()> {
        let end = self.head.to_string();
        let mac = key.seal(PURPOSE, &[&self.installation, &end, &self.ledger]);
        let text = format!("{FORM} {} {end} {mac}\n{}", self.installation, self.ledger);
        replace(&Self::path(head), head, text.as_bytes())
    }
}
