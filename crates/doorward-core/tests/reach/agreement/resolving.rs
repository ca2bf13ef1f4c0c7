//! On names in DNS, and on prefixes that AWS serves in part.

use std::net::{IpAddr, Ipv4Addr};

use doorward_core::inventory::{DnsAttributes, Inventory};
use proptest::prelude::*;

use super::{Asked, config};
use crate::accounts::{Account, accounts};
use crate::naive::Point;
use crate::naive::names::{resolves_private_names, resolves_privately};
use crate::questions::{Question, hosts, points_inside, points_outside};

/// The DNS attributes of each VPC and what each peering allows, by the bits of a number.
fn with_dns(inventory: &Inventory, bits: u32) -> Inventory {
    let mut inventory = inventory.clone();
    let mut bits = (0..).map(|at| bits.rotate_right(at) & 1 == 1);
    let mut mostly = || bits.next().unwrap_or_default() || bits.next().unwrap_or_default();
    for vpc in inventory.vpcs.values_mut() {
        vpc.dns = DnsAttributes { support: Some(mostly()), hostnames: Some(mostly()) };
    }
    for peering in inventory.peerings.values_mut() {
        peering.requester.resolves = mostly();
        peering.accepter.resolves = mostly();
    }
    inventory
}

proptest! {
    #![proptest_config(config(300))]

    /// Public and private names of instances, whose address depends on who asks.
    #[test]
    fn on_names_of_instances(account in accounts(), bits in any::<u32>()) {
        let inventory = with_dns(&account.inventory, bits);
        let asked = Asked::of(&Account { text: account.text.clone(), inventory: inventory.clone() });
        let inside = inventory.interfaces.values().filter(|host| host.attached);
        for (host, own) in inside.flat_map(|host| host.addresses.iter().map(move |own| (host, own))) {
            let IpAddr::V4(address) = own.address else { continue };
            let region = inventory.vpcs[&host.vpc].account_region.region.as_deref().expect("a Region");
            let shared = points_inside(&inventory, own.address, true).len() > 1;
            for (id, points) in hosts(&inventory) {
                let sender = inventory.interfaces.get(id.as_str()).expect("an interface");
                if let Some(public) = own.public {
                    let name = format!("ec2-{}.{region}.compute.amazonaws.com", dashed(public));
                    let to = match resolves_privately(&inventory, &sender.vpc, &host.vpc) {
                        true => Point::Host(host.id.clone(), own.address),
                        false => Point::Public(host.id.clone(), own.address, public.into()),
                    };
                    asked.agrees(&Question::new(&inventory, (&id, &points), (&name, &[to])))?;
                }
                // Two VPCs may have one prefix: then a private name means both.
                if !shared {
                    let name = format!("ip-{}.{region}.compute.internal", dashed(address));
                    let resolves = resolves_private_names(&inventory, &sender.vpc);
                    let to = Point::Host(host.id.clone(), own.address);
                    let mut question = Question::new(&inventory, (&id, &points), (&name, &[to]));
                    // What a load balancer sends to it is sent by another name.
                    if !resolves {
                        question.paths.clear();
                    }
                    asked.agrees(&question)?;
                }
            }
        }
    }
}

fn dashed(address: Ipv4Addr) -> String {
    address.to_string().replace('.', "-")
}

/// Prefixes in which AWS serves some addresses itself, each with addresses of all that differ in it.
const LINK_LOCAL: [(&str, &[&str]); 5] = [
    (
        "169.254.0.0/16",
        &[
            "169.254.0.0",
            "169.254.168.0",
            "169.254.169.123",
            "169.254.169.250",
            "169.254.169.253",
            "169.254.169.254",
            "169.254.172.0",
        ],
    ),
    (
        "169.254.169.0/24",
        &["169.254.169.0", "169.254.169.123", "169.254.169.250", "169.254.169.253", "169.254.169.254"],
    ),
    ("169.254.169.252/31", &["169.254.169.252", "169.254.169.253"]),
    ("169.254.170.0/23", &["169.254.170.0", "169.254.170.2", "169.254.170.23"]),
    ("169.254.171.0/24", &["169.254.171.0"]),
];

proptest! {
    #![proptest_config(config(150))]

    /// Prefixes that are in part of what AWS serves itself, each as the set of its addresses.
    #[test]
    fn on_prefixes_that_aws_serves_in_part(account in accounts()) {
        let asked = Asked::of(&account);
        let inventory = &account.inventory;
        for (prefix, addresses) in LINK_LOCAL {
            let addresses = addresses.iter().map(|text| text.parse().expect("an address"));
            let points: Vec<Point> = addresses.flat_map(|address| points_outside(inventory, address)).collect();
            for host in hosts(inventory) {
                asked.agrees(&Question::new(inventory, (&host.0, &host.1), (prefix, &points)))?;
            }
        }
    }
}
