//! Changes of a store that the running server notices by itself.

use doorward_core::audit::{Event, What, Who};

use super::super::grants::SWALLOWED;
use super::super::{AuditFiles, WhenLost};
use super::*;

fn event() -> Event {
    Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead)
}

async fn store(folder: &tempfile::TempDir, entries: usize) -> Store {
    let path = folder.path().join("doorward.db").display().to_string();
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    store.commit(&[], vec![event(); entries]).await.expect("recorded");
    store
}

/// How many steps of so many entries a walk takes.
async fn walk(store: &Store, entries: u64) -> usize {
    let mut walk = Walk::begin(store);
    let mut steps = 1;
    while !walk.step(store, entries).await.expect("read") {
        steps += 1;
    }
    steps
}

#[tokio::test]
async fn the_record_is_read_again_by_parts_of_a_bounded_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder, 25).await;
    let before = store.lines_read();
    let mut walk = Walk::begin(&store);
    assert!(!walk.step(&store, 10).await.expect("read"));
    assert_eq!(store.lines_read() - before, 10);
    // What is appended meanwhile is of the next walk.
    store.commit(&[], vec![event(); 25]).await.expect("recorded");
    assert!(!walk.step(&store, 10).await.expect("read"));
    assert!(walk.step(&store, 10).await.expect("read"));
    assert_eq!(store.distrusted(), None);
}

#[tokio::test]
async fn an_edit_of_an_entry_that_was_read_long_ago_is_noticed_by_the_running_server() {
    for edit in [
        "UPDATE record SET line = replace(line, 'record-read', 'signed-in') WHERE seq = 3",
        "DELETE FROM record WHERE seq = 3",
        "UPDATE record SET at = 1 WHERE seq = 3",
        "UPDATE record SET line = (SELECT line FROM record WHERE seq = 4) WHERE seq = 3",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder, 25).await;
        assert_eq!(walk(&store, 10).await, 3, "{edit}");
        assert_eq!(store.distrusted(), None);
        sqlx::query(edit).execute(&store.pool).await.expect("an edit");
        store.check_head().await.expect("read");
        assert_eq!(store.distrusted(), None, "nothing was read again yet");
        walk(&store, 10).await;
        assert!(store.distrusted().is_some(), "{edit}");
    }
}

#[tokio::test]
async fn a_value_of_another_type_or_a_table_that_is_gone_is_an_alteration_and_no_silence_of_the_store() {
    for edit in [
        "UPDATE record SET line = x'00ff' WHERE seq = 3",
        "UPDATE record SET line = CAST(x'ff' AS TEXT) WHERE seq = 3",
        "UPDATE record SET at = 'x' WHERE seq = 3",
        "UPDATE record SET grant_id = x'00' WHERE seq = 3",
        "UPDATE record SET line = hex(zeroblob(2000000)) WHERE seq = 3",
        "INSERT INTO grants VALUES ('g-aaaaaaaaaaaa', 'jon', 'wiki', 'open', 1, 0, CAST(x'ff' AS TEXT), '')",
        "DROP TABLE record",
        "DROP TABLE head",
        "DROP TABLE grants",
        "ALTER TABLE record RENAME COLUMN line TO text",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder, 25).await;
        run(&store, edit).await;
        let mut walk = Walk::begin(&store);
        // The server polls each second, in each pass, and checks a part twice a minute.
        let _ = store.check_head().await;
        let _ = store.unsettled().await;
        let part = store.verify_part(&mut walk, Timestamp::now()).await;
        let _ = store.or_distrusted(part);
        assert!(store.distrusted().is_some(), "{edit}");
        let refused = store.commit(&[], vec![event()]).await;
        assert!(refused.is_err() || edit.contains("record SET") || edit.contains("grants"), "{edit}");
        store.close().await;
        // A start reports it, too, instead of giving up: what is open has to be revoked.
        let path = folder.path().join("doorward.db").display().to_string();
        let again = Store::open(&path, [1; 4]).await.expect("a store");
        let _ = again.unsettled().await;
        assert!(again.distrusted().is_some(), "{edit}");
        let verified = again.verify_all(&[]).await;
        assert!(verified.is_err() || verified.is_ok_and(|verified| !verified.found.is_empty()), "{edit}");
        again.close().await;
    }
}

