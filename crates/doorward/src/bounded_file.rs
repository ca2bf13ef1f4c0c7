//! Reads files up to a size limit, because strangers or accidents can make them large.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a file to read it, and waits for nobody: a pipe without a writer would, and a terminal would become the program's.
/// What it is has to be asked of the open file, since the path may lead to another one by then.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(without_waiting()).open(path)
}

/// The flags of a file that is opened to see what it is.
pub(crate) fn without_waiting() -> i32 {
    (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()
}

/// That an open file is a regular one: a pipe would wait, and a device would never end.
pub(crate) fn regular(file: File) -> io::Result<File> {
    let kind = file.metadata()?;
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    if kind.is_file() { Ok(file) } else { Err(irregular()) }
}

fn irregular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

/// The largest file that a person names and that holds one thing: a key, a session, an answer of a resolver.
pub(crate) const SMALL: u64 = 1 << 20;
/// The largest file of changes or of events that a person names.
pub(crate) const LARGE: u64 = 1 << 30;

/// The bytes of a file that a person named, which may be a pipe (`<(command)`). Waits for its writer; refuses more than
/// `most` bytes with [`io::ErrorKind::FileTooLarge`].
pub(crate) fn input(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let what = format!("it has more bytes than the limit of {most}");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// The text of a file that a person named, as [`input`] reads it; [`io::ErrorKind::InvalidData`] if it is not UTF-8.
pub(crate) fn input_text(path: &Path, most: u64) -> io::Result<String> {
    utf8(input(path, most)?)
}

/// The text of a regular file, as [`read`] reads it; [`io::ErrorKind::InvalidData`] if it is not UTF-8.
pub(crate) fn text(path: &Path, most: u64) -> io::Result<String> {
    utf8(read(path, most)?)
}

fn utf8(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// The bytes of a regular file. One that is larger than `most` is not read.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // A socket cannot be opened at all.
    let opened = open(path).map_err(|error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::NXIO.raw_os_error() => irregular(),
        _ => error,
    });
    let file = regular(opened?)?;
    let has = file.metadata()?.len();
    let mut bytes = Vec::new();
    // It may grow while it is read.
    if has <= most {
        bytes.reserve(usize::try_from(has).unwrap_or_default());
        file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    }
    let length = has.max(bytes.len() as u64);
    if length > most {
        let what = format!("it has {length} bytes, more than the limit of {most}");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_a_socket_and_a_folder_are_not_waited_for_and_a_link_is_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let check = |name: &str| match read(&path(name), 100) {
            Ok(bytes) => String::from_utf8(bytes).expect("text"),
            Err(error) => error.to_string(),
        };
        let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo");
        assert!(made.success());
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).expect("a socket");
        std::fs::write(path("file"), "content").expect("a file");
        // As secrets are mounted: a link to a link to a file.
        std::os::unix::fs::symlink("file", path("one")).expect("a link");
        std::os::unix::fs::symlink("one", path("key")).expect("a link");
        std::os::unix::fs::symlink("pipe", path("to a pipe")).expect("a link");
        for (name, expected) in [
            ("file", "content"),
            ("key", "content"),
            ("pipe", "it is not a regular file"),
            ("to a pipe", "it is not a regular file"),
            ("socket", "it is not a regular file"),
            (".", "it is a folder"),
        ] {
            assert_eq!(check(name), expected, "{name}");
        }
        assert_eq!(
            read(Path::new("/dev/zero"), 100).expect_err("a device").to_string(),
            "it is not a regular file"
        );
    }

    #[test]
    fn a_file_that_a_person_names_may_be_a_pipe_and_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::write(pipe, "content")
        });
        assert_eq!(input_text(&pipe, 7).expect("text"), "content");
        writer.join().expect("a writer").expect("written");
        let kind = |path: &Path, most| input_text(path, most).expect_err("refused").kind();
        assert_eq!(kind(Path::new("/dev/zero"), 100), io::ErrorKind::FileTooLarge);
        let file = folder.path().join("file");
        std::fs::write(&file, [0xff]).expect("a file");
        assert_eq!(kind(&file, 1), io::ErrorKind::InvalidData);
        assert_eq!(kind(&file, 0), io::ErrorKind::FileTooLarge);
        assert_eq!(kind(folder.path(), 1), io::ErrorKind::IsADirectory);
    }
}
