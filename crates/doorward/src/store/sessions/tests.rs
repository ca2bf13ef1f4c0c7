//! Sessions that end, are missing, come back, or were never begun.

use doorward_core::audit::{What, Who};

use super::*;

fn signed_in(now: Timestamp) -> Event {
    Event::new(now, Who::Doorward, What::SignedIn)
}

fn session_of_jon(now: Timestamp) -> Session {
    Session {
        person: "jon".parse().expect("a name"),
        kind: SessionKind::Browser,
        made: now,
        ends: now + SignedDuration::from_hours(12),
        origin: "203.0.113.7".into(),
        used: now,
        bound: "x".into(),
    }
}

async fn run(store: &Store, statement: &'static str) {
    let done = sqlx::query(statement).execute(&store.pool).await.expect("a statement");
    assert_eq!(done.rows_affected(), 1, "{statement}");
}

#[tokio::test]
async fn a_session_that_ended_signs_nobody_in_although_its_row_is_put_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doorward.db").display().to_string();
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    let (now, jon): (_, Person) = (Timestamp::now(), "jon".parse().expect("a name"));
    let session = session_of_jon(now);
    let copy = "CREATE TABLE copy AS SELECT * FROM sessions";
    let back = "INSERT INTO sessions SELECT * FROM copy";
    let begin = async || {
        store.keep_session("token", &session, None, signed_in(now)).await.expect("kept");
        sqlx::query(copy).execute(&store.pool).await.expect("a copy");
    };
    let is_refused = async || {
        run(&store, back).await;
        assert_eq!(store.session("token", now).await.expect("read"), None);
        assert_eq!(store.sessions_of(&jon, SignedDuration::from_hours(1), now).await.expect("read"), []);
        let found = store.verify().await.expect("read").expect_err("a fault");
        assert!(found.contains("a session of \"jon\" in the store is an earlier one"), "{found}");
        // A start finds it as well, by the checkpoint or by the whole record.
        let again = Store::open(&path, [1; 4]).await.expect("a store");
        assert_eq!(again.session("token", now).await.expect("read"), None);
        again.close().await;
        assert_eq!(store.mend(Table::Sessions, now).await.expect("mended").len(), 1);
        assert_eq!(store.alarms(), [found]);
        sqlx::query("DROP TABLE copy").execute(&store.pool).await.expect("dropped");
    };
    begin().await;
    store.end_session_of(&jon, &session_id("token"), None, now).await.expect("ended");
    is_refused().await;
    begin().await;
    store.end_sessions_of(&jon, Vec::new(), now).await.expect("ended");
    is_refused().await;
    begin().await;
    let id = session_id("token");
    assert!(store.end_session_of(&jon, &id, Some(signed_in(now)), now).await.expect("ended"));
    is_refused().await;
    begin().await;
    let other = Session { bound: "y".into(), ..session.clone() };
    store.replace_sessions("token", "other", &other, |_| signed_in(now)).await.expect("replaced");
    assert!(store.session("other", now).await.expect("read").is_some());
    run(&store, "INSERT INTO sessions SELECT * FROM copy").await;
    assert_eq!(store.session("token", now).await.expect("read"), None);
}

#[tokio::test]
async fn a_session_that_ended_signs_nobody_in_although_its_row_could_not_be_deleted_or_was_hidden() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doorward.db").display().to_string();
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    let (now, jon): (_, Person) = (Timestamp::now(), "jon".parse().expect("a name"));
    let session = session_of_jon(now);
    let run = async |statement: &'static str| {
        sqlx::query(statement).execute(&store.pool).await.expect("a statement");
    };
    let keeps = "CREATE TRIGGER keeps BEFORE DELETE ON sessions BEGIN SELECT RAISE(IGNORE); END";
    for token in ["signs out", "another", "all"] {
        store.keep_session(token, &session, None, signed_in(now)).await.expect("kept");
    }
    run(keeps).await;
    store.end_session_of(&jon, &session_id("signs out"), Some(signed_in(now)), now).await.expect("ended");
    assert_eq!(store.session("signs out", now).await.expect("read"), None);
    assert!(store.session("all", now).await.expect("read").is_some());
    assert!(
        store.end_session_of(&jon, &session_id("another"), Some(signed_in(now)), now).await.expect("ended")
    );
    assert_eq!(store.session("another", now).await.expect("read"), None);
    store.end_sessions_of(&jon, vec![signed_in(now)], now).await.expect("ended");
    assert_eq!(store.session("all", now).await.expect("read"), None);
    assert_eq!(store.sessions_of(&jon, SignedDuration::from_hours(1), now).await.expect("read"), []);
    store.mend(Table::Sessions, now).await.expect("mended");
    assert!(store.alarms().iter().any(|alarm| alarm.contains("is an earlier one")), "{:?}", store.alarms());
    run("DROP TRIGGER keeps").await;
    run("DELETE FROM sessions").await;
    // One whose row is away while the others end.
    store.keep_session("hidden", &session, None, signed_in(now)).await.expect("kept");
    run("CREATE TABLE copy AS SELECT * FROM sessions").await;
    run("DELETE FROM sessions").await;
    store.end_sessions_of(&jon, vec![signed_in(now)], now).await.expect("ended");
    run("INSERT INTO sessions SELECT * FROM copy").await;
    assert_eq!(store.session("hidden", now).await.expect("read"), None);
}

