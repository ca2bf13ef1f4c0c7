//! Reachability: the account as a picture, and queries about it with reasons.
//!
//! For operators only, because the layout of a network helps an attacker.

mod answer;
mod paths;
mod query;

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use doorward_core::policy::Transport;
use doorward_core::reach::Reachability;
use maud::{Markup, PreEscaped, html};

use super::Web;
use super::assets::{PICTURE, REACH};
use super::failure::Failure;
use super::layout::{self, Here};
use super::session::Signed;
use super::words;
use crate::account::RecordedAccount;
use crate::requests::{self, GrantView};
use doorward_picture::{self as picture, Click, Drawing, Focus, Setting};
use query::ReachQuery;

/// `GET /reach`
pub async fn page(
    State(web): State<Arc<Web>>,
    signed: Signed,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    web.requests().operator(&signed.caller)?;
    let asked = ReachQuery::read(query.as_deref().unwrap_or_default())?;
    let policy = Arc::clone(&web.app().loaded().policy);
    let Some(folder) = &policy.inventory else {
        return Ok(shown(&signed, StatusCode::OK, &nothing(no_folder())));
    };
    let seen = match web.account().read(Path::new(folder)).await {
        Ok(seen) => seen,
        Err(error) => {
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Ok(shown(&signed, status, &nothing(unreadable(&error.to_string(), &why))));
        }
    };
    // Finding every way of a large account takes a while that other requests need not wait.
    let grants = web.requests().views().all(&signed.caller).await?;
    let admits =
        |grant: &&GrantView| grant.state == requests::State::Open && grant.transport == Transport::Direct;
    let open = grants.iter().filter(admits).count();
    let made = tokio::task::spawn_blocking(move || content(&seen, &asked, open)).await;
    let (status, main) = made.map_err(|error| Failure::broken(&error))?;
    Ok(shown(&signed, status, &main))
}

fn shown(signed: &Signed, status: StatusCode, content: &Markup) -> Response {
    let main = html! {
        link rel="stylesheet" href=(PICTURE.path());
        script defer src=(REACH.path()) {}
        h1 { "Reachability" }
        (content)
    };
    layout::page(signed, Here::Reach, status, main)
}

fn nothing(why: Markup) -> Markup {
    html! { div.nothing { (why) } }
}

fn no_folder() -> Markup {
    html! {
        p { "No inventory: the policy names no recorded account." }
        p {
            "Record one with " code { "doorward inventory save FOLDER" } ", then name it in the policy: "
            code { "[inventory]" } " with " code { "folder = \"FOLDER\"" } "."
        }
    }
}

fn unreadable(what: &str, why: &str) -> Markup {
    html! {
        p { (layout::sentence(what)) }
        p { (layout::sentence(why)) }
        p { "The folder is named by " code { "[inventory]" } " in the policy. Once it can be read, this page shows it." }
    }
}

/// Of when everything on the page is: a recording knows nothing of what was opened since.
fn recording(seen: &RecordedAccount, open: usize) -> Markup {
    html! {
        p.recording {
            "This is the account as it was recorded in " code { (seen.folder().display()) }
            @if let Some(recorded) = seen.recorded() { " at " (words::time(recorded)) }
            ", not as it is now. "
            @match open {
                0 => "It does not include the rules of grants.",
                1 => "It does not include the grant that is open now.",
                open => { "It does not include the " (open) " grants that are open now." }
            }
        }
    }
}

fn content(seen: &RecordedAccount, asked: &ReachQuery, open: usize) -> (StatusCode, Markup) {
    let reachability = &seen.reachability;
    let (status, answered) = match answer::part(reachability, asked) {
        Some((status, markup)) => (status, Some(markup)),
        None => (StatusCode::OK, None),
    };
    let whole = seen.drawing();
    let narrowed = asked.show.and_then(|focus| Some((focus, whole.narrowed(focus)?)));
    let (focus, drawing) = match &narrowed {
        Some((focus, part)) => (Some(*focus), part),
        None => (None, whole),
    };
    let main = html! {
        (recording(seen, open))
        (form(reachability, asked))
        @if let Some(answered) = answered { (answered) }
        @if reachability.roles().is_empty() {
            (nothing(html! { p { "There are no network interfaces in the inventory, so nothing can be reached." } }))
        } @else {
            (figure(seen, drawing, focus, asked))
            (paths::table(reachability, drawing, asked))
        }
        (gaps(reachability))
    };
    (status, main)
}

