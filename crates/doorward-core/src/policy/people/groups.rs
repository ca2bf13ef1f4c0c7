//! Apache's group file: `GROUP: NAME NAME …` a line; read as `mod_authz_groupfile` reads it, edited a word at a time.
//!
//! Members stand apart by white space. A name with a space stands in `"` or `'`, and a group on several lines has the
//! members of all. One thing is read more leniently: a comma outside of quotation marks parts members too, unless the
//! password file names somebody by all of the word.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::{File, Line, is_space, word};
use super::{EditError, appended, writable};
use crate::policy::mistake::{Mistake, Spot, not_utf8};
use crate::policy::{Group, Person};

/// Apache's `VARBUF_MAX_LEN`.
const LONGEST: usize = 16 << 20;

/// A group file, as far as it was understood.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// Each group's members.
    pub members: BTreeMap<Group, BTreeSet<Person>>,
    /// Where each member is named.
    pub named: Vec<(Group, Person, Spot)>,
    /// What is wrong, in the order of the file. Each is of one line or one name, and the others count.
    pub mistakes: Vec<Mistake>,
}

/// Reads a group file. `file` is what it is called in mistakes.
pub fn read(bytes: &[u8], file: &str) -> Groups {
    read_beside(bytes, file, &|_| false)
}

/// Whether the password file names somebody by all of a word.
pub type ThereIs<'p> = dyn Fn(&str) -> bool + 'p;

/// Reads a group file beside a password file, which says of a name with a comma in it whether there is somebody.
pub fn read_beside(bytes: &[u8], file: &str, there_is: &ThereIs<'_>) -> Groups {
    let mut read = Groups::default();
    let lines = File::of(bytes, LONGEST);
    for line in &lines.lines {
        let at = lines.spot_in(line, 0);
        if let Some(why) = line.useless {
            read.mistakes.push(lines.useless(line, why, file, LONGEST));
            continue;
        }
        let nul = lines.nul(line, file);
        let cut = nul.is_some();
        read.mistakes.extend(nul);
        let Some(entry) = entry(line) else {
            if cut {
                continue;
            }
            let hint = "a line is `GROUP: NAME NAME`".to_owned();
            let what = "the `:` after the name of the group is missing";
            read.mistakes.push(Mistake::error(file, at, what, Some(hint)));
            continue;
        };
        let group: Group = match parsed(&lines, line, entry.name, 0, file) {
            Ok(group) => group,
            Err(mistake) => {
                read.mistakes.push(mistake);
                continue;
            }
        };
        let members = read.members.entry(group.clone()).or_default();
        for word in words(line, entry.members, there_is) {
            if word.unclosed {
                let what =
                    "the quotation mark is not closed, so the rest of the line is one name, as in Apache";
                let hint = "close it after the name".to_owned();
                let at = lines.spot_in(line, word.from);
                read.mistakes.push(Mistake::warning(file, at, what, Some(hint)));
            }
            match parsed::<Person>(&lines, line, &word.name, word.from, file) {
                Ok(person) => {
                    members.insert(person.clone());
                    read.named.push((group.clone(), person, lines.spot_in(line, word.from)));
                }
                Err(mistake) => read.mistakes.push(mistake),
            }
        }
    }
    read.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    read
}

/// A name of a line, or why it is none.
fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    lines: &File<'_>,
    line: &Line,
    name: &[u8],
    at: usize,
    file: &str,
) -> Result<T, Mistake> {
    let text = std::str::from_utf8(name).map_err(|error| {
        let wrong = error.valid_up_to();
        let byte = name.get(wrong).copied().unwrap_or_default();
        not_utf8(file, lines.spot_in(line, at + wrong), byte)
    })?;
    text.parse()
        .map_err(|error: T::Err| Mistake::error(file, lines.spot_in(line, at), error.to_string(), None))
}

/// A line taken apart.
struct Entry<'l> {
    name: &'l [u8],
    /// Where the members begin.
    members: usize,
}

fn entry(line: &Line) -> Option<Entry<'_>> {
    let (name, members) = word(&line.text, 0, b':');
    let members = members?;
    let length = name.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
    Some(Entry { name: name.get(..length).unwrap_or(name), members })
}

