//! Connections counted at three widths, and which crowd gives way.
//!
//! An attacker may have very many networks: an IPv6 /32 has four billion /64. So where no network holds many connections, the
//! networks of one site or one provider are counted together. In such a crowd the connection that has been in its phase for the
//! longest gives way, and not one of the network with the most: else a browser that opens six connections at once would lose to
//! thousands of networks that open one each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Network;
use super::census::Census;

/// A network holds little when it holds no more than this: a browser opens up to six connections.
pub(super) const LITTLE: usize = 8;
/// A site holds little when it holds no more than this: an office whose people start to work.
const LITTLE_OF_A_SITE: usize = 64;

/// How much of the internet counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Width {
    /// An IPv4 address, or a /64 of IPv6.
    Network,
    /// A /24, or what an IPv6 site is given at most: a /48 (RFC 6177).
    Site,
    /// A /16, or what a registry gives a provider at least: a /32 (RIPE-738, section 5.1).
    Provider,
}

/// All connections of one network, site or provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Crowd {
    pub(super) width: Width,
    first: Network,
}

impl Crowd {
    pub(super) fn around(network: Network, width: Width) -> Self {
        let first = match width {
            Width::Network => network.first,
            Width::Site => masked(network.first, 24, 48),
            Width::Provider => masked(network.first, 16, 32),
        };
        Self { width, first: Network { first, ..network } }
    }

    /// The crowds of a connection. A proxy that the policy names is alone: its connections give way to its own.
    pub(super) fn of(network: Network) -> impl Iterator<Item = Self> {
        let widths = [Width::Network, Width::Site, Width::Provider];
        let widths = widths.into_iter().filter(move |width| *width == Width::Network || !network.is_proxy);
        widths.map(move |width| Self::around(network, width))
    }
}

/// The first address of the prefix of so many bits.
pub(super) fn masked(address: IpAddr, v4: u32, v6: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            Ipv4Addr::from_bits(address.to_bits() & u32::MAX.checked_shl(32 - v4).unwrap_or(0)).into()
        }
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & u128::MAX.checked_shl(128 - v6).unwrap_or(0)).into()
        }
    }
}

/// How many connections every crowd has.
#[derive(Debug, Default)]
pub(super) struct Tally {
    networks: Census<Crowd>,
    sites: Census<Crowd>,
    providers: Census<Crowd>,
}

impl Tally {
    /// Of all networks.
    pub(super) fn len(&self) -> usize {
        self.networks.len()
    }

    /// Of one network.
    pub(super) fn of(&self, network: Network) -> usize {
        self.networks.of(Crowd::around(network, Width::Network))
    }

    pub(super) fn add(&mut self, network: Network) {
        Crowd::of(network).for_each(|crowd| self.at(crowd.width).add(crowd));
    }

    pub(super) fn take(&mut self, network: Network) {
        Crowd::of(network).for_each(|crowd| self.at(crowd.width).take(crowd));
    }

    fn at(&mut self, width: Width) -> &mut Census<Crowd> {
        match width {
            Width::Network => &mut self.networks,
            Width::Site => &mut self.sites,
            Width::Provider => &mut self.providers,
        }
    }

    /// The network that has the most, and how many.
    pub(super) fn most(&self) -> Option<(Crowd, usize)> {
        let most = self.networks.most()?;
        Some((most, self.networks.of(most)))
    }

    /// The narrowest crowd that holds more than little; none where no network, site or provider does.
    pub(super) fn heaviest(&self) -> Option<Crowd> {
        let heavy = |census: &Census<Crowd>, little| census.most().filter(|most| census.of(*most) > little);
        heavy(&self.networks, LITTLE)
            .or_else(|| heavy(&self.sites, LITTLE_OF_A_SITE))
            .or_else(|| heavy(&self.providers, LITTLE))
    }

    /// The first so many of the networks that have the most.
    pub(super) fn descending(&self, limit: usize) -> Vec<Crowd> {
        self.networks.descending(limit)
    }
}
