//! Whom on the internet a resource is open to: for every set of flows, exactly which addresses.

use std::collections::BTreeMap;

use super::passage::Outside;
use super::stage::Detail;
use super::walk::Walk;
use super::{Endpoint, Flows};
use crate::net::ranges::Ranges;
use crate::net::{Cidr, Family};

/// Some addresses of the internet from which the same passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// What surely passes, replies included.
    pub flows: Flows,
    /// What passes if all that could not be seen lets it.
    pub at_most: Flows,
    /// From which addresses of one family, in the fewest prefixes.
    pub addresses: Vec<Cidr>,
}

impl Walk<'_> {
    pub(super) fn admitted(self, to: &Endpoint) -> Vec<Admitted> {
        let mut admitted = Vec::new();
        for (host, _) in self.ends(to).hosts {
            for family in [Family::V4, Family::V6] {
                let all = self.network.internet(family);
                let mut alike: BTreeMap<(Flows, Flows), Vec<(u128, u128)>> = BTreeMap::new();
                for spot in self.outside_spots(host, &Outside::Internet, family) {
                    for (first, last, address) in self.pieces(&all, host) {
                        let span = self.inward(&Outside::Internet, address, spot, Detail::Sum).span;
                        if !span.maybe.is_empty() {
                            alike.entry((span.sure, span.maybe)).or_default().push((first, last));
                        }
                    }
                }
                admitted.extend(alike.into_iter().map(|((flows, at_most), ranges)| {
                    let addresses = Ranges::join(family, ranges).prefixes();
                    Admitted { flows, at_most, addresses }
                }));
            }
        }
        admitted
    }
}
