//! All pairs at once: for one receiver after the other, everybody who gets through to it.
//!
//! What a pair comes to is the path between two vantages (a subnet, and where an address stands among the prefixes of
//! routes and network ACLs), what the sender's rules let out, and what the receiver's let in. Rules by address
//! depend only on which prefixes an address is in, so senders that agree in all of that are one bundle, looked at
//! once. Rules by group are few for each receiver and are looked at one by one, on top of their bundle.

pub(crate) mod exposure;
pub(crate) mod listing;
mod references;
pub(crate) mod subnet_paths;
pub(crate) mod totals;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::net::{Family, ranges};
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::flows::intern::{BoundsIx, FlowsIx, Interner};
use crate::reach::matrix::subnet_paths::{SubnetPath, SubnetPaths, VantageIx};
use crate::reach::network::address_map::AddressMap;
use crate::reach::network::equivalence;
use crate::reach::network::interfaces::{InterfaceKind, PacketEnd};
use crate::reach::network::table::{ClassIx, GroupIx, Index, InterfaceIx, SetIx, Table, index};
use crate::reach::trace::hop::load_balancer;
use crate::reach::trace::round_trip;
use crate::reach::trace::steps::Detail;

index!(EndIx BundleIx OutIx AtomIx);

/// An address of the interface that stands for a class.
#[derive(Debug)]
struct Node {
    class: ClassIx,
    packet_end: PacketEnd,
    family: Family,
    set: SetIx,
    kind: InterfaceKind,
    vantage: VantageIx,
    out: OutIx,
}

/// Senders that differ at most in the groups that they carry.
#[derive(Debug)]
struct Bundle {
    vantage: VantageIx,
    atom: AtomIx,
    out: OutIx,
    members: Vec<EndIx>,
}

/// Everything that does not depend on the receiver.
pub(crate) struct Matrix<'a> {
    cx: Context<'a>,
    pub(crate) interner: Interner,
    nodes: Table<EndIx, Node>,
    of_class: Vec<Vec<EndIx>>,
    bundles: Table<BundleIx, Bundle>,
    paths: SubnetPaths,
    atoms: Table<AtomIx, IpAddr>,
    outs: Table<OutIx, (SetIx, InterfaceKind)>,
    /// For each vantage, the bundles with a way to it.
    ways_to: HashMap<VantageIx, Vec<(BundleIx, SubnetPath)>>,
    /// Classes by the groups that their interfaces carry, and by those that their outbound rules name.
    carriers: HashMap<GroupIx, Vec<ClassIx>>,
    naming: HashMap<GroupIx, Vec<(ClassIx, FlowsIx)>>,
    /// Classes of nodes of load balancers.
    balancing: BTreeSet<ClassIx>,
    row: Vec<BoundsIx>,
    touched: Vec<ClassIx>,
}

impl<'a> Matrix<'a> {
    pub(crate) fn new(cx: Context<'a>) -> Self {
        let mut matrix = Self {
            cx,
            interner: Interner::default(),
            nodes: Table::default(),
            of_class: Vec::new(),
            bundles: Table::default(),
            paths: SubnetPaths::default(),
            atoms: Table::default(),
            outs: Table::default(),
            ways_to: HashMap::new(),
            carriers: HashMap::new(),
            naming: HashMap::new(),
            balancing: BTreeSet::new(),
            row: vec![BoundsIx::NONE; cx.network.classes.len()],
            touched: Vec::new(),
        };
        matrix.lay_out();
        matrix.reference();
        matrix
    }

