//! Form handlers for grants: open, extend, revoke, move, approve and deny. Each redirects to a page that shows the
//! outcome.

mod outcome;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use doorward_core::decision::Seen;
use doorward_core::grant::GrantId;
use doorward_core::policy::{Person, TargetName, Transport};
use jiff::SignedDuration;
use maud::{Markup, html};

use self::outcome::{but, grant_of, outcome, revoked_note};
use super::failure::Failure;
use super::form::{Posted, PostedToRevoke};
use super::home::{self, Draft, Of};
use super::origin::Origin;
use super::segment::Segment;
use super::{Web, own_page, probe, words};
use crate::clock::random;
use crate::requests::{self, Answer, Ask, Opened, Relocated};
use crate::status::SyncState;

/// `POST /grants`: opens a target, or extends what is open from the same address.
pub async fn open(State(web): State<Arc<Web>>, posted: Posted) -> Result<Response, Failure> {
    let field = |name| posted.fields.get(name).unwrap_or_default().to_owned();
    web.change(&posted.signed.caller.person)?;
    let asked = asked(&web, &posted);
    let draft = |of, failure| Draft {
        of,
        lasts: field("lasts"),
        transport: field("transport"),
        reason: field("reason"),
        failure,
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(failure) => {
            let of = field("target").parse().map_or_else(|_| Of::Grant(String::new()), Of::Target);
            return home::show(&web, &posted.signed, posted.origin, None, Some(&draft(of, failure))).await;
        }
    };
    let mut done: Vec<Opened> = Vec::new();
    let mut refused: Vec<(IpAddr, Failure)> = Vec::new();
    for address in asked.addresses {
        let ask = Ask {
            target: asked.target.clone(),
            address,
            transport: asked.transport,
            lasts: asked.lasts,
            reason: asked.reason.clone(),
        };
        match web.requests().open(&posted.signed.caller, ask).await {
            Ok(opened) => done.push(opened),
            Err(error) => refused.push((address, error.into())),
        }
    }
    if done.is_empty()
        && let Some((_, failure)) = refused.first()
    {
        let draft = draft(Of::Target(asked.target), failure.clone());
        return home::show(&web, &posted.signed, posted.origin, None, Some(&draft)).await;
    }
    let note = html! {
        (outcome(&web, &done).await)
        @for (address, failure) in &refused { (but(*address, failure)) }
    };
    noted(&web, &posted, note)
}

struct Asked {
    target: TargetName,
    addresses: Vec<IpAddr>,
    transport: Option<Transport>,
    lasts: Option<SignedDuration>,
    reason: Option<String>,
}

fn asked(web: &Web, posted: &Posted) -> Result<Asked, Failure> {
    let fields = &posted.fields;
    let wrong = |why: &str| Failure::new(StatusCode::UNPROCESSABLE_ENTITY, why);
    let target = fields.get("target").unwrap_or_default();
    let target = target.parse().map_err(|_| wrong("no target was named"))?;
    let transport = fields.get("transport").map(|name| {
        let transports = [Transport::Direct, Transport::Wireguard, Transport::Ssm, Transport::Ssh];
        transports.into_iter().find(|transport| transport.to_string() == name)
    });
    let transport = match transport {
        Some(None) => return Err(wrong("there is no such transport")),
        Some(transport) => transport,
        None => None,
    };
    let mut addresses = Vec::new();
    let admits: Vec<&str> = fields.all("admit").collect();
    if admits.contains(&"own") || fields.get("choose").is_none() {
        addresses.push(source(web, &posted.signed.caller.person, posted.origin, &target, transport)?);
    }
    if admits.contains(&"other") {
        let statement = fields.get("statement").unwrap_or_default();
        let other = probe::stated(web, &posted.signed, statement).ok_or_else(|| {
            wrong("your other address on this page is out of date").hint("load the page again")
        })?;
        addresses.push(other);
    }
    if addresses.is_empty() {
        return Err(wrong("no address was chosen"));
    }
    let reason = fields.get("reason").map(str::to_owned);
    Ok(Asked { target, addresses, transport, lasts: seconds(fields.get("lasts"))?, reason })
}

/// The address that a grant is for. One that is not known opens nothing; where no rule is made of it, the proxy's own does.
pub fn source(
    web: &Web,
    person: &Person,
    origin: Origin,
    target: &TargetName,
    transport: Option<Transport>,
) -> Result<IpAddr, Failure> {
    let first = || {
        let offers = web.requests().views().offers(person);
        offers
            .iter()
            .find(|offer| offer.target == *target)
            .and_then(|offer| offer.transports.first().copied())
    };
    match transport.or_else(first) {
        Some(Transport::Ssm | Transport::Ssh) => Ok(origin.counted()),
        Some(Transport::Direct | Transport::Wireguard) | None => origin.admitted(),
    }
}

fn seconds(text: Option<&str>) -> Result<Option<SignedDuration>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let seconds = text.parse::<i64>().map_err(|_| {
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, format!("`{text}` is not a number of seconds"))
    })?;
    Ok(Some(SignedDuration::from_secs(seconds)))
}

/// `POST /grants/{id}/extend`
pub async fn extend(
    State(web): State<Arc<Web>>,
    Segment(id): Segment,
    posted: Posted,
) -> Result<Response, Failure> {
    match extended(&web, &id, &posted).await {
        Ok(opened) => {
            let note = outcome(&web, &[opened]).await;
            noted(&web, &posted, note)
        }
        Err(failure) => {
            let lasts = posted.fields.get("lasts").unwrap_or_default().to_owned();
            let (transport, reason) = (String::new(), String::new());
            let draft = Draft { of: Of::Grant(id), lasts, transport, reason, failure };
            home::show(&web, &posted.signed, posted.origin, None, Some(&draft)).await
        }
    }
}

