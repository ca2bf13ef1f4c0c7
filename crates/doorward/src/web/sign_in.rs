//! Signing in and out. A refusal is the same and takes as long, whatever its cause.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use doorward_core::audit::{Event, What, Who};
use doorward_core::policy::{People, Person};
use jiff::Timestamp;
use maud::html;
use serde::Deserialize;

use super::failure::{self, Failure};
use super::form::{Fields, Posted};
use super::guard::{TooMany, shortened};
use super::layout;
use super::origin::Origin;
use super::session::{self, BeforeSession, Token};
use super::{Web, own_page};
use crate::people::password;
use crate::requests::Caller;
use crate::store::SessionKind;

/// Refusals are answered only at a multiple of this, so that their time does not tell their cause.
const TICK: Duration = Duration::from_millis(500);
/// How long a try waits for a processor that looks at it.
const QUEUES: Duration = Duration::from_secs(10);
/// No password is longer, in bytes; and nobody may keep a processor busy with one that is.
const LONGEST: usize = 1024;

/// Looks at a name and a password, and starts a session when they belong together.
pub async fn sign_in(
    web: &Arc<Web>,
    name: &str,
    password: &str,
    kind: SessionKind,
    origin: Origin,
) -> Result<(Person, Token, Timestamp), Failure> {
    let started = web.requests().clock().uptime();
    let signed_in = looked_at(web, name, password, kind, origin).await;
    if let Err(failure) = &signed_in
        && failure.status == StatusCode::UNAUTHORIZED
    {
        let took = web.requests().clock().uptime().saturating_sub(started);
        let over = Duration::from_nanos((took.as_nanos() % TICK.as_nanos()) as u64);
        tokio::time::sleep(TICK.saturating_sub(over)).await;
    }
    signed_in
}

async fn looked_at(
    web: &Arc<Web>,
    name: &str,
    password: &str,
    kind: SessionKind,
    origin: Origin,
) -> Result<(Person, Token, Timestamp), Failure> {
    let address = origin.counted();
    let clock = web.requests().clock();
    let asked = web.guard().attempt(name, address, clock.uptime());
    if let Err(too_many) = asked {
        refused(web, name, origin, "too many tries").await?;
        return Err(Failure::too_many(too_many));
    }
    let permit = tokio::time::timeout(QUEUES, Arc::clone(&web.verifying).acquire_owned()).await;
    let Ok(Ok(permit)) = permit else {
        web.guard().not_tried(name, address);
        return Err(Failure::too_many(TooMany { wait: Duration::from_secs(5) }));
    };
    let loaded = web.requests().loaded();
    let good = {
        let (loaded, name) = (Arc::clone(&loaded), name.to_owned());
        let too_long = password.len() > LONGEST;
        let password = shortened(password, LONGEST).to_owned();
        tokio::task::spawn_blocking(move || {
            // Held until the work is done, also when nobody waits for it any more.
            let _permit = permit;
            theirs(&loaded.people, &name, &password) && !too_long
        })
        .await
        .map_err(|error| Failure::broken(&error))?
    };
    let person = name.parse::<Person>().ok().filter(|_| good);
    let proved = person.as_ref().and_then(|person| loaded.people.passwords.get(person));
    let (Some(person), Some(proved)) = (&person, proved) else {
        refused(web, name, origin, "the name or the password was wrong").await?;
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "the name or the password is wrong"));
    };
    web.guard().succeeded(name, address, clock.uptime());
    let caller = Caller::known(person.clone(), origin.client);
    let event = web.requests().event(&caller, What::SignedIn);
    web.requests().record(vec![event]).await?;
    let (token, ends) = session::begin(web, person, proved, kind, origin).await?;
    Ok((person.clone(), token, ends))
}

/// A name that is nobody's, or cannot be anybody's, takes as long as one that is somebody's.
fn theirs(people: &People, name: &str, password: &str) -> bool {
    match name.parse::<Person>() {
        Ok(person) => password::is_theirs(people, &person, password),
        Err(_) => {
            password::verify(&password::decoy(people), password);
            false
        }
    }
}

async fn refused(web: &Web, name: &str, origin: Origin, why: &str) -> Result<(), Failure> {
    let clock = web.requests().clock();
    let uptime = clock.uptime();
    let summary = web.tally().summary(uptime, false);
    let told = web.tally().refused(origin.counted(), uptime);
    let mut events = Vec::new();
    if let Some(why) = summary {
        events.push(Event::new(clock.now(), Who::Doorward, What::SignInRefused { why }));
    }
    if told {
        let who = Who::Claimed(shortened(name, 63).to_owned());
        let event = Event::new(clock.now(), who, What::SignInRefused { why: why.into() });
        events.push(event.from(origin.client));
    }
    Ok(web.requests().record(events).await?)
}

/// Why the page is shown, and where to go from it.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    next: Option<String>,
    ended: Option<String>,
    out: Option<String>,
}

/// `GET /sign-in`
pub async fn page(
    State(web): State<Arc<Web>>,
    origin: Origin,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    if session::of_cookie(&web, &headers, origin).await?.is_some() {
        return Ok(to("/"));
    }
    let said = if asked.ended.is_some() {
        Some("You were no longer signed in, so nothing was done.")
    } else if asked.out.is_some() {
        Some("You are signed out. What you opened stays open until its end.")
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
    let loaded = web.requests().loaded();
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
    let loaded = web.requests().loaded();
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
    let signed_in = sign_in(&web, name, fields.exactly("password"), SessionKind::Browser, origin).await;
    let (_, token, _) = match signed_in {
        Ok(signed_in) => signed_in,
        Err(failure) => return form(&web, &headers, origin, shown(&failure)),
    };
    // Whoever was signed in here before no longer is.
    if let Some(old) = session::of_cookie(&web, &headers, origin).await? {
        session::end(&web, &old.token).await?;
    }
    let mut response = to(next.and_then(own_page).unwrap_or("/"));
    set_cookie(&mut response, session::set(&loaded.policy, origin, &token))?;
    Ok(response)
}

/// `POST /sign-out`
pub async fn sign_out(State(web): State<Arc<Web>>, posted: Posted) -> Result<Response, Failure> {
    session::end(&web, &posted.signed.token).await?;
    let event = web.requests().event(&posted.signed.caller, What::SignedOut);
    web.requests().record(vec![event]).await?;
    let mut response = to("/sign-in?out=1");
    set_cookie(&mut response, session::unset(&web.requests().loaded().policy, posted.origin))?;
    Ok(response)
}

fn to(page: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, page)]).into_response()
}

fn set_cookie(response: &mut Response, cookie: String) -> Result<(), Failure> {
    let value = HeaderValue::try_from(cookie).map_err(|error| Failure::broken(&error))?;
    response.headers_mut().append(SET_COOKIE, value);
    Ok(())
}
