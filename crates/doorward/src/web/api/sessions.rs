//! Signing in and out for programs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use doorward_core::audit::What;
use doorward_core::policy::Person;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Bearer, Body, Refused};
use crate::store::SessionKind;
use crate::web::origin::Origin;
use crate::web::sign_in::sign_in;
use crate::web::{Web, session};

/// A name and a password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `name` and `password`")]
pub struct Credentials {
    name: String,
    password: String,
}

/// A session.
#[derive(Debug, Serialize)]
pub struct Begun {
    token: String,
    person: Person,
    ends: Timestamp,
}

/// `POST /sessions`
pub async fn begin(
    State(web): State<Arc<Web>>,
    origin: Origin,
    Body(sent): Body<Credentials>,
) -> Result<(StatusCode, Json<Begun>), Refused> {
    let (person, token, ends) = sign_in(&web, &sent.name, &sent.password, SessionKind::Api, origin).await?;
    Ok((StatusCode::CREATED, Json(Begun { token: token.as_str().to_owned(), person, ends })))
}

/// `DELETE /sessions/current`
pub async fn end(State(web): State<Arc<Web>>, Bearer(signed): Bearer) -> Result<StatusCode, Refused> {
    session::end(&web, &signed.token).await?;
    let event = web.requests().event(&signed.caller, What::SignedOut);
    web.requests().record(vec![event]).await?;
    Ok(StatusCode::NO_CONTENT)
}