#[tokio::test]
async fn a_session_that_is_missing_is_found_and_an_earlier_use_of_one_ends_it_earlier() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doorward.db").display().to_string();
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    let now = instant(Timestamp::now().as_millisecond());
    let session = session_of_jon(now);
    store.keep_session("token", &session, None, signed_in(now)).await.expect("kept");
    let head = store.head().await.expect("a head");
    sqlx::query("CREATE TABLE copy AS SELECT * FROM sessions").execute(&store.pool).await.expect("a copy");
    let later = now + SignedDuration::from_mins(30);
    store.use_session("token", &session, "198.51.100.9", later).await.expect("noted");
    assert_eq!(store.head().await.expect("a head"), head, "a use is no entry");
    assert_eq!(store.session("token", later).await.expect("read").expect("a session").used, later);
    run(&store, "DELETE FROM sessions").await;
    run(&store, "INSERT INTO sessions SELECT * FROM copy").await;
    assert_eq!(store.session("token", later).await.expect("read").expect("a session").used, now);
    run(&store, "DELETE FROM sessions").await;
    let found = store.verify().await.expect("read").expect_err("a fault");
    assert!(found.contains("was deleted from the store (session)"), "{found}");
    store.close().await;
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    assert_eq!(store.mend(Table::Sessions, now).await.expect("mended"), std::slice::from_ref(&found));
    assert_eq!(store.mend(Table::Sessions, now).await.expect("mended"), [""; 0], "once");
    // It is gone by the audit log now, and stays so.
    run(&store, "INSERT INTO sessions SELECT * FROM copy").await;
    assert_eq!(store.session("token", now).await.expect("read"), None);
    assert_eq!(store.alarms(), [found]);
}

#[tokio::test]
async fn a_session_is_missed_to_its_last_moment_and_an_expired_one_by_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doorward.db").display().to_string();
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    let (now, jon): (_, Person) = (Timestamp::now(), "jon".parse().expect("a name"));
    let session = session_of_jon(now);
    let ends = session.ends;
    let rows = async || {
        let row = sqlx::query("SELECT COUNT(*) FROM sessions").fetch_one(&store.pool).await;
        row.and_then(|row| row.try_get::<i64, _>(0)).expect("a number")
    };
    store.keep_session("early", &session, None, signed_in(now)).await.expect("kept");
    // Another signs in when it has just expired, on a server whose clock is ahead: its row stays for this one.
    let later = Session { made: ends, ends: ends + SignedDuration::from_hours(12), ..session };
    store.keep_session("later", &later, None, signed_in(ends)).await.expect("kept");
    assert_eq!(rows().await, 2);
    let moment = SignedDuration::from_secs(1);
    assert_eq!(store.mend(Table::Sessions, ends - moment).await.expect("mended"), [""; 0]);
    assert_eq!(store.session("early", ends).await.expect("read"), None);
    assert_eq!(
        store
            .end_sessions_until(&jon, Some(&session_id("later")), Vec::new(), (ends, ends))
            .await
            .expect("ended"),
        0
    );
    assert_eq!(rows().await, 1);

    store.keep_session("last", &Session { ends, ..later.clone() }, None, signed_in(now)).await.expect("kept");
    run(&store, "DELETE FROM sessions WHERE ends = (SELECT MIN(ends) FROM sessions)").await;
    assert_eq!(store.mend(Table::Sessions, ends).await.expect("mended"), [""; 0], "it has expired");
    let found = store.mend(Table::Sessions, ends - moment).await.expect("mended");
    assert!(found.len() == 1 && found.concat().contains("was deleted from the store"), "{found:?}");
    // An hour after its end a row goes with the next sign-in.
    let past = later.ends + KEPT_AFTER_EXPIRY;
    let another = Session { made: past, ends: past + moment, ..later };
    store.keep_session("another", &another, None, signed_in(past)).await.expect("kept");
    assert_eq!(rows().await, 1);
    assert_eq!(store.mend(Table::Sessions, past).await.expect("mended"), [""; 0]);
}

