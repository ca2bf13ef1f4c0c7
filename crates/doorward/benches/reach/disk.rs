//! An account as a recording: written, read again, and still the same.

use std::fs;
use std::path::Path;
use std::time::Duration;

use doorward_core::inventory::Inventory;

use crate::limit::{repeated, timed};

/// What a recording costs.
#[derive(Debug, Clone, Copy)]
pub struct Recording {
    /// Bytes of all files.
    pub bytes: u64,
    /// Writing it into a folder.
    pub save: Duration,
    /// Reading it from there.
    pub load: Duration,
}

/// Measures; a recording that says something else than what was written is added to `wrong`.
pub fn measure(inventory: &Inventory, wrong: &mut Vec<String>) -> Recording {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("account");
    let save = repeated(|| timed(|| doorward_aws::save(inventory, &path, true).expect("saved")).1);
    let mut same = true;
    let load = repeated(|| {
        let (loaded, took) = timed(|| doorward_aws::recorded(&path).expect("a recording"));
        same &= loaded == *inventory;
        took
    });
    if !same {
        let interfaces = inventory.interfaces.len();
        wrong.push(format!(
            "the recording of an account of {interfaces} interfaces reads otherwise than it was"
        ));
    }
    Recording { bytes: size(&path), save, load }
}

fn size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry"));
    let sizes = entries.map(|entry| match entry.metadata().expect("its size") {
        folder if folder.is_dir() => size(&entry.path()),
        file => file.len(),
    });
    sizes.sum()
}
