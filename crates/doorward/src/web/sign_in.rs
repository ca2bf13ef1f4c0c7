//! Signing in and out.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use doorward_core::audit::What;
use doorward_core::policy::Person;
use jiff::Timestamp;
use maud::html;
use serde::Deserialize;

use super::failure::{self, Failure};
use super::form::{Fields, PostedToRevoke};
use super::guard::network;
use super::layout;
use super::origin::Origin;
use super::proving::{Proved, prove};
use super::query::Query;
use super::session::{self, BeforeSession, Purpose, Token, Use};
use super::{Web, device, own_page};
use crate::requests::Caller;
use crate::store::{Mark, SessionKind};

/// A session that began.
#[derive(Debug)]
pub struct Begun {
    pub person: Person,
    pub token: Token,
    /// Its end, if it is used until then.
    pub ends: Timestamp,
    /// By which the device is known at its next sign-in.
    pub device: String,
}

/// Looks at a name and a password, and starts a session when they belong together. `device` is what an earlier
/// sign-in of this device handed out.
pub async fn sign_in(
    web: &Arc<Web>,
    name: &str,
    password: &str,
    kind: SessionKind,
    origin: Origin,
    device: Option<&str>,
) -> Result<Begun, Failure> {
    let Proved { person, hash } = prove(web, name, password, origin, device).await?;
    // What was opened under a password that an operator has replaced ends before anything is opened under the new one.
    web.requests().password_proved(&person, &hash).await?;
    let caller = Caller::known(person.clone(), origin.client);
    let event = web.requests().event(&caller, What::SignedIn);
    let (token, session) = session::begin(web, &person, &hash, kind, origin)?;
    // Where they signed in and with which device is remembered; its secret is a new one unless it had one.
    let had = device.filter(|secret| web.known().has(Mark::device(&person, secret)));
    let device = match had {
        Some(secret) => secret.to_owned(),
        None => Token::new().map_err(|error| Failure::broken(&error))?.as_str().to_owned(),
    };
    let marks = [Mark::network(&person, network(origin.counted())), Mark::device(&person, &device)];
    let kept = web.app().store().keep_session(token.as_str(), &session, Some(marks), event).await;
    kept.map_err(|error| Failure::of_store(&error))?;
    web.requests().know_session(token.as_str(), &session);
    web.known().add(marks);
    Ok(Begun { person, token, ends: session.ends, device })
}

/// Why the page is shown, and where to go from it.
#[derive(Debug, Default, Deserialize)]
pub struct SignInQuery {
    next: Option<String>,
    ended: Option<String>,
    out: Option<String>,
}

/// `GET /sign-in`
pub async fn page(
    State(web): State<Arc<Web>>,
    origin: Origin,
    headers: HeaderMap,
    Query(asked): Query<SignInQuery>,
) -> Result<Response, Failure> {
    if session::of_cookie(&web, &headers, origin, (Use::Page, Purpose::All)).await?.is_some() {
        return Ok(to("/"));
    }
    let said = if asked.ended.is_some() {
        Some("Your session had expired, so nothing was done.")
    } else if asked.out.is_some() {
        Some("You are signed out. Your open grants stay open until they expire.")
    } else {
        None
    };
    form(&web, &headers, origin, Shown { said, next: asked.next.as_deref(), ..Shown::default() })
}

#[derive(Debug, Default)]
struct Shown<'a> {
    said: Option<&'a str>,
    next: Option<&'a str>,
    name: &'a str,
    failure: Option<&'a Failure>,
}

