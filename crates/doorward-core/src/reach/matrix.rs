//! All pairs at once: for one receiver after the other, everybody who gets through to it.
//!
//! What a pair comes to is the way between two loci (a subnet, and where an address stands among the prefixes of
//! routes and network ACLs), what the sender's rules let out, and what the receiver's let in. Rules by address
//! depend only on which prefixes an address is in, so senders that agree in all of that are one bundle, looked at
//! once. Rules by group are few for each receiver and are looked at one by one, on top of their bundle.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::Flows;
use super::class;
use super::host::HostKind;
use super::intern::{FlowsIx, Interner, SpanIx};
use super::line::Line;
use super::loci::{Cell, Loci, LocusIx};
use super::passage::Spot;
use super::span::Span;
use super::stage::Detail;
use super::table::{ClassIx, GroupIx, HostIx, Index, SetIx, Table, index};
use super::walk::{References, Walk};
use crate::net::Family;
use crate::net::ranges;

index!(SpotIx BundleIx OutIx AtomIx);

/// An address of the host that stands for a class.
#[derive(Debug)]
struct Node {
    class: ClassIx,
    spot: Spot,
    family: Family,
    set: SetIx,
    kind: HostKind,
    locus: LocusIx,
    out: OutIx,
}

/// Senders that differ at most in the groups that they carry.
#[derive(Debug)]
struct Bundle {
    locus: LocusIx,
    atom: AtomIx,
    out: OutIx,
    members: Vec<SpotIx>,
}

/// Everything that does not depend on the receiver.
pub(super) struct Matrix<'a> {
    walk: Walk<'a>,
    pub(super) interner: Interner,
    nodes: Table<SpotIx, Node>,
    of_class: Vec<Vec<SpotIx>>,
    bundles: Table<BundleIx, Bundle>,
    loci: Loci,
    atoms: Table<AtomIx, IpAddr>,
    outs: Table<OutIx, (SetIx, HostKind)>,
    /// For each locus, the bundles with a way to it.
    ways_to: HashMap<LocusIx, Vec<(BundleIx, Cell)>>,
    /// Classes by the groups that their hosts carry, and by those that their outbound rules name.
    carriers: HashMap<GroupIx, Vec<ClassIx>>,
    naming: HashMap<GroupIx, Vec<(ClassIx, FlowsIx)>>,
    /// Classes of nodes of load balancers.
    balancing: BTreeSet<ClassIx>,
    row: Vec<SpanIx>,
    touched: Vec<ClassIx>,
}

impl<'a> Matrix<'a> {
    pub(super) fn new(walk: Walk<'a>) -> Self {
        let mut matrix = Self {
            walk,
            interner: Interner::default(),
            nodes: Table::default(),
            of_class: Vec::new(),
            bundles: Table::default(),
            loci: Loci::default(),
            atoms: Table::default(),
            outs: Table::default(),
            ways_to: HashMap::new(),
            carriers: HashMap::new(),
            naming: HashMap::new(),
            balancing: BTreeSet::new(),
            row: vec![SpanIx::NONE; walk.network.classes.len()],
            touched: Vec::new(),
        };
        matrix.lay_out();
        matrix.reference();
        matrix
    }

    fn lay_out(&mut self) {
        let network = self.walk.network;
        let atoms_now;
        let named = match &network.atoms {
            Some(atoms) => atoms,
            None => {
                atoms_now = class::atoms(network);
                &atoms_now
            }
        };
        let mut atoms: HashMap<(Family, u32), AtomIx> = HashMap::new();
        let mut outs: HashMap<(&Line<Span>, HostKind), OutIx> = HashMap::new();
        let mut bundles: HashMap<(LocusIx, AtomIx, OutIx), BundleIx> = HashMap::new();
        for (class, members) in network.classes.enumerate() {
            let mut spots = Vec::new();
            let Some(&index) = members.members.first() else { continue };
            let host = network.hosts.at(index);
            for point in &host.points {
                let family = ranges::family(point.address);
                let spot = Spot { host: index, point: *point };
                let locus = self.loci.of(self.walk, spot);
                let number = self.atoms.len();
                let at = named.at(point.address).copied();
                let atom =
                    *atoms.entry((family, at.unwrap_or(u32::MAX))).or_insert_with(|| AtomIx::new(number));
                if atom.number() == number {
                    self.atoms.push(point.address);
                }
                let kind = host.kind;
                let number = self.outs.len();
                let line = &network.sets.at(host.set).outward;
                let out = *outs.entry((line, kind)).or_insert_with(|| OutIx::new(number));
                if out.number() == number {
                    self.outs.push((host.set, kind));
                }
                let node = self.nodes.push(Node { class, spot, family, set: host.set, kind, locus, out });
                spots.push(node);
                if host.kind == HostKind::InterfaceEndpoint {
                    continue;
                }
                let bundle = bundles
                    .entry((locus, atom, out))
                    .or_insert_with(|| self.bundles.push(Bundle { locus, atom, out, members: Vec::new() }));
                self.bundles.at_mut(*bundle).members.push(node);
            }
            self.of_class.push(spots);
        }
    }

