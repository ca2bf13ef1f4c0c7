//! Tests of how long an alarm lasts, whatever is done to the store and by whichever process.

use std::path::PathBuf;
use std::time::Duration;

use doorward_core::audit::{Event, What, Who};
use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::super::outside::{AuditFiles, Noted};
use super::super::verify::STANDING;
use super::*;

fn event(what: What) -> Event {
    Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, what)
}

/// One store, and the files of the servers that share it.
struct House(tempfile::TempDir);

impl House {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> String {
        self.0.path().join("doorward.db").display().to_string()
    }

    /// A process of the first server's machine.
    async fn open(&self) -> Store {
        Store::open(&self.path(), [1; 4]).await.expect("a store")
    }

    /// A server with files of its own, at first copied from the first server.
    async fn other(&self) -> Store {
        let first = AuditFiles::beside(&self.path());
        let own = AuditFiles { key: self.0.path().join("other.key"), head: self.0.path().join("other.head") };
        if !own.key.exists() {
            std::fs::copy(&first.key, &own.key).expect("a key");
            std::fs::copy(&first.head, &own.head).expect("a head");
        }
        Store::open_with(&self.path(), &own, [1; 4]).await.expect("a store")
    }

    fn head(&self) -> PathBuf {
        AuditFiles::beside(&self.path()).head
    }
}

async fn run(store: &Store, statement: &str) {
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&store.pool).await.expect("a statement");
}

async fn entries(store: &Store, count: usize) -> Head {
    store.commit(&[], vec![event(What::RecordRead); count]).await.expect("recorded")
}

/// The columns of the last entry are changed, which the next check sees.
async fn alter(store: &Store) {
    run(store, "UPDATE record SET at = at + 1 WHERE seq = (SELECT max(seq) FROM record)").await;
    store.check_head().await.expect("read");
    assert!(store.distrusted().is_some());
}

async fn put_back(store: &Store) {
    run(store, "UPDATE record SET at = 0").await;
}

/// As somebody cuts the end off who can compute.
async fn cut(store: &Store, to: Head) {
    run(store, &format!("DELETE FROM record WHERE seq > {}", to.seq)).await;
    run(store, &format!("UPDATE head SET seq = {}, hash = '{}'", to.seq, to.hash)).await;
}

/// The alarm is put into the audit log, as the server does it, and noted outside.
async fn raise(store: &Store) {
    let alarm = store.unrecorded_alarm().expect("an alarm");
    store.commit(&[], vec![event(alarm)]).await.expect("recorded");
    noted(store).await;
}

