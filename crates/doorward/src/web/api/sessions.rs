//! Signing in and out for programs, and the sessions of the person who is signed in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use doorward_core::audit::What;
use doorward_core::policy::Person;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Bearer, Body, Refused, RevokingBearer};
use crate::store::{Listed, SessionKind};
use crate::web::origin::Origin;
use crate::web::segment::Segment;
use crate::web::sign_in::sign_in;
use crate::web::{Web, account, own_password, session};

/// A name and a password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `name` and `password`")]
pub struct Credentials {
    name: String,
    password: String,
    /// What an earlier sign-in of the same device was given.
    device: Option<String>,
}

/// A session that was started or renewed.
#[derive(Debug, Serialize)]
pub struct NewSession {
    token: String,
    person: Person,
    ends: Timestamp,
    idle_seconds: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
}

/// A session in a list.
#[derive(Debug, Serialize)]
pub struct View {
    id: String,
    kind: &'static str,
    since: Timestamp,
    from: String,
    used: Timestamp,
    used_from: String,
    ends: Timestamp,
    current: bool,
}

/// How many sessions ended.
#[derive(Debug, Serialize)]
pub struct Ended {
    ended: u64,
}

/// A new password, and the present one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `present` and `new`")]
pub struct NewPassword {
    present: String,
    new: String,
}

/// `POST /sessions`
pub async fn begin(
    State(web): State<Arc<Web>>,
    origin: Origin,
    Body(sent): Body<Credentials>,
) -> Result<(StatusCode, Json<NewSession>), Refused> {
    let device = sent.device.as_deref();
    let begun = sign_in(&web, &sent.name, &sent.password, SessionKind::Api, origin, device).await?;
    let body = NewSession {
        token: begun.token.as_str().to_owned(),
        person: begun.person,
        ends: begun.ends,
        idle_seconds: idle_seconds(&web),
        device: Some(begun.device),
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// `GET /sessions`
pub async fn list(State(web): State<Arc<Web>>, Bearer(signed): Bearer) -> Result<Json<Vec<View>>, Refused> {
    let own = signed.id();
    let view = |one: Listed| View {
        current: one.id == own,
        id: one.id,
        kind: one.kind.as_str(),
        since: one.made,
        from: one.origin,
        used: one.used,
        used_from: one.used_from,
        ends: one.ends,
    };
    Ok(Json(account::list(&web, &signed).await?.into_iter().map(view).collect()))
}

/// `DELETE /sessions`: all but the one that asks.
pub async fn end_others(
    State(web): State<Arc<Web>>,
    RevokingBearer(signed): RevokingBearer,
) -> Result<Json<Ended>, Refused> {
    Ok(Json(Ended { ended: account::end_all_but_this(&web, &signed).await? }))
}

/// `DELETE /sessions/{id}`
pub async fn end_one(
    State(web): State<Arc<Web>>,
    RevokingBearer(signed): RevokingBearer,
    Segment(id): Segment,
) -> Result<StatusCode, Refused> {
    account::end_one(&web, &signed, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /sessions/current`
pub async fn end(
    State(web): State<Arc<Web>>,
    RevokingBearer(signed): RevokingBearer,
) -> Result<StatusCode, Refused> {
    let event = web.requests().event(&signed.caller, What::SignedOut);
    session::end(&web, &signed.caller.person, &signed.token, Some(event)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /me/password`
pub async fn change_password(
    State(web): State<Arc<Web>>,
    Bearer(signed): Bearer,
    origin: Origin,
    Body(sent): Body<NewPassword>,
) -> Result<Json<NewSession>, Refused> {
    let kind = SessionKind::Api;
    let changed = own_password::change(&web, &signed, kind, origin, &sent.present, &sent.new).await?;
    let (person, token) = (signed.caller.person, changed.token.as_str().to_owned());
    let (ends, idle_seconds) = (changed.ends, idle_seconds(&web));
    Ok(Json(NewSession { token, person, ends, idle_seconds, device: None }))
}

/// After how long without use a session expires.
fn idle_seconds(web: &Web) -> i64 {
    web.app().loaded().policy.server.sessions.idle.as_secs()
}
