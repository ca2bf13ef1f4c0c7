//! Finds what is overdue in the last observation.
//!
//! It uses only the last observation and the store, so that a restart finds the same: an ended grant stays unsettled
//! until its rules were seen to be gone.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::firewall::nftables::Table;
use doorward_core::firewall::{Because, InstallationId, Mark};
use doorward_core::grant::{Ending, Grant, GrantId, Life};
use doorward_core::inventory::{
    AccountRegion, ExistingRule, Inventory, Peer, RuleIdentity, SecurityGroupId, Seen,
};
use doorward_core::policy::{Enforcement, Firewall, FirewallName, Policy, Target};
use jiff::{SignedDuration, Timestamp};

use super::groups::Known;
use super::sessions::Sessions;
use crate::overdue::{Overdue, Rules, end_sessions, in_group, may_have_sessions, overdue, revoke};

/// How long a removal may take before it counts as overdue: AWS answers within a second as a rule.
const GRACE: SignedDuration = SignedDuration::from_secs(5);

/// What it takes to tell what is overdue.
pub(super) struct Looking<'a> {
    pub policy: &'a Policy,
    pub grants: &'a [Grant],
    pub known: &'a BTreeMap<AccountRegion, Known>,
    pub failing: &'a BTreeMap<FirewallName, String>,
    pub sessions: &'a Sessions,
    pub by: &'a InstallationId,
    pub now: Timestamp,
}

