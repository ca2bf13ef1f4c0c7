//! The home page: the person's open grants and targets.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use doorward_core::net::Cidr;
use doorward_core::policy::{Policy, TargetName, Transport};
use maud::{Markup, html};
use serde::Deserialize;

use super::failure::{self, Failure};
use super::layout::{self, Here, token};
use super::origin::Origin;
use super::query::Query;
use super::session::{Revoking, Signed};
use super::{Web, card, overdue, probe, targets, words};
use crate::requests::{self, GrantView, Offer};
use crate::status::SyncState;

/// Which note to show, and what is looked for.
#[derive(Debug, Default, Deserialize)]
pub struct HomeQuery {
    note: Option<String>,
    #[serde(default)]
    find: String,
}

/// A form that came back with reasons why not, to be shown filled in as it was sent.
#[derive(Debug)]
pub struct Draft {
    /// Which target's, or which grant's.
    pub of: Of,
    /// The length that was chosen.
    pub lasts: String,
    /// The way that was chosen.
    pub transport: String,
    /// The reason that was typed.
    pub reason: String,
    pub failure: Failure,
}

/// Which form.
#[derive(Debug, PartialEq, Eq)]
pub enum Of {
    /// The form that opens a target.
    Target(TargetName),
    /// A form on a grant.
    Grant(String),
}

/// `GET /`
pub async fn page(
    State(web): State<Arc<Web>>,
    Revoking(signed): Revoking,
    origin: Origin,
    Query(asked): Query<HomeQuery>,
) -> Result<Response, Failure> {
    let note = asked.note.and_then(|id| web.notes().take(&id, &signed.name()));
    found(&web, &signed, origin, note, None, &asked.find).await
}

/// `GET /live`: the part of the page that changes by itself.
pub async fn live(
    State(web): State<Arc<Web>>,
    Revoking(signed): Revoking,
    origin: Origin,
) -> Result<Response, Failure> {
    let offers = web.requests().views().offers(&signed.caller.person);
    let part = open_part(&web, &signed, origin, &offers, None).await?.1;
    Ok(layout::written(part).into_response())
}

/// The page, with the outcome of a form: a note of what was done, or a draft of what was not.
pub async fn show(
    web: &Web,
    signed: &Signed,
    origin: Origin,
    note: Option<Markup>,
    draft: Option<&Draft>,
) -> Result<Response, Failure> {
    found(web, signed, origin, note, draft, "").await
}

