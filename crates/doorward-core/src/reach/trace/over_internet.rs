//! From one VPC to another over the internet, by IPv6: out by a gateway of the sender, in by the internet gateway of the
//! receiver.
//!
//! An address of IPv6 is the same inside and outside, so a packet for another VPC goes to the internet where a route leads
//! it to an internet gateway or an egress-only one (VPC user guide, IP addressing, and egress-only internet gateways). No
//! rule that references a group matches what comes in that way.

use std::net::IpAddr;

use crate::reach::context::Context;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::interfaces::{NodeAddress, PacketEnd};
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::steps::Trace;
use crate::reach::trace::{RouteTaken, Sender, replies, round_trip};

/// An interface by an address that it has on the internet as well.
pub(crate) fn receiver(interface: InterfaceIx, address: IpAddr) -> Option<PacketEnd> {
    let own = NodeAddress { address, public: false, public_address: None };
    address_space::is_global_v6(address).then(|| PacketEnd::of(interface, own))
}

/// Leads a packet that left its VPC for the internet into the VPC of its receiver, and the replies back.
pub(crate) fn arrive(cx: Context<'_>, trace: &mut Trace, from: Sender, taken: &RouteTaken, to: PacketEnd) {
    let entered = round_trip::come_in(cx, trace, &Outside::Internet, taken.seen, to);
    if let Some(entered) = entered
        && !trace.is_over()
    {
        round_trip::reply_outward(cx, trace, to, taken.seen, &entered);
        replies::from_outside(cx, trace, from, taken);
    }
}
