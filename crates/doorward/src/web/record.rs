//! The audit log, page by page, for operators; reading it is recorded, too.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use doorward_core::audit::{Line, RunOutcome, What, Who};
use doorward_core::policy::Person;
use maud::{Markup, html};
use serde::Deserialize;

use super::failure::Failure;
use super::guard::Kept;
use super::layout::{self, Here};
use super::query::Query;
use super::session::Signed;
use super::{Web, words};
use crate::requests::Caller;

/// Lines of a page.
const SHOWN: u32 = 50;
/// Reading within this time is recorded once.
const SITTING: Duration = Duration::from_secs(3600);

/// People who read the audit log lately.
pub type Readers = Kept<Person, Option<Duration>>;

/// Which entries to show.
#[derive(Debug, Default, Deserialize)]
pub struct RecordQuery {
    before: Option<String>,
}

/// Reads entries before `before`, the latest first, and records once per sitting that the person did.
pub async fn read(web: &Web, caller: &Caller, before: Option<u64>, limit: u32) -> Result<Vec<Line>, Failure> {
    let lines = web.requests().views().record_before(caller, before, limit).await?;
    let now = web.app().clock().uptime();
    let anew = {
        let mut readers = web.readers();
        readers.entry(caller.person.clone()).is_none_or(|last| now.saturating_sub(last) >= SITTING)
    };
    if anew {
        let event = web.requests().event(caller, What::RecordRead);
        web.requests().record(vec![event]).await?;
        // Not before: what could not be recorded is recorded by the next reading.
        *web.readers().entry(caller.person.clone()) = Some(now);
    }
    Ok(lines)
}

/// `GET /record`
pub async fn page(
    State(web): State<Arc<Web>>,
    signed: Signed,
    Query(asked): Query<RecordQuery>,
) -> Result<Response, Failure> {
    let before = asked.before.as_deref().map(str::parse::<u64>).transpose().map_err(|_| {
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "`before` is not the number of an entry")
    })?;
    let lines = read(&web, &signed.caller, before, SHOWN).await?;
    let earlier = lines.last().map(|line| line.seq).filter(|seq| *seq > 1);
    let main = html! {
        h1 { "Audit log" }
        p.quiet {
            "Every decision and every change; each entry is chained to the one before. "
            code { "doorward audit verify" } " checks the chain."
        }
        @if lines.is_empty() { p.nothing { "There are no earlier entries." } }
        ol.record reversed { @for line in &lines { (entry(line)) } }
        nav.pages aria-label="Pages of the audit log" {
            @if before.is_some() { a href="/record" { "Latest" } }
            @if let Some(seq) = earlier { a rel="next" href={ "/record?before=" (seq) } { "Earlier" } }
        }
    };
    Ok(layout::page(&signed, Here::Record, StatusCode::OK, main))
}

fn entry(line: &Line) -> Markup {
    let event = &line.event;
    html! {
        li value=(line.seq) {
            div.when { span.seq { (line.seq) } " " (words::exact_time(event.at)) }
            div.what {
                p {
                    strong.(kind(&event.who)) { (event.who) }
                    @if let Some(from) = event.from { " " code { (from) } }
                    " "
                    @match (&event.who, &event.what) {
                        (Who::Doorward, What::SignInRefused { why }) => { "counted sign-ins that were refused: " (layout::marked(why)) }
                        _ => (what(&event.what)),
                    }
                }
                (details(&event.what))
            }
        }
    }
}

fn kind(who: &Who) -> &'static str {
    match who {
        Who::Doorward => "machine",
        Who::Person(_) => "person",
        Who::Claimed(_) | Who::Unproved { .. } => "claimed",
    }
}