    fn lay_out(&mut self) {
        let network = self.cx.network;
        let atoms_now;
        let named = match &network.atoms {
            Some(atoms) => atoms,
            None => {
                atoms_now = equivalence::atoms(network);
                &atoms_now
            }
        };
        let mut atoms: HashMap<(Family, u32), AtomIx> = HashMap::new();
        let mut outs: HashMap<(&AddressMap<Bounds>, InterfaceKind), OutIx> = HashMap::new();
        let mut bundles: HashMap<(VantageIx, AtomIx, OutIx), BundleIx> = HashMap::new();
        for (class, members) in network.classes.enumerate() {
            let mut packet_ends = Vec::new();
            let Some(&index) = members.members.first() else { continue };
            let interface = network.interfaces.at(index);
            for own in &interface.addresses {
                let family = ranges::family(own.address);
                let packet_end = PacketEnd::of(index, *own);
                let vantage = self.paths.of(self.cx, packet_end);
                let number = self.atoms.len();
                let at = named.at(own.address).copied();
                let atom =
                    *atoms.entry((family, at.unwrap_or(u32::MAX))).or_insert_with(|| AtomIx::new(number));
                if atom.number() == number {
                    self.atoms.push(own.address);
                }
                let kind = interface.kind;
                let number = self.outs.len();
                let line = &network.sets.at(interface.set).outward;
                let out = *outs.entry((line, kind)).or_insert_with(|| OutIx::new(number));
                if out.number() == number {
                    self.outs.push((interface.set, kind));
                }
                let node = self.nodes.push(Node {
                    class,
                    packet_end,
                    family,
                    set: interface.set,
                    kind,
                    vantage,
                    out,
                });
                packet_ends.push(node);
                if !interface.kind.starts() {
                    continue;
                }
                let bundle = bundles
                    .entry((vantage, atom, out))
                    .or_insert_with(|| self.bundles.push(Bundle { vantage, atom, out, members: Vec::new() }));
                self.bundles.at_mut(*bundle).members.push(node);
            }
            self.of_class.push(packet_ends);
        }
    }

    /// Everybody who gets through to the interfaces of a class, by class; a class reaches itself between two of it.
    pub(crate) fn row(&mut self, to: ClassIx) -> Vec<(ClassIx, BoundsIx)> {
        let packet_ends = self.of_class.get(to.number()).cloned().unwrap_or_default();
        for packet_end in packet_ends {
            self.receive(packet_end);
        }
        let cx = self.cx;
        let mut row = Vec::with_capacity(self.touched.len());
        for class in std::mem::take(&mut self.touched) {
            let Some(cell) = self.row.get_mut(class.number()) else { continue };
            let bounds = std::mem::replace(cell, BoundsIx::NONE);
            let bounds = self.balanced(class, to, bounds);
            let alone = class == to && cx.network.classes.at(class).members.len() == 1;
            if !bounds.is_none() && !alone {
                row.push((class, bounds));
            }
        }
        row.sort_unstable();
        row
    }

    fn add(&mut self, class: ClassIx, bounds: BoundsIx) {
        let Some(cell) = self.row.get(class.number()).copied() else { return };
        if cell.is_none() {
            self.touched.push(class);
        }
        let sum = self.interner.either(cell, bounds);
        if let Some(cell) = self.row.get_mut(class.number()) {
            *cell = sum;
        }
    }

    fn receive(&mut self, to: EndIx) {
        let cx = self.cx;
        let node = self.nodes.at(to);
        let (kind, vantage, family, address, set_ix) =
            (node.kind, node.vantage, node.family, node.packet_end.own.address, node.set);
        if !kind.takes_in() {
            return;
        }
        let set = cx.network.sets.at(set_ix);
        let universe = self.interner.number(&Flows::of_family(family));
        let everything = BoundsIx { must: universe, may: universe };
        let mut lets_in: HashMap<AtomIx, BoundsIx> = HashMap::new();
        let mut lets_out: HashMap<OutIx, BoundsIx> = HashMap::new();
        if !self.ways_to.contains_key(&vantage) {
            self.paths_to_vantage(vantage);
        }
        let ways = self.ways_to.remove(&vantage).unwrap_or_default();
        for (bundle, cell) in &ways {
            let node = self.bundles.at(*bundle);
            let (atom, out) = (node.atom, node.out);
            if cell.alone {
                self.one_by_one(*bundle, to);
                continue;
            }
            let inward = match (kind, cell.seen) {
                (InterfaceKind::Open, _) => everything,
                (_, Some(seen)) => self.lets(&set.inward, seen, everything),
                (_, None) => match lets_in.get(&atom) {
                    Some(known) => *known,
                    None => {
                        let bounds = self.lets(&set.inward, *self.atoms.at(atom), everything);
                        lets_in.insert(atom, bounds);
                        bounds
                    }
                },
            };
            if inward.is_none() {
                continue;
            }
            let outward = self.lets_out(out, address, everything, &mut lets_out);
            let bounds = self.interner.both(inward, outward);
            let bounds = self.interner.both(bounds, cell.bounds);
            if bounds.is_none() {
                continue;
            }
            for member in self.bundles.at(*bundle).members.clone() {
                let class = self.nodes.at(member).class;
                self.add(class, bounds);
            }
        }
        self.ways_to.insert(vantage, ways);
        if kind != InterfaceKind::Open {
            self.by_groups(to, everything, &mut lets_out);
        }
    }