async fn extended(web: &Web, id: &str, posted: &Posted) -> Result<Opened, Failure> {
    let caller = &posted.signed.caller;
    web.change(&caller.person)?;
    let grant = web.requests().views().one(caller, &grant_id(id)?).await?;
    if grant.person != caller.person {
        return Err(Failure::new(StatusCode::FORBIDDEN, "only the owner of a grant can extend it"));
    }
    let (Some(since), requests::State::Open) = (grant.since, grant.state) else {
        return Err(
            Failure::new(StatusCode::CONFLICT, "the grant is no longer open").hint("open the target again")
        );
    };
    let lasts = match posted.fields.get("lasts") {
        Some("most") => {
            let offers = web.requests().views().offers(&caller.person);
            let most = offers.iter().find(|offer| offer.target == grant.target).map(|offer| offer.at_most);
            let lived = web.app().clock().now().duration_since(since).as_secs();
            // Whole minutes, and a moment less, because the decision comes later than this.
            most.map(|most| SignedDuration::from_secs((most - lived - 1) / 60 * 60))
        }
        text => seconds(text)?,
    };
    let ask = Ask {
        target: grant.target.clone(),
        address: grant.source.address(),
        transport: Some(grant.transport),
        lasts,
        reason: None,
    };
    Ok(web.requests().open(caller, ask).await?)
}

/// `POST /grants/{id}/close`
pub async fn close(
    State(web): State<Arc<Web>>,
    Segment(id): Segment,
    PostedToRevoke(posted): PostedToRevoke,
) -> Result<Response, Failure> {
    let closed = web.requests().close(&posted.signed.caller, &grant_id(&id)?).await?;
    noted(&web, &posted, revoked_note(&closed))
}

/// `POST /grants/{id}/move`: to the address that the form was sent from.
pub async fn relocate(
    State(web): State<Arc<Web>>,
    Segment(id): Segment,
    posted: Posted,
) -> Result<Response, Failure> {
    match relocated(&web, &id, &posted).await {
        Ok(moved) => {
            let stands = matches!(&moved.opened, Opened::Granted { sync_state: SyncState::InSync, .. });
            let note = html! {
                p {
                    @if stands {
                        strong { "The old address is revoked." } " " code { (words::source(moved.was)) } " is no longer admitted."
                    } @else {
                        strong { "The old address is being revoked." } " " code { (words::source(moved.was)) } " may still be admitted."
                    }
                }
                (outcome(&web, &[moved.opened]).await)
            };
            noted(&web, &posted, note)
        }
        Err(failure) => {
            let (lasts, transport, reason) = (String::new(), String::new(), String::new());
            let draft = Draft { of: Of::Grant(id), lasts, transport, reason, failure };
            home::show(&web, &posted.signed, posted.origin, None, Some(&draft)).await
        }
    }
}

async fn relocated(web: &Web, id: &str, posted: &Posted) -> Result<Relocated, Failure> {
    web.change(&posted.signed.caller.person)?;
    let to = posted.origin.admitted()?;
    Ok(web.requests().relocate(&posted.signed.caller, &grant_id(id)?, to).await?)
}

/// `POST /grants/{id}/answer`
pub async fn answer(
    State(web): State<Arc<Web>>,
    Segment(id): Segment,
    PostedToRevoke(posted): PostedToRevoke,
) -> Result<Response, Failure> {
    let agree = match posted.fields.get("agree") {
        Some("yes") => true,
        Some("no") => false,
        _ => {
            return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "the answer has to be `yes` or `no`"));
        }
    };
    if agree {
        posted.signed.confirmed()?;
        web.change(&posted.signed.caller.person)?;
    }
    // A form that does not say what it showed showed what was first asked for.
    let seen = posted.fields.get("seen").map(str::parse::<Seen>).transpose();
    let seen = seen.map_err(|error| Failure::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    let reason = posted.fields.get("reason").map(str::to_owned);
    let answer = if agree { Answer::Approve { seen } } else { Answer::Deny { reason } };
    let opened = web.requests().answer(&posted.signed.caller, &grant_id(&id)?, answer).await?;
    let grant = grant_of(&opened);
    let (person, target) = (grant.person(), grant.target());
    let note = html! {
        @if agree {
            p { strong { "You approved the request." } " " (person) " has " (target) " open" @if let Some(until) = grant.until() { " until " (words::time(until)) } "." }
        } @else {
            p { strong { "You denied the request." } " " (person) " does not get access to " (target) "." }
        }
    };
    noted(&web, &posted, note)
}

fn grant_id(id: &str) -> Result<GrantId, Failure> {
    id.parse().map_err(|_| Failure::new(StatusCode::NOT_FOUND, "there is no such grant"))
}

/// Stores a message and redirects the browser to the page that shows it.
fn noted(web: &Web, posted: &Posted, note: Markup) -> Result<Response, Failure> {
    let id = u64::from_le_bytes(random().map_err(|error| Failure::broken(&error))?);
    let id = format!("{id:016x}");
    web.notes().keep(id.clone(), posted.signed.name(), note);
    let page = posted.fields.get("back").and_then(own_page).unwrap_or("/");
    Ok((StatusCode::SEE_OTHER, [(LOCATION, format!("{page}?note={id}"))]).into_response())
}
