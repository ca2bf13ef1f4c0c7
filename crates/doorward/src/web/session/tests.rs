//! Sessions, their cookies, and the forms of other pages.

use axum::http::Extensions;
use doorward_core::policy::HashKind;
use sqlx::Connection as _;

use super::*;
use crate::web::host::Authority;
use crate::web::testing::{House, OTHER_HASH, PASSWORD, policy};

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().expect("a header"));
    }
    headers
}

fn check(lines: &[(&'static str, &str)], expected: bool) {
    let mut policy = policy();
    policy.server.url = Some("https://door.example/".into());
    let headers = headers(lines);
    let mut extensions = Extensions::new();
    extensions.insert(origin(true));
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    if let Some(authority) = host.and_then(Authority::read) {
        extensions.insert(authority);
    }
    assert_eq!(from_our_page(&headers, &extensions, &policy), expected, "{lines:?}");
}

fn origin(secure: bool) -> Origin {
    let peer = std::net::IpAddr::from([203, 0, 113, 7]);
    Origin { peer, client: Some(peer), unknown: None, secure, direct: true }
}

#[test]
fn forms_of_other_pages_are_told_apart() {
    check(&[], true);
    check(&[("sec-fetch-site", "same-origin")], true);
    check(&[("sec-fetch-site", "none")], true);
    check(&[("sec-fetch-site", "cross-site")], false);
    check(&[("sec-fetch-site", "same-site")], false);
    check(&[("sec-fetch-site", "cross-site"), ("origin", "https://door.example")], false);
    check(&[("origin", "https://door.example")], true);
    check(&[("origin", "http://door.example")], false);
    check(&[("origin", "https://door.example.evil.test")], false);
    check(&[("origin", "https://evil.test"), ("host", "door.example")], false);
    check(&[("origin", "https://door.example:8443"), ("host", "door.example:8443")], true);
    check(&[("origin", "http://door.example"), ("host", "door.example")], false);
    check(&[("origin", "null"), ("host", "null")], false);
    check(&[("origin", "null")], false);
}

#[test]
fn an_origin_has_no_path() {
    assert_eq!(origin_of("https://door.example:8443/x?y"), "https://door.example:8443");
    assert_eq!(origin_of("https://door.example"), "https://door.example");
    assert_eq!(origin_of("http://[::1]:80/"), "http://[::1]:80");
}

#[test]
fn a_cookie_is_found_among_others() {
    let sent = headers(&[("cookie", "a=b; xdoorward=1"), ("cookie", "doorward=2; doorward=3")]);
    assert_eq!(cookie(&sent, "doorward"), Some("2"));
    assert_eq!(cookie(&sent, "__Host-doorward"), None);
}

#[test]
fn a_cookie_is_secure_where_the_page_is() {
    let token = Token::new().expect("random bytes");
    let check = |url: &str, secure: bool, start: &str, attributes: &str| {
        let mut policy = policy();
        policy.server.url = Some(url.into());
        let set = set(&policy, origin(secure), &token);
        let value = token.as_str();
        assert_eq!(set, format!("{start}={value}; {attributes}; SameSite=Lax; Max-Age=43200"));
        let unset = unset(&policy, origin(secure));
        assert_eq!(unset, format!("{start}=; {attributes}; SameSite=Lax; Max-Age=0"));
        let form = BeforeSession::of(&policy, &HeaderMap::new(), origin(secure)).expect("random bytes");
        let set = form.set(&policy, origin(secure));
        assert!(set.starts_with(&format!("{start}-form=")), "{set}");
        assert!(set.ends_with(&format!("; {attributes}; SameSite=Strict")), "{set}");
    };
    check("http://localhost:8080", false, "doorward", "Path=/; HttpOnly");
    check("http://localhost:8080/door", false, "doorward", "Path=/door; HttpOnly");
    check("https://door.example", true, "__Host-doorward", "Path=/; HttpOnly; Secure");
    check("https://x.example/door", true, "__Secure-doorward", "Path=/door; HttpOnly; Secure");
}

#[test]
fn what_is_derived_differs_by_purpose_and_session() {
    let (one, other) = (Token::new().expect("random bytes"), Token::new().expect("random bytes"));
    assert_ne!(one.derive("form"), other.derive("form"));
    assert_ne!(one.derive("form"), one.derive("address"));
    let hash = |kind| PasswordHash::decoy(kind, 5);
    assert_ne!(one.bound(&hash(HashKind::Bcrypt)), one.bound(&hash(HashKind::Sha256Crypt)));
    assert_ne!(one.bound(&hash(HashKind::Bcrypt)), other.bound(&hash(HashKind::Bcrypt)));
    assert!(Token::read(one.as_str()).is_some());
    assert!(Token::read("short").is_none());
}

#[tokio::test]
async fn a_password_that_is_changed_meanwhile_starts_no_session() {
    let house = House::new("").await;
    // While the audit log is locked the sign-in has been verified and waits to be recorded.
    let file = house.folder().join("doorward.db").display().to_string();
    let mut other = sqlx::SqliteConnection::connect(&file).await.expect("the store");
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.expect("a lock");
    let change = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        house.people(&[("jon", OTHER_HASH)]);
        sqlx::raw_sql("COMMIT").execute(&mut other).await.expect("no lock");
    };
    let (answer, ()) = tokio::join!(house.try_sign_in("jon", PASSWORD), change);
    assert_eq!(house.get("/", &answer.cookies()).await.status, StatusCode::SEE_OTHER);
}
