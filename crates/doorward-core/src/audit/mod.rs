//! The record: every decision and every change, each line chained to the one before by its hash.

pub mod cloudtrail;
mod event;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use event::{Event, Login, What, Who};

use crate::text::shown_json;

/// The SHA-256 of a line, in hexadecimal; all zeros before the first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first line is chained to.
    pub const ZERO: Self = Self([0; 32]);
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a hash of 64 hexadecimal digits")]
pub struct NotAHash;

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let mut hash = [0; 32];
        let lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 64 || !text.bytes().all(lower) {
            return Err(NotAHash);
        }
        for (place, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| NotAHash)?;
            *place = u8::from_str_radix(digits, 16).map_err(|_| NotAHash)?;
        }
        Ok(Self(hash))
    }
}

crate::text::as_text!(Hash);

/// Where the chain ends: how many lines there are, and the last one's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last line's number; the first is 1, and 0 means that there is none.
    pub seq: u64,
    /// The last line's hash.
    pub hash: Hash,
}

impl Head {
    /// The head of an empty record.
    pub const EMPTY: Self = Self { seq: 0, hash: Hash::ZERO };
}

/// A line of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number, counted from 1 without a hole.
    pub seq: u64,
    /// The hash of the line before.
    pub prev: Hash,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A line as it is kept and exported: one JSON object, its own hash last.
///
/// The hash covers the bytes of the object without its hash, so a line is checked as it was written and
/// never depends on how a later version would write it. Characters that do not show are escaped: a name that a stranger
/// typed is shown as it is by whatever prints the line.
pub fn append(head: Head, event: Event) -> Result<(String, Head), serde_json::Error> {
    let seq = head.seq + 1;
    let body = serde_json::to_string(&Line { seq, prev: head.hash, event })?;
    let body = shown_json(&body);
    let hash = hash_of(&body);
    let open = body.strip_suffix('}').unwrap_or(&body);
    Ok((format!("{open},\"hash\":\"{hash}\"}}"), Head { seq, hash }))
}

fn hash_of(body: &str) -> Hash {
    Hash(Sha256::digest(body.as_bytes()).into())
}

/// Where a record is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Not a line of a record at all.
    #[error("line {at} is not a line of a record: {why}")]
    Unreadable {
        /// Counted from 1 in what was read.
        at: u64,
        /// What is wrong.
        why: String,
    },
    /// The line does not have the hash that it bears.
    #[error("line {at} (entry {seq}) was changed: its text has another hash than the one it bears")]
    Changed {
        /// Counted from 1 in what was read.
        at: u64,
        /// The number it bears.
        seq: u64,
    },
    /// Lines are not there.
    #[error("line {at} is entry {seq}, but entry {expected} should come here: {} missing", entries(*expected, *seq))]
    Missing {
        /// Counted from 1 in what was read.
        at: u64,
        /// The number that should come.
        expected: u64,
        /// The number that comes.
        seq: u64,
    },
    /// A line comes again, or after a later one.
    #[error(
        "line {at} is entry {seq}, but entry {expected} should come here: the order was changed, or a line stands twice"
    )]
    Reordered {
        /// Counted from 1 in what was read.
        at: u64,
        /// The number that should come.
        expected: u64,
        /// The number that comes.
        seq: u64,
    },
    /// The line is whole in itself but does not follow the one before.
    #[error("line {at} (entry {seq}) does not follow the line before it: one of the two was replaced")]
    Unchained {
        /// Counted from 1 in what was read.
        at: u64,
        /// The number it bears.
        seq: u64,
    },
    /// The end is not there, or lines were added behind it.
    #[error("the record ends at entry {seq}, but its head says {head}: its end was cut off or replaced")]
    Head {
        /// Where it ends.
        seq: u64,
        /// Where it should.
        head: u64,
    },
}

fn entries(expected: u64, seq: u64) -> String {
    if seq == expected + 1 {
        format!("entry {expected} is")
    } else {
        format!("entries {expected} to {} are", seq - 1)
    }
}

/// Checks lines one by one as they are read; holds one hash, whatever the length.
#[derive(Debug, Clone, Copy)]
pub struct Verifier {
    at: u64,
    head: Head,
}

impl Default for Verifier {
    fn default() -> Self {
        Self { at: 0, head: Head::EMPTY }
    }
}

impl Verifier {
    /// For a part of a record that begins behind `head`.
    pub fn after(head: Head) -> Self {
        Self { at: 0, head }
    }

    /// Takes the next line, without its line end.
    pub fn line(&mut self, text: &str) -> Result<Line, Broken> {
        self.at += 1;
        let at = self.at;
        let unreadable = |why: &str| Broken::Unreadable { at, why: why.into() };
        let (body, hash) = text.rsplit_once(",\"hash\":\"").ok_or_else(|| unreadable("it bears no hash"))?;
        let hash: Hash = hash
            .strip_suffix("\"}")
            .and_then(|hash| hash.parse().ok())
            .ok_or_else(|| unreadable("its hash is not 64 hexadecimal digits at its end"))?;
        let body = format!("{body}}}");
        let line: Line = serde_json::from_str(&body).map_err(|error| unreadable(&error.to_string()))?;
        let seq = line.seq;
        if hash_of(&body) != hash {
            return Err(Broken::Changed { at, seq });
        }
        let expected = self.head.seq + 1;
        match seq.cmp(&expected) {
            std::cmp::Ordering::Less => return Err(Broken::Reordered { at, expected, seq }),
            std::cmp::Ordering::Greater => return Err(Broken::Missing { at, expected, seq }),
            std::cmp::Ordering::Equal if line.prev != self.head.hash => {
                return Err(Broken::Unchained { at, seq });
            }
            std::cmp::Ordering::Equal => {}
        }
        self.head = Head { seq, hash };
        Ok(line)
    }

