//! Tests of what a check of the whole store finds.

use doorward_core::audit::{Event, Head, What, Who, append};
use jiff::Timestamp;

use super::super::{AuditFiles, Store};
use super::STANDING;

fn event() -> Event {
    Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead)
}

async fn opened(folder: &std::path::Path) -> Store {
    let path = folder.join("doorward.db").display().to_string();
    Store::open(&path, [1; 4]).await.expect("a store")
}

#[tokio::test]
async fn a_line_that_was_put_behind_the_end_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path()).await;
    let head = store.commit(&[], vec![event(), event()]).await.expect("recorded");
    assert_eq!(store.verify().await.expect("read"), Ok(head));
    // Chained as it should be, and yet nobody appended it.
    let (line, _) = append(head, event()).expect("a line");
    sqlx::query("INSERT INTO record (seq, at, grant_id, line) VALUES ($1, 0, NULL, $2)")
        .bind(3_i64)
        .bind(line)
        .execute(&store.pool)
        .await
        .expect("a row");
    let found = store.verify().await.expect("read").expect_err("a fault");
    assert_eq!(found, "the audit log ends at entry 3, but its head says 2: its end was cut off or replaced");
}

/// One appends, the other cuts what was appended off, as they run.
#[tokio::test]
async fn an_end_that_is_cut_off_is_found_by_whoever_knew_it_and_by_the_head_outside() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path()).await;
    let earlier = store.commit(&[], vec![event(), event()]).await.expect("recorded");
    store.commit(&[], vec![event(), event()]).await.expect("recorded");
    store.close().await;
    let store = opened(folder.path()).await;
    let cut = |head: Head| {
        let pool = store.pool.clone();
        async move {
            sqlx::query("DELETE FROM record WHERE seq > $1")
                .bind(head.seq as i64)
                .execute(&pool)
                .await
                .expect("cut");
            sqlx::query("UPDATE head SET seq = $1, hash = $2")
                .bind(head.seq as i64)
                .bind(head.hash.to_string())
                .execute(&pool)
                .await
                .expect("a head");
        }
    };
    store.check_head().await.expect("read");
    assert_eq!(store.distrusted(), None);
    cut(earlier).await;
    store.check_head().await.expect("read");
    assert!(store.distrusted().is_some());
    let found = store.distrusted().into_iter().collect();
    assert_eq!(store.unrecorded_alarm(), Some(What::LogAlarm { found, log: true }));
    assert_eq!(store.unrecorded_alarm(), None, "once");
    store.close().await;
    let again = opened(folder.path()).await;
    let found = again.distrusted().expect("an alarm");
    assert_eq!(found, "the audit log ends at entry 2, but its head says 4: its end was cut off or replaced");
    again.close().await;
    // Nobody but the head outside can know it, so that one that is missing is no head that fits.
    std::fs::remove_file(AuditFiles::beside(&folder.path().join("doorward.db").display().to_string()).head)
        .expect("a file");
    let without = opened(folder.path()).await;
    let found = without.distrusted().expect("an alarm");
    assert!(found.contains("the head file of the audit log") && found.contains("is missing"), "{found}");
    let verified = without.verify_all(&[]).await.expect("read");
    assert_eq!(verified.found, [found]);
    let event = |what| Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, what);
    without.accept(verified.head, event, verified.found).await.expect("accepted");
    assert_eq!(without.distrusted(), None);
    without.close().await;
    assert_eq!(opened(folder.path()).await.distrusted(), None);
}

#[tokio::test]
async fn the_head_is_noted_before_there_is_an_entry() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path()).await;
    assert!(AuditFiles::beside(&folder.path().join("doorward.db").display().to_string()).head.exists());
    store.close().await;
}

#[tokio::test]
async fn an_alarm_stands_in_the_check_until_an_operator_accepts_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path()).await;
    let alarm = What::LogAlarm { found: vec!["a grant that was forged".into()], log: false };
    let alarm = Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, alarm);
    store.commit(&[], vec![alarm, event()]).await.expect("recorded");
    let verified = store.verify_all(&[]).await.expect("read");
    assert_eq!(verified.found, [format!("{STANDING}a grant that was forged")]);
    let event = |what| Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, what);
    store.accept(verified.head, event, verified.found).await.expect("accepted");
    assert!(store.verify().await.expect("read").is_ok());
}

fn checkpoint(folder: &std::path::Path) -> std::path::PathBuf {
    folder.join("doorward.db.audit-head.checkpoint")
}

