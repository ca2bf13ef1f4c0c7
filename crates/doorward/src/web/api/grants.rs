//! Grants in the API: list, open, extend, get, revoke, approve.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use doorward_core::decision::Seen;
use doorward_core::grant::GrantId;
use doorward_core::policy::{self, TargetName, Transport};
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Bearer, Body, Refused, RevokingBearer, reads};
use crate::requests::{
    Answer, Ask, Caller, Carried, ClosedView, Error, GrantView, Opened, OpenedView, Through,
};
use crate::vending::{self, Vended};
use crate::web::failure::Failure;
use crate::web::origin::Origin;
use crate::web::segment::Segment;
use crate::web::{Web, open};

/// Which grants to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "`all`, `to_answer` or `history`")]
pub struct GrantsQuery {
    #[serde(default)]
    all: bool,
    #[serde(default)]
    to_answer: bool,
    #[serde(default)]
    history: bool,
}

/// How many ended grants are shown.
const HISTORY: u32 = 100;

/// `GET /grants`: one's own; with `?all=true` everybody's, for an operator; with `?to_answer=true` those that wait for
/// the caller's answer; with `?history=true` one's own that have ended.
pub async fn list(
    State(web): State<Arc<Web>>,
    RevokingBearer(signed): RevokingBearer,
    whose: Result<Query<GrantsQuery>, QueryRejection>,
) -> Result<Json<Vec<GrantView>>, Refused> {
    let Query(whose) = whose.map_err(|rejection| reads::query(&rejection))?;
    let grants = if whose.all {
        everybodys(&web, &signed.caller).await?
    } else if whose.to_answer {
        web.requests().views().to_answer(&signed.caller.person).await?
    } else if whose.history {
        web.requests().views().history(&signed.caller.person, HISTORY).await?
    } else {
        web.requests().views().current(&signed.caller.person).await?
    };
    Ok(Json(grants))
}

/// Everybody's grants. A refusal changes nothing and is not in the audit log, but in the server's log.
async fn everybodys(web: &Web, caller: &Caller) -> Result<Vec<GrantView>, Error> {
    let all = web.requests().views().all(caller).await;
    if let Err(Error::Refused(why)) = &all {
        let why: Vec<String> = why.iter().map(ToString::to_string).collect();
        let (person, from, why) = (&caller.person, caller.from.map(tracing::field::display), why.join("; "));
        let asked = "list everybody's grants";
        tracing::info!(target: "doorward::events", %person, asked, from, why, "request refused");
    }
    all
}

/// A request for a grant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `target`")]
pub struct GrantRequest {
    target: TargetName,
    #[serde(default)]
    lasts: Value,
    transport: Option<Transport>,
    reason: Option<String>,
}

/// `POST /grants`: opens a target for the caller's address, or extends what is open for it.
pub async fn open(
    State(web): State<Arc<Web>>,
    Bearer(signed): Bearer,
    origin: Origin,
    Body(wanted): Body<GrantRequest>,
) -> Result<(StatusCode, Json<OpenedView>), Refused> {
    web.change(&signed.caller.person)?;
    let (person, target) = (&signed.caller.person, &wanted.target);
    let address = open::source(&web, person, origin, target, wanted.transport)?;
    let lasts = lasts(&wanted.lasts)?;
    let (transport, reason) = (wanted.transport, wanted.reason);
    let ask = Ask { target: wanted.target, address, transport, lasts, reason };
    let opened = web.requests().open(&signed.caller, ask).await?;
    let status = match &opened {
        Opened::Granted { extended: false, .. } => StatusCode::CREATED,
        Opened::Granted { extended: true, .. } => StatusCode::OK,
        Opened::Waiting { .. } => StatusCode::ACCEPTED,
    };
    Ok((status, Json(web.requests().views().opened(opened).await)))
}

fn lasts(value: &Value) -> Result<Option<SignedDuration>, Failure> {
    let wrong = || {
        let typed = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let why = format!("`{typed}` is not a duration");
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, why)
            .hint("write `\"2h\"`, `\"90m\"` or a number of seconds")
    };
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => {
            whole(number).map(|seconds| Some(SignedDuration::from_secs(seconds))).ok_or_else(wrong)
        }
        Value::String(text) if is_written_as_said(text) => {
            policy::duration(text).map(Some).map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }
}

/// Whether a length of time has no more space than one between two parts, as the OpenAPI document says.
fn is_written_as_said(text: &str) -> bool {
    text.split(' ').all(|part| !part.is_empty() && !part.contains(char::is_whitespace))
}

