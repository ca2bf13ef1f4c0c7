//! The laws that every plan keeps, tried on random accounts and random wishes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::firewall::{Because, InstallationId, Mark, Rule, Ruleset};
use crate::grant::{Grant, GrantId, Life};
use crate::inventory::{
    AccountRegion, Direction, ExistingRule, Inventory, Peer, PrefixListId, RULES_PER_GROUP, RuleIdentity,
    SecurityGroup, SecurityGroupId, SecurityGroupRuleId,
};
use crate::net::{Cidr, Family, Flow};
use crate::policy::{
    Address, Enforcement, Firewall, FirewallName, Lasts, Person, Target, TargetName, Transport,
};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
const GROUPS: [&str; 3] = ["sg-0a", "sg-0b", "sg-0c"];

pub(super) fn installation(number: u8) -> InstallationId {
    InstallationId::from_random([number; 4])
}

pub(super) fn target(ports: impl IntoIterator<Item = Flow>) -> Target {
    Target {
        name: "orders-db".parse().expect("a target"),
        about: String::new(),
        address: Address::Host("db".into()),
        names: None,
        ports: ports.into_iter().collect(),
        groups: BTreeSet::new(),
        transports: BTreeSet::from([Transport::Direct]),
        firewall: Some("clients".parse().expect("a firewall")),
        lasts: Lasts { usually: SignedDuration::from_hours(2), at_most: SignedDuration::from_hours(8) },
        approval: None,
        reason_required: false,
        limit: None,
    }
}

pub(super) fn firewall(group: &str, statics: Vec<Cidr>) -> Firewall {
    Firewall {
        name: "clients".parse().expect("a firewall"),
        about: String::new(),
        kind: Enforcement::SecurityGroup {
            group: group.parse().expect("a group"),
            at: AccountRegion::default(),
            vpc: None,
        },
        statics,
    }
}

fn flow() -> impl Strategy<Value = Flow> {
    prop::sample::select(vec!["tcp/5432", "tcp/3306", "udp/53", "all"])
        .prop_map(|text| text.parse().expect("a flow"))
}

fn cidr() -> impl Strategy<Value = Cidr> {
    (0..24_u8, any::<bool>()).prop_map(|(last, v6)| {
        let text = if v6 { format!("2001:db8::{last:x}") } else { format!("203.0.113.{last}") };
        text.parse().expect("a prefix")
    })
}

fn peer() -> impl Strategy<Value = Peer> {
    prop_oneof![
        8 => cidr().prop_map(Peer::Cidr),
        1 => Just(Peer::Group("sg-0f".parse().expect("a group"))),
        1 => Just(Peer::PrefixList("pl-01".parse().expect("a prefix list"))),
    ]
}

/// What a grant's rule admits, and until how many seconds from now.
fn wish() -> impl Strategy<Value = (Flow, Cidr, i64)> {
    (flow(), cidr(), 1..10_000_i64)
}

fn granted((flow, source, seconds): &(Flow, Cidr, i64)) -> Vec<Rule> {
    let until = NOW + SignedDuration::from_secs(*seconds);
    let grant = Grant::mint(
        GrantId::from_random([7; 8]),
        "jon".parse::<Person>().expect("a person"),
        "orders-db".parse::<TargetName>().expect("a target"),
        Transport::Direct,
        *source,
        None,
        Life::Open { since: NOW, until, approved_by: None, approved_at: None },
    );
    let target = target([*flow]);
    grant.live(NOW).into_iter().flat_map(|live| live.rules(&target).collect::<Vec<_>>()).collect()
}

fn ruleset() -> impl Strategy<Value = Ruleset> {
    (prop::collection::vec(wish(), 0..20), prop::collection::vec(cidr(), 0..4)).prop_map(
        |(wishes, statics)| {
            let firewall = firewall("sg-0a", statics);
            let target = target(["tcp/5432".parse().expect("a flow")]);
            let statics = Rule::statics(&firewall, [&target]).collect::<Vec<_>>();
            wishes.iter().flat_map(granted).chain(statics).collect()
        },
    )
}

fn rulesets() -> impl Strategy<Value = BTreeMap<SecurityGroupId, Ruleset>> {
    prop::collection::vec(prop::option::of(ruleset()), GROUPS.len()).prop_map(|sets| {
        let ids = GROUPS.iter().map(|id| id.parse().expect("a group"));
        ids.zip(sets).filter_map(|(id, set)| Some((id, set?))).collect()
    })
}

