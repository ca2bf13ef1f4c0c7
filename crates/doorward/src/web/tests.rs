//! The pages as a browser without scripts sees them: sessions, forms, what cannot be forged or flooded.

use axum::body::Body;
use axum::http::header::SET_COOKIE;
use axum::http::{Method, Request, StatusCode};

use super::testing::{Answer, HASH, House, OTHER_HASH, PASSWORD, form_request};

fn sent_to(answer: &Answer, status: StatusCode) -> &str {
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.header("location")
}

/// Opens orders-db as whoever has the cookie, and returns the grant's name.
async fn opened(house: &House, cookie: &str) -> String {
    let page = house.get("/", cookie).await;
    let form = format!("token={}&target=orders-db&lasts=3600", page.field("token"));
    let answer = house.post("/grants", cookie, &form).await;
    sent_to(&answer, StatusCode::SEE_OTHER);
    let grants = house.requests().store().unfinished().await.expect("grants");
    grants.last().expect("a grant").id().to_string()
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_to_sign_in_and_back() {
    let house = House::new("").await;
    let answer = house.get("/", "").await;
    assert_eq!(sent_to(&answer, StatusCode::SEE_OTHER), "/sign-in");
    let answer = house.get("/record", "doorward=nonsense").await;
    assert_eq!(sent_to(&answer, StatusCode::SEE_OTHER), "/sign-in?next=/record");
    let page = house.get("/sign-in?next=/record", "").await;
    let form =
        |next: &str| format!("token={}&next={next}&name=maria&password={PASSWORD}", page.field("token"));
    assert_eq!(page.field("next"), "/record");
    let answer = house.post("/sign-in", &page.cookies(), &form("/record")).await;
    assert_eq!(sent_to(&answer, StatusCode::SEE_OTHER), "/record");
    for elsewhere in ["https://evil.test/", "//evil.test", "/%5Cevil.test", "/sign-out"] {
        let answer = house.post("/sign-in", &page.cookies(), &form(elsewhere)).await;
        assert_eq!(sent_to(&answer, StatusCode::SEE_OTHER), "/", "{elsewhere}");
    }
}

#[tokio::test]
async fn every_refusal_of_a_sign_in_is_the_same() {
    let house = House::new("").await;
    let page = house.get("/sign-in", "").await;
    let mut seen = Vec::new();
    let long = "x".repeat(2000);
    for (name, password) in [
        ("jon", "wrong"),
        ("nobody", "wrong"),
        ("jon", ""),
        ("nobody", PASSWORD),
        ("no%20body", "wrong"),
        ("richard", long.as_str()),
    ] {
        let form = format!("token={}&name={name}&password={password}", page.field("token"));
        let begun = std::time::Instant::now();
        let answer = house.post("/sign-in", &page.cookies(), &form).await;
        let took = begun.elapsed();
        assert!(took.as_millis() >= 500, "{name}: answered after {took:?}");
        let typed = name.replace("%20", " ");
        seen.push((answer.status, answer.text().replace(&format!("value=\"{typed}\""), "")));
    }
    assert_eq!(seen[0].0, StatusCode::UNAUTHORIZED);
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn a_session_begins_with_a_new_token_and_ends_the_old_one() {
    let house = House::new("").await;
    let first = house.sign_in("jon").await;
    let page = house.get("/sign-in", "").await;
    let form = format!("token={}&name=jon&password={PASSWORD}", page.field("token"));
    let both = format!("{}; {first}", page.cookies());
    let second = house.post("/sign-in", &both, &form).await.cookies();
    assert_ne!(first, second);
    assert_eq!(house.get("/", &first).await.status, StatusCode::SEE_OTHER);
    assert_eq!(house.get("/", &second).await.status, StatusCode::OK);

    let page = house.get("/", &second).await;
    let answer = house.post("/sign-out", &second, &format!("token={}", page.field("token"))).await;
    assert_eq!(sent_to(&answer, StatusCode::SEE_OTHER), "/sign-in?out=1");
    assert!(answer.header(SET_COOKIE.as_str()).contains("Max-Age=0"));
    assert_eq!(house.get("/", &second).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_session_ends_with_the_person_and_the_password() {
    let house = House::new("").await;
    let (jon, richard) = (house.sign_in("jon").await, house.sign_in("richard").await);
    house.people(&[("jon", OTHER_HASH), ("maria", HASH)]);
    assert_eq!(house.get("/", &jon).await.status, StatusCode::SEE_OTHER);
    assert_eq!(house.get("/", &richard).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn under_https_the_cookie_is_of_this_host_alone() {
    let house = House::new("url = \"https://door.example\"").await;
    let page = house.get("/sign-in", "").await;
    let cookie = page.header("set-cookie");
    assert!(cookie.starts_with("__Host-doorward-form=") && cookie.contains("; Secure"), "{cookie}");
    assert!(page.header("strict-transport-security").starts_with("max-age="));
    let answer = house.try_sign_in("jon", PASSWORD).await;
    let cookie = answer.header("set-cookie");
    for part in ["__Host-doorward=", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{part} is not in {cookie}");
    }
}

#[tokio::test]
async fn a_form_of_nobody_signs_nobody_in() {
    let house = House::new("").await;
    let page = house.get("/sign-in", "").await;
    let form = |token: &str| format!("token={token}&name=jon&password={PASSWORD}");
    let token = page.field("token");
    let other = house.get("/sign-in", "").await;
    for (cookie, token) in
        [("", token.as_str()), (page.cookies().as_str(), ""), (other.cookies().as_str(), token.as_str())]
    {
        let answer = house.post("/sign-in", cookie, &form(token)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{cookie} {token}");
        assert!(!answer.cookies().contains("doorward="), "{}", answer.cookies());
        assert_eq!(answer.field("name"), "jon", "what was typed is kept");
    }
    let mut request = form_request("/sign-in", &page.cookies(), &form(&token));
    request.headers_mut().insert("sec-fetch-site", "cross-site".parse().expect("a header"));
    assert_eq!(house.send(request).await.status, StatusCode::FORBIDDEN);
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

    let grants = house.requests().store().unfinished().await.expect("grants");
    let id = grants[0].id().to_string();
    let token = page.field("token");
    house.pass(600);
    let answer =
        house.post(&format!("/grants/{id}/extend"), &jon, &format!("token={token}&lasts=most")).await;
    let told = house.get(sent_to(&answer, StatusCode::SEE_OTHER), &jon).await.text();
    assert!(told.contains("stays open") && told.contains("2026-11-22 17:59 UTC"), "{told}");
    assert_eq!(house.requests().store().unfinished().await.expect("grants").len(), 1);

    let answer = house.post(&format!("/grants/{id}/close"), &jon, &format!("token={token}")).await;
    let told = house.get(sent_to(&answer, StatusCode::SEE_OTHER), &jon).await.text();
    assert!(told.contains("is closed") && told.contains("No connection was open"), "{told}");
}

#[tokio::test]
async fn whoever_may_answer_is_asked() {
    let house = House::new("").await;
    let (jon, richard) = (house.sign_in("jon").await, house.sign_in("richard").await);
    let token = house.get("/", &jon).await.field("token");
    let asked = house.post("/grants", &jon, &format!("token={token}&target=orders-db&lasts=28800")).await;
    let told = house.get(sent_to(&asked, StatusCode::SEE_OTHER), &jon).await.text();
    assert!(told.contains("once somebody agrees") && told.contains("Waiting for leads"), "{told}");
    assert!(!told.contains("/answer"), "nobody answers for themselves");

    let page = house.get("/", &richard).await;
    assert!(page.text().contains("jon asks for orders-db"), "{}", page.text());
    let grants = house.requests().store().unfinished().await.expect("grants");
    let answer = format!("/grants/{}/answer", grants[0].id());
    let neither = house.post(&answer, &richard, &format!("token={}", page.field("token"))).await;
    assert_eq!(neither.status, StatusCode::UNPROCESSABLE_ENTITY);
    let agreed = house.post(&answer, &richard, &format!("token={}&agree=yes", page.field("token"))).await;
    let told = house.get(sent_to(&agreed, StatusCode::SEE_OTHER), &richard).await.text();
    assert!(told.contains("You agreed.") && told.contains("2026-11-22 18:00 UTC"), "{told}");
    let page = house.get("/live", &jon).await.text();
    assert!(page.contains("Agreed by") && page.contains("8 h left"), "{page}");
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
    for part in ["is opened only with a reason", "may be open for at most", "role=\"alert\""] {
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
        assert!(answer.text().contains("This was not done."), "{form}");
    }
    assert!(house.requests().store().unfinished().await.expect("grants").is_empty());
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
    let server = "url = \"http://door.test\"\nurl-v6 = \"http://v6.door.test\"";
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
        let peer: std::net::SocketAddr = "[2001:db8::7]:5000".parse().expect("an address");
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        house.send(request).await
    };
    assert_eq!(ask("https://evil.test", nonce).await.header("access-control-allow-origin"), "");
    assert_eq!(ask("http://door.test", "short").await.status, StatusCode::BAD_REQUEST);
    let seen = ask("http://door.test", nonce).await;
    assert_eq!(seen.header("access-control-allow-origin"), "http://door.test");
    assert_eq!(seen.json()["address"], "2001:db8::7");

    let token = page.field("token");
    let statement = seen.json()["statement"].as_str().expect("a statement").replace(' ', "+");
    let form = format!("token={token}&target=orders-db&choose=1&admit=own&admit=other&statement={statement}");
    let answer = house.post("/grants", &jon, &form).await;
    let told = house.get(sent_to(&answer, StatusCode::SEE_OTHER), &jon).await.text();
    assert!(told.contains("203.0.113.7") && told.contains("2001:db8::/64"), "{told}");
    assert_eq!(house.requests().store().unfinished().await.expect("grants").len(), 2);

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
async fn guessing_is_slowed_down_and_does_not_fill_the_record() {
    let house = House::new("").await;
    let page = house.get("/sign-in", "").await;
    let form = format!("token={}&name=jon&password=wrong", page.field("token"));
    let mut statuses = Vec::new();
    for _ in 0..40 {
        let answer = house.post("/sign-in", &page.cookies(), &form).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|wait| wait <= 300));
        }
        statuses.push(answer.status);
    }
    let looked_at = statuses.iter().filter(|status| **status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(looked_at, 3, "{statuses:?}");
    let refused = async || {
        let record = house.record().await;
        record.into_iter().filter(|line| line["what"] == "sign-in-refused").collect::<Vec<_>>()
    };
    assert_eq!(refused().await.len(), 10);
    // The right password is not looked at either, until the delay is over.
    let answer = house.try_sign_in("jon", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    house.pass(900);
    house.sign_in("jon").await;
    house.try_sign_in("jon", "wrong").await;
    let refused = refused().await;
    let summary = refused.iter().find(|line| line["who"] == "doorward").expect("a summary");
    assert!(summary["why"].as_str().is_some_and(|why| why.starts_with("31 more")), "{summary}");
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
