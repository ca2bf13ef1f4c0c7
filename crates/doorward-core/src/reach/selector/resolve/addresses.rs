//! Addresses and prefixes: the interfaces that have them, and what is outside.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::{Absent, Certain, Endpoints, Selected};
use crate::inventory::{NamedResource, ResourceKind, ResourceRef};
use crate::net::Cidr;
use crate::net::ranges::{self, Ranges};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::interfaces::{Named, NodeAddress, PacketEnd};
use crate::reach::network::remotes;
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::hop::local_service;

/// How many addresses of a prefix are told of one by one.
const TOLD: usize = 4;

/// Whoever has an address of a prefix, inside and outside.
///
/// A public address that was recorded is its interface, and not one outside.
pub(super) fn ends(cx: Context<'_>, cidr: Cidr) -> Endpoints {
    let mut ends = Endpoints::default();
    let mut public: BTreeSet<Ipv4Addr> = BTreeSet::new();
    let mut told: Vec<String> = Vec::new();
    for (index, interface) in cx.network.interfaces.enumerate() {
        let own = interface.addresses.iter().filter_map(|own| Some((own, named(cidr, own)?)));
        let packet_ends: Vec<PacketEnd> =
            own.map(|(own, named)| PacketEnd::of(index, *own).named(named)).collect();
        for address in interface.addresses.iter().filter_map(|own| own.public_address) {
            if cidr.contains(address.into()) {
                public.insert(address);
                told.push(format!("{address} is the public address of {}", interface.title()));
            }
        }
        if !packet_ends.is_empty() {
            ends.interfaces.push(Selected { interface: index, packet_ends, part: None });
        }
    }
    delegated(cx, cidr, &mut ends, &mut told);
    unused(cx, cidr, &mut public, &mut ends);
    if told.len() <= TOLD {
        ends.notes.append(&mut told);
    }
    outside(cx, cidr, &public, &mut ends);
    if ends.interfaces.is_empty() && ends.outside.is_empty() && ends.targets.is_empty() {
        ends.absent.extend(in_nobodys_use(cx, cidr));
    }
    ends
}

/// As what an address of an interface is meant by a prefix, if it is.
fn named(cidr: Cidr, own: &NodeAddress) -> Option<Named> {
    let public = own.public_address.is_some_and(|public| cidr.contains(public.into()));
    match (cidr.contains(own.address), public) {
        (true, true) => Some(Named::Interface),
        (true, false) => Some(Named::Private),
        (false, true) => Some(Named::Public),
        (false, false) => None,
    }
}

/// The prefixes that are delegated to interfaces (EC2 user guide, prefix delegation), in parts whose addresses fare
/// alike.
fn delegated(cx: Context<'_>, cidr: Cidr, ends: &mut Endpoints, told: &mut Vec<String>) {
    let family = cidr.family();
    let asked = Ranges::of(family, [cidr]);
    for vpc in cx.network.vpcs.rows() {
        for (prefix, interface) in vpc.delegated.iter() {
            let own = &cx.network.interfaces.at(interface).addresses;
            let own = Ranges::of(family, own.iter().map(|own| Cidr::host(own.address)));
            let meant = Ranges::of(family, [prefix]).and(&asked).minus(&own);
            if meant.is_empty() {
                continue;
            }
            let node = cx.network.interfaces.at(interface);
            told.push(format!("{prefix} is a prefix that is delegated to {}", node.title()));
            ends.interfaces.extend(parts(cx, &meant, interface));
        }
    }
}

fn parts(cx: Context<'_>, meant: &Ranges, interface: InterfaceIx) -> Vec<Selected> {
    let network = cx.network;
    let cuts = network.sets.rows().flat_map(|set| set.cidrs.iter().copied());
    let cuts = cuts.chain(network.vpcs.rows().flat_map(|vpc| vpc.cuts.iter().copied()));
    let cuts = cuts.chain(network.gateway_cuts.iter().copied());
    let pieces = meant.cut(cuts).into_iter().map(|(from, to)| {
        let address = ranges::address(meant.family, from);
        let own = NodeAddress { address, public: false, public_address: None };
        let prefixes = ranges::prefixes(meant.family, from, to);
        let part: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
        let packet_ends = vec![PacketEnd::of(interface, own).named(Named::Private)];
        Selected { interface, packet_ends, part: Some(part.join(", ")) }
    });
    pieces.collect()
}