    /// The end of what was read.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Compares the end of what was read with what it should be.
    pub fn ends_at(&self, head: Head) -> Result<(), Broken> {
        if self.head == head { Ok(()) } else { Err(Broken::Head { seq: self.head.seq, head: head.seq }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn record(length: u64) -> (Vec<String>, Head) {
        let mut head = Head::EMPTY;
        let mut lines = Vec::new();
        for second in 0..length {
            let at = Timestamp::from_second(second as i64).expect("an instant");
            let event =
                Event::new(at, Who::Doorward, What::Started { version: format!("\"}},\"hash\":\"{second}") });
            let (line, next) = append(head, event).expect("a line");
            lines.push(line);
            head = next;
        }
        (lines, head)
    }

    fn verify(lines: &[String], head: Head) -> Result<(), Broken> {
        let mut verifier = Verifier::default();
        for line in lines {
            verifier.line(line)?;
        }
        verifier.ends_at(head)
    }

    #[test]
    fn a_whole_record_verifies() {
        let (lines, head) = record(20);
        assert_eq!(verify(&lines, head), Ok(()));
    }

    #[test]
    fn every_changed_byte_is_found() {
        let (lines, head) = record(3);
        for place in 0..lines[1].len() {
            let mut bytes = lines[1].clone().into_bytes();
            bytes[place] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let lines = [lines[0].clone(), changed, lines[2].clone()];
            assert!(verify(&lines, head).is_err(), "byte {place}");
        }
    }

    #[test]
    fn what_is_missing_or_moved_is_named() {
        let (lines, head) = record(5);
        let mut missing = lines.clone();
        missing.drain(1..3);
        assert_eq!(verify(&missing, head), Err(Broken::Missing { at: 2, expected: 2, seq: 4 }));
        let mut swapped = lines.clone();
        swapped.swap(2, 3);
        assert_eq!(verify(&swapped, head), Err(Broken::Missing { at: 3, expected: 3, seq: 4 }));
        let mut twice = lines.clone();
        twice.insert(2, lines[1].clone());
        assert_eq!(verify(&twice, head), Err(Broken::Reordered { at: 3, expected: 3, seq: 2 }));
        assert_eq!(verify(&lines[..4], head), Err(Broken::Head { seq: 4, head: 5 }));
    }

    #[test]
    fn a_line_from_another_record_does_not_follow() {
        let (lines, head) = record(3);
        let (start, first) = record(1);
        let at = Timestamp::from_second(99).expect("an instant");
        let forged = append(first, Event::new(at, Who::Doorward, What::Started { version: "2".into() }))
            .expect("a line")
            .0;
        let lines = [start[0].clone(), forged, lines[2].clone()];
        assert_eq!(verify(&lines, head), Err(Broken::Unchained { at: 3, seq: 3 }));
    }

    /// Lines as the first version wrote them, before there were transports that carry their own packets.
    #[test]
    fn a_record_of_the_first_version_is_read_and_goes_on() {
        let old = include_str!("tests/first.jsonl");
        let mut verifier = Verifier::default();
        for line in old.lines() {
            verifier.line(line).expect("an old line");
        }
        let grant: crate::grant::GrantId = "g-k3v9t2m4x7q8".parse().expect("a grant");
        let (transport, session) = (crate::policy::Transport::Ssm, Some("jon-0a1b".to_owned()));
        let carried = [
            What::TransportOpened { grant: grant.clone(), transport, session: session.clone() },
            What::TransportReconnected {
                grant: grant.clone(),
                transport,
                session: session.clone(),
                why: "the gateway closed it".into(),
            },
            What::TransportClosed {
                grant: grant.clone(),
                transport,
                session,
                up: u64::MAX,
                down: 0,
                why: "its time was up".into(),
            },
            What::SessionEnded {
                grant: grant.clone(),
                transport,
                session: "jon-0a1b".into(),
                target: "i-0a1b".into(),
            },
        ];
        let at = Timestamp::from_second(1_800_000_000).expect("an instant");
        let mut told = Vec::new();
        for what in carried {
            let event = Event::new(at, Who::Doorward, what);
            let (line, _) = append(verifier.head(), event.clone()).expect("a line");
            let read = verifier.line(&line).expect("a new line behind the old ones");
            assert_eq!(read.event, event);
            assert_eq!(
                (read.event.what.grant(), read.event.what.session()),
                (Some(&grant), Some("jon-0a1b"))
            );
            told.push(read.event.what.to_string());
            let kinds = ["transport-", "session-"].map(|kind| format!("\"what\":\"{kind}"));
            assert!(kinds.iter().any(|kind| line.contains(kind)), "{line}");
        }
        assert_eq!(
            told,
            [
                "connected g-k3v9t2m4x7q8 by ssm (jon-0a1b)",
                "connected g-k3v9t2m4x7q8 by ssm again (jon-0a1b): the gateway closed it",
                "disconnected g-k3v9t2m4x7q8 by ssm (jon-0a1b) after 18446744073709551615 bytes up and 0 down: its time was up",
                "ended the session jon-0a1b to i-0a1b: g-k3v9t2m4x7q8 by ssm is over",
            ]
        );
    }
}
