//! The person's own account: the password, and the sign-in sessions.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use doorward_core::audit::What;
use maud::{Markup, html};
use serde::Deserialize;

use super::failure::{self, Failure};
use super::form::{Posted, PostedToRevoke};
use super::layout::{self, Here, token};
use super::query::Query;
use super::session::{self, Signed};
use super::sign_in::set_cookie;
use super::{Web, own_password, words};
use crate::store::{self, Listed, SessionKind, in_time};

/// What was just done.
#[derive(Debug, Default, Deserialize)]
pub struct Done {
    done: Option<String>,
}

/// `GET /account`
pub async fn page(
    State(web): State<Arc<Web>>,
    signed: Signed,
    Query(done): Query<Done>,
) -> Result<Response, Failure> {
    let said = match done.done.as_deref() {
        Some("session") => Some("The session has ended."),
        Some("sessions") => Some("All other sessions have ended."),
        Some("password") => {
            Some("Your password is changed, and all other sessions have ended. Your open grants stay open.")
        }
        _ => None,
    };
    show(&web, &signed, said, None).await
}

async fn show(
    web: &Web,
    signed: &Signed,
    said: Option<&str>,
    failure: Option<&Failure>,
) -> Result<Response, Failure> {
    let sessions = list(web, signed).await?;
    let policy = web.app().loaded().policy.clone();
    let lengths = policy.server.sessions;
    let main = html! {
        h1 { "Your account" }
        @if let Some(said) = said { div.note role="status" tabindex="-1" autofocus { p { (said) } } }
        @if let Some(failure) = failure {
            div.problem role="alert" tabindex="-1" autofocus {
                strong { "This request failed." }
                (failure::reasons(failure))
            }
        }
        section aria-labelledby="sessions" {
            h2 #sessions { "Sessions" }
            p.quiet {
                "A session expires " (words::lasting(lengths.idle.as_secs()))
                " after its last use, and at most " (words::lasting(lengths.at_most.as_secs())) " after sign-in."
            }
            table role="table" {
                caption.unseen { "Your sign-in sessions, the most recently used first" }
                thead role="rowgroup" {
                    tr role="row" {
                        @for title in ["Session", "Signed in", "Last used", "Expires", ""] {
                            th role="columnheader" scope="col" { (title) @if title.is_empty() { span.unseen { "End" } } }
                        }
                    }
                }
                tbody role="rowgroup" { @for session in &sessions { (row(signed, session)) } }
            }
            @if sessions.len() > 1 {
                form method="post" action="/account/sessions/end-others" {
                    (token(signed))
                    button.danger type="submit" { "End all other sessions" }
                }
            }
        }
        section aria-labelledby="password" {
            h2 #password { "Password" }
            @if own_password::possible(web) {
                (form(signed, policy.people.least_length))
            } @else {
                p { "The server cannot write the password file, so an operator changes your password: " code { "doorward user passwd " (signed.caller.person) } }
            }
        }
    };
    let status = failure.map_or(StatusCode::OK, |failure| failure.status);
    let mut response = layout::page(signed, Here::Account, status, main);
    if let Some(seconds) = failure.and_then(|failure| failure.retry_after) {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

/// The person's sessions that have not ended.
pub async fn list(web: &Web, signed: &Signed) -> Result<Vec<Listed>, Failure> {
    listed(web, signed).await.map_err(|error| Failure::of_store(&error))
}

async fn listed(web: &Web, signed: &Signed) -> Result<Vec<Listed>, store::Error> {
    web.requests().sessions_of(&signed.caller.person).await
}

fn row(signed: &Signed, session: &Listed) -> Markup {
    let own = session.id == signed.id();
    html! {
        tr role="row" {
            th role="rowheader" scope="row" {
                (match session.kind { SessionKind::Browser => "Browser", SessionKind::Api => "Command line or program" })
                " " code { (session.id) }
                @if own { " " span.badge.good { "This one" } }
            }
            td role="cell" data-title="Signed in" {
                div { (words::time(session.made)) " " span.quiet { "from " } code { (session.origin) } }
            }
            td role="cell" data-title="Last used" {
                div { (words::time(session.used)) " " span.quiet { "from " } code { (session.used_from) } }
            }
            td role="cell" data-title="Expires" { (words::time(session.ends)) }
            td role="cell" {
                form method="post" action="/account/sessions/end" {
                    (token(signed))
                    input type="hidden" name="session" value=(session.id);
                    button.danger type="submit" {
                        @if own { "Sign out" } @else { "End" }
                        span.unseen { " " (session.id) }
                    }
                }
            }
        }
    }
}

fn form(signed: &Signed, least: usize) -> Markup {
    html! {
        form.stack method="post" action="/account/password" {
            (token(signed))
            input type="hidden" name="username" value=(signed.caller.person) autocomplete="username";
            label for="present" { "Current password" }
            input #present type="password" name="present" required autocomplete="current-password";
            label for="new" { "New password" span.quiet { ", " (least) " characters or more" } }
            input #new type="password" name="new" required minlength=(least) autocomplete="new-password";
            label for="again" { "Repeat the new password" }
            input #again type="password" name="again" required minlength=(least) autocomplete="new-password";
            button.main type="submit" { "Change the password" }
            p.quiet { "All other sessions end. Your open grants stay open." }
        }
    }
}

/// `POST /account/sessions/end`
pub async fn end(
    State(web): State<Arc<Web>>,
    PostedToRevoke(posted): PostedToRevoke,
) -> Result<Response, Failure> {
    let id = posted.fields.get("session").unwrap_or_default();
    end_one(&web, &posted.signed, id).await?;
    if id == posted.signed.id() {
        let mut response = to("/sign-in?out=1");
        set_cookie(&mut response, session::unset(&web.app().loaded().policy, posted.origin))?;
        return Ok(response);
    }
    Ok(to("/account?done=session"))
}

/// Ends one of the person's sessions.
pub async fn end_one(web: &Web, signed: &Signed, id: &str) -> Result<(), Failure> {
    let what = if id == signed.id() { What::SignedOut } else { What::SessionRevoked { session: id.into() } };
    let event = web.requests().event(&signed.caller, what);
    // A list that cannot be read does not show that the session is missing.
    let listed = in_time(listed(web, signed)).await;
    if listed.is_ok_and(|listed| listed.iter().all(|one| one.id != id)) {
        let why = format!("you have no session `{id}`; it may have ended already");
        return Err(Failure::new(StatusCode::NOT_FOUND, why));
    }
    let ended = web.requests().end_session(&signed.caller.person, id, Some(event)).await;
    ended.map_err(|error| Failure::of_store(&error))
}

/// `POST /account/sessions/end-others`
pub async fn end_others(
    State(web): State<Arc<Web>>,
    PostedToRevoke(posted): PostedToRevoke,
) -> Result<Response, Failure> {
    end_all_but_this(&web, &posted.signed).await?;
    Ok(to("/account?done=sessions"))
}

/// Ends the person's other sessions; how many.
pub async fn end_all_but_this(web: &Web, signed: &Signed) -> Result<u64, Failure> {
    let listed = in_time(listed(web, signed)).await.unwrap_or_default();
    let others: Vec<Listed> = listed.into_iter().filter(|one| one.id != signed.id()).collect();
    let count = others.len() as u64;
    let revoked = others.into_iter().map(|one| What::SessionRevoked { session: one.id });
    let events = revoked.map(|what| web.requests().event(&signed.caller, what)).collect();
    let ended = web.requests().end_other_sessions(&signed.caller.person, &signed.id(), events).await;
    ended.map(|()| count).map_err(|error| Failure::of_store(&error))
}

/// `POST /account/password`
pub async fn password(State(web): State<Arc<Web>>, posted: Posted) -> Result<Response, Failure> {
    let (signed, fields) = (&posted.signed, &posted.fields);
    web.change(&signed.caller.person)?;
    let (present, new) = (fields.exactly("present"), fields.exactly("new"));
    if new != fields.exactly("again") {
        let why = "the two new passwords differ, so nothing was changed";
        let failure = Failure::new(StatusCode::UNPROCESSABLE_ENTITY, why);
        return show(&web, signed, None, Some(&failure)).await;
    }
    match own_password::change(&web, signed, SessionKind::Browser, posted.origin, present, new).await {
        Ok(changed) => {
            let mut response = to("/account?done=password");
            set_cookie(
                &mut response,
                session::set(&web.app().loaded().policy, posted.origin, &changed.token),
            )?;
            Ok(response)
        }
        Err(failure) => show(&web, signed, None, Some(&failure)).await,
    }
}

fn to(page: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, page)]).into_response()
}
