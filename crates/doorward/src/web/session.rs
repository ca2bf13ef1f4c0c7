//! The caller's session: the cookie, the stored session, and the tokens that bind a form to it.
//!
//! The cookie is `SameSite=Lax`, not `Strict`: a person who follows a link from a mail ("jon waits for you") should be
//! signed in. That is safe, because no GET changes anything and every form has a token of its session, besides the
//! check of its origin.

mod cookies;
mod our_page;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use doorward_core::audit::Event;
use doorward_core::policy::{PasswordHash, Person};
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use subtle::ConstantTimeEq as _;

use super::failure::Failure;
use super::origin::Origin;
use super::{Web, api};
use crate::clock::random;
use crate::requests::{Caller, KnownSession};
use crate::store::{self, Session, SessionKind};

use self::cookies::SESSION;

pub use self::cookies::{BeforeSession, set, unset};
pub(super) use self::cookies::{attributes, cookie, named};
pub use self::our_page::{from_our_page, of_another_page, origin_of};

/// What a session is known by: 256 random bits, in base64.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self(BASE64.encode(random::<32>()?)))
    }

    /// What came as one; text of another shape is none.
    fn read(text: &str) -> Option<Self> {
        let good = text.len() == 43
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        good.then(|| Self(text.to_owned()))
    }

    /// As it is sent to its owner, and to nobody else.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name derived from it for one purpose, from which it cannot be learnt.
    fn derive(&self, purpose: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes());
        BASE64.encode(hmac::sign(&key, purpose.as_bytes()))
    }

    /// Binds a session to a password: another password ends the session.
    fn bound(&self, hash: &PasswordHash) -> String {
        let (kind, cost) = (hash.kind().prefix(), hash.cost());
        self.derive(&format!("password {kind} {cost} {} {}", hash.salt(), hash.digest()))
    }
}

/// A person with a session.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Who, and from where.
    pub caller: Caller,
    /// Whether they operate Doorward.
    pub operator: bool,
    /// When the session ends by itself.
    pub ends: Timestamp,
    pub token: Token,
    /// Whether the store did not say so just now, but some time ago.
    pub remembered: bool,
}

impl Signed {
    /// That the store says so now: what is remembered opens nothing.
    pub fn confirmed(&self) -> Result<(), Failure> {
        match self.remembered {
            true => Err(Failure::of_store(&store::Error::Late)),
            false => Ok(()),
        }
    }

    /// The token in every form of the session.
    pub fn form_token(&self) -> String {
        self.token.derive("form")
    }

    /// What a statement of an address is bound to.
    pub fn nonce(&self) -> String {
        self.token.derive("address")
    }

    /// What it is called in a list of sessions.
    pub fn id(&self) -> String {
        store::session_id(self.token.as_str())
    }

    /// Whose notes are whose.
    pub fn name(&self) -> String {
        self.token.derive("session")
    }

    /// Whether a form has this session's token.
    pub fn sent(&self, form_token: &str) -> bool {
        self.form_token().as_bytes().ct_eq(form_token.as_bytes()).into()
    }
}

/// A session that is to be kept, always with a new token. It holds as long as the person's password is the one that was
/// proved: one that was changed since must not be what the session is tied to.
pub fn begin(
    web: &Web,
    person: &Person,
    proved: &PasswordHash,
    kind: SessionKind,
    origin: Origin,
) -> Result<(Token, Session), Failure> {
    let token = Token::new().map_err(|error| Failure::broken(&error))?;
    let made = web.app().clock().now();
    let ends = made + web.app().loaded().policy.server.sessions.at_most;
    let session = Session {
        person: person.clone(),
        kind,
        made,
        ends,
        origin: origin.counted().to_string(),
        used: made,
        bound: token.bound(proved),
    };
    Ok((token, session))
}

/// Whether a request is a person's doing, or that of a page that looks by itself what is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It keeps the session alive.
    Person,
    /// It does not.
    Page,
}

/// What a request may do with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Whatever its person may.
    All,
    /// Revoke, and look what there is to revoke: also while the store cannot be read.
    Revoking,
}

