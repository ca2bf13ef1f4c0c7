//! Files next to the head of the audit log, which a server and the commands of its machine share.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
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
    let given = |created: &File| {
        let folder = path.parent().unwrap_or(Path::new("."));
        if let Ok(like) = std::fs::metadata(like).or_else(|_| std::fs::metadata(folder)) {
            // The open file: the path may lead to another one by now.
            let _ = fchown(created, Some(like.uid()), Some(like.gid()));
        }
    };
    if make { open_or_create(path, given) } else { options().open(path) }
}

/// Opens a file to read and write. One that does not exist is created, for its owner alone, and shown to `created`.
pub(crate) fn open_or_create(path: &Path, created: impl FnOnce(&File)) -> io::Result<File> {
    match options().create_new(true).open(path) {
        Ok(file) => {
            created(&file);
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options().create(true).open(path),
        Err(error) => Err(error),
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false).mode(0o600);
    options
}