/// A number without a fraction, which may be written with one: `7200.0` is an integer in JSON Schema.
fn whole(number: &serde_json::Number) -> Option<i64> {
    // Up to here each integer has a double of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let written_with_a_fraction = || {
        let number = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= EXACT)?;
        Some(number as i64)
    };
    number.as_i64().or_else(written_with_a_fraction)
}

/// `GET /grants/{id}`
pub async fn one(
    State(web): State<Arc<Web>>,
    Bearer(signed): Bearer,
    Segment(id): Segment,
) -> Result<Json<GrantView>, Refused> {
    Ok(Json(web.requests().views().one(&signed.caller, &read(&id)?).await?))
}

/// `DELETE /grants/{id}`
pub async fn close(
    State(web): State<Arc<Web>>,
    RevokingBearer(signed): RevokingBearer,
    Segment(id): Segment,
) -> Result<Json<ClosedView>, Refused> {
    let closed = web.requests().close(&signed.caller, &read(&id)?).await?;
    Ok(Json(web.requests().views().closed(closed)))
}

/// An approver's answer to a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `agree`, and `seen` or `reason`")]
pub struct AnswerRequest {
    agree: bool,
    // What the approver saw; the request as it was made, otherwise.
    #[serde(default, deserialize_with = "named")]
    seen: Option<Seen>,
    // Why it is denied.
    reason: Option<String>,
}

/// What is there is no null.
fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Seen>, D::Error> {
    Seen::deserialize(deserializer).map(Some)
}

/// `POST /grants/{id}/approval`
pub async fn answer(
    State(web): State<Arc<Web>>,
    RevokingBearer(signed): RevokingBearer,
    Segment(id): Segment,
    Body(AnswerRequest { agree, seen, reason }): Body<AnswerRequest>,
) -> Result<Json<OpenedView>, Refused> {
    let answer = match (agree, reason) {
        (true, Some(_)) => {
            let why = "`reason` says why a request is denied, and this approves it";
            return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, why).into());
        }
        (true, None) => Answer::Approve { seen },
        (false, reason) => Answer::Deny { reason },
    };
    // Closing and denying are never too many.
    if agree {
        signed.confirmed()?;
        web.change(&signed.caller.person)?;
    }
    let opened = web.requests().answer(&signed.caller, &read(&id)?, answer).await?;
    Ok(Json(web.requests().views().opened(opened).await))
}

/// `POST /grants/{id}/move`: to the caller's address, revoking the one before.
pub async fn relocate(
    State(web): State<Arc<Web>>,
    Bearer(signed): Bearer,
    origin: Origin,
    Segment(id): Segment,
) -> Result<Json<OpenedView>, Refused> {
    web.change(&signed.caller.person)?;
    let moved = web.requests().relocate(&signed.caller, &read(&id)?, origin.admitted()?).await?;
    Ok(Json(web.requests().views().relocated(moved).await))
}

/// `GET /grants/{id}/transport`: transport settings of one of the caller's open grants, for the client.
pub async fn through(
    State(web): State<Arc<Web>>,
    Bearer(signed): Bearer,
    Segment(id): Segment,
) -> Result<Json<Through>, Refused> {
    Ok(Json(web.requests().carries(&signed.caller, &read(&id)?).await?))
}

/// `POST /grants/{id}/credentials`: short-lived ones for exactly this grant. They are nowhere kept.
pub async fn credentials(
    State(web): State<Arc<Web>>,
    Bearer(signed): Bearer,
    Segment(id): Segment,
) -> Result<Json<Vended>, Refused> {
    web.change(&signed.caller.person)?;
    let vended = vending::credentials(web.requests(), &signed.caller, &read(&id)?).await;
    Ok(Json(vended.map_err(|error| match error {
        vending::Error::Grant(error) => Failure::from(error),
        vending::Error::NotVended(error) => Failure::new(StatusCode::CONFLICT, error.to_string()),
        error @ (vending::Error::Jump(_) | vending::Error::Locate(_) | vending::Error::Aws(_)) => {
            tracing::warn!(%error, grant = id, "no credentials were vended");
            Failure::new(StatusCode::BAD_GATEWAY, format!("AWS vended no credentials: {error}"))
        }
    })?))
}

/// `POST /grants/{id}/transport`: an event of a grant's transport, reported by the client.
pub async fn carried(
    State(web): State<Arc<Web>>,
    Bearer(signed): Bearer,
    Segment(id): Segment,
    Body(carried): Body<Carried>,
) -> Result<StatusCode, Refused> {
    web.change(&signed.caller.person)?;
    web.requests().carried(&signed.caller, &read(&id)?, carried).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(id: &str) -> Result<GrantId, Failure> {
    id.parse().map_err(|_| Failure::new(StatusCode::NOT_FOUND, format!("there is no grant `{id}`")))
}
