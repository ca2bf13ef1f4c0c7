//! Paths between subnets, each traced once for all addresses that routes and network ACLs treat alike.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::net::Family;
use crate::net::ranges::{self};
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::intern::{BoundsIx, FastMap, Interner};
use crate::reach::network::interfaces::PacketEnd;
use crate::reach::network::table::{ClassIx, SubnetIx, Table, VpcIx, index};
use crate::reach::trace::steps::{Detail, Trace};
use crate::reach::trace::{References, round_trip};

index!(VantageIx);

/// A subnet, and where an address stands among the prefixes of routes and network ACLs.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Vantage {
    subnet: SubnetIx,
    family: Family,
    routed: u32,
    /// The class of an interface that something in the network names: it may fare otherwise than its neighbours.
    named: Option<ClassIx>,
}

/// What a way lets through, replies included and the groups of either end not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SubnetPath {
    pub(crate) bounds: BoundsIx,
    pub(crate) references: References,
    /// The source that the receiver sees, where that is not the sender's own.
    pub(crate) seen: Option<IpAddr>,
    /// Whether every pair has to be looked at by itself: an appliance on the way asks who sends.
    pub(crate) alone: bool,
}

impl SubnetPath {
    /// Whether no pair gets through, whoever it is.
    pub(crate) fn is_shut(self) -> bool {
        self.bounds.is_none() && !self.alone
    }
}

/// The paths of a network, and the ways between them that were looked at.
#[derive(Debug, Default)]
pub(crate) struct SubnetPaths {
    numbers: HashMap<Vantage, VantageIx>,
    /// For each vantage, the first that was in it.
    packet_ends: Table<VantageIx, PacketEnd>,
    cells: FastMap<(VantageIx, VantageIx), SubnetPath>,
}

impl SubnetPaths {
    /// Where a packet_end is.
    pub(crate) fn of(&mut self, cx: Context<'_>, packet_end: PacketEnd) -> VantageIx {
        let interface = cx.network.interfaces.at(packet_end.interface);
        let routed = cx.network.routed.as_ref().and_then(|routed| routed.at(packet_end.own.address));
        let vantage = Vantage {
            subnet: interface.subnet,
            family: ranges::family(packet_end.own.address),
            routed: routed.copied().unwrap_or(u32::MAX),
            named: cx.network.classes.at(interface.class).named.then_some(interface.class),
        };
        *self.numbers.entry(vantage).or_insert_with(|| self.packet_ends.push(packet_end))
    }

    pub(crate) fn vpc(&self, cx: Context<'_>, vantage: VantageIx) -> VpcIx {
        cx.network.interfaces.at(self.packet_ends.at(vantage).interface).vpc
    }

    /// The way between two paths of one family.
    pub(crate) fn cell(
        &mut self,
        cx: Context<'_>,
        interner: &mut Interner,
        from: VantageIx,
        to: VantageIx,
    ) -> SubnetPath {
        if let Some(cell) = self.cells.get(&(from, to)) {
            return *cell;
        }
        let cell = subnet_path(cx, interner, *self.packet_ends.at(from), *self.packet_ends.at(to));
        self.cells.insert((from, to), cell);
        cell
    }
}

/// The way between two packet_ends of one family.
pub(crate) fn subnet_path(
    cx: Context<'_>,
    interner: &mut Interner,
    from: PacketEnd,
    to: PacketEnd,
) -> SubnetPath {
    let mut trace = Trace::new(Detail::Sum);
    let path = round_trip::path(cx, &mut trace, round_trip::sender(cx, from), to.interface, to.own.address);
    let (bounds, _) = trace.passes();
    let bounds = bounds.within(&Flows::of_family(ranges::family(to.own.address)));
    SubnetPath {
        bounds: interner.bounds(&bounds),
        references: path.references,
        seen: (path.seen != from.own.address).then_some(path.seen),
        alone: path.appliances,
    }
}
