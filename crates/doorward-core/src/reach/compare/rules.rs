//! Re-evaluates only the security groups of each pair after a rule change; the path between them is reused.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use crate::inventory::Direction;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::intern::{BoundsIx, FastMap, FlowsIx, Interner};
use crate::reach::matrix::subnet_paths::{self, SubnetPath, SubnetPaths, VantageIx};
use crate::reach::network::address_map::AddressMap;
use crate::reach::network::interfaces::{InterfaceKind, PacketEnd};
use crate::reach::network::security_groups::GroupSet;
use crate::reach::network::table::{GroupIx, InterfaceIx, SetIx};
use crate::reach::trace::References;
use crate::reach::trace::hop::load_balancer;

/// What a set of groups lets through in one direction.
#[derive(Debug)]
struct Rules {
    by_address: AddressMap<BoundsIx>,
    by_group: Vec<(GroupIx, FlowsIx)>,
}

impl Rules {
    fn of(set: &GroupSet, direction: Direction, interner: &mut Interner) -> Self {
        let (by_address, by_group) = match direction {
            Direction::In => (&set.inward, &set.in_from),
            Direction::Out => (&set.outward, &set.out_to),
        };
        Self {
            by_address: by_address.map(|bounds| interner.bounds(bounds)),
            by_group: by_group.iter().map(|(group, flows)| (*group, interner.number(flows))).collect(),
        }
    }

    /// The same for everybody.
    fn always(bounds: BoundsIx) -> Self {
        Self { by_address: AddressMap::new(&[], |_| bounds), by_group: Vec::new() }
    }

    /// For an address, and the groups that its interface carries where that is known here.
    fn at(&self, interner: &mut Interner, other: IpAddr, carried: Option<&[GroupIx]>) -> BoundsIx {
        let mut bounds = self.by_address.at(other).copied().unwrap_or(BoundsIx::NONE);
        let Some(carried) = carried else { return bounds };
        for (_, flows) in self.by_group.iter().filter(|(group, _)| carried.contains(group)) {
            bounds = interner.either(bounds, BoundsIx::exact(*flows));
        }
        bounds
    }
}

/// What a set of groups let through before, where that was otherwise, and lets through now.
#[derive(Debug)]
struct RulesBeforeAndAfter {
    before: Option<Rules>,
    after: Rules,
}

impl RulesBeforeAndAfter {
    fn at(&self, interner: &mut Interner, other: IpAddr, carried: Option<&[GroupIx]>) -> [BoundsIx; 2] {
        let after = self.after.at(interner, other, carried);
        let before = self.before.as_ref().map(|rules| rules.at(interner, other, carried));
        [before.unwrap_or(after), after]
    }
}

/// One end of pairs.
#[derive(Debug)]
pub(crate) struct PairEnd<'a> {
    interface: InterfaceIx,
    packet_ends: Vec<(PacketEnd, VantageIx)>,
    groups: &'a [GroupIx],
    /// Whether the change may let something else through here.
    touched: bool,
    key: (SetIx, InterfaceKind, Direction),
    half: OnceCell<Rc<RulesBeforeAndAfter>>,
}

/// Pairs that are looked at before and after, with all that they share.
#[derive(Debug)]
pub(crate) struct PairComparer<'a> {
    cx: Context<'a>,
    old: &'a HashMap<SetIx, GroupSet>,
    paths: SubnetPaths,
    halves: FastMap<(SetIx, InterfaceKind, Direction), Rc<RulesBeforeAndAfter>>,
    near: FastMap<(InterfaceIx, Direction), Rc<PairEnd<'a>>>,
}

impl<'a> PairComparer<'a> {
    /// `cx` is that after the change, and `old` has the sets that it changed, as they were.
    pub(crate) fn new(cx: Context<'a>, old: &'a HashMap<SetIx, GroupSet>) -> Self {
        Self { cx, old, paths: SubnetPaths::default(), halves: FastMap::default(), near: FastMap::default() }
    }

