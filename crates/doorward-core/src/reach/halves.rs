//! Pairs before a change of rules and after it: the way stays, and the groups of either end are looked at twice.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::Flows;
use super::host::HostKind;
use super::intern::{FlowsIx, Interner, Known, SpanIx};
use super::line::Line;
use super::loci::{Cell, Loci, LocusIx};
use super::network::GroupSet;
use super::passage::Spot;
use super::table::{GroupIx, HostIx, SetIx};
use super::walk::{References, Walk};
use crate::inventory::Direction;

/// What a set of groups lets through in one direction.
#[derive(Debug)]
struct Rules {
    by_address: Line<SpanIx>,
    by_group: Vec<(GroupIx, FlowsIx)>,
}

impl Rules {
    fn of(set: &GroupSet, direction: Direction, interner: &mut Interner) -> Self {
        let (by_address, by_group) = match direction {
            Direction::In => (&set.inward, &set.in_from),
            Direction::Out => (&set.outward, &set.out_to),
        };
        Self {
            by_address: by_address.map(|span| interner.span(span)),
            by_group: by_group.iter().map(|(group, flows)| (*group, interner.number(flows))).collect(),
        }
    }

    /// The same for everybody.
    fn always(span: SpanIx) -> Self {
        Self { by_address: Line::of_steps(vec![(0, span)], vec![(0, span)]), by_group: Vec::new() }
    }

    /// For an address, and the groups that its host carries where that is known here.
    fn at(&self, interner: &mut Interner, other: IpAddr, carried: Option<&[GroupIx]>) -> SpanIx {
        let mut span = self.by_address.at(other).copied().unwrap_or(SpanIx::NONE);
        let Some(carried) = carried else { return span };
        for (_, flows) in self.by_group.iter().filter(|(group, _)| carried.contains(group)) {
            span = interner.either(span, SpanIx::exact(*flows));
        }
        span
    }
}

/// What a set of groups let through before, where that was otherwise, and lets through now.
#[derive(Debug)]
struct Half {
    before: Option<Rules>,
    after: Rules,
}

impl Half {
    fn at(&self, interner: &mut Interner, other: IpAddr, carried: Option<&[GroupIx]>) -> [SpanIx; 2] {
        let after = self.after.at(interner, other, carried);
        let before = self.before.as_ref().map(|rules| rules.at(interner, other, carried));
        [before.unwrap_or(after), after]
    }
}

/// One end of pairs.
#[derive(Debug)]
pub(super) struct Near<'a> {
    host: HostIx,
    spots: Vec<(Spot, LocusIx)>,
    groups: &'a [GroupIx],
    /// Whether the change may let something else through here.
    touched: bool,
    key: (SetIx, HostKind, Direction),
    half: OnceCell<Rc<Half>>,
}

/// Pairs that are looked at before and after, with all that they share.
#[derive(Debug)]
pub(super) struct Halves<'a> {
    walk: Walk<'a>,
    old: &'a HashMap<SetIx, GroupSet>,
    loci: Loci,
    halves: Known<(SetIx, HostKind, Direction), Rc<Half>>,
    near: Known<(HostIx, Direction), Rc<Near<'a>>>,
}

impl<'a> Halves<'a> {
    /// `walk` is that after the change, and `old` has the sets that it changed, as they were.
    pub(super) fn new(walk: Walk<'a>, old: &'a HashMap<SetIx, GroupSet>) -> Self {
        Self { walk, old, loci: Loci::default(), halves: Known::default(), near: Known::default() }
    }

