//! Edits the password file and the group file: one line at a time, atomically, and preserves everything else.
//!
//! A file with an error accepts no new people until it is fixed, but people can be removed from it.
//!
//! The new file is written next to the old one and replaces it as a whole, so that readers see one or the other. Edits
//! by several processes wait for each other on a lock of the folder.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use doorward_core::policy::people::groups::{self, ThereIs};
use doorward_core::policy::people::{lock, passwords};
use doorward_core::policy::{EditError, Group, Mistake, PasswordHash, Person, Spot, did_you_mean, utf8};

use super::PEOPLE_AT_MOST;
use crate::bounded_file::read;

/// Why a people file was left as it was.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// It cannot be written.
    #[error("cannot write `{}`", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    /// The new file could not be given the old one's owner.
    #[error("cannot preserve the owner of `{}`", path.display())]
    NotTheOwner { path: PathBuf, source: io::Error },
    /// It has mistakes, and what is not understood is not edited.
    #[error("`{}` has errors, so nothing was changed", path.display())]
    Mistakes {
        path: PathBuf,
        /// Its errors.
        mistakes: Vec<Mistake>,
    },
    /// The person is there already.
    #[error("`{person}` is in `{}` already", path.display())]
    There { person: Person, path: PathBuf },
    /// There is no such person.
    #[error("there is no `{person}` in `{}`", path.display())]
    NoPerson {
        person: Person,
        path: PathBuf,
        /// Who was probably meant.
        meant: Option<String>,
    },
    /// Somebody else changed the same password in the meantime.
    #[error("the password of `{person}` was changed in the meantime, so it was not replaced")]
    Changed { person: Person },
    /// There is no such group.
    #[error("there is no group `{group}` in `{}`", path.display())]
    NoGroup {
        group: Group,
        path: PathBuf,
        /// Which was probably meant.
        meant: Option<String>,
    },
    /// The group is there already.
    #[error("there is a group `{group}` in `{}` already", path.display())]
    GroupThere { group: Group, path: PathBuf },
    /// The name cannot be written into it.
    #[error(transparent)]
    Name(#[from] EditError),
}

/// Whether the person has to be in the password file already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedPerson {
    /// Somebody who is not there yet. A file that is not there is made.
    New,
    /// Somebody who is there.
    Known,
}

/// Writes a person's hashed password. Whether the file was made for it.
pub fn set_password(
    path: &Path,
    person: &Person,
    hash: &str,
    whose: ExpectedPerson,
) -> Result<bool, FileError> {
    edit(path, whose == ExpectedPerson::New, |text, name| {
        let read = passwords::read(&written(text), name);
        refuse_mistakes(path, read.mistakes)?;
        match (whose, read.named.contains_key(person)) {
            (ExpectedPerson::New, true) => {
                return Err(FileError::There { person: person.clone(), path: path.into() });
            }
            (ExpectedPerson::Known, false) => return Err(no_person(path, person, read.named.keys())),
            _ => {}
        }
        Ok(Some(passwords::with(text, person, hash)?))
    })
}

/// Writes a person's own new password, unless the one that they proved is no longer in the file.
pub fn change_own(path: &Path, person: &Person, proved: &PasswordHash, hash: &str) -> Result<(), FileError> {
    edit(path, false, |text, name| {
        let read = passwords::read(&written(text), name);
        if read.hashes.get(person) != Some(proved) {
            return Err(FileError::Changed { person: person.clone() });
        }
        Ok(Some(passwords::with(text, person, hash)?))
    })?;
    Ok(())
}

/// Locks a person by a `!` in front of their hash, which no password matches in Apache either, or unlocks them. Whether
/// that changed anything. Mistakes elsewhere in the file do not hold it back.
pub fn set_locked(path: &Path, person: &Person, locked: bool) -> Result<bool, FileError> {
    let mut changed = false;
    edit(path, false, |text, name| {
        let edited = lock::set(text, person, locked);
        if edited.is_none() && !lock::is_named(text, person) {
            let read = passwords::read(&written(text), name);
            return Err(no_person(path, person, read.named.keys()));
        }
        changed = edited.is_some();
        Ok(edited)
    })?;
    Ok(changed)
}

