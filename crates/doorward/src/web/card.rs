//! A grant as a card: the time left, the admitted address, and the possible actions.

use std::fmt::Write as _;
use std::net::IpAddr;

use doorward_core::decision::admissible;
use doorward_core::net::Cidr;
use doorward_core::policy::{Closing, Policy, Transport};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use sha2::{Digest as _, Sha256};

use super::layout::{marked, sentence, token};
use super::session::Signed;
use super::words;
use crate::requests::{ConnectionHint, GrantView, Offer, State};
use crate::status::SyncState;

/// Lengths that are offered, in seconds, as far as the policy allows them.
const LENGTHS: [i64; 12] =
    [900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800, 259_200, 604_800, 2_592_000];

/// What the fields that a page shows of a grant are drawn from, so that a script replaces a card only when it changed.
pub fn version(grant: &GrantView) -> String {
    let shown = format!(
        "{} {} {:?} {:?} {:?} {:?} {:?}",
        grant.id, grant.state, grant.until, grant.sync_state, grant.approved_by, grant.reason, grant.seen
    );
    Sha256::digest(shown.as_bytes()).iter().take(6).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether the firewall has the grant's rules.
pub fn sync_state(sync_state: &SyncState) -> Markup {
    match sync_state {
        SyncState::InSync => html! { span.badge.good { "In force" } },
        SyncState::Failing { why } => html! { span.badge.bad title=(why) { "Not in force" } },
        SyncState::Unknown => html! { span.badge.pending { "Being put in force" } },
    }
}

/// How long it is still open: in words, and as a bar; a script counts both down.
pub fn countdown(grant: &GrantView, now: Timestamp) -> Markup {
    let (Some(since), Some(until)) = (grant.since, grant.until) else { return html! {} };
    let left = until.duration_since(now).as_secs().max(0);
    let total = until.duration_since(since).as_secs().max(1);
    let whole = until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    html! {
        p.left {
            strong role="timer" data-until=(whole) data-name=(grant.target) { (words::left(left)) }
            span.quiet { "until " (words::time(until)) }
        }
        progress max=(total) value=(left) data-until=(whole) aria-label="Time left" {}
    }
}

/// Endpoints, each with an example command.
pub fn connection_hints(connection_hints: &[ConnectionHint]) -> Markup {
    html! {
        @for hint in connection_hints {
            div.way {
                code { (hint) }
                @if let Some(command) = &hint.command {
                    code.command {
                        @for (place, word) in command.split(' ').enumerate() {
                            @if place > 0 { " " }
                            span { (word) }
                        }
                    }
                }
            }
        }
    }
}

/// How revoking affects open connections, said before.
pub fn promise(closing: Closing) -> Markup {
    html! { p.quiet.promise { "When the grant ends, " (closing) "." } }
}

/// A grant of one's own.
pub fn mine(
    signed: &Signed,
    grant: &GrantView,
    offer: Option<&Offer>,
    connect: &[ConnectionHint],
    problem: Option<&Markup>,
    elsewhere: Option<Elsewhere>,
    now: Timestamp,
) -> Markup {
    let waits = grant.state == State::Waiting;
    let version = format!("{} {elsewhere:?}", version(grant));
    html! {
        li.card.grant.waiting[waits] #(grant.id) data-key=(grant.id) data-version=(version) {
            div.head {
                h3 { (grant.target) }
                @if waits { span.badge.pending { "Waiting" } }
                @if let Some(state) = &grant.sync_state { (sync_state(state)) }
            }
            @if let Some(offer) = offer { p.quiet { (offer.about) } }
            @if let Some(problem) = problem { (problem) }
            @if let Some(SyncState::Failing { why }) = &grant.sync_state {
                p.problem { "The firewall does not admit your address yet: " (marked(why)) ". Doorward will retry." }
            }
            @if waits {
                p.left { strong { "Waiting for approval by " (groups(grant)) } }
                p.quiet {
                    "It will be open for " (words::lasting(grant.asked_for.unwrap_or_default())) " from the approval on."
                    @if let Some(until) = grant.until { " Without an answer the request expires at " (words::time(until)) "." }
                }
            } @else {
                (countdown(grant, now))
            }
            dl.facts {
                dt { "Admits" } dd { code { (words::source(grant.source)) } " " span.quiet { (grant.source.family()) } }
                @if !waits && !connect.is_empty() { dt { "Connect to" } dd { (connection_hints(connect)) } }
                @if let Some(reason) = &grant.reason { dt { "Reason" } dd { (reason) } }
                @if let Some(by) = &grant.approved_by { dt { "Approved by" } dd { (by) } }
                @if let Some(also) = &grant.also { dt { "Also allows" } dd { (also) } }
            }
            @if let Some(Elsewhere { seen, movable }) = elsewhere {
                p.quiet { "Your address is now " code { (seen) } ", which this grant does not admit." }
                @if movable {
                    form.actions method="post" action={ "/grants/" (grant.id) "/move" } {
                        (token(signed))
                        button type="submit" { "Move to this address" span.unseen { ": " (grant.target) " from " (words::source(grant.source)) } }
                    }
                }
            }
            div.actions {
                @if let (Some(offer), false) = (offer, waits) { (extend(signed, grant, offer, now)) }
                form method="post" action={ "/grants/" (grant.id) "/close" } {
                    (token(signed))
                    button.danger type="submit" {
                        @if waits { "Withdraw" } @else { "Revoke" }
                        span.unseen { " " (grant.target) " for " (words::source(grant.source)) }
                    }
                }
            }
            @if !waits { (promise(grant.closing)) }
        }
    }
}