    /// A interface as one end: as the sender with what it lets out, as the receiver with what it lets in.
    pub(crate) fn near(&mut self, index: InterfaceIx, direction: Direction) -> Rc<PairEnd<'a>> {
        if let Some(known) = self.near.get(&(index, direction)) {
            return Rc::clone(known);
        }
        let cx = self.cx;
        let interface = cx.network.interfaces.at(index);
        let packet_ends = interface.addresses.iter().map(|own| {
            let packet_end = PacketEnd::of(index, *own);
            (packet_end, self.paths.of(cx, packet_end))
        });
        let near = Rc::new(PairEnd {
            interface: index,
            packet_ends: packet_ends.collect(),
            groups: cx.network.sets.at(interface.set).groups.as_slice(),
            touched: self.old.contains_key(&interface.set),
            key: (interface.set, interface.kind, direction),
            half: OnceCell::new(),
        });
        self.near.insert((index, direction), Rc::clone(&near));
        near
    }

    /// What passed between two interfaces and what passes now, where that differs.
    pub(crate) fn between(
        &mut self,
        interner: &mut Interner,
        from: &PairEnd<'a>,
        to: &PairEnd<'a>,
    ) -> Option<[BoundsIx; 2]> {
        let mut open = Vec::new();
        let mut differ = false;
        for (a, from_vantage) in &from.packet_ends {
            for (b, to_vantage) in &to.packet_ends {
                if a.own.address.is_ipv4() != b.own.address.is_ipv4() {
                    continue;
                }
                let mut cell = self.paths.cell(self.cx, interner, *from_vantage, *to_vantage);
                if cell.alone {
                    cell = subnet_paths::subnet_path(self.cx, interner, *a, *b);
                }
                if cell.bounds.is_none() {
                    continue;
                }
                let pair = (cell, a.own.address, b.own.address);
                differ |= to.touched && changes(self.inward(interner, from, to, pair));
                differ |= from.touched && changes(self.outward(interner, from, to, pair));
                open.push(pair);
            }
        }
        if !differ {
            return None;
        }
        let mut sums = [BoundsIx::NONE; 2];
        for pair in open {
            let (cell, _, address) = pair;
            let balanced = load_balancer::limits(self.cx, from.interface, to.interface, address);
            let path = match balanced.map(|bounds| interner.bounds(&bounds)) {
                Some(balanced) => interner.both(cell.bounds, balanced),
                None => cell.bounds,
            };
            let inward = self.inward(interner, from, to, pair);
            let outward = self.outward(interner, from, to, pair);
            for (sum, (inward, outward)) in sums.iter_mut().zip(inward.into_iter().zip(outward)) {
                let ends = interner.both(inward, outward);
                let bounds = interner.both(ends, path);
                *sum = interner.either(*sum, bounds);
            }
        }
        changes(sums).then_some(sums)
    }

    /// What the receiver lets in.
    fn inward(
        &mut self,
        interner: &mut Interner,
        from: &PairEnd<'a>,
        to: &PairEnd<'a>,
        (cell, address, _): (SubnetPath, IpAddr, IpAddr),
    ) -> [BoundsIx; 2] {
        let carried = (cell.references >= References::Inbound).then_some(from.groups);
        self.half(interner, to).at(interner, cell.seen.unwrap_or(address), carried)
    }

    /// What the sender lets out.
    fn outward(
        &mut self,
        interner: &mut Interner,
        from: &PairEnd<'a>,
        to: &PairEnd<'a>,
        (cell, _, address): (SubnetPath, IpAddr, IpAddr),
    ) -> [BoundsIx; 2] {
        let carried = (cell.references == References::Kept).then_some(to.groups);
        self.half(interner, from).at(interner, address, carried)
    }

    fn half<'n>(&mut self, interner: &mut Interner, near: &'n PairEnd<'a>) -> &'n RulesBeforeAndAfter {
        near.half.get_or_init(|| {
            let half = self.halves.entry(near.key);
            Rc::clone(half.or_insert_with(|| Rc::new(half_of(self.cx, self.old, interner, near.key))))
        })
    }
}

fn changes([before, after]: [BoundsIx; 2]) -> bool {
    before != after
}

fn half_of(
    cx: Context<'_>,
    old: &HashMap<SetIx, GroupSet>,
    interner: &mut Interner,
    (set, kind, direction): (SetIx, InterfaceKind, Direction),
) -> RulesBeforeAndAfter {
    let always = match (kind, direction) {
        // It starts nothing, or takes in nothing unasked.
        (InterfaceKind::InterfaceEndpoint, Direction::Out)
        | (InterfaceKind::NatGateway, Direction::In)
        | (InterfaceKind::ShutEndpoint, _) => Some(BoundsIx::NONE),
        (InterfaceKind::Open | InterfaceKind::NatGateway, _) => {
            Some(BoundsIx::exact(interner.number(&Flows::all())))
        }
        (InterfaceKind::Ordinary | InterfaceKind::InterfaceEndpoint, _) => None,
    };
    match always {
        Some(bounds) => RulesBeforeAndAfter { before: None, after: Rules::always(bounds) },
        None => RulesBeforeAndAfter {
            before: old.get(&set).map(|set| Rules::of(set, direction, interner)),
            after: Rules::of(cx.network.sets.at(set), direction, interner),
        },
    }
}
