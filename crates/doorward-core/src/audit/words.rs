//! Events in words, as people read them.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::What;
use crate::grant::GrantId;
use crate::policy::in_words;

/// An instant as it is read, without parts of a second.
fn whole_seconds(instant: &Timestamp) -> impl fmt::Display {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ")
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasoned = |f: &mut fmt::Formatter<'_>, reason: &Option<String>| match reason {
            Some(reason) => write!(f, " ({reason:?})"),
            None => Ok(()),
        };
        let named = |f: &mut fmt::Formatter<'_>, session: &Option<String>| match session {
            Some(session) => write!(f, " ({session})"),
            None => Ok(()),
        };
        match self {
            Self::Started { version } => write!(f, "started, version {version}"),
            Self::PolicyRead { digest } => {
                write!(f, "loaded the policy {}", digest.get(..12).unwrap_or(digest))
            }
            Self::PolicyUnreadable { mistakes } => {
                write!(f, "kept the last valid policy: the new one has {}", counted(mistakes, "error"))
            }
            Self::SignedIn => f.write_str("signed in"),
            Self::SignInRefused { why } => write!(f, "was not signed in: {why}"),
            Self::SignedOut => f.write_str("signed out"),
            Self::SessionRevoked { session } => write!(f, "ended the sign-in session {session}"),
            Self::PasswordChanged { sessions } => {
                write!(f, "changed their own password, which ended {}", counted(sessions, "other session"))
            }
            Self::Opened { grant, target, transport, source, until, reason, because: _, person } => {
                let until = whole_seconds(until);
                if let Some(person) = person {
                    write!(f, "approved {grant} of {person}: ")?;
                }
                write!(f, "opened {target} for {source} by {transport} until {until} as {grant}")?;
                reasoned(f, reason)
            }
            Self::Extended { grant, until, reason, approved } => {
                if let Some(approved) = approved {
                    write!(f, "approved {} of {}: ", approved.request, approved.person)?;
                }
                write!(f, "extended {grant} until {}", whole_seconds(until))?;
                reasoned(f, reason)
            }
            Self::Asked { grant, target, seconds, reason } => {
                let lasts = in_words(SignedDuration::from_secs(*seconds));
                write!(f, "requested {target} for {lasts} as {grant}")?;
                reasoned(f, reason)
            }
            Self::RequestChanged { grant, target, source, seconds, reason, revision: _ } => {
                write!(f, "changed the request {grant} to {target} for {seconds} s from {source}")?;
                reasoned(f, reason)
            }
            Self::Moved { grant, before, target, was, source, until, .. } => {
                let until = whole_seconds(until);
                write!(f, "moved {target} from {was} to {source} until {until}: {before} is now {grant}")
            }
            Self::Refused { asked, why } => write!(f, "was refused: {asked}: {}", why.join("; ")),
            Self::Ended { grant, how } => write!(f, "ended {grant}: {how}"),
            Self::RulesAdded { firewall, rules } => write!(f, "added to {firewall}: {}", rules.join(", ")),
            Self::RulesRemoved { firewall, rules, cut } => {
                write!(f, "removed from {firewall}: {}", rules.join(", "))?;
                if *cut > 0 { write!(f, "; cut {}", counted(cut, "open connection")) } else { Ok(()) }
            }
            Self::DriftRighted { firewall, found } => write!(f, "corrected {firewall}: {}", found.join(", ")),
            Self::FirewallFailed { firewall, why } => {
                write!(f, "reconciling {firewall} failed: {why}")
            }
            Self::FirewallRecovered { firewall } => write!(f, "{firewall} is in sync again"),
            Self::TransportOpened { grant, transport, session } => {
                write!(f, "connected {grant} by {transport}")?;
                named(f, session)
            }
            Self::TransportReconnected { grant, transport, session, why } => {
                write!(f, "connected {grant} by {transport} again")?;
                named(f, session)?;
                write!(f, ": {why}")
            }
            Self::TransportClosed { grant, transport, session, up, down, why } => {
                write!(f, "disconnected {grant} by {transport}")?;
                named(f, session)?;
                write!(f, " after {up} bytes up and {down} down: {why}")
            }
            Self::SessionEnded { grant, transport, session, target } => {
                write!(f, "ended the session {session} to {target}: {grant} by {transport} has ended")
            }
            Self::SessionsFailed { account_region, why } => {
                write!(f, "could not end the sessions of ended grants in {account_region}: {why}")
            }
            Self::SessionsRecovered { account_region } => {
                write!(f, "can end the sessions of ended grants in {account_region} again")
            }
            Self::CredentialsVended { grant, until } => {
                write!(f, "vended credentials for {grant} until {until}")
            }
            Self::CredentialsDenied { role, grants } => {
                let grants: Vec<&str> = grants.iter().map(GrantId::as_str).collect();
                write!(f, "denied the credentials of {} in {role}", grants.join(", "))
            }
            Self::CredentialsNotDenied { role, why, until } => {
                write!(
                    f,
                    "could not deny revoked credentials in {role}, which are valid until {until}: {why}"
                )
            }
            Self::RunBegun(begun) => begun.fmt(f),
            Self::RunEnded(ended) => ended.fmt(f),
            Self::IntentBroken { intent, reason, why } => {
                write!(f, "found an intent broken: {intent}")?;
                reasoned(f, reason)?;
                if why.is_empty() { Ok(()) } else { write!(f, ": {}", why.join("; ")) }
            }
            Self::IntentKept { intent } => write!(f, "found an intent kept again: {intent}"),
            Self::RecordRead => f.write_str("read the audit log"),
            Self::RowsNoted { noted } => write!(f, "noted {noted}"),
            Self::LogAlarm { found, log } => {
                let what = if *log { "audit log" } else { "store" };
                write!(f, "found the {what} altered: {}", found.join("; "))
            }
            Self::LogSealed { sealed, found, .. } => {
                write!(f, "accepted the audit log as it was at {}", sealed.get(..16).unwrap_or(sealed))?;
                if found.is_empty() { Ok(()) } else { write!(f, ", although: {}", found.join("; ")) }
            }
        }
    }
}

