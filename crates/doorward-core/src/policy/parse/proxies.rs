//! `proxies`: whose word on where somebody comes from is believed.

use ipnet::IpNet;

use super::walk::{Section, Walk};
use crate::net::{Cidr, Family};

/// The proxies, told of where they are so many that strangers are among them.
pub(super) fn read<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Vec<Cidr> {
    let proxies = section.list::<Cidr>(walk, "proxies", "proxies = [\"10.0.0.10\"]").unwrap_or_default();
    let hint = || Some("name only the addresses of the proxies".to_owned());
    let mut told = false;
    for (proxy, at) in &proxies {
        let who = match (proxy.is_everyone(), wide(*proxy)) {
            (true, _) => "everybody",
            (false, true) => "half of the internet or more",
            (false, false) => continue,
        };
        walk.error(at, format!("`{proxy}` allows {who} to forge their address"), hint());
        told = true;
    }
    let nets: Vec<IpNet> = proxies.iter().map(|(proxy, _)| proxy.net()).collect();
    let together = if told { Vec::new() } else { shares(&IpNet::aggregate(&nets)) };
    for what in together {
        let what = format!("together these are {what}, and every client in it can forge its address");
        walk.error(&section.value_at("proxies"), what, hint());
    }
    proxies.into_iter().map(|(proxy, _)| proxy).collect()
}

/// Half of IPv4, or all of the IPv6 that is given out (`2000::/3`, IANA's "IPv6 Global Unicast Address Assignments").
fn wide(proxy: Cidr) -> bool {
    match proxy.family() {
        Family::V4 => proxy.bits() <= 1,
        Family::V6 => proxy.bits() <= 3,
    }
}

/// What of the internet is in disjoint prefixes, where it is more than a quarter.
fn shares(nets: &[IpNet]) -> Vec<&'static str> {
    // In units of 2^-16 of a family, rounded down: what is narrower than /16 is no share worth telling.
    let sum = |v4: bool, outside: u8| -> u32 {
        let mine = nets.iter().filter(|net| matches!(net, IpNet::V4(_)) == v4);
        let units = |net: &IpNet| {
            16_u8.checked_sub(net.prefix_len().saturating_sub(outside)).map_or(0, |bits| 1 << bits)
        };
        mine.map(units).sum()
    };
    let mut shares = Vec::new();
    if sum(true, 0) > 1 << 14 {
        shares.push("more than a quarter of IPv4");
    }
    if sum(false, 3) > 1 << 14 {
        shares.push("more than a quarter of all IPv6 in use");
    }
    shares
}