async fn noted(store: &Store) {
    for _ in 0..2000 {
        if !store.trust.is_noting() && store.trust.is_alarm_noted() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the alarm was not noted");
}

async fn is_trusted(store: &Store) -> bool {
    for _ in 0..3 {
        store.check_head().await.expect("read");
    }
    store.distrusted().is_none()
}

async fn accept(store: &Store) {
    let verified = store.verify_all(&[]).await.expect("read");
    assert!(!verified.found.is_empty());
    store.accept(verified.head, event, verified.found).await.expect("accepted");
}

#[tokio::test]
async fn an_alarm_of_a_running_server_ends_by_no_other_process_that_writes_and_by_no_row_that_is_put_back() {
    for is_raised in [true, false] {
        let house = House::new();
        let server = house.open().await;
        entries(&server, 5).await;
        alter(&server).await;
        let why = server.distrusted().expect("an alarm");
        if is_raised {
            raise(&server).await;
        }
        put_back(&server).await;
        let command = house.open().await;
        assert_eq!(command.distrusted(), is_raised.then(|| why.clone()), "it reads the alarm");
        // It writes an entry and, where it knows of no alarm, the head file.
        entries(&command, 1).await;
        command.close().await;
        assert!(!is_trusted(&server).await, "raised: {is_raised}");
        if !is_raised {
            raise(&server).await;
        }
        assert!(!is_trusted(&server).await);
        let command = house.open().await;
        let found = command.verify_all(&[]).await.expect("read").found;
        assert_eq!(found, [format!("{STANDING}{why}")]);
        accept(&command).await;
        command.close().await;
        assert!(is_trusted(&server).await, "accepted");
        assert!(server.alarms().is_empty());
        entries(&server, 1).await;
        server.close().await;
        assert_eq!(house.open().await.distrusted(), None);
    }
}

#[tokio::test]
async fn an_alarm_outlives_a_restart_although_the_store_was_put_back_with_or_without_its_entry() {
    for what in ["with the entry", "without the entry", "never recorded", "a head file from before"] {
        let house = House::new();
        let server = house.open().await;
        let end = entries(&server, 5).await;
        server.close().await;
        let before = std::fs::read(house.head()).expect("a head");
        let server = house.open().await;
        alter(&server).await;
        let why = server.distrusted().expect("an alarm");
        if what == "never recorded" {
            assert!(server.unrecorded_alarm().is_some());
            server.alarm_is_unrecorded();
            noted(&server).await;
        } else {
            raise(&server).await;
        }
        put_back(&server).await;
        if what == "without the entry" {
            cut(&server, end).await;
        }
        server.close().await;
        if what == "a head file from before" {
            std::fs::write(house.head(), &before).expect("a head");
        }
        for _ in 0..2 {
            let server = house.open().await;
            assert!(!is_trusted(&server).await, "{what}");
            assert_eq!(server.distrusted().as_ref(), Some(&why), "{what}");
            let found = server.verify_all(&[]).await.expect("read").found;
            assert!(found.contains(&format!("{STANDING}{why}")), "{what}: {found:?}");
            // Each start records what the log does not have.
            if server.unrecorded_alarm().is_some_and(|_| what != "with the entry") {
                server.alarm_is_unrecorded();
                raise(&server).await;
            }
            server.close().await;
        }
        let server = house.open().await;
        let command = house.open().await;
        accept(&command).await;
        command.close().await;
        assert!(is_trusted(&server).await, "{what}");
        server.close().await;
        let again = house.open().await;
        assert!(is_trusted(&again).await && again.alarms().is_empty(), "{what}");
        assert!(again.verify().await.expect("read").is_ok());
    }
}

#[tokio::test]
async fn an_alarm_of_one_server_and_its_acceptance_are_those_of_the_others() {
    for is_cut in [false, true] {
        let house = House::new();
        let server = house.open().await;
        let early = entries(&server, 5).await;
        let other = house.other().await;
        entries(&server, 3).await;
        assert!(is_trusted(&other).await);
        if is_cut {
            cut(&server, early).await;
            assert!(!is_trusted(&server).await && !is_trusted(&other).await);
            raise(&other).await;
        } else {
            alter(&server).await;
            put_back(&server).await;
        }
        raise(&server).await;
        assert!(!is_trusted(&other).await);
        if !is_cut {
            assert_eq!(other.distrusted(), server.distrusted());
            assert_eq!(other.unrecorded_alarm(), None, "it is in the audit log");
        }
        noted(&other).await;
        // Whichever starts now reads it, too.
        other.close().await;
        let other = house.other().await;
        assert!(!is_trusted(&other).await);
        let command = house.open().await;
        accept(&command).await;
        command.close().await;
        assert!(is_trusted(&server).await && is_trusted(&other).await, "cut: {is_cut}");
        for store in [&server, &other] {
            entries(store, 1).await;
            assert!(store.alarms().is_empty());
            store.close().await;
        }
        assert!(is_trusted(&house.open().await).await && is_trusted(&house.other().await).await);
    }
}

#[tokio::test]
async fn a_server_that_was_stopped_meanwhile_believes_what_was_accepted() {
    let house = House::new();
    let server = house.open().await;
    entries(&server, 5).await;
    let other = house.other().await;
    alter(&server).await;
    put_back(&server).await;
    raise(&server).await;
    assert!(!is_trusted(&other).await);
    noted(&other).await;
    other.close().await;
    accept(&server).await;
    assert_eq!(house.other().await.distrusted(), None);
}

#[tokio::test]
async fn no_earlier_acceptance_ends_an_alarm() {
    let house = House::new();
    let server = house.open().await;
    entries(&server, 5).await;
    alter(&server).await;
    accept(&server).await;
    let end = entries(&server, 2).await;
    run(&server, "CREATE TABLE copy AS SELECT * FROM record").await;
    alter(&server).await;
    raise(&server).await;
    // As it was before the alarm, with the entry that accepted the audit log then.
    run(&server, "DELETE FROM record").await;
    run(&server, "INSERT INTO record SELECT * FROM copy").await;
    cut(&server, end).await;
    assert!(!is_trusted(&server).await);
    server.close().await;
    assert!(!is_trusted(&house.open().await).await);
}

#[tokio::test]
async fn an_alarm_that_is_deleted_from_the_audit_log_is_recorded_again() {
    let house = House::new();
    let server = house.open().await;
    let end = entries(&server, 5).await;
    alter(&server).await;
    raise(&server).await;
    assert_eq!(server.unrecorded_alarm(), None);
    assert!(!is_trusted(&server).await);
    put_back(&server).await;
    cut(&server, end).await;
    assert!(!is_trusted(&server).await);
    raise(&server).await;
    assert!(!is_trusted(&server).await);
    assert_eq!(server.unrecorded_alarm(), None);
    accept(&house.open().await).await;
    assert!(is_trusted(&server).await);
}

#[tokio::test]
async fn a_process_that_began_before_does_not_write_over_an_alarm() {
    let house = House::new();
    let server = house.open().await;
    entries(&server, 5).await;
    let command = house.open().await;
    alter(&server).await;
    put_back(&server).await;
    // Not in the audit log yet.
    assert!(server.unrecorded_alarm().is_some());
    noted(&server).await;
    entries(&command, 1).await;
    command.close().await;
    assert_eq!(command.distrusted(), server.distrusted());
    let (there, head) = Noted::read(&house.head(), &server.trust.key).expect("a head").expect("a head");
    assert_eq!(there.alarm(head).map(|alarm| alarm.why), server.distrusted());
    // And where one did, the server notes it again.
    std::fs::remove_file(house.head()).expect("a file");
    assert!(!is_trusted(&server).await);
    noted(&server).await;
    let again = Noted::read(&house.head(), &server.trust.key).expect("a head").expect("a head");
    assert_eq!(again, (there, head));
}

#[tokio::test]
async fn a_head_file_that_is_back_ends_what_was_only_its_fault() {
    for is_altered in [false, true] {
        let house = House::new();
        let server = house.open().await;
        entries(&server, 5).await;
        server.close().await;
        let whole = std::fs::read(house.head()).expect("a head");
        std::fs::write(house.head(), "{}").expect("a file");
        let server = house.open().await;
        assert!(server.distrusted().is_some_and(|why| why.contains("was not written with the audit key")));
        let alarm = server.unrecorded_alarm();
        assert!(matches!(&alarm, Some(What::LogAlarm { log: false, .. })), "{alarm:?}");
        entries(&server, 1).await;
        assert!(!is_trusted(&server).await);
        if is_altered {
            run(&server, "UPDATE record SET at = 1 WHERE seq = 6").await;
        }
        std::fs::write(house.head(), &whole).expect("a file");
        assert_eq!(is_trusted(&server).await, !is_altered);
        if is_altered {
            raise(&server).await;
            put_back(&server).await;
            assert!(!is_trusted(&server).await, "now it is the store's");
        }
    }
}
