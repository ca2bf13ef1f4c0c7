//! What the internet reaches of each role, and for every flow who outside exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::addresses::Addresses;
use super::facts::few;
use super::split::by_flow;
use crate::inventory::{Direction, Interface, Inventory};
use crate::net::{Cidr, Family};
use crate::reach::{End, Endpoint, Flows, Reachability, Role, RoleId, Scope, Way};

/// What the internet reaches of a role.
#[derive(Debug, Clone, Default)]
pub(super) struct Reached {
    /// What surely passes, from anybody at all.
    pub(super) flows: Flows,
    /// What of it passes from everyone, or from so many that it makes no difference.
    pub(super) wide: Flows,
    /// Flows, and who outside may send them.
    pub(super) whom: Vec<(Flows, String)>,
    /// What may pass besides, if what could not be seen lets it.
    pub(super) at_most: Flows,
}

/// What the internet reaches of each role, from the ways that lead there.
pub(super) fn reached(
    reach: &Reachability,
    roles: &BTreeMap<RoleId, &Role>,
    ways: &[Way],
) -> BTreeMap<RoleId, Reached> {
    let mut all: BTreeMap<RoleId, Reached> = BTreeMap::new();
    let mut narrow: BTreeSet<RoleId> = BTreeSet::new();
    for way in ways {
        let End::Role(to) = way.to else { continue };
        let reached = all.entry(to).or_default();
        reached.flows = reached.flows.union(&way.flows);
        reached.at_most = reached.at_most.union(&way.at_most);
        if way.whole {
            reached.wide = reached.wide.union(&way.flows);
        } else {
            narrow.insert(to);
        }
    }
    for (id, reached) in &mut all {
        match roles.get(id).filter(|_| narrow.contains(id) && !reached.flows.is_empty()) {
            Some(role) => exact(reach, role, reached),
            None if !reached.wide.is_empty() => {
                reached.whom.push((reached.wide.clone(), "everyone".to_owned()));
            }
            None => {}
        }
    }
    all
}

/// A way says what passes from some address: asked flow by flow, it says from which.
fn exact(reach: &Reachability, role: &Role, reached: &mut Reached) {
    let mut anyone = Flows::NONE;
    let mut named: Vec<(Flows, Vec<Cidr>)> = Vec::new();
    let samples: Vec<Endpoint> = samples(reach.inventory(), role);
    for flows in atoms(reach.inventory(), role, &reached.flows) {
        for to in &samples {
            let scope =
                Scope { from: Some(Endpoint::Internet), to: Some(to.clone()), flows: Some(flows.clone()) };
            reach.ways(&scope, &mut |way| {
                if way.from == End::Internet && !way.flows.is_empty() {
                    if way.addresses.is_empty() {
                        anyone = anyone.union(&way.flows);
                    } else {
                        named.push((way.flows, way.addresses));
                    }
                }
                ControlFlow::Continue(())
            });
        }
    }
    for (flows, _) in &mut named {
        *flows = flows.minus(&anyone);
    }
    named.retain(|(flows, _)| !flows.is_empty());
    if !anyone.is_empty() {
        reached.whom.push((anyone.clone(), "everyone".to_owned()));
    }
    reached.wide = anyone;
    for family in [Family::V4, Family::V6] {
        for (flows, union) in by_flow(family, &named) {
            if union.is_wide() {
                reached.wide = reached.wide.union(&flows);
            }
            reached.whom.push((flows, in_words(&union)));
        }
    }
}

/// The internet is what is left of all addresses without private ones, so a half of it has many prefixes.
fn in_words(union: &Addresses) -> String {
    few(union.cidrs())
}

/// Flows that some rule on the way may treat otherwise than others.
fn atoms(inventory: &Inventory, role: &Role, flows: &Flows) -> Vec<Flows> {
    let groups = role.groups.iter().filter_map(|id| inventory.groups.get(id));
    let rules = groups.flat_map(|group| group.rules.keys());
    let rules = rules.filter(|rule| rule.direction == Direction::In).map(|rule| rule.flow);
    let acls = inventory.network_acls.values().filter(|acl| {
        acl.default && acl.vpc == role.vpc || acl.subnets.iter().any(|subnet| role.subnets.contains(subnet))
    });
    let entries = acls.flat_map(|acl| &acl.entries).map(|entry| entry.flow);
    let cuts: BTreeSet<Flows> = rules.chain(entries).map(Flows::from).collect();
    cuts.iter().fold(vec![flows.clone()], |atoms, cut| {
        let parts = atoms.iter().flat_map(|atom| [atom.and(cut), atom.minus(cut)]);
        parts.filter(|part| !part.is_empty()).collect()
    })
}

/// Members that stand for all: one for each kind of address that the internet can ask for.
fn samples(inventory: &Inventory, role: &Role) -> Vec<Endpoint> {
    let mut kinds: BTreeSet<(bool, bool)> = BTreeSet::new();
    let mut samples: Vec<&str> = Vec::new();
    for member in &role.members {
        match member.parse().ok().and_then(|id| inventory.interfaces.get(&id)) {
            Some(interface) => {
                let kind = kind(interface);
                if kind != (false, false) && kinds.insert(kind) {
                    samples.push(member);
                }
            }
            None => samples.push(member),
        }
    }
    samples.iter().filter_map(|member| Endpoint::find(member, inventory).ok()).collect()
}

fn kind(interface: &Interface) -> (bool, bool) {
    let public = interface.addresses.iter().any(|own| own.public.is_some());
    (public, interface.addresses.iter().any(|own| own.address.is_ipv6()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, found};
    use super::super::{Rule, Severity};

    /// What one flow is open for is not what another is: SSH for an office, HTTPS for everyone.
    #[test]
    fn each_flow_has_its_own_senders() {
        let account = Account::new()
            .internet()
            .group("sg-web", "vpc-a", &["in tcp/443 0.0.0.0/0", "in tcp/22 198.51.100.0/24"])
            .public("eni-a", "subnet-a", &["sg-web"]);
        let [finding] = found(&account, Rule::InternetReachable).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Medium);
        assert_eq!(finding.about, "the internet reaches web on tcp/443");
        assert_eq!(finding.evidence[..2], ["tcp/443 from everyone", "tcp/22 from 198.51.100.0/24"]);
    }
}
