//! Which addresses are where: the internet, zones, the tables and ACLs of subnets.

use std::net::{IpAddr, Ipv4Addr};

use doorward_core::inventory::*;
use doorward_core::net::Cidr;

use super::Packet;

/// What is no internet, of IPv4.
const SPECIAL: [&str; 12] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    // What IPv6 writes for IPv4 is none of IPv6.
    "::ffff:0:0/96",
];

/// Whether an address is out there.
pub fn is_internet(inventory: &Inventory, address: IpAddr) -> bool {
    if inventory.vpcs.values().any(|vpc| vpc.contains(address)) {
        return false;
    }
    match address {
        IpAddr::V4(_) => !SPECIAL.iter().any(|cidr| {
            let cidr: ipnet::IpNet = cidr.parse().expect("a prefix");
            cidr.contains(&address)
        }),
        IpAddr::V6(address) => address.segments()[0] & 0xe000 == 0x2000,
    }
}

/// Whether a gateway of a VPC sends what is for an address to the internet: of IPv6, also what another VPC has.
pub fn is_outside(inventory: &Inventory, vpc: &VpcId, address: IpAddr) -> bool {
    is_internet(inventory, address) || is_global(address) && !inventory.vpcs[vpc].contains(address)
}

/// Whether the internet routes an address of IPv6, in a VPC or not.
pub fn is_global(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.segments()[0] & 0xe000 == 0x2000)
}

/// The address of IPv4 that one of 64:ff9b::/96 stands for.
pub fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let octets = address.octets();
    let prefix = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
    (octets[..12] == prefix).then(|| Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]))
}

/// Whether AWS itself answers at an address, for whoever is in a VPC, and what.
pub fn amazons(vpc: &Vpc, address: IpAddr) -> Option<Vec<Packet>> {
    let IpAddr::V4(address) = address else { return None };
    let dns = vpc.cidrs.iter().any(|cidr| match cidr.address() {
        IpAddr::V4(base) => u32::from(base) + 2 == u32::from(address),
        IpAddr::V6(_) => false,
    });
    // [9] Its DNS server does not answer where DNS support is off.
    let silent = vpc.dns.support == Some(false);
    match address.octets() {
        [169, 254, 169, 253] if silent => Some(Vec::new()),
        _ if dns && silent => Some(Vec::new()),
        [169, 254, 169, 253] => Some(vec![Packet::Tcp(53), Packet::Udp(53)]),
        [169, 254, 169, 254] | [169, 254, 170, 2 | 23] => Some(vec![Packet::Tcp(80)]),
        [169, 254, 169, 250 | 251] => Some(vec![Packet::Tcp(1688)]),
        [169, 254, 169, 123] => Some(vec![Packet::Udp(123)]),
        _ if dns => Some(vec![Packet::Tcp(53), Packet::Udp(53)]),
        _ => None,
    }
}

/// Whether AWS keeps an address for services of its own.
pub fn is_reserved(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => u32::from(address) >> 10 == u32::from(Ipv4Addr::new(169, 254, 168, 0)) >> 10,
        IpAddr::V6(address) => address.segments()[..2] == [0xfd00, 0xec2],
    }
}

pub fn is_amazons(inventory: &Inventory, address: IpAddr) -> bool {
    inventory.vpcs.values().any(|vpc| amazons(vpc, address).is_some())
}

pub fn same_zone(one: &Subnet, other: &Subnet) -> bool {
    match (&one.zone_id, &other.zone_id) {
        (Some(one), Some(other)) => one == other,
        _ => one.zone.is_some() && one.zone == other.zone,
    }
}

pub fn acl_of<'a>(inventory: &'a Inventory, subnet: &Subnet) -> Option<&'a NetworkAcl> {
    let acls = || inventory.network_acls.values();
    let own = acls().find(|acl| acl.subnets.contains(&subnet.id));
    own.or_else(|| acls().find(|acl| acl.default && acl.vpc == subnet.vpc))
}

pub fn table_of<'a>(inventory: &'a Inventory, subnet: &Subnet) -> Option<&'a RouteTable> {
    let tables = || inventory.route_tables.values();
    let own = tables().find(|table| table.subnets.contains(&subnet.id));
    own.or_else(|| tables().find(|table| table.main && table.vpc == subnet.vpc))
}

/// The route that a table of a VPC has for an address.
///
/// Choice: the prefixes of the VPC are `local` unless the table has a static route of exactly that prefix, whose
/// target then replaces `local` (VPC user guide, "Replace or restore the target for a local route").
pub fn lookup(inventory: &Inventory, table: &RouteTable, address: IpAddr) -> Option<Route> {
    // [9] Nothing is forwarded there, whatever a route says.
    if is_reserved(address) {
        return None;
    }
    let mut best: Option<((u8, u8), Route)> = None;
    let mut consider = |bits: u8, rank: u8, route: Route| {
        if best.as_ref().is_none_or(|(at, _)| (bits, rank) > *at) {
            best = Some(((bits, rank), route));
        }
    };
    for route in &table.routes {
        match &route.destination {
            Destination::Cidr(cidr) if cidr.contains(address) => {
                consider(cidr.bits(), if route.propagated { 0 } else { 3 }, route.clone());
            }
            Destination::Cidr(_) => {}
            Destination::PrefixList(list) => {
                for entry in entries(inventory, list) {
                    if entry.contains(address) {
                        consider(entry.bits(), if route.propagated { 0 } else { 1 }, route.clone());
                    }
                }
            }
        }
    }
    for &cidr in &inventory.vpcs.get(&table.vpc)?.cidrs {
        if cidr.contains(address) {
            let local = Route {
                destination: Destination::Cidr(cidr),
                target: RouteTarget::Local,
                propagated: false,
                blackhole: false,
            };
            consider(cidr.bits(), 2, local);
        }
    }
    best.map(|(_, route)| route)
}

pub fn entries<'a>(inventory: &'a Inventory, list: &PrefixListId) -> impl Iterator<Item = Cidr> + 'a {
    inventory.prefix_lists.get(list).and_then(|list| list.entries.as_ref()).into_iter().flatten().copied()
}
