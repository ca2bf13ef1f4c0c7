//! Which host a request is for: others are refused, and forms work by either version of HTTP.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE};
use axum::http::{Request, StatusCode, Version};

use crate::web::testing::{Answer, House, PASSWORD};

const OURS: &str = "url = \"https://door.example:8443\"\nurl-v6 = \"https://v6.door.example\"";

async fn get(house: &House, path: &str, host: &str) -> Answer {
    house.send(Request::get(path).header("host", host).body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn a_request_for_another_host_is_refused_with_the_address_of_ours() {
    let house = House::new(OURS).await;
    for host in ["door.example", "DOOR.example.:8443", "door.example:443", "v6.door.example"] {
        assert_eq!(get(&house, "/sign-in", host).await.status, StatusCode::OK, "{host}");
    }
    for host in ["evil.test", "203.0.113.9", "localhost:8443", "[::1]", "door.example.evil.test"] {
        let page = get(&house, "/sign-in", host).await;
        assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        let text = page.text();
        assert!(
            text.contains("does not answer for the host") && text.contains("https://door.example:8443"),
            "{text}"
        );
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
        assert_eq!(page.header("set-cookie"), "", "nobody of another host gets a cookie");
        let call = get(&house, "/api/v1/openapi.json", host).await;
        assert_eq!(call.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(call.json()["hint"].as_str().expect("a hint").contains("https://door.example:8443"));
        for path in ["/healthz", "/api/v1/healthz"] {
            // Nothing is reconciled here, so it may not be well; but it is answered.
            assert!(get(&house, path, host).await.json()["version"].is_string(), "{host} {path}");
        }
    }
}

#[tokio::test]
async fn without_an_address_no_name_is_ours_that_could_have_been_made_to_lead_here() {
    let house = House::new("").await;
    for host in ["127.0.0.1:8080", "[::1]:8080", "10.0.0.5", "localhost:8080"] {
        assert_eq!(get(&house, "/sign-in", host).await.status, StatusCode::OK, "{host}");
    }
    let rebound = get(&house, "/sign-in", "rebound.evil.test:8080").await;
    assert_eq!(rebound.status, StatusCode::MISDIRECTED_REQUEST);
    assert!(rebound.text().contains("<code>url</code>"), "{}", rebound.text());
}

#[tokio::test]
async fn a_request_that_names_no_host_or_two_is_refused() {
    let house = House::new(OURS).await;
    let several = Request::get("/sign-in").header("host", "door.example").header("host", "door.example");
    let odd = Request::get("/sign-in").header("host", "jon@door.example");
    let empty = Request::get("/sign-in").header("host", "");
    let differ =
        Request::get("https://door.example/sign-in").version(Version::HTTP_2).header("host", "evil.test");
    let absolute = |uri: &str, host: &str| Request::get(uri).header("host", host);
    let evil = absolute("https://evil.test/sign-in", "door.example");
    let ours = absolute("https://door.example/sign-in", "evil.test");
    for request in [several, odd, empty, differ, evil, ours] {
        let refused = house.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text());
    }
    // In absolute form, which proxies use (RFC 9112, section 3.2.2).
    for (host, expected) in [("door.example", StatusCode::OK), ("evil.test", StatusCode::MISDIRECTED_REQUEST)]
    {
        let request = absolute(&format!("https://{host}/sign-in"), host).body(Body::empty());
        assert_eq!(house.send(request.expect("a request")).await.status, expected, "{host}");
    }
}

/// As a browser sends it that says `Origin` and no `Sec-Fetch-Site`.
async fn sign_in(house: &House, version: Version, authority: &str, origin: &str) -> StatusCode {
    let page = house.get("/sign-in", "").await;
    let form = format!("token={}&name=jon&password={PASSWORD}", page.field("token"));
    let request = match version {
        Version::HTTP_2 => Request::post(format!("https://{authority}/sign-in")).version(version),
        _ => Request::post("/sign-in").header("host", authority),
    };
    let request = request
        .header("origin", origin)
        .header(COOKIE, page.cookies())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form));
    house.send(request.expect("a request")).await.status
}

#[tokio::test]
async fn a_form_works_by_either_version_of_http() {
    for (server, authority, origin, other) in [
        (OURS, "door.example:8443", "https://door.example:8443", "https://evil.test"),
        ("", "127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8081"),
    ] {
        let house = House::new(server).await;
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let signed_in = sign_in(&house, version, authority, origin).await;
            assert_eq!(signed_in, StatusCode::SEE_OTHER, "{version:?} {authority}");
            let forged = sign_in(&house, version, authority, other).await;
            assert_eq!(forged, StatusCode::FORBIDDEN, "{version:?} {authority}");
        }
    }
}