impl Looking<'_> {
    /// All that is overdue, the longest first.
    pub fn overdue(&self) -> Vec<Overdue> {
        let mut found: Vec<Overdue> = self.grants.iter().filter_map(|grant| self.of_grant(grant)).collect();
        found.extend(self.rules_without_grant());
        found.sort();
        found
    }

    fn is_late(&self, since: Timestamp) -> bool {
        self.now.duration_since(since) >= GRACE
    }

    fn of_grant(&self, grant: &Grant) -> Option<Overdue> {
        let Life::Ended { since: Some(_), at, how, .. } = grant.life() else { return None };
        if !self.is_late(*at) {
            return None;
        }
        let target = self.policy.targets.get(grant.target());
        if may_have_sessions(grant) {
            let (account_region, why, sessions) = self.sessions.failing(grant.id())?;
            return Some(Overdue {
                source: None,
                at: format!("Session Manager in {account_region}"),
                seen: !sessions.is_empty(),
                why: why.to_owned(),
                fix: end_sessions(account_region, &sessions),
                ..overdue(grant, *at)
            });
        }
        let target = target?;
        let firewall = self.policy.firewalls.get(target.firewall.as_ref()?)?;
        let why = || self.failing.get(&firewall.name).cloned();
        let (at_place, seen, why, fix) = match &firewall.kind {
            Enforcement::SecurityGroup { group, at, .. } => {
                let (seen, gap, rules) = self.existing(grant, target, group, at)?;
                let why = why().or(gap).unwrap_or_else(|| "AWS has not answered yet".into());
                (in_group(group, at), seen, why, revoke(at, group, &rules))
            }
            // The kernel has dropped the element by its own clock; one that was closed early lives on until then.
            Enforcement::Nftables { .. } if *how == Ending::TimeUp => return None,
            Enforcement::Nftables { table } => (
                format!("the table {table} of this machine"),
                false,
                why()?,
                by_hand(firewall, target, grant, self.by)?,
            ),
            // A relay lives in this process: what cannot be brought up admits nobody.
            Enforcement::Relay { .. } => return None,
        };
        Some(Overdue {
            firewall: Some(firewall.name.clone()),
            at: at_place,
            seen,
            why,
            fix,
            ..overdue(grant, *at)
        })
    }

    /// The rules of a grant that stand in a group or may stand there, whether they were seen, and why it could not be
    /// read; none when it is known that there are none.
    fn existing(
        &self,
        grant: &Grant,
        target: &Target,
        group: &SecurityGroupId,
        at: &AccountRegion,
    ) -> Option<(bool, Option<String>, Rules)> {
        let wanted = |rule: &RuleIdentity| self.is_wanted(target, rule);
        let opened = || target.ports.iter().map(|flow| RuleIdentity::admitting(*flow, grant.source()));
        let known = self.known.get(at);
        let ids = |inventory: &Inventory| {
            let rules = inventory.groups.get(group).map(|group| &group.rules)?;
            // Where somebody edited the description, what the rule admits says whose it is.
            let edited = |rule: &RuleIdentity, existing: &ExistingRule| {
                existing.description.parse::<Mark>().is_err() && opened().any(|opened| opened == *rule)
            };
            let of_grant = |(rule, existing): &(&RuleIdentity, &ExistingRule)| {
                inventory.made_by(existing, self.by)
                    && (is_of(existing, grant.id()) || edited(rule, existing))
            };
            Some(
                rules
                    .iter()
                    .filter(of_grant)
                    .map(|(rule, existing)| (rule.clone(), existing.id.clone()))
                    .collect(),
            )
        };
        let (seen, gap, rules): (bool, Option<String>, Rules) = match known
            .map(|known| (known, known.inventory.group(group)))
        {
            Some((known, Seen::There(_))) => (true, None, ids(&known.inventory)?),
            Some((_, Seen::Gone)) => return None,
            Some((known, Seen::Unseen(gap))) => match ids(&known.inventory) {
                Some(rules) => (false, Some(gap.to_string()), rules),
                None => {
                    let closed = known.closed.get(group);
                    let left = opened().filter(|rule| !closed.is_some_and(|closed| closed.contains(rule)));
                    (false, Some(gap.to_string()), left.map(|rule| (rule, None)).collect())
                }
            },
            None => (false, None, opened().map(|rule| (rule, None)).collect()),
        };
        // What another grant or a static line wants as well is not overdue.
        let rules: Rules = rules.into_iter().filter(|(rule, _)| !wanted(rule)).collect();
        (!rules.is_empty()).then_some((seen, gap, rules))
    }

    /// Whether a live grant or the static list of the target's firewall still wants a rule.
    fn is_wanted(&self, target: &Target, rule: &RuleIdentity) -> bool {
        let Peer::Cidr(peer) = &rule.peer else { return false };
        let is_static = target
            .firewall
            .as_ref()
            .and_then(|name| self.policy.firewalls.get(name))
            .is_some_and(|firewall| firewall.statics.contains(peer));
        let same = |grant: &&Grant| {
            let its = self.policy.targets.get(grant.target());
            grant.source() == *peer
                && its.is_some_and(|its| its.firewall == target.firewall && its.ports.contains(&rule.flow))
        };
        is_static || self.grants.iter().filter(same).any(|grant| grant.live(self.now).is_some())
    }

    /// Our rules that have expired by their mark, of grants that are not reported already.
    fn rules_without_grant(&self) -> Vec<Overdue> {
        let known: BTreeSet<&GrantId> = self.grants.iter().map(Grant::id).collect();
        let mut found: BTreeMap<(GrantId, SecurityGroupId), (Overdue, AccountRegion, Rules)> =
            BTreeMap::new();
        for (account_region, at) in self.known {
            for (id, group) in &at.inventory.groups {
                for (rule, existing) in &group.rules {
                    if !existing.made_by(self.by) {
                        continue;
                    }
                    let Ok(Mark {
                        because: Because::Grant { id: grant, person, target },
                        until: Some(until),
                        ..
                    }) = existing.description.parse::<Mark>()
                    else {
                        continue;
                    };
                    if known.contains(&grant) || !self.is_late(until) {
                        continue;
                    }
                    let firewall = self.policy.firewalls.values().find(|firewall| {
                        matches!(&firewall.kind, Enforcement::SecurityGroup { group, .. } if group == id)
                    });
                    let why = firewall.and_then(|firewall| self.failing.get(&firewall.name)).cloned();
                    let one = || Overdue {
                        since: until,
                        grant: Some(grant.clone()),
                        person: Some(person.clone()),
                        target: Some(target.clone()),
                        source: match &rule.peer {
                            Peer::Cidr(peer) => Some(*peer),
                            Peer::Group(_) | Peer::PrefixList(_) => None,
                        },
                        firewall: firewall.map(|firewall| firewall.name.clone()),
                        at: in_group(id, account_region),
                        seen: matches!(at.inventory.group(id), Seen::There(_)),
                        why: why.unwrap_or_else(|| {
                            "it could not be removed; the server's log has the cause".into()
                        }),
                        fix: String::new(),
                    };
                    let entry = found.entry((grant.clone(), id.clone()));
                    let (.., rules) = entry.or_insert_with(|| (one(), account_region.clone(), Vec::new()));
                    rules.push((rule.clone(), existing.id.clone()));
                }
            }
        }
        let closed = |((_, group), (overdue, account_region, rules)): (
            (_, SecurityGroupId),
            (Overdue, AccountRegion, Rules),
        )| { Overdue { fix: revoke(&account_region, &group, &rules), ..overdue } };
        found.into_iter().map(closed).collect()
    }
}

