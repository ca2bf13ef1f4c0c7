//! Form handlers for grants: open, extend, revoke, move, approve and deny. Each redirects to a page that shows the
//! outcome.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use doorward_core::decision::Reason;
use doorward_core::grant::{Grant, GrantId};
use doorward_core::net::Flow;
use doorward_core::policy::{Closing, Person, TargetName, Transport};
use jiff::SignedDuration;
use maud::{Markup, html};

use super::failure::{self, Failure};
use super::form::{Posted, PostedToRevoke};
use super::home::{self, Draft, Of};
use super::layout::{marked, sentence};
use super::origin::Origin;
use super::segment::Segment;
use super::{Web, card, own_page, probe, words};
use crate::clock::random;
use crate::requests::{self, Answer, Ask, Closed, Collateral, Opened, Relocated};
use crate::status::Standing;

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
        let offers = web.requests().offers(person);
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
    let grant = web.requests().one(caller, &grant_id(id)?).await?;
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
            let offers = web.requests().offers(&caller.person);
            let most = offers.iter().find(|offer| offer.target == grant.target).map(|offer| offer.at_most);
            let lived = web.requests().clock().now().duration_since(since).as_secs();
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
            let stands = matches!(&moved.opened, Opened::Granted { standing: Standing::InSync, .. });
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
    let seen = posted.fields.get("seen").map_or(Ok(0), str::parse::<u32>).map_err(|_| {
        Failure::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "the form lacks the revision of the request that it showed",
        )
    })?;
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

/// The outcome of opening one target for one or more addresses.
async fn outcome(web: &Web, opened: &[Opened]) -> Markup {
    let stands = |opened: &&Opened| {
        matches!(opened, Opened::Granted { extended: false, standing: Standing::InSync, .. })
    };
    let connect = match opened.iter().find(stands).map(grant_of) {
        Some(grant) => Some(web.requests().ways_looked_up(grant.target(), grant.transport()).await),
        None => None,
    };
    let closing = opened.iter().find_map(|opened| match opened {
        Opened::Granted { closing, .. } => Some(*closing),
        Opened::Waiting { .. } => None,
    });
    let mut beside = Vec::new();
    for grant in opened.iter().filter(|opened| !is_extension(opened)).map(grant_of) {
        beside.push((grant, web.requests().collateral(grant).await));
    }
    html! {
        @for opened in opened { (opened_note(opened)) }
        @for (grant, found) in &beside { (collateral_note(grant, found)) }
        @if let Some(connect) = connect { p { "Connect to" } (card::ways(&connect)) }
        @if let Some(closing) = closing { (card::promise(closing)) }
    }
}

/// Collateral access that was reported before is not reported again.
fn is_extension(opened: &Opened) -> bool {
    matches!(opened, Opened::Granted { extended: true, .. })
}

/// The collateral access of a grant; nothing if it admits only to the target.
fn collateral_note(grant: &Grant, found: &Result<Vec<Collateral>, String>) -> Markup {
    let flows = |flows: &[Flow]| flows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let source = words::source(grant.source());
    html! {
        @match found {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                p { @if grant.until().is_some() { "This also allows " } @else { "This would also allow " } code { (source) } " to reach:" }
                ul.beside {
                    @for one in found {
                        li {
                            (one.what) " "
                            @if !one.flows.is_empty() { code { (flows(&one.flows)) } }
                            @if !one.perhaps.is_empty() { " perhaps " code { (flows(&one.perhaps)) } }
                        }
                    }
                }
            }
            Err(why) => p.hint { "Collateral access of " code { (source) } " is not known: " (marked(why)) "." }
        }
    }
}

fn grant_of(opened: &Opened) -> &Grant {
    let (Opened::Granted { grant, .. } | Opened::Waiting { grant, .. }) = opened;
    grant
}