#[tokio::test]
async fn a_session_that_began_before_the_clock_was_set_back_ends_with_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doorward.db").display().to_string();
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    let (now, jon): (_, Person) = (Timestamp::now(), "jon".parse().expect("a name"));
    let ahead = now + SignedDuration::from_mins(2);
    store.keep_session("ahead", &session_of_jon(ahead), None, signed_in(ahead)).await.expect("kept");
    store.keep_session("own", &session_of_jon(now), None, signed_in(now)).await.expect("kept");
    let own = session_id("own");
    let ended = store.end_sessions_until(&jon, Some(&own), Vec::new(), (now, now)).await.expect("ended");
    assert_eq!(ended, 1);
    assert_eq!(store.session("ahead", now).await.expect("read"), None);
    assert!(store.session("own", now).await.expect("read").is_some());
    // One that began after the decision and before it was recorded stays.
    let (decided, recorded) = (now, now + SignedDuration::from_mins(5));
    let ended = store.end_sessions_until(&jon, Some(&own), Vec::new(), (decided, recorded)).await;
    assert_eq!(ended.expect("ended"), 0);
    store.keep_session("after", &session_of_jon(ahead), None, signed_in(ahead)).await.expect("kept");
    let ended = store.end_sessions_until(&jon, None, Vec::new(), (decided, recorded)).await;
    assert_eq!(ended.expect("ended"), 1);
    assert!(store.session("after", now).await.expect("read").is_some());
}

#[tokio::test]
async fn sessions_that_went_while_the_clock_was_ahead_are_missed_by_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doorward.db").display().to_string();
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    let now = Timestamp::now();
    store.keep_session("early", &session_of_jon(now), None, signed_in(now)).await.expect("kept");
    let ahead = session_of_jon(now).ends + KEPT_AFTER_EXPIRY;
    store.keep_session("ahead", &session_of_jon(ahead), None, signed_in(ahead)).await.expect("kept");
    assert_eq!(store.session("early", now).await.expect("read"), None);
    assert_eq!(store.mend(Table::Sessions, now).await.expect("mended"), [""; 0]);
}

#[tokio::test]
async fn sessions_that_are_over_leave_the_ledger() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doorward.db").display().to_string();
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    let mut now = Timestamp::now();
    for number in 0..3000 {
        now += SignedDuration::from_mins(1);
        let session = Session {
            person: "jon".parse().expect("a name"),
            kind: SessionKind::Browser,
            made: now,
            ends: now + SignedDuration::from_mins(5),
            origin: "203.0.113.7".into(),
            used: now,
            bound: "x".into(),
        };
        let event = Event::new(now, Who::Doorward, What::SignedIn);
        store.keep_session(&number.to_string(), &session, None, event).await.expect("kept");
    }
    let rows = store.trust.inner().ledger.rows();
    assert!(rows < 1200, "{rows}");
    store.close().await;
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    assert!(store.trust.inner().ledger.rows() < 1200);
}

#[tokio::test]
async fn a_session_that_somebody_wrote_into_the_store_signs_nobody_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doorward.db").display().to_string();
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
    let session = session_of_jon(now);
    store.keep_session("token", &session, None, signed_in(now)).await.expect("kept");
    assert_eq!(store.session("token", now).await.expect("read"), Some(session.clone()));
    for (edit, back) in [
        ("UPDATE sessions SET person = 'maria'", "UPDATE sessions SET person = 'jon'"),
        ("UPDATE sessions SET kind = 'api'", "UPDATE sessions SET kind = 'browser'"),
        ("UPDATE sessions SET ends = ends + 1", "UPDATE sessions SET ends = ends - 1"),
        ("UPDATE sessions SET bound = 'y'", "UPDATE sessions SET bound = 'x'"),
        ("UPDATE sessions SET used = used + 1", "UPDATE sessions SET used = used - 1"),
        ("UPDATE sessions SET used_from = 'y'", "UPDATE sessions SET used_from = origin"),
    ] {
        sqlx::query(edit).execute(&store.pool).await.expect("an edit");
        assert_eq!(store.session("token", now).await.expect("read"), None, "{edit}");
        sqlx::query(back).execute(&store.pool).await.expect("an edit");
        assert!(store.session("token", now).await.expect("read").is_some(), "{back}");
    }
    // Its use is sealed again.
    let later = now + SignedDuration::from_mins(2);
    store.use_session("token", &session, "198.51.100.9", later).await.expect("noted");
    let used = store.session("token", later).await.expect("read");
    assert_eq!(used, Some(Session { used: later, ..session }));
    assert!(store.verify().await.expect("read").is_ok());
    // Another token, with the seal of one's own.
    let copy = "INSERT INTO sessions (token, person, kind, made, ends, origin, bound, used, used_from, seal) \
        SELECT $1, 'maria', kind, made, ends, origin, bound, used, used_from, seal FROM sessions";
    sqlx::query(copy).bind(digest("other")).execute(&store.pool).await.expect("a row");
    assert_eq!(store.session("other", now).await.expect("read"), None);
    let found = store.verify().await.expect("read").expect_err("a fault");
    assert_eq!(found, "a session of \"maria\" in the store was altered by somebody without the key");
}