fn is_of(existing: &ExistingRule, grant: &GrantId) -> bool {
    matches!(
        existing.description.parse::<Mark>(),
        Ok(Mark { because: Because::Grant { id, .. }, .. }) if id == *grant
    )
}

fn by_hand(firewall: &Firewall, target: &Target, grant: &Grant, by: &InstallationId) -> Option<String> {
    let table = Table::new(firewall, [target], by, |_| false).ok()?;
    Some(table.manual_removal(firewall, target, grant.source()).join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
[people]
passwords = "p"
groups    = "g"

[aws]
region = "eu-west-1"

[firewall.clients]
about          = "clients"
security-group = "sg-0a1b2c3d"

[firewall.table]
about    = "table"
nftables = "inet doorward"

[target.orders-db]
about      = "orders"
address    = "10.0.0.1"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "clients"

[target.wiki]
about      = "wiki"
address    = "10.0.0.2"
ports      = ["tcp/443", "tcp/80"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "table"
"#;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn ended(target: &str, source: &str, how: serde_json::Value) -> Grant {
        let mut grant = serde_json::json!({
            "id": "g-aaaaaaaaaaaa", "person": "jon", "target": target, "transport": "direct", "source": source,
            "reason": null, "life": "ended", "since": "2026-11-22T08:00:00Z", "at": "2026-11-22T10:00:00Z",
        });
        grant["how"] = how;
        serde_json::from_value(grant).expect("a grant")
    }

    fn found(grant: Grant, failing: &[&str], now: &str) -> Vec<Overdue> {
        let policy = doorward_core::policy::parse(POLICY, "doorward.toml").expect("a policy");
        let failing = failing.iter().map(|name| (name.parse().expect("a name"), "no".to_owned())).collect();
        let looking = Looking {
            policy: &policy,
            grants: &[grant],
            known: &BTreeMap::new(),
            failing: &failing,
            sessions: &Sessions::default(),
            by: &InstallationId::from_random([1; 4]),
            now: at(now),
        };
        looking.overdue()
    }

    fn closed() -> serde_json::Value {
        serde_json::json!({ "ending": "closed", "by": "maria" })
    }

    #[test]
    fn a_group_that_was_never_read_since_may_hold_the_rule() {
        let grant = || ended("orders-db", "203.0.113.7/32", closed());
        let one = found(grant(), &["clients"], "2026-11-22T10:00:05Z").remove(0);
        assert_eq!((one.seen, one.why.as_str()), (false, "no"));
        assert_eq!(
            one.fix,
            "aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0a1b2c3d --ip-permissions \
             'IpProtocol=tcp,FromPort=5432,ToPort=5432,IpRanges=[{CidrIp=203.0.113.7/32}]'"
        );
        assert_eq!(
            one.to_string(),
            "jon to orders-db from 203.0.113.7/32 may still exist in security group sg-0a1b2c3d in eu-west-1 although the \
             grant ended at 2026-11-22 10:00:00 UTC"
        );
        assert_eq!(found(grant(), &["clients"], "2026-11-22T10:00:04Z"), [], "a removal takes a moment");
    }

    #[test]
    fn an_element_of_nftables_that_was_closed_early_is_told_and_one_whose_time_was_up_is_gone() {
        let now = "2026-11-22T10:01:00Z";
        let one = found(ended("wiki", "2001:db8::/64", closed()), &["table"], now).remove(0);
        assert_eq!(
            one.fix,
            "nft delete element inet doorward tcp_80_at_10.0.0.2.v6.64 '{ 2001:db8:: }'; \
             nft delete element inet doorward tcp_443_at_10.0.0.2.v6.64 '{ 2001:db8:: }'"
        );
        let up = serde_json::json!({ "ending": "time-up" });
        assert_eq!(found(ended("wiki", "203.0.113.7/32", up), &["table"], now), []);
        assert_eq!(found(ended("wiki", "203.0.113.7/32", closed()), &[], now), [], "the table is in sync");
    }
}