/// Whether this process may put another file in the place of that one, with its owner.
pub fn writable(path: &Path) -> bool {
    use rustix::fs::{Access, access};
    let Ok((folder, real, _)) = resolve(path, false) else { return false };
    let me = rustix::process::geteuid();
    let owned = fs::metadata(&real).is_ok_and(|file| me.is_root() || file.uid() == me.as_raw());
    owned && access(&folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Takes a person's line away. Whether there was one.
pub fn remove_person(path: &Path, person: &Person) -> Result<bool, FileError> {
    let mut was = false;
    // Whoever leaves does not wait for a mistake in somebody else's line.
    edit(path, false, |text, _| {
        let edited = passwords::without(text, person);
        was = edited.is_some();
        Ok(edited)
    })?;
    Ok(was)
}

/// Puts people into a group, and says who was not in it. With `new` the group is made, and the file where there is
/// none; without, it has to be there.
pub fn join(
    path: &Path,
    group: &Group,
    people: &[Person],
    new: bool,
    there_is: &ThereIs<'_>,
) -> Result<Vec<Person>, FileError> {
    let mut joined = Vec::new();
    edit(path, new, |text, name| {
        let read = groups::read_beside(&written(text), name, there_is);
        refuse_mistakes(path, read.mistakes)?;
        let members = read.members.get(group);
        match (new, members) {
            (true, Some(_)) => {
                return Err(FileError::GroupThere { group: group.clone(), path: path.into() });
            }
            (false, None) => return Err(no_group(path, group, read.members.keys())),
            _ => {}
        }
        let mut edited = text.to_owned();
        for person in people {
            if members.is_some_and(|members| members.contains(person)) || joined.contains(person) {
                continue;
            }
            edited = groups::with(&edited, group, person, there_is)?;
            joined.push(person.clone());
        }
        Ok(Some(edited))
    })?;
    Ok(joined)
}

/// Takes people out of a group, and says who was in it. The group stays, also when it is empty.
pub fn leave(
    path: &Path,
    group: &Group,
    people: &[Person],
    there_is: &ThereIs<'_>,
) -> Result<Vec<Person>, FileError> {
    let mut left = Vec::new();
    edit(path, false, |text, name| {
        let read = groups::read_beside(text.as_bytes(), name, there_is);
        if !read.members.contains_key(group) {
            return Err(no_group(path, group, read.members.keys()));
        }
        let mut edited = text.to_owned();
        for person in people {
            if let Some(without) = groups::without(&edited, group, person, there_is) {
                edited = without;
                left.push(person.clone());
            }
        }
        Ok(Some(edited))
    })?;
    Ok(left)
}

/// Takes a person out of every group, and says of which.
pub fn leave_all(path: &Path, person: &Person, there_is: &ThereIs<'_>) -> Result<Vec<Group>, FileError> {
    let mut left = Vec::new();
    edit(path, false, |text, name| {
        let read = groups::read_beside(text.as_bytes(), name, there_is);
        let mut edited = text.to_owned();
        for group in read.members.keys() {
            if let Some(without) = groups::without(&edited, group, person, there_is) {
                edited = without;
                left.push(group.clone());
            }
        }
        Ok(Some(edited))
    })?;
    Ok(left)
}

/// There is no such person; those who are there may have been meant.
pub fn no_person<'p>(path: &Path, person: &Person, known: impl Iterator<Item = &'p Person>) -> FileError {
    let meant = did_you_mean(person.as_str(), known.map(Person::as_str)).map(str::to_owned);
    FileError::NoPerson { person: person.clone(), path: path.into(), meant }
}

/// There is no such group; those that are there may have been meant.
pub fn no_group<'g>(path: &Path, group: &Group, known: impl Iterator<Item = &'g Group>) -> FileError {
    let meant = did_you_mean(group.as_str(), known.map(Group::as_str)).map(str::to_owned);
    FileError::NoGroup { group: group.clone(), path: path.into(), meant }
}

fn refuse_mistakes(path: &Path, mistakes: Vec<Mistake>) -> Result<(), FileError> {
    let mistakes: Vec<Mistake> = mistakes.into_iter().filter(Mistake::is_error).collect();
    if mistakes.is_empty() { Ok(()) } else { Err(FileError::Mistakes { path: path.into(), mistakes }) }
}

