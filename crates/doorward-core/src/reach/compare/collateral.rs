//! Collateral access of a grant: other resources with the security group that its rules are added to.

use std::collections::BTreeMap;

use crate::firewall::{Because, Mark};
use crate::grant::Grant;
use crate::inventory::{ExistingRule, Inventory, NamedResource};
use crate::policy::{Address, Policy};
use crate::reach::Reachability;
use crate::reach::compare::change::{Change, Impossible, after};
use crate::reach::compare::edits::of_grant;
use crate::reach::flows::Flows;
use crate::reach::result::{Comparison, End};
use crate::reach::selector::Selector;

/// Something that a grant lets its person reach and that is not its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collateral {
    /// What it is, like `database reports`.
    pub what: String,
    /// What surely passes.
    pub flows: Flows,
    /// What may pass besides: what could not be seen decides.
    pub perhaps: Flows,
}

/// An inventory without the rules of a grant, and with them: those of one that is open may stand in it already.
///
/// None when the grant puts no rule into a security group.
pub fn with_grant(
    mut inventory: Inventory,
    policy: &Policy,
    grant: &Grant,
) -> Result<Option<(Inventory, Inventory)>, Impossible> {
    let changes = of_grant(policy, grant);
    if changes.is_empty() {
        return Ok(None);
    }
    // Nothing is touched for this, so that a recorded account without tags is read by the marks alone.
    let of_this = |existing: &ExistingRule| match existing.description.parse::<Mark>() {
        Ok(mark) => matches!(mark.because, Because::Grant { id, .. } if id == *grant.id()),
        Err(_) => false,
    };
    for change in &changes {
        if let Change::Rule { group, .. } = change
            && let Some(group) = inventory.groups.get_mut(group)
        {
            group.rules.retain(|_, existing| !of_this(existing));
        }
    }
    let with = after(&inventory, &changes)?;
    Ok(Some((inventory, with)))
}

/// What a grant opens that is not its target, each once.
///
/// A target that is not found in the inventory, like a name of DNS that nothing there has, is told like all else.
pub fn collateral(opened: &Comparison, with: &Reachability, target: &Address) -> Vec<Collateral> {
    let target = Selector::find(&target.to_string(), with.inventory()).ok();
    let targets = target.map_or_else(Vec::new, |endpoint| match endpoint {
        Selector::Resource(resource) => vec![resource],
        Selector::Several(several) => several.resources,
        Selector::Internet | Selector::Address(_) | Selector::Cidr(_) | Selector::Host(_) => Vec::new(),
    });
    let mut found: BTreeMap<NamedResource, (Flows, Flows)> = BTreeMap::new();
    for path in &opened.opened {
        let End::Role(id) = &path.to else { continue };
        let Some(role) = with.roles().iter().find(|role| role.id == *id) else { continue };
        let is_target =
            |owner: &&NamedResource| targets.iter().any(|target| target.resource == owner.resource);
        for thing in role.owners.iter().filter(|owner| !is_target(owner)) {
            let (flows, perhaps) = found.entry(thing.clone()).or_default();
            *flows = flows.union(&path.flows);
            *perhaps = perhaps.union(&path.at_most);
        }
    }
    let told = found.into_iter().map(|(resource, (flows, perhaps))| {
        let perhaps = perhaps.minus(&flows);
        Collateral { what: resource.described(), flows, perhaps }
    });
    let mut told: Vec<Collateral> = told.collect();
    told.sort_by(|a, b| a.what.cmp(&b.what));
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Decision, Past, Request, decide};
    use crate::grant::GrantId;
    use crate::inventory::{AccountRegion, RuleIdentity, SecurityGroup, SecurityGroupId};
    use crate::policy::{People, parse};

    const POLICY: &str = r#"
[people]
passwords = "p"
groups    = "g"

[grants]
special-networks = ["203.0.113.0/24"]

[firewall.clients]
about          = "clients"
security-group = "sg-0000000a"

[firewall.gate]
about    = "gate"
nftables = "inet doorward"

[target.orders]
about      = "orders"
address    = "rds:orders"
ports      = ["tcp/5432", "icmpv6/128"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "clients"

[target.jump]
about      = "jump"
address    = "10.0.0.7"
ports      = ["tcp/22"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "gate"
"#;

    fn grant(policy: &Policy, target: &str) -> Grant {
        let passwords = b"jon:$2y$04$jJ/WporsmEoDRE2e/WABxO0LceGeskU4GolGQywMqjrYT0Gfi4ExS\n";
        let people = People::parse(passwords, "p", b"dbs: jon\n", "g").expect("people");
        let request = Request {
            id: GrantId::from_random([7; 8]),
            person: "jon".parse().expect("a name"),
            from: "203.0.113.7".parse().expect("an address"),
            target: target.parse().expect("a target"),
            transport: None,
            lasts: None,
            reason: None,
        };
        let now = "2026-11-22T12:00:00Z".parse().expect("an instant");
        match decide(policy, &people, &request, &Past::default(), now) {
            Decision::Granted { grant, .. } => grant,
            other => panic!("{other:?}"),
        }
    }

    fn inventory(rules: &[(&str, String)]) -> Inventory {
        let id: SecurityGroupId = "sg-0000000a".parse().expect("an id");
        let existing = |description: &String| ExistingRule {
            description: description.clone(),
            ..ExistingRule::default()
        };
        let rules = rules.iter().map(|(rule, about)| (rule.parse().expect("a rule"), existing(about)));
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
        Inventory { groups: [(id, group)].into(), ..Inventory::default() }
    }

    fn rules(inventory: &Inventory) -> Vec<String> {
        let rules = inventory.groups.values().flat_map(|group| group.rules.keys());
        rules.map(RuleIdentity::to_string).collect()
    }

    #[test]
    fn an_open_grant_is_compared_with_what_stood_without_it() {
        let policy = parse(POLICY, "p").expect("a policy");
        let grant = grant(&policy, "orders");
        let mark = |id: &str| format!("doorward 3f9c2a1b {id} jon to orders until 2026-11-22T14:00:00Z");
        let other = GrantId::from_random([8; 8]);
        let account = inventory(&[
            ("tcp/5432 from 203.0.113.7/32", mark(grant.id().as_str())),
            ("tcp/5432 from 203.0.113.8/32", mark(other.as_str())),
            ("tcp/22 from 203.0.113.7/32", "by hand".into()),
        ]);
        let (without, with) = with_grant(account.clone(), &policy, &grant).expect("possible").expect("rules");
        assert_eq!(rules(&without), ["tcp/22 from 203.0.113.7/32", "tcp/5432 from 203.0.113.8/32"]);
        // ICMP for IPv6 admits no address of IPv4.
        assert_eq!(rules(&with), rules(&account));
        // What stands for another reason is let in without it.
        let by_hand = inventory(&[("tcp/5432 from 203.0.113.7/32", "by hand".into())]);
        let (without, with) = with_grant(by_hand, &policy, &grant).expect("possible").expect("rules");
        assert_eq!(without, with);
    }

    #[test]
    fn a_grant_of_another_firewall_puts_nothing_into_a_group() {
        let policy = parse(POLICY, "p").expect("a policy");
        let grant = grant(&policy, "jump");
        assert_eq!(with_grant(inventory(&[]), &policy, &grant), Ok(None));
        let elsewhere = self::grant(&policy, "orders");
        let error = with_grant(Inventory::default(), &policy, &elsewhere).expect_err("no group");
        assert_eq!(error.to_string(), "the security group sg-0000000a is not in the inventory");
    }
}
