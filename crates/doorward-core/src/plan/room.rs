//! Whether a security group has room for the rules that are wanted.

use std::collections::BTreeMap;

use super::wanted;
use crate::firewall::{InstallationId, Ruleset};
use crate::inventory::{Cause, Direction, Inventory, SecurityGroup, SecurityGroupId, Seen};
use crate::net::Family;

/// Why a group has no room for a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The quota is used up.
    #[error(
        "security group {group} would have {would} inbound {family} rules of the {quota} that quota L-0EA8095F (rules per security group) allows"
    )]
    Quota {
        group: SecurityGroupId,
        family: Family,
        /// How many it would have.
        would: u32,
        /// How many it may have.
        quota: u32,
    },
    /// The group is not there.
    #[error("security group {group} does not exist in {account_region}")]
    Gone {
        group: SecurityGroupId,
        /// Where it was looked for.
        account_region: crate::inventory::AccountRegion,
    },
    /// The group could not be seen.
    #[error("security group {group} could not be read: {why}")]
    Unseen {
        group: SecurityGroupId,
        /// What kind of failure that was.
        cause: Cause,
        why: String,
    },
    /// The group is elsewhere than the policy says.
    #[error("security group {group} is in {actual}, but the policy says {policy}")]
    WrongVpc {
        group: SecurityGroupId,
        /// Where it is.
        actual: String,
        /// Where it should be.
        policy: crate::inventory::VpcId,
    },
}

