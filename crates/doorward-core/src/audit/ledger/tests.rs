//! How rows are measured by what entries say.

use jiff::Timestamp;

use super::*;
use crate::audit::{Authenticator, Event, Left, RowLeft, Who, append_authentic};
use crate::grant::Ending;

struct Key;

impl Authenticator for Key {
    fn mac(&self, text: &[u8]) -> Hash {
        Hash::of(&[b"secret", text].concat())
    }

    fn is_mac(&self, text: &[u8], mac: &Hash) -> bool {
        self.mac(text) == *mac
    }
}

fn id(letter: u8) -> GrantId {
    GrantId::from_random([letter; 8])
}

fn entry(head: Head, what: What, row: &str) -> Entry {
    let event = Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, what);
    let left = Left { grant: Some(Hash::of(row.as_bytes())), rows: Vec::new() };
    append_authentic(head, event, left, &Key).expect("an entry").1
}

fn extended(letter: u8) -> What {
    What::Extended { grant: id(letter), until: Timestamp::UNIX_EPOCH, reason: None, approved: None }
}

fn ended(letter: u8) -> What {
    What::Ended { grant: id(letter), how: Ending::TimeUp }
}

fn ledger(entries: &[(What, &str)]) -> Ledger {
    let mut ledger = Ledger::default();
    for (what, row) in entries {
        ledger.take(&entry(ledger.head(), what.clone(), row));
    }
    ledger
}

#[test]
fn a_row_is_measured_by_the_last_entry_of_its_grant() {
    let ledger =
        ledger(&[(extended(1), "one"), (extended(2), "two"), (extended(1), "later"), (ended(2), "over")]);
    let now = ledger.at(4).expect("now");
    assert_eq!(now.check(&id(1), "later", false), Ok(()));
    assert_eq!(now.check(&id(1), "one", false), Err(RowMismatch::Otherwise { seq: 3 }), "an earlier row");
    assert_eq!(now.check(&id(1), "later", true), Err(RowMismatch::Otherwise { seq: 3 }), "ended by nobody");
    assert_eq!(now.check(&id(2), "two", false), Err(RowMismatch::Over { seq: 4 }), "an ended one is back");
    assert_eq!(now.check(&id(2), "over", true), Ok(()));
    assert_eq!(now.check(&id(2), "altered", true), Err(RowMismatch::Otherwise { seq: 4 }));
    assert_eq!(now.check(&id(3), "three", false), Err(RowMismatch::Unknown));
    assert_eq!(now.gone(|_| false), [(id(1), RowMismatch::Gone { seq: 3 })]);
    assert_eq!(now.gone(|held| *held == id(1)), []);
}

#[test]
fn rows_that_were_read_a_moment_ago_are_measured_by_that_moment() {
    let ledger =
        ledger(&[(extended(1), "one"), (extended(1), "later"), (ended(1), "over"), (extended(2), "two")]);
    for (seq, row, over) in [(1, "one", false), (2, "later", false), (3, "over", true), (4, "over", true)] {
        let then = ledger.at(seq).expect("a moment");
        assert_eq!(then.check(&id(1), row, over), Ok(()), "{seq}");
    }
    let then = ledger.at(3).expect("a moment");
    assert_eq!(then.check(&id(2), "two", false), Err(RowMismatch::Unknown), "it came later");
    assert_eq!(ledger.at(2).expect("a moment").gone(|_| false), [(id(1), RowMismatch::Gone { seq: 2 })]);
    assert_eq!(ledger.at(3).expect("a moment").gone(|_| false), []);
}

#[test]
fn what_is_too_long_ago_is_not_known() {
    let mut ledger = Ledger::default();
    for number in 0..RECENT as u64 + 10 {
        ledger.take(&entry(ledger.head(), extended((number % 7) as u8), "row"));
    }
    assert!(ledger.at(5).is_none());
    assert!(ledger.at(RECENT as u64).is_some());
}