    fn reference(&mut self) {
        let network = self.walk.network;
        for (class, members) in network.classes.enumerate() {
            let Some(host) = members.members.first().map(|host| network.hosts.at(*host)) else { continue };
            if host.balancer.is_some() {
                self.balancing.insert(class);
            }
            let set = network.sets.at(host.set);
            for group in &set.groups {
                self.carriers.entry(*group).or_default().push(class);
            }
            for (group, flows) in &set.out_to {
                let flows = self.interner.number(flows);
                self.naming.entry(*group).or_default().push((class, flows));
            }
        }
    }

    /// Everybody who gets through to the hosts of a class, by class; a class reaches itself between two of it.
    pub(super) fn row(&mut self, to: ClassIx) -> Vec<(ClassIx, SpanIx)> {
        let spots = self.of_class.get(to.number()).cloned().unwrap_or_default();
        for spot in spots {
            self.receive(spot);
        }
        let walk = self.walk;
        let mut row = Vec::with_capacity(self.touched.len());
        for class in std::mem::take(&mut self.touched) {
            let Some(cell) = self.row.get_mut(class.number()) else { continue };
            let span = std::mem::replace(cell, SpanIx::NONE);
            let span = self.balanced(class, to, span);
            let alone = class == to && walk.network.classes.at(class).members.len() == 1;
            if !span.is_none() && !alone {
                row.push((class, span));
            }
        }
        row.sort_unstable();
        row
    }

    fn add(&mut self, class: ClassIx, span: SpanIx) {
        let Some(cell) = self.row.get(class.number()).copied() else { return };
        if cell.is_none() {
            self.touched.push(class);
        }
        let sum = self.interner.either(cell, span);
        if let Some(cell) = self.row.get_mut(class.number()) {
            *cell = sum;
        }
    }

    fn receive(&mut self, to: SpotIx) {
        let walk = self.walk;
        let node = self.nodes.at(to);
        let (kind, locus, family, address, set_ix) =
            (node.kind, node.locus, node.family, node.spot.point.address, node.set);
        if kind == HostKind::NatGateway {
            return;
        }
        let set = walk.network.sets.at(set_ix);
        let universe = self.interner.number(&Flows::of_family(family));
        let everything = SpanIx { sure: universe, maybe: universe };
        let mut lets_in: HashMap<AtomIx, SpanIx> = HashMap::new();
        let mut lets_out: HashMap<OutIx, SpanIx> = HashMap::new();
        if !self.ways_to.contains_key(&locus) {
            self.ways_to_locus(locus);
        }
        let ways = self.ways_to.remove(&locus).unwrap_or_default();
        for (bundle, cell) in &ways {
            let node = self.bundles.at(*bundle);
            let (atom, out) = (node.atom, node.out);
            if cell.alone {
                self.one_by_one(*bundle, to);
                continue;
            }
            let inward = match (kind, cell.seen) {
                (HostKind::Open, _) => everything,
                (_, Some(seen)) => self.lets(&set.inward, seen, everything),
                (_, None) => match lets_in.get(&atom) {
                    Some(known) => *known,
                    None => {
                        let span = self.lets(&set.inward, *self.atoms.at(atom), everything);
                        lets_in.insert(atom, span);
                        span
                    }
                },
            };
            if inward.is_none() {
                continue;
            }
            let outward = self.lets_out(out, address, everything, &mut lets_out);
            let span = self.interner.both(inward, outward);
            let span = self.interner.both(span, cell.span);
            if span.is_none() {
                continue;
            }
            for member in self.bundles.at(*bundle).members.clone() {
                let class = self.nodes.at(member).class;
                self.add(class, span);
            }
        }
        self.ways_to.insert(locus, ways);
        if kind != HostKind::Open {
            self.by_groups(to, everything, &mut lets_out);
        }
    }

    /// What a line lets through at an address, cut to the family.
    fn lets(&mut self, line: &Line<Span>, at: IpAddr, everything: SpanIx) -> SpanIx {
        let span = line.at(at).cloned().unwrap_or_else(Span::none);
        let span = self.interner.span(&span);
        self.interner.both(span, everything)
    }

    fn lets_out(
        &mut self,
        out: OutIx,
        to: IpAddr,
        everything: SpanIx,
        known: &mut HashMap<OutIx, SpanIx>,
    ) -> SpanIx {
        if let Some(known) = known.get(&out) {
            return *known;
        }
        let (set, kind) = *self.outs.at(out);
        let span = match kind {
            HostKind::Open | HostKind::NatGateway => everything,
            _ => self.lets(&self.walk.network.sets.at(set).outward, to, everything),
        };
        known.insert(out, span);
        span
    }

