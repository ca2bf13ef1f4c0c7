//! Sessions of Session Manager beside the grants that they carry: where they are, and which have outlived their grant.
//!
//! A session is a grant's by the reason that it was started with, or by its owner: the credentials that are vended for
//! a grant have a name of their own, and whatever is started with them is owned by that name, also without a reason.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::grant::{Grant, GrantId, Life};
use crate::inventory::AccountRegion;
use crate::name::{AWS_NAME, aws_name};
use crate::policy::{Over, Person, Policy, Transport};

/// A session that is open, as AWS lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Its id: the name of whoever started it, and a number.
    pub id: String,
    /// Like `i-0a1b2c3d4e5f60718`.
    pub target: String,
    /// What whoever started it said why, in which Doorward writes the grant.
    pub reason: Option<String>,
    /// The ARN of whoever started it.
    pub owner: Option<String>,
    /// When it was started.
    pub since: Option<Timestamp>,
}

/// What is said to AWS as a session's reason: `doorward g-k3v9t2m4x7q8`.
pub fn reason(grant: &GrantId) -> String {
    format!("doorward {grant}")
}

/// The grant in a session's reason, if there is one.
pub fn granted(reason: &str) -> Option<GrantId> {
    let words = reason.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'));
    words.filter_map(|word| word.parse().ok()).next()
}

/// The place that the sessions of a grant by this way are opened in; none where it needs no session.
pub fn account_region(policy: &Policy, transport: Transport) -> Option<&AccountRegion> {
    match transport {
        Transport::Ssm => policy.ssm.as_ref().map(|ssm| &ssm.at),
        Transport::Ssh => policy.ssh.as_ref().filter(|ssh| ssh.over == Over::Ssm).map(|ssh| &ssh.at),
        Transport::Direct | Transport::Wireguard => None,
    }
}

/// The name of the role session that is vended for a grant, and so of each session that is started with it:
/// `g-k3v9t2m4x7q8.jon`.
///
/// The grant comes first. A pattern `session/NAME-*` then matches no other grant's sessions and no other person's:
/// `jon-*` would match those of `jon-smith` too.
pub fn vended_name(grant: &GrantId, person: &Person) -> String {
    let grant = grant.as_str();
    format!("{grant}.{}", aws_name(person.as_str(), AWS_NAME.saturating_sub(grant.len() + 1)))
}

/// The name of the role session that an owner is: the last part of `arn:aws:sts::ACCOUNT:assumed-role/ROLE/NAME` (IAM
/// user guide, "IAM identifiers"). None of a user, who has long-lived credentials.
pub(crate) fn role_session(owner: &str) -> Option<&str> {
    let resource = owner.strip_prefix("arn:")?.splitn(5, ':').nth(4)?;
    resource.strip_prefix("assumed-role/")?.rsplit_once('/').map(|(_, name)| name)
}