#[tokio::test]
async fn a_start_reads_only_what_came_behind_the_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path()).await;
    for _ in 0..5 {
        store.commit(&[], vec![event(); 1000]).await.expect("recorded");
    }
    store.close().await;
    let read = async || {
        let store = opened(folder.path()).await;
        assert_eq!(store.distrusted(), None);
        (store.lines_read(), store)
    };
    let (lines, store) = read().await;
    assert_eq!(lines, 1, "the entry at which it ends");
    store.commit(&[], vec![event(); 7]).await.expect("recorded");
    // As after a crash, which leaves the checkpoint as it was.
    let crashed = std::fs::read(checkpoint(folder.path())).expect("a checkpoint");
    store.close().await;
    std::fs::write(checkpoint(folder.path()), crashed).expect("a file");
    let (lines, store) = read().await;
    assert_eq!(lines, 1 + 7);
    assert!(store.verify().await.expect("read").is_ok());
    store.close().await;
    // None, and one of another version: all of it.
    std::fs::remove_file(checkpoint(folder.path())).expect("a file");
    let (lines, store) = read().await;
    assert_eq!(lines, 5007);
    store.close().await;
    std::fs::write(checkpoint(folder.path()), "doorward-checkpoint-next and so on").expect("a file");
    let (lines, store) = read().await;
    assert_eq!(lines, 5007);
    store.close().await;
    assert_eq!(read().await.0, 1, "a new one was written");
}

#[tokio::test]
async fn a_checkpoint_that_is_not_ours_is_an_alarm_and_an_altered_store_is_found_behind_one() {
    for (what, found) in [
        ("a letter", "was not written with the audit key"),
        ("the end", "its end was cut off or replaced"),
        ("the entry", "does not follow the line before it"),
        ("behind", "was changed"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = opened(folder.path()).await;
        store.commit(&[], vec![event(); 5]).await.expect("recorded");
        store.close().await;
        let kept = std::fs::read_to_string(checkpoint(folder.path())).expect("a checkpoint");
        let store = opened(folder.path()).await;
        store.commit(&[], vec![event(); 5]).await.expect("recorded");
        let run = async |statement: &'static str| {
            sqlx::query(statement).execute(&store.pool).await.expect("a statement");
        };
        let mut wrong = kept.clone();
        match what {
            "a letter" => wrong = kept.replacen("\"seq\":5", "\"seq\":6", 1),
            "the end" => {
                run("DELETE FROM record WHERE seq > 4").await;
                run("UPDATE head SET seq = 4").await;
            }
            "the entry" => {
                run("UPDATE record SET line = (SELECT line FROM record WHERE seq = 4) WHERE seq = 5").await;
                run("UPDATE record SET line = replace(line, '\"seq\":4', '\"seq\":5') WHERE seq = 5").await;
            }
            _ => {
                run("UPDATE record SET line = replace(line, 'record-read', 'signed-in') WHERE seq = 8").await
            }
        }
        store.close().await;
        std::fs::write(checkpoint(folder.path()), wrong).expect("a file");
        let store = opened(folder.path()).await;
        let why = store.distrusted().unwrap_or_default();
        assert!(why.contains(found) || what == "the entry" && !why.is_empty(), "{what}: {why}");
        let verified = store.verify_all(&[]).await.expect("read");
        let event = |what| Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, what);
        store.accept(verified.head, event, verified.found).await.expect("accepted");
        store.close().await;
        let store = opened(folder.path()).await;
        assert_eq!(store.distrusted(), None, "{what}");
        assert_eq!(store.lines_read(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_store_that_was_deleted_is_not_taken_for_a_new_one_until_an_operator_accepts_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path()).await;
    store.commit(&[], vec![event(), event()]).await.expect("recorded");
    let installation = store.installation().clone();
    store.close().await;
    for entry in std::fs::read_dir(folder.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if !path.to_string_lossy().contains("audit") {
            std::fs::remove_file(path).expect("a file");
        }
    }
    let again = Store::open(&folder.path().join("doorward.db").display().to_string(), [2; 4]).await;
    let again = again.expect("a store");
    assert!(again.distrusted().is_some());
    assert_eq!(*again.installation(), installation, "its rules in AWS are ours still");
    let verified = again.verify_all(&[]).await.expect("read");
    assert!(!verified.found.is_empty());
    let event = |what| Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, what);
    again.accept(verified.head, event, verified.found).await.expect("accepted");
    assert_eq!(again.distrusted(), None);
    again.close().await;
    let third = opened(folder.path()).await;
    assert_eq!(third.distrusted(), None);
    assert!(third.verify().await.expect("read").is_ok());
}

