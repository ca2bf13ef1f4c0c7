//! Closing, denying and signing out are never too many, and what is said of a grant has to be so.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::web::testing::{Answer, House};

async fn opened(house: &House, token: &str, lasts: &str) -> String {
    let body = json!({ "target": "orders-db", "lasts": lasts });
    let answer = house.call(Method::POST, "/api/v1/grants", token, Some(body)).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    answer.json()["grant"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn who_has_used_up_all_changes_still_closes_denies_and_signs_out() {
    let house = House::new("").await;
    let (jon, richard) = (house.token("jon").await, house.token("richard").await);
    let (open, waits) = (opened(&house, &jon, "1h").await, opened(&house, &jon, "6h").await);
    let nothing = || Some(json!({ "target": "nothing" }));
    for token in [&jon, &richard] {
        let mut last = StatusCode::OK;
        for _ in 0..61 {
            last = house.call(Method::POST, "/api/v1/grants", token, nothing()).await.status;
        }
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    }
    let approval = format!("/api/v1/grants/{waits}/approval");
    let answer = async |agree: bool| {
        house.call(Method::POST, &approval, &richard, Some(json!({ "agree": agree }))).await.status
    };
    assert_eq!(answer(true).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer(false).await, StatusCode::OK);
    for _ in 0..100 {
        let closed = house.call(Method::DELETE, &format!("/api/v1/grants/{open}"), &jon, None).await;
        assert_eq!(closed.status, StatusCode::OK, "{}", closed.text());
    }
    let cookie = house.sign_in("jon").await;
    let token = house.get("/", &cookie).await.field("token");
    let closed = house.post(&format!("/grants/{open}/close"), &cookie, &format!("token={token}")).await;
    assert_eq!(closed.status, StatusCode::SEE_OTHER);
    let out = house.post("/sign-out", &cookie, &format!("token={token}")).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert_eq!(
        house.call(Method::DELETE, "/api/v1/sessions/current", &jon, None).await.status,
        StatusCode::NO_CONTENT
    );
}

async fn sent(house: &House, token: &str, path: &str, body: &'static str) -> Answer {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from(body));
    house.send(request.expect("a request")).await
}

#[tokio::test]
async fn a_field_is_named_once() {
    let house = House::new("").await;
    let (jon, richard) = (house.token("jon").await, house.token("richard").await);
    let waits = opened(&house, &jon, "6h").await;
    let path = format!("/api/v1/grants/{waits}/approval");
    for body in [
        r#"{"agree":false,"agree":true}"#,
        r#"{"seen":"0-0123456789abcdef","agree":false,"agree":true}"#,
        r#"{"agree":true,"seen":"0-0123456789abcdef","seen":"0-0123456789abcdef"}"#,
    ] {
        let answer = sent(&house, &richard, &path, body).await;
        assert!(answer.status.is_client_error(), "{body}: {}", answer.text());
    }
    let grant = house.call(Method::GET, &format!("/api/v1/grants/{waits}"), &jon, None).await.json();
    assert_eq!(grant["state"], "waiting");
    let answer = sent(&house, &richard, &path, r#"{"agree":true}"#).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}

#[tokio::test]
async fn a_length_of_time_is_written_as_the_document_says() {
    let house = House::new("").await;
    let jon = house.token("jon").await;
    for wrong in ["1h ", " 1h", "2h\n", "1h  30m", "1h\t30m", ""] {
        let body = json!({ "target": "orders-db", "lasts": wrong });
        let answer = house.call(Method::POST, "/api/v1/grants", &jon, Some(body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong:?}");
    }
    opened(&house, &jon, "1h 30m").await;
}

#[tokio::test]
async fn what_carries_a_grant_is_told_of_one_that_can_have_carried_it() {
    let house = House::new("").await;
    let jon = house.token("jon").await;
    let (open, waits) = (opened(&house, &jon, "1h").await, opened(&house, &jon, "6h").await);
    let tell = async |grant: &str, body: Value| {
        house.call(Method::POST, &format!("/api/v1/grants/{grant}/transport"), &jon, Some(body)).await.status
    };
    let closed = |up: u64| json!({ "event": "closed", "up": up, "down": 5, "why": "done" });
    let opened = || json!({ "event": "opened" });
    house.pass(10);
    assert_eq!(tell(&open, opened()).await, StatusCode::NO_CONTENT);
    assert_eq!(tell(&open, closed(i64::MAX.unsigned_abs())).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(tell(&waits, opened()).await, StatusCode::NOT_FOUND);
    assert_eq!(tell(&waits, closed(1)).await, StatusCode::NOT_FOUND);
    house.call(Method::DELETE, &format!("/api/v1/grants/{open}"), &jon, None).await;
    assert_eq!(tell(&open, opened()).await, StatusCode::NOT_FOUND);
    let again = json!({ "event": "reconnected", "why": "lost" });
    assert_eq!(tell(&open, again).await, StatusCode::NOT_FOUND);
    // Whoever carried it tells of the end after the end.
    assert_eq!(tell(&open, closed(1000)).await, StatusCode::NO_CONTENT);
}