    /// What a line lets through at an address, cut to the family.
    fn lets(&mut self, line: &AddressMap<Bounds>, at: IpAddr, everything: BoundsIx) -> BoundsIx {
        let bounds = line.at(at).cloned().unwrap_or_else(Bounds::none);
        let bounds = self.interner.bounds(&bounds);
        self.interner.both(bounds, everything)
    }

    fn lets_out(
        &mut self,
        out: OutIx,
        to: IpAddr,
        everything: BoundsIx,
        known: &mut HashMap<OutIx, BoundsIx>,
    ) -> BoundsIx {
        if let Some(known) = known.get(&out) {
            return *known;
        }
        let (set, kind) = *self.outs.at(out);
        let bounds = match kind {
            InterfaceKind::Open | InterfaceKind::NatGateway => everything,
            _ => self.lets(&self.cx.network.sets.at(set).outward, to, everything),
        };
        known.insert(out, bounds);
        bounds
    }

    /// The bundles with a way to a vantage, and what each way lets through.
    fn paths_to_vantage(&mut self, to: VantageIx) {
        let family = self.paths.family(to);
        let mut ways = Vec::new();
        let bundles: Vec<(BundleIx, VantageIx)> =
            self.bundles.enumerate().map(|(index, bundle)| (index, bundle.vantage)).collect();
        for (bundle, from) in bundles {
            if self.paths.family(from) != family {
                continue;
            }
            let cell = self.cell(from, to);
            if !cell.is_shut() {
                ways.push((bundle, cell));
            }
        }
        self.ways_to.insert(to, ways);
    }

    fn cell(&mut self, from: VantageIx, to: VantageIx) -> SubnetPath {
        self.paths.cell(self.cx, &mut self.interner, from, to)
    }

    /// Senders that an appliance on the way asks for, or that rules name by their groups.
    fn one_by_one(&mut self, bundle: BundleIx, to: EndIx) {
        for member in self.bundles.at(bundle).members.clone() {
            let (sender, class) = (self.nodes.at(member).packet_end, self.nodes.at(member).class);
            let receiver = self.other_of(to, sender.interface);
            let round_trip = round_trip::between(self.cx, sender, receiver, Detail::Sum);
            let bounds = self.interner.bounds(&round_trip.bounds);
            if !bounds.is_none() {
                self.add(class, bounds);
            }
        }
    }

    /// The packet_end itself, or that of another interface of its class where the sender is the same.
    fn other_of(&self, to: EndIx, sender: InterfaceIx) -> PacketEnd {
        let node = self.nodes.at(to);
        if node.packet_end.interface != sender {
            return node.packet_end;
        }
        let members = &self.cx.network.classes.at(node.class).members;
        let Some(&other) = members.iter().find(|member| **member != sender) else { return node.packet_end };
        let position = self
            .cx
            .network
            .interfaces
            .at(sender)
            .addresses
            .iter()
            .position(|own| *own == node.packet_end.own);
        let own = position.and_then(|at| self.cx.network.interfaces.at(other).addresses.get(at));
        PacketEnd::of(other, own.copied().unwrap_or(node.packet_end.own))
    }

    /// What load balancers at either end leave of it.
    fn balanced(&mut self, from: ClassIx, to: ClassIx, bounds: BoundsIx) -> BoundsIx {
        if !self.balancing.contains(&from) && !self.balancing.contains(&to) {
            return bounds;
        }
        let cx = self.cx;
        let first = |class: ClassIx| cx.network.classes.at(class).members.first().copied();
        let (Some(sender), Some(receiver)) = (first(from), first(to)) else { return bounds };
        let own = cx.network.interfaces.at(receiver).addresses.first();
        let met = own.and_then(|own| load_balancer::limits(cx, sender, receiver, own.address));
        match met {
            Some(met) => {
                let met = self.interner.bounds(&met);
                self.interner.both(bounds, met)
            }
            None => bounds,
        }
    }
}