fn form(web: &Web, headers: &HeaderMap, origin: Origin, shown: Shown<'_>) -> Result<Response, Failure> {
    let loaded = web.app().loaded();
    let before =
        BeforeSession::of(&loaded.policy, headers, origin).map_err(|error| Failure::broken(&error))?;
    let next = shown.next.and_then(own_page).filter(|next| *next != "/");
    let page = layout::bare(
        "Sign in",
        html! {
            h1 { "Sign in" }
            @if let Some(said) = shown.said { p.note role="status" { (said) } }
            @if let Some(failure) = shown.failure {
                div.problem role="alert" tabindex="-1" autofocus { (failure::reasons(failure)) }
            }
            form.stack method="post" action="/sign-in" {
                input type="hidden" name="token" value=(before.form_token(web));
                @if let Some(next) = next { input type="hidden" name="next" value=(next); }
                label for="name" { "Name" }
                input #name type="text" name="name" value=(shown.name) required autocomplete="username"
                    autocapitalize="none" spellcheck="false" autofocus[shown.failure.is_none()];
                label for="password" { "Password" }
                input #password type="password" name="password" required autocomplete="current-password";
                button.main type="submit" { "Sign in" }
            }
        },
    );
    let failure = shown.failure;
    let status = failure.map_or(StatusCode::OK, |failure| failure.status);
    let mut response = (status, layout::written(page)).into_response();
    if let Some(seconds) = failure.and_then(|failure| failure.retry_after) {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    if !before.sent {
        set_cookie(&mut response, before.set(&loaded.policy, origin))?;
    }
    Ok(response)
}

/// `POST /sign-in`
pub async fn submit(
    State(web): State<Arc<Web>>,
    origin: Origin,
    request: Request,
) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    let loaded = web.app().loaded();
    let ours = session::from_our_page(&headers, request.extensions(), &loaded.policy);
    let fields = Fields::read(request, &web).await?;
    let before =
        BeforeSession::of(&loaded.policy, &headers, origin).map_err(|error| Failure::broken(&error))?;
    let (name, next) = (fields.get("name").unwrap_or_default(), fields.get("next"));
    let shown = |failure| Shown { next, name, failure: Some(failure), said: None };
    if !ours {
        let failure = session::of_another_page("so nobody was signed in");
        return form(&web, &headers, origin, shown(&failure));
    }
    if !before.fits(&web, fields.exactly("token")) {
        let failure =
            Failure::new(StatusCode::FORBIDDEN, "this form was out of date, so nobody was signed in")
                .hint("try again from here; your browser has to accept cookies");
        return form(&web, &headers, origin, shown(&failure));
    }
    let device = device::read(&headers, &loaded.policy, origin);
    let (kind, password) = (SessionKind::Browser, fields.exactly("password"));
    let begun = match sign_in(&web, name, password, kind, origin, device).await {
        Ok(begun) => begun,
        Err(failure) => return form(&web, &headers, origin, shown(&failure)),
    };
    // Whoever was signed in here before no longer is.
    if let Some(old) = session::of_cookie(&web, &headers, origin, (Use::Page, Purpose::All)).await? {
        session::end(&web, &old.caller.person, &old.token, None).await?;
    }
    let mut response = to(next.and_then(own_page).unwrap_or("/"));
    set_cookie(&mut response, session::set(&loaded.policy, origin, &begun.token))?;
    set_cookie(&mut response, device::set(&loaded.policy, origin, &begun.device))?;
    Ok(response)
}

/// `POST /sign-out`
pub async fn sign_out(
    State(web): State<Arc<Web>>,
    PostedToRevoke(posted): PostedToRevoke,
) -> Result<Response, Failure> {
    let event = web.requests().event(&posted.signed.caller, What::SignedOut);
    session::end(&web, &posted.signed.caller.person, &posted.signed.token, Some(event)).await?;
    let mut response = to("/sign-in?out=1");
    set_cookie(&mut response, session::unset(&web.app().loaded().policy, posted.origin))?;
    Ok(response)
}

fn to(page: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, page)]).into_response()
}

pub(super) fn set_cookie(response: &mut Response, cookie: String) -> Result<(), Failure> {
    let value = HeaderValue::try_from(cookie).map_err(|error| Failure::broken(&error))?;
    response.headers_mut().append(SET_COOKIE, value);
    Ok(())
}
