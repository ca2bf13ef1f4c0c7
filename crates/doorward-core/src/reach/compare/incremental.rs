//! Changes rules in place and compares only the pairs that the changed rules concern.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{Direction, NatGateway, Peer, RuleIdentity, SecurityGroupId};
use crate::net::ranges::{self, Ranges};
use crate::net::{Cidr, Family};
use crate::reach::Reachability;
use crate::reach::compare::change::{self, Change, Impossible};
use crate::reach::compare::edits;
use crate::reach::compare::rules::PairComparer;
use crate::reach::compare::{self, Sides};
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::equivalence;
use crate::reach::network::interfaces::InterfaceNode;
use crate::reach::network::remotes;
use crate::reach::network::table::{ClassIx, VpcIx};
use crate::reach::result::{Comparison, End};
use crate::reach::trace::round_trip;

/// Hosts of a class and a piece of the addresses outside, which may fare otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    class: ClassIx,
    outside: Outside,
    family: Family,
    first: u128,
    last: u128,
    direction: Direction,
}

impl Reachability {
    /// Makes changes here, and says what they open and close. Nothing is changed when one of them cannot be made.
    ///
    /// It looks only at those whom a changed rule names, and so takes much less than [`Self::of`] and
    /// [`Self::difference`] on the inventory after the changes, with the same result.
    pub fn change(&mut self, changes: &[Change]) -> Result<Comparison, Impossible> {
        let of_rules = |change: &Change| match change {
            Change::Rule { group, .. } => Some(group.clone()),
            _ => None,
        };
        let rules_alone = changes.iter().all(|change| of_rules(change).is_some());
        let groups: BTreeSet<SecurityGroupId> = changes.iter().filter_map(of_rules).collect();
        if !rules_alone || self.asks_who_sends(&groups) {
            let after = Self::of(change::after(&self.inventory, changes)?);
            let difference = self.compare(&after);
            *self = after;
            return Ok(difference);
        }
        let rules = |side: &Self, group: &SecurityGroupId| -> BTreeSet<RuleIdentity> {
            side.inventory
                .groups
                .get(group)
                .map(|group| group.rules.keys().cloned().collect())
                .unwrap_or_default()
        };
        let old: BTreeMap<SecurityGroupId, BTreeSet<RuleIdentity>> =
            groups.iter().map(|group| (group.clone(), rules(self, group))).collect();
        let wanted = edits::edited(&self.inventory, changes)?;
        let changed: Vec<(SecurityGroupId, RuleIdentity)> = wanted
            .iter()
            .flat_map(|(group, existing)| {
                let new: BTreeSet<RuleIdentity> = existing.keys().cloned().collect();
                let old = old.get(group).cloned().unwrap_or_default();
                let differing: Vec<RuleIdentity> = new.symmetric_difference(&old).cloned().collect();
                differing.into_iter().map(|rule| (group.clone(), rule))
            })
            .collect();
        let cidrs: Vec<Cidr> = changed.iter().flat_map(|(_, rule)| self.prefixes(&rule.peer)).collect();
        equivalence::split(&mut self.network, &cidrs);
        let pieces = self.pieces(&changed, &cidrs);
        let before: Vec<Bounds> = pieces.iter().map(|piece| self.passing(piece)).collect();
        for (group, existing) in wanted {
            if let Some(group) = self.inventory.groups.get_mut(&group) {
                group.rules = existing;
            }
        }
        let old = self.network.rules_changed(&groups, &self.inventory);
        let mut sides = Sides::default();
        let mut halves = PairComparer::new(self.context(), &old);
        for pairs in self.pairs_of(&changed).chunk_by(|one, other| one.0 == other.0) {
            self.compare_pairs(pairs, &mut halves, &mut sides);
        }
        for (piece, before) in pieces.iter().zip(before) {
            self.compare_piece(piece, &before, &mut sides);
        }
        Ok(compare::comparison([self, self], sides))
    }

    /// Whether an appliance carries one of the groups: then the ways themselves depend on them.
    fn asks_who_sends(&self, groups: &BTreeSet<SecurityGroupId>) -> bool {
        self.network.interfaces.rows().filter(|interface| !interface.source_dest_check).any(|interface| {
            let carried = &self.network.sets.at(interface.set).groups;
            carried.iter().any(|group| groups.contains(&self.network.groups.at(*group).id))
        })
    }

    fn prefixes(&self, peer: &Peer) -> Vec<Cidr> {
        match peer {
            Peer::Cidr(cidr) => vec![*cidr],
            // A group that was not recorded may have an interface in a VPC that was not, behind a peering.
            Peer::Group(id) if !self.network.group_of.contains_key(id) => {
                let remotes = self.network.remotes.iter();
                let peerings = remotes.filter(|(outside, _)| matches!(outside, Outside::Peering(_)));
                peerings.flat_map(|(_, cidrs)| cidrs.iter().copied()).collect()
            }
            Peer::Group(_) => Vec::new(),
            Peer::PrefixList(list) => {
                let list = self.inventory.prefix_lists.get(list).and_then(|list| list.entries.as_ref());
                list.into_iter().flatten().copied().collect()
            }
        }
    }

    fn carriers(&self, group: &SecurityGroupId) -> BTreeSet<ClassIx> {
        let index = self.network.group_of.get(group);
        let interfaces = index.map_or(&[][..], |index| self.network.groups.at(*index).carriers.as_slice());
        interfaces.iter().map(|interface| self.network.interfaces.at(*interface).class).collect()
    }

