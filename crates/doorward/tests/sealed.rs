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
use doorward::reconciler::Reconciler;
use doorward::requests::{Ask, Caller, Opened, Requests};
use doorward::store::{Binding, Session, SessionKind};
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
        let history = self.requests.store().history(None, 10).await.expect("grants");
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
        let told = house.requests.store().alarms();
        assert_eq!(told.len(), alarms, "{statement}: {told:?}");
        let is_one =
            |told: &String| told.contains("by somebody without the key") || told.contains("was deleted");
        assert!(told.iter().all(is_one), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_writes_of_a_password_keeps_no_grant_open_and_no_session() {
    for statement in
        ["UPDATE passwords SET seen = 'x'", "UPDATE passwords SET own = 'x'", "DELETE FROM passwords"]
    {
        let mut house = House::new().await;
        let store = house.requests.store().clone();
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
async fn a_password_that_is_replaced_ends_what_is_open_although_its_row_was_deleted_or_put_back() {
    for deleted in [true, false] {
        let mut house = House::new().await;
        house.edit_any("CREATE TABLE copy AS SELECT * FROM passwords").await;
        let jon = "jon".parse().expect("a name");
        let other = Binding::of(&OTHER.parse().expect("a hash"));
        // Seen as the new one once, by somebody who put the file of then back.
        house.requests.store().see_password(&jon, &other, now()).await.expect("noted");
        house.edit_any("CREATE TABLE later AS SELECT * FROM passwords").await;
        let present = Binding::of(&HASH.parse().expect("a hash"));
        house.requests.store().see_password(&jon, &present, now()).await.expect("noted");
        house.edit("DELETE FROM passwords").await;
        if !deleted {
            house.edit("INSERT INTO passwords SELECT * FROM later").await;
        }
        write(house.folder.path(), "people.htpasswd", &format!("jon:{OTHER}\n"));
        house.reconciler.pass().await;
        assert_eq!(house.rules(FIRST), 0);
        assert!(format!("{:?}", house.ended().await).contains("altered by somebody without the key"));
        assert_eq!(house.requests.store().alarms().len(), 1);
    }
}
