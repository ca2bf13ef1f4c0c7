//! `[network.NAME]`: a VPC, its subnets and its ways out.

use std::collections::BTreeSet;

use toml::de::DeValue;

use super::walk::{Section, Span, Walk};
use super::{id, settings};
use crate::inventory::{AccountRegion, VpcId};
use crate::net::{Cidr, Family, Special, special_within};
use crate::policy::did_you_mean;
use crate::topology::SubnetKind;
use crate::topology::{EndpointService, Nat, Network, NetworkName, VpcChoice, ZoneId, Zones, preferred};

pub(super) const KEYS: [&str; 8] =
    ["region", "profile", "cidr", "vpc", "zones", "subnets", "nat", "endpoints"];

/// A network, and where its parts stand.
pub(super) struct NetworkAt {
    pub(super) network: Network,
    pub(super) name_at: Span,
    vpc_at: Span,
}

/// Reads one network; none when something that it cannot be without is wrong.
pub(super) fn read<'t>(
    walk: &mut Walk<'t>,
    name: &NetworkName,
    section: &Section<'t, '_>,
    aws: &AccountRegion,
) -> Option<NetworkAt> {
    let at = settings::account_region(walk, section, aws.clone());
    if at.region.is_none() {
        let what = format!("{} needs `region`, because `[aws]` has none", section.name);
        walk.missing(&section.at, what, Some("add `region = \"eu-west-1\"`".into()));
    }
    let subnet_bits = subnet_bits(walk, section);
    let vpc = vpc(walk, section);
    let zones = zones(walk, section);
    let bare = zones.as_ref().is_some_and(Zones::is_empty);
    if bare {
        without_subnets(walk, section);
    }
    let nat = if bare { Some(Nat::None) } else { nat(walk, section) };
    let endpoints = if bare { BTreeSet::new() } else { endpoints(walk, section) };
    let network = Network {
        name: name.clone(),
        at,
        vpc: vpc?,
        zones: zones?,
        subnet_bits: subnet_bits?,
        nat: nat?,
        endpoints,
    };
    fits(walk, section, &network)?;
    let vpc_at =
        if section.get("vpc").is_some() { section.value_at("vpc") } else { section.value_at("cidr") };
    Some(NetworkAt { network, name_at: section.at.clone(), vpc_at })
}

fn vpc<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<VpcChoice> {
    if section.get("vpc").is_none() {
        return cidr(walk, section).map(VpcChoice::Made);
    }
    if section.get("cidr").is_some() {
        let what = "`cidr` is for a VPC that is made, and `vpc` names one that exists";
        walk.error(&section.key_at("cidr"), what, Some("remove one of them".into()));
        return None;
    }
    if section.text(walk, "vpc", "vpc = \"default\"")? == "default" {
        return Some(VpcChoice::Default);
    }
    let vpc = section.parsed::<VpcId>(walk, "vpc", "vpc = \"default\"")?;
    id::is_whole(walk, section, "vpc", "vpc-").then_some(VpcChoice::Existing(vpc))
}

/// A network without subnets of its own has only roles: nothing of it could reach the internet, or an endpoint.
fn without_subnets<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) {
    for (key, none) in [("nat", "nat = \"none\""), ("endpoints", "endpoints = []"), ("subnets", "")] {
        let Some(value) = section.get(key) else { continue };
        let is_none = match value.get_ref() {
            DeValue::String(text) => key == "nat" && text == Nat::None.word(),
            DeValue::Array(array) => array.is_empty(),
            _ => false,
        };
        if !is_none {
            let what = format!("`zones` is empty, so the network has no subnets that `{key}` is for");
            let hint = match none {
                "" => format!("remove `{key}`"),
                none => format!("write `{none}`, or the zones of its subnets"),
            };
            walk.error(&section.value_at(key), what, Some(hint));
        }
    }
}

/// The prefix of a VPC: /16 to /28 of IPv4 (VPC user guide, "VPC CIDR blocks").
fn cidr<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<Cidr> {
    const LIKE: &str = "cidr = \"10.0.0.0/16\"";
    let Some(cidr) = section.get("cidr").map(|_| section.parsed::<Cidr>(walk, "cidr", LIKE)) else {
        return Network::CIDR.parse().ok();
    };
    let cidr = cidr?;
    let at = section.value_at("cidr");
    if cidr.family() == Family::V6 || !(16..=28).contains(&cidr.bits()) {
        let what =
            format!("`{cidr}` cannot be the CIDR block of a VPC, which is an IPv4 network of /16 to /28");
        walk.error(&at, what, Some(format!("write `{LIKE}`")));
        return None;
    }
    match special_within(cidr) {
        Some((_, Special::Private | Special::Shared)) => {}
        _ => {
            let what = format!(
                "`{cidr}` is not a private network, so the VPC cannot reach who has these addresses on the internet"
            );
            walk.warning(&at, what, Some(format!("write `{LIKE}`")));
        }
    }
    Some(cidr)
}

fn subnet_bits<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<u8> {
    const LIKE: &str = "subnets = \"/21\"";
    if section.get("subnets").is_none() {
        return Some(Network::SUBNET_BITS);
    }
    let text = section.text(walk, "subnets", LIKE)?;
    let bits = text.strip_prefix('/').and_then(|bits| bits.parse::<u8>().ok());
    // A subnet has /16 to /28 (VPC user guide, "Subnet CIDR blocks"), and a network has at least two.
    match bits.filter(|bits| (17..=28).contains(bits)) {
        Some(bits) => Some(bits),
        None => {
            let what = format!("`{text}` is not the size of a subnet, which is from `/17` to `/28`");
            walk.error(&section.value_at("subnets"), what, Some(format!("write `{LIKE}`")));
            None
        }
    }
}

