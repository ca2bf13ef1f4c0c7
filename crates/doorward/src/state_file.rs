//! Files next to the head of the audit log, which a server and the commands of its machine share.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::bounded_file;

/// The path of a file next to another, by the other's name with an ending.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Opens a file to read and write; with `make` it is created where it does not exist, for its owner alone.
///
/// A link in its place is not followed, since it could lead to any file that the server may write. If root creates it, it
/// gets the owner of `like`: the server, which is not root, has to write it.
pub(crate) fn open(path: &Path, make: bool, like: &Path) -> io::Result<File> {
    let given = |created: &File| {
        let folder = path.parent().unwrap_or(Path::new("."));
        if let Ok(like) = std::fs::metadata(like).or_else(|_| std::fs::metadata(folder)) {
            // The open file: the path may lead to another one by now.
            let _ = fchown(created, Some(like.uid()), Some(like.gid()));
        }
    };
    let unlinked = OFlags::NOFOLLOW.bits().cast_signed();
    let opened = if make { create(path, unlinked, given) } else { options(unlinked).open(path) };
    let opened = opened.map_err(|error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => {
            io::Error::new(io::ErrorKind::InvalidInput, "it is a symbolic link")
        }
        _ => error,
    });
    bounded_file::regular(opened?)
}

/// Opens a file to read and write. One that does not exist is created, for its owner alone, and shown to `created`.
pub(crate) fn open_or_create(path: &Path, created: impl FnOnce(&File)) -> io::Result<File> {
    create(path, 0, created)
}

fn create(path: &Path, flags: i32, created: impl FnOnce(&File)) -> io::Result<File> {
    match options(flags).create_new(true).open(path) {
        Ok(file) => {
            created(&file);
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options(flags).create(true).open(path),
        Err(error) => Err(error),
    }
}

fn options(flags: i32) -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = flags | bounded_file::without_waiting();
    options.read(true).write(true).truncate(false).mode(0o600).custom_flags(flags);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_or_a_pipe_in_the_place_of_a_file_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("other"), "another's").expect("a file");
        std::os::unix::fs::symlink("other", path("link")).expect("a link");
        std::os::unix::fs::symlink("nowhere", path("dangling")).expect("a link");
        let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo");
        assert!(made.success());
        for make in [false, true] {
            for (name, why) in [
                ("link", "it is a symbolic link"),
                ("dangling", "it is a symbolic link"),
                ("pipe", "it is not a regular file"),
            ] {
                let error = open(&path(name), make, folder.path()).expect_err("refused");
                assert_eq!(error.to_string(), why, "{name}, {make}");
            }
        }
        assert!(!path("nowhere").exists());
        assert_eq!(std::fs::read_to_string(path("other")).expect("text"), "another's");
        assert!(open(&path("new"), false, folder.path()).is_err());
        open(&path("new"), true, folder.path()).expect("created");
        open(&path("new"), false, folder.path()).expect("opened");
    }
}
