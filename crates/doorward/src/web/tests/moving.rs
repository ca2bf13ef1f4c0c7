//! An address that has changed: the one that was left is admitted no more, by no grant of the person's.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::web::testing::House;

#[tokio::test]
async fn an_address_that_was_left_is_admitted_by_nothing() {
    let house = House::new("").await;
    let (jon, richard) = (house.token("jon").await, house.token("richard").await);
    let grants = "/api/v1/grants";
    let open = |lasts: &str| Some(json!({ "target": "orders-db", "lasts": lasts }));
    let short = house.call(Method::POST, grants, &jon, open("30m")).await.json();
    let asked = house.call(Method::POST, grants, &jon, open("5h")).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text());
    let id = asked.json()["grant"]["id"].as_str().expect("a grant").to_owned();
    let agree = Some(json!({ "agree": true }));
    let agreed = house.call(Method::POST, &format!("{grants}/{id}/approval"), &richard, agree).await;
    assert_eq!(agreed.status, StatusCode::OK, "{}", agreed.text());
    let until = agreed.json()["grant"]["until"].clone();

    // By whichever of them the person moves.
    let mine = house.call(Method::GET, grants, &jon, None).await.json();
    let first = mine[0]["id"].as_str().expect("a grant").to_owned();
    let elsewhere = [203, 0, 113, 99];
    let path = format!("{grants}/{first}/move");
    let moved = house.call_from(elsewhere, Method::POST, &path, &jon, None).await;
    assert_eq!(moved.status, StatusCode::OK, "{}", moved.text());
    let moved = moved.json();
    assert_eq!(moved["moved_from"], short["grant"]["source"]);
    assert_eq!(moved["grant"]["until"], until, "for as long as the longest of them");
    let mine = house.call(Method::GET, grants, &jon, None).await.json();
    for grant in mine.as_array().expect("grants") {
        assert_eq!(grant["source"], "203.0.113.99/32", "{mine}");
    }

    // And back, where something is open from there by then: what lasts longer stays.
    let again = house.call(Method::POST, grants, &jon, open("15m")).await;
    assert!(again.status.is_success(), "{}", again.text());
    let path = format!("{grants}/{}/move", again.json()["grant"]["id"].as_str().expect("a grant"));
    let joined = house.call_from(elsewhere, Method::POST, &path, &jon, None).await;
    assert_eq!(joined.status, StatusCode::OK, "{}", joined.text());
    assert_eq!(joined.json()["grant"]["id"], moved["grant"]["id"]);
    let mine = house.call(Method::GET, grants, &jon, None).await.json();
    assert_eq!(mine.as_array().map(Vec::len), Some(1), "{mine}");
}