    /// A host as one end: as the sender with what it lets out, as the receiver with what it lets in.
    pub(super) fn near(&mut self, index: HostIx, direction: Direction) -> Rc<Near<'a>> {
        if let Some(known) = self.near.get(&(index, direction)) {
            return Rc::clone(known);
        }
        let walk = self.walk;
        let host = walk.network.hosts.at(index);
        let spots = host.points.iter().map(|point| {
            let spot = Spot { host: index, point: *point };
            (spot, self.loci.of(walk, spot))
        });
        let near = Rc::new(Near {
            host: index,
            spots: spots.collect(),
            groups: walk.network.sets.at(host.set).groups.as_slice(),
            touched: self.old.contains_key(&host.set),
            key: (host.set, host.kind, direction),
            half: OnceCell::new(),
        });
        self.near.insert((index, direction), Rc::clone(&near));
        near
    }

    /// What passed between two hosts and what passes now, where that differs.
    pub(super) fn between(
        &mut self,
        interner: &mut Interner,
        from: &Near<'a>,
        to: &Near<'a>,
    ) -> Option<[SpanIx; 2]> {
        let mut open = Vec::new();
        let mut differ = false;
        for (a, from_locus) in &from.spots {
            for (b, to_locus) in &to.spots {
                if a.point.address.is_ipv4() != b.point.address.is_ipv4() {
                    continue;
                }
                let mut cell = self.loci.cell(self.walk, interner, *from_locus, *to_locus);
                if cell.alone {
                    cell = self.walk.cell(interner, *a, *b);
                }
                if cell.span.is_none() {
                    continue;
                }
                let pair = (cell, a.point.address, b.point.address);
                differ |= to.touched && changes(self.inward(interner, from, to, pair));
                differ |= from.touched && changes(self.outward(interner, from, to, pair));
                open.push(pair);
            }
        }
        if !differ {
            return None;
        }
        let mut sums = [SpanIx::NONE; 2];
        for pair in open {
            let (cell, _, address) = pair;
            let balanced = self.walk.balanced(from.host, to.host, address);
            let way = match balanced.map(|span| interner.span(&span)) {
                Some(balanced) => interner.both(cell.span, balanced),
                None => cell.span,
            };
            let inward = self.inward(interner, from, to, pair);
            let outward = self.outward(interner, from, to, pair);
            for (sum, (inward, outward)) in sums.iter_mut().zip(inward.into_iter().zip(outward)) {
                let ends = interner.both(inward, outward);
                let span = interner.both(ends, way);
                *sum = interner.either(*sum, span);
            }
        }
        changes(sums).then_some(sums)
    }

    /// What the receiver lets in.
    fn inward(
        &mut self,
        interner: &mut Interner,
        from: &Near<'a>,
        to: &Near<'a>,
        (cell, address, _): (Cell, IpAddr, IpAddr),
    ) -> [SpanIx; 2] {
        let carried = (cell.references >= References::Inbound).then_some(from.groups);
        self.half(interner, to).at(interner, cell.seen.unwrap_or(address), carried)
    }

    /// What the sender lets out.
    fn outward(
        &mut self,
        interner: &mut Interner,
        from: &Near<'a>,
        to: &Near<'a>,
        (cell, _, address): (Cell, IpAddr, IpAddr),
    ) -> [SpanIx; 2] {
        let carried = (cell.references == References::Kept).then_some(to.groups);
        self.half(interner, from).at(interner, address, carried)
    }

    fn half<'n>(&mut self, interner: &mut Interner, near: &'n Near<'a>) -> &'n Half {
        near.half.get_or_init(|| {
            let half = self.halves.entry(near.key);
            Rc::clone(half.or_insert_with(|| Rc::new(half_of(self.walk, self.old, interner, near.key))))
        })
    }
}

fn changes([before, after]: [SpanIx; 2]) -> bool {
    before != after
}

fn half_of(
    walk: Walk<'_>,
    old: &HashMap<SetIx, GroupSet>,
    interner: &mut Interner,
    (set, kind, direction): (SetIx, HostKind, Direction),
) -> Half {
    let always = match (kind, direction) {
        // It starts nothing, or takes in nothing unasked.
        (HostKind::InterfaceEndpoint, Direction::Out) | (HostKind::NatGateway, Direction::In) => {
            Some(SpanIx::NONE)
        }
        (HostKind::Open | HostKind::NatGateway, _) => Some(SpanIx::exact(interner.number(&Flows::all()))),
        (HostKind::Ordinary | HostKind::InterfaceEndpoint, _) => None,
    };
    match always {
        Some(span) => Half { before: None, after: Rules::always(span) },
        None => Half {
            before: old.get(&set).map(|set| Rules::of(set, direction, interner)),
            after: Rules::of(walk.network.sets.at(set), direction, interner),
        },
    }
}