/// Finds the session of a token. A session whose person or password is no longer the same is ended, and one that was
/// not used for long.
async fn find(
    web: &Web,
    token: Token,
    kind: SessionKind,
    origin: Origin,
    (by, purpose): (Use, Purpose),
) -> Result<Option<Signed>, Failure> {
    let requests = web.requests();
    let found = match purpose {
        Purpose::Revoking => requests.session_to_revoke(token.as_str()).await,
        Purpose::All => {
            let session = requests.session(token.as_str()).await;
            session.map(|session| session.map(|session| KnownSession { session, remembered: false }))
        }
    };
    let found = found.map_err(|error| Failure::of_store(&error))?;
    let Some(KnownSession { session, remembered }) = found else { return Ok(None) };
    let now = requests.app().clock().now();
    if session.kind != kind {
        return Ok(None);
    }
    let loaded = requests.app().loaded();
    let same = loaded.people.passwords.get(&session.person).is_some_and(|hash| {
        let bound = token.bound(hash);
        bool::from(bound.as_bytes().ct_eq(session.bound.as_bytes()))
    });
    // Setting the clock back does not extend a session: one with a last use in the future has expired.
    let begun = session.made.max(session.used) <= now + SignedDuration::from_mins(5);
    let lengths = loaded.policy.server.sessions;
    let idle = now.duration_since(session.used) >= lengths.idle;
    let old = now.duration_since(session.made) >= lengths.at_most;
    if !same || !begun || idle || old {
        end(web, &session.person, &token, None).await?;
        return Ok(None);
    }
    if by == Use::Person && !remembered {
        note_use(web, &token, &session, origin, lengths.idle, now);
    }
    let operator = requests.operates(&session.person);
    let caller = Caller::known(session.person, origin.client);
    Ok(Some(Signed { caller, operator, ends: session.ends, token, remembered }))
}

/// Has it noted that a session is used, beside the request: a store that cannot be written now delays nobody who only
/// looks.
fn note_use(
    web: &Web,
    token: &Token,
    session: &Session,
    origin: Origin,
    idle: SignedDuration,
    now: Timestamp,
) {
    if !store::is_due(session, idle, now) {
        return;
    }
    let (store, token, session) = (web.app().store().clone(), token.clone(), session.clone());
    let from = origin.counted().to_string();
    tokio::spawn(async move {
        if let Err(error) = store::in_time(store.use_session(token.as_str(), &session, &from, now)).await {
            tracing::debug!(%error, "could not record the use of a session");
        }
    });
}

/// Ends a session, with the event that reports it if there is one. It has ended also where the store cannot say so yet.
pub async fn end(web: &Web, person: &Person, token: &Token, event: Option<Event>) -> Result<(), Failure> {
    let ended = web.requests().end_session(person, &store::session_id(token.as_str()), event).await;
    ended.map_err(|error| Failure::of_store(&error))
}

/// The session of a request's cookie.
pub async fn of_cookie(
    web: &Web,
    headers: &HeaderMap,
    origin: Origin,
    what_for: (Use, Purpose),
) -> Result<Option<Signed>, Failure> {
    let loaded = web.app().loaded();
    let token = cookie(headers, &named(SESSION, &loaded.policy, origin)).and_then(Token::read);
    match token {
        Some(token) => find(web, token, SessionKind::Browser, origin, what_for).await,
        None => Ok(None),
    }
}

/// The session of a request's `Authorization` header.
pub async fn of_bearer(
    web: &Web,
    headers: &HeaderMap,
    origin: Origin,
    purpose: Purpose,
) -> Result<Option<Signed>, Failure> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    match token.and_then(Token::read) {
        Some(token) => find(web, token, SessionKind::Api, origin, (Use::Person, purpose)).await,
        None => Ok(None),
    }
}

impl Signed {
    /// Who sent a request for a page, or where they sign in.
    pub async fn find(parts: &mut Parts, web: &Arc<Web>, purpose: Purpose) -> Result<Self, Response> {
        let Ok(origin) = Origin::from_request_parts(parts, web).await;
        let by = if parts.uri.path().ends_with("/live") { Use::Page } else { Use::Person };
        match of_cookie(web, &parts.headers, origin, (by, purpose)).await {
            Ok(Some(signed)) => Ok(signed),
            Ok(None) => {
                let next = super::own_page(parts.uri.path()).filter(|_| parts.method == Method::GET);
                let to = match next {
                    Some("/") => "/sign-in".to_owned(),
                    Some(next) => format!("/sign-in?next={next}"),
                    None => "/sign-in?ended=1".to_owned(),
                };
                Err((StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response())
            }
            Err(failure) => Err(failure.into_response()),
        }
    }
}

impl FromRequestParts<Arc<Web>> for Signed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Response> {
        Self::find(parts, web, Purpose::All).await
    }
}

/// A person who revokes on a page, or looks at it: also while the store cannot be read.
#[derive(Debug)]
pub struct Revoking(pub Signed);

impl FromRequestParts<Arc<Web>> for Revoking {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Response> {
        Signed::find(parts, web, Purpose::Revoking).await.map(Self)
    }
}

impl FromRequestParts<Arc<Web>> for api::Bearer {
    type Rejection = api::Refused;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, api::Refused> {
        let Ok(origin) = Origin::from_request_parts(parts, web).await;
        let found = of_bearer(web, &parts.headers, origin, Purpose::All).await?;
        Ok(Self(found.ok_or_else(Failure::signed_out)?))
    }
}

impl FromRequestParts<Arc<Web>> for api::RevokingBearer {
    type Rejection = api::Refused;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, api::Refused> {
        let Ok(origin) = Origin::from_request_parts(parts, web).await;
        let found = of_bearer(web, &parts.headers, origin, Purpose::Revoking).await?;
        Ok(Self(found.ok_or_else(Failure::signed_out)?))
    }
}

#[cfg(test)]
mod tests;
