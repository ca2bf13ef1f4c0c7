//! What somebody writes into the store beside the grants lets nobody in, and holds nobody's rules.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod assembled;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use assembled::{HASH, account, assembled};
use doorward::clock::Clock;
use doorward::cloud::Cloud;
use doorward::policy_file::PolicyFile;
use doorward::reconciler::Reconciler;
use doorward::requests::{Ask, Caller, Opened, Requests};
use doorward::store::{Binding, Session, SessionKind, Store};
use doorward_aws::Simulated;
use doorward_core::audit::{Event, What, Who};
use doorward_core::grant::{Ending, Life};
use doorward_core::inventory::SecurityGroupId;
use jiff::{SignedDuration, Timestamp};
use sqlx::{AnyConnection, Connection as _};

const POLICY: &str = r#"
[people]
passwords = "people.htpasswd"
groups    = "people.groups"

[server]
store = "doorward.db"

[aws]
region = "eu-west-1"

[firewall.clients]
about          = "clients"
security-group = "sg-00000000000000001"

[target.orders]
address    = "rds:orders"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "clients"
"#;

const FIRST: &str = "sg-00000000000000001";
const SECOND: &str = "sg-00000000000000002";
/// Of another password.
const OTHER: &str = "$2y$04$abcdefghijklmnopqrstuuLceGeskU4GolGQywMqjrYT0Gfi4ExSa";

struct House {
    folder: tempfile::TempDir,
    account: Simulated,
    requests: Arc<Requests>,
    reconciler: Reconciler,
}

fn now() -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000).expect("an instant")
}

fn id(text: &str) -> SecurityGroupId {
    text.parse().expect("an id")
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file");
}

impl House {
    /// With a grant of jon that is open.
    async fn new() -> Self {
        Self::at(now).await
    }