/// Whether a group can hold a wanted ruleset beside what is in it and is not ours.
pub fn room(
    actual: &Inventory,
    firewall: &crate::policy::Firewall,
    ruleset: &Ruleset,
    by: &InstallationId,
) -> Result<(), NoRoom> {
    let crate::policy::Enforcement::SecurityGroup { group: id, at, vpc } = &firewall.kind else {
        return Ok(());
    };
    let is = match actual.group(id) {
        Seen::There(group) => group,
        Seen::Gone => return Err(NoRoom::Gone { group: id.clone(), account_region: at.clone() }),
        Seen::Unseen(gap) => {
            return Err(NoRoom::Unseen { group: id.clone(), cause: gap.cause(), why: gap.to_string() });
        }
    };
    if let Some(policy) = vpc.as_ref().filter(|vpc| is.vpc.as_ref() != Some(vpc)) {
        let actual = is.vpc.as_ref().map_or_else(|| "no VPC".to_owned(), ToString::to_string);
        return Err(NoRoom::WrongVpc { group: id.clone(), actual, policy: policy.clone() });
    }
    let rulesets = BTreeMap::from([(id.clone(), ruleset.clone())]);
    let quota = actual.quota(&is.account_region);
    let should = wanted(actual, &rulesets, by);
    for family in [Family::V4, Family::V6] {
        let count = |group: &SecurityGroup| group.weight(Direction::In, family, &actual.prefix_list_weights);
        let would = should.groups.get(id).map_or(0, count);
        // A group that is over its quota already may still lose rules.
        if would > quota && would > count(is) {
            return Err(NoRoom::Quota { group: id.clone(), family, would, quota });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::laws::{firewall, installation, target};
    use super::*;
    use crate::firewall::Rule;
    use crate::inventory::{AccountRegion, Call, ExistingRule, Gap, Peer, RuleIdentity, Tags};
    use crate::net::{Cidr, Flow};
    use crate::policy::Enforcement;

    const GROUP: &str = "sg-0a";

    fn clients(family: Family, count: usize) -> Vec<Cidr> {
        let text = |last: usize| match family {
            Family::V4 => format!("203.0.113.{last}"),
            Family::V6 => format!("2001:db8::{last:x}"),
        };
        (1..=count).map(|last| text(last).parse().expect("an address")).collect()
    }

    fn flow(text: &str) -> Flow {
        text.parse().expect("a flow")
    }

    /// A group with foreign rules, of a quota of four.
    fn account(foreign: Vec<RuleIdentity>) -> Inventory {
        let id: SecurityGroupId = GROUP.parse().expect("a group");
        let group = SecurityGroup {
            id: id.clone(),
            account_region: AccountRegion::default(),
            owner: None,
            vpc: Some("vpc-0a".parse().expect("a VPC")),
            name: "clients".into(),
            about: String::new(),
            tags: Tags::new(),
            rules: foreign.into_iter().map(|rule| (rule, ExistingRule::default())).collect(),
        };
        Inventory {
            groups: BTreeMap::from([(id, group)]),
            rules_per_group: BTreeMap::from([(AccountRegion::default(), 4)]),
            ..Inventory::default()
        }
    }

    fn foreign(sources: Vec<Cidr>) -> Vec<RuleIdentity> {
        let flow = flow("tcp/3306");
        sources.into_iter().map(|source| RuleIdentity::admitting(flow, source)).collect()
    }

    /// Whether there is room for rules from some addresses.
    fn asked(actual: &Inventory, sources: Vec<Cidr>) -> Result<(), NoRoom> {
        let firewall = firewall(GROUP, sources);
        let target = target([flow("tcp/5432")]);
        let rules: Ruleset = Rule::statics(&firewall, [&target]).collect();
        room(actual, &firewall, &rules, &installation(1))
    }

    #[test]
    fn a_group_holds_as_many_rules_of_each_family_as_its_quota_says() {
        for family in [Family::V4, Family::V6] {
            let check = |foreign_rules: usize, wanted: usize, expected: Option<u32>| {
                let actual = account(foreign(clients(family, foreign_rules)));
                let would = match asked(&actual, clients(family, wanted)) {
                    Ok(()) => None,
                    Err(NoRoom::Quota { family: full, would, quota: 4, .. }) if full == family => Some(would),
                    Err(other) => panic!("{other}"),
                };
                assert_eq!(would, expected, "{foreign_rules} and {wanted}");
            };
            check(0, 4, None);
            check(3, 1, None);
            check(0, 5, Some(5));
            check(3, 2, Some(5));
            check(4, 0, None);
        }
        // The rules of one family take no room of the other.
        let actual = account(foreign(clients(Family::V4, 4)));
        assert_eq!(asked(&actual, clients(Family::V6, 4)), Ok(()));
    }

    /// The quota can be lowered below what a group has; EC2 leaves its rules, and removing some has to stay possible.
    #[test]
    fn a_group_beyond_its_quota_may_keep_and_lose_rules() {
        let actual = account(foreign(clients(Family::V4, 6)));
        assert_eq!(asked(&actual, Vec::new()), Ok(()));
        assert!(matches!(asked(&actual, clients(Family::V4, 1)), Err(NoRoom::Quota { would: 7, .. })));
    }

    /// VPC user guide, "Security group rules": a prefix list counts as its maximum number of entries.
    #[test]
    fn outbound_rules_take_no_room_and_prefix_lists_take_that_of_their_entries() {
        let list = |direction| RuleIdentity {
            direction,
            flow: flow("tcp/443"),
            peer: Peer::PrefixList("pl-0a".parse().expect("a prefix list")),
        };
        let weighed = |direction| Inventory {
            prefix_list_weights: BTreeMap::from([("pl-0a".parse().expect("a prefix list"), 4)]),
            ..account(vec![list(direction)])
        };
        assert_eq!(asked(&weighed(Direction::Out), clients(Family::V4, 4)), Ok(()));
        assert!(matches!(
            asked(&weighed(Direction::In), clients(Family::V4, 1)),
            Err(NoRoom::Quota { would: 5, .. })
        ));
    }

    #[test]
    fn a_group_elsewhere_gone_or_unseen_has_no_room() {
        let actual = account(Vec::new());
        let id: SecurityGroupId = GROUP.parse().expect("a group");
        let in_vpc = |vpc: &str| {
            let mut firewall = firewall(GROUP, Vec::new());
            let at = AccountRegion::default();
            let vpc = Some(vpc.parse().expect("a VPC"));
            firewall.kind = Enforcement::SecurityGroup { group: id.clone(), at, vpc };
            firewall
        };
        let asked = |actual: &Inventory, firewall: &crate::policy::Firewall| {
            room(actual, firewall, &Ruleset::default(), &installation(1))
        };
        assert_eq!(asked(&actual, &in_vpc("vpc-0a")), Ok(()));
        let elsewhere = asked(&actual, &in_vpc("vpc-0b")).expect_err("another VPC");
        assert_eq!(elsewhere.to_string(), "security group sg-0a is in vpc-0a, but the policy says vpc-0b");
        let gone = asked(&Inventory::default(), &in_vpc("vpc-0a")).expect_err("no group");
        assert!(matches!(gone, NoRoom::Gone { .. }), "{gone}");
        // This machine's own firewall has no quota.
        let local = crate::policy::Firewall {
            kind: Enforcement::Nftables { table: "doorward".into() },
            ..in_vpc("vpc-0a")
        };
        assert_eq!(asked(&Inventory::default(), &local), Ok(()));
        let gap = Gap {
            groups: vec![id.clone()],
            ..Gap::of(Call::SecurityGroups, &AccountRegion::default(), "denied")
        };
        let unseen = Inventory { gaps: vec![gap], ..Inventory::default() };
        let unseen = asked(&unseen, &in_vpc("vpc-0a")).expect_err("not seen");
        assert!(matches!(unseen, NoRoom::Unseen { .. }), "{unseen}");
    }
}
