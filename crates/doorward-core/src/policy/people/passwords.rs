//! Apache's password file: `NAME:HASH` a line, comments behind `#`; read as `mod_authn_file` reads it, edited a line
//! at a time.
//!
//! The first line of a name counts, whatever its hash. What stands behind a second colon is left alone. Two bounds are
//! our own: a name has no control characters and no white space at its ends, and at most 63 bytes; and a line that is
//! longer than Apache has room for counts for nothing, where Apache would read nothing behind it either.

use std::collections::{BTreeMap, BTreeSet};

use super::hash::PasswordHash;
use super::lines::{File, Line, word};
use super::{EditError, appended, writable};
use crate::policy::mistake::{Mistake, not_utf8};
use crate::policy::{HashError, Person};

/// Apache reads no more of a line than this (`MAX_STRING_LEN`, less the line's end and a NUL).
const LONGEST: usize = 8_190;

/// A password file, as far as it was understood.
#[derive(Debug, Clone, Default)]
pub struct Passwords {
    /// Each person's hash; only of the lines without a mistake.
    pub hashes: BTreeMap<Person, PasswordHash>,
    /// Those whose hash counts again once its `!` is taken away.
    pub locked: BTreeSet<Person>,
    /// The line of each person who is named, whatever the hash. Those without a hash are locked: nobody signs in as them.
    pub named: BTreeMap<Person, usize>,
    /// What is wrong, in the order of the file. Each is of one line, and the others count.
    pub mistakes: Vec<Mistake>,
}

/// A line taken apart.
struct Entry<'l> {
    name: &'l [u8],
    /// What stands behind the colon, and where in the line; none where there is no colon.
    hash: Option<(&'l [u8], usize)>,
    /// Where what is left alone begins, with its colon.
    behind: usize,
}

fn entry(line: &Line) -> Entry<'_> {
    let (name, at) = word(&line.text, 0, b':');
    let hash = at.map(|at| (word(&line.text, at, b':').0, at));
    let behind = hash.map_or(name.len(), |(hash, at)| at + hash.len());
    Entry { name, hash, behind }
}

/// Reads a password file. `file` is what it is called in mistakes.
pub fn read(bytes: &[u8], file: &str) -> Passwords {
    let mut read = Passwords::default();
    let lines = File::of(bytes, LONGEST);
    let mut first: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for line in &lines.lines {
        let entry = entry(line);
        let at = lines.spot_in(line, 0);
        // Whatever else is wrong, it is the first line of a name that counts.
        if let Some(first) = first.get(entry.name) {
            let name = String::from_utf8_lossy(entry.name);
            let what = format!("`{name}` is defined twice; the first is on line {first}");
            let hint = "remove one of the two lines; the first is used, as in Apache".to_owned();
            read.mistakes.push(Mistake::warning(file, at, what, Some(hint)));
            continue;
        }
        first.insert(entry.name.to_vec(), at.line);
        let person = std::str::from_utf8(entry.name).ok().and_then(|name| name.parse::<Person>().ok());
        if let Some(person) = &person {
            read.named.insert(person.clone(), at.line);
        }
        let nul = lines.nul(line, file);
        match hash(&lines, line, &entry, file) {
            Ok((person, hash)) => {
                read.hashes.insert(person, hash);
            }
            Err(mistake) if nul.is_none() && person.as_ref().is_some_and(|_| is_shut(&entry)) => {
                read.locked.extend(person);
                read.mistakes.push(mistake);
            }
            // Where a line is cut, one mistake says it all.
            Err(_) if nul.is_some() => {}
            Err(mistake) => read.mistakes.push(mistake),
        }
        read.mistakes.extend(nul);
    }
    read.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    read
}