fn opened_note(opened: &Opened) -> Markup {
    let grant = grant_of(opened);
    html! {
        @match opened {
            Opened::Granted { extended, standing, .. } => {
                p {
                    strong {
                        (grant.target())
                        @if *standing != Standing::InSync { " is granted, but not open yet," }
                        @else if *extended { " stays open" }
                        @else { " is open" }
                    }
                    " for " code { (words::source(grant.source())) }
                    @if let Some(until) = grant.until() { " until " (words::time(until)) }
                    ". " (card::standing(standing))
                }
                @match standing {
                    Standing::InSync => {}
                    Standing::Failing { why } => p.problem {
                        "The firewall does not admit your address yet: " (marked(why)) ". Doorward will retry."
                    },
                    Standing::Unknown => p {
                        "The firewall has not confirmed the rule yet; the card below shows when it has."
                    },
                }
            }
            Opened::Waiting { reasons, changed, .. } => {
                p {
                    strong { @if *changed { "Changed the request for " } @else { "Requested " } (grant.target()) "." }
                    " It opens for " code { (words::source(grant.source())) } " once the request is approved."
                }
                @for reason in reasons {
                    @if matches!(reason, Reason::Approval { .. } | Reason::HeldBefore { .. }) { p { (sentence(&reason.to_string())) } }
                }
            }
        }
    }
}

fn revoked_note(closed: &Closed) -> Markup {
    let grant = &closed.grant;
    let was_open = grant.since().is_some();
    html! {
        p {
            strong {
                (grant.target())
                @if !was_open { " is withdrawn" }
                @else if closed.standing == Standing::InSync { " is revoked" }
                @else { " is being revoked" }
            }
            " for " code { (words::source(grant.source())) } "."
        }
        @if was_open {
            @match &closed.standing {
                Standing::Failing { why } => {
                    p.problem { "The firewall still admits the address: " (marked(why)) ". Doorward will retry." }
                }
                Standing::Unknown => p { "The firewall has not confirmed it yet." },
                Standing::InSync => {}
            }
            @match (closed.closing, closed.cut) {
                _ if closed.standing != Standing::InSync => {}
                (Closing::Severs, 0) => p { "No connection was open." },
                (Closing::Severs, 1) => p { "One open connection was cut." },
                (Closing::Severs, cut) => p { (cut) " open connections were cut." },
                (Closing::RefusesNewOnly, _) => p {
                    "New connections are refused. Connections that are already open stay open until either side closes them: "
                    "this firewall cannot cut them."
                },
            }
            @if let Some(credentials) = &closed.credentials {
                p.problem {
                    "Credentials that were vended for this grant can start sessions until " (words::at(credentials.until)) ": "
                    (marked(&credentials.why)) ". Doorward terminates the sessions that it finds."
                }
            }
            @if let Some(still) = &closed.still {
                p.hint { "The address is still admitted because of " (marked(still)) "." }
            }
        }
    }
}

/// A refusal in the same note as a success.
fn but(address: IpAddr, failure: &Failure) -> Markup {
    html! {
        div.problem { p { "Nothing was opened for " code { (address) } ":" } (failure::reasons(failure)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_grant() -> Grant {
        let text = r#"{"id":"g-k3v9t2m4x7q8","person":"jon","target":"db","transport":"direct",
            "source":"203.0.113.7/32","life":"open","since":"2026-11-22T10:00:00Z",
            "until":"2026-11-22T11:00:00Z","approved_by":null}"#;
        serde_json::from_str(text).expect("a grant")
    }

    fn check(found: Result<Vec<Collateral>, String>, expected: &[&str], absent: &str) {
        let text = collateral_note(&open_grant(), &found).into_string();
        for words in expected {
            assert!(text.contains(words), "no {words:?} in {text}");
        }
        assert!(!text.contains(absent), "{absent:?} in {text}");
    }

    #[test]
    fn what_else_is_let_in_is_said_and_nothing_where_there_is_nothing() {
        let beside = |flows: &[&str], perhaps: &[&str]| {
            let parsed = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a flow")).collect();
            Collateral { what: "database <reports>".into(), flows: parsed(flows), perhaps: parsed(perhaps) }
        };
        check(
            Ok(vec![beside(&["tcp/5432", "udp/53"], &[])]),
            &["This also allows", "database &lt;reports&gt;", "tcp/5432, udp/53"],
            "perhaps",
        );
        check(Ok(vec![beside(&[], &["tcp/22"])]), &["perhaps <code>tcp/22</code>"], "not known");
        check(Err("the folder is gone".into()), &["is not known: the folder is gone"], "also allows");
        assert_eq!(collateral_note(&open_grant(), &Ok(Vec::new())).into_string(), "");
    }
}