fn zones<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<Zones> {
    const LIKE: &str = "zones = 2";
    let Some(value) = section.get("zones") else { return Some(Zones::Count(Network::ZONES)) };
    if let DeValue::Array(array) = value.get_ref() {
        let list = section.list::<ZoneId>(walk, "zones", "zones = [\"euw1-az1\", \"euw1-az2\"]")?;
        if array.is_empty() && section.get("vpc").is_none() {
            walk.error(
                &value.span(),
                "`zones` is empty, so the network has no subnet",
                Some(format!("write `{LIKE}`, or name a VPC that exists")),
            );
            return None;
        }
        // What is not a zone was reported; without it the network is another.
        let whole = list.len() == array.len();
        return whole.then(|| Zones::These(list.into_iter().map(|(zone, _)| zone).collect()));
    }
    let count = section.number(walk, "zones", LIKE)?;
    match u8::try_from(count).ok().filter(|count| (1..=26).contains(count)) {
        Some(count) => Some(Zones::Count(count)),
        None => {
            let what = format!("a network has subnets in at least one zone, and no Region has {count}");
            walk.error(&value.span(), what, Some(format!("write `{LIKE}`")));
            None
        }
    }
}

fn nat<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<Nat> {
    const LIKE: &str = "nat = \"gateway\"";
    if section.get("nat").is_none() {
        return Some(Nat::Gateway);
    }
    let text = section.text(walk, "nat", LIKE)?;
    if let Some(nat) = Nat::ALL.into_iter().find(|nat| nat.word() == text) {
        return Some(nat);
    }
    let at = section.value_at("nat");
    if text == "instance" {
        let what = "NAT instances are not supported in this version";
        walk.error(&at, what, Some(format!("write `{LIKE}`")));
        return None;
    }
    let words = Nat::ALL.map(Nat::word);
    let hint = match did_you_mean(text, words) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", super::walk::and(&words)),
    };
    walk.error(&at, format!("`{text}` is not a value of `nat`"), Some(hint));
    None
}

fn endpoints<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> BTreeSet<EndpointService> {
    const LIKE: &str = "endpoints = [\"s3\", \"ssm\", \"ssmmessages\"]";
    match section.list::<EndpointService>(walk, "endpoints", LIKE) {
        Some(list) => list.into_iter().map(|(service, _)| service).collect(),
        None => Network::ENDPOINTS.into_iter().filter_map(|service| service.parse().ok()).collect(),
    }
}

/// Whether the subnets of a VPC that is made fit into it.
fn fits<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>, network: &Network) -> Option<()> {
    let VpcChoice::Made(cidr) = network.vpc else { return Some(()) };
    let bits = network.subnet_bits;
    let at = section.value_at(if section.get("subnets").is_some() { "subnets" } else { "cidr" });
    let pairs = bits.checked_sub(cidr.bits() + 1).map_or(0, |more| 1_u32 << more);
    let smaller = |zones: u32| {
        let needed = (1..=28_u8).find(|bits| {
            bits.checked_sub(cidr.bits() + 1).is_some_and(|more| more < 31 && 1_u32 << more >= zones)
        });
        needed.filter(|needed| *needed >= 17).map(|needed| format!("write `subnets = \"/{needed}\"`"))
    };
    let misfit = match &network.zones {
        Zones::Count(count) if u32::from(*count) > pairs => {
            let what = format!(
                "`{cidr}` has room for {pairs} zones with a public and a private /{bits} each, and not for {count}"
            );
            Some((what, u32::from(*count)))
        }
        Zones::Count(_) => None,
        Zones::These(zones) => zones
            .iter()
            .find(|zone| preferred(cidr, bits, SubnetKind::Public, zone).is_none())
            .map(|zone| {
                let what = format!(
                    "`{cidr}` has room for {pairs} zones with a public and a private /{bits} each, and {zone} is further"
                );
                (what, u32::from(zone.number()))
            }),
    };
    match misfit {
        None => Some(()),
        Some((what, zones)) => {
            walk.error(&at, what, smaller(zones));
            None
        }
    }
}

/// What several networks may not be together.
pub(super) fn together(walk: &mut Walk<'_>, networks: &[NetworkAt]) {
    for (number, one) in networks.iter().enumerate() {
        for before in networks.iter().take(number) {
            let name = &before.network.name;
            if one.network.at != before.network.at {
                continue;
            }
            let what = match (&one.network.vpc, &before.network.vpc) {
                (VpcChoice::Made(one), VpcChoice::Made(other))
                    if one.covers(*other) || other.covers(*one) =>
                {
                    format!(
                        "`{one}` overlaps with `{other}` of `[network.{name}]`, so they could never be connected"
                    )
                }
                (one, other) if one == other && !matches!(one, VpcChoice::Made(_)) => {
                    format!("`[network.{name}]` has the same VPC")
                }
                _ => continue,
            };
            walk.error(&one.vpc_at, what, Some("give each network a VPC and a CIDR block of its own".into()));
        }
        // RDS stores names in lower case.
        let lower = |at: &NetworkAt| at.network.name.as_str().to_lowercase();
        if let Some(twin) = networks.iter().take(number).find(|before| lower(before) == lower(one)) {
            let what = format!("`{}` and `{}` differ only in case", one.network.name, twin.network.name);
            walk.error(&one.name_at, what, Some("rename one of them".into()));
        }
    }
}
