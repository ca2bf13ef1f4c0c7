//! The addresses outside: which of them are the internet, and which are behind VPNs.

use std::net::IpAddr;

use super::Code;
use super::network::Network;
use crate::net::ranges::Ranges;
use crate::net::{Cidr, Family};

/// Prefixes of IPv4 that nobody on the internet has (IANA special-purpose registry). Those kept for documentation
/// count as the internet: people write examples with them.
const SPECIAL: [&str; 10] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
];

fn cidrs(texts: &[&str]) -> Vec<Cidr> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// The public addresses that are in no VPC.
pub(super) fn internet(inside: &[Cidr], family: Family) -> Ranges {
    let inside = Ranges::of(family, inside.iter().copied());
    match family {
        Family::V4 => {
            let all = Ranges::of(family, cidrs(&["0.0.0.0/0"]));
            all.minus(&Ranges::of(family, cidrs(&SPECIAL))).minus(&inside)
        }
        Family::V6 => Ranges::of(family, cidrs(&["2000::/3"])).minus(&inside),
    }
}

/// The addresses that are neither the internet's nor a VPC's: what can only be behind a VPN.
pub(super) fn beyond(network: &Network, family: Family) -> Ranges {
    let all = match family {
        Family::V4 => Ranges::of(family, cidrs(&["0.0.0.0/0"])),
        Family::V6 => Ranges::of(family, cidrs(&["::/0"])),
    };
    all.minus(&network.internet(family)).minus(&Ranges::of(family, network.inside.iter().copied()))
}

/// Why an address is not one of the internet, if it is not.
pub(super) fn not_internet(network: &Network, address: IpAddr) -> Option<Code> {
    if network.is_internet(address) {
        return None;
    }
    let shared = "100.64.0.0/10".parse::<Cidr>().is_ok_and(|cidr| cidr.contains(address));
    Some(if shared { Code::SharedDestination } else { Code::PrivateDestination })
}
