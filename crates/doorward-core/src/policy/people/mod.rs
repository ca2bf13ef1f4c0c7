//! Who there is: Apache's password file and group file, read unchanged, as Apache 2.4 reads them.
//!
//! A mistake concerns its line alone: whoever is named there is not let in by it, and every other line counts.

pub mod groups;
mod hash;
mod lines;
pub mod lock;
pub mod passwords;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use self::hash::{HashError, HashKind, PasswordHash};
use self::passwords::Passwords;
use super::mistake::{Mistake, did_you_mean};
use crate::name::{Group, Person};

/// The people of a policy and the groups that they are in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    /// Each person's hashed password.
    pub passwords: BTreeMap<Person, PasswordHash>,
    /// Who is locked as `doorward user lock` does it: by a `!` before a hash that counts again without it.
    pub locked: BTreeSet<Person>,
    /// Each group's members; a group that nobody is in is there and empty.
    pub groups: BTreeMap<Group, BTreeSet<Person>>,
}

impl People {
    /// Reads both files, or says every mistake of both at once: for who wants files without any. `passwords_file` and
    /// `groups_file` are what they are called in mistakes. Warnings are not told; [`read`] tells them.
    pub fn parse(
        passwords: &[u8],
        passwords_file: &str,
        groups: &[u8],
        groups_file: &str,
    ) -> Result<Self, Vec<Mistake>> {
        let (people, mistakes) = read(passwords, passwords_file, groups, groups_file);
        if mistakes.iter().any(Mistake::is_error) { Err(mistakes) } else { Ok(people) }
    }

    /// Whether there is such a person at all, whom a password lets in: somebody who is locked is nobody.
    pub fn knows(&self, person: &Person) -> bool {
        self.passwords.contains_key(person)
    }

    /// The groups of a person.
    pub fn groups_of<'a>(&'a self, person: &'a Person) -> impl Iterator<Item = &'a Group> {
        let member =
            |(group, members): (&'a Group, &'a BTreeSet<Person>)| members.contains(person).then_some(group);
        self.groups.iter().filter_map(member)
    }

    /// Whether the person is in one of the groups. No groups: nobody is.
    pub fn in_any<'a>(&self, person: &Person, groups: impl IntoIterator<Item = &'a Group>) -> bool {
        self.knows(person)
            && groups
                .into_iter()
                .any(|group| self.groups.get(group).is_some_and(|members| members.contains(person)))
    }
}

/// How many names are compared in all with those that are missing, to find the ones that were meant.
const COMPARED: usize = 20_000;

/// Reads both files: the people of every line that has no mistake, and every error and warning.
pub fn read(
    passwords: &[u8],
    passwords_file: &str,
    groups: &[u8],
    groups_file: &str,
) -> (People, Vec<Mistake>) {
    let passwords = passwords::read(passwords, passwords_file);
    let there_is = |name: &str| name.parse().is_ok_and(|name: Person| passwords.named.contains_key(&name));
    let mut groups = groups::read_beside(groups, groups_file, &there_is);
    let mut compared = 0;
    for (group, person, at) in &groups.named {
        if passwords.named.contains_key(person) {
            continue;
        }
        let what = format!("`{person}`, in the group `{group}`, is not in {passwords_file}");
        // What would be a guess among many is left out: a removal waits for this.
        let names = passwords.named.keys().map(Person::as_str);
        compared += passwords.named.len();
        let meant = (compared <= COMPARED).then(|| did_you_mean(person.as_str(), names)).flatten();
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("add them with `doorward user add {}`", shell_word(person.as_str())),
        };
        groups.mistakes.push(Mistake::warning(groups_file, *at, what, Some(hint)));
    }
    groups.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    let mistakes = passwords.mistakes.iter().cloned().chain(groups.mistakes).collect();
    let Passwords { hashes, locked, .. } = passwords;
    (People { passwords: hashes, locked, groups: groups.members }, mistakes)
}

/// A name as it is typed into a shell.
pub fn shell_word(name: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_.@+%/=".contains(letter);
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}

/// A file with a line more at its end. Behind a line that ends in `\` it takes blank lines until it `reads` as a line
/// of its own.
fn appended(text: &str, line: &str, reads: impl Fn(&str) -> bool) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    let edited = |blank: usize| format!("{text}{gap}{}{line}{end}", end.repeat(blank));
    let most = text.trim_end().bytes().rev().take_while(|byte| *byte == b'\\').count() + 1;
    (0..=most).map(edited).find(|edited| reads(edited)).unwrap_or_else(|| edited(0))
}

/// A name that can be read in a file and could not be written into one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It would make the line a comment, a quotation, or the beginning of a longer line.
    #[error("`{name}` {why}")]
    Unwritable { name: String, why: &'static str },
}

/// Whether Apache would read a name as it is written.
fn writable(name: &str) -> Result<(), EditError> {
    let why = if name.starts_with('#') {
        "begins with `#`, which makes a line a comment"
    } else if name.starts_with(['"', '\'']) {
        "begins with a quotation mark, which Apache removes"
    } else if name.starts_with('\u{feff}') {
        "begins with a byte order mark, which is invisible"
    } else if name.ends_with('\\') {
        "ends in `\\`, which joins a line to the next"
    } else {
        return Ok(());
    };
    Err(EditError::Unwritable { name: name.to_owned(), why })
}