    /// Likewise at another time.
    async fn at(now: fn() -> Timestamp) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "people.htpasswd", &format!("jon:{HASH}\n"));
        write(folder.path(), "people.groups", "dbs: jon\n");
        write(folder.path(), "doorward.toml", POLICY);
        let account = account(&[FIRST, SECOND]);
        let clock = Clock::by_hand(now, || Duration::ZERO);
        let policy = folder.path().join("doorward.toml");
        let (requests, mut reconciler) = assembled(&policy, &account, clock).await;
        reconciler.pass().await;
        let ask = Ask {
            target: "orders".parse().expect("a target"),
            address: [8, 8, 8, 8].into(),
            transport: None,
            lasts: None,
            reason: None,
        };
        let passes = tokio::spawn(async move {
            reconciler.pass_when_nudged().await;
            reconciler
        });
        let jon = Caller::known("jon".parse().expect("a name"), None);
        let opened = requests.open(&jon, ask).await.expect("open");
        assert!(matches!(opened, Opened::Granted { .. }), "{opened:?}");
        let mut reconciler = passes.await.expect("a pass");
        reconciler.pass().await;
        let house = Self { folder, account, requests, reconciler };
        assert_eq!((house.rules(FIRST), house.rules(SECOND)), (1, 0));
        house
    }

    fn rules(&self, group: &str) -> usize {
        self.account.inventory().groups[&id(group)].rules.len()
    }

    async fn edit(&self, statement: &'static str) {
        let url = format!("sqlite://{}", self.folder.path().join("doorward.db").display());
        let mut connection = AnyConnection::connect(&url).await.expect("a connection");
        let done = sqlx::query(statement).execute(&mut connection).await.expect("an edit");
        assert_eq!(done.rows_affected(), 1, "{statement}");
    }

    async fn edit_any(&self, statement: &'static str) {
        let url = format!("sqlite://{}", self.folder.path().join("doorward.db").display());
        let mut connection = AnyConnection::connect(&url).await.expect("a connection");
        sqlx::query(statement).execute(&mut connection).await.expect("an edit");
    }

    async fn ended(&self) -> Option<Ending> {
        let history = self.requests.app().store().history(None, 10).await.expect("grants");
        let ended = history.into_iter().next()?;
        match ended.life() {
            Life::Ended { how, .. } => Some(how.clone()),
            _ => None,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_the_policy_forgets_is_emptied_although_its_row_was_deleted_or_edited() {
    for (statement, alarms) in [
        ("DELETE FROM doors", 1),
        ("UPDATE doors SET place = replace(place, 'sg-00000000000000001', 'sg-00000000000000003')", 2),
        ("UPDATE doors SET seal = ''", 1),
        ("UPDATE doors SET place = 'x'", 2),
    ] {
        let mut house = House::new().await;
        house.edit(statement).await;
        write(house.folder.path(), "doorward.toml", &POLICY.replace(FIRST, SECOND));
        house.reconciler.pass().await;
        house.reconciler.pass().await;
        assert_eq!((house.rules(FIRST), house.rules(SECOND)), (0, 1), "{statement}");
        let messages = house.requests.app().store().alarms();
        assert_eq!(messages.len(), alarms, "{statement}: {messages:?}");
        let is_one = |messages: &String| {
            messages.contains("by somebody without the key") || messages.contains("was deleted")
        };
        assert!(messages.iter().all(is_one), "{messages:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_writes_of_a_password_keeps_no_grant_open_and_no_session() {
    for statement in
        ["UPDATE passwords SET seen = 'x'", "UPDATE passwords SET own = 'x'", "DELETE FROM passwords"]
    {
        let mut house = House::new().await;
        let store = house.requests.app().store().clone();
        let session = Session {
            person: "jon".parse().expect("a name"),
            kind: SessionKind::Api,
            made: now(),
            ends: now() + SignedDuration::from_hours(1),
            origin: "8.8.8.8".into(),
            used: now(),
            bound: "x".into(),
        };
        let event = Event::new(now(), Who::Doorward, What::SignedIn);
        store.keep_session("token", &session, None, event).await.expect("kept");
        house.edit(statement).await;
        house.reconciler.pass().await;
        assert_eq!(house.rules(FIRST), 0, "{statement}");
        let ended = format!("{:?}", house.ended().await);
        assert!(ended.contains("altered by somebody without the key"), "{statement}: {ended}");
        assert_eq!(store.session("token", now()).await.expect("read"), None, "{statement}");
        let (found, alarms) = (store.verify_all(&[]).await.expect("read").found, store.alarms());
        assert!(found.len() == 1 && found[0].ends_with(&alarms[0]), "it is noted anew: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_or_a_view_that_somebody_added_never_runs() {
    let mut house = House::new().await;
    for statement in [
        "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i > 0) SELECT i FROM n",
        "CREATE TRIGGER loops BEFORE INSERT ON record BEGIN SELECT COUNT(*) FROM endless; END",
        "CREATE TRIGGER keeps BEFORE UPDATE ON grants BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TRIGGER refuses BEFORE INSERT ON grants BEGIN SELECT RAISE(ABORT, 'no'); END",
    ] {
        house.edit_any(statement).await;
    }
    let store = house.requests.app().store().clone();
    let done = async {
        let event = Event::new(now(), Who::Doorward, What::SignedIn);
        store.commit(&[], vec![event]).await.expect("recorded");
        let jon = Caller::known("jon".parse().expect("a name"), None);
        let open = store.unfinished().await.expect("read").remove(0);
        let (requests, reconciler) = (Arc::clone(&house.requests), &mut house.reconciler);
        let (closed, ()) = tokio::join!(requests.close(&jon, open.id()), reconciler.pass_when_nudged());
        closed.expect("closed");
        reconciler.pass().await;
        assert_eq!(house.rules(FIRST), 0);
        store.verify_all(&[]).await.expect("read")
    };
    let verified = tokio::time::timeout(Duration::from_secs(60), done).await.expect("it does not wait");
    assert_eq!(verified.found, [""; 0]);
    assert_eq!(verified.foreign.len(), 3, "{:?}", verified.foreign);
    assert_eq!(store.distrusted(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_was_altered_is_closed_although_the_store_does_not_take_its_end() {
    let mut house = House::new().await;
    house.reconciler.pass().await;
    house.edit("UPDATE grants SET body = '{}'").await;
    let store = format!("sqlite://{}", house.folder.path().join("doorward.db").display());
    let mut locks = AnyConnection::connect(&store).await.expect("a connection");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut locks).await.expect("locked");
    for _ in 0..2 {
        let pass = tokio::time::timeout(Duration::from_secs(5), house.reconciler.pass());
        pass.await.expect("it does not wait for the store");
        assert_eq!(house.rules(FIRST), 0);
        let alarms = house.requests.app().nudge().status().alarms.clone();
        assert!(alarms.len() == 1 && alarms[0].contains("cannot be read"), "{alarms:?}");
    }
    sqlx::query("ROLLBACK").execute(&mut locks).await.expect("free");
    for _ in 0..100 {
        house.reconciler.pass().await;
        if house.ended().await.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(house.rules(FIRST), 0);
    let found = house.requests.app().store().verify_all(&[]).await.expect("read").found;
    assert!(found.iter().all(|found| found.contains("accepted yet")), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_open_its_store_revokes_what_has_expired_all_the_same() {
    let past = || Timestamp::from_millisecond(1_700_000_000_000).expect("an instant");
    let house = House::at(past).await;
    let policy = POLICY.replace("\"doorward.db\"", "\"nowhere/doorward.db\"\nlisten = \"127.0.0.1:0\"");
    write(house.folder.path(), "doorward.toml", &policy);
    let file = PolicyFile::open(&house.folder.path().join("doorward.toml")).expect("a policy");
    let cloud = Cloud::Simulated(house.account.clone());
    let serving = doorward::command::serve(Arc::new(file), cloud, |_| panic!("there is no store"));
    let failed = tokio::time::timeout(Duration::from_secs(60), serving).await.expect("it does not wait");
    assert!(failed.is_err());
    assert_eq!(house.rules(FIRST), 0);
}

/// Waits until the server tells of an alarm, or of none.
async fn messages(requests: &Requests, any: bool) -> Vec<String> {
    for _ in 0..600 {
        let alarms = requests.app().nudge().status().alarms.clone();
        if alarms.is_empty() != any {
            return alarms;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no alarm ended or began: {:?}", requests.app().nudge().status().alarms);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_tells_of_an_altered_store_and_is_ready_once_that_is_accepted() {
    for (edit, back) in [
        ("DELETE FROM record WHERE seq = 2", "SELECT 1"),
        ("UPDATE grants SET body = replace(body, '8.8.8.8', '9.9.9.9')", "SELECT 1"),
        (
            "CREATE TABLE swallows AS SELECT *, '' AS c FROM record; DROP TABLE record; \
             CREATE TABLE record (seq BIGINT PRIMARY KEY, at BIGINT, grant_id TEXT, line TEXT, c TEXT NOT NULL ON CONFLICT IGNORE); \
             INSERT INTO record SELECT * FROM swallows; DROP TABLE swallows",
            "ALTER TABLE record DROP COLUMN c",
        ),
        ("DELETE FROM record WHERE seq = (SELECT max(seq) FROM record)", "SELECT 1"),
    ] {
        let house = House::new().await;
        let (requests, folder) = (Arc::clone(&house.requests), house.folder.path().to_owned());
        house.edit_any(edit).await;
        let checking = Arc::clone(&requests);
        let running = tokio::spawn(house.reconciler.run(std::future::pending()));
        let checking = tokio::spawn(async move { checking.app().store().keep_verifying(now).await });
        if edit.contains("swallows") {
            let event = Event::new(now(), Who::Doorward, What::SignedIn);
            requests.record(vec![event]).await.expect_err("swallowed");
        }
        messages(&requests, true).await;
        let store = format!("sqlite://{}", folder.join("doorward.db").display());
        let mut connection = AnyConnection::connect(&store).await.expect("a connection");
        sqlx::query(back).execute(&mut connection).await.expect("put back");
        // Swallowed once is in the record by the next look; what is accepted is what `audit verify` finds.
        let path = folder.join("doorward.db").display().to_string();
        let mut found = Vec::new();
        for _ in 0..400 {
            let other = Store::open(&path, [1; 4]).await.expect("a store");
            let verified = other.verify_all(&[]).await.expect("read");
            found = verified.found.clone();
            if !found.is_empty() {
                let accepted = |what| Event::new(now(), Who::Doorward, what);
                let done = other.accept(verified.head, accepted, verified.found).await;
                other.close().await;
                if done.is_ok() {
                    break;
                }
                // The server wrote meanwhile.
                continue;
            }
            other.close().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(!found.is_empty(), "{edit}");
        messages(&requests, false).await;
        assert_eq!(requests.app().store().distrusted(), None);
        running.abort();
        checking.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_what_the_record_tells_of() {
    let mut house = House::new().await;
    let jon = "jon".parse().expect("a name");
    let from = async |house: &House| -> Vec<String> {
        let history = house.requests.app().store().history(Some(&jon), 10).await.expect("grants");
        history.iter().map(|grant| grant.source().to_string()).collect()
    };
    house.edit("UPDATE grants SET body = replace(body, '8.8.8.8', '9.9.9.9')").await;
    house.edit_any("INSERT INTO grants SELECT 'g-zzzzzzzzzzzz', person, target, state, changed, settled, replace(replace(body, id, 'g-zzzzzzzzzzzz'), '9.9.9.9', '7.7.7.7'), seal FROM grants").await;
    house.reconciler.pass().await;
    assert_eq!(house.rules(FIRST), 0);
    assert_eq!(from(&house).await, ["8.8.8.8/32"], "the address that was admitted");
    // Long over, and nobody measures it by the ledger any more.
    house.reconciler.pass().await;
    house.edit_any("UPDATE grants SET body = replace(body, '8.8.8.8', '9.9.9.9')").await;
    house.edit_any("INSERT INTO grants SELECT 'g-yyyyyyyyyyyy', person, target, state, changed, settled, replace(body, id, 'g-yyyyyyyyyyyy'), seal FROM grants WHERE id <> 'g-zzzzzzzzzzzz'").await;
    assert_eq!(from(&house).await, [""; 0]);
    house.edit_any("UPDATE grants SET body = replace(body, '9.9.9.9', '8.8.8.8')").await;
    assert_eq!(from(&house).await, ["8.8.8.8/32"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_replaced_ends_what_is_open_although_its_row_was_deleted_or_put_back() {
    for deleted in [true, false] {
        let mut house = House::new().await;
        house.edit_any("CREATE TABLE copy AS SELECT * FROM passwords").await;
        let jon = "jon".parse().expect("a name");
        let other = Binding::of(&OTHER.parse().expect("a hash"));
        // Seen as the new one once, by somebody who put the file of then back.
        house.requests.app().store().see_password(&jon, &other, now()).await.expect("noted");
        house.edit_any("CREATE TABLE later AS SELECT * FROM passwords").await;
        let present = Binding::of(&HASH.parse().expect("a hash"));
        house.requests.app().store().see_password(&jon, &present, now()).await.expect("noted");
        house.edit("DELETE FROM passwords").await;
        if !deleted {
            house.edit("INSERT INTO passwords SELECT * FROM later").await;
        }
        write(house.folder.path(), "people.htpasswd", &format!("jon:{OTHER}\n"));
        house.reconciler.pass().await;
        assert_eq!(house.rules(FIRST), 0);
        assert!(format!("{:?}", house.ended().await).contains("altered by somebody without the key"));
        assert_eq!(house.requests.app().store().alarms().len(), 1);
    }
}