/// Reads a file, has it changed, and puts the new one in its place. Whether the file was made.
///
/// Behind a symbolic link it is the file itself that is replaced.
fn edit(
    path: &Path,
    make: bool,
    change: impl FnOnce(&str, &str) -> Result<Option<String>, FileError>,
) -> Result<bool, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.into(), source };
    let unwritable = |source| FileError::Unwritable { path: path.into(), source };
    let (folder, ..) = resolve(path, make).map_err(unreadable)?;
    let _lock = held(&folder).map_err(unwritable)?;
    // Only now: whoever had the lock before may have made the file.
    let (folder, real, missing) = resolve(path, make).map_err(unreadable)?;
    let before = if missing { None } else { Some(fs::metadata(&real).map_err(unreadable)?) };
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        return Err(unreadable(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")));
    }
    let bytes = if missing { Vec::new() } else { read(&real, PEOPLE_AT_MOST).map_err(unreadable)? };
    let name = path.display().to_string();
    let text = read_as_text(&bytes, &name)
        .map_err(|mistake| FileError::Mistakes { path: path.into(), mistakes: vec![mistake] })?;
    let Some(edited) = change(&text, &name)? else { return Ok(false) };
    if edited == *text && !missing {
        return Ok(false);
    }
    replace(&real, &folder, before.as_ref(), &written(&edited)).map_err(|error| match error {
        Replace::Owner(source) => FileError::NotTheOwner { path: path.into(), source },
        Replace::Io(source) => unwritable(source),
    })?;
    Ok(missing)
}

/// The first of the characters that stand for bytes that are no UTF-8, of Unicode's private use.
const NO_UTF8: u32 = 0x10_f800;

fn stands_for(letter: char) -> Option<u8> {
    u32::from(letter).checked_sub(NO_UTF8).and_then(|byte| u8::try_from(byte).ok())
}

/// A file as text: a byte that is no UTF-8 concerns its line, and holds back no edit of another one. [`written`] is the way
/// back. A file that has both such bytes and the characters that stand for them is refused.
fn read_as_text<'b>(bytes: &'b [u8], name: &str) -> Result<Cow<'b, str>, Mistake> {
    let mistake = match utf8(bytes, name) {
        Ok(text) if !text.chars().any(|letter| stands_for(letter).is_some()) => {
            return Ok(Cow::Borrowed(text));
        }
        Ok(_) => None,
        Err(mistake) => Some(mistake),
    };
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        if chunk.valid().chars().any(|letter| stands_for(letter).is_some()) {
            let what = "a character of Unicode's private use is in it, which this program uses itself";
            return Err(mistake.unwrap_or_else(|| Mistake::error(name, Spot::START, what, None)));
        }
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(NO_UTF8 + u32::from(*byte))));
    }
    Ok(Cow::Owned(text))
}

/// The bytes of a text of [`read_as_text`].
fn written(text: &str) -> Cow<'_, [u8]> {
    if !text.chars().any(|letter| stands_for(letter).is_some()) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match stands_for(letter) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// The folder of a file, the file itself, and whether it is missing and may be made.
fn resolve(path: &Path, make: bool) -> io::Result<(PathBuf, PathBuf, bool)> {
    let (real, missing) = match fs::canonicalize(path) {
        Ok(real) => (real, false),
        // A link to nowhere is there, and it is not ours to say where it should lead.
        Err(error) if make && error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            (path.to_owned(), true)
        }
        Err(error) => return Err(error),
    };
    let folder = match real.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok((folder, real, missing))
}

/// Held until it is dropped, or the process ends.
fn held(folder: &Path) -> io::Result<Option<File>> {
    let folder = match File::open(folder) {
        Ok(folder) => folder,
        // A folder that may be entered and not listed can be written all the same.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
        Err(error) => return Err(error),
    };
    match folder.lock() {
        Ok(()) => Ok(Some(folder)),
        // Some network file systems have no locks.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(error) => Err(error),
    }
}

enum Replace {
    Owner(io::Error),
    Io(io::Error),
}

impl From<io::Error> for Replace {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn replace(real: &Path, folder: &Path, before: Option<&fs::Metadata>, bytes: &[u8]) -> Result<(), Replace> {
    let mut name = std::ffi::OsString::from(".");
    name.push(real.file_name().unwrap_or_default());
    name.push(".doorward-new");
    let beside = folder.join(name);
    // Left behind by a process that was killed; the lock is ours, so nobody is writing it.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&beside)?;
    let written = fill(&mut file, before, bytes).and_then(|()| Ok(fs::rename(&beside, real)?));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written?;
    // Without this the rename may be lost with the power, and the old file is back; it is whole in any case.
    if let Ok(folder) = File::open(folder) {
        folder.sync_all()?;
    }
    Ok(())
}

fn fill(file: &mut File, before: Option<&fs::Metadata>, bytes: &[u8]) -> Result<(), Replace> {
    if let Some(before) = before {
        let mine = file.metadata()?;
        if (mine.uid(), mine.gid()) != (before.uid(), before.gid()) {
            fchown(&*file, Some(before.uid()), Some(before.gid())).map_err(Replace::Owner)?;
        }
        file.set_permissions(before.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests;