/// Who a line names and by which hash, or what is wrong with it.
fn hash(
    lines: &File<'_>,
    line: &Line,
    entry: &Entry<'_>,
    file: &str,
) -> Result<(Person, PasswordHash), Mistake> {
    let at = lines.spot_in(line, 0);
    if let Some(why) = line.useless {
        return Err(lines.useless(line, why, file, LONGEST));
    }
    let text = |bytes: &'_ [u8], from: usize| match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let wrong = error.valid_up_to();
            let byte = bytes.get(wrong).copied().unwrap_or_default();
            Err(not_utf8(file, lines.spot_in(line, from + wrong), byte))
        }
    };
    let name = text(entry.name, 0)?;
    let Some((hash, hash_at)) = entry.hash else {
        let hint = "a line is `NAME:HASH`, as `doorward user add NAME` writes it".to_owned();
        return Err(Mistake::error(file, at, "the `:` after the name is missing", Some(hint)));
    };
    let person: Person = name.parse().map_err(|error| Mistake::error(file, at, format!("{error}"), None))?;
    match String::from_utf8_lossy(hash).parse() {
        Ok(hash) => Ok((person, hash)),
        Err(error) => {
            let at = lines.spot_in(line, hash_at);
            let what = match error {
                HashError::Locked(by) => format!("`{person}` is locked: no password matches `{by}`"),
                _ => format!("the password of `{person}`: {error}"),
            };
            Err(Mistake::warning(file, at, what, Some(right(&error, &person, is_shut(entry)))))
        }
    }
}

/// Whether a hash counts once the `!` before it is taken away.
fn is_shut(entry: &Entry<'_>) -> bool {
    let hash = entry.hash.and_then(|(hash, _)| hash.strip_prefix(b"!"));
    hash.is_some_and(|hash| String::from_utf8_lossy(hash).parse::<PasswordHash>().is_ok())
}

/// What would be right in place of a hash that no password matches.
fn right(error: &HashError, person: &Person, shut: bool) -> String {
    let person = super::shell_word(person.as_str());
    match error {
        HashError::Locked(_) if shut => format!("unlock them with `doorward user unlock {person}`"),
        HashError::Locked(_) => format!("`doorward user passwd {person}` sets a new password"),
        _ => format!(
            "the supported hashes are bcrypt (`$2y$`), `$apr1$`, `$1$`, `$5$`, `$6$`, `{{SHA}}` and crypt(3)'s 13 characters; \
             set a new password with `doorward user passwd {person}`"
        ),
    }
}

fn names(line: &Line, person: &Person) -> bool {
    entry(line).name == person.as_str().as_bytes()
}

/// Where a hash stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HashAt {
    /// Its first byte, or the end of the line where there is none.
    pub at: usize,
    /// Each `!` that it begins with.
    pub locks: Vec<usize>,
}

/// Where the hashes of a person's lines stand; none of a line without a colon.
pub(super) fn hashes_at(text: &str, person: &Person) -> Vec<Option<HashAt>> {
    let lines = File::of(text.as_bytes(), LONGEST);
    let of_line = |line: &Line| {
        let (hash, at) = entry(line).hash?;
        let locks = hash.iter().take_while(|byte| **byte == b'!').count();
        Some(HashAt { at: line.offset(at), locks: (at..at + locks).map(|lock| line.offset(lock)).collect() })
    };
    lines.lines.iter().filter(|line| names(line, person)).map(of_line).collect()
}

/// The file with the person's hash replaced, or with a line for them at its end.
pub fn with(text: &str, person: &Person, hash: &str) -> Result<String, EditError> {
    writable(person.as_str())?;
    let lines = File::of(text.as_bytes(), LONGEST);
    let Some(line) = lines.lines.iter().find(|line| names(line, person)) else {
        let new = format!("{person}:{hash}");
        return Ok(appended(text, &new, |edited| {
            let lines = File::of(edited.as_bytes(), LONGEST);
            lines.lines.last().is_some_and(|line| line.text == new.as_bytes())
        }));
    };
    let (from, behind) = (line.offset(0), line.offset(entry(line).behind));
    let (before, after) = (text.get(..from).unwrap_or(""), text.get(behind..).unwrap_or(""));
    // White space behind a hash would be a part of the new one.
    let after = match after.strip_prefix(':') {
        Some(_) => after,
        None => after.trim_start_matches([' ', '\t', '\u{b}', '\u{c}']),
    };
    Ok(format!("{before}{person}:{hash}{after}"))
}

/// The file without the person's lines; none when they have none.
pub fn without(text: &str, person: &Person) -> Option<String> {
    let lines = File::of(text.as_bytes(), LONGEST);
    let mut edited = String::with_capacity(text.len());
    let mut from = 0;
    for line in lines.lines.iter().filter(|line| names(line, person)) {
        edited.push_str(text.get(from..line.takes.start)?);
        from = line.takes.end;
    }
    edited.push_str(text.get(from..)?);
    (edited.len() != text.len()).then_some(edited)
}
