//! Proxies: one that the policy names is believed, one that it does not name is noticed and opens nothing.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE};
use axum::http::{Method, Request, StatusCode};
use doorward_core::proxy_protocol::Named;
use serde_json::{Value, json};

use crate::web::serve::Arrival;
use crate::web::testing::{Answer, House, form_request};

const PROXY: [u8; 4] = [192, 0, 2, 9];

fn page(path: &str, cookies: &str) -> Request<Body> {
    Request::get(path).header(COOKIE, cookies).body(Body::empty()).expect("a request")
}

fn call(method: Method, path: &str, token: &str, body: Value) -> Request<Body> {
    let request =
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    request.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).expect("a request")
}

async fn open(house: &House, added: &[(&'static str, &str)]) -> Answer {
    let jon = house.token("jon").await;
    house
        .through(PROXY, added, call(Method::POST, "/api/v1/grants", &jon, json!({ "target": "orders-db" })))
        .await
}

#[tokio::test]
async fn a_proxy_that_is_not_named_opens_nothing_and_is_shown() {
    let house = House::new("").await;
    let jon = house.sign_in("jon").await;
    let added = [("x-forwarded-for", "203.0.113.7")];
    let home = house.through(PROXY, &added, page("/", &jon)).await;
    let text = home.text();
    assert!(text.contains("through a proxy (192.0.2.9 sent <code>X-Forwarded-For</code>)"), "{text}");
    assert!(text.contains("<code>proxies = [&quot;192.0.2.9&quot;]</code>"), "{text}");
    let form = format!("token={}&target=orders-db", home.field("token"));
    let refused = house.through(PROXY, &added, form_request("/grants", &jon, &form)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().contains("that the policy does not list"), "{}", refused.text());
    for added in [[("via", "1.1 squid")], [("forwarded", "for=203.0.113.7")], [("x-real-ip", "203.0.113.7")]]
    {
        let refused = open(&house, &added).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{added:?}");
        assert!(refused.json()["hint"].as_str().expect("a hint").contains("`proxies = [\"192.0.2.9\"]`"));
    }
    assert_eq!(house.requests().app().store().unfinished().await.expect("grants").len(), 0);
    let token = house.token("jon").await;
    let me = house.through(PROXY, &added, call(Method::GET, "/api/v1/me", &token, Value::Null)).await;
    assert_eq!(me.json()["address"], Value::Null);

    let maria = house.sign_in("maria").await;
    let operators = house.get("/operators", &maria).await.text();
    assert!(operators.contains("<code>192.0.2.9</code> sent <code>X-Forwarded-For</code>"), "{operators}");
    house.pass(3600);
    let maria = house.sign_in("maria").await;
    assert!(!house.get("/operators", &maria).await.text().contains("192.0.2.9"));
}

#[tokio::test]
async fn a_proxy_that_is_named_says_who_comes() {
    let house = House::new("proxies = [\"192.0.2.0/24\"]").await;
    let source = async |added: &[(&'static str, &str)]| {
        let answer = open(&house, added).await;
        (answer.status.as_u16(), answer.json()["grant"]["source"].clone())
    };
    assert_eq!(
        source(&[("x-forwarded-for", "198.51.100.1, 203.0.113.7")]).await,
        (201, json!("203.0.113.7/32"))
    );
    assert_eq!(
        source(&[("forwarded", "for=\"[2001:470::7]:4711\";proto=https")]).await,
        (201, json!("2001:470::/64"))
    );
    assert_eq!(source(&[("forwarded", "for=203.0.113.8"), ("x-forwarded-for", "203.0.113.8")]).await.0, 201);
    for added in [
        &[("forwarded", "for=203.0.113.9"), ("x-forwarded-for", "203.0.113.10")][..],
        &[("forwarded", "for=unknown")],
        &[("forwarded", "for=_hidden")],
        &[("forwarded", "203.0.113.9")],
        &[("x-real-ip", "203.0.113.9")],
        // The proxies themselves: a rule for one would admit everybody behind it.
        &[("x-forwarded-for", "192.0.2.9")],
        &[("forwarded", "for=192.0.2.1, for=192.0.2.9")],
        &[],
    ] {
        let refused = open(&house, added).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{added:?}: {}", refused.text());
    }
}

#[tokio::test]
async fn a_cookie_is_secure_where_a_proxy_of_ours_speaks_tls() {
    let cookie = async |house: &House, added: &[(&'static str, &str)]| {
        let page = house.through(PROXY, added, page("/sign-in", "")).await;
        (page.header("set-cookie").to_owned(), !page.header("strict-transport-security").is_empty())
    };
    let named = House::new("proxies = [\"192.0.2.9\"]").await;
    for added in [("x-forwarded-proto", "https"), ("forwarded", "for=203.0.113.7;proto=https")] {
        let (cookie, hsts) = cookie(&named, &[added]).await;
        assert!(
            hsts && cookie.starts_with("__Host-doorward-form=") && cookie.contains("; Secure"),
            "{cookie}"
        );
    }
    let (plain, hsts) = cookie(&named, &[("x-forwarded-proto", "http")]).await;
    assert!(!hsts && plain.starts_with("doorward-form=") && !plain.contains("Secure"), "{plain}");
    let stranger = House::new("").await;
    let (plain, hsts) = cookie(&stranger, &[("x-forwarded-proto", "https")]).await;
    assert!(!hsts && plain.starts_with("doorward-form=") && !plain.contains("Secure"), "{plain}");
}

#[tokio::test]
async fn who_goes_past_the_proxy_that_has_the_tls_is_refused_before_a_password_is_read() {
    let house = House::new("listen = \"0.0.0.0:8080\"\nproxies = [\"192.0.2.9\"]").await;
    for path in ["/", "/sign-in", "/api/v1/me"] {
        let answer = house.through([203, 0, 113, 7], &[], page(path, "")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.text().contains("his connection is not encrypted"), "{}", answer.text());
        let added = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https")];
        let pretends = house.through([203, 0, 113, 7], &added, page(path, "")).await;
        assert_eq!(pretends.status, StatusCode::FORBIDDEN, "{path}");
        let proxied = house.through(PROXY, &added, page(path, "")).await;
        assert_ne!(proxied.status, StatusCode::FORBIDDEN, "{path}");
    }
    // Whoever looks whether it lives sends no password.
    let health = house.through([203, 0, 113, 7], &[], page("/healthz", "")).await;
    assert_ne!(health.status, StatusCode::FORBIDDEN);
    for settings in [
        "listen = \"0.0.0.0:8080\"\ninsecure = true",
        "listen = \"127.0.0.1:8080\"\nproxies = [\"192.0.2.9\"]",
    ] {
        let house = House::new(settings).await;
        let answer = house.through([203, 0, 113, 7], &[], page("/sign-in", "")).await;
        assert_eq!(answer.status, StatusCode::OK, "{settings}");
    }
}

/// A load balancer that does not read HTTP has named the client, which writes what it likes in the request.
#[tokio::test]
async fn what_a_client_writes_behind_a_proxy_header_is_not_believed_but_noticed() {
    const CLIENT: [u8; 4] = [203, 0, 113, 7];
    let house = House::new("proxies = [\"10.0.0.0/24\"]\nproxy-protocol = true").await;
    let address = async |client: [u8; 4], added: &[(&'static str, &str)]| {
        let token = house.token("jon").await;
        let mut request = call(Method::GET, "/api/v1/me", &token, Value::Null);
        let header = Some(Named::Client((client, 4711).into()));
        request.extensions_mut().insert(Arrival { tls: false, header });
        house.through(client, added, request).await.json()["address"].clone()
    };
    let own = json!("203.0.113.7");
    assert_eq!(address(CLIENT, &[]).await, own);
    assert_eq!(address(CLIENT, &[("x-forwarded-for", "203.0.113.7")]).await, own);
    for added in
        [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.1"), ("via", "1.1 squid")]
    {
        assert_eq!(address(CLIENT, &[added]).await, Value::Null, "{added:?}");
    }
    // A proxy that is listed reads HTTP behind the load balancer.
    assert_eq!(address([10, 0, 0, 9], &[("x-forwarded-for", "203.0.113.7")]).await, own);
    let maria = house.sign_in("maria").await;
    let operators = house.get("/operators", &maria).await.text();
    assert!(operators.contains("<code>203.0.113.7</code> sent <code>X-Forwarded-For</code>"), "{operators}");
}