fn what(what: &What) -> Markup {
    html! {
        @match what {
            What::Started { version } => { "started version " (version) }
            What::PolicyRead { .. } => { "read the policy" }
            What::PolicyUnreadable { mistakes } => { "found " (counted(*mistakes, "error")) " in the policy and kept the last valid one" }
            What::SignedIn => { "signed in" }
            What::SignInRefused { why } => { "failed to sign in: " (layout::marked(why)) }
            What::SignedOut => { "signed out" }
            What::SessionRevoked { session } => { "ended the sign-in session " code { (session) } }
            What::PasswordChanged { .. } => { "changed their own password" }
            What::Opened { grant, target, source, until, person, .. } => {
                @if let Some(person) = person { "approved " code { (grant) } " of " b { (person) } ": " }
                "opened " b { (target) } " for " code { (words::source(*source)) } " until " (words::time(*until))
            }
            What::Extended { grant, until, approved, .. } => {
                @if let Some(approved) = approved { "approved " code { (approved.request) } " of " b { (approved.person) } ": " }
                "extended " code { (grant) } " until " (words::time(*until))
            }
            What::Asked { target, seconds, .. } => { "requested " b { (target) } " for " (words::lasting(*seconds)) }
            What::RequestChanged { target, source, seconds, .. } => {
                "changed the request to " b { (target) } " for " (words::lasting(*seconds)) " from " code { (words::source(*source)) }
            }
            What::Moved { target, was, source, until, .. } => {
                "moved " b { (target) } " from " code { (words::source(*was)) } " to "
                code { (words::source(*source)) } " until " (words::at(*until))
            }
            What::Refused { asked, .. } => { "was denied: " (asked) }
            What::Ended { grant, how } => { "ended " code { (grant) } ": " (layout::marked(&how.to_string())) }
            What::RulesAdded { firewall, rules } => { "added " (counted(rules.len(), "rule")) " to " b { (firewall) } }
            What::RulesRemoved { firewall, rules, cut } => {
                "removed " (counted(rules.len(), "rule")) " from " b { (firewall) }
                @if *cut > 0 { " and cut " (counted(usize::try_from(*cut).unwrap_or(usize::MAX), "connection")) }
            }
            What::DriftRighted { firewall, .. } => { "corrected drift in " b { (firewall) } }
            What::FirewallFailed { firewall, why } => { "could not reconcile " b { (firewall) } ": " (layout::marked(why)) }
            What::FirewallRecovered { firewall } => { "has " b { (firewall) } " in sync again" }
            What::TransportOpened { grant, transport, .. } => { "connected " code { (grant) } " by " (transport) }
            What::TransportReconnected { grant, transport, why, .. } => {
                "connected " code { (grant) } " by " (transport) " again: " (layout::marked(why))
            }
            What::TransportClosed { grant, up, down, why, .. } => {
                "disconnected " code { (grant) } " after " (up) " bytes up and " (down) " down: " (layout::marked(why))
            }
            What::SessionEnded { grant, target, .. } => {
                "ended a session to " code { (target) } " that had outlived " code { (grant) }
            }
            What::SessionsFailed { account_region, why } => { "could not terminate sessions of ended grants in " (account_region) ": " (layout::marked(why)) }
            What::SessionsRecovered { account_region } => { "terminates sessions of ended grants in " (account_region) " again" }
            What::CredentialsVended { grant, until } => {
                "vended credentials for " code { (grant) } " until " (words::at(*until))
            }
            What::CredentialsDenied { role, grants } => {
                "denied the credentials of "
                @for (number, grant) in grants.iter().enumerate() { @if number > 0 { ", " } code { (grant) } }
                " in " (role)
            }
            What::CredentialsNotDenied { role, why, until } => {
                "could not deny revoked credentials in " (role) ", which are valid until " (words::at(*until)) ": " (layout::marked(why))
            }
            What::RunBegun(begun) => { "began " (layout::marked(&begun.run.to_string())) }
            What::RunEnded(ended) => {
                @match ended.outcome {
                    RunOutcome::Done => { "completed " }
                    RunOutcome::Failed => { "failed to complete " }
                    RunOutcome::Interrupted => { "interrupted " }
                }
                (layout::marked(&ended.run.to_string())) ": " (ended.done) " of " (ended.run.steps) " steps are done"
            }
            What::IntentBroken { intent, .. } => { "found an intent broken: " code { (intent) } }
            What::IntentKept { intent } => { "found an intent kept again: " code { (intent) } }
            What::RecordRead => { "read the audit log" }
            What::RowsNoted { noted } => { "noted " (noted) }
            What::LogAlarm { log: true, .. } => { "found the audit log altered" }
            What::LogAlarm { found, log: false } => { "found " (counted(found.len(), "difference")) " between the store and the audit log" }
            What::LogSealed { found, .. } => {
                "sealed the audit log as it was"
                @if !found.is_empty() { ", although it was altered" }
            }
        }
    }
}

fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("a {one}") } else { format!("{count} {one}s") }
}

fn details(what: &What) -> Markup {
    let list = |lines: &[String]| html! { ul { @for line in lines { li { (layout::marked(line)) } } } };
    html! {
        @match what {
            What::PolicyRead { digest } => p.quiet { "digest " code { (digest) } },
            What::Opened { grant, transport, reason, because, .. } => {
                @if let Some(reason) = reason { p { "“" (reason) "”" } }
                p.quiet { code { (grant) } ", " (transport) ". " (layout::sentence(because)) }
            }
            What::Extended { reason, approved, .. } => {
                @if let Some(reason) = reason { p { "“" (reason) "”" } }
                @if let Some(approved) = approved { p.quiet { (layout::sentence(&approved.because)) } }
            }
            What::Asked { grant, reason, .. } | What::RequestChanged { grant, reason, .. } => {
                @if let Some(reason) = reason { p { "“" (reason) "”" } }
                p.quiet { code { (grant) } }
            }
            What::Moved { grant, before, .. } => p.quiet { code { (before) } " is now " code { (grant) } },
            What::Refused { why, .. } => ul { @for why in why { li { (layout::sentence(why)) } } },
            What::RulesAdded { rules, .. } | What::RulesRemoved { rules, .. } => (list(rules)),
            What::RunBegun(begun) => p.quiet { "plan " code { (begun.run.plan) } ", " (counted(begun.run.steps, "step")) },
            What::RunEnded(ended) => {
                p.quiet { "plan " code { (ended.run.plan) } }
                (list(&ended.failed))
            }
            What::IntentBroken { reason, why, .. } => {
                @if let Some(reason) = reason { p { "“" (reason) "”" } }
                (list(why))
            }
            What::DriftRighted { found, .. } | What::LogAlarm { found, .. } | What::LogSealed { found, .. } => (list(found)),
            _ => {}
        }
    }
}
