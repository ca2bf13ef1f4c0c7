//! Sessions of Session Manager beside the grants that they carry: where they are, and which have outlived their grant.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::audit::cloudtrail::reason;
use crate::grant::{Grant, Life};
use crate::inventory::Place;
use crate::policy::{Over, Policy, Transport};

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

/// The place that the sessions of a grant by this way are opened in; none where it needs no session.
pub fn place(policy: &Policy, transport: Transport) -> Option<&Place> {
    match transport {
        Transport::Ssm => policy.ssm.as_ref().map(|ssm| &ssm.at),
        Transport::Ssh => policy.ssh.as_ref().filter(|ssh| ssh.over == Over::Ssm).map(|ssh| &ssh.at),
        Transport::Direct | Transport::Wireguard => None,
    }
}

/// The sessions that bear a grant which is over, each with that grant.
///
/// A session is ours by its whole reason, and only where it names one of these grants: what somebody else started,
/// another Doorward's, and what mentions a grant in a sentence are left alone. So is one whose grant waits for
/// somebody's answer, which nobody can have opened for it.
pub fn outlived<'a>(
    sessions: &'a [OpenSession],
    grants: &'a [Grant],
    now: Timestamp,
) -> Vec<(&'a OpenSession, &'a Grant)> {
    let over: BTreeMap<String, &Grant> = grants
        .iter()
        .filter(|grant| !matches!(grant.life(), Life::Waiting { .. }) && grant.live(now).is_none())
        .map(|grant| (reason(grant.id()), grant))
        .collect();
    let outlived = |session: &'a OpenSession| Some((session, *over.get(session.reason.as_deref()?.trim())?));
    sessions.iter().filter_map(outlived).collect()
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
            let region = place(&policy, transport).and_then(|place| place.region.as_deref());
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