/// The address that a person comes from now, of a grant that admits another.
#[derive(Debug, Clone, Copy)]
pub struct Elsewhere {
    /// The address.
    seen: IpAddr,
    /// Whether the grant may be moved to it.
    pub movable: bool,
}

/// Whether a grant admits another address than the one that its person comes from now. The other family is no sign of
/// that: most people have an address of each.
pub fn elsewhere(policy: &Policy, grant: &GrantView, seen: Option<IpAddr>) -> Option<Elsewhere> {
    let seen = seen.filter(|seen| {
        grant.state == State::Open
            && grant.transport == Transport::Direct
            && grant.source.family() == Cidr::host(*seen).family()
            && !grant.source.contains(*seen)
    })?;
    let movable = admissible(policy, &grant.target, grant.transport, seen).is_ok();
    Some(Elsewhere { seen, movable })
}

fn groups(grant: &GrantView) -> String {
    let names: Vec<&str> = grant.waits_for.iter().map(|group| group.as_str()).collect();
    names.join(" or ")
}

fn extend(signed: &Signed, grant: &GrantView, offer: &Offer, now: Timestamp) -> Markup {
    let (Some(since), Some(until)) = (grant.since, grant.until) else { return html! {} };
    let most = SignedDuration::from_secs(offer.at_most);
    let last = since.checked_add(most).unwrap_or(until);
    if last.duration_since(until).as_secs() < 120 {
        return html! {
            p.quiet { "It cannot be extended: the policy allows at most " (words::lasting(offer.at_most)) "." }
        };
    }
    let (now_left, most_left) = (until.duration_since(now).as_secs(), last.duration_since(now).as_secs());
    let asks = |seconds: i64| {
        let lives = now.duration_since(since).as_secs() + seconds;
        if offer.approval_above.is_some_and(|above| lives > above) { ", needs approval" } else { "" }
    };
    let mut lengths: Vec<i64> = LENGTHS.into_iter().filter(|length| *length != offer.usually).collect();
    lengths.push(offer.usually);
    lengths.retain(|length| *length > now_left + 60 && *length < most_left - 60);
    lengths.sort_unstable();
    let id = format!("extend-{}", grant.id);
    html! {
        form.row method="post" action={ "/grants/" (grant.id) "/extend" } {
            (token(signed))
            label.unseen for=(id) { "Extend " (grant.target) " to" }
            select #(id) name="lasts" {
                @for length in lengths {
                    option value=(length) selected[length == offer.usually] {
                        (words::lasting(length)) " from now" (asks(length))
                    }
                }
                option value="most" data-instant=(last.strftime("%Y-%m-%dT%H:%M:%SZ")) {
                    "The maximum, until " (words::at(last)) (asks(most_left))
                }
            }
            button type="submit" { "Extend" span.unseen { " " (grant.target) } }
        }
    }
}

/// Lengths that a target may be opened for, in seconds: the usual one, the longest, and what lies between.
pub fn lengths(offer: &Offer) -> Vec<i64> {
    let mut lengths: Vec<i64> = LENGTHS
        .into_iter()
        .filter(|length| *length < offer.at_most)
        .chain([offer.usually, offer.at_most])
        .collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

/// The buttons to approve or deny somebody else's request; the browser then goes `back`.
pub fn answers(signed: &Signed, grant: &GrantView, back: &str) -> Markup {
    let answer = |agree: &str, class: &str, text: &str| {
        html! {
            button class=(class) type="submit" name="agree" value=(agree) {
                (text) span.unseen { " the request of " (grant.person) " for " (grant.target) }
            }
        }
    };
    html! {
        form.actions method="post" action={ "/grants/" (grant.id) "/answer" } {
            (token(signed))
            input type="hidden" name="back" value=(back);
            @if let Some(seen) = &grant.seen { input type="hidden" name="seen" value=(seen); }
            (answer("yes", "main", "Approve"))
            (answer("no", "", "Deny"))
            label {
                span.unseen { "Reason for denying " (grant.target) " to " (grant.person) }
                input type="text" name="reason" maxlength="500" placeholder="Reason, if you deny it" autocomplete="off";
            }
        }
    }
}

/// Somebody else's request that waits for a decision.
pub fn to_answer(signed: &Signed, grant: &GrantView) -> Markup {
    html! {
        li.card.asked #(grant.id) data-key=(grant.id) data-version=(version(grant)) {
            div.head {
                h3 { (grant.person) " requests " (grant.target) }
            }
            dl.facts {
                dt { "For" } dd { (words::lasting(grant.asked_for.unwrap_or_default())) }
                dt { "Admits" } dd { code { (words::source(grant.source)) } }
                @if let Some(opens) = &grant.opens { dt { "Opens" } dd { (marked(opens)) } }
                dt { "Reason" }
                dd { @if let Some(reason) = &grant.reason { (reason) } @else { span.quiet { "none given" } } }
                @if let Some(also) = &grant.also { dt { "Also allows" } dd { (also) } }
                @if grant.revision > 0 { dt { "Changed" } dd { "after it was first requested" } }
                @if let Some(asked) = grant.since { dt { "Requested" } dd { (words::time(asked)) } }
            }
            (answers(signed, grant, "/"))
        }
    }
}

