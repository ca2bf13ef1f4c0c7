//! Files next to the head of the audit log, which a server and the commands of its machine share.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

/// The path of a file next to another, by the other's name with an ending.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Opens a file to read and write; with `make` it is created where it does not exist, for its owner alone.
///
/// If root creates it, it gets the owner of `like`: the server, which is not root, has to write it.
pub(crate) fn open(path: &Path, make: bool, like: &Path) -> io::Result<File> {
    let made = make && !path.exists();
    let file =
        OpenOptions::new().read(true).write(true).create(make).truncate(false).mode(0o600).open(path)?;
    if made && let Ok(like) = std::fs::metadata(like) {
        let _ = chown(path, Some(like.uid()), Some(like.gid()));
    }
    Ok(file)
}