/// The same with the targets that fit a search.
async fn found(
    web: &Web,
    signed: &Signed,
    origin: Origin,
    note: Option<Markup>,
    draft: Option<&Draft>,
    find: &str,
) -> Result<Response, Failure> {
    let offers = web.requests().views().offers(&signed.caller.person);
    let (grants, live) = open_part(web, signed, origin, &offers, draft).await?;
    let status = draft.map_or(StatusCode::OK, |draft| draft.failure.status);
    let elsewhere = draft.filter(|draft| match &draft.of {
        Of::Target(target) => !offers.iter().any(|offer| offer.target == *target),
        Of::Grant(id) => !grants.iter().any(|grant| grant.id.as_str() == id.as_str()),
    });
    let main = html! {
        h1.unseen { "Targets" }
        @if let Some(note) = note { div.note role="status" tabindex="-1" autofocus { (note) } }
        @if let Some(draft) = elsewhere { (problem(&draft.failure)) }
        (address(web, signed, origin))
        (live)
        (targets::section(web, signed, origin, &offers, &grants, draft, find))
    };
    let mut response = layout::page(signed, Here::Home, status, main);
    if let Some(seconds) = draft.and_then(|draft| draft.failure.retry_after) {
        response.headers_mut().insert(axum::http::header::RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

async fn open_part(
    web: &Web,
    signed: &Signed,
    origin: Origin,
    offers: &[Offer],
    draft: Option<&Draft>,
) -> Result<(Vec<GrantView>, Markup), Failure> {
    let person = &signed.caller.person;
    let requests = web.requests();
    let now = requests.app().clock().now();
    let grants = requests.views().current(person).await?;
    let (late, grants): (Vec<_>, Vec<_>) = grants.into_iter().partition(|grant| grant.overdue.is_some());
    let late: Vec<_> = late.into_iter().filter_map(|grant| grant.overdue).collect();
    // What is not recorded has ended all the same: it is the operators' business.
    let grants: Vec<_> = grants.into_iter().filter(|grant| grant.unrecorded.is_none()).collect();
    let to_answer = requests.views().to_answer(person).await?;
    let policy = Arc::clone(&requests.app().loaded().policy);
    let part = html! {
        div #live data-live="/live" {
            (moved(&policy, origin, &grants))
            (overdue::section(&late))
            @if !to_answer.is_empty() {
                section data-key="answers" data-list aria-labelledby="answers" {
                    h2 #answers { "Requests for your approval" }
                    ul.cards data-list data-key="list" {
                        @for grant in &to_answer { (card::to_answer(signed, grant)) }
                    }
                }
            }
            section data-key="open" data-list aria-labelledby="open" {
                h2 #open { "Open now" }
                ul.cards data-list data-key="list" {
                    @for grant in &grants {
                        @let offer = offers.iter().find(|offer| offer.target == grant.target);
                        @let mine = draft.filter(|draft| draft.of == Of::Grant(grant.id.to_string()));
                        @let problem = mine.map(|draft| problem(&draft.failure));
                        @let connect = requests.connection_hints(&grant.target, grant.transport);
                        @let elsewhere = card::elsewhere(&policy, grant, origin.client);
                        (card::mine(signed, grant, offer, &connect, problem.as_ref(), elsewhere, now))
                    }
                    @if grants.is_empty() { (card::nothing("you have no open grants")) }
                }
            }
        }
    };
    Ok((grants, part))
}

/// What is open for addresses from which the person does not come now; theirs may be somebody else's by then.
fn moved(policy: &Policy, origin: Origin, grants: &[GrantView]) -> Markup {
    let Some(seen) = origin.client else { return html! {} };
    let elsewhere =
        grants.iter().filter_map(|grant| Some((grant, card::elsewhere(policy, grant, Some(seen))?)));
    let (elsewhere, movable): (Vec<&GrantView>, Vec<bool>) =
        elsewhere.map(|(grant, elsewhere)| (grant, elsewhere.movable)).unzip();
    let version = elsewhere.iter().map(|grant| grant.id.as_str()).collect::<Vec<_>>().join(" ");
    html! {
        @if !elsewhere.is_empty() {
            section.moved data-key="moved" data-version=(format!("{seen} {version}")) aria-labelledby="moved" {
                h2 #moved { "Your address has changed" }
                div.note {
                    p { "Your address is now " code { (seen) } ", and these grants still admit another one:" }
                    ul {
                        @for grant in &elsewhere {
                            li { a href={ "#" (grant.id) } { (grant.target) } " for " code { (words::source(grant.source)) } }
                        }
                    }
                    p.hint {
                        @if movable.contains(&true) {
                            "Move the grants that you need to your current address and revoke the others: the old address may belong to somebody else by now."
                        } @else {
                            "Revoke the grants that you no longer need: the old address may belong to somebody else by now. Your current address cannot be admitted there."
                        }
                    }
                }
            }
        }
    }
}

fn problem(failure: &Failure) -> Markup {
    html! {
        div.problem role="alert" tabindex="-1" autofocus {
            strong { "This request failed." }
            (failure::reasons(failure))
        }
    }
}

fn address(web: &Web, signed: &Signed, origin: Origin) -> Markup {
    let loaded = web.app().loaded();
    html! {
        section.address aria-labelledby="address" {
            h2 #address { "Your address" }
            @if let Some(seen) = origin.client {
                @let (family, url) = probe::other(&loaded.policy, seen);
                ul {
                    li {
                        span.family { (Cidr::host(seen).family()) }
                        code { (seen) }
                        @if loaded.policy.grants.around(seen) != Cidr::host(seen) {
                            span.quiet { "admitted as " code { (loaded.policy.grants.around(seen)) } }
                        }
                    }
                    li data-probe=[url.as_ref().filter(|_| loaded.policy.server.url.is_some())]
                        data-nonce=(signed.nonce()) data-family=(family) {
                        span.family { (family) }
                        @match &url {
                            Some(url) => a href=(url) { "Detect your " (family) " address" },
                            None => span.quiet { "Your " (family) " address is not known." },
                        }
                    }
                }
            } @else {
                @if let Err(failure) = origin.admitted() {
                    div.problem { (failure::reasons(&failure)) p { "Until then you cannot open targets from here." } }
                }
            }
        }
    }
}

/// What can be opened, as a card; `folded`: only its name and what it is, until somebody unfolds it.
pub fn target(
    web: &Web,
    signed: &Signed,
    origin: Origin,
    offer: &Offer,
    grants: &[GrantView],
    draft: Option<&Draft>,
    folded: bool,
) -> Markup {
    let name = &offer.target;
    let draft = draft.filter(|draft| draft.of == Of::Target(name.clone()));
    let held = grants.iter().filter(|grant| grant.target == *name && grant.state == requests::State::Open);
    let here = |grant: &&GrantView| origin.client.is_some_and(|seen| grant.source.contains(seen));
    let held_here = held.clone().find(here);
    let always =
        origin.client.is_some_and(|seen| offer.always_from.iter().any(|prefix| prefix.contains(seen)));
    let reason = draft.map_or("", |draft| draft.reason.as_str());
    let id = |field: &str| format!("{field}-{name}");
    let transport = offer.transports.first().copied().unwrap_or(Transport::Direct);
    let now = web.app().clock().now();
    let open_for =
        held_here.and_then(|grant| grant.since).map_or(0, |since| now.duration_since(since).as_secs().max(1));
    let rest = html! {
            dl.facts {
                dt { "Address" }
                dd { @for hint in web.requests().connection_hints(name, transport) { code { (hint) } " " } }
                @if let Some(also) = &offer.by_ssh_also { dt { "SSH also allows" } dd { (also) } }
            }
            @if always { p.quiet { "Your address is always admitted: it is on the static list." } }
            @if let Some(draft) = draft { (problem(&draft.failure)) }
            form.stack method="post" action="/grants" {
                (token(signed))
                input type="hidden" name="target" value=(name);
                fieldset.admit data-admit hidden {
                    legend { "Admit" }
                    @if let Some(seen) = origin.client {
                        label.check {
                            input type="checkbox" name="admit" value="own" checked;
                            code { (seen) }
                        }
                    }
                }
                div.fields {
                    div {
                        label for=(id("lasts")) { "For" }
                        (lengths(offer, &id("lasts"), draft, open_for))
                    }
                    @if offer.transports.len() > 1 {
                        div {
                            label for=(id("transport")) { "Transport" }
                            select id=(id("transport")) name="transport" {
                                @for transport in &offer.transports {
                                    @let chosen = draft.is_some_and(|draft| draft.transport == transport.to_string());
                                    option value=(transport) selected[chosen] { (transport) }
                                }
                            }
                        }
                    }
                    div.wide {
                        label for=(id("reason")) {
                            "Reason" @if !offer.reason_required { span.quiet { " (optional)" } }
                        }
                        input id=(id("reason")) type="text" name="reason" value=(reason) maxlength="500"
                            required[offer.reason_required] autocomplete="off";
                    }
                    button.main type="submit" {
                        @if held_here.is_some() { "Extend" } @else { "Open" }
                        span.unseen { " " (name) }
                    }
                }
            }
            @if let Some(closing) = offer.closing { (card::promise(closing)) }
    };
    html! {
        li.card.target id={ "target-" (name) } {
            @if folded {
                details open[draft.is_some()] {
                    summary {
                        strong { (name) } " "
                        @if let Some(grant) = held_here { (openness(grant)) " " }
                        span.quiet { (offer.about) }
                    }
                    div.stack { (rest) }
                }
            } @else {
                div.head {
                    h3 { (name) }
                    @if let Some(grant) = held_here { a href={ "#" (grant.id) } { (openness(grant)) } }
                }
                p { (offer.about) }
                (rest)
            }
        }
    }
}

/// Whether a grant that is held admits already.
fn openness(grant: &GrantView) -> Markup {
    match &grant.sync_state {
        Some(state) if *state != SyncState::InSync => card::sync_state(state),
        _ => html! { span.badge.good { "Open" } },
    }
}

/// The lengths that may be asked for. One that extends an open grant counts from the beginning of the grant.
fn lengths(offer: &Offer, id: &str, draft: Option<&Draft>, open_for: i64) -> Markup {
    let chosen = draft.and_then(|draft| draft.lasts.parse::<i64>().ok()).unwrap_or(offer.usually);
    let mut lengths = card::lengths(offer);
    // A form is sent some time after it is made.
    let spare = if open_for > 0 { 60 } else { 0 };
    lengths.retain(|length| length + open_for + spare <= offer.at_most);
    html! {
        select id=(id) name="lasts" {
            @for length in &lengths {
                @let above = offer.approval_above.is_some_and(|above| *length + open_for > above);
                option value=(length) selected[*length == chosen] {
                    (words::lasting(*length))
                    @if above { ", needs approval by " (approvers(offer)) }
                    @else if *length == offer.at_most && lengths.len() > 1 { ", the maximum" }
                }
            }
        }
    }
}

fn approvers(offer: &Offer) -> String {
    let names: Vec<&str> = offer.approval_from.iter().map(|group| group.as_str()).collect();
    names.join(" or ")
}