#[test]
fn an_alarm_stands_until_the_record_is_sealed() {
    let alarm = What::LogAlarm { found: vec!["a row".into()], log: false };
    let mut ledger = ledger(&[(extended(1), "one"), (extended(2), "two"), (alarm.clone(), ""), (alarm, "")]);
    assert_eq!(ledger.alarms(), ["a row"]);
    let grants = [(id(2), Hash::of(b"two"))].into();
    ledger.take(&entry(ledger.head(), sealed(ledger.head(), grants), ""));
    assert!(ledger.alarms().is_empty());
    let now = ledger.at(5).expect("now");
    assert_eq!(now.check(&id(1), "one", false), Err(RowMismatch::Unknown), "it was not taken over");
    assert_eq!(now.check(&id(2), "two", false), Ok(()));
    assert_eq!(ledger.at(4).expect("before").check(&id(1), "one", false), Ok(()));
}

fn sealed(head: Head, grants: BTreeMap<GrantId, Hash>) -> What {
    let found = vec!["a row".into()];
    What::LogSealed { sealed: head.to_string(), digest: Hash::ZERO, rows: Hash::ZERO, found, grants }
}

#[test]
fn an_alarm_over_the_log_itself_stands_until_the_record_is_sealed_also_in_a_saved_ledger() {
    let alarm = |found: &str, log| What::LogAlarm { found: vec![found.into()], log };
    let mut ledger = ledger(&[(alarm("a row", false), "")]);
    assert_eq!(ledger.log_alarm(), None);
    for found in ["entry 3 was changed", "something later"] {
        ledger.take(&entry(ledger.head(), alarm(found, true), ""));
    }
    ledger.take(&entry(ledger.head(), ended(1), ""));
    assert_eq!(ledger.alarms().len(), 3);
    let saved = Ledger::restored(&ledger.saved().expect("text")).expect("a ledger");
    for mut ledger in [ledger, saved] {
        assert_eq!(ledger.log_alarm(), Some("entry 3 was changed"));
        ledger.take(&entry(ledger.head(), sealed(ledger.head(), BTreeMap::new()), ""));
        assert_eq!(ledger.log_alarm(), None);
    }
}

#[test]
fn an_alarm_of_a_version_before_is_none_over_the_log_itself() {
    let before = r#"{"what":"log-alarm","found":["a row"]}"#;
    let what: What = serde_json::from_str(before).expect("an event");
    assert_eq!(what, What::LogAlarm { found: vec!["a row".into()], log: false });
    assert_eq!(serde_json::to_string(&what).expect("text"), before);
    assert_eq!(what.to_string(), "found the store altered: a row");
    let log = What::LogAlarm { found: vec!["entry 3".into()], log: true };
    assert_eq!(log.to_string(), "found the audit log altered: entry 3");
}

/// An entry that tells of rows, each by its key and what is in it.
fn rows(head: Head, at: i64, told: &[(&str, Option<&str>, Option<i64>)]) -> Entry {
    let instant = |second| Timestamp::from_second(second).expect("an instant");
    let left = |(key, row, until): &(&str, Option<&str>, Option<i64>)| RowLeft {
        table: Table::Sessions,
        key: (*key).to_owned(),
        state: row.map(|row| Hash::of(row.as_bytes())),
        until: until.map(instant),
    };
    let left = Left { grant: None, rows: told.iter().map(left).collect() };
    append_authentic(head, Event::new(instant(at), Who::Doorward, What::SignedIn), left, &Key)
        .expect("an entry")
        .1
}

