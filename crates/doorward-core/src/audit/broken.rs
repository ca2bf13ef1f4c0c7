//! How a record can differ from the one that was written.

/// Where a record is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Not a line of a record at all.
    #[error("line {at} is not an entry of an audit log: {why}")]
    Unreadable {
        /// Counted from 1 in what was read.
        at: u64,
        /// What is wrong.
        why: String,
    },
    /// The line does not have the hash that it bears.
    #[error("line {at} (entry {seq}) was changed: its text does not match its hash")]
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
        "line {at} is entry {seq}, but entry {expected} should come here: the order was changed, or a line is duplicated"
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
    #[error("the audit log ends at entry {seq}, but its head says {head}: its end was cut off or replaced")]
    Head {
        /// Where it ends.
        seq: u64,
        /// Where it should.
        head: u64,
    },
    /// A head that was noted earlier is not in it.
    #[error(
        "entry {seq} is not the one that was noted as the head at that time: the head was mistyped or belongs to another audit log, or the audit log was replaced from there or earlier"
    )]
    NotContained {
        /// The number that the head names.
        seq: u64,
    },
    /// Written by somebody who does not have the key.
    #[error("{} not authenticated by the key of the audit log: {}", numbered(*first, *last), forged(*missing))]
    Unauthentic {
        /// The first such entry.
        first: u64,
        /// The last of those that follow it without a gap.
        last: u64,
        /// Whether the first has no MAC at all, rather than a wrong one.
        missing: bool,
    },
}

fn numbered(first: u64, last: u64) -> String {
    if first == last { format!("entry {first} is") } else { format!("entries {first} to {last} are") }
}

fn forged(missing: bool) -> &'static str {
    if missing {
        "written by somebody who does not have the key, or stripped of the MAC"
    } else {
        "written by somebody who does not have the key, or with another key"
    }
}

fn entries(expected: u64, seq: u64) -> String {
    if seq == expected + 1 {
        format!("entry {expected} is")
    } else {
        format!("entries {expected} to {} are", seq - 1)
    }
}
