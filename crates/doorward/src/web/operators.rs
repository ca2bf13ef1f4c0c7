//! The operators' page: open grants, problems that need attention, and the state of the firewalls.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use doorward_core::grant::GrantId;
use doorward_core::policy::{PasswordHash, Person};
use maud::{Markup, html};
use serde::Deserialize;

use super::failure::Failure;
use super::layout::{self, Here, token};
use super::origin::as_written;
use super::query::Query;
use super::session::{Revoking, Signed};
use super::{Web, card, intents, overdue, words};
use crate::people::cost;
use crate::requests::{self, GrantView};
use crate::status::{Irrevocable, SyncState};

/// Which note to show.
#[derive(Debug, Default, Deserialize)]
pub struct Noted {
    note: Option<String>,
}

/// `GET /operators`
pub async fn page(
    State(web): State<Arc<Web>>,
    Revoking(signed): Revoking,
    Query(noted): Query<Noted>,
) -> Result<Response, Failure> {
    let grants = Grants::of(&web, &signed).await?;
    let note = noted.note.and_then(|id| web.notes().take(&id, &signed.name()));
    let main = html! {
        h1 { "Open grants" }
        @if let Some(note) = note { div.note role="status" tabindex="-1" autofocus { (note) } }
        (part(&web, &signed, &grants))
    };
    Ok(layout::page(&signed, Here::Operators, StatusCode::OK, main))
}

/// `GET /operators/live`: the part of the page that changes by itself.
pub async fn live(State(web): State<Arc<Web>>, Revoking(signed): Revoking) -> Result<Response, Failure> {
    let grants = Grants::of(&web, &signed).await?;
    Ok(layout::written(part(&web, &signed, &grants)).into_response())
}

/// Everybody's grants, and those among them that wait for this operator's own answer.
struct Grants {
    all: Vec<GrantView>,
    to_answer: Vec<GrantId>,
}

impl Grants {
    async fn of(web: &Web, signed: &Signed) -> Result<Self, Failure> {
        let all = web.requests().views().all(&signed.caller).await?;
        let to_answer = web.requests().views().to_answer(&signed.caller.person).await?;
        Ok(Self { all, to_answer: to_answer.into_iter().map(|grant| grant.id).collect() })
    }
}

fn part(web: &Web, signed: &Signed, grants: &Grants) -> Markup {
    let Grants { all: grants, to_answer } = grants;
    let going_on = |grant: &&GrantView| grant.overdue.is_none() && grant.unrecorded.is_none();
    html! {
        div #live data-live="/operators/live" {
            (overdue::section(&web.app().nudge().status().overdue))
            (unrecorded(web))
            (problems(web))
            (intents::section(&web.app().intents().borrow()))
            (proxies(web))
            section data-key="open" data-version=(grants.is_empty()) data-list aria-labelledby="open" {
                h2 #open { "Grants" }
                table role="table" data-list data-key="table" {
                    caption.unseen { "All open and waiting grants, the next to expire first" }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for title in ["Person", "Target", "Admitted", "Since", "Left", "Reason", ""] {
                                th role="columnheader" scope="col" { (title) @if title.is_empty() { span.unseen { "Revoke" } } }
                            }
                        }
                    }
                    tbody role="rowgroup" data-list data-key="rows" {
                        @for grant in grants.iter().filter(going_on) {
                            (row(web, signed, grant, to_answer.contains(&grant.id)))
                        }
                        @if !grants.iter().any(|grant| going_on(&grant)) {
                            tr role="row" data-key="nothing" data-version="0" {
                                td.nothing role="cell" colspan="7" { "No grant is open." }
                            }
                        }
                    }
                }
            }
            (firewalls(web))
        }
    }
}

fn row(web: &Web, signed: &Signed, grant: &GrantView, is_to_answer: bool) -> Markup {
    let now = web.app().clock().now();
    let waits = grant.state == requests::State::Waiting;
    html! {
        tr role="row" #(grant.id) data-key=(grant.id) data-version=(card::version(grant)) {
            th role="rowheader" scope="row" { (grant.person) }
            td role="cell" data-title="Target" {
                (grant.target) " "
                @if let Some(state) = &grant.sync_state { (card::sync_state(state)) }
                @if waits { span.badge.pending { "Waiting" } }
                @if let Some(also) = &grant.also { " " span.quiet { "also allows " (also) } }
            }
            td role="cell" data-title="Admitted" { code { (words::source(grant.source)) } }
            td role="cell" data-title="Since" { @if let Some(since) = grant.since { (words::time(since)) } }
            td role="cell" data-title="Left" {
                @if waits {
                    span.quiet { "requests " (words::lasting(grant.asked_for.unwrap_or_default())) }
                } @else {
                    (card::countdown(grant, now))
                }
            }
            td role="cell" data-title="Reason" {
                @match &grant.reason { Some(reason) => (reason), None => span.quiet { "no reason given" } }
                @if let Some(by) = &grant.approved_by { " " span.quiet { "approved by " (by) } }
            }
            td role="cell" {
                @if is_to_answer { (card::answers(signed, grant, "/operators")) }
                form method="post" action={ "/grants/" (grant.id) "/close" } {
                    (token(signed))
                    input type="hidden" name="back" value="/operators";
                    button.danger type="submit" {
                        @if waits { "Withdraw" } @else { "Revoke" }
                        span.unseen { " " (grant.target) " for " (grant.person) }
                    }
                }
            }
        }
    }
}

