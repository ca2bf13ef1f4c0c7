//! Who there is: Apache's password file and group file, read unchanged.
//!
//! Both are read whole or not at all: [`People`] exists only when every line of both files was understood.

pub mod groups;
mod hash;
mod lines;
pub mod passwords;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use self::hash::{HashError, HashKind, PasswordHash};
use super::mistake::{Mistake, did_you_mean};
use super::name::{Group, Person};

/// The people of a policy and the groups that they are in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    /// Each person's hashed password.
    pub passwords: BTreeMap<Person, PasswordHash>,
    /// Each group's members; a group that nobody is in is there and empty.
    pub groups: BTreeMap<Group, BTreeSet<Person>>,
}

impl People {
    /// Reads both files, or says every mistake of both at once. `passwords_file` and `groups_file` are what they
    /// are called in mistakes. Warnings are not told; [`read`] tells them.
    pub fn parse(
        passwords: &[u8],
        passwords_file: &str,
        groups: &[u8],
        groups_file: &str,
    ) -> Result<Self, Vec<Mistake>> {
        let (people, mistakes) = read(passwords, passwords_file, groups, groups_file);
        people.ok_or(mistakes)
    }

    /// Whether there is such a person at all.
    pub fn knows(&self, person: &Person) -> bool {
        self.passwords.contains_key(person)
    }

    /// Whether the person is in one of the groups. No groups: nobody is.
    pub fn in_any<'a>(&self, person: &Person, groups: impl IntoIterator<Item = &'a Group>) -> bool {
        self.knows(person)
            && groups
                .into_iter()
                .any(|group| self.groups.get(group).is_some_and(|members| members.contains(person)))
    }
}

/// Reads both files: the people, unless there is an error, and every error and warning.
pub fn read(
    passwords: &[u8],
    passwords_file: &str,
    groups: &[u8],
    groups_file: &str,
) -> (Option<People>, Vec<Mistake>) {
    let passwords = passwords::read(passwords, passwords_file);
    let mut groups = groups::read(groups, groups_file);
    for (group, person, at) in &groups.named {
        if passwords.named.contains_key(person) {
            continue;
        }
        let what = format!("`{person}`, in the group `{group}`, is not in {passwords_file}");
        let hint = match did_you_mean(person.as_str(), passwords.named.keys().map(Person::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("`doorward user add {person}` gives them a password"),
        };
        groups.mistakes.push(Mistake::warning(groups_file, *at, what, Some(hint)));
    }
    groups.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    let mistakes: Vec<Mistake> = passwords.mistakes.into_iter().chain(groups.mistakes).collect();
    let good = !mistakes.iter().any(Mistake::is_error);
    (good.then_some(People { passwords: passwords.hashes, groups: groups.members }), mistakes)
}

/// A name that can be read in a file and could not be written into one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It would make the line a comment, a quotation, or the beginning of a longer line.
    #[error("`{name}` {why}")]
    Unwritable {
        /// The name.
        name: String,
        /// Why not.
        why: &'static str,
    },
}

/// Whether Apache would read a name as it is written.
fn writable(name: &str) -> Result<(), EditError> {
    let why = if name.starts_with('#') {
        "begins with `#`, which makes a line a comment"
    } else if name.starts_with(['"', '\'']) {
        "begins with a quotation mark, which Apache takes away"
    } else if name.starts_with('\u{feff}') {
        "begins with a byte order mark, which is not seen"
    } else if name.ends_with('\\') {
        "ends in `\\`, which joins a line to the next"
    } else {
        return Ok(());
    };
    Err(EditError::Unwritable { name: name.to_owned(), why })
}