/// The most names that the fields suggest.
const SUGGESTED: usize = 400;

fn form(reachability: &Reachability, asked: &ReachQuery) -> Markup {
    let inventory = reachability.inventory();
    let names = inventory
        .instances
        .values()
        .filter_map(|instance| instance.tags.get("Name"))
        .chain(inventory.databases.keys().map(|(_, name)| name))
        .chain(inventory.load_balancers.values().map(|balancer| &balancer.name))
        .chain(inventory.groups.values().map(|group| &group.name));
    let names: std::collections::BTreeSet<&String> = names.collect();
    html! {
        section.ask aria-label="Ask" {
            form method="get" action="/reach#answer" {
                div.fields {
                    div {
                        label for="from" { "From" }
                        input #from type="text" name="from" value=(asked.from) required list="names" maxlength="300"
                            autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="internet";
                    }
                    div {
                        label for="to" { "To" }
                        input #to type="text" name="to" value=(asked.to) required list="names" maxlength="300"
                            autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="a database, a group, an address";
                    }
                    div {
                        label for="flow" { "Traffic" span.quiet { " (optional; all allowed traffic without it)" } }
                        input #flow type="text" name="flow" value=(asked.flow) maxlength="2000"
                            autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="tcp/5432";
                    }
                    @if let Some(focus) = asked.show { input type="hidden" name="show" value=(focus); }
                    button.main type="submit" { "Ask" }
                }
                datalist #names {
                    option value="internet" {}
                    @for name in names.iter().take(SUGGESTED) { option value=(name) {} }
                }
            }
        }
    }
}

fn figure(seen: &RecordedAccount, drawing: &Drawing, focus: Option<Focus>, asked: &ReachQuery) -> Markup {
    let link = |click: Click<'_>| match click {
        Click::Edge(edge) => picture::endpoints(&seen.reachability, drawing, edge)
            .map(|(from, to)| format!("{}#answer", asked.about(&from, &to, &edge.flows).path())),
        Click::Spot(spot) => Some(format!("{}#picture", asked.showing(Some(Focus::Of(spot))).path())),
        Click::Between(from, to) => {
            Some(format!("{}#picture", asked.showing(Some(Focus::Between(from, to))).path()))
        }
    };
    let svg = picture::draw(drawing, &Setting::Page(&link));
    html! {
        section #picture.atlas aria-labelledby="the-picture" {
            div.head {
                h2 #the-picture { @if focus.is_some() { (drawing.title) } @else { "The account" } }
                div.sizes role="group" aria-label="Size" {
                    @if focus.is_some() { a href={ (asked.showing(None).path()) "#picture" } { "Show everything" } }
                    label.check { input type="radio" name="size" value="fit" checked; "Fit the page" }
                    label.check { input #full-size type="radio" name="size" value="full"; "Full size" }
                }
            }
            p.quiet {
                "Select a line to see why its traffic is allowed, or a box to see only its own paths. "
                a href="#ways" { "The same as a table" }
            }
            div.sheet tabindex="0" role="region" aria-label="The picture, which can be scrolled" { (PreEscaped(svg)) }
        }
    }
}

fn gaps(reachability: &Reachability) -> Markup {
    let gaps = &reachability.inventory().gaps;
    html! {
        @if !gaps.is_empty() {
            details.gaps {
                summary { (gaps.len()) " calls failed when the account was recorded, so paths may be missing" }
                ul { @for gap in gaps { li { (gap) } } }
            }
        }
    }
}

/// What can be counted, in words.
fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}
