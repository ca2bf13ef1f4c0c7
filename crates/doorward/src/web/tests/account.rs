//! One's own account: sessions that end by themselves or are ended, and passwords that are changed.

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::sent_to;
use crate::people::password::hash_new;
use crate::people::rules::Rules;
use crate::web::testing::{Answer, HASH, House, OTHER_HASH, PASSWORD};

const NEW: &str = "four-words-of-my-own";

async fn open(house: &House, token: &str) -> String {
    let body = json!({ "target": "orders-db", "lasts": 3600 });
    let answer = house.call(Method::POST, "/api/v1/grants", token, Some(body)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    answer.json()["grant"]["id"].as_str().expect("a grant").to_owned()
}

/// How many grants a person has open.
async fn open_of(house: &House, name: &str) -> usize {
    let person = name.parse().expect("a name");
    house.requests().views().current(&person).await.expect("grants").len()
}

async fn change(house: &House, token: &str, present: &str, new: &str) -> Answer {
    let body = json!({ "present": present, "new": new });
    house.call(Method::PUT, "/api/v1/me/password", token, Some(body)).await
}

async fn sessions(house: &House, token: &str) -> Vec<Value> {
    let answer = house.call(Method::GET, "/api/v1/sessions", token, None).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json().as_array().expect("a list").clone()
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let house = House::new("").await;
    let (browser, token, other) =
        (house.sign_in("jon").await, house.token("jon").await, house.token("jon").await);
    let richard = house.token("richard").await;
    let listed = sessions(&house, &token).await;
    assert_eq!(listed.len(), 3, "{listed:#?}");
    let current: Vec<&Value> = listed.iter().filter(|one| one["current"] == true).collect();
    assert_eq!(current.len(), 1);
    assert!(
        listed.iter().all(|one| !token.contains(one["id"].as_str().expect("an id").trim_start_matches("s-")))
    );

    let page = house.get("/account", &browser).await;
    assert!(page.text().contains("This one") && page.text().contains("203.0.113.7"), "{}", page.text());
    let gone = listed.iter().find(|one| one["kind"] == "api" && one["current"] == false).expect("another");
    let gone = gone["id"].as_str().expect("an id");
    // Nobody ends another's session, and what is no id ends none.
    for id in [gone, "s-000000000000", "s-%25", "current-not"] {
        let answer = house.call(Method::DELETE, &format!("/api/v1/sessions/{id}"), &richard, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}");
    }
    let form = format!("token={}&session={gone}", page.field("token"));
    let answer = house.post("/account/sessions/end", &browser, &form).await;
    assert_eq!(sent_to(&answer, StatusCode::SEE_OTHER), "/account?done=session");
    assert_eq!(house.call(Method::GET, "/api/v1/me", &other, None).await.status, StatusCode::UNAUTHORIZED);

    let answer = house.call(Method::DELETE, "/api/v1/sessions", &token, None).await;
    assert_eq!(answer.json(), json!({ "ended": 1 }));
    assert_eq!(house.get("/account", &browser).await.status, StatusCode::SEE_OTHER);
    assert_eq!(sessions(&house, &token).await.len(), 1);
    assert_eq!(sessions(&house, &richard).await.len(), 1);
    let record = house.record().await;
    let revoked = record.iter().filter(|line| line["what"] == "session-revoked").count();
    assert_eq!(revoked, 2, "{record:#?}");

    let own = sessions(&house, &token).await[0]["id"].as_str().expect("an id").to_owned();
    let answer = house.call(Method::DELETE, &format!("/api/v1/sessions/{own}"), &token, None).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(house.call(Method::GET, "/api/v1/me", &token, None).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_that_is_not_used_ends() {
    let house = House::new("sessions = { idle = \"10m\", at-most = \"2h\" }").await;
    let (used, polled) = (house.sign_in("jon").await, house.sign_in("jon").await);
    let mut lived = 0;
    for minute in 0..130 {
        house.pass(60);
        // A page that looks by itself is no use of the session.
        let live = house.get("/live", &polled).await.status;
        assert_eq!(live == StatusCode::OK, minute < 9, "{minute}");
        if minute % 5 == 0 && house.get("/", &used).await.status == StatusCode::OK {
            lived = minute;
            noted(&house).await;
        }
    }
    assert_eq!(lived, 115, "at most two hours, however much it is used");
}

#[tokio::test]
async fn a_clock_that_is_set_back_lengthens_no_session() {
    let house = House::new("sessions = { idle = \"1h\", at-most = \"2h\" }").await;
    let (young, old) = (house.sign_in("jon").await, house.sign_in("jon").await);
    house.pass(3000);
    assert_eq!(house.get("/", &old).await.status, StatusCode::OK);
    noted(&house).await;
    // By less than the session is old, so that its beginning still lies behind.
    house.set_back(1800);
    assert_eq!(house.get("/", &old).await.status, StatusCode::SEE_OTHER, "it was used half an hour from now");
    house.set_back(86_400);
    assert_eq!(house.get("/", &young).await.status, StatusCode::SEE_OTHER, "it begins tomorrow");
}

/// Until the use that is noted beside a request is noted.
async fn noted(house: &House) {
    let (jon, now) = ("jon".parse().expect("a name"), house.requests().app().clock().now());
    for _ in 0..500 {
        let sessions = house
            .requests()
            .app()
            .store()
            .sessions_of(&jon, SignedDuration::from_hours(1), now)
            .await
            .expect("sessions");
        if sessions.iter().any(|session| session.used == now) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the use is not noted");
}

#[tokio::test]
async fn ones_own_password_is_changed_and_what_is_open_stays_open() {
    let house = House::new("").await;
    let (browser, token, other) =
        (house.sign_in("jon").await, house.token("jon").await, house.token("jon").await);
    open(&house, &token).await;
    house.end_expired().await;
    for (present, new, status) in [
        ("wrong", NEW, StatusCode::FORBIDDEN),
        (PASSWORD, "short", StatusCode::UNPROCESSABLE_ENTITY),
        (PASSWORD, "Password1234", StatusCode::UNPROCESSABLE_ENTITY),
        (PASSWORD, PASSWORD, StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(change(&house, &token, present, new).await.status, status, "{present} {new}");
    }
    let answer = change(&house, &token, PASSWORD, NEW).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let new = answer.json()["token"].as_str().expect("a token").to_owned();
    for old in [&token, &other] {
        assert_eq!(house.call(Method::GET, "/api/v1/me", old, None).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(house.get("/", &browser).await.status, StatusCode::SEE_OTHER);
    assert_eq!(sessions(&house, &new).await.len(), 1);
    house.end_expired().await;
    assert_eq!(open_of(&house, "jon").await, 1, "the person's own change ends nothing that is open");
    assert_eq!(house.try_sign_in("jon", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.try_sign_in("jon", NEW).await.status, StatusCode::SEE_OTHER);
    house.end_expired().await;
    assert_eq!(open_of(&house, "jon").await, 1);
    let text = std::fs::read_to_string(house.folder().join("people.htpasswd")).expect("passwords");
    assert!(text.starts_with("jon:$2y$12$") && text.contains(&format!("\nrichard:{HASH}\n")), "{text}");
    assert!(
        house.record().await.iter().any(|line| line["what"] == "password-changed" && line["sessions"] == 2)
    );
}

#[tokio::test]
async fn ones_own_password_is_guessed_five_times_at_most() {
    let house = House::new("").await;
    let token = house.token("jon").await;
    for guess in 0..5 {
        let answer = change(&house, &token, &format!("guess-{guess}"), NEW).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(change(&house, &token, PASSWORD, NEW).await.status, StatusCode::TOO_MANY_REQUESTS);
    house.pass(60);
    assert_eq!(change(&house, &token, PASSWORD, NEW).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_page_changes_a_password_and_says_why_not() {
    let house = House::new("").await;
    let browser = house.sign_in("jon").await;
    let page = house.get("/account", &browser).await;
    let form = |present: &str, new: &str, again: &str| {
        format!("token={}&present={present}&new={new}&again={again}", page.field("token"))
    };
    let answer = house.post("/account/password", &browser, &form(PASSWORD, NEW, "another")).await;
    assert!(answer.text().contains("The two new passwords differ"), "{}", answer.text());
    let answer = house.post("/account/password", &browser, &form(PASSWORD, "short", "short")).await;
    assert!(answer.text().contains("at least 10 are required"), "{}", answer.text());
    let answer = house.post("/account/password", &browser, &form(PASSWORD, NEW, NEW)).await;
    assert_eq!(sent_to(&answer, StatusCode::SEE_OTHER), "/account?done=password");
    assert_eq!(house.get("/account", &browser).await.status, StatusCode::SEE_OTHER);
    assert_eq!(house.get("/account", &answer.cookies()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_password_that_an_operator_replaces_ends_what_is_open() {
    let house = House::new("").await;
    let (jon, richard) = (house.token("jon").await, house.token("richard").await);
    open(&house, &jon).await;
    open(&house, &richard).await;
    house.end_expired().await;
    assert_eq!((open_of(&house, "jon").await, open_of(&house, "richard").await), (1, 1));
    house.people(&[("jon", OTHER_HASH), ("richard", HASH), ("maria", HASH)]);
    house.end_expired().await;
    assert_eq!((open_of(&house, "jon").await, open_of(&house, "richard").await), (0, 1));
    let record = house.record().await;
    let ended = record.iter().find(|line| line["what"] == "ended").expect("an end");
    assert!(
        ended["how"]["why"].as_str().is_some_and(|why| why.contains("replaced by an operator")),
        "{ended}"
    );
}

#[tokio::test]
async fn what_is_opened_under_the_new_password_stays() {
    let house = House::new("").await;
    open(&house, &house.token("jon").await).await;
    house.end_expired().await;
    let jon = "jon".parse().expect("a name");
    let hash = hash_new(NEW, &Rules { person: &jon, least: 10 }).expect("a hash");
    house.people(&[("jon", &hash), ("richard", HASH), ("maria", HASH)]);
    // The new password is used before any pass has seen it.
    let body = json!({ "name": "jon", "password": NEW });
    let answer = house.call(Method::POST, "/api/v1/sessions", "", Some(body)).await;
    let token = answer.json()["token"].as_str().expect("a token").to_owned();
    assert_eq!(open_of(&house, "jon").await, 0, "what was opened under the old one has ended");
    open(&house, &token).await;
    house.end_expired().await;
    house.end_expired().await;
    assert_eq!(open_of(&house, "jon").await, 1);
}

#[tokio::test]
async fn who_is_locked_loses_sessions_and_grants_and_gets_no_session_back() {
    let house = House::new("").await;
    let (token, browser) = (house.token("jon").await, house.sign_in("jon").await);
    open(&house, &token).await;
    house.people(&[("richard", HASH), ("maria", HASH)]);
    house.end_expired().await;
    assert_eq!(open_of(&house, "jon").await, 0);
    let jon = "jon".parse().expect("a name");
    for _ in 0..500 {
        if !house.requests().app().store().signed_in().await.expect("sessions").contains(&jon) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    house.people(&[("jon", HASH), ("richard", HASH), ("maria", HASH)]);
    house.end_expired().await;
    assert_eq!(house.call(Method::GET, "/api/v1/me", &token, None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.get("/", &browser).await.status, StatusCode::SEE_OTHER);
}
