//! Apache's group file: `GROUP: NAME NAME …` a line; read whole, edited a word at a time.
//!
//! Members stand apart by white space, as Apache has it, or by commas. A line that ends in `\` goes on in the
//! next, as in all of Apache's files.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::{Line, lines};
use super::{EditError, writable};
use crate::policy::mistake::{Mistake, Spot};
use crate::policy::{Group, Person};

/// A group of ten thousand with long names.
const LONGEST: usize = 1 << 20;

/// A group file, as far as it was understood.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// Each group's members; only of the lines without a mistake.
    pub members: BTreeMap<Group, BTreeSet<Person>>,
    /// Where each member is named.
    pub named: Vec<(Group, Person, Spot)>,
    /// What is wrong, in the order of the file.
    pub mistakes: Vec<Mistake>,
}

/// Reads a group file. `file` is what it is called in mistakes.
pub fn read(bytes: &[u8], file: &str) -> Groups {
    let mut read = Groups::default();
    let mut first: BTreeMap<Group, usize> = BTreeMap::new();
    for entry in entries(&lines(bytes, file, LONGEST, &mut read.mistakes)) {
        let Entry { name, members, .. } = match entry {
            Ok(entry) => entry,
            Err(at) => {
                let hint = "a line is `GROUP: NAME NAME`".to_owned();
                let what = "there is no `:` behind the group's name";
                read.mistakes.push(Mistake::error(file, at, what, Some(hint)));
                continue;
            }
        };
        let group: Group = match name.text.parse() {
            Ok(group) => group,
            Err(error) => {
                read.mistakes.push(Mistake::error(file, name.at, error.to_string(), None));
                continue;
            }
        };
        if let Some(first) = first.get(&group) {
            let what = format!("the group `{group}` is here a second time; the first is on line {first}");
            let hint = "put all of its members on one line".to_owned();
            read.mistakes.push(Mistake::error(file, name.at, what, Some(hint)));
            continue;
        }
        first.insert(group.clone(), name.at.line);
        let mut people = BTreeSet::new();
        for member in members {
            match member.text.parse::<Person>() {
                Ok(person) => {
                    people.insert(person.clone());
                    read.named.push((group.clone(), person, member.at));
                }
                Err(error) => read.mistakes.push(Mistake::error(file, member.at, error.to_string(), None)),
            }
        }
        read.members.insert(group, people);
    }
    read.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    read
}

/// A word of the file.
#[derive(Debug, Clone, Copy)]
struct Word<'b> {
    text: &'b str,
    at: Spot,
    /// Where it begins in the file, in bytes.
    offset: usize,
}

impl Word<'_> {
    fn end(&self) -> usize {
        self.offset + self.text.len()
    }
}

/// A group and its members, over as many lines as it takes.
#[derive(Debug)]
struct Entry<'b> {
    name: Word<'b>,
    members: Vec<Word<'b>>,
    /// Behind the colon, in bytes of the file.
    colon: usize,
}

/// Every entry, or the place of a line that is none.
fn entries<'b>(lines: &[Line<'b>]) -> Vec<Result<Entry<'b>, Spot>> {
    let mut entries = Vec::new();
    let mut rest = lines.iter().peekable();
    while let Some(line) = rest.next() {
        let mut lines = vec![*line];
        let mut last = *line;
        while last.text.ends_with('\\') {
            let Some(next) = rest.next_if(|next| next.number == last.number + 1) else { break };
            lines.push(*next);
            last = *next;
        }
        let text = line.text.trim_start();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let begins = line.text.len() - text.len();
        let Some((name, _)) = text.split_once(':') else {
            entries.push(Err(line.spot(begins)));
            continue;
        };
        let behind = begins + name.len() + 1;
        let name = Word { text: name, at: line.spot(begins), offset: line.offset + begins };
        let members = lines
            .iter()
            .enumerate()
            .flat_map(|(index, line)| words(line, if index == 0 { behind } else { 0 }));
        entries.push(Ok(Entry { name, members: members.collect(), colon: line.offset + behind }));
    }
    entries
}

/// The words of a line from a byte on; a `\` at its end is none.
fn words<'b>(line: &Line<'b>, from: usize) -> Vec<Word<'b>> {
    let between = |letter: char| letter.is_whitespace() || letter == ',';
    let text = line.text.strip_suffix('\\').unwrap_or(line.text);
    let mut words = Vec::new();
    let mut at = from;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.find(between).unwrap_or(rest.len());
        if let Some(word) = rest.get(..length).filter(|word| !word.is_empty()) {
            words.push(Word { text: word, at: line.spot(at), offset: line.offset + at });
        }
        let gap = rest.get(length..).and_then(|gap| gap.chars().next()).map_or(0, char::len_utf8);
        at += length + gap;
    }
    words
}

/// The entry of a group; a file with mistakes is not edited, so there is at most one.
fn entry_of<'b>(text: &'b str, group: &Group) -> Option<Entry<'b>> {
    let lines = lines(text.as_bytes(), "", LONGEST, &mut Vec::new());
    entries(&lines).into_iter().flatten().find(|entry| entry.name.text == group.as_str())
}

/// The file with a person in a group, which is made when it is not there; unchanged when they are in it.
pub fn with(text: &str, group: &Group, person: &Person) -> Result<String, EditError> {
    writable(group.as_str())?;
    writable(person.as_str())?;
    let Some(entry) = entry_of(text, group) else {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{end}{group}: {person}\n"));
    };
    if entry.members.iter().any(|member| member.text == person.as_str()) {
        return Ok(text.to_owned());
    }
    let at = entry.members.last().map_or(entry.colon, Word::end);
    let gap = match entry.members.as_slice() {
        [.., one, other] => text.get(one.end()..other.offset).unwrap_or(""),
        // A group of one says nothing about commas, so the rest of the file does.
        [_] => {
            text.lines().find(|line| !line.trim_start().starts_with('#') && line.contains(',')).unwrap_or("")
        }
        [] => "",
    };
    let comma = if gap.contains(',') { "," } else { "" };
    let (before, behind) = text.split_at_checked(at).unwrap_or((text, ""));
    Ok(format!("{before}{comma} {person}{behind}"))
}

/// The file without a person in a group; none when they are not in it. The group stays, also when it is empty.
pub fn without(text: &str, group: &Group, person: &Person) -> Option<String> {
    let mut edited = text.to_owned();
    while let Some(next) = without_once(&edited, group, person) {
        edited = next;
    }
    (edited.len() != text.len()).then_some(edited)
}

fn without_once(text: &str, group: &Group, person: &Person) -> Option<String> {
    let entry = entry_of(text, group)?;
    let index = entry.members.iter().position(|member| member.text == person.as_str())?;
    let word = entry.members.get(index)?;
    let before = index.checked_sub(1).and_then(|index| entry.members.get(index));
    // The word goes with what parts it from the one before; the first one with what parts it from the next.
    let (from, to) = match (before, entry.members.get(index + 1)) {
        (Some(before), _) => (before.end(), word.end()),
        (None, Some(next)) => (word.offset, next.offset),
        (None, None) => (entry.colon, word.end()),
    };
    Some(format!("{}{}", text.get(..from)?, text.get(to..)?))
}
