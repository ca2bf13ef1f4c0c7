//! All pairs at once: for one receiver after the other, everybody who gets through to it.
//!
//! What a pair comes to is the path between two vantages (a subnet, and where an address stands among the prefixes of
//! routes and network ACLs), what the sender's rules let out, and what the receiver's let in. Rules by address
//! depend only on which prefixes an address is in, so senders that agree in all of that are one bundle, looked at
//! once, and only where a rule of the receiver names its address. Rules by group are few for each receiver and are looked
//! at one by one, on top of their bundle.

mod components;
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
use crate::reach::flows::intern::{BoundsIx, FastMap, FlowsIx, Interner};
use crate::reach::matrix::components::{ComponentIx, Components};
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
    /// What interfaces send by address.
    outs: Table<OutIx, AddressMap<BoundsIx>>,
    components: Components,
    /// The bundles of each component, in the order of their addresses.
    by_address: HashMap<(ComponentIx, Family), Vec<(u128, BundleIx)>>,
    /// Whether packets of a component may get another source on their path to a vantage.
    translated: FastMap<(ComponentIx, VantageIx), bool>,
    /// What the rules of each set let in by address.
    inward: FastMap<SetIx, AddressMap<BoundsIx>>,
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
            components: Components::of(cx),
            by_address: HashMap::new(),
            translated: FastMap::default(),
            inward: FastMap::default(),
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
                    self.outs.push(match kind {
                        InterfaceKind::Open | InterfaceKind::NatGateway => {
                            let everything = BoundsIx::exact(self.interner.number(&Flows::all()));
                            AddressMap::new(&[], |_| everything)
                        }
                        _ => line.map(|bounds| self.interner.bounds(bounds)),
                    });
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
        for (index, bundle) in self.bundles.enumerate() {
            let address = *self.atoms.at(bundle.atom);
            let component = self.components.with(self.paths.vpc(self.cx, bundle.vantage));
            if let Some(component) = component {
                let key = (component, ranges::family(address));
                self.by_address.entry(key).or_default().push((ranges::number(address), index));
            }
        }
        for bundles in self.by_address.values_mut() {
            bundles.sort_unstable();
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
        let node = self.nodes.at(to);
        let (kind, vantage, family, address, set) =
            (node.kind, node.vantage, node.family, node.packet_end.own.address, node.set);
        if !kind.takes_in() {
            return;
        }
        let everything = BoundsIx::exact(self.interner.number(&Flows::of_family(family)));
        let inward = self.inward_of(set);
        for bundle in self.senders(to, &inward) {
            let node = self.bundles.at(bundle);
            let (from, out) = (node.vantage, node.out);
            let sender = *self.atoms.at(node.atom);
            let cell = self.cell(from, vantage);
            if cell.is_shut() {
                continue;
            }
            if cell.alone {
                self.one_by_one(bundle, to);
                continue;
            }
            let lets_in = match kind {
                InterfaceKind::Open => everything,
                _ => self.lets(&inward, cell.seen.unwrap_or(sender), everything),
            };
            if lets_in.is_none() {
                continue;
            }
            let lets_out = self.lets_out(out, address, everything);
            let bounds = self.interner.both(lets_in, lets_out);
            let bounds = self.interner.both(bounds, cell.bounds);
            if bounds.is_none() {
                continue;
            }
            let members = std::mem::take(&mut self.bundles.at_mut(bundle).members);
            for member in &members {
                let class = self.nodes.at(*member).class;
                let bounds = self.balanced(*member, to, bounds);
                self.add(class, bounds);
            }
            self.bundles.at_mut(bundle).members = members;
        }
        if kind != InterfaceKind::Open {
            self.by_groups(to, &inward, everything);
        }
        self.inward.insert(set, inward);
    }

    /// What the rules of a set let in by address; to be given back.
    fn inward_of(&mut self, set: SetIx) -> AddressMap<BoundsIx> {
        let known = self.inward.remove(&set);
        known
            .unwrap_or_else(|| self.cx.network.sets.at(set).inward.map(|bounds| self.interner.bounds(bounds)))
    }

    /// The bundles that rules by address may admit. Where no packet gets another source on its path, these are those with
    /// an address that some rule names, of all whose packets may get there.
    fn senders(&mut self, to: EndIx, inward: &AddressMap<BoundsIx>) -> Vec<BundleIx> {
        let cx = self.cx;
        let node = self.nodes.at(to);
        let (family, vantage, address) = (node.family, node.vantage, node.packet_end.own.address);
        let all = node.kind == InterfaceKind::Open;
        let vpc = cx.network.interfaces.at(node.packet_end.interface).vpc;
        let mut senders = Vec::new();
        for component in self.components.leading_to(vpc) {
            let Some(bundles) = self.by_address.get(&(component, family)) else { continue };
            let translated = *self
                .translated
                .entry((component, vantage))
                .or_insert_with(|| self.components.may_translate(cx, component, address));
            if all || translated {
                senders.extend(bundles.iter().map(|(_, bundle)| *bundle));
                continue;
            }
            for (first, last) in inward.ranges_where(family, |bounds| !bounds.is_none()) {
                let begin = bundles.partition_point(|(at, _)| *at < first);
                let within = bundles.iter().skip(begin).take_while(|(at, _)| *at <= last);
                senders.extend(within.map(|(_, bundle)| *bundle));
            }
        }
        senders
    }

    /// What a line lets through at an address, cut to the family.
    fn lets(&mut self, line: &AddressMap<BoundsIx>, at: IpAddr, everything: BoundsIx) -> BoundsIx {
        let bounds = line.at(at).copied().unwrap_or(BoundsIx::NONE);
        self.interner.both(bounds, everything)
    }

    fn lets_out(&mut self, out: OutIx, to: IpAddr, everything: BoundsIx) -> BoundsIx {
        let bounds = self.outs.at(out).at(to).copied().unwrap_or(BoundsIx::NONE);
        self.interner.both(bounds, everything)
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

    /// What load balancers at either end allow of it.
    pub(super) fn balanced(&mut self, from: EndIx, to: EndIx, bounds: BoundsIx) -> BoundsIx {
        let (sender, receiver) = (self.nodes.at(from), self.nodes.at(to));
        if !self.balancing.contains(&sender.class) && !self.balancing.contains(&receiver.class) {
            return bounds;
        }
        let (sender, receiver) = (sender.packet_end, receiver.packet_end);
        match load_balancer::limits(self.cx, sender.interface, receiver.interface, receiver.own.address) {
            Some(met) => {
                let met = self.interner.bounds(&met);
                self.interner.both(bounds, met)
            }
            None => bounds,
        }
    }
}