#[test]
fn a_row_beside_the_grants_is_what_the_last_entry_of_it_says() {
    let mut ledger = Ledger::default();
    assert!(!ledger.tells_of_rows());
    for told in [
        vec![("a", Some("one"), None), ("b", Some("two"), None)],
        vec![("a", Some("later"), None)],
        vec![("b", None, None)],
    ] {
        ledger.take(&rows(ledger.head(), 0, &told));
    }
    assert!(ledger.tells_of_rows());
    let check = |ledger: &Ledger, seq, key, row: &str| {
        ledger.at(seq).expect("a moment").check_row(Table::Sessions, key, Hash::of(row.as_bytes()))
    };
    let missing = |ledger: &Ledger, seq, held: &[&str]| {
        let then = ledger.at(seq).expect("a moment");
        then.missing_rows(Table::Sessions, (None, None), Timestamp::UNIX_EPOCH, |key| held.contains(&key))
    };
    // It is the same of a ledger that was saved.
    for ledger in [&ledger, &Ledger::restored(&ledger.saved().expect("text")).expect("a ledger")] {
        assert_eq!(check(ledger, 3, "a", "later"), Ok(()));
        assert_eq!(
            check(ledger, 3, "a", "one"),
            Err(TableRowMismatch::Otherwise { seq: 2 }),
            "an earlier row"
        );
        assert_eq!(check(ledger, 3, "b", "two"), Err(TableRowMismatch::Unknown), "one that is gone is back");
        assert_eq!(check(ledger, 3, "c", "three"), Err(TableRowMismatch::Unknown));
        assert_eq!(missing(ledger, 3, &[]), [("a".to_owned(), 2)]);
        assert_eq!(missing(ledger, 3, &["a"]), []);
        let now = ledger.at(3).expect("now");
        let part =
            |after, to| now.missing_rows(Table::Sessions, (after, to), Timestamp::UNIX_EPOCH, |_| false);
        assert_eq!((part(None, Some("a")).len(), part(Some("a"), None).len()), (1, 0));
        assert_eq!((part(Some("b"), Some("a")).len(), now.row(Table::Known, "a")), (0, None));
    }
    assert_eq!(check(&ledger, 1, "a", "one"), Ok(()), "as it was then");
    assert_eq!(check(&ledger, 2, "b", "two"), Ok(()));
    assert_eq!(missing(&ledger, 1, &["a"]), [("b".to_owned(), 1)]);
    let restored = Ledger::restored(&ledger.saved().expect("text")).expect("a ledger");
    assert!(restored.at(2).is_none(), "how it was before is not saved");
}

#[test]
fn rows_that_have_expired_are_not_missed_and_are_forgotten() {
    let mut ledger = Ledger::default();
    ledger.take(&rows(ledger.head(), 0, &[("a", Some("one"), Some(7200)), ("b", Some("two"), None)]));
    let missing = |ledger: &Ledger, second| {
        let now = Timestamp::from_second(second).expect("an instant");
        ledger.at(u64::MAX).expect("now").missing_rows(Table::Sessions, (None, None), now, |_| false).len()
    };
    assert_eq!((missing(&ledger, 0), missing(&ledger, 7199), missing(&ledger, 7200)), (2, 2, 1));
    for second in 0..5000 {
        let (key, until) = (second.to_string(), Some(second + 60));
        ledger.take(&rows(ledger.head(), second, &[(&key, Some("short"), until)]));
        assert!(ledger.rows() < 5000 && ledger.rows() >= 2);
    }
    for second in [20_000; 6000] {
        ledger.take(&rows(ledger.head(), second, &[]));
    }
    assert_eq!(ledger.rows(), 1, "one without an end");
}

#[test]
fn grants_that_ended_lately_are_held_for_their_person_also_when_they_end_twice() {
    let [jon, lee]: [crate::policy::Person; 2] = ["jon", "lee"].map(|name| name.parse().expect("a name"));
    let moved = |letter: u8| What::Moved {
        grant: id(letter),
        before: id(9),
        person: jon.clone(),
        target: "wiki".parse().expect("a target"),
        transport: crate::policy::Transport::Direct,
        was: "203.0.113.7".parse().expect("an address"),
        source: "203.0.113.8".parse().expect("an address"),
        until: Timestamp::UNIX_EPOCH,
        approved_by: None,
    };
    let of = |ledger: &Ledger, person| -> Vec<(GrantId, Hash)> {
        let ended = ledger.ended_lately(person, Timestamp::UNIX_EPOCH).into_iter();
        ended.map(|one| (one.grant, one.state)).collect()
    };
    let entries = [(moved(1), "open"), (ended(1), "over"), (ended(1), "again"), (ended(2), "forged")];
    let ledger = ledger(&entries);
    let saved = Ledger::restored(&ledger.saved().expect("saved")).expect("restored");
    for ledger in [ledger, saved] {
        assert_eq!(of(&ledger, &jon), [(id(1), Hash::of(b"again"))]);
        assert_eq!(of(&ledger, &lee), []);
    }
}
