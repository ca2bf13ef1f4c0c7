//! Apache's password file: `NAME:HASH` a line, comments behind `#`; read whole, edited a line at a time.
//!
//! What stands behind a second colon is left alone, as Apache does.

use std::collections::BTreeMap;

use super::hash::PasswordHash;
use super::lines::lines;
use super::{EditError, writable};
use crate::policy::Person;
use crate::policy::mistake::{Mistake, Spot};

/// Apache reads no more of a line than this (`MAX_STRING_LEN`).
const LONGEST: usize = 8_192;

/// A password file, as far as it was understood.
#[derive(Debug, Clone, Default)]
pub struct Passwords {
    /// Each person's hash; only of the lines without a mistake.
    pub hashes: BTreeMap<Person, PasswordHash>,
    /// The line of each person who is named, whatever the hash.
    pub named: BTreeMap<Person, usize>,
    /// What is wrong, in the order of the file.
    pub mistakes: Vec<Mistake>,
}

/// Reads a password file. `file` is what it is called in mistakes.
pub fn read(bytes: &[u8], file: &str) -> Passwords {
    let mut read = Passwords::default();
    for line in lines(bytes, file, LONGEST, &mut read.mistakes) {
        let Some(entry) = entry(line.text) else { continue };
        let begins = line.text.len() - entry.len();
        let at = line.spot(begins);
        let Some((name, behind)) = entry.split_once(':') else {
            let hint = "a line is `NAME:HASH`, as `doorward user add NAME` writes it".to_owned();
            read.mistakes.push(Mistake::error(file, at, "there is no `:` behind the name", Some(hint)));
            continue;
        };
        let person: Person = match name.parse() {
            Ok(person) => person,
            Err(error) => {
                read.mistakes.push(Mistake::error(file, at, error.to_string(), None));
                continue;
            }
        };
        if let Some(first) = read.named.get(&person) {
            let what = format!("`{person}` is here a second time; the first is on line {first}");
            let hint = "take one of the two lines away; Apache believes the first".to_owned();
            read.mistakes.push(Mistake::error(file, at, what, Some(hint)));
            continue;
        }
        read.named.insert(person.clone(), line.number);
        let hash = behind.split(':').next().unwrap_or(behind).trim_end();
        match hash.parse() {
            Ok(hash) => {
                read.hashes.insert(person, hash);
            }
            Err(error) => {
                let at: Spot = line.spot(begins + name.len() + 1);
                let hint = format!(
                    "understood are bcrypt (`$2y$`), `$apr1$`, `$1$`, `$5$`, `$6$`, `{{SHA}}` and crypt(3)'s 13 \
                     characters; `doorward user passwd {person}` sets a new password"
                );
                let what = format!("the password of `{person}`: {error}");
                read.mistakes.push(Mistake::error(file, at, what, Some(hint)));
            }
        }
    }
    read.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    read
}

/// What a line says, unless it is blank or a comment.
fn entry(line: &str) -> Option<&str> {
    let line = line.trim_start();
    (!line.is_empty() && !line.starts_with('#')).then_some(line)
}

fn names(line: &str, person: &Person) -> bool {
    let name = entry(line).and_then(|entry| entry.split_once(':')).map(|(name, _)| name);
    name == Some(person.as_str())
}

/// The file with the person's hash replaced, or with a line for them at its end.
pub fn with(text: &str, person: &Person, hash: &str) -> Result<String, EditError> {
    writable(person.as_str())?;
    let mut edited = String::with_capacity(text.len() + 128);
    let mut found = false;
    for line in text.split_inclusive('\n') {
        if found || !names(line, person) {
            edited.push_str(line);
            continue;
        }
        found = true;
        let indent = line.len() - line.trim_start().len();
        edited.push_str(line.get(..indent).unwrap_or(""));
        edited.push_str(&format!("{person}:{hash}"));
        // A third field and the line's end.
        let behind = line.splitn(3, ':').nth(2);
        match behind {
            Some(behind) => edited.push_str(&format!(":{behind}")),
            None => edited.push_str(line.get(line.trim_end().len()..).unwrap_or("")),
        }
    }
    if !found {
        if !edited.is_empty() && !edited.ends_with('\n') {
            edited.push('\n');
        }
        edited.push_str(&format!("{person}:{hash}\n"));
    }
    Ok(edited)
}

/// The file without the person's line; none when they have none.
pub fn without(text: &str, person: &Person) -> Option<String> {
    let edited: String = text.split_inclusive('\n').filter(|line| !names(line, person)).collect();
    (edited.len() != text.len()).then_some(edited)
}
