//! Proves the intents of a policy: whether an account keeps them, breaks them, or cannot be seen well enough.

use std::collections::BTreeSet;

use super::{Answer, Flows, NotFound, Reachability, Selector, Several, Verdict};
use crate::inventory::{Call, GapSource, Inventory, NamedResource, SecurityGroup, SecurityGroupId};
use crate::mark::Mark;
use crate::name::RoleName;
use crate::policy::{Intent, IntentEnd, IntentKind};
use crate::topology::{Holder, Part, purpose_of};

/// Whether an account keeps an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It does.
    Kept,
    /// It does, because nothing has a role attached, or the role has no security group yet.
    Empty(String),
    /// It does not.
    Broken,
    /// What decides could not be read, or is not there.
    Undecided(Vec<String>),
}

/// The proof of one intent in one account.
#[derive(Debug, Clone)]
pub struct Proof {
    pub outcome: Outcome,
    /// The question and its answer; none if an end names nothing.
    pub asked: Option<(Selector, Selector, Answer)>,
}

impl Proof {
    /// Whether the account does not keep the intent.
    pub fn is_broken(&self) -> bool {
        self.outcome == Outcome::Broken
    }

    fn without(outcome: Outcome) -> Self {
        Self { outcome, asked: None }
    }
}

/// An end of an intent in an inventory.
enum Found {
    There(Selector),
    /// A role that nothing has attached.
    Nothing(String),
    Unknown(Vec<String>),
}

/// Proves one intent.
///
/// What is forbidden must be blocked whatever could not be read, and what is required must be allowed whatever could not be
/// read; between the two an intent is undecided. A name that nothing has decides nothing either.
pub fn prove(intent: &Intent, reach: &Reachability) -> Proof {
    let inventory = reach.inventory();
    let (from, to) = match (find(&intent.from, inventory), find(&intent.to, inventory)) {
        (Found::There(from), Found::There(to)) => (from, to),
        (Found::Unknown(mut why), Found::Unknown(more)) => {
            why.extend(more);
            return Proof::without(Outcome::Undecided(why));
        }
        (Found::Unknown(why), _) | (_, Found::Unknown(why)) => {
            return Proof::without(Outcome::Undecided(why));
        }
        (Found::Nothing(why), _) | (_, Found::Nothing(why)) => {
            return Proof::without(match intent.kind {
                IntentKind::Never => Outcome::Empty(why),
                IntentKind::Always => Outcome::Undecided(vec![why]),
            });
        }
    };
    let ports: Option<Flows> = intent.ports.as_ref().map(|ports| ports.iter().copied().collect());
    let answer = reach.ask(&from, &to, ports.as_ref());
    let unread = || {
        let gaps: Vec<String> = answer.gaps.iter().map(ToString::to_string).collect();
        Outcome::Undecided(gaps)
    };
    let outcome = match intent.kind {
        IntentKind::Never if !answer.flows.is_empty() => Outcome::Broken,
        IntentKind::Never if !answer.at_most.is_empty() => unread(),
        IntentKind::Never => Outcome::Kept,
        IntentKind::Always => match answer.verdict {
            Verdict::Yes => Outcome::Kept,
            Verdict::Unknown => unread(),
            Verdict::No | Verdict::Partly => Outcome::Broken,
        },
    };
    Proof { outcome, asked: Some((from, to, answer)) }
}

fn find(end: &IntentEnd, inventory: &Inventory) -> Found {
    let text = match end {
        IntentEnd::Role { role, group } => return find_role(role, group.as_ref(), inventory),
        IntentEnd::Named(text) => text,
    };
    match Selector::find(text, inventory) {
        Ok(found) => Found::There(found),
        Err(error) => {
            let mut why = vec![error.to_string()];
            if let NotFound::Nothing { meant, gaps, .. } = &error {
                why.extend(meant.iter().map(|meant| format!("did you mean `{meant}`?")));
                why.extend(gaps.iter().map(ToString::to_string));
            }
            Found::Unknown(why)
        }
    }
}

