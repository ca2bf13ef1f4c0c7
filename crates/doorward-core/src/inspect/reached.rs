//! What the internet reaches of each role, and for every flow who outside exactly.

use std::collections::{BTreeMap, BTreeSet};

use super::addresses::Addresses;
use super::split::by_flow;
use crate::inventory::{Interface, Inventory, ResourceRef};
use crate::net::{Cidr, Family};
use crate::reach::{AllowedPath, End, Exposure, Flows, Reachability, Role, RoleId, Selector};

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
    paths: &[AllowedPath],
) -> BTreeMap<RoleId, Reached> {
    let mut all: BTreeMap<RoleId, Reached> = BTreeMap::new();
    for path in paths {
        let End::Role(to) = path.to else { continue };
        let reached = all.entry(to).or_default();
        reached.flows = reached.flows.union(&path.flows);
        reached.at_most = reached.at_most.union(&path.at_most);
    }
    for (id, reached) in &mut all {
        if let Some(role) = roles.get(id).filter(|_| !reached.flows.is_empty()) {
            exact(reach, role, reached);
        }
    }
    all
}

/// A way says what passes from some address; its hosts are asked which.
fn exact(reach: &Reachability, role: &Role, reached: &mut Reached) {
    let admitted: Vec<Exposure> =
        samples(reach.inventory(), role).iter().flat_map(|to| reach.exposure(to)).collect();
    let named: Vec<(Flows, Vec<Cidr>)> = admitted
        .into_iter()
        .filter(|one| !one.flows.is_empty())
        .map(|one| (one.flows, one.addresses))
        .collect();
    reached.wide = Flows::NONE;
    for family in [Family::V4, Family::V6] {
        let internet = Addresses::of(family, reach.internet(family));
        for (flows, union) in by_flow(family, &named) {
            if union.is_wide() {
                reached.wide = reached.wide.union(&flows);
            }
            // The internet is what is left of all addresses without private ones: that is everyone there is.
            let whom = if union == internet { format!("everyone on {family}") } else { union.to_string() };
            reached.whom.push((flows, whom));
        }
    }
    // A way that none of its hosts can be asked about is not called narrow.
    if reached.whom.is_empty() {
        reached.wide = reached.flows.clone();
        reached.whom.push((reached.flows.clone(), "the internet".to_owned()));
    }
}

/// Members that stand for all: one for each kind of address that the internet can ask for.
fn samples(inventory: &Inventory, role: &Role) -> Vec<Selector> {
    let mut kinds: BTreeSet<(bool, bool)> = BTreeSet::new();
    let mut samples: Vec<&ResourceRef> = Vec::new();
    for member in &role.members {
        match inventory.interfaces.get(member.id()) {
            Some(interface) => {
                let kind = kind(interface);
                if kind != (false, false) && kinds.insert(kind) {
                    samples.push(member);
                }
            }
            None => samples.push(member),
        }
    }
    samples.into_iter().cloned().map(Selector::from).collect()
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
        assert_eq!(finding.evidence[..2], ["tcp/22 from 198.51.100.0/24", "tcp/443 from everyone on IPv4"]);
    }
}