/// The sessions of grants that are over, each with that grant.
///
/// A session is ours by its owner, or by its whole reason, and only where that names one of these grants: what somebody
/// else started, another Doorward's, and what mentions a grant in a sentence are left alone. So is one whose grant
/// waits for somebody's answer, which nobody can have opened for it. Who has the credentials of a grant that is over
/// does not keep a session by giving it another grant's reason.
pub fn outlived<'a>(
    sessions: &'a [OpenSession],
    grants: &'a [Grant],
    now: Timestamp,
) -> Vec<(&'a OpenSession, &'a Grant)> {
    let over = || {
        grants
            .iter()
            .filter(|grant| !matches!(grant.life(), Life::Waiting { .. }) && grant.live(now).is_none())
    };
    let by_reason: BTreeMap<String, &Grant> = over().map(|grant| (reason(grant.id()), grant)).collect();
    let by_owner: BTreeMap<String, &Grant> =
        over().map(|grant| (vended_name(grant.id(), grant.person()), grant)).collect();
    let grant_of = |session: &OpenSession| {
        let owner = session.owner.as_deref().and_then(role_session);
        let owned = owner.and_then(|name| by_owner.get(name));
        owned.or_else(|| by_reason.get(session.reason.as_deref()?.trim())).copied()
    };
    sessions.iter().filter_map(|session| Some((session, grant_of(session)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Ending;

    const NOW: &str = "2026-11-22T10:30:00Z";

    fn grant(id: &str, life: &str) -> Grant {
        let text = format!(
            r#"{{"id":"{id}","person":"jon","target":"db","transport":"ssm","source":"127.0.0.1/32",{life}}}"#
        );
        serde_json::from_str(&text).expect("a grant")
    }

    fn open(id: &str, until: &str) -> Grant {
        let life = format!(
            r#""life":"open","since":"2026-11-22T10:00:00Z","until":"2026-11-22T{until}Z","approved_by":null"#
        );
        grant(id, &life)
    }

    fn session(reason: Option<&str>) -> OpenSession {
        OpenSession {
            id: "jon-0a1b".into(),
            target: "i-0a1b".into(),
            reason: reason.map(str::to_owned),
            owner: Some("arn:aws:iam::123456789012:user/jon".into()),
            since: None,
        }
    }

    #[test]
    fn only_what_bears_a_grant_of_ours_that_is_over_is_ended() {
        let now: Timestamp = NOW.parse().expect("an instant");
        let waiting = r#""life":"waiting","asked":"2026-11-22T10:00:00Z","seconds":60,"from":["ops"]"#;
        let grants = [
            open("g-aaaaaaaaaaaa", "11:00:00"),
            open("g-bbbbbbbbbbbb", "11:00:00").end(Ending::TimeUp, now),
            // The store could not be told yet.
            open("g-cccccccccccc", "10:30:00"),
            grant("g-dddddddddddd", waiting),
            grant("g-eeeeeeeeeeee", waiting).end(Ending::Unanswered, now),
        ];
        let check = |reason: Option<&str>, expected: Option<&str>| {
            let sessions = [session(reason)];
            let ended = outlived(&sessions, &grants, now);
            assert_eq!(ended.first().map(|(_, grant)| grant.id().as_str()), expected, "{reason:?}");
        };
        check(Some("doorward g-bbbbbbbbbbbb"), Some("g-bbbbbbbbbbbb"));
        check(Some(" doorward g-bbbbbbbbbbbb\n"), Some("g-bbbbbbbbbbbb"));
        check(Some("doorward g-cccccccccccc"), Some("g-cccccccccccc"));
        // It was never open; whoever says that it was opened by it has no right to that either.
        check(Some("doorward g-eeeeeeeeeeee"), Some("g-eeeeeeeeeeee"));
        check(Some("doorward g-aaaaaaaaaaaa"), None);
        check(Some("doorward g-dddddddddddd"), None);
        // Another Doorward's, and people's own.
        check(Some("doorward g-zzzzzzzzzzzz"), None);
        check(Some("looking at what g-bbbbbbbbbbbb did"), None);
        check(Some("g-bbbbbbbbbbbb"), None);
        check(Some("doorward"), None);
        check(Some(""), None);
        check(None, None);
    }

    #[test]
    fn what_vended_credentials_started_is_ended_with_their_grant_whatever_its_reason() {
        let now: Timestamp = NOW.parse().expect("an instant");
        let grants =
            [open("g-aaaaaaaaaaaa", "11:00:00"), open("g-bbbbbbbbbbbb", "11:00:00").end(Ending::TimeUp, now)];
        let check = |owner: &str, reason: Option<&str>, expected: Option<&str>| {
            let sessions = [OpenSession { owner: Some(owner.into()), ..session(reason) }];
            let ended = outlived(&sessions, &grants, now);
            assert_eq!(ended.first().map(|(_, grant)| grant.id().as_str()), expected, "{owner} {reason:?}");
        };
        let role = "arn:aws:sts::123456789012:assumed-role/doorward-sessions";
        let over = Some("g-bbbbbbbbbbbb");
        check(&format!("{role}/g-bbbbbbbbbbbb.jon"), None, over);
        check(&format!("{role}/g-bbbbbbbbbbbb.jon"), Some("looking around"), over);
        check(&format!("{role}/g-bbbbbbbbbbbb.jon"), Some("doorward g-aaaaaaaaaaaa"), over);
        check("arn:aws-cn:sts::123456789012:assumed-role/r/g-bbbbbbbbbbbb.jon", None, over);
        // The same person's other grant is open still; but its reason may name one that is over.
        check(&format!("{role}/g-aaaaaaaaaaaa.jon"), None, None);
        check(&format!("{role}/g-aaaaaaaaaaaa.jon"), Some("doorward g-bbbbbbbbbbbb"), over);
        // Credentials of people's own, and names that only look alike.
        check(&format!("{role}/jon"), None, None);
        check(&format!("{role}/g-bbbbbbbbbbbb.jon-smith"), None, None);
        check(&format!("{role}/g-bbbbbbbbbbbb"), None, None);
        check("arn:aws:iam::123456789012:user/g-bbbbbbbbbbbb.jon", None, None);
        check("g-bbbbbbbbbbbb.jon", None, None);
        check("", None, None);
    }

    #[test]
    fn a_pattern_for_the_sessions_of_a_grant_matches_no_other_grants() {
        let name = |grant: &str, person: &str| {
            let grant = grant.parse().expect("a grant");
            vended_name(&grant, &person.parse().expect("a person"))
        };
        assert_eq!(name("g-aaaaaaaaaaaa", "jon"), "g-aaaaaaaaaaaa.jon");
        assert!(name("g-aaaaaaaaaaaa", &"я".repeat(31)).len() <= 64);
        assert!(!name("g-bbbbbbbbbbbb", "jon-smith").starts_with(&name("g-aaaaaaaaaaaa", "jon")));
    }

    #[test]
    fn every_session_of_a_grant_is_ended_and_none_without_grants() {
        let now = NOW.parse().expect("an instant");
        let over = [open("g-bbbbbbbbbbbb", "10:15:00")];
        let sessions = [
            session(Some("doorward g-bbbbbbbbbbbb")),
            session(None),
            session(Some("doorward g-bbbbbbbbbbbb")),
        ];
        assert_eq!(outlived(&sessions, &over, now).len(), 2);
        assert_eq!(outlived(&sessions, &[], now), []);
    }

    #[test]
    fn sessions_are_where_the_policy_carries() {
        let check = |sections: &str, transport: Transport, expected: Option<&str>| {
            let text = format!(
                "[people]\npasswords = \"p\"\ngroups = \"g\"\n[aws]\nregion = \"eu-west-1\"\n{sections}"
            );
            let policy = crate::policy::parse(&text, "doorward.toml").expect("a policy");
            let region = account_region(&policy, transport)
                .and_then(|account_region| account_region.region.as_deref());
            assert_eq!(region, expected, "{sections} {transport}");
        };
        let ssm = "[ssm]\njump-host = \"tag:Name=jump\"\nregion = \"eu-west-2\"\n";
        let ssh = "[ssh]\njump-host = \"tag:Name=jump\"\nuser = \"ec2-user\"\n";
        check(ssm, Transport::Ssm, Some("eu-west-2"));
        check(ssm, Transport::Ssh, None);
        check(ssm, Transport::Direct, None);
        check(ssh, Transport::Ssh, Some("eu-west-1"));
        check(&format!("{ssh}over = \"endpoint\"\n"), Transport::Ssh, None);
        check("", Transport::Ssm, None);
    }
}
