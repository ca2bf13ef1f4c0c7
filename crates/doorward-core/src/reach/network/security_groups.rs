//! Security groups: what the rules of each set of attached groups allow.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::inventory::{
    AccountRegion, Call, Direction, GroupReference, Inventory, Peer, RuleIdentity, SecurityGroupId,
};
use crate::net::Cidr;
use crate::net::ranges::Cuts;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::Network;
use crate::reach::network::address_map::AddressMap;
use crate::reach::network::table::{GapIx, GroupIx, InterfaceIx, SetIx};

#[derive(Debug)]
pub(crate) struct GroupNode {
    pub(crate) id: SecurityGroupId,
    pub(crate) name: String,
    pub(crate) rules: Vec<RuleIdentity>,
    /// What could not be seen of it.
    pub(crate) gap: Option<GapIx>,
    pub(crate) carriers: Vec<InterfaceIx>,
}

/// The groups of an interface, and what their rules by address let through.
#[derive(Debug)]
pub(crate) struct GroupSet {
    pub(crate) groups: Vec<GroupIx>,
    pub(crate) inward: AddressMap<Bounds>,
    pub(crate) outward: AddressMap<Bounds>,
    /// Rules that name a group: which one, and what they let through.
    pub(crate) in_from: Vec<(GroupIx, Flows)>,
    pub(crate) out_to: Vec<(GroupIx, Flows)>,
    /// What of its rules was not seen.
    pub(crate) doubts: Vec<Doubt>,
    /// Every prefix in its rules.
    pub(crate) cidrs: Vec<Cidr>,
    /// The same as numbers.
    pub(crate) cut_at: Cuts,
}

/// Rules that may allow more than was seen of them.
#[derive(Debug)]
pub(crate) struct Doubt {
    pub(crate) direction: Direction,
    /// What they may allow at most.
    pub(crate) flows: Flows,
    pub(crate) gap: GapIx,
    /// What was not seen, in words.
    pub(crate) unseen: String,
}

impl GroupSet {
    /// What may allow some of these flows and was not seen.
    pub(crate) fn doubts_of<'a>(
        &'a self,
        direction: Direction,
        flows: &'a Flows,
    ) -> impl Iterator<Item = &'a Doubt> {
        self.doubts.iter().filter(move |doubt| doubt.direction == direction && doubt.flows.meets(flows))
    }
}

impl Network {
    pub(crate) fn groups(&mut self, inventory: &Inventory) {
        let carried = inventory.interfaces.values().flat_map(|interface| {
            let account_region =
                inventory.vpcs.get(&interface.vpc).map(|vpc| vpc.account_region.clone()).unwrap_or_default();
            interface.groups.iter().map(move |group| (group, account_region.clone()))
        });
        let mut account_regions: BTreeMap<&SecurityGroupId, AccountRegion> = carried.collect();
        account_regions
            .extend(inventory.groups.values().map(|group| (&group.id, group.account_region.clone())));
        for (id, account_region) in account_regions {
            let gap = match inventory.groups.get(id) {
                None => Some(self.gap(
                    Call::SecurityGroups,
                    &account_region,
                    &format!("it does not mention {id}"),
                )),
                Some(_) if inventory.incomplete_groups.contains(id) => Some(self.gap(
                    Call::SecurityGroupRules,
                    &account_region,
                    &format!("a rule of {id} cannot be read"),
                )),
                Some(_) => None,
            };
            let group = inventory.groups.get(id);
            let index = self.groups.push(GroupNode {
                id: id.clone(),
                name: group.map(|group| group.name.clone()).unwrap_or_default(),
                rules: group.map(|group| group.rules.keys().cloned().collect()).unwrap_or_default(),
                gap,
                carriers: Vec::new(),
            });
            self.group_of.insert(id.clone(), index);
        }
    }

    /// The index of a set of groups that an interface carries.
    pub(crate) fn set(&mut self, ids: &BTreeSet<SecurityGroupId>, inventory: &Inventory) -> SetIx {
        let mut groups = Vec::with_capacity(ids.len());
        for id in ids {
            let known = self.group_of.get(id).copied();
            groups.push(known.unwrap_or_else(|| self.missing(id)));
        }
        if let Some(set) = self.set_of.get(&groups) {
            return *set;
        }
        let built = self.built(&groups, inventory);
        let index = self.sets.push(built);
        self.set_of.insert(groups, index);
        index
    }

    /// Takes in the rules of some groups anew. Says how the sets were that they are in.
    pub(crate) fn rules_changed(
        &mut self,
        groups: &BTreeSet<SecurityGroupId>,
        inventory: &Inventory,
    ) -> HashMap<SetIx, GroupSet> {
        let mut sets: BTreeSet<SetIx> = BTreeSet::new();
        for id in groups {
            let Some(&index) = self.group_of.get(id) else { continue };
            let rules = inventory.groups.get(id).map(|group| group.rules.keys().cloned().collect());
            let node = self.groups.at_mut(index);
            node.rules = rules.unwrap_or_default();
            let carriers = node.carriers.clone();
            sets.extend(carriers.into_iter().map(|interface| self.interfaces.at(interface).set));
        }
        let renewed = sets.into_iter().map(|set| {
            let groups = self.sets.at(set).groups.clone();
            let built = self.built(&groups, inventory);
            (set, std::mem::replace(self.sets.at_mut(set), built))
        });
        let renewed = renewed.collect();
        self.cut_of_balancers();
        renewed
    }

