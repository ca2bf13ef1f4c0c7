//! From which addresses of the internet a resource can be reached, for every set of flows.

use std::collections::BTreeMap;

use crate::net::ranges::Ranges;
use crate::net::{Cidr, Family};
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::matrix::listing;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::selector::{Selector, resolve};
use crate::reach::trace::round_trip;
use crate::reach::trace::steps::Detail;

/// Some addresses of the internet from which the same passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// What surely passes, replies included.
    pub flows: Flows,
    /// What passes if all that could not be seen lets it.
    pub at_most: Flows,
    /// From which addresses of one family, in the fewest prefixes.
    pub addresses: Vec<Cidr>,
}

pub(crate) fn exposure(cx: Context<'_>, to: &Selector) -> Vec<Exposure> {
    let mut admitted = Vec::new();
    let meant = resolve::resolve(cx, to).interfaces;
    for interface in meant.into_iter().map(|selected| selected.interface) {
        for family in [Family::V4, Family::V6] {
            let all = cx.network.internet(family);
            let mut alike: BTreeMap<(Flows, Flows), Vec<(u128, u128)>> = BTreeMap::new();
            for packet_end in listing::outside_ends(cx, interface, &Outside::Internet, family) {
                for (first, last, address) in address_space::pieces(cx, &all, interface) {
                    let bounds =
                        round_trip::inward(cx, &Outside::Internet, address, packet_end, Detail::Sum).bounds;
                    if !bounds.may.is_empty() {
                        alike.entry((bounds.must, bounds.may)).or_default().push((first, last));
                    }
                }
            }
            admitted.extend(alike.into_iter().map(|((flows, at_most), ranges)| {
                let addresses = Ranges::join(family, ranges).prefixes();
                Exposure { flows, at_most, addresses }
            }));
        }
    }
    admitted
}