/// A rule as one may meet it: foreign, marked by us or another, past its end or not, with its tag or without.
fn existing() -> impl Strategy<Value = (String, Option<String>)> {
    let mark = (1..3_u8, prop::option::of(-5_000..5_000_i64)).prop_map(|(by, end)| {
        let because = match end {
            Some(_) => Because::Grant {
                id: GrantId::from_random([9; 8]),
                person: "maria".parse().expect("a person"),
                target: "orders-db".parse().expect("a target"),
            },
            None => Because::Static { firewall: "clients".parse::<FirewallName>().expect("a firewall") },
        };
        let until = end.map(|seconds| NOW + SignedDuration::from_secs(seconds));
        Mark::new(installation(by), because, until).to_string()
    });
    let declared = (1..3_u8).prop_map(|by| {
        let because = Because::Role { role: "db".parse().expect("a role") };
        Mark::new(installation(by), because, None).to_string()
    });
    let description =
        prop_oneof![3 => mark, 1 => declared, 1 => Just("the office".to_owned()), 1 => Just(String::new())];
    let tag = prop_oneof![
        Just(None),
        (1..3_u8).prop_map(|by| Some(installation(by).to_string())),
        Just(Some("somebody else's".to_owned())),
    ];
    (description, tag)
}

fn account(most: usize) -> impl Strategy<Value = Inventory> {
    let way = prop_oneof![9 => Just(Direction::In), 1 => Just(Direction::Out)];
    let rule = (way, flow(), peer(), existing());
    let group = prop::collection::vec(rule, 0..most);
    (prop::collection::vec(group, GROUPS.len()), prop::option::of(4..40_u32)).prop_map(|(groups, quota)| {
        let mut next = 0;
        let groups = GROUPS.iter().zip(groups).map(|(id, rules)| {
            let id: SecurityGroupId = id.parse().expect("a group");
            let rules = rules.into_iter().map(|(direction, flow, peer, (description, tag))| {
                next += 1;
                let rule = ExistingRule { id: Some(name(next)), description, tag };
                (RuleIdentity { direction, flow, peer }, rule)
            });
            let group = SecurityGroup {
                id: id.clone(),
                account_region: AccountRegion::default(),
                owner: None,
                vpc: None,
                name: "clients".into(),
                about: String::new(),
                tags: Default::default(),
                rules: rules.collect(),
            };
            (id, group)
        });
        Inventory {
            groups: groups.collect(),
            prefix_list_weights: BTreeMap::from([("pl-01".parse::<PrefixListId>().expect("a list"), 3)]),
            rules_per_group: quota.map(|quota| (AccountRegion::default(), quota)).into_iter().collect(),
            ..Inventory::default()
        }
    })
}

fn name(number: u32) -> SecurityGroupRuleId {
    format!("sgr-{number:08x}").parse().expect("a rule's id")
}

fn perform_all(inventory: &mut Inventory, steps: &[Step]) -> Result<(), NotPerformed> {
    let mut next = 1_000_000;
    steps.iter().try_for_each(|step| {
        perform(inventory, step, || {
            next += 1;
            name(next)
        })
    })
}

fn without_ids(inventory: &Inventory) -> Inventory {
    let mut inventory = inventory.clone();
    for rule in inventory.groups.values_mut().flat_map(|group| group.rules.values_mut()) {
        rule.id = None;
    }
    inventory
}

