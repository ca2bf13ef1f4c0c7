//! `[firewall.NAME]`: where rules are enforced, and who is always let in.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::walk::{Section, Span, Walk, and};
use super::{id, settings};
use crate::inventory::{AccountRegion, SecurityGroupId, VpcId};
use crate::net::{Cidr, Special, special_within};
use crate::policy::{Enforcement, Firewall, FirewallName};

/// A firewall, and where its parts stand.
pub(super) struct FirewallAt {
    pub(super) firewall: Firewall,
    pub(super) name_at: Span,
    pub(super) kind_at: Span,
    /// Whether targets behind it that it does not tell apart are meant.
    pub(super) shared: bool,
}

const KINDS: [&str; 3] = ["security-group", "nftables", "relay"];
const KEYS: [&str; 10] = [
    "security-group",
    "nftables",
    "relay",
    "about",
    "static",
    "anyone",
    "shared",
    "region",
    "profile",
    "vpc",
];

/// Reads one firewall; none when something that it cannot be without is wrong.
pub(super) fn read<'t>(
    walk: &mut Walk<'t>,
    name: &FirewallName,
    section: &Section<'t, '_>,
    aws: &AccountRegion,
    special_networks: &[Cidr],
) -> Option<FirewallAt> {
    let about = section.plain(walk, "about", "about = \"…\"").unwrap_or_default().to_owned();
    let statics = statics(walk, section);
    let shared = section.flag(walk, "shared").unwrap_or(false);
    let kind = kind(walk, section, aws);
    let (kind, kind_at) = kind?;
    set_apart(walk, &statics, &kind, special_networks);
    let statics = statics.into_iter().map(|(cidr, _)| cidr).collect();
    let name_at = section.at.clone();
    let firewall = Firewall { name: name.clone(), about, kind, statics };
    Some(FirewallAt { firewall, name_at, kind_at, shared })
}

/// The keys that a firewall's table may have; the two that are not supported yet speak for themselves.
pub(super) fn keys() -> Vec<&'static str> {
    KEYS.into_iter().chain(["iptables", "pf"]).collect()
}

fn kind<'t>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    aws: &AccountRegion,
) -> Option<(Enforcement, Span)> {
    for key in ["iptables", "pf"] {
        if section.get(key).is_some() {
            let what = format!("`{key}` is not supported in this version");
            let hint = "write `nftables = \"inet doorward\"`, or `relay = \"0.0.0.0:15432\"`".to_owned();
            walk.error(&section.key_at(key), what, Some(hint));
            return None;
        }
    }
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| section.get(kind).is_some()).collect();
    let kind = match kinds.as_slice() {
        [kind] => *kind,
        [] => {
            let what = format!("{} has nothing that enforces it", section.name);
            let hint = "add `security-group = \"sg-…\"`, `nftables = \"inet doorward\"` or `relay = \"0.0.0.0:15432\"`";
            walk.missing(&section.at, what, Some(hint.to_owned()));
            return None;
        }
        [_, second, ..] => {
            let what = format!("{} has {}; a firewall has one of them", section.name, and(&kinds));
            walk.error(&section.key_at(second), what, Some("make each of them a separate firewall".into()));
            return None;
        }
    };
    if kind != "security-group" {
        for key in ["region", "profile", "vpc"] {
            if section.get(key).is_some() {
                let what = format!("`{key}` is for a security group, and this is `{kind}`");
                walk.error(&section.key_at(key), what, Some(format!("remove `{key}`")));
            }
        }
    }
    let at = section.value_at(kind);
    let kind = match kind {
        "security-group" => security_group(walk, section, aws),
        "nftables" => nftables(walk, section),
        _ => relay(walk, section),
    };
    kind.map(|kind| (kind, at))
}

fn security_group<'t>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    aws: &AccountRegion,
) -> Option<Enforcement> {
    let at = settings::account_region(walk, section, aws.clone());
    let vpc = section.parsed::<VpcId>(walk, "vpc", "vpc = \"vpc-0a1b2c3d4e5f60718\"");
    id::is_whole(walk, section, "vpc", "vpc-");
    let like = "security-group = \"sg-0a1b2c3d4e5f60718\"";
    let group = section.parsed::<SecurityGroupId>(walk, "security-group", like)?;
    if !id::is_whole(walk, section, "security-group", "sg-") {
        return None;
    }
    Some(Enforcement::SecurityGroup { group, at, vpc })
}

