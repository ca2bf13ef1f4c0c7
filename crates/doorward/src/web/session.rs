//! The caller's session: the cookie, the stored session, and the tokens that bind a form to it.
//!
//! The cookie is `SameSite=Lax`, not `Strict`: a person who follows a link from a mail ("jon waits for you") should be
//! signed in. That is safe, because no GET changes anything and every form has a token of its session, besides the
//! check of its origin.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE, LOCATION, ORIGIN};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use doorward_core::audit::Event;
use doorward_core::policy::{PasswordHash, Person, Policy};
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use subtle::ConstantTimeEq as _;

use super::failure::Failure;
use super::host::Authority;
use super::origin::Origin;
use super::{Web, api};
use crate::clock::random;
use crate::requests::{Caller, KnownSession};
use crate::store::{self, Session, SessionKind};

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
    let made = web.requests().clock().now();
    let ends = made + web.requests().loaded().policy.server.sessions.at_most;
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
    let now = requests.clock().now();
    if session.kind != kind {
        return Ok(None);
    }
    let loaded = requests.loaded();
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
    let (store, token, session) = (web.requests().store().clone(), token.clone(), session.clone());
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
    let loaded = web.requests().loaded();
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

/// The names of the two cookies, without what says how browsers keep them.
const SESSION: &str = "doorward";
const FORM: &str = "doorward-form";

/// A cookie's name as it is sent. Browsers keep `__Host-` for cookies that are Secure and of all paths of this host alone,
/// `__Secure-` for those that are Secure (RFC 6265bis, section 4.1.3).
pub(super) fn named(name: &str, policy: &Policy, origin: Origin) -> String {
    let kept = match (origin.secure, policy.server.prefix()) {
        (false, _) => "",
        (true, "") => "__Host-",
        (true, _) => "__Secure-",
    };
    format!("{kept}{name}")
}

/// Where a cookie is sent to, and that scripts do not see it.
pub(super) fn attributes(policy: &Policy, origin: Origin) -> String {
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

pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// Whether a form was sent from a page of ours, as far as the browser says.
///
/// Browsers say `Sec-Fetch-Site` over https and on this machine, and `Origin` always; a program that says neither
/// still has to know the form's token. The host that the request is for was found to be ours before.
pub fn from_our_page(headers: &HeaderMap, extensions: &Extensions, policy: &Policy) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(from) = text(ORIGIN.as_str()) else { return true };
    let server = &policy.server;
    let ours = [&server.url, &server.url_v4, &server.url_v6];
    let configured = ours.into_iter().flatten().any(|url| origin_of(url).eq_ignore_ascii_case(from));
    let secure = extensions.get::<Origin>().is_some_and(|origin| origin.secure);
    configured || extensions.get::<Authority>().is_some_and(|authority| authority.is_origin(from, secure))
}

/// Says that a form came from a page of another site, which may be this one under a name that the server does not know.
pub fn of_another_page(so: &str) -> Failure {
    let why = format!("this form was not sent from a page of this server, {so}");
    Failure::new(StatusCode::FORBIDDEN, why).hint(
        "if you followed a link from another site, open the page again; behind a proxy, an operator sets `url` and has the proxy forward `Host`",
    )
}

/// Scheme, host and port of a URL.
pub fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url.get(start..).and_then(|rest| rest.find(['/', '?', '#']));
    end.and_then(|end| url.get(..start + end)).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use doorward_core::policy::HashKind;
    use sqlx::Connection as _;

    use super::*;
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
        Origin { peer, client: Some(peer), unknown: None, secure }
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
}
