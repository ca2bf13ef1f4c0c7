//! Liveness (the server answers, and the reconciler completes passes) and readiness (it is also fully working).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::store::in_time;
use crate::web::Web;

/// After that long without a pass the reconciler counts as dead.
const DEAD: Duration = Duration::from_secs(120);

/// How the server is.
#[derive(Debug, Serialize)]
pub struct Health {
    ok: bool,
    version: &'static str,
    last_pass: Option<Timestamp>,
}

/// `GET /healthz`
pub async fn health(State(web): State<Arc<Web>>) -> (StatusCode, Json<Health>) {
    let clock = web.app().clock();
    let last_pass = web.app().nudge().status().at;
    let ok = alive(last_pass, clock.now(), clock.uptime());
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Health { ok, version: env!("CARGO_PKG_VERSION"), last_pass }))
}

/// Whether the server does all that it should.
#[derive(Debug, Serialize)]
pub struct Readiness {
    ready: bool,
    reasons: Vec<String>,
    /// What an operator may want to know, and what is no reason for an alert.
    notes: Vec<String>,
}

/// `GET /readyz`: for monitoring. It needs no authentication, so it returns counts, names neither people
/// nor targets, and polls the store once a second at most.
pub async fn ready(State(web): State<Arc<Web>>) -> (StatusCode, Json<Readiness>) {
    let (clock, status) = (web.app().clock().clone(), web.app().nudge().status());
    let mut reasons = Vec::new();
    match status.at {
        None => reasons.push("no reconciliation pass has completed yet".to_owned()),
        at if !alive(at, clock.now(), clock.uptime()) => {
            reasons.push("no reconciliation pass has completed for two minutes".to_owned());
        }
        Some(_) => {}
    }
    let late = status.overdue.len();
    if late > 0 {
        let grants = if late == 1 { "1 grant is" } else { &format!("{late} grants are") };
        reasons.push(format!("{grants} expired but not revoked: see `/operators` and the log"));
    }
    if !status.irrevocable.is_empty() {
        reasons.push(
            "AWS denies permissions that a revocation needs: `/operators` and the log list them".to_owned(),
        );
    }
    let unrecorded = web.requests().unrecorded().len();
    if unrecorded > 0 {
        let grants = if unrecorded == 1 { "1 grant" } else { &format!("{unrecorded} grants") };
        reasons.push(format!(
            "{grants} ended and revoked, but not yet in the audit log: see `/operators` and the log"
        ));
    }
    if !status.mistakes.is_empty() {
        reasons.push(
            "the policy or the files of its people cannot be used as they are: `/operators` and the log say why"
                .to_owned(),
        );
    }
    if !status.alarms.is_empty() {
        reasons.push("the store was altered: `doorward audit verify` lists the differences".to_owned());
    }
    let intents = Arc::clone(&web.app().intents().borrow());
    let (broken, undecided) = (intents.broken().count(), intents.undecided().count());
    if broken > 0 {
        let intents = if broken == 1 { "1 intent is" } else { &format!("{broken} intents are") };
        reasons.push(format!("{intents} broken: `/operators` and the log show the path"));
    }
    let mut notes = Vec::new();
    if undecided > 0 {
        let intents = if undecided == 1 { "1 intent is" } else { &format!("{undecided} intents are") };
        notes.push(format!("{intents} undecided: `/operators` and the log say what could not be read"));
    }
    let store = web.app().store().clone();
    let poll = async move {
        let added = in_time(store.answers()).await.map_err(|_| "the store does not answer")?;
        if !added.is_empty() {
            return Err(
                "somebody added triggers or the like to the store: `doorward audit verify` lists them",
            );
        }
        in_time(store.has_room()).await.map_err(|_| "the store's disk is full")
    };
    if let Err(why) = web.store_poll.outcome(move || clock.uptime(), poll).await {
        reasons.push(why.to_owned());
    }
    let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Readiness { ready: reasons.is_empty(), reasons, notes }))
}

/// A pass lately; or a start so recent that there was no time for one.
fn alive(last_pass: Option<Timestamp>, now: Timestamp, uptime: Duration) -> bool {
    let dead = SignedDuration::try_from(DEAD).unwrap_or(SignedDuration::MAX);
    match last_pass {
        None => uptime < DEAD,
        Some(at) => now.duration_since(at) < dead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(last_pass: Option<&str>, uptime: u64, expected: bool) {
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let found = alive(last_pass.map(at), at("2026-11-22T10:00:00Z"), Duration::from_secs(uptime));
        assert_eq!(found, expected, "{last_pass:?} {uptime}");
    }

    #[test]
    fn a_dead_reconciler_is_noticed() {
        check(None, 10, true);
        check(None, 120, false);
        check(Some("2026-11-22T09:59:50Z"), 5000, true);
        check(Some("2026-11-22T09:57:50Z"), 5000, false);
        // The clock was set back: the pass lies ahead.
        check(Some("2026-11-22T11:00:00Z"), 5000, true);
    }
}
