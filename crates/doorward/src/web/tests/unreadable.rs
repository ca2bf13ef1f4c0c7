//! Revoking and signing out hold whatever the store answers: it cannot be read, or takes nothing.

use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection as _};

use crate::app::App;
use crate::requests::Requests;
use crate::status::Nudge;
use crate::store::Store;
use crate::web::testing::{Answer, HASH, House};

/// Somebody who can write the store, and has no key.
async fn somebody(house: &House) -> AnyConnection {
    let path = house.folder().join("doorward.db");
    AnyConnection::connect(&format!("sqlite://{}", path.display())).await.expect("a connection")
}

async fn does(somebody: &mut AnyConnection, statement: &'static str) {
    sqlx::query(statement).execute(somebody).await.expect(statement);
}

async fn asks(house: &House, token: &str, lasts: &str) -> Answer {
    let body = json!({ "target": "orders-db", "lasts": lasts });
    house.call(Method::POST, "/api/v1/grants", token, Some(body)).await
}

async fn opened(house: &House, token: &str, lasts: &str) -> String {
    let answer = asks(house, token, lasts).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    answer.json()["grant"]["id"].as_str().expect("an id").to_owned()
}

async fn closes(house: &House, token: &str, grant: &str) -> StatusCode {
    house.call(Method::DELETE, &format!("/api/v1/grants/{grant}"), token, None).await.status
}

async fn is_signed_in(house: &House, token: &str) -> bool {
    house.call(Method::GET, "/api/v1/me", token, None).await.status == StatusCode::OK
}