/// Ended grants that the store has not recorded.
fn unrecorded(web: &Web) -> Markup {
    let ends = web.requests().unrecorded();
    html! {
        @if !ends.is_empty() {
            section data-key="unrecorded" data-version=(format!("{ends:?}")) aria-labelledby="unrecorded" {
                h2 #unrecorded { "Ended, but not in the audit log yet" }
                div.problem role="alert" {
                    p { "These grants have ended and their access is revoked, but the store could not record it. Doorward retries until it can:" }
                    ul {
                        @for end in &ends {
                            li {
                                code { (end.grant) } ", " (end.how) ". " (layout::sentence(&end.why))
                                @if !end.kept { " " strong { "A restart before then would open the grant again." } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Problems that need attention, first on the page.
fn problems(web: &Web) -> Markup {
    let status = web.app().nudge().status();
    let failing = status.firewalls.iter().filter_map(|(name, (_, sync_state))| match sync_state {
        SyncState::Failing { why } => Some((name, why)),
        SyncState::InSync | SyncState::Unknown => None,
    });
    let failing: Vec<_> = failing.collect();
    let loaded = web.app().loaded();
    let costly = |(person, hash): (_, &PasswordHash)| {
        cost::too_costly(hash, cost::USUAL).map(|takes| (person, cost::in_words(takes)))
    };
    let costly: Vec<(&Person, String)> = loaded.people.passwords.iter().filter_map(costly).collect();
    let irrevocable = &status.irrevocable;
    let version = format!("{failing:?} {:?} {:?} {irrevocable:?} {costly:?}", status.mistakes, status.alarms);
    let is_well = failing.is_empty()
        && status.mistakes.is_empty()
        && status.alarms.is_empty()
        && irrevocable.is_empty()
        && costly.is_empty();
    html! {
        @if !is_well {
            section data-key="problems" data-version=(version) aria-labelledby="problems" {
                h2 #problems { "Needs attention" }
                div.problem role="alert" {
                    @for (name, why) in &failing {
                        p { "The firewall " strong { (name) } " is out of sync. " (layout::sentence(why)) }
                    }
                    @for Irrevocable { what, why, fix } in irrevocable {
                        p {
                            "Grants could not be revoked: AWS denies the permission for the " strong { (what) } ". "
                            (layout::sentence(why)) " " (layout::sentence(fix))
                        }
                    }
                    @for (person, takes) in &costly {
                        p {
                            strong { (person) } " cannot sign in: checking their password hash would take " (takes) ". "
                            code { "doorward user passwd " (person) } " sets a new password."
                        }
                    }
                    @if !status.alarms.is_empty() {
                        p {
                            "The store was altered by somebody without the key of the audit log. Grants that the audit log does not confirm are not enforced. "
                            code { "doorward audit verify" } " lists every difference, and "
                            code { "doorward audit accept" } " clears this alarm:"
                        }
                        ul { @for alarm in &status.alarms { li { (layout::sentence(alarm)) } } }
                    }
                    @if !status.mistakes.is_empty() {
                        p { "The policy file has errors, so the last valid policy stays in force, without the entries that the file no longer has:" }
                        ul { @for mistake in &status.mistakes { li { (mistake) } } }
                    }
                }
            }
        }
    }
}

/// Proxies that people came through and that the policy does not list.
fn proxies(web: &Web) -> Markup {
    let loaded = web.app().loaded();
    let named = |peer| loaded.policy.server.proxies.iter().any(|proxy| proxy.contains(peer));
    let seen = web.unnamed().lately(web.app().clock().uptime(), named);
    html! {
        @if !seen.is_empty() {
            section data-key="proxies" data-version=(format!("{seen:?}")) aria-labelledby="proxies" {
                h2 #proxies { "Proxies that the policy does not list" }
                div.problem {
                    p {
                        "Grants are refused to people behind these proxies, because a rule would admit the proxy itself. "
                        "If a proxy is yours, add its address to " code { "proxies" } " in " code { "[server]" } "."
                    }
                    ul {
                        @for (peer, header) in &seen {
                            li { code { (peer) } " sent " code { (as_written(header)) } }
                        }
                    }
                }
            }
        }
    }
}

fn firewalls(web: &Web) -> Markup {
    let status = web.app().nudge().status();
    let loaded = web.app().loaded();
    let version = format!("{:?} {}", status.firewalls, status.at.is_some());
    html! {
        section data-key="firewalls" data-version=(version) aria-labelledby="firewalls" {
            h2 #firewalls { "Firewalls" }
            @if status.at.is_none() { p.quiet { "No reconciliation pass has completed yet." } }
            ul.firewalls {
                @for firewall in loaded.policy.firewalls.values() {
                    li {
                        (card::sync_state(&status.of(&firewall.name))) " "
                        strong { (firewall.name) } " "
                        span.quiet { (firewall.about) }
                    }
                }
            }
        }
    }
}