/// The text of an empty list.
pub fn nothing(text: &str) -> Markup {
    html! { li.nothing data-key="nothing" data-version="0" { (sentence(text)) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::{grant_view, offer, policy, signed};

    fn instant(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn lengths_keep_to_the_policy() {
        assert_eq!(lengths(&offer(7200, 28_800)), [900, 1800, 3600, 7200, 14_400, 28_800]);
        assert_eq!(lengths(&offer(600, 600)), [600]);
        assert_eq!(lengths(&offer(5400, 7200)), [900, 1800, 3600, 5400, 7200]);
    }

    #[test]
    fn a_card_says_its_end_without_a_script() {
        let grant = grant_view("2026-11-22T10:00:00Z", "2026-11-22T12:00:00Z");
        let page = countdown(&grant, instant("2026-11-22T10:18:30Z")).into_string();
        assert!(page.contains("1 h 41 min left"), "{page}");
        assert!(page.contains("2026-11-22 12:00 UTC"), "{page}");
        assert!(page.contains("<progress max=\"7200\" value=\"6090\""), "{page}");
    }

    #[test]
    fn what_cannot_be_extended_has_no_form() {
        let grant = grant_view("2026-11-22T10:00:00Z", "2026-11-22T12:00:00Z");
        let now = instant("2026-11-22T10:30:00Z");
        let page = extend(&signed(), &grant, &offer(3600, 7200), now).into_string();
        assert!(!page.contains("<form") && page.contains("the policy allows at most"), "{page}");
        let page = extend(&signed(), &grant, &offer(7200, 28_800), now).into_string();
        assert!(page.contains("<option value=\"7200\" selected>2 h from now</option>"), "{page}");
        assert!(page.contains("<option value=\"14400\">4 h from now</option>"), "{page}");
        assert!(!page.contains("value=\"3600\""), "{page}");
        let shorter = extend(&signed(), &grant, &offer(14_400, 28_800), instant("2026-11-22T11:30:00Z"));
        let shorter = shorter.into_string();
        let lengths: Vec<&str> =
            shorter.split("<option value=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(lengths, ["3600", "7200", "14400", "most"], "the shortest first");
        assert!(
            page.contains("data-instant=\"2026-11-22T18:00:00Z\">The maximum, until 2026-11-22 18:00 UTC"),
            "{page}"
        );
    }

    #[test]
    fn a_grant_of_another_address_can_be_moved_to_this_one_where_it_may_be_admitted() {
        let grant = grant_view("2026-11-22T10:00:00Z", "2026-11-22T12:00:00Z");
        let policy = policy();
        let page = |seen: &str| {
            let elsewhere = elsewhere(&policy, &grant, Some(seen.parse().expect("an address")));
            mine(&signed(), &grant, None, &[], None, elsewhere, instant("2026-11-22T10:30:00Z")).into_string()
        };
        assert!(page("203.0.113.8").contains("action=\"/grants/g-k3v9t2m4x7q8/move\""));
        assert!(!page("203.0.113.7").contains("/move"), "it is admitted");
        assert!(!page("2001:db8::7").contains("/move"), "an address of the other family is another");
        for never in ["10.0.0.7", "169.254.0.7"] {
            let page = page(never);
            assert!(page.contains("which this grant does not admit") && !page.contains("/move"), "{page}");
        }
    }

    #[test]
    fn what_people_typed_is_escaped() {
        let mut grant = grant_view("2026-11-22T10:00:00Z", "2026-11-22T12:00:00Z");
        grant.reason = Some("<script>alert(1)</script>".into());
        let page =
            mine(&signed(), &grant, None, &[], None, None, instant("2026-11-22T10:30:00Z")).into_string();
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
    }
}
