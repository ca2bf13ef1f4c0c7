//! Read-only endpoints: the caller, the targets, the audit log.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use doorward_core::audit::Line;
use doorward_core::policy::{Group, Person};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Bearer, Refused};
use crate::overdue::Overdue;
use crate::requests::Offer;
use crate::web::failure::Failure;
use crate::web::query::unreadable;
use crate::web::{Web, record};

/// Who is signed in.
#[derive(Debug, Serialize)]
pub struct Me {
    person: Person,
    groups: BTreeSet<Group>,
    address: Option<IpAddr>,
    operator: bool,
    ends: Timestamp,
    idle_seconds: i64,
}

/// `GET /me`
pub async fn me(State(web): State<Arc<Web>>, Bearer(signed): Bearer) -> Json<Me> {
    let (person, address) = (signed.caller.person, signed.caller.from);
    let loaded = web.app().loaded();
    let groups = loaded.people.groups_of(&person).cloned().collect();
    let idle_seconds = loaded.policy.server.sessions.idle.as_secs();
    Json(Me { person, groups, address, operator: signed.operator, ends: signed.ends, idle_seconds })
}

/// `GET /targets`
pub async fn targets(State(web): State<Arc<Web>>, Bearer(signed): Bearer) -> Json<Vec<Offer>> {
    Json(web.requests().views().offers(&signed.caller.person))
}

/// The range of audit entries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "`before` and `limit`")]
pub struct AuditRange {
    before: Option<u64>,
    limit: Option<u32>,
}

/// Entries of the audit log.
#[derive(Debug, Serialize)]
pub struct Lines {
    lines: Vec<Line>,
    // The `before` of the next page; none at the beginning of the audit log.
    next: Option<u64>,
}

/// The most lines that are sent at once.
const MOST: u32 = 1000;

/// `GET /record`
pub async fn record(
    State(web): State<Arc<Web>>,
    Bearer(signed): Bearer,
    part: Result<Query<AuditRange>, QueryRejection>,
) -> Result<Json<Lines>, Refused> {
    let Query(part) = part.map_err(|rejection| query(&rejection))?;
    let limit = part.limit.unwrap_or(100);
    if limit == 0 || limit > MOST {
        let why = format!("`limit` is from 1 to {MOST}");
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, why).into());
    }
    if part.before.is_some_and(|before| i64::try_from(before).is_err()) {
        let why = format!("`before` is from 0 to {}", i64::MAX);
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, why).into());
    }
    let lines = record::read(&web, &signed.caller, part.before, limit).await?;
    let next = lines.last().map(|line| line.seq).filter(|seq| *seq > 1);
    Ok(Json(Lines { lines, next }))
}

/// `GET /overdue`
pub async fn overdue(
    State(web): State<Arc<Web>>,
    Bearer(signed): Bearer,
) -> Result<Json<Vec<Overdue>>, Refused> {
    web.requests().operator(&signed.caller)?;
    Ok(Json(web.app().nudge().status().overdue.clone()))
}

/// A query that is not what the call takes.
pub fn query(rejection: &QueryRejection) -> Failure {
    unreadable(rejection).hint("`/api/v1/openapi.json` lists the parameters of each endpoint")
}
