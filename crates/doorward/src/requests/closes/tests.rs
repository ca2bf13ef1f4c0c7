//! Ends hold whatever the store answers: it is locked, refuses, takes nothing, or comes again only after a restart.

use jiff::SignedDuration;
use sqlx::{AnyConnection, Connection as _};

use super::super::Answer;
use super::*;
use crate::app::App;
use crate::requests::{Ask, Caller, Error, Opened, Requests};
use crate::status::Nudge;
use crate::web::testing::House;

const NO: &str = "CREATE TRIGGER no BEFORE UPDATE ON grants BEGIN SELECT RAISE(ABORT, 'no'); END";
const NOTHING: &str = "CREATE TRIGGER no BEFORE UPDATE ON grants BEGIN SELECT RAISE(IGNORE); END";
const AGAIN: &str = "DROP TRIGGER no";

fn caller(name: &str) -> Caller {
    Caller::known(name.parse().expect("a name"), None)
}

async fn opened(house: &House, hours: i64) -> Grant {
    opened_by(house, "jon", hours).await
}

async fn opened_by(house: &House, person: &str, hours: i64) -> Grant {
    let ask = Ask {
        target: "orders-db".parse().expect("a name"),
        address: "203.0.113.7".parse().expect("an address"),
        transport: None,
        lasts: Some(SignedDuration::from_hours(hours)),
        reason: None,
    };
    match house.requests().open(&caller(person), ask).await.expect("open") {
        Opened::Granted { grant, .. } | Opened::Waiting { grant, .. } => grant,
    }
}

async fn somebody(house: &House) -> AnyConnection {
    let path = house.folder().join("doorward.db");
    AnyConnection::connect(&format!("sqlite://{}", path.display())).await.expect("a connection")
}

async fn does(somebody: &mut AnyConnection, statement: &'static str) {
    sqlx::query(statement).execute(somebody).await.expect(statement);
}

/// The grants that are open by a pass of the reconciler.
async fn open_by_a_pass(requests: &Requests) -> Vec<GrantId> {
    let (loaded, now) = (requests.app().loaded(), requests.app().clock().now());
    let grants = requests.end_expired(&loaded, now, |_| false).await.expect("a pass");
    let live = grants.iter().filter(|grant| grant.live(now).is_some());
    live.map(|grant| grant.id().clone()).collect()
}

