//! A person's address in the other address family: detected by a script through the server's other name, and signed so
//! that it cannot be forged.
//!
//! The page is on one name of the server; a script on it asks the name that resolves to the other family for the
//! client's address. The answer is a statement, valid for two minutes and for that session only, which the open form
//! sends back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use doorward_core::policy::Policy;
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::Web;
use super::failure::Failure;
use super::origin::Origin;
use super::query::Query;
use super::session::{Signed, origin_of};

/// How long a statement is believed.
const VALID: Duration = Duration::from_secs(120);

/// What a script asks with.
#[derive(Debug, Deserialize)]
pub struct ProbeQuery {
    #[serde(default)]
    nonce: String,
}

#[derive(Debug, Serialize)]
struct Seen {
    address: IpAddr,
    family: String,
    statement: String,
}

/// `GET /address`: says which address it sees, to our own pages alone.
pub async fn seen(
    State(web): State<Arc<Web>>,
    origin: Origin,
    Query(asked): Query<ProbeQuery>,
    headers: HeaderMap,
) -> Response {
    let address = match origin.admitted() {
        Ok(address) => address,
        Err(failure) => return failure.into_response(),
    };
    if asked.nonce.len() != 43 {
        return Failure::new(StatusCode::BAD_REQUEST, "a nonce is missing").into_response();
    }
    let now = web.app().clock().uptime();
    let statement = state(web.key(), address, &asked.nonce, now + VALID);
    let family = doorward_core::net::Cidr::host(address).family().to_string();
    let mut response = Json(Seen { address, family, statement }).into_response();
    let loaded = web.app().loaded();
    if let Some(ours) = allowed_origin(&loaded.policy, &headers) {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, ours);
    }
    response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    response
}

fn allowed_origin(policy: &Policy, headers: &HeaderMap) -> Option<HeaderValue> {
    let ours = origin_of(policy.server.url.as_deref()?);
    let from = headers.get(ORIGIN)?;
    from.to_str().is_ok_and(|from| from.eq_ignore_ascii_case(ours)).then(|| from.clone())
}

fn state(key: &hmac::Key, address: IpAddr, nonce: &str, until: Duration) -> String {
    let until = until.as_secs();
    let tag = BASE64.encode(hmac::sign(key, format!("address {address} {nonce} {until}").as_bytes()));
    format!("{address} {until} {tag}")
}

/// The address of a statement, if we made it for this session lately.
pub fn stated(web: &Web, signed: &Signed, statement: &str) -> Option<IpAddr> {
    read(web.key(), statement, &signed.nonce(), web.app().clock().uptime())
}

fn read(key: &hmac::Key, statement: &str, nonce: &str, now: Duration) -> Option<IpAddr> {
    let mut parts = statement.split(' ');
    let address: IpAddr = parts.next()?.parse().ok()?;
    let until: u64 = parts.next()?.parse().ok()?;
    let tag = BASE64.decode(parts.next()?).ok()?;
    let message = format!("address {address} {nonce} {until}");
    hmac::verify(key, message.as_bytes(), &tag).ok()?;
    (now < Duration::from_secs(until)).then_some(address)
}

/// Where the address of the other family can be learnt: the family's name, and the server's other URL with its path.
pub fn other(policy: &Policy, seen: IpAddr) -> (&'static str, Option<String>) {
    let (family, url) = match seen {
        IpAddr::V4(_) => ("IPv6", &policy.server.url_v6),
        IpAddr::V6(_) => ("IPv4", &policy.server.url_v4),
    };
    (family, url.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
    }

    #[test]
    fn a_statement_holds_for_its_session_and_time() {
        let address: IpAddr = "2001:db8::7".parse().expect("an address");
        let statement = state(&key(), address, "nonce", Duration::from_secs(120));
        let read =
            |statement: &str, nonce: &str, now| read(&key(), statement, nonce, Duration::from_secs(now));
        assert_eq!(read(&statement, "nonce", 119), Some(address));
        assert_eq!(read(&statement, "nonce", 120), None);
        assert_eq!(read(&statement, "another", 1), None);
        assert_eq!(read(&statement.replace("db8::7", "db8::8"), "nonce", 1), None);
        assert_eq!(read(&statement.replace(" 120 ", " 999 "), "nonce", 1), None);
        assert_eq!(read("", "nonce", 1), None);
        let another = hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]);
        assert_eq!(super::read(&another, &statement, "nonce", Duration::ZERO), None);
    }
}