/// A member as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    /// Without quotation marks and the backslashes that guard something.
    name: Vec<u8>,
    /// Where it begins in the line, and where it ends, quotation marks and all.
    from: usize,
    to: usize,
    /// Whether it begins with a quotation mark that no other closes.
    unclosed: bool,
}

/// The words of a line from a byte on, as `ap_getword_conf` takes them, and parted at commas.
fn words(line: &Line, from: usize, there_is: &ThereIs<'_>) -> Vec<Word> {
    let text = line.text.as_slice();
    let get = |at: usize| text.get(at).copied();
    let mut words = Vec::new();
    let mut at = from;
    loop {
        while get(at).is_some_and(is_space) {
            at += 1;
        }
        let Some(first) = get(at) else { break };
        let from = at;
        let quoted = matches!(first, b'"' | b'\'');
        if quoted {
            at += 1;
            while let Some(byte) = get(at).filter(|byte| *byte != first) {
                let guarded = byte == b'\\' && get(at + 1).is_some_and(|next| next == first || next == b'\\');
                at += if guarded { 2 } else { 1 };
            }
            let name = plain(text.get(from + 1..at).unwrap_or_default(), Some(first));
            let unclosed = get(at).is_none();
            at = (at + 1).min(text.len());
            words.push(Word { name, from, to: at, unclosed });
            continue;
        }
        while get(at).is_some_and(|byte| !is_space(byte)) {
            at += 1;
        }
        let written = text.get(from..at).unwrap_or_default();
        let name = plain(written, None);
        let whole = !written.contains(&b',') || std::str::from_utf8(&name).is_ok_and(there_is);
        if whole {
            words.push(Word { name, from, to: at, unclosed: false });
            continue;
        }
        let mut begins = from;
        for piece in written.split(|byte| *byte == b',') {
            let to = begins + piece.len();
            if !piece.is_empty() {
                words.push(Word { name: plain(piece, None), from: begins, to, unclosed: false });
            }
            begins = to + 1;
        }
    }
    words
}

/// Takes away the backslashes that guard another or a quotation mark (`substring_conf`).
fn plain(written: &[u8], quote: Option<u8>) -> Vec<u8> {
    let mut name = Vec::with_capacity(written.len());
    let mut rest = written.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let guarded = (byte == b'\\').then(|| rest.next_if(|next| *next == b'\\' || Some(*next) == quote));
        name.push(guarded.flatten().unwrap_or(byte));
    }
    name
}