/// The security groups of a role: the one that it is said to be, else those that were made for it, whichever installation made
/// them.
fn find_role(role: &RoleName, existing: Option<&SecurityGroupId>, inventory: &Inventory) -> Found {
    let is_of_role = |tags: &crate::inventory::Tags| {
        let by = tags.get(Mark::TAG).and_then(|by| by.parse().ok());
        let purpose = by.and_then(|by| purpose_of(tags, &by));
        purpose.is_some_and(|purpose| purpose.part == Part::Role(role.clone()))
    };
    let is_its_own = |group: &&SecurityGroup| match existing {
        Some(existing) => group.id == *existing,
        None => is_of_role(&group.tags),
    };
    let groups: Vec<_> = inventory.groups.values().filter(is_its_own).collect();
    if let (Some(existing), true) = (existing, groups.is_empty()) {
        let unseen = unread_by(Call::SecurityGroups, inventory);
        if !unseen.is_empty() {
            return Found::Unknown(unseen);
        }
        return Found::Unknown(vec![format!("[role.{role}] is {existing}, which is not in this account")]);
    }
    let unseen = unread_by(Call::SecurityGroups, inventory);
    if groups.is_empty() && !unseen.is_empty() {
        return Found::Unknown(unseen);
    }
    if groups.is_empty() {
        return Found::Nothing(format!("[role.{role}] has no security group in this account"));
    }
    let ids: BTreeSet<&SecurityGroupId> = groups.iter().map(|group| &group.id).collect();
    let unread = inventory.gaps.iter().filter(|gap| gap.groups.iter().any(|group| ids.contains(group)));
    let unread: Vec<String> = unread.map(ToString::to_string).collect();
    if unread.is_empty() && !is_attached(&ids, inventory) {
        let unseen = unread_by(Call::Interfaces, inventory);
        if !unseen.is_empty() {
            return Found::Unknown(unseen);
        }
        return Found::Nothing(format!("nothing has the security group of [role.{role}] attached"));
    }
    let named = |group: &SecurityGroup| NamedResource::of(&group.id, Some(&group.name));
    let mut resources: Vec<NamedResource> = groups.into_iter().map(named).collect();
    Found::There(match resources.len() {
        1 => Selector::Resource(resources.remove(0)),
        _ => Selector::Several(Several { text: format!("role:{role}"), resources }),
    })
}

/// Why a call, or all of them, showed nothing of an account or not all of it.
fn unread_by(call: Call, inventory: &Inventory) -> Vec<String> {
    let gaps = inventory.gaps.iter().filter(|gap| gap.is_of(call) || gap.source == GapSource::Configuration);
    gaps.map(ToString::to_string).collect()
}

