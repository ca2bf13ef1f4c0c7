//! The record: every decision and every change, each line chained to the one before by its hash, and authenticated by a key.

mod authentic;
mod broken;
pub mod cloudtrail;
mod event;
mod hash;
mod ledger;
mod row;
mod run;
mod said;
mod verifier;
mod what;
mod words;

use serde::{Deserialize, Serialize};

pub use authentic::{Authenticator, Sealed, Whole};
pub use broken::Broken;
pub use event::{Event, Login, Who};
pub use hash::{Hash, Head, NotAHash, NotAHead};
pub use ledger::{Earlier, EndedLately, KEPT_AFTER_EXPIRY, Ledger, RowMismatch, TableRowMismatch};
pub use row::{Left, RowLeft, Table};
pub use run::{PlanRun, RunBegun, RunEnded, RunOutcome};
pub use said::Said;
pub use verifier::{Contained, Entry, Verifier};
pub use what::{ApprovedRequest, What};

use crate::text::shown_json;

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
    /// SHA-256 of the grant that the event left, as the store keeps it: what the event says of a grant is bound to
    /// all of it (person, target, transport, source, end, approval). An entry of an early version has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Hash>,
    /// How the event left the other rows of the store, so that which rows there are is known from the record. An entry of
    /// an early version says nothing of them.
    #[serde(default, rename = "kept", skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<RowLeft>,
}

/// A line as it is kept and exported: one JSON object, its own hash last, and behind it the MAC.
///
/// The hash covers the bytes of the object without its hash, so a line is checked as it was written and
/// never depends on how a later version would write it. Characters that do not show are escaped: a name that a stranger
/// typed is shown as it is by whatever prints the line.
pub fn append(head: Head, event: Event) -> Result<(String, Head), serde_json::Error> {
    let line =
        Line { seq: head.seq.saturating_add(1), prev: head.hash, event, state: None, rows: Vec::new() };
    let (open, head) = hashed(&line)?;
    Ok((format!("{open}\"}}"), head))
}

/// The same with what the event left in the store, and with the MAC of the key's holder.
pub fn append_authentic(
    head: Head,
    event: Event,
    left: Left,
    key: &dyn Authenticator,
) -> Result<(String, Entry), serde_json::Error> {
    let Left { grant: state, rows } = left;
    let line = Line { seq: head.seq.saturating_add(1), prev: head.hash, event, state, rows };
    let (open, head) = hashed(&line)?;
    let mac = key.mac(&authentic::covered(head.hash));
    Ok((format!("{open}\",\"mac\":\"{mac}\"}}"), Entry { line, head, mac: Some(mac) }))
}

/// The line up to the quote behind its hash, and the head that it makes.
fn hashed(line: &Line) -> Result<(String, Head), serde_json::Error> {
    let body = serde_json::to_string(line)?;
    let body = shown_json(&body);
    let hash = Hash::of(body.as_bytes());
    let open = body.strip_suffix('}').unwrap_or(&body);
    Ok((format!("{open},\"hash\":\"{hash}"), Head { seq: line.seq, hash }))
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
                why: "the grant expired".into(),
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
                "disconnected g-k3v9t2m4x7q8 by ssm (jon-0a1b) after 18446744073709551615 bytes up and 0 down: the grant expired",
                "ended the session jon-0a1b to i-0a1b: g-k3v9t2m4x7q8 by ssm has ended",
            ]
        );
    }
}