async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let long = Instant::now() + Duration::from_secs(60);
    while !so().await {
        assert!(Instant::now() < long, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn recorded(house: &House, what: &str, person: &str) -> usize {
    let is = |line: &&Value| line["what"] == what && line["who"]["person"] == person;
    house.record().await.iter().filter(is).count()
}

/// The same house as another process finds it that has nothing but its files.
async fn another_process(house: &House) -> Requests {
    let path = house.folder().join("doorward.db").display().to_string();
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    let (file, clock) = (house.requests().app().policy_shared(), house.requests().app().clock().clone());
    Requests::new(App::new(store, file, clock, Nudge::pair().0))
}

#[tokio::test]
async fn who_was_signed_in_revokes_although_sessions_cannot_be_read_and_opens_nothing() {
    let house = House::new("").await;
    let (jon, richard, maria) =
        (house.token("jon").await, house.token("richard").await, house.token("maria").await);
    let (cookie, another) = (house.sign_in("jon").await, house.sign_in("maria").await);
    let form = format!("token={}", house.get("/", &cookie).await.field("token"));
    let (own, on_the_page, of_the_operator) = (
        opened(&house, &jon, "1h").await,
        opened(&house, &richard, "1h").await,
        opened(&house, &jon, "6h").await,
    );
    assert_eq!(house.get("/api/v1/readyz", "").await.status, StatusCode::OK);

    does(&mut somebody(&house).await, "ALTER TABLE sessions RENAME TO hidden").await;
    assert_eq!(asks(&house, &jon, "1h").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let approval = format!("/api/v1/grants/{of_the_operator}/approval");
    let approved = house.call(Method::POST, &approval, &richard, Some(json!({ "agree": true }))).await;
    assert_eq!(approved.status, StatusCode::SERVICE_UNAVAILABLE, "{}", approved.text());
    house.pass(1);
    let ready = house.get("/api/v1/readyz", "").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.text().contains("the store does not answer"), "{}", ready.text());

    let listed = house.call(Method::GET, "/api/v1/grants", &jon, None).await;
    assert!(listed.status == StatusCode::OK && listed.text().contains(&own), "{}", listed.text());
    assert_eq!(closes(&house, &jon, &own).await, StatusCode::OK);
    assert_eq!(closes(&house, &jon, &on_the_page).await, StatusCode::NOT_FOUND, "another's");
    assert_eq!(closes(&house, &maria, &on_the_page).await, StatusCode::OK, "an operator");
    let denied = house.call(Method::POST, &approval, &richard, Some(json!({ "agree": false }))).await;
    assert_eq!(denied.status, StatusCode::OK, "{}", denied.text());
    // On the pages, too; a session that this process has never seen is none.
    let closed = house.post(&format!("/grants/{own}/close"), &cookie, &form).await;
    assert_eq!(closed.status, StatusCode::SEE_OTHER, "{}", closed.text());
    assert_eq!(closed.header("location").split('?').next(), Some("/"));
    assert_eq!(house.get("/operators", &another).await.status, StatusCode::OK);
    assert_eq!(closes(&house, &"A".repeat(43), &own).await, StatusCode::SERVICE_UNAVAILABLE);

    // Who signs out now revokes nothing any more.
    let out = house.call(Method::DELETE, "/api/v1/sessions/current", &maria, None).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT, "{}", out.text());
    assert_ne!(closes(&house, &maria, &own).await, StatusCode::OK);
    does(&mut somebody(&house).await, "ALTER TABLE hidden RENAME TO sessions").await;
    until("it is recorded", async || recorded(&house, "signed-out", "maria").await == 1).await;
    assert!(is_signed_in(&house, &jon).await && !is_signed_in(&house, &maria).await);
}

#[tokio::test]
async fn who_signs_out_is_signed_out_although_the_store_takes_nothing_and_after_a_restart() {
    let house = House::new("").await;
    let (jon, other, maria) =
        (house.token("jon").await, house.token("jon").await, house.token("maria").await);
    let mut other_client = somebody(&house).await;
    does(
        &mut other_client,
        "CREATE TRIGGER no BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    .await;
    assert!(is_signed_in(&house, &jon).await);
    let out = house.call(Method::DELETE, "/api/v1/sessions/current", &jon, None).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT, "{}", out.text());
    assert!(!is_signed_in(&house, &jon).await && is_signed_in(&house, &other).await);
    // One of a list.
    let mine = house.call(Method::GET, "/api/v1/sessions", &maria, None).await.json();
    let own = mine[0]["id"].as_str().expect("an id").to_owned();
    let none = house.call(Method::DELETE, "/api/v1/sessions/s-000000000000", &maria, None).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let ended = house.call(Method::DELETE, &format!("/api/v1/sessions/{own}"), &maria, None).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{}", ended.text());
    assert!(!is_signed_in(&house, &maria).await);

    let again = another_process(&house).await;
    assert_eq!(again.session(&jon).await.expect("read"), None);
    assert!(again.session(&other).await.expect("read").is_some());
    does(&mut other_client, "DROP TRIGGER no").await;
    until("it is recorded", async || recorded(&house, "signed-out", "jon").await == 1).await;
    until("it is forgotten", async || {
        house.requests().app().store().kept_ends().expect("a file").ends.is_empty()
    })
    .await;
    assert_eq!(recorded(&house, "signed-out", "maria").await, 1);
    assert!(!is_signed_in(&house, &jon).await && is_signed_in(&house, &other).await);
}

#[tokio::test]
async fn all_other_sessions_end_although_the_store_takes_nothing() {
    let house = House::new("").await;
    let (jon, other, maria) =
        (house.token("jon").await, house.token("jon").await, house.token("maria").await);
    let mut locks = somebody(&house).await;
    does(&mut locks, "BEGIN IMMEDIATE").await;
    let ended = house.call(Method::DELETE, "/api/v1/sessions", &jon, None).await;
    assert_eq!((ended.status, ended.json()["ended"].clone()), (StatusCode::OK, json!(1)));
    let holds = async || {
        is_signed_in(&house, &jon).await
            && !is_signed_in(&house, &other).await
            && is_signed_in(&house, &maria).await
    };
    assert!(holds().await);
    does(&mut locks, "ROLLBACK").await;
    until("it is recorded", async || recorded(&house, "session-revoked", "jon").await == 1).await;
    assert!(holds().await);
}

#[tokio::test]
async fn what_the_policy_ended_stays_so_when_the_policy_allows_it_again_before_the_store_takes_it() {
    let house = House::new("").await;
    let jon = house.token("jon").await;
    opened(&house, &jon, "1h").await;
    house.end_expired().await;
    let mut other = somebody(&house).await;
    does(&mut other, "CREATE TRIGGER no BEFORE UPDATE ON grants BEGIN SELECT RAISE(ABORT, 'no'); END").await;
    does(&mut other, "CREATE TRIGGER nor BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await;
    let all = [("jon", HASH), ("richard", HASH), ("maria", HASH)];
    house.people(&all[1..]);
    house.end_expired().await;
    house.pass(1);
    house.people(&all);
    house.end_expired().await;
    let is_open = async |requests: &Requests| {
        let (loaded, now) = (requests.app().loaded(), requests.app().clock().now());
        let grants = requests.end_expired(&loaded, now, |_| false).await.expect("a pass");
        grants.iter().any(|grant| grant.live(now).is_some())
    };
    assert!(!is_open(house.requests()).await && !is_signed_in(&house, &jon).await);
    until("it is kept", async || house.requests().app().store().kept_ends().expect("a file").ends.len() == 2)
        .await;
    let again = another_process(&house).await;
    assert!(!is_open(&again).await && again.session(&jon).await.expect("read").is_none());
    let (fresh, ends) = (house.requests(), async || {
        let ended = house.record().await.into_iter().filter(|line| line["what"] == "ended");
        ended.map(|line| line["how"].to_string()).collect::<Vec<_>>()
    });
    does(&mut other, "DROP TRIGGER no").await;
    does(&mut other, "DROP TRIGGER nor").await;
    until("it is recorded", async || fresh.app().store().kept_ends().expect("a file").ends.is_empty()).await;
    let ends = ends().await;
    assert!(ends.len() == 1 && ends[0].contains("password file"), "{ends:?}");
    assert!(!is_open(fresh).await && !is_signed_in(&house, &jon).await);
    // Who signs in again is signed in.
    assert!(is_signed_in(&house, &house.token("jon").await).await);
}

#[tokio::test]
async fn a_clock_that_is_set_back_lengthens_no_session() {
    let house = House::new("sessions = { idle = \"1h\", at-most = \"2h\" }\n").await;
    let jon = house.token("jon").await;
    for _ in 0..4 {
        assert!(is_signed_in(&house, &jon).await);
        house.pass(1700);
        house.set_back(1700);
    }
    house.pass(500);
    house.set_back(500);
    assert!(!is_signed_in(&house, &jon).await);
}

#[tokio::test]
async fn who_deletes_or_alters_ended_grants_skips_no_approval() {
    for (statement, status) in [
        ("DELETE FROM grants WHERE state = 'ended'", StatusCode::SERVICE_UNAVAILABLE),
        ("UPDATE grants SET body = replace(body, '-', '+')", StatusCode::SERVICE_UNAVAILABLE),
        ("UPDATE grants SET changed = 0", StatusCode::ACCEPTED),
        ("UPDATE grants SET person = 'zzz', settled = 1", StatusCode::ACCEPTED),
    ] {
        let house = House::new("").await;
        let jon = house.token("jon").await;
        opened(&house, &jon, "4h").await;
        house.pass(4 * 3600);
        house.end_expired().await;
        let jon = house.token("jon").await;
        let richard = house.token("richard").await;
        does(&mut somebody(&house).await, statement).await;
        let asked = asks(&house, &jon, "1h").await;
        assert_eq!(asked.status, status, "{statement}: {}", asked.text());
        let alarms = house.requests().app().store().alarms();
        assert!(alarms.iter().any(|alarm| alarm.contains("its row is missing or was altered")), "{alarms:?}");
        // It says so once, and holds nobody else.
        asks(&house, &jon, "1h").await;
        assert_eq!(house.requests().app().store().alarms(), alarms);
        assert_eq!(asks(&house, &richard, "1h").await.status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn who_was_just_removed_approves_nothing() {
    let house = House::new("").await;
    let (jon, richard) = (house.token("jon").await, house.token("richard").await);
    let waits = opened(&house, &jon, "6h").await;
    let groups = house.folder().join("people.groups");
    std::fs::write(groups, "dbs: jon richard\nleads: nobody\nops: maria\n").expect("groups");
    let approval = format!("/api/v1/grants/{waits}/approval");
    let approved = house.call(Method::POST, &approval, &richard, Some(json!({ "agree": true }))).await;
    assert!(approved.status.is_client_error(), "{}", approved.text());
    let grant = house.call(Method::GET, &format!("/api/v1/grants/{waits}"), &jon, None).await.json();
    assert_eq!(grant["state"], "waiting");
}