async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let long = Instant::now() + Duration::from_secs(60);
    while !so().await {
        assert!(Instant::now() < long, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How often the audit log tells that a grant was ended by a person.
async fn audited(house: &House, grant: &Grant, by: &str) -> usize {
    let lines = house.record().await;
    let audited = lines.iter().filter(|line| {
        line["what"] == "ended" && line["grant"] == grant.id().as_str() && line["who"]["person"] == by
    });
    audited.count()
}

#[tokio::test]
async fn an_end_holds_while_the_store_is_locked_and_is_recorded_once_it_is_free() {
    let house = House::new("").await;
    let (requests, mut other) = (house.requests(), somebody(&house).await);
    let grant = opened(&house, 1).await;
    assert_eq!(open_by_a_pass(requests).await, [grant.id().clone()]);
    does(&mut other, "BEGIN EXCLUSIVE").await;
    // Whoever closes waits no longer than for an instant: it is decided.
    let maria = caller("maria");
    let given_up = tokio::time::timeout(Duration::from_millis(50), requests.close(&maria, grant.id())).await;
    assert!(given_up.is_err());
    assert!(open_by_a_pass(requests).await.is_empty());
    let answer = requests.close(&caller("jon"), grant.id()).await;
    assert!(matches!(&answer, Err(Error::Unwritten { grant: id, .. }) if id == grant.id()), "{answer:?}");
    assert!(requests.open_grant(&caller("jon"), grant.id()).await.is_err(), "nothing is vended for it");
    let shown = requests.views().all(&maria).await.expect("read");
    let shown = shown.first().expect("it is shown");
    assert_eq!(shown.ended.as_deref(), Some("revoked by maria"));
    assert!(shown.unrecorded.is_some());
    let [left] = &requests.unrecorded()[..] else { panic!("{:?}", requests.unrecorded()) };
    assert!(left.kept);
    assert_eq!(requests.app().store().kept_ends().expect("a file").ends.len(), 1);

    does(&mut other, "ROLLBACK").await;
    until("it is recorded", async || requests.unrecorded().is_empty()).await;
    let row = requests.app().store().grant(grant.id()).await.expect("read").expect("a grant");
    assert_eq!(
        row.life().clone(),
        grant.end(Ending::Closed { by: maria.person }, house.now()).life().clone()
    );
    assert_eq!((audited(&house, &grant, "maria").await, audited(&house, &grant, "jon").await), (1, 0));
    until("it is forgotten", async || requests.app().store().kept_ends().expect("a file").ends.is_empty())
        .await;
    assert!(requests.views().current(&caller("jon").person).await.expect("read").is_empty());
}

#[tokio::test]
async fn a_file_of_ends_that_is_locked_is_read_once_it_is_free() {
    let house = House::new("").await;
    let (requests, grant) = (house.requests(), opened(&house, 1).await);
    let how = Ending::Closed { by: caller("maria").person };
    let what = What::Ended { grant: grant.id().clone(), how };
    // As a command on the same machine does it.
    let end = KeptEnd::Grant(requests.event(&caller("maria"), what));
    requests.app().store().keep_end(&end).expect("kept");
    let file = house.folder().join("doorward.db.audit-head.closes");
    let holder = std::fs::File::open(file).expect("a file");
    holder.lock().expect("locked");
    for _ in 0..2 {
        assert!(!requests.closed_elsewhere());
    }
    holder.unlock().expect("unlocked");
    until("it is read", async || {
        requests.closed_elsewhere();
        open_by_a_pass(requests).await.is_empty()
    })
    .await;
    until("it is recorded and forgotten", async || {
        requests.closed_elsewhere();
        requests.app().store().kept_ends().expect("a file").ends.is_empty()
    })
    .await;
}

#[tokio::test]
async fn an_end_that_is_not_recorded_outlives_the_process() {
    let house = House::new("").await;
    let mut other = somebody(&house).await;
    let (open, waits) = (opened(&house, 1).await, opened(&house, 6).await);
    does(&mut other, NO).await;
    let closed = house.requests().close(&caller("jon"), open.id()).await;
    assert!(matches!(closed, Err(Error::Unwritten { denied: false, .. })), "{closed:?}");
    let denied = house.requests().answer(&caller("richard"), waits.id(), Answer::Deny { reason: None }).await;
    assert!(matches!(denied, Err(Error::Unwritten { denied: true, .. })), "{denied:?}");

    // Another process, and nothing of the first but its files.
    let path = house.folder().join("doorward.db").display().to_string();
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    let (file, clock) = (house.requests().app().policy_shared(), house.requests().app().clock().clone());
    let again = Requests::new(App::new(store, file, clock, Nudge::pair().0));
    assert!(open_by_a_pass(&again).await.is_empty());
    let approved = again.answer(&caller("richard"), waits.id(), Answer::Approve { seen: None }).await;
    assert!(matches!(approved, Err(Error::Refused(_))), "{approved:?}");
    again.keep_closes().await;
    does(&mut other, AGAIN).await;
    until("all is recorded", async || {
        again.unrecorded().is_empty() && again.app().store().kept_ends().expect("a file").ends.is_empty()
    })
    .await;
    assert!(open_by_a_pass(&again).await.is_empty());
    assert_eq!((audited(&house, &open, "jon").await, audited(&house, &waits, "richard").await), (1, 1));
}

#[tokio::test]
async fn what_another_process_has_ended_ends_here() {
    let house = House::new("").await;
    let (requests, mut other) = (house.requests(), somebody(&house).await);
    let grant = opened(&house, 1).await;
    let path = house.folder().join("doorward.db").display().to_string();
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    let (file, clock) = (requests.app().policy_shared(), requests.app().clock().clone());
    let command = Requests::new(App::new(store, file, clock, Nudge::pair().0));
    does(&mut other, NO).await;
    assert!(!requests.closed_elsewhere());
    assert!(matches!(command.close(&caller("jon"), grant.id()).await, Err(Error::Unwritten { .. })));
    assert!(requests.closed_elsewhere());
    assert!(open_by_a_pass(requests).await.is_empty());
}

#[tokio::test]
async fn a_row_that_does_not_take_its_end_is_ended_by_the_record() {
    let house = House::new("").await;
    let (requests, mut other) = (house.requests(), somebody(&house).await);
    let grant = opened(&house, 1).await;
    does(&mut other, NOTHING).await;
    let closed = requests.close(&caller("jon"), grant.id()).await.expect("closed");
    assert!(closed.grant.ended());
    let alarms = requests.app().store().alarms();
    let words = format!("the grant \"{}\" in the store: its row does not take that it ended", grant.id());
    assert!(alarms.contains(&words), "{alarms:?}");
    assert!(open_by_a_pass(requests).await.is_empty());
    // It is not recorded again at each pass.
    open_by_a_pass(requests).await;
    let before = requests.app().store().head().await.expect("a head");
    open_by_a_pass(requests).await;
    assert_eq!(requests.app().store().head().await.expect("a head"), before);

    // What ends by its time is no other.
    does(&mut other, AGAIN).await;
    let grant = opened_by(&house, "richard", 1).await;
    does(&mut other, NOTHING).await;
    house.pass(3600);
    assert!(open_by_a_pass(requests).await.is_empty());
    let alarms = requests.app().store().alarms();
    assert!(alarms.iter().any(|alarm| alarm.contains(grant.id().as_str())), "{alarms:?}");
}
