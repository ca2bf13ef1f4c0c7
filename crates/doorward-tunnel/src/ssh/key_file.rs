//! Reads files of host keys up to a size limit: they are other people's too, and a line is added at each new host.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// The most bytes that are read: some 100,000 hosts.
const MOST: u64 = 16 << 20;

/// The bytes of a regular file: a pipe would be waited for, and a device would never end. Waits for the disk.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_at_most(path, MOST)
}

fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let what = format!("it has more bytes than the limit of {most}");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("known_hosts");
        let kind = |path: &Path| read_at_most(path, 4).map_err(|error| error.kind());
        assert_eq!(kind(&file), Err(io::ErrorKind::NotFound));
        fs::write(&file, "1234").expect("written");
        assert_eq!(kind(&file).expect("read"), b"1234");
        fs::write(&file, "12345").expect("written");
        assert_eq!(kind(&file), Err(io::ErrorKind::FileTooLarge));
        assert_eq!(kind(folder.path()), Err(io::ErrorKind::InvalidInput));
        // It has no end.
        assert_eq!(kind(Path::new("/dev/zero")), Err(io::ErrorKind::InvalidInput));
    }
}