/// With a quota that nothing reaches.
fn roomy(mut inventory: Inventory) -> Inventory {
    inventory.rules_per_group = BTreeMap::from([(AccountRegion::default(), 10_000)]);
    inventory
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(account in account(30), sets in rulesets()) {
        let by = installation(1);
        prop_assert!(difference(&account, &account, &by).is_empty());
        let wanted = wanted(&account, &sets, &by);
        prop_assert!(difference(&wanted, &wanted, &by).is_empty());
    }

    #[test]
    fn a_plan_performed_gives_what_was_wanted(account in account(30), sets in rulesets()) {
        let by = installation(1);
        let mut account = roomy(account);
        let wanted = wanted(&account, &sets, &by);
        let plan = difference(&account, &wanted, &by);
        let steps = plan.for_account(account.digest()).expect("nothing moved");
        perform_all(&mut account, &steps).expect("every step can be performed");
        prop_assert_eq!(without_ids(&account), without_ids(&wanted));
        prop_assert!(difference(&account, &wanted, &by).is_empty());
    }

    #[test]
    fn what_is_not_ours_is_never_touched(account in account(30), sets in rulesets()) {
        let by = installation(1);
        let before = roomy(account);
        let mut after = before.clone();
        let plan = difference(&before, &wanted(&before, &sets, &by), &by);
        perform_all(&mut after, plan.steps()).expect("every step can be performed");
        for (id, group) in &before.groups {
            for (identity, rule) in &group.rules {
                let declared = rule.description.parse::<Mark>().is_ok_and(|mark| mark.because.is_declared());
                if identity.direction == Direction::Out || declared || rule.owned(&by).is_none() {
                    prop_assert_eq!(after.groups[id].rules.get(identity), Some(rule));
                }
            }
        }
    }

    /// Whatever is written on a rule whose id is noted, it is brought to what is wanted; and a sweep, which knows no ids,
    /// leaves it.
    #[test]
    fn a_rule_that_is_noted_is_ours_whatever_it_says(account in account(30), sets in rulesets()) {
        let by = installation(1);
        let mut account = roomy(account);
        let inward = |group: &SecurityGroup| -> Vec<SecurityGroupRuleId> {
            let rules = group.rules.iter().filter(|(identity, _)| identity.direction == Direction::In);
            rules.filter_map(|(_, rule)| rule.id.clone()).collect()
        };
        account.noted = account.groups.values().flat_map(inward).collect();
        let wanted = wanted(&account, &sets, &by);
        let plan = difference(&account, &wanted, &by);
        perform_all(&mut account, plan.steps()).expect("every step can be performed");
        for (id, set) in &sets {
            let wished: BTreeSet<RuleIdentity> =
                set.iter().map(|rule| RuleIdentity::admitting(rule.flow(), rule.peer())).collect();
            let stands = account.groups[id].rules.iter().filter(|(rule, _)| rule.direction == Direction::In);
            for (identity, rule) in stands {
                prop_assert!(wished.contains(identity), "{} stands", identity);
                prop_assert!(rule.made_by(&by), "{:?} is not marked anew", rule);
            }
        }
    }

    #[test]
    fn a_sweep_takes_exactly_what_its_own_mark_says_is_over(account in account(30)) {
        let mut after = account.clone();
        perform_all(&mut after, sweep(&account, NOW).steps()).expect("every step can be performed");
        for (id, group) in &account.groups {
            for (identity, rule) in &group.rules {
                let over = identity.direction == Direction::In && rule.expired(NOW).is_some();
                prop_assert_eq!(after.groups[id].rules.contains_key(identity), !over, "{:?}", rule);
            }
        }
        prop_assert!(sweep(&after, NOW).is_empty());
    }

    #[test]
    fn where_there_is_room_no_step_goes_beyond_the_quota(account in account(30), set in ruleset()) {
        let by = installation(1);
        let group: SecurityGroupId = GROUPS[0].parse().expect("a group");
        let within = |account: &Inventory| {
            [Family::V4, Family::V6].into_iter().all(|family| {
                let weight = account.groups[&group].weight(
                    Direction::In,
                    family,
                    &account.prefix_list_weights,
                );
                weight <= account.quota(&AccountRegion::default())
            })
        };
        prop_assume!(within(&account));
        prop_assume!(room(&account, &firewall(GROUPS[0], Vec::new()), &set, &by).is_ok());
        let wanted = wanted(&account, &BTreeMap::from([(group.clone(), set)]), &by);
        let plan = difference(&account, &wanted, &by);
        let mut account = account;
        for step in plan.steps() {
            perform_all(&mut account, std::slice::from_ref(step)).expect("the quota holds");
            prop_assert!(within(&account));
        }
        prop_assert_eq!(without_ids(&account), without_ids(&wanted));
    }
}

#[test]
fn a_full_group_makes_room_before_it_adds() {
    let by = installation(1);
    let group: SecurityGroupId = GROUPS[0].parse().expect("a group");
    let one = |last: u8| {
        let source: Cidr = format!("203.0.113.{last}").parse().expect("an address");
        granted(&("tcp/5432".parse().expect("a flow"), source, 60))
    };
    let full =
        |last: u8| -> Ruleset { (1..=RULES_PER_GROUP as u8 - 1).chain([last]).flat_map(one).collect() };
    let empty = SecurityGroup {
        id: group.clone(),
        account_region: AccountRegion::default(),
        owner: None,
        vpc: None,
        name: String::new(),
        about: String::new(),
        tags: Default::default(),
        rules: BTreeMap::new(),
    };
    let mut account = Inventory { groups: BTreeMap::from([(group.clone(), empty)]), ..Inventory::default() };
    for last in [200, 201] {
        let wanted = wanted(&account, &BTreeMap::from([(group.clone(), full(last))]), &by);
        let plan = difference(&account, &wanted, &by);
        perform_all(&mut account, plan.steps()).expect("the quota holds");
    }
    let over: Ruleset = full(201).iter().cloned().chain(one(202)).collect();
    let wanted = wanted(&account, &BTreeMap::from([(group.clone(), over)]), &by);
    let plan = difference(&account, &wanted, &by);
    let refused = perform_all(&mut account, plan.steps());
    assert_eq!(refused, Err(NotPerformed::Full { group, family: Family::V4, quota: RULES_PER_GROUP }));
}