/// `1 error`, `2 errors`.
fn counted<N: fmt::Display + PartialEq + From<u8>>(number: &N, one: &str) -> String {
    let plural = if *number == N::from(1) { "" } else { "s" };
    format!("{number} {one}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Person;

    #[test]
    fn numbers_are_of_their_nouns() {
        let check = |what: What, expected: &str| assert_eq!(what.to_string(), expected);
        let unreadable = |mistakes| What::PolicyUnreadable { mistakes };
        check(unreadable(1), "kept the last valid policy: the new one has 1 error");
        check(unreadable(2), "kept the last valid policy: the new one has 2 errors");
        let changed = |sessions| What::PasswordChanged { sessions };
        check(changed(1), "changed their own password, which ended 1 other session");
        check(changed(0), "changed their own password, which ended 0 other sessions");
        let removed = |cut| What::RulesRemoved {
            firewall: "front".parse().expect("a name"),
            rules: vec!["tcp/443".into()],
            cut,
        };
        check(removed(1), "removed from front: tcp/443; cut 1 open connection");
        check(removed(3), "removed from front: tcp/443; cut 3 open connections");
    }

    fn opened(more: &str) -> What {
        let text = format!(
            r#"{{"what":"opened","grant":"g-k3v9t2m4x7q8","target":"wiki","transport":"direct","source":"203.0.113.7/32",
                "until":"2026-11-22T12:00:00Z","because":"maria agreed"{more}}}"#
        );
        serde_json::from_str(&text).expect("an event")
    }

    #[test]
    fn what_was_approved_says_of_whom_it_is() {
        let own = opened("");
        assert_eq!(own.holder(), None);
        assert!(own.to_string().starts_with("opened wiki for "), "{own}");
        let approved = opened(r#","person":"jon""#);
        assert_eq!(approved.holder().map(Person::as_str), Some("jon"));
        assert!(
            approved.to_string().starts_with("approved g-k3v9t2m4x7q8 of jon: opened wiki for "),
            "{approved}"
        );
    }
}