/// A name as it is written for a member: in quotation marks where Apache, or we, would read it otherwise.
fn written(name: &str) -> String {
    let plain = !name.bytes().any(|byte| is_space(byte) || matches!(byte, b',' | b'\\' | b'"' | b'\''));
    if plain {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The lines of a group.
fn of<'l>(lines: &'l File<'_>, group: &Group) -> impl Iterator<Item = (&'l Line, Entry<'l>)> {
    let name = group.as_str().as_bytes().to_owned();
    let good = lines.lines.iter().filter(|line| line.useless.is_none());
    good.filter_map(|line| Some((line, entry(line)?))).filter(move |(_, entry)| entry.name == name)
}

/// Whether a file says of a group what is wanted of it, and of every other group what another file says.
fn says(text: &str, before: &str, group: &Group, wanted: &BTreeSet<Person>, there_is: &ThereIs<'_>) -> bool {
    let members = |text: &str| read_beside(text.as_bytes(), "", there_is).members;
    let (mut now, mut was) = (members(text), members(before));
    was.remove(group);
    now.remove(group).as_ref() == Some(wanted) && now == was
}

/// The file with a person in a group, which is made when it is not there; unchanged when they are in it. Every other member
/// is read as before.
pub fn with(text: &str, group: &Group, person: &Person, there_is: &ThereIs<'_>) -> Result<String, EditError> {
    writable(group.as_str())?;
    writable(person.as_str())?;
    let new = written(person.as_str());
    let Some(before) = read_beside(text.as_bytes(), "", there_is).members.remove(group) else {
        let wanted = BTreeSet::from([person.clone()]);
        return Ok(appended(text, &format!("{group}: {new}"), |edited| {
            says(edited, text, group, &wanted, there_is)
        }));
    };
    if before.contains(person) {
        return Ok(text.to_owned());
    }
    let mut wanted = before;
    wanted.insert(person.clone());
    Ok(with_word(text, group, &new, there_is)
        .filter(|edited| says(edited, text, group, &wanted, there_is))
        .unwrap_or_else(|| whole(text, group, &wanted)))
}

/// A word more behind the last one of a group's first line.
fn with_word(text: &str, group: &Group, new: &str, there_is: &ThereIs<'_>) -> Option<String> {
    let lines = File::of(text.as_bytes(), LONGEST);
    let (line, entry) = of(&lines, group).next()?;
    let words = words(line, entry.members, there_is);
    // The byte behind the last one: the byte of that index may be of the next physical line.
    let behind = |to: usize| to.checked_sub(1).map_or(line.takes.start, |last| line.offset(last) + 1);
    let at = behind(words.last().map_or(entry.members, |word| word.to));
    let gap = match words.as_slice() {
        [.., one, other] => text.get(behind(one.to)..line.offset(other.from)).unwrap_or(""),
        // A group of one says nothing about commas, so the rest of the file does.
        [_] => {
            text.lines().find(|line| !line.trim_start().starts_with('#') && line.contains(',')).unwrap_or("")
        }
        [] => "",
    };
    let comma = if gap.contains(',') { "," } else { "" };
    let (before, after) = text.split_at_checked(at)?;
    Some(format!("{before}{comma} {new}{after}"))
}

/// The file with the members of a group on one line, in the place of its first.
fn whole(text: &str, group: &Group, members: &BTreeSet<Person>) -> String {
    let lines = File::of(text.as_bytes(), LONGEST);
    let words: String = members.iter().map(|member| format!(" {}", written(member.as_str()))).collect();
    let mut edited = String::with_capacity(text.len());
    let mut from = 0;
    for (index, (line, _)) in of(&lines, group).enumerate() {
        edited.push_str(text.get(from..line.takes.start).unwrap_or(""));
        if index == 0 {
            edited.push_str(&format!("{group}:{words}\n"));
        }
        from = line.takes.end;
    }
    edited.push_str(text.get(from..).unwrap_or(""));
    edited
}

/// The file without a person in a group; none when they are not in it. The group stays, also when it is empty.
pub fn without(text: &str, group: &Group, person: &Person, there_is: &ThereIs<'_>) -> Option<String> {
    let mut wanted = read_beside(text.as_bytes(), "", there_is).members.remove(group)?;
    if !wanted.remove(person) {
        return None;
    }
    let mut edited = text.to_owned();
    while let Some(next) = without_once(&edited, group, person, there_is) {
        edited = next;
    }
    if !says(&edited, text, group, &wanted, there_is) {
        edited = whole(text, group, &wanted);
    }
    Some(edited)
}

fn without_once(text: &str, group: &Group, person: &Person, there_is: &ThereIs<'_>) -> Option<String> {
    let lines = File::of(text.as_bytes(), LONGEST);
    let name = person.as_str().as_bytes();
    let (line, entry, words, index) = of(&lines, group).find_map(|(line, entry)| {
        let words = words(line, entry.members, there_is);
        let index = words.iter().position(|word| word.name == name)?;
        Some((line, entry, words, index))
    })?;
    let behind = |to: usize| to.checked_sub(1).map_or(line.takes.start, |last| line.offset(last) + 1);
    let word = words.get(index)?;
    let before = index.checked_sub(1).and_then(|index| words.get(index));
    // The word goes with what parts it from the one before; the first one with what parts it from the next.
    let (from, to) = match (before, words.get(index + 1)) {
        (Some(before), _) => (behind(before.to), behind(word.to)),
        (None, Some(next)) => (line.offset(word.from), line.offset(next.from)),
        (None, None) => (behind(entry.members), behind(word.to)),
    };
    Some(format!("{}{}", text.get(..from)?, text.get(to..)?))
}
