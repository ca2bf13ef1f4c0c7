//! The cookies of a session and of a sign-in form.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use doorward_core::policy::Policy;
use ring::hmac;
use subtle::ConstantTimeEq as _;

use super::Token;
use crate::web::Web;
use crate::web::origin::Origin;

/// The names of the two cookies, without what says how browsers keep them.
pub(super) const SESSION: &str = "doorward";
const FORM: &str = "doorward-form";

/// A cookie's name as it is sent. Browsers keep `__Host-` for cookies that are Secure and of all paths of this host alone,
/// `__Secure-` for those that are Secure (RFC 6265bis, section 4.1.3).
pub fn named(name: &str, policy: &Policy, origin: Origin) -> String {
    let kept = match (origin.secure, policy.server.prefix()) {
        (false, _) => "",
        (true, "") => "__Host-",
        (true, _) => "__Secure-",
    };
    format!("{kept}{name}")
}

/// Where a cookie is sent to, and that scripts do not see it.
pub fn attributes(policy: &Policy, origin: Origin) -> String {
    let path = match policy.server.prefix() {
        "" => "/",
        prefix => prefix,
    };
    let secure = if origin.secure { "; Secure" } else { "" };
    format!("; Path={path}; HttpOnly{secure}")
}

/// The `Set-Cookie` that hands out a session.
pub fn set(policy: &Policy, origin: Origin, token: &Token) -> String {
    let (name, attributes, token) =
        (named(SESSION, policy, origin), attributes(policy, origin), token.as_str());
    format!("{name}={token}{attributes}; SameSite=Lax; Max-Age={}", policy.server.sessions.at_most.as_secs())
}

/// The `Set-Cookie` that takes it back.
pub fn unset(policy: &Policy, origin: Origin) -> String {
    let (name, attributes) = (named(SESSION, policy, origin), attributes(policy, origin));
    format!("{name}={attributes}; SameSite=Lax; Max-Age=0")
}

/// What ties the sign-in form to the browser that asked for it, so that nobody can be signed in as somebody else
/// by a form on another page.
#[derive(Debug, Clone)]
pub struct BeforeSession {
    value: String,
    /// Whether the browser has it already.
    pub sent: bool,
}

impl BeforeSession {
    /// The browser's, or a new one.
    pub fn of(policy: &Policy, headers: &HeaderMap, origin: Origin) -> Result<Self, getrandom::Error> {
        if let Some(Token(value)) = cookie(headers, &named(FORM, policy, origin)).and_then(Token::read) {
            return Ok(Self { value, sent: true });
        }
        Ok(Self { value: Token::new()?.0, sent: false })
    }

    /// The token in the form.
    pub fn form_token(&self, web: &Web) -> String {
        BASE64.encode(hmac::sign(web.key(), format!("sign-in {}", self.value).as_bytes()))
    }

    /// Whether a form has it.
    pub fn fits(&self, web: &Web, form_token: &str) -> bool {
        self.sent && bool::from(self.form_token(web).as_bytes().ct_eq(form_token.as_bytes()))
    }

    /// The `Set-Cookie` that hands it out.
    pub fn set(&self, policy: &Policy, origin: Origin) -> String {
        let (name, attributes) = (named(FORM, policy, origin), attributes(policy, origin));
        format!("{name}={}{attributes}; SameSite=Strict", self.value)
    }
}

pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}
