//! The forms: what they do, what they say, and what cannot be forged.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::sent_to;
use crate::web::testing::{House, form_request};

/// Opens orders-db as whoever has the cookie, and returns the grant's name.
async fn opened(house: &House, cookie: &str) -> String {
    let page = house.get("/", cookie).await;
    let form = format!("token={}&target=orders-db&lasts=3600", page.field("token"));
    let answer = house.post("/grants", cookie, &form).await;
    sent_to(&answer, StatusCode::SEE_OTHER);
    let grants = house.requests().app().store().unfinished().await.expect("grants");
    grants.last().expect("a grant").id().to_string()
}

#[tokio::test]
async fn a_forged_form_changes_nothing() {
    let house = House::new("").await;
    let (jon, maria) = (house.sign_in("jon").await, house.sign_in("maria").await);
    let token = house.get("/", &jon).await.field("token");
    let foreign = house.get("/", &maria).await.field("token");
    let id = opened(&house, &jon).await;
    let lines = house.record().await.len();
    let paths = [
        "/grants".to_owned(),
        format!("/grants/{id}/extend"),
        format!("/grants/{id}/close"),
        format!("/grants/{id}/answer"),
        "/sign-out".to_owned(),
    ];
    for path in &paths {
        for token in ["", foreign.as_str(), "x"] {
            let form = format!("token={token}&target=orders-db&agree=yes");
            let answer = house.post(path, &jon, &form).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        }
        for (header, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.test"),
        ] {
            let form = format!("token={token}&target=orders-db&agree=yes");
            let mut request = form_request(path, &jon, &form);
            request.headers_mut().remove("sec-fetch-site");
            request.headers_mut().insert(header, value.parse().expect("a header"));
            assert_eq!(house.send(request).await.status, StatusCode::FORBIDDEN, "{path} {header}");
        }
        // And nothing is changed by looking.
        assert_eq!(house.get(path, &jon).await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    assert_eq!(house.record().await.len(), lines);
    assert_eq!(house.get("/", &jon).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_form_without_a_session_says_that_nothing_was_done() {
    let house = House::new("").await;
    let answer = house.post("/grants", "", "target=orders-db").await;
    let page = house.get(sent_to(&answer, StatusCode::SEE_OTHER), "").await;
    assert!(page.text().contains("nothing was done"), "{}", page.text());
}

#[tokio::test]
async fn opening_extending_and_closing_are_told() {
    let house = House::new("").await;
    let jon = house.sign_in("jon").await;
    let page = house.get("/", &jon).await;
    let form = format!("token={}&target=reports&lasts=3600&reason=ticket+7", page.field("token"));
    let answer = house.post("/grants", &jon, &form).await;
    let to = sent_to(&answer, StatusCode::SEE_OTHER).to_owned();
    let told = house.get(&to, &jon).await.text();
    for text in ["is open", "203.0.113.7", "2026-11-22 11:00 UTC", "In force", "127.0.0.1:15081", "ticket 7"]
    {
        assert!(told.contains(text), "{text} is not in {told}");
    }
    assert!(!house.get(&to, &jon).await.text().contains(" is open</strong>"), "told once");

    let grants = house.requests().app().store().unfinished().await.expect("grants");
    let id = grants[0].id().to_string();
    let token = page.field("token");
    house.pass(600);
    let answer =
        house.post(&format!("/grants/{id}/extend"), &jon, &format!("token={token}&lasts=most")).await;
    let told = house.get(sent_to(&answer, StatusCode::SEE_OTHER), &jon).await.text();
    assert!(told.contains("stays open") && told.contains("2026-11-22 17:59 UTC"), "{told}");
    assert_eq!(house.requests().app().store().unfinished().await.expect("grants").len(), 1);

    let answer = house.post(&format!("/grants/{id}/close"), &jon, &format!("token={token}")).await;
    let told = house.get(sent_to(&answer, StatusCode::SEE_OTHER), &jon).await.text();
    assert!(told.contains("is revoked") && told.contains("No connection was open"), "{told}");
}

#[tokio::test]
async fn whoever_may_answer_is_asked() {
    let house = House::new("").await;
    let (jon, richard) = (house.sign_in("jon").await, house.sign_in("richard").await);
    let token = house.get("/", &jon).await.field("token");
    let asked = house.post("/grants", &jon, &format!("token={token}&target=orders-db&lasts=28800")).await;
    let told = house.get(sent_to(&asked, StatusCode::SEE_OTHER), &jon).await.text();
    assert!(
        told.contains("once the request is approved") && told.contains("Waiting for approval by leads"),
        "{told}"
    );
    assert!(!told.contains("/answer"), "nobody answers for themselves");

    let page = house.get("/", &richard).await;
    assert!(page.text().contains("jon requests orders-db"), "{}", page.text());
    let grants = house.requests().app().store().unfinished().await.expect("grants");
    let answer = format!("/grants/{}/answer", grants[0].id());
    let neither = house.post(&answer, &richard, &format!("token={}", page.field("token"))).await;
    assert_eq!(neither.status, StatusCode::UNPROCESSABLE_ENTITY);
    let agreed = house.post(&answer, &richard, &format!("token={}&agree=yes", page.field("token"))).await;
    let told = house.get(sent_to(&agreed, StatusCode::SEE_OTHER), &richard).await.text();
    assert!(told.contains("You approved the request.") && told.contains("2026-11-22 18:00 UTC"), "{told}");
    let page = house.get("/live", &jon).await.text();
    assert!(page.contains("Approved by") && page.contains("8 h left"), "{page}");
}

#[tokio::test]
async fn an_operator_who_may_approve_does_so_on_their_own_page() {
    let house = House::new("").await;
    std::fs::write(house.folder().join("people.groups"), "dbs: jon\nleads: maria\nops: maria richard\n")
        .expect("groups");
    house.requests().app().policy_file().reread();
    let (jon, maria) = (house.sign_in("jon").await, house.sign_in("maria").await);
    let richard = house.sign_in("richard").await;
    let token = house.get("/", &jon).await.field("token");
    let asks = async || {
        house.post("/grants", &jon, &format!("token={token}&target=orders-db&lasts=28800")).await;
        house.requests().app().store().waiting().await.expect("grants")[0].id().to_string()
    };
    let id = asks().await;
    let button = format!("action=\"/grants/{id}/answer\"");
    // An operator sees it, and answers only where the target's approval says so.
    let page = house.get("/operators", &richard).await.text();
    assert!(page.contains(&id) && !page.contains(&button), "{page}");
    let page = house.get("/operators", &maria).await;
    assert!(page.text().contains(&button) && page.text().contains("name=\"reason\""), "{}", page.text());
    let answer = format!("/grants/{id}/answer");
    let (token_of_page, seen) = (page.field("token"), page.field("seen"));
    let form = format!("token={token_of_page}&agree=yes&seen={seen}&back=%2Foperators&reason=");
    let agreed = house.post(&answer, &maria, &form).await;
    let to = sent_to(&agreed, StatusCode::SEE_OTHER);
    assert!(to.starts_with("/operators?note="), "{to}");
    let told = house.get(to, &maria).await.text();
    assert!(told.contains("You approved the request.") && told.contains("approved by maria"), "{told}");
    house.post(&format!("/grants/{id}/close"), &jon, &format!("token={token}")).await;

    let id = asks().await;
    let form = format!("token={}&agree=no&back=%2Foperators&reason=+not+today+", page.field("token"));
    let denied = house.post(&format!("/grants/{id}/answer"), &maria, &form).await;
    let told = house.get(sent_to(&denied, StatusCode::SEE_OTHER), &maria).await.text();
    assert!(told.contains("You denied the request."), "{told}");
    let history = house.get("/history", &jon).await.text();
    assert!(history.contains("denied by maria: not today"), "{history}");
}

#[tokio::test]
async fn every_reason_of_a_refusal_is_said_and_the_form_is_kept() {
    let house = House::new("").await;
    let jon = house.sign_in("jon").await;
    let token = house.get("/", &jon).await.field("token");
    let form = format!("token={token}&target=reports&lasts=9999999&reason=++");
    let answer = house.post("/grants", &jon, &form).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = answer.text();
    for part in ["needs a reason", "may be open for at most", "role=\"alert\""] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let form = format!("token={token}&target=reports&lasts=900&reason=%3Cb%3E&transport=ssm");
    let answer = house.post("/grants", &jon, &form).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = answer.text();
    assert!(
        text.contains("value=\"&lt;b&gt;\"") && text.contains("<option value=\"900\" selected>"),
        "{text}"
    );
    assert!(text.contains("Reports &lt;b&gt;") && !text.contains("<b>"), "{text}");

    for (form, status) in [
        ("target=nothing", StatusCode::NOT_FOUND),
        ("target=..%2F", StatusCode::UNPROCESSABLE_ENTITY),
        ("", StatusCode::UNPROCESSABLE_ENTITY),
        ("target=orders-db&lasts=soon", StatusCode::UNPROCESSABLE_ENTITY),
        ("target=orders-db&lasts=99999999999999999999", StatusCode::UNPROCESSABLE_ENTITY),
        ("target=orders-db&transport=teleport", StatusCode::UNPROCESSABLE_ENTITY),
        ("target=orders-db&choose=1", StatusCode::UNPROCESSABLE_ENTITY),
        ("target=orders-db&admit=other&statement=203.0.113.9+9+x", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = house.post("/grants", &jon, &format!("token={token}&{form}")).await;
        assert_eq!(answer.status, status, "{form}: {}", answer.text());
        assert!(answer.text().contains("This request failed."), "{form}");
    }
    assert!(house.requests().app().store().unfinished().await.expect("grants").is_empty());
}

#[tokio::test]
async fn nobody_touches_what_is_not_theirs() {
    let house = House::new("").await;
    let (jon, richard) = (house.sign_in("jon").await, house.sign_in("richard").await);
    let id = opened(&house, &jon).await;
    let token = house.get("/", &richard).await.field("token");
    // A lead may see it, and neither close nor extend it.
    let answer = house.post(&format!("/grants/{id}/close"), &richard, &format!("token={token}")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = house.post(&format!("/grants/{id}/extend"), &richard, &format!("token={token}")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    for page in ["/operators", "/operators/live", "/record"] {
        assert_eq!(house.get(page, &richard).await.status, StatusCode::FORBIDDEN, "{page}");
    }
    assert!(!house.get("/", &richard).await.text().contains("/operators"));
    let nonsense = house.post("/grants/nonsense/close", &richard, &format!("token={token}")).await;
    assert_eq!(nonsense.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_statement_of_the_other_address_admits_it_too() {
    let server = "insecure = true\nurl = \"http://door.test\"\nurl-v6 = \"http://v6.door.test\"";
    let house = House::new(server).await;
    let jon = house.sign_in("jon").await;
    let page = house.get("/", &jon).await;
    let text = page.text();
    let nonce = text.split("data-nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a nonce");
    assert!(text.contains("data-probe=\"http://v6.door.test\""), "{text}");
    assert!(page.header("content-security-policy").contains("connect-src 'self' http://v6.door.test;"));

    let ask = async |origin: &str, nonce: &str| {
        let request = Request::get(format!("/address?nonce={nonce}")).header("origin", origin);
        let mut request = request.body(Body::empty()).expect("a request");
        let peer: std::net::SocketAddr = "[2a00:db8::7]:5000".parse().expect("an address");
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        house.send(request).await
    };
    assert_eq!(ask("https://evil.test", nonce).await.header("access-control-allow-origin"), "");
    assert_eq!(ask("http://door.test", "short").await.status, StatusCode::BAD_REQUEST);
    let seen = ask("http://door.test", nonce).await;
    assert_eq!(seen.header("access-control-allow-origin"), "http://door.test");
    assert_eq!(seen.json()["address"], "2a00:db8::7");

    let token = page.field("token");
    let statement = seen.json()["statement"].as_str().expect("a statement").replace(' ', "+");
    let form = format!("token={token}&target=orders-db&choose=1&admit=own&admit=other&statement={statement}");
    let answer = house.post("/grants", &jon, &form).await;
    let told = house.get(sent_to(&answer, StatusCode::SEE_OTHER), &jon).await.text();
    assert!(told.contains("203.0.113.7") && told.contains("2a00:db8::/64"), "{told}");
    assert_eq!(house.requests().app().store().unfinished().await.expect("grants").len(), 2);

    // Of another session, or after two minutes, it is worth nothing.
    let maria = house.sign_in("richard").await;
    let other = house.get("/", &maria).await.field("token");
    let form =
        |token: &str| format!("token={token}&target=orders-db&choose=1&admit=other&statement={statement}");
    let answer = house.post("/grants", &maria, &form(&other)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    house.pass(121);
    let answer = house.post("/grants", &jon, &form(&token)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text());
}

#[tokio::test]
async fn a_person_who_asks_for_too_much_at_once_is_slowed_down() {
    let house = House::new("").await;
    let jon = house.sign_in("jon").await;
    let token = house.get("/", &jon).await.field("token");
    let mut last = StatusCode::OK;
    for _ in 0..61 {
        last = house.post("/grants", &jon, &format!("token={token}&target=nothing")).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}