/// Public addresses of the account that no interface sends from or receives at.
fn unused(cx: Context<'_>, cidr: Cidr, public: &mut BTreeSet<Ipv4Addr>, ends: &mut Endpoints) {
    let absent = |address: Ipv4Addr, code: Code, why: String, advice: &str| Absent {
        resource: ResourceRef::of(ResourceKind::Address, &address.to_string()),
        code,
        why,
        advice: advice.to_owned(),
        certain: Certain::Yes,
    };
    let within = |address: &Ipv4Addr| cidr.contains(IpAddr::V4(*address));
    for gateway in cx.inventory.nat_gateways.values() {
        let Some(address) = gateway.public_address.filter(within) else { continue };
        if public.insert(address) {
            let id = &gateway.id;
            let why = format!("{address} is an address of NAT gateway {id}, which accepts no connections");
            ends.absent.push(absent(address, Code::NatInward, why, "use the address of what is behind it"));
        }
    }
    for elastic in cx.inventory.elastic_addresses.values() {
        let address = elastic.public;
        let (why, advice) = match &elastic.interface {
            None => (
                format!("{address} is an elastic address that is associated with nothing"),
                "associate it with an interface",
            ),
            Some(interface) if cx.inventory.interfaces.contains_key(interface) => (
                format!("{address} is an elastic address of {interface}, which is not attached"),
                "attach the interface to an instance",
            ),
            // Nothing is known of its interface.
            Some(_) => continue,
        };
        if within(&address) && public.insert(address) {
            ends.absent.push(absent(address, Code::NotAttached, why, advice));
        }
    }
}

fn outside(cx: Context<'_>, cidr: Cidr, public: &BTreeSet<Ipv4Addr>, ends: &mut Endpoints) {
    let family = cidr.family();
    let ours = public.iter().map(|address| Cidr::host(IpAddr::V4(*address)));
    let range = Ranges::of(family, [cidr]).minus(&Ranges::of(family, ours));
    let internet = range.and(&cx.network.internet(family));
    if !internet.is_empty() {
        ends.outside.push((Outside::Internet, internet));
    }
    // Whoever sends from there may be behind any VPN that routes lead to; where a packet for there ends, routes say.
    let beyond = range.and(&address_space::beyond(cx.network, family));
    ends.targets = ends.outside.iter().map(|(_, range)| range.clone()).collect();
    ends.targets.extend(Some(beyond).filter(|beyond| !beyond.is_empty()));
    if cidr != Cidr::host(cidr.address()) {
        ends.notes.extend(local_service::note_within(cidr));
    } else if let Some(service) = local_service::anywhere(cx, cidr.address()) {
        ends.notes.push(local_service::note(service, cidr.address()));
        ends.targets = vec![range.clone()];
    }
    for remote in remotes::remotes(cx) {
        let behind = range.and(&remotes::behind(cx, remote, family));
        if !behind.is_empty() {
            ends.outside.push((remote.clone(), behind));
        }
    }
}

/// Why nothing has an address of a VPC.
fn in_nobodys_use(cx: Context<'_>, cidr: Cidr) -> Option<Absent> {
    let detached = cx.inventory.interfaces.values().find(|interface| {
        let own = interface.addresses.iter().any(|own| {
            cidr.contains(own.address) || own.public.is_some_and(|public| cidr.contains(public.into()))
        });
        own && !interface.attached
    });
    let resource = ResourceRef::of(ResourceKind::Address, &cidr.address().to_string());
    if let Some(interface) = detached {
        return Some(not_attached(NamedResource {
            resource: (&interface.id).into(),
            name: interface.tags.get("Name").cloned(),
        }));
    }
    let subnet = cx.network.subnets.rows().find(|subnet| subnet.contains(cidr.address()))?;
    Some(Absent {
        resource,
        code: Code::Address,
        why: format!("no interface in {} has the address {}", subnet.id, cidr.address()),
        advice: "use an address that an interface has".into(),
        certain: Certain::IfAllWereSeen,
    })
}

/// An interface that is attached to nothing.
pub(super) fn not_attached(interface: NamedResource) -> Absent {
    Absent {
        why: format!("{interface} is not attached to anything, so it neither sends nor receives"),
        resource: interface.resource,
        code: Code::NotAttached,
        advice: "attach it to an instance".into(),
        certain: Certain::Yes,
    }
}
