//! What people mean by an address that was traced for many that fare alike.

use std::net::IpAddr;

use crate::net::ranges::Ranges;
use crate::net::{Cidr, Family, nat64};
use crate::reach::selector::Selector;

/// An address outside that stands for all that was asked about and fares alike.
#[derive(Debug, Clone)]
pub(crate) struct StandsFor {
    address: IpAddr,
    /// The prefixes that were asked about, or the few that fare alike.
    cidrs: Vec<Cidr>,
    words: String,
}

impl StandsFor {
    /// More prefixes than these are not listed: what was asked about is meant.
    const FEW: usize = 4;

    pub(crate) fn of(asked: &Selector, ranges: &Ranges, alone: bool, address: IpAddr) -> Self {
        let own = ranges.prefixes();
        let everyone = if ranges.family == Family::V4 { "0.0.0.0/0" } else { "::/0" };
        let (cidrs, words) = match asked {
            Selector::Address(address) => (vec![Cidr::host(*address)], address.to_string()),
            Selector::Cidr(cidr) if alone || own.len() > Self::FEW => (vec![*cidr], cidr.to_string()),
            Selector::Internet if alone || own.len() > Self::FEW => {
                (everyone.parse().into_iter().collect(), "the internet".into())
            }
            _ => (own.clone(), few(&own)),
        };
        Self { address, cidrs, words }
    }

    /// The prefixes that an address stands for; none of one that is no other than itself. What a host of IPv6 sends to an
    /// address of IPv4 is for the one that DNS64 makes of it.
    pub(crate) fn cidrs(&self, address: IpAddr) -> Option<Vec<Cidr>> {
        if address == self.address {
            return Some(self.cidrs.clone());
        }
        let embedded = self.embeds(address).then(|| self.cidrs.iter().filter_map(nat64_prefix).collect());
        embedded.filter(|cidrs: &Vec<Cidr>| !cidrs.is_empty())
    }

    /// What it is called.
    pub(crate) fn words(&self, address: IpAddr) -> Option<String> {
        if address == self.address {
            return Some(self.words.clone());
        }
        self.cidrs(address).map(|cidrs| few(&cidrs))
    }

    fn embeds(&self, address: IpAddr) -> bool {
        nat64::embedded(address).map(IpAddr::V4) == Some(self.address)
    }
}

/// A prefix of IPv4 as what DNS64 makes of its addresses.
fn nat64_prefix(cidr: &Cidr) -> Option<Cidr> {
    match cidr.address() {
        IpAddr::V4(address) => {
            format!("{}/{}", nat64::synthesized(address), u32::from(cidr.bits()) + 96).parse().ok()
        }
        IpAddr::V6(_) => None,
    }
}

/// The first prefixes, and how many more.
pub(super) fn few(prefixes: &[Cidr]) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<String> = prefixes.iter().take(SHOWN).map(ToString::to_string).collect();
    match prefixes.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more prefixes", shown.join(", ")),
        _ => shown.join(", "),
    }
}