    /// Every two classes between whose interfaces a changed rule lets something through, or did.
    fn pairs_of(&self, changed: &[(SecurityGroupId, RuleIdentity)]) -> Vec<(ClassIx, ClassIx)> {
        let mut pairs = Vec::new();
        for (group, rule) in changed {
            let carriers = self.carriers(group);
            let others = match &rule.peer {
                Peer::Group(peer) => self.carriers(peer),
                peer => self.with_address_in(&self.prefixes(peer), &carriers),
            };
            for class in carriers {
                pairs.extend(others.iter().map(|other| match rule.direction {
                    Direction::In => (*other, class),
                    Direction::Out => (class, *other),
                }));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    /// Classes with an address in some prefixes. A receiver may see another source than the sender's own, behind a NAT
    /// gateway: whoever is in a VPC with one counts as well.
    fn with_address_in(&self, prefixes: &[Cidr], of: &BTreeSet<ClassIx>) -> BTreeSet<ClassIx> {
        let mut translated: BTreeSet<VpcIx> = BTreeSet::new();
        let seen_from = |gateway: &NatGateway| {
            gateway.private_address.is_none_or(|own| prefixes.iter().any(|cidr| cidr.contains(own.into())))
        };
        if self.inventory.nat_gateways.values().any(seen_from) {
            let near: BTreeSet<VpcIx> = of.iter().filter_map(|class| Some(self.any(*class)?.vpc)).collect();
            let vpcs = self.inventory.nat_gateways.values();
            let vpcs = vpcs.filter_map(|gateway| self.network.vpc_of.get(&gateway.vpc));
            translated.extend(vpcs.filter(|vpc| near.contains(vpc)));
            // A transit gateway hands packets to the NAT gateways of other VPCs, and on from them.
            translated.extend(self.network.joined());
        }
        let classes = self.network.classes.enumerate().map(|(class, _)| class);
        let with_address = classes.filter(|class| {
            self.any(*class).is_some_and(|interface| {
                translated.contains(&interface.vpc)
                    || interface
                        .addresses
                        .iter()
                        .any(|own| prefixes.iter().any(|cidr| cidr.contains(own.address)))
            })
        });
        with_address.collect()
    }

    /// A interface that stands for its class.
    fn any(&self, class: ClassIx) -> Option<&InterfaceNode> {
        let first = self.network.classes.at(class).members.first()?;
        Some(self.network.interfaces.at(*first))
    }

    /// Compares what passed and what passes from one class to some.
    fn compare_pairs(&self, pairs: &[(ClassIx, ClassIx)], halves: &mut PairComparer<'_>, sides: &mut Sides) {
        let members = |class: ClassIx| self.network.classes.at(class).members.as_slice();
        let Some((from, [sender, ..])) = pairs.first().map(|(from, _)| (*from, members(*from))) else {
            return;
        };
        let near = halves.near(*sender, Direction::Out);
        for &(_, to) in pairs {
            // Nobody sends to himself.
            let Some(receiver) = members(to).iter().find(|receiver| *receiver != sender) else { continue };
            let far = halves.near(*receiver, Direction::In);
            let Some(bounds_of) = halves.between(&mut sides.interner, &near, &far) else { continue };
            let own = if from == to { members(from).len() } else { 0 };
            let count = members(from).len() * members(to).len() - own;
            let ends = (End::Role(self.role(*sender)), End::Role(self.role(*receiver)));
            for (side, bounds) in sides.lost(bounds_of) {
                sides.add(side, ends.clone(), bounds, count);
            }
        }
    }

    /// All addresses outside that a changed rule names, cut where something else changes for a carrier of its group.
    fn pieces(&self, changed: &[(SecurityGroupId, RuleIdentity)], cidrs: &[Cidr]) -> BTreeSet<Piece> {
        let cx = self.context();
        let mut pieces = BTreeSet::new();
        for (group, rule) in changed {
            let prefixes = self.prefixes(&rule.peer);
            for class in if prefixes.is_empty() { BTreeSet::new() } else { self.carriers(group) } {
                let Some(&interface) = self.network.classes.at(class).members.first() else { continue };
                for prefix in &prefixes {
                    let family = prefix.family();
                    let addresses = &self.network.interfaces.at(interface).addresses;
                    if !addresses.iter().any(|own| ranges::family(own.address) == family) {
                        continue;
                    }
                    for outside in std::iter::once(&Outside::Internet).chain(remotes::remotes(cx)) {
                        let range = Ranges::of(family, [*prefix]).and(&remotes::behind(cx, outside, family));
                        let cuts =
                            address_space::cuts(cx, interface).into_iter().chain(cidrs.iter().copied());
                        pieces.extend(range.cut(cuts).into_iter().map(|(first, last)| Piece {
                            class,
                            outside: outside.clone(),
                            family,
                            first,
                            last,
                            direction: rule.direction,
                        }));
                    }
                }
            }
        }
        pieces
    }

    fn passing(&self, piece: &Piece) -> Bounds {
        let interface = self.network.classes.at(piece.class).members.first();
        let address = ranges::address(piece.family, piece.first);
        interface.map_or_else(Bounds::none, |interface| {
            round_trip::across(self.context(), &piece.outside, address, *interface, piece.direction)
        })
    }

    fn compare_piece(&self, piece: &Piece, before: &Bounds, sides: &mut Sides) {
        let after = self.passing(piece);
        let interfaces = &self.network.classes.at(piece.class).members;
        let Some(interface) = interfaces.first().filter(|_| *before != after) else { return };
        let (end, role) = (piece.outside.end(), End::Role(self.role(*interface)));
        let ends = if piece.direction == Direction::In { (end, role) } else { (role, end) };
        let bounds_of = [before, &after].map(|bounds| sides.interner.bounds(bounds));
        for (side, bounds) in sides.lost(bounds_of) {
            let gathered = sides.add(side, ends.clone(), bounds, interfaces.len());
            gathered.reach(piece.family, piece.first, piece.last);
        }
    }
}