    /// A group that only a service tells of.
    fn missing(&mut self, id: &SecurityGroupId) -> GroupIx {
        let gap =
            self.gap(Call::SecurityGroups, &AccountRegion::default(), &format!("it does not mention {id}"));
        let index = self.groups.push(GroupNode {
            id: id.clone(),
            name: String::new(),
            rules: Vec::new(),
            gap: Some(gap),
            carriers: Vec::new(),
        });
        self.group_of.insert(id.clone(), index);
        index
    }

    fn built(&mut self, groups: &[GroupIx], inventory: &Inventory) -> GroupSet {
        let mut by_address: [Vec<(Cidr, Flows)>; 2] = [Vec::new(), Vec::new()];
        let mut by_group: [Vec<(GroupIx, Flows)>; 2] = [Vec::new(), Vec::new()];
        let mut doubts: Vec<Doubt> = Vec::new();
        for group in groups {
            let node = self.groups.at(*group);
            if let Some(gap) = node.gap {
                let unseen = format!("not all rules of {} were seen", node.id);
                doubts.extend([Direction::In, Direction::Out].map(|direction| Doubt {
                    direction,
                    flows: Flows::all(),
                    gap,
                    unseen: unseen.clone(),
                }));
            }
            for rule in node.rules.clone() {
                let flows = Flows::from(rule.flow);
                let ([inward, outward], [in_from, out_to]) = (&mut by_address, &mut by_group);
                let (addresses, references) = match rule.direction {
                    Direction::In => (inward, in_from),
                    Direction::Out => (outward, out_to),
                };
                match &rule.peer {
                    Peer::Cidr(cidr) => addresses.push((*cidr, flows)),
                    // A group that is nowhere carries nobody: the reference is stale and matches nothing.
                    Peer::Group(id) => {
                        let stale = is_stale(inventory, &self.groups.at(*group).id, id);
                        let peer = self.group_of.get(id).filter(|_| !stale);
                        references.extend(peer.map(|peer| (*peer, flows)));
                    }
                    Peer::PrefixList(list) => {
                        match inventory.prefix_lists.get(list).and_then(|list| list.entries.as_ref()) {
                            Some(entries) => {
                                addresses.extend(entries.iter().map(|cidr| (*cidr, flows.clone())));
                            }
                            // Whatever its entries are, the rule allows its own protocol and ports only.
                            None => {
                                let group = &self.groups.at(*group).id;
                                let unseen = format!(
                                    "the entries of {list} were not seen: {group} has the rule {rule}"
                                );
                                let account_region = Self::place_of(inventory, group);
                                let why = format!("nothing was recorded of the entries of {list}");
                                let gap = self.gap(Call::PrefixListEntries, &account_region, &why);
                                doubts.push(Doubt { direction: rule.direction, flows, gap, unseen });
                            }
                        }
                    }
                }
            }
        }
        let line = |rules: &[(Cidr, Flows)], direction: Direction| {
            let doubtful = doubts.iter().filter(|doubt| doubt.direction == direction);
            let doubtful = doubtful.fold(Flows::NONE, |sum, doubt| sum.union(&doubt.flows));
            let cidrs: Vec<Cidr> = rules.iter().map(|(cidr, _)| *cidr).collect();
            AddressMap::new(&cidrs, |address| {
                let matching = rules.iter().filter(|(cidr, _)| cidr.contains(address));
                let must = matching.fold(Flows::NONE, |sum, (_, flows)| sum.union(flows));
                Bounds { may: must.union(&doubtful), must }
            })
        };
        let [in_rules, out_rules] = &by_address;
        let (inward, outward) = (line(in_rules, Direction::In), line(out_rules, Direction::Out));
        let [in_from, out_to] = by_group;
        let cidrs: BTreeSet<Cidr> = by_address.iter().flatten().map(|(cidr, _)| *cidr).collect();
        GroupSet {
            groups: groups.to_vec(),
            inward,
            outward,
            in_from,
            out_to,
            doubts,
            cut_at: Cuts::of(cidrs.iter().copied()),
            cidrs: cidrs.into_iter().collect(),
        }
    }

    pub(crate) fn place_of(inventory: &Inventory, group: &SecurityGroupId) -> AccountRegion {
        inventory.groups.get(group).map(|group| group.account_region.clone()).unwrap_or_default()
    }
}

/// Whether a reference from a group to another matches nothing, since the peering connection between them is not active.
pub(crate) fn is_stale(inventory: &Inventory, group: &SecurityGroupId, peer: &SecurityGroupId) -> bool {
    let reference = inventory.group_references.get(&(group.clone(), peer.clone()));
    reference.is_some_and(GroupReference::is_stale)
}