#[tokio::test]
async fn a_row_of_a_grant_that_cannot_be_read_is_not_believed_and_conceals_no_other() {
    for junk in ["x'00ff'", "NULL", "7", "hex(zeroblob(2000000))"] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder, 3).await;
        let row =
            format!("INSERT INTO grants VALUES ('g-aaaaaaaaaaaa', 'jon', 'wiki', 'open', 1, 0, {junk}, '')");
        // The column takes no NULL.
        if sqlx::query(sqlx::AssertSqlSafe(row)).execute(&store.pool).await.is_err() {
            assert_eq!(junk, "NULL");
            continue;
        }
        let unsettled = store.unsettled().await.expect("read");
        assert_eq!(unsettled.mistrusted.len(), 1, "{junk}");
        assert_eq!(unsettled.mistrusted[0].id, "g-aaaaaaaaaaaa");
        assert_eq!(store.distrusted(), None, "{junk}");
    }
}

#[tokio::test]
async fn a_store_that_was_overwritten_is_distrusted_by_a_server_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder, 3).await;
    store.close().await;
    let path = folder.path().join("doorward.db");
    std::fs::write(&path, [7; 4096]).expect("overwritten");
    let shown = path.display().to_string();
    let again = Store::open(&shown, [1; 4]).await.expect("a store");
    assert!(again.distrusted().is_some_and(|why| why.contains("is not a database any more")));
    assert!(again.unsettled().await.expect("read").grants.is_empty());
    again.close().await;
    assert_eq!(std::fs::read(&path).expect("a file"), [7; 4096]);
    // A command has nothing to do there, and neither has a server where there was no store.
    let files = AuditFiles::beside(&shown);
    assert!(Store::open_for(&shown, &files, [1; 4], WhenLost::Refuse).await.is_err());
    std::fs::remove_file(folder.path().join("doorward.db.audit-head")).expect("removed");
    assert!(Store::open(&shown, [1; 4]).await.is_err());
}

#[tokio::test]
async fn what_is_no_file_in_the_place_of_a_store_keeps_no_server_from_revoking() {
    for what in ["folder", "pipe", "link to itself", "journal that is a pipe", "index that is a folder"] {
        let folder = tempfile::tempdir().expect("a folder");
        store(&folder, 3).await.close().await;
        let path = folder.path().join("doorward.db");
        let side = |ending: &str| folder.path().join(format!("doorward.db{ending}"));
        let pipe = |path: &std::path::Path| {
            let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo");
            assert!(made.success());
        };
        if !what.contains("that is") {
            std::fs::remove_file(&path).expect("a file");
        }
        match what {
            "folder" => std::fs::create_dir(&path).expect("a folder"),
            "pipe" => pipe(&path),
            "link to itself" => std::os::unix::fs::symlink(&path, &path).expect("a link"),
            "journal that is a pipe" => pipe(&side("-journal")),
            _ => std::fs::create_dir(side("-shm")).expect("a folder"),
        }
        let shown = path.display().to_string();
        let opening = Store::open(&shown, [1; 4]);
        let again = tokio::time::timeout(std::time::Duration::from_secs(20), opening).await;
        let again = again.expect("it does not wait").expect("a stand-in");
        let why = again.distrusted().expect("distrusted");
        assert!(why.contains("is not a database any more: "), "{what}: {why}");
        assert!(again.unsettled().await.expect("read").grants.is_empty());
        again.close().await;
        let files = AuditFiles::beside(&shown);
        assert!(Store::open_for(&shown, &files, [1; 4], WhenLost::Refuse).await.is_err(), "{what}");
    }
}

async fn run(store: &Store, statement: &'static str) {
    sqlx::query(statement).execute(&store.pool).await.expect("a statement");
}

