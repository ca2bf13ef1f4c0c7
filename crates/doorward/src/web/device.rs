//! The cookie that identifies a browser that signed in before, so that others in its network cannot keep its person
//! out. It does not sign anybody in.

use axum::http::HeaderMap;
use doorward_core::policy::Policy;

use super::origin::Origin;
use super::session::{attributes, cookie, named};
use crate::store::REMEMBERED;

const DEVICE: &str = "doorward-device";

/// What the browser sent.
pub fn read<'a>(headers: &'a HeaderMap, policy: &Policy, origin: Origin) -> Option<&'a str> {
    cookie(headers, &named(DEVICE, policy, origin)).filter(|secret| !secret.is_empty())
}

/// The `Set-Cookie` that hands it out.
pub fn set(policy: &Policy, origin: Origin, secret: &str) -> String {
    let (name, attributes) = (named(DEVICE, policy, origin), attributes(policy, origin));
    format!("{name}={secret}{attributes}; SameSite=Strict; Max-Age={}", REMEMBERED.as_secs())
}