    /// The bundles with a way to a locus, and what each way lets through.
    fn ways_to_locus(&mut self, to: LocusIx) {
        let family = self.loci.family(to);
        let mut ways = Vec::new();
        let bundles: Vec<(BundleIx, LocusIx)> =
            self.bundles.enumerate().map(|(index, bundle)| (index, bundle.locus)).collect();
        for (bundle, from) in bundles {
            if self.loci.family(from) != family {
                continue;
            }
            let cell = self.cell(from, to);
            if !cell.is_shut() {
                ways.push((bundle, cell));
            }
        }
        self.ways_to.insert(to, ways);
    }

    fn cell(&mut self, from: LocusIx, to: LocusIx) -> Cell {
        self.loci.cell(self.walk, &mut self.interner, from, to)
    }

    /// Senders that an appliance on the way asks for, or that rules name by their groups.
    fn one_by_one(&mut self, bundle: BundleIx, to: SpotIx) {
        for member in self.bundles.at(bundle).members.clone() {
            let (sender, class) = (self.nodes.at(member).spot, self.nodes.at(member).class);
            let receiver = self.other_of(to, sender.host);
            let passage = self.walk.between(sender, receiver, Detail::Sum);
            let span = self.interner.span(&passage.span);
            if !span.is_none() {
                self.add(class, span);
            }
        }
    }

    /// The spot itself, or that of another host of its class where the sender is the same.
    fn other_of(&self, to: SpotIx, sender: HostIx) -> Spot {
        let node = self.nodes.at(to);
        if node.spot.host != sender {
            return node.spot;
        }
        let members = &self.walk.network.classes.at(node.class).members;
        let Some(&other) = members.iter().find(|member| **member != sender) else { return node.spot };
        let position =
            self.walk.network.hosts.at(sender).points.iter().position(|point| *point == node.spot.point);
        let point = position.and_then(|at| self.walk.network.hosts.at(other).points.get(at));
        Spot { host: other, point: point.copied().unwrap_or(node.spot.point) }
    }

    /// What rules by group add, on either side.
    fn by_groups(&mut self, to: SpotIx, everything: SpanIx, lets_out: &mut HashMap<OutIx, SpanIx>) {
        let walk = self.walk;
        let node = self.nodes.at(to);
        let (set_ix, locus, address, family) = (node.set, node.locus, node.spot.point.address, node.family);
        let set = walk.network.sets.at(set_ix);
        let mut extra: HashMap<ClassIx, (FlowsIx, FlowsIx)> = HashMap::new();
        for (group, flows) in &set.in_from {
            let flows = self.interner.number(flows);
            for class in self.carriers.get(group).cloned().unwrap_or_default() {
                let entry = extra.entry(class).or_insert((FlowsIx::NONE, FlowsIx::NONE));
                entry.0 = self.interner.union(entry.0, flows);
            }
        }
        for group in &set.groups {
            for (class, flows) in self.naming.get(group).cloned().unwrap_or_default() {
                let entry = extra.entry(class).or_insert((FlowsIx::NONE, FlowsIx::NONE));
                entry.1 = self.interner.union(entry.1, flows);
            }
        }
        for (class, (inbound, outbound)) in extra {
            for spot in self.of_class.get(class.number()).cloned().unwrap_or_default() {
                let sender = self.nodes.at(spot);
                let (from, atom_address, out, kind) =
                    (sender.locus, sender.spot.point.address, sender.out, sender.kind);
                if sender.family != family || kind == HostKind::InterfaceEndpoint {
                    continue;
                }
                let cell = self.cell(from, locus);
                if cell.span.is_none() || cell.alone {
                    continue;
                }
                let seen = cell.seen.unwrap_or(atom_address);
                let mut inward = self.lets(&set.inward, seen, everything);
                if cell.references >= References::Inbound {
                    inward = self.interner.either(inward, SpanIx { sure: inbound, maybe: inbound });
                }
                let mut outward = self.lets_out(out, address, everything, lets_out);
                if cell.references == References::Kept {
                    outward = self.interner.either(outward, SpanIx { sure: outbound, maybe: outbound });
                }
                let span = self.interner.both(inward, outward);
                let span = self.interner.both(span, cell.span);
                if !span.is_none() {
                    self.add(class, span);
                }
            }
        }
    }

    /// What load balancers at either end leave of it.
    fn balanced(&mut self, from: ClassIx, to: ClassIx, span: SpanIx) -> SpanIx {
        if !self.balancing.contains(&from) && !self.balancing.contains(&to) {
            return span;
        }
        let walk = self.walk;
        let first = |class: ClassIx| walk.network.classes.at(class).members.first().copied();
        let (Some(sender), Some(receiver)) = (first(from), first(to)) else { return span };
        let point = walk.network.hosts.at(receiver).points.first();
        let met = point.and_then(|point| walk.balanced(sender, receiver, point.address));
        match met {
            Some(met) => {
                let met = self.interner.span(&met);
                self.interner.both(span, met)
            }
            None => span,
        }
    }
}