#[tokio::test]
async fn a_store_that_swallows_or_alters_entries_is_noticed_with_the_first_and_opens_nothing_more() {
    for (what, trigger) in [
        ("record", "BEFORE INSERT ON record BEGIN SELECT RAISE(IGNORE); END"),
        ("record", "AFTER INSERT ON record BEGIN DELETE FROM record WHERE seq = NEW.seq; END"),
        ("record", "AFTER INSERT ON record BEGIN UPDATE record SET line = 'x' WHERE seq = NEW.seq; END"),
        ("head", "BEFORE UPDATE ON head WHEN NEW.seq <> OLD.seq BEGIN SELECT RAISE(IGNORE); END"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder, 3).await;
        let head = store.head().await.expect("a head");
        let create = sqlx::AssertSqlSafe(format!("CREATE TRIGGER swallows {trigger}"));
        sqlx::query(create).execute(&store.pool).await.expect("a trigger");
        let error = store.commit(&[], vec![event()]).await.expect_err("swallowed");
        assert!(matches!(error, Error::Distrusted { .. }), "{what}: {error}");
        assert!(store.distrusted().is_some(), "{trigger}");
        assert_eq!(store.head().await.expect("a head"), head, "undone: {trigger}");
        // Who looks on the machine hears of it, although the audit log is whole.
        let path = folder.path().join("doorward.db").display().to_string();
        let again = Store::open(&path, [1; 4]).await.expect("a store");
        let found = again.verify_all(&[]).await.expect("read").foreign;
        assert!(found[0].starts_with("the trigger \"swallows\" on the table"), "{found:?}");
        again.close().await;
        // It is told in the audit log as soon as that keeps anything.
        let alarm = Some(What::LogAlarm { found: vec![SWALLOWED.into()], log: true });
        assert_eq!(store.unrecorded_alarm(), alarm);
        store.alarm_is_unrecorded();
        run(&store, "DROP TRIGGER swallows").await;
        assert_eq!(store.unrecorded_alarm(), alarm);
        assert_eq!(store.unrecorded_alarm(), None);
    }
}

#[tokio::test]
async fn an_end_that_was_cut_off_or_altered_is_noticed_by_a_pass_although_the_head_stayed() {
    for edit in [
        "DELETE FROM record WHERE seq = 25",
        "DELETE FROM record WHERE seq > 20",
        "UPDATE record SET line = replace(line, 'record-read', 'signed-in') WHERE seq = 25",
        "UPDATE record SET at = 1 WHERE seq = 25",
        "UPDATE record SET line = (SELECT line FROM record WHERE seq = 24) WHERE seq = 25",
        "INSERT INTO record SELECT 26, at, grant_id, line FROM record WHERE seq = 25",
        "DELETE FROM record",
        "DELETE FROM head",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder, 25).await;
        store.check_head().await.expect("read");
        assert_eq!(store.distrusted(), None);
        run(&store, edit).await;
        store.check_head().await.expect("read");
        assert!(store.distrusted().is_some(), "{edit}");
    }
}

#[tokio::test]
async fn a_record_of_5000_entries_is_read_again_at_once_and_of_a_longer_one_the_latest_entries() {
    for (entries, seq) in [(5000, 2), (7000, 6500)] {
        for edit in ["DELETE FROM record WHERE seq = $1", "UPDATE record SET line = 'x' WHERE seq = $1"] {
            let folder = tempfile::tempdir().expect("a folder");
            let store = store(&folder, entries).await;
            let mut walk = Walk::begin(&store);
            store.verify_part(&mut walk, Timestamp::now()).await.expect("read");
            assert_eq!(store.distrusted(), None, "{entries}");
            sqlx::query(edit).bind(seq).execute(&store.pool).await.expect("an edit");
            let mut walk = Walk::begin(&store);
            store.verify_part(&mut walk, Timestamp::now()).await.expect("read");
            assert!(store.distrusted().is_some(), "{entries}: {edit}");
        }
    }
}

#[tokio::test]
async fn what_an_operator_accepted_is_no_new_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder, 25).await;
    sqlx::query("UPDATE record SET at = 1 WHERE seq = 3").execute(&store.pool).await.expect("an edit");
    walk(&store, 10).await;
    let verified = store.verify_all(&[]).await.expect("read");
    let event = |what| Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, what);
    store.accept(verified.head, event, verified.found).await.expect("accepted");
    walk(&store, 10).await;
    store.verify_latest().await.expect("read");
    assert_eq!(store.distrusted(), None);
}
