//! A plan in a file.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::command::{Code, Failure};

/// Writes a plan into a file that only its owner can read, because it describes the account.
pub(super) fn write(file: &Path, document: &str) -> Result<(), Failure> {
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    let written = written.and_then(|mut file| file.write_all(document.as_bytes()));
    written.map_err(|error| {
        Failure::new(Code::CannotCreate, format!("cannot write `{}`", file.display())).because(&error)
    })
}
