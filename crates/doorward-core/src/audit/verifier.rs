//! The check of a chain, line by line as it is read.

use super::authentic::covered;
use super::{Authenticator, Broken, Hash, Head, Line};

/// Checks lines one by one as they are read; holds one hash, whatever the length.
#[derive(Debug, Clone, Copy)]
pub struct Verifier {
    at: u64,
    head: Head,
}

/// A line that was read, with what its text bears beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub line: Line,
    /// Its number and its hash.
    pub head: Head,
    /// Its MAC; an entry of a version before there was a key has none.
    pub mac: Option<Hash>,
}

impl Entry {
    /// Reads a line by itself: its hash is right, but nothing is said of what comes before it.
    pub fn read(text: &str) -> Result<Self, Broken> {
        Verifier::default().by_itself(text)
    }

    /// Whether the holder of the key wrote it.
    pub fn is_authentic(&self, key: &dyn Authenticator) -> bool {
        self.mac.is_some_and(|mac| key.is_mac(&covered(self.head.hash), &mac))
    }
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
        self.entry(text).map(|entry| entry.line)
    }

    /// The same, with its hash and its MAC.
    pub fn entry(&mut self, text: &str) -> Result<Entry, Broken> {
        self.at += 1;
        let at = self.at;
        let entry = self.by_itself(text)?;
        let seq = entry.head.seq;
        let expected = self.head.seq.saturating_add(1);
        match seq.cmp(&expected) {
            std::cmp::Ordering::Less => return Err(Broken::Reordered { at, expected, seq }),
            std::cmp::Ordering::Greater => return Err(Broken::Missing { at, expected, seq }),
            std::cmp::Ordering::Equal if entry.line.prev != self.head.hash => {
                return Err(Broken::Unchained { at, seq });
            }
            std::cmp::Ordering::Equal => {}
        }
        self.head = entry.head;
        Ok(entry)
    }

    fn by_itself(&self, text: &str) -> Result<Entry, Broken> {
        let at = self.at;
        let unreadable = |why: &str| Broken::Unreadable { at, why: why.into() };
        let (body, borne) = text.rsplit_once(",\"hash\":\"").ok_or_else(|| unreadable("it has no hash"))?;
        let borne = borne.strip_suffix("\"}").ok_or_else(|| unreadable("it does not end with its hash"))?;
        let (hash, mac) = match borne.split_once("\",\"mac\":\"") {
            Some((hash, mac)) => (hash, Some(mac)),
            None => (borne, None),
        };
        let digits = |text: &str, what: &str| {
            text.parse::<Hash>().map_err(|_| unreadable(&format!("its {what} is not 64 hexadecimal digits")))
        };
        let (hash, mac) = (digits(hash, "hash")?, mac.map(|mac| digits(mac, "MAC")).transpose()?);
        let body = format!("{body}}}");
        let line: Line = serde_json::from_str(&body).map_err(|error| unreadable(&error.to_string()))?;
        let seq = line.seq;
        if Hash::of(body.as_bytes()) != hash {
            return Err(Broken::Changed { at, seq });
        }
        Ok(Entry { line, head: Head { seq, hash }, mac })
    }

    /// Goes on behind an entry that does not follow what was read, as if it did; what is wrong was noted.
    pub fn resume(&mut self, head: Head) {
        self.head = head;
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

/// Whether a head that was noted earlier is in a record, asked while the record is read.
#[derive(Debug, Clone, Copy)]
pub struct Contained {
    wanted: Head,
    seen: Option<Hash>,
}

impl Contained {
    /// For a head that was noted.
    pub fn new(wanted: Head) -> Self {
        Self { wanted, seen: (wanted.seq == 0).then_some(Hash::ZERO) }
    }

    /// Takes the next entry's number and hash.
    pub fn take(&mut self, entry: Head) {
        if entry.seq == self.wanted.seq {
            self.seen = Some(entry.hash);
        }
    }

    /// The answer, where the record ends at `end`.
    pub fn check(&self, end: Head) -> Result<(), Broken> {
        match self.seen {
            Some(hash) if hash == self.wanted.hash => Ok(()),
            Some(_) if self.wanted.seq < end.seq => Err(Broken::NotContained { seq: self.wanted.seq }),
            _ => Err(Broken::Head { seq: end.seq, head: self.wanted.seq }),
        }
    }
}