#[tokio::test]
async fn a_checkpoint_that_is_empty_or_garbled_has_the_whole_audit_log_read() {
    for text in ["", "\0\0\0\0", "something else"] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = opened(folder.path()).await;
        store.commit(&[], vec![event(); 5]).await.expect("recorded");
        store.close().await;
        std::fs::write(checkpoint(folder.path()), text).expect("a file");
        let store = opened(folder.path()).await;
        assert_eq!((store.distrusted(), store.lines_read()), (None, 5), "{text:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn rows_without_a_key_or_with_the_key_of_another_are_found_and_cannot_be_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path()).await;
    store.commit(&[], vec![event(); 5]).await.expect("recorded");
    store.remember_group("sg-1", "clients", Timestamp::UNIX_EPOCH).await.expect("noted");
    let mut somebody = store.pool.acquire().await.expect("a connection");
    for table in ["grants", "sessions", "known", "passwords", "doors", "rules", "record"] {
        let mut run = async |statements: String| {
            for statement in statements.split("; ") {
                let query = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).persistent(false);
                query.execute(&mut *somebody).await.expect(statement);
            }
        };
        let put_back = format!("DROP TABLE {table}; ALTER TABLE aside RENAME TO {table}");
        let columns = format!("SELECT COUNT(*) FROM pragma_table_info('{table}')");
        let columns: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(columns)).fetch_one(&store.pool).await.expect("a number");
        let rebuild =
            format!("ALTER TABLE {table} RENAME TO aside; CREATE TABLE {table} AS SELECT * FROM aside");
        run(rebuild.clone()).await;
        let nulls = vec!["NULL"; columns as usize].join(", ");
        run(format!("INSERT INTO {table} VALUES ({nulls})")).await;
        let verified = store.verify_all(&[]).await.expect("read");
        assert!(
            verified
                .foreign
                .contains(&format!("the table `{table}` of the store is not as Doorward created it"))
        );
        let faults = verified.faults();
        assert!(faults.iter().any(|fault| fault.contains("row")), "{table}: {faults:?}");
        run(put_back.clone()).await;
        assert_eq!(store.verify_all(&[]).await.expect("read").faults(), [""; 0], "{table}");
        // Whatever is there twice.
        run(rebuild).await;
        run(format!("INSERT INTO {table} SELECT * FROM {table}")).await;
        let more = ["record", "doors"].contains(&table);
        let faults = store.verify_all(&[]).await.expect("read").faults();
        assert_eq!(faults.len() > 1, more, "{table}: {faults:?}");
        run(put_back).await;
    }
    assert_eq!(store.verify_all(&[]).await.expect("read").faults(), [""; 0]);
}

#[tokio::test]
async fn any_number_of_rows_and_any_length_of_text_from_somebody_else_is_reported_in_few_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path()).await;
    store.commit(&[], vec![event()]).await.expect("recorded");
    for statement in [
        "INSERT INTO sessions WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
         SELECT printf('%064d', i), 'jon' || i, 'browser', 0, 4102444800000, '', '', 0, '', 'x' FROM n",
        "INSERT INTO sessions SELECT printf('%064d', 0), hex(zeroblob(5000000)), 'browser', 0, 4102444800000, '', '', 0, '', hex(zeroblob(9000))",
        "INSERT INTO known VALUES (hex(zeroblob(5000000)), 'jon', 'network', 0, 'x')",
        "INSERT INTO grants SELECT 'g-' || printf('%012d', made), hex(zeroblob(200000)), '', 'open', 0, 0, 'x', hex(zeroblob(200000)) \
         FROM (SELECT 1 AS made UNION SELECT 2)",
        "INSERT INTO grants VALUES (hex(zeroblob(5000000)), 'jon', 'wiki', 'open', 0, 0, '', '')",
    ] {
        sqlx::query(statement).execute(&store.pool).await.expect("rows");
    }
    let verified = store.verify_all(&[]).await.expect("read");
    let faults = verified.faults();
    assert!(faults.len() < 120 && faults.iter().all(|fault| fault.len() < 1000), "{}", faults.len());
    let more = "4901 rows more of the table `sessions` are not Doorward's";
    assert!(faults.iter().any(|fault| fault == more), "{faults:?}");
    // Their table is put right, a few rows in each turn at writing.
    let now = Timestamp::now();
    while !store.mend(doorward_core::audit::Table::Sessions, now).await.expect("mended").is_empty() {}
    let left: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sessions").fetch_one(&store.pool).await.expect("a number");
    assert_eq!(left, 0);
    assert!(store.alarms().len() <= 20, "{:?}", store.alarms());
    let unsettled = store.unsettled().await.expect("read");
    assert_eq!((unsettled.grants.len(), unsettled.mistrusted.len()), (0, 2));
}
