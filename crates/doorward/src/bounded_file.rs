//! Reads files up to a size limit, because strangers or accidents can make them large.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

/// The bytes of a regular file: a pipe would wait, and a device would never end. One that is larger than `most` is not read.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    if !kind.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    if kind.len() <= most {
        bytes.reserve(usize::try_from(kind.len()).unwrap_or_default());
        fs::File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    }
    let length = kind.len().max(bytes.len() as u64);
    if length > most {
        let what = format!("it has {length} bytes, more than the limit of {most}");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}
