//! Each event of the audit log as one line of the server's log, once it is committed.

use doorward_core::audit::{Event, Login, What, Who};
use doorward_core::grant::{Ending, Grant};
use tracing::field::display;

use super::Change;

/// The target of these lines, by which a filter lets them through or not.
macro_rules! log {
    ($level:ident, $($rest:tt)*) => { tracing::$level!(target: "doorward::events", $($rest)*) };
}

/// Writes a line for each event. `changes` are the grants that were written with them.
pub fn log(events: &[Event], changes: &[Change]) {
    for event in events {
        let grant = event
            .what
            .grant()
            .and_then(|id| changes.iter().map(|change| &change.after).find(|grant| grant.id() == id));
        line(event, grant);
    }
}

fn line(event: &Event, grant: Option<&Grant>) {
    let from = event.from.map(display);
    // A name that was only claimed says by whom.
    let login = match &event.who {
        Who::Unproved { login, .. } => Some(Login::to_string(login)),
        Who::Doorward | Who::Person(_) | Who::Claimed(_) => None,
    };
    let login = login.as_deref();
    // Whose the grant is, where that is known; else who did it.
    let person = grant.map(Grant::person).or(event.who.person()).map(display);
    let target = grant.map(|grant| display(grant.target()));
    match &event.what {
        What::Started { version } => log!(info, version, "started"),
        What::PolicyRead { digest } => log!(info, digest, "policy read"),
        What::SignedIn => log!(info, person, from, "signed in"),
        What::SignedOut => log!(info, person, from, "signed out"),
        What::SignInRefused { why } => match &event.who {
            Who::Claimed(name) => log!(warn, name, from, why, "sign-in refused"),
            who => log!(warn, by = %who, from, why, "sign-in refused"),
        },
        What::Opened { grant: id, target, transport, source, until, reason, .. } => {
            let reason = reason.as_deref();
            let approver = grant.map(Grant::person).zip(event.who.person()).filter(|(asker, by)| asker != by);
            match approver {
                Some((_, approver)) => log!(
                    info, grant = %id, person, %approver, %target, %transport, %source, %until, from, reason,
                    "request approved"
                ),
                None => log!(
                    info, grant = %id, person, %target, %transport, %source, %until, from, login, reason,
                    "grant opened"
                ),
            }
        }
        What::Extended { grant: id, until, reason, approved: Some(approved) } => {
            let (reason, request, approver) =
                (reason.as_deref(), &approved.request, event.who.person().map(display));
            log!(
                info, grant = %id, %request, person, approver, target, %until, from, reason,
                "request approved, grant extended"
            );
        }
        What::Extended { grant: id, until, reason, approved: None } => {
            let reason = reason.as_deref();
            log!(info, grant = %id, person, target, %until, from, login, reason, "grant extended");
        }
        What::Asked { grant: id, target, seconds, reason } => {
            let reason = reason.as_deref();
            log!(info, grant = %id, person, %target, seconds, from, login, reason, "approval requested");
        }
        What::RequestChanged { grant: id, target, source, seconds, reason, .. } => {
            let reason = reason.as_deref();
            log!(info, grant = %id, person, %target, %source, seconds, from, login, reason, "request changed");
        }
        What::Moved { grant: id, before, target, was, source, until, .. } => {
            log!(
                info, grant = %id, %before, person, %target, %was, %source, %until, from, login,
                "grant moved"
            );
        }
        What::Refused { asked, why } => {
            let why = why.join("; ");
            log!(info, person, asked, from, login, why, "request refused");
        }
        What::Ended { grant: id, how } => match how {
            Ending::TimeUp => log!(info, grant = %id, person, target, "grant expired"),
            Ending::Closed { by } => {
                log!(info, grant = %id, person, target, %by, from, login, "grant revoked")
            }
            Ending::Withdrawn { by } => {
                log!(info, grant = %id, person, target, %by, from, login, "request withdrawn")
            }
            Ending::NoLongerAllowed { why } => {
                log!(info, grant = %id, person, target, why, "grant revoked by the policy");
            }
            Ending::Rejected { by, reason } => {
                let reason = reason.as_deref();
                log!(info, grant = %id, person, target, %by, from, reason, "request denied");
            }
            Ending::Moved { to } => {
                log!(info, grant = %id, person, target, %to, from, login, "grant moved away")
            }
            Ending::Extended { grant } => {
                log!(info, grant = %id, person, target, extended = %grant, "request approved");
            }
            Ending::Unanswered => log!(info, grant = %id, person, target, "request expired"),
        },
        What::RulesAdded { firewall, rules } => {
            let rules = rules.join("; ");
            log!(info, %firewall, rules, "rules added");
        }
        What::RulesRemoved { firewall, rules, cut } => {
            let rules = rules.join("; ");
            log!(info, %firewall, rules, cut, "rules removed");
        }
        What::DriftRighted { firewall, found } => {
            let found = found.join("; ");
            log!(warn, %firewall, found, "drift corrected");
        }
        What::FirewallRecovered { firewall } => log!(info, %firewall, "firewall in sync again"),
        What::SessionsRecovered { account_region } => {
            log!(info, account_region, "ending sessions works again")
        }
        What::RecordRead => log!(info, person, from, login, "audit log read"),
        // Whoever meets these says them at once, also while the store cannot be written.
        What::FirewallFailed { .. }
        | What::SessionsFailed { .. }
        | What::CredentialsNotDenied { .. }
        | What::IntentBroken { .. }
        | What::IntentKept { .. }
        | What::PolicyUnreadable { .. } => {}
        what => {
            let (grant, event) = (what.grant().map(display), what.to_string());
            log!(info, grant, person, target, from, login, event, "recorded");
        }
    }
}
