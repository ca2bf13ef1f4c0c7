//! Ended grants whose rule or session still exists, or may: the person, the source, the target, the time, the reason,
//! and the command that revokes it manually.
//!
//! It is derived only from the last observation and the store, so that a restart finds the same: an ended grant stays
//! unsettled until its rules were seen to be gone.

use std::fmt;

use doorward_core::grant::{Grant, GrantId, Life};
use doorward_core::inventory::{AccountRegion, Peer, RuleIdentity, SecurityGroupId, SecurityGroupRuleId};
use doorward_core::net::{Cidr, Family, Flow};
use doorward_core::policy::{Enforcement, FirewallName, Person, Policy, TargetName, Transport};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The rule or session of an expired grant that still exists, or may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Overdue {
    pub since: Timestamp,
    /// The grant that it was opened by, where its mark says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// The addresses that are still admitted; none of a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Cidr>,
    /// The firewall of the policy; none of a session, and of a group that the policy no longer names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall: Option<FirewallName>,
    /// Where it exists: `security group sg-… in eu-west-1`.
    pub at: String,
    /// Whether it was seen; otherwise its removal is only unconfirmed.
    pub seen: bool,
    /// Why it could not be removed.
    pub why: String,
    /// The command that revokes it manually.
    pub fix: String,
}

/// The identity of an overdue rule or session.
pub(crate) type OverdueKey = (Option<GrantId>, String, Timestamp);

impl Overdue {
    pub(crate) fn key(&self) -> OverdueKey {
        (self.grant.clone(), self.at.clone(), self.since)
    }
}

impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.person, &self.target) {
            (Some(person), Some(target)) => write!(f, "{person} to {target}")?,
            _ => f.write_str("a rule")?,
        }
        if let Some(source) = &self.source {
            write!(f, " from {source}")?;
        }
        let exists = if self.seen { "still exists" } else { "may still exist" };
        write!(
            f,
            " {exists} in {} although the grant ended at {}",
            self.at,
            self.since.strftime("%Y-%m-%d %H:%M:%S UTC")
        )
    }
}

/// A grant that has ended or expired and is not settled in the store: nobody has confirmed that its rules are gone. For a
/// process that does not reconcile.
pub fn unconfirmed(policy: &Policy, grant: &Grant, now: Timestamp) -> Option<Overdue> {
    let at = match grant.life() {
        Life::Ended { since: Some(_), at, .. } => at,
        // No server has recorded yet that its time is up.
        Life::Open { until, .. } => until,
        Life::Ended { .. } | Life::Waiting { .. } => return None,
    };
    if now.duration_since(*at) < UNCONFIRMED || may_have_sessions(grant) {
        return None;
    }
    let target = policy.targets.get(grant.target())?;
    let firewall = policy.firewalls.get(target.firewall.as_ref()?)?;
    let (account_region, fix) = match &firewall.kind {
        Enforcement::SecurityGroup { group, at, .. } => {
            let opened =
                target.ports.iter().map(|flow| (RuleIdentity::admitting(*flow, grant.source()), None));
            (in_group(group, at), revoke(at, group, &opened.collect::<Rules>()))
        }
        Enforcement::Nftables { .. } | Enforcement::Relay { .. } => return None,
    };
    let why = "no server has confirmed that its rule is removed; `doorward serve` does, and `doorward sweep` removes expired rules";
    let firewall = Some(firewall.name.clone());
    Some(Overdue { firewall, at: account_region, why: why.into(), fix, ..overdue(grant, *at) })
}

/// How long a server may take to confirm an end before somebody who reads only its store is told.
const UNCONFIRMED: SignedDuration = SignedDuration::from_secs(60);

pub(crate) fn overdue(grant: &Grant, since: Timestamp) -> Overdue {
    Overdue {
        since,
        grant: Some(grant.id().clone()),
        person: Some(grant.person().clone()),
        target: Some(grant.target().clone()),
        source: Some(grant.source()),
        firewall: None,
        at: String::new(),
        seen: false,
        why: String::new(),
        fix: String::new(),
    }
}

/// Whether a grant is of those that open no port, but may have sessions.
pub(crate) fn may_have_sessions(grant: &Grant) -> bool {
    matches!(grant.transport(), Transport::Ssm | Transport::Ssh)
}

/// Rules, each with its id where that is known.
pub(crate) type Rules = Vec<(RuleIdentity, Option<SecurityGroupRuleId>)>;

pub(crate) fn in_group(group: &SecurityGroupId, account_region: &AccountRegion) -> String {
    format!("security group {group} in {account_region}")
}

/// The options of the AWS CLI that name an account and Region.
fn options(account_region: &AccountRegion) -> String {
    let mut options = String::new();
    for (name, value) in [("profile", &account_region.profile), ("region", &account_region.region)] {
        if let Some(value) = value {
            options.push_str(&format!(" --{name} {}", quoted(value)));
        }
    }
    options
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@+=".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The command of the AWS CLI that revokes rules: by their ids, or by what they admit where an id is not known.
pub(crate) fn revoke(account_region: &AccountRegion, group: &SecurityGroupId, rules: &Rules) -> String {
    let command =
        format!("aws ec2 revoke-security-group-ingress{} --group-id {group}", options(account_region));
    let ids: Option<Vec<&str>> =
        rules.iter().map(|(_, id)| id.as_ref().map(SecurityGroupRuleId::as_str)).collect();
    if let Some(ids) = ids {
        return format!("{command} --security-group-rule-ids {}", ids.join(" "));
    }
    let permissions: Vec<String> = rules.iter().filter_map(|(rule, _)| permission(rule)).collect();
    format!("{command} --ip-permissions {}", permissions.join(" "))
}

/// A rule in the shorthand of the AWS CLI.
fn permission(rule: &RuleIdentity) -> Option<String> {
    let Peer::Cidr(peer) = &rule.peer else { return None };
    let (protocol, ports) = match rule.flow {
        Flow::All => ("-1".to_owned(), None),
        Flow::Tcp(ports) => ("tcp".to_owned(), Some((i32::from(ports.from()), i32::from(ports.to())))),
        Flow::Udp(ports) => ("udp".to_owned(), Some((i32::from(ports.from()), i32::from(ports.to())))),
        // Types and codes stand where ports do; the AWS CLI takes -1 for all of them.
        Flow::Icmp(_) => ("icmp".to_owned(), Some((-1, -1))),
        Flow::Icmpv6(_) => ("icmpv6".to_owned(), Some((-1, -1))),
        Flow::Protocol(number) => (number.to_string(), None),
    };
    let ports = ports.map_or(String::new(), |(from, to)| format!(",FromPort={from},ToPort={to}"));
    let peer = match peer.family() {
        Family::V4 => format!("IpRanges=[{{CidrIp={peer}}}]"),
        Family::V6 => format!("Ipv6Ranges=[{{CidrIpv6={peer}}}]"),
    };
    Some(format!("'IpProtocol={protocol}{ports},{peer}'"))
}

/// The commands that end sessions; where they are not known, the one that lists them.
pub(crate) fn end_sessions(account_region: &AccountRegion, sessions: &[String]) -> String {
    let options = options(account_region);
    if sessions.is_empty() {
        return format!(
            "aws ssm describe-sessions{options} --state Active, then aws ssm terminate-session{options} --session-id ID"
        );
    }
    let end =
        |session: &String| format!("aws ssm terminate-session{options} --session-id {}", quoted(session));
    sessions.iter().map(end).collect::<Vec<_>>().join("; ")
}