fn is_attached(groups: &BTreeSet<&SecurityGroupId>, inventory: &Inventory) -> bool {
    let any = |attached: &BTreeSet<SecurityGroupId>| attached.iter().any(|group| groups.contains(group));
    let mut holders = inventory.vpcs.keys().flat_map(|vpc| Holder::all_in(inventory, vpc));
    inventory.interfaces.values().any(|interface| any(&interface.groups))
        || inventory.load_balancers.values().any(|balancer| any(&balancer.groups))
        || holders.any(|holder| holder.groups(inventory).is_some_and(any))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Gap, InterfaceAddress};
    use crate::plan::network::testing::{account, account_region, site};
    use crate::topology::layout;

    const POLICY: &str = "[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n[network.n]\nvpc = \"default\"\n";
    const WEB: &str = "[role.web]\nadmits = { internet = [\"tcp/443\"] }\non = [\"instance:i-0a\"]\n";
    const ROLES: &str = "[role.db]\nadmits = { web = [\"tcp/5432\"] }\non = [\"instance:i-0b\"]\n";

    /// The outcome of the only intent, in the account as it will be with the roles.
    fn outcome(text: &str, change: impl FnOnce(&mut Inventory)) -> Outcome {
        let policy = crate::policy::parse(&format!("{POLICY}{WEB}{ROLES}{text}"), "p").expect("a policy");
        let mut account = account();
        for (interface, address) in [("eni-0a", "172.31.0.9"), ("eni-0b", "172.31.16.9")] {
            let address = InterfaceAddress { address: address.parse().expect("an address"), public: None };
            account.interfaces.get_mut(interface).expect("an interface").addresses.push(address);
        }
        let mut wanted = layout(&policy.topology, &account, &site(3)).expect("a layout").wanted;
        change(&mut wanted);
        prove(&policy.intents[0], &Reachability::of(wanted)).outcome
    }

    fn check(text: &str, expected: &Outcome) {
        assert_eq!(outcome(text, |_| {}), *expected, "{text}");
    }

    #[test]
    fn a_forbidden_path_must_be_blocked_and_a_required_one_allowed() {
        check("[[never]]\nfrom = \"internet\"\nto = \"role:db\"\n", &Outcome::Kept);
        check("[[always]]\nfrom = \"role:web\"\nto = \"role:db\"\nports = [\"tcp/5432\"]\n", &Outcome::Kept);
        check("[[never]]\nfrom = \"role:web\"\nto = \"role:db\"\n", &Outcome::Broken);
        check("[[never]]\nfrom = \"role:web\"\nto = \"role:db\"\nports = [\"tcp/22\"]\n", &Outcome::Kept);
        check(
            "[[always]]\nfrom = \"role:web\"\nto = \"role:db\"\nports = [\"tcp/5432\", \"tcp/22\"]\n",
            &Outcome::Broken,
        );
        check("[[always]]\nfrom = \"role:db\"\nto = \"role:web\"\nports = [\"tcp/443\"]\n", &Outcome::Broken);
    }

    #[test]
    fn what_was_not_read_is_undecided() {
        let unread = |inventory: &mut Inventory| {
            inventory.gaps.push(Gap::of(Call::NetworkAcls, &account_region(), "denied"));
            inventory.network_acls.clear();
        };
        for intent in [
            "[[never]]\nfrom = \"role:web\"\nto = \"role:db\"\n",
            "[[always]]\nfrom = \"role:web\"\nto = \"role:db\"\nports = [\"tcp/5432\"]\n",
        ] {
            let outcome = outcome(intent, unread);
            assert!(matches!(&outcome, Outcome::Undecided(why) if !why.is_empty()), "{intent} {outcome:?}");
        }
    }

    /// Nothing was found, because AWS denied the call that finds it: that proves nothing.
    #[test]
    fn a_role_whose_security_groups_or_interfaces_were_not_read_is_undecided() {
        let never = "[[never]]\nfrom = \"internet\"\nto = \"role:db\"\n";
        let unread = |call: Call, clear: fn(&mut Inventory)| {
            let outcome = outcome(never, |inventory| {
                inventory.gaps.push(Gap::of(call, &account_region(), "UnauthorizedOperation: no"));
                clear(inventory);
            });
            assert!(
                matches!(&outcome, Outcome::Undecided(why) if why[0].contains("was denied")),
                "{outcome:?}"
            );
        };
        unread(Call::SecurityGroups, |inventory| inventory.groups.clear());
        unread(Call::Interfaces, |inventory| {
            inventory.interfaces.clear();
            inventory.instances.clear();
        });
    }

    #[test]
    fn a_role_that_is_a_group_that_exists_is_found_by_it() {
        let never = |group: &str| {
            let group = format!("[role.old]\ngroup = \"{group}\"\n");
            format!("{group}[[never]]\nfrom = \"role:old\"\nto = \"role:db\"\nports = [\"tcp/5432\"]\n")
        };
        let policy = crate::policy::parse(&format!("{POLICY}{WEB}{ROLES}{}", never("sg-0a1b2c3d")), "p");
        let intent = &policy.expect("a policy").intents[0];
        let mut inventory = account();
        let why = "[role.old] is sg-0a1b2c3d, which is not in this account".to_owned();
        let proved = |inventory: &Inventory| prove(intent, &Reachability::of(inventory.clone())).outcome;
        let Outcome::Undecided(told) = proved(&inventory) else { panic!("it is not there") };
        assert!(told.contains(&why), "{told:?}");
        let mut group = inventory.groups["sg-0web"].clone();
        group.id = "sg-0a1b2c3d".parse().expect("an id");
        inventory.groups.insert(group.id.clone(), group);
        let bare = "nothing has the security group of [role.old] attached".to_owned();
        assert_eq!(proved(&inventory), Outcome::Empty(bare));
    }

    #[test]
    fn a_name_that_nothing_has_decides_nothing() {
        let misspelt = outcome("[[never]]\nfrom = \"internet\"\nto = \"rds:order\"\n", |_| {});
        assert!(
            matches!(&misspelt, Outcome::Undecided(why) if why[0] == "nothing in the inventory is called `rds:order`"),
            "{misspelt:?}"
        );
    }

    #[test]
    fn a_role_that_nothing_has_attached_is_reached_by_nobody() {
        let bare = "[role.spare]\nadmits = { internet = [\"tcp/443\"] }\n";
        let never = format!("{bare}[[never]]\nfrom = \"internet\"\nto = \"role:spare\"\n");
        let why = "nothing has the security group of [role.spare] attached".to_owned();
        check(&never, &Outcome::Empty(why.clone()));
        let always =
            format!("{bare}[[always]]\nfrom = \"internet\"\nto = \"role:spare\"\nports = [\"tcp/443\"]\n");
        check(&always, &Outcome::Undecided(vec![why]));
        let gone = outcome(&never, |inventory| inventory.groups.retain(|_, group| group.name != "spare"));
        assert_eq!(gone, Outcome::Empty("[role.spare] has no security group in this account".into()));
    }
}
