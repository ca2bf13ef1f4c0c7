//! Ways between subnets, each looked at once for all addresses that routes and network ACLs treat alike.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Flows;
use super::intern::{Interner, Known, SpanIx};
use super::passage::Spot;
use super::stage::{Detail, Track};
use super::table::{ClassIx, SubnetIx, Table, index};
use super::walk::{References, Walk};
use crate::net::Family;
use crate::net::ranges;

index!(LocusIx);

/// A subnet, and where an address stands among the prefixes of routes and network ACLs.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Locus {
    subnet: SubnetIx,
    family: Family,
    routed: u32,
    /// The class of a host that something in the network names: it may fare otherwise than its neighbours.
    named: Option<ClassIx>,
}

/// What a way lets through, replies included and the groups of either end not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) span: SpanIx,
    pub(super) references: References,
    /// The source that the receiver sees, where that is not the sender's own.
    pub(super) seen: Option<IpAddr>,
    /// Whether every pair has to be looked at by itself: an appliance on the way asks who sends.
    pub(super) alone: bool,
}

impl Cell {
    /// Whether no pair gets through, whoever it is.
    pub(super) fn is_shut(self) -> bool {
        self.span.is_none() && !self.alone
    }
}

/// The loci of a network, and the ways between them that were looked at.
#[derive(Debug, Default)]
pub(super) struct Loci {
    numbers: HashMap<Locus, LocusIx>,
    /// For each locus, the first that was in it.
    spots: Table<LocusIx, Spot>,
    cells: Known<(LocusIx, LocusIx), Cell>,
}

impl Loci {
    /// Where a spot is.
    pub(super) fn of(&mut self, walk: Walk<'_>, spot: Spot) -> LocusIx {
        let host = walk.network.hosts.at(spot.host);
        let routed = walk.network.routed.as_ref().and_then(|routed| routed.at(spot.point.address));
        let locus = Locus {
            subnet: host.subnet,
            family: ranges::family(spot.point.address),
            routed: routed.copied().unwrap_or(u32::MAX),
            named: walk.network.classes.at(host.class).named.then_some(host.class),
        };
        *self.numbers.entry(locus).or_insert_with(|| self.spots.push(spot))
    }

    pub(super) fn family(&self, locus: LocusIx) -> Family {
        ranges::family(self.spots.at(locus).point.address)
    }

    /// The way between two loci of one family.
    pub(super) fn cell(
        &mut self,
        walk: Walk<'_>,
        interner: &mut Interner,
        from: LocusIx,
        to: LocusIx,
    ) -> Cell {
        if let Some(cell) = self.cells.get(&(from, to)) {
            return *cell;
        }
        let cell = walk.cell(interner, *self.spots.at(from), *self.spots.at(to));
        self.cells.insert((from, to), cell);
        cell
    }
}

impl Walk<'_> {
    /// The way between two spots of one family.
    pub(super) fn cell(self, interner: &mut Interner, from: Spot, to: Spot) -> Cell {
        let mut track = Track::new(Detail::Sum);
        let way = self.way(&mut track, self.sender(from), to.host, to.point.address);
        let (span, _) = track.passes();
        let span = span.within(&Flows::of_family(ranges::family(to.point.address)));
        Cell {
            span: interner.span(&span),
            references: way.references,
            seen: (way.seen != from.point.address).then_some(way.seen),
            alone: way.appliances,
        }
    }
}
