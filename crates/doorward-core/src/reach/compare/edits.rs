//! Changes of security group rules, by group; and those that a grant makes.

use std::collections::BTreeMap;

use crate::grant::Grant;
use crate::inventory::{ExistingRule, Inventory, RuleIdentity, SecurityGroupId, Seen};
use crate::net::Cidr;
use crate::policy::{Enforcement, Policy, Target, Transport, did_you_mean};
use crate::reach::compare::change::{Change, Edit, Impossible};

/// The rules of each group that is changed, after all of the changes; changes of anything else are left out.
pub(crate) fn edited(
    inventory: &Inventory,
    changes: &[Change],
) -> Result<BTreeMap<SecurityGroupId, BTreeMap<RuleIdentity, ExistingRule>>, Impossible> {
    let mut after = BTreeMap::new();
    for change in changes {
        let Change::Rule { group, edit } = change else { continue };
        let there = match inventory.group(group) {
            Seen::There(there) => there,
            Seen::Unseen(gap) => return Err(Impossible::Unseen { group: group.clone(), gap: gap.clone() }),
            Seen::Gone => return Err(no_group(inventory, group)),
        };
        let rules = after.entry(group.clone()).or_insert_with(|| there.rules.clone());
        match edit {
            Edit::Add(rule) => {
                rules.entry(rule.clone()).or_insert_with(ExistingRule::default);
            }
            Edit::Remove(rule) if rules.remove(rule).is_none() => {
                return Err(Impossible::NoRule { group: group.clone(), rule: rule.clone() });
            }
            Edit::Remove(_) => {}
        }
    }
    Ok(after)
}

fn no_group(inventory: &Inventory, group: &SecurityGroupId) -> Impossible {
    let known = inventory.groups.keys().map(SecurityGroupId::as_str);
    let meant = did_you_mean(group.as_str(), known).and_then(|meant| meant.parse().ok());
    Impossible::NoGroup { group: group.clone(), meant }
}

/// The rules that a grant puts into a security group, or would once it is open: none when its target has no such
/// firewall, or its packets are carried otherwise.
pub fn of_grant(policy: &Policy, grant: &Grant) -> Vec<Change> {
    let Some(target) = policy.targets.get(grant.target()) else { return Vec::new() };
    if grant.transport() != Transport::Direct || grant.ended() {
        return Vec::new();
    }
    of_target(policy, target, grant.source())
}

fn of_target(policy: &Policy, target: &Target, source: Cidr) -> Vec<Change> {
    let firewall = target.firewall.as_ref().and_then(|name| policy.firewalls.get(name));
    let Some(Enforcement::SecurityGroup { group, .. }) = firewall.map(|firewall| &firewall.kind) else {
        return Vec::new();
    };
    let ports = target.ports.iter().filter(|flow| flow.fits(source.family()));
    let add = |flow| Edit::Add(RuleIdentity::admitting(flow, source));
    ports.map(|flow| Change::Rule { group: group.clone(), edit: add(*flow) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{AccountRegion, Call, Gap, GapSource, SecurityGroup};
    use crate::reach::compare::change::after;

    fn inventory(rules: &[&str]) -> Inventory {
        let id: SecurityGroupId = "sg-0a".parse().expect("an id");
        let rules = rules.iter().map(|rule| (rule.parse().expect("a rule"), ExistingRule::default()));
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

    fn changes(json: &str) -> Vec<Change> {
        serde_json::from_str(json).expect("changes")
    }

    #[test]
    fn rules_come_and_go() {
        let before = inventory(&["tcp/22 from 10.0.0.0/8", "all to 0.0.0.0/0"]);
        let changed = after(
            &before,
            &changes(
                r#"[{"group": "sg-0a", "add": "tcp/5432 from 203.0.113.7"},
                    {"group": "sg-0a", "remove": "tcp/22 from 10.0.0.0/8"}]"#,
            ),
        );
        assert_eq!(changed, Ok(inventory(&["tcp/5432 from 203.0.113.7/32", "all to 0.0.0.0/0"])));
        assert_eq!(after(&before, &[]), Ok(before.clone()));
        let again = changes(r#"[{"group": "sg-0a", "add": "all to 0.0.0.0/0"}]"#);
        assert_eq!(after(&before, &again), Ok(before));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let check = |json: &str, expected: &str| {
            let error = after(&inventory(&[]), &changes(json)).expect_err(json);
            assert_eq!(error.to_string(), expected);
        };
        check(
            r#"[{"group": "sg-0b", "add": "all from 10.0.0.0/8"}]"#,
            "the security group sg-0b is not in the inventory",
        );
        check(
            r#"[{"group": "sg-0a", "remove": "all from 10.0.0.0/8"}]"#,
            "sg-0a has no rule `all from 10.0.0.0/8`, so it cannot be removed",
        );
        let gap = Gap {
            source: GapSource::Call(Call::SecurityGroupRules),
            account_region: AccountRegion::default(),
            groups: vec!["sg-0a".parse().expect("an id")],
            why: "AccessDenied".into(),
        };
        let unseen = Inventory { gaps: vec![gap], ..inventory(&[]) };
        let add = changes(r#"[{"group": "sg-0a", "add": "all from 10.0.0.0/8"}]"#);
        assert!(matches!(after(&unseen, &add), Err(Impossible::Unseen { .. })));
    }
}
