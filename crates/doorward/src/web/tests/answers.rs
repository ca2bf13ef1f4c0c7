//! What every answer carries, and what is read.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};

use crate::web::testing::House;

#[tokio::test]
async fn the_record_is_shown_and_its_reading_recorded_once() {
    let house = House::new("").await;
    let maria = house.sign_in("maria").await;
    house.try_sign_in("<script>", "wrong").await;
    for _ in 0..3 {
        let page = house.get("/record", &maria).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            page.text().contains("&lt;script&gt;") && !page.text().contains("<script>"),
            "{}",
            page.text()
        );
    }
    let read = house.record().await.iter().filter(|line| line["what"] == "record-read").count();
    assert_eq!(read, 1);
    assert_eq!(house.get("/record?before=1", &maria).await.status, StatusCode::OK);
    assert_eq!(house.get("/record?before=x", &maria).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn every_answer_says_what_browsers_may_do_with_it() {
    let house = House::new("").await;
    let jon = house.sign_in("jon").await;
    for path in ["/", "/sign-in", "/nothing", "/api/v1/me", "/healthz", "/live"] {
        let answer = house.get(path, &jon).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"), "{path}");
        assert!(policy.ends_with("frame-ancestors 'none'; base-uri 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_their_hash() {
    let house = House::new("").await;
    let page = house.get("/sign-in", "").await.text();
    let mut seen = 0;
    for part in page.split("/assets/").skip(1) {
        let path = format!("/assets/{}", part.split('"').next().unwrap_or_default());
        let answer = house.get(&path, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(answer.header("cache-control").contains("immutable"), "{path}");
        let etag = answer.header("etag").to_owned();
        let again = Request::get(&path).header("if-none-match", etag).body(Body::empty());
        assert_eq!(house.send(again.expect("a request")).await.status, StatusCode::NOT_MODIFIED);
        seen += 1;
    }
    assert_eq!(seen, 5);
    assert_eq!(house.get("/assets/style.css", "").await.status, StatusCode::NOT_FOUND);
    assert!(!page.contains(" style=") && !page.contains("onclick"), "inline styles and scripts are blocked");
}

#[tokio::test]
async fn what_is_too_long_is_refused() {
    let house = House::new("").await;
    let jon = house.sign_in("jon").await;
    let token = house.get("/", &jon).await.field("token");
    let form = format!("token={token}&target=orders-db&reason={}", "x".repeat(70_000));
    let answer = house.post("/grants", &jon, &form).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let answer = house.call(Method::GET, "/sign-in?next=%zz&x", "", None).await;
    assert_eq!(answer.status, StatusCode::OK);
}
