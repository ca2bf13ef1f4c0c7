//! What a page says of a request that was carried out: the notes that its redirect leads to.

use std::net::IpAddr;

use doorward_core::decision::Reason;
use doorward_core::grant::Grant;
use doorward_core::net::Flow;
use doorward_core::policy::Closing;
use maud::{Markup, html};

use crate::requests::{Closed, Collateral, Opened};
use crate::status::SyncState;
use crate::web::failure::{self, Failure};
use crate::web::layout::{marked, sentence};
use crate::web::{Web, card, words};

/// The outcome of opening one target for one or more addresses.
pub(super) async fn outcome(web: &Web, opened: &[Opened]) -> Markup {
    let stands = |opened: &&Opened| {
        matches!(opened, Opened::Granted { extended: false, sync_state: SyncState::InSync, .. })
    };
    let connect = match opened.iter().find(stands).map(grant_of) {
        Some(grant) => {
            Some(web.requests().connection_hints_looked_up(grant.target(), grant.transport()).await)
        }
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
        @if let Some(connect) = connect { p { "Connect to" } (card::connection_hints(&connect)) }
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

pub(super) fn grant_of(opened: &Opened) -> &Grant {
    let (Opened::Granted { grant, .. } | Opened::Waiting { grant, .. }) = opened;
    grant
}

fn opened_note(opened: &Opened) -> Markup {
    let grant = grant_of(opened);
    html! {
        @match opened {
            Opened::Granted { extended, sync_state, .. } => {
                p {
                    strong {
                        (grant.target())
                        @if *sync_state != SyncState::InSync { " is granted, but not open yet," }
                        @else if *extended { " stays open" }
                        @else { " is open" }
                    }
                    " for " code { (words::source(grant.source())) }
                    @if let Some(until) = grant.until() { " until " (words::time(until)) }
                    ". " (card::sync_state(sync_state))
                }
                @match sync_state {
                    SyncState::InSync => {}
                    SyncState::Failing { why } => p.problem {
                        "The firewall does not admit your address yet: " (marked(why)) ". Doorward will retry."
                    },
                    SyncState::Unknown => p {
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

pub(super) fn revoked_note(closed: &Closed) -> Markup {
    let grant = &closed.grant;
    let was_open = grant.since().is_some();
    html! {
        p {
            strong {
                (grant.target())
                @if !was_open { " is withdrawn" }
                @else if closed.sync_state == SyncState::InSync { " is revoked" }
                @else { " is being revoked" }
            }
            " for " code { (words::source(grant.source())) } "."
        }
        @if was_open {
            @match &closed.sync_state {
                SyncState::Failing { why } => {
                    p.problem { "The firewall still admits the address: " (marked(why)) ". Doorward will retry." }
                }
                SyncState::Unknown => p { "The firewall has not confirmed it yet." },
                SyncState::InSync => {}
            }
            @match (closed.closing, closed.cut) {
                _ if closed.sync_state != SyncState::InSync => {}
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
pub(super) fn but(address: IpAddr, failure: &Failure) -> Markup {
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