fn nftables<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<Enforcement> {
    const LIKE: &str = "nftables = \"inet doorward\"";
    let text = section.text(walk, "nftables", LIKE)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let wrong = match words.as_slice() {
        ["inet", table] => match table_name(table) {
            Ok(table) => return Some(Enforcement::Nftables { table }),
            Err(wrong) => wrong,
        },
        [family, _] => {
            format!("the family of the table must be `inet`, which is IPv4 and IPv6, not `{family}`")
        }
        _ => format!("`{text}` is not a family and a table"),
    };
    walk.error(&section.value_at("nftables"), wrong, Some(format!("write `{LIKE}`")));
    None
}

fn table_name(name: &str) -> Result<String, String> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    let good = name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(allowed);
    if good {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "`{name}` is not the name of a table: use lower-case letters, digits, `_` and `-`, beginning with a letter"
        ))
    }
}

fn relay<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<Enforcement> {
    const LIKE: &str = "relay = \"0.0.0.0:15432\"";
    let listen: SocketAddr = settings::listen(walk, section, "relay", LIKE)?;
    if listen.port() == 0 {
        let what = "port 0 is a different port at each start";
        walk.warning(&section.value_at("relay"), what, Some(format!("write `{LIKE}`")));
    }
    Some(Enforcement::Relay { listen })
}

/// Warns of static addresses that nobody comes from, and in a security group of those that are machines of the VPC unless
/// the policy lists them.
fn set_apart(walk: &mut Walk<'_>, statics: &[(Cidr, Span)], kind: &Enforcement, listed: &[Cidr]) {
    let in_group = matches!(kind, Enforcement::SecurityGroup { .. });
    for (cidr, at) in statics.iter().filter(|(cidr, _)| !cidr.is_everyone()) {
        let Some((network, special)) = special_within(*cidr) else { continue };
        // A good part of the internet holds such networks, and is meant otherwise.
        if network != *cidr && cidr.net().prefix_len() < 8 {
            continue;
        }
        let hint = match special {
            // Examples, which this program's own are full of.
            Special::Documentation => continue,
            Special::Private | Special::Shared if !in_group => continue,
            Special::Private | Special::Shared if listed.iter().any(|listed| listed.covers(network)) => {
                continue;
            }
            Special::Private | Special::Shared => {
                format!("list `{network}` in `special-networks` of `[grants]` if people come from there")
            }
            Special::Loopback if !in_group => continue,
            _ => "remove it: no client has such an address".to_owned(),
        };
        let what = match network == *cidr {
            true => format!("`{cidr}` is not a network of the internet: {special}"),
            false => {
                format!("`{cidr}` contains `{network}`, which is not a network of the internet: {special}")
            }
        };
        walk.warning(at, what, Some(hint));
    }
}

/// The static list. Everybody is let in only by a policy that says so twice.
fn statics<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Vec<(Cidr, Span)> {
    let anyone = section.flag(walk, "anyone").unwrap_or(false);
    let statics = section.list::<Cidr>(walk, "static", "static = [\"198.51.100.0/24\"]").unwrap_or_default();
    let hint = || Some("remove it, or set `anyone = true` in this firewall if this is intended".to_owned());
    let mut open = anyone;
    for (cidr, at) in &statics {
        if cidr.is_everyone() && !anyone {
            walk.error(at, format!("`{cidr}` admits everybody"), hint());
            open = true;
        }
    }
    // `0.0.0.0/1` and `128.0.0.0/1` are everybody too.
    let nets: Vec<IpNet> = statics.iter().map(|(cidr, _)| cidr.net()).collect();
    let together = IpNet::aggregate(&nets).into_iter().find(|net| net.prefix_len() == 0);
    if let Some(everyone) = together.filter(|_| !open) {
        let what = format!("together these are `{everyone}`, which admits everybody");
        walk.error(&section.value_at("static"), what, hint());
    }
    statics
}
