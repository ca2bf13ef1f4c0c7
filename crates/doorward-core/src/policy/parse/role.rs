//! `[role.NAME]`: a security group by role.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use toml::de::DeValue;

use super::walk::{Section, Span, Walk, and};
use super::{environment, id};
use crate::inventory::SecurityGroupId;
use crate::net::Flow;
use crate::policy::{Address, did_you_mean};
use crate::topology::{Carrier, NetworkName, Outside, Role, RoleName, Source};

pub(super) const KEYS: [&str; 5] = ["network", "group", "admits", "reaches", "on"];

/// A role, and where its parts stand.
pub(super) struct RoleAt {
    pub(super) role: Role,
    pub(super) name_at: Span,
    sources: Vec<(Source, Span)>,
}

/// Reads one role; none when something that it cannot be without is wrong.
pub(super) fn read<'t>(
    walk: &mut Walk<'t>,
    name: &RoleName,
    section: &Section<'t, '_>,
    networks: &BTreeSet<NetworkName>,
) -> Option<RoleAt> {
    let admits = flows::<SourceText>(walk, section, "admits", "admits = { db_connect = [\"tcp/5432\"] }");
    let reaches = flows::<OutsideText>(walk, section, "reaches", "reaches = { internet = [\"tcp/443\"] }");
    let on = section.list::<CarrierText>(walk, "on", "on = [\"rds:orders-prod\"]").unwrap_or_default();
    let group = match section.get("group") {
        None => None,
        Some(_) => {
            let group =
                section.parsed::<SecurityGroupId>(walk, "group", "group = \"sg-0a1b2c3d4e5f60718\"")?;
            Some(id::is_whole(walk, section, "group", "sg-").then_some(group)?)
        }
    };
    let network = network(walk, section, networks)?;
    let sources = admits.iter().map(|(SourceText(source), _, at)| (source.clone(), at.clone())).collect();
    let role = Role {
        name: name.clone(),
        network,
        group,
        admits: admits.into_iter().map(|(SourceText(source), flows, _)| (source, flows)).collect(),
        reaches: reaches.into_iter().map(|(OutsideText(outside), flows, _)| (outside, flows)).collect(),
        on: on.into_iter().map(|(CarrierText(carrier), _)| carrier).collect(),
    };
    Some(RoleAt { role, name_at: section.at.clone(), sources })
}

/// The network of a role or an environment: the only one, if none is named.
pub(super) fn network<'t>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    networks: &BTreeSet<NetworkName>,
) -> Option<NetworkName> {
    let names: Vec<&str> = networks.iter().map(NetworkName::as_str).collect();
    if section.get("network").is_none() {
        if let (Some(only), 1) = (networks.first(), networks.len()) {
            return Some(only.clone());
        }
        let (what, hint) = match networks.first() {
            None => (
                format!("{} needs a network, and the policy has none", section.name),
                "add `[network.main]`".to_owned(),
            ),
            Some(first) => {
                (format!("{} needs `network`", section.name), format!("add `network = \"{first}\"`"))
            }
        };
        walk.missing(&section.at, what, Some(hint));
        return None;
    }
    let name = section.parsed::<NetworkName>(walk, "network", "network = \"main\"")?;
    if networks.contains(&name) {
        return Some(name);
    }
    let hint = match did_you_mean(name.as_str(), names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.is_empty() => format!("add `[network.{name}]`"),
        None => format!("there are {}", and(&names)),
    };
    walk.missing(&section.value_at("network"), format!("there is no `[network.{name}]`"), Some(hint));
    None
}

/// A table of flows by peer.
fn flows<'t, K: FromStr<Err: Display> + Ord>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    key: &str,
    like: &str,
) -> Vec<(K, BTreeSet<Flow>, Span)> {
    let Some(value) = section.get(key) else { return Vec::new() };
    let DeValue::Table(table) = value.get_ref() else {
        let what = format!("`{key}` must be a table, with the flows of each peer");
        walk.error(&value.span(), what, Some(format!("write `{like}`")));
        return Vec::new();
    };
    let inside = Section { name: format!("`{key}`"), at: section.key_at(key), table };
    let mut read = BTreeMap::new();
    for name in table.keys() {
        let at = name.span();
        let peer = match name.get_ref().parse::<K>() {
            Ok(peer) => peer,
            Err(error) => {
                walk.error(&at, error.to_string(), None);
                continue;
            }
        };
        let Some(list) = inside.list::<Flow>(walk, name.get_ref(), "[\"tcp/5432\"]") else { continue };
        if list.is_empty() {
            let what = format!("`{}` has no flows, so nothing is allowed", name.get_ref());
            walk.warning(&at, what, Some("write a list like `[\"tcp/5432\"]`".into()));
        }
        read.insert(peer, (list.into_iter().map(|(flow, _)| flow).collect(), at));
    }
    read.into_iter().map(|(peer, (flows, at))| (peer, flows, at)).collect()
}

/// What several roles may not be together: each that is admitted exists, in the same network.
pub(super) fn together(walk: &mut Walk<'_>, roles: &[RoleAt], named: &BTreeSet<RoleName>) {
    for (number, at) in roles.iter().enumerate() {
        let twin = roles
            .iter()
            .take(number)
            .find(|other| other.role.group.is_some() && other.role.group == at.role.group);
        if let Some(twin) = twin {
            let what = format!("`{}` and `{}` are the same security group", twin.role.name, at.role.name);
            walk.error(&at.name_at, what, Some("declare it once".into()));
        }
        for (source, span) in &at.sources {
            let Source::Role(name) = source else { continue };
            if !named.contains(name) {
                let hint = match did_you_mean(name.as_str(), named.iter().map(RoleName::as_str)) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("add `[role.{name}]`, or write a CIDR block or `internet`"),
                };
                walk.missing(span, format!("there is no `[role.{name}]`"), Some(hint));
                continue;
            }
            let Some(other) = roles.iter().find(|other| other.role.name == *name) else { continue };
            if other.role.network != at.role.network {
                let what = format!(
                    "`{name}` is a role of the network {}, and a security group admits those of its own network",
                    other.role.network
                );
                let hint = "write the CIDR block of that network, if the two are connected".to_owned();
                walk.error(span, what, Some(hint));
            }
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct SourceText(Source);

impl FromStr for SourceText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A name has no slash, and none of a CIDR block's colons.
        if text == "internet" || text.contains(['/', ':']) || text.parse::<std::net::IpAddr>().is_ok() {
            return text.parse().map(|OutsideText(outside)| Self(Source::Outside(outside)));
        }
        text.parse()
            .map(|role| Self(Source::Role(role)))
            .map_err(|error: crate::name::NameError| error.to_string())
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct OutsideText(Outside);

impl FromStr for OutsideText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(outside) => Ok(Self(outside)),
            Err(crate::net::NetError::NotACidr(_)) => Err(format!(
                "`{text}` is neither a CIDR block nor `internet`; a role reaches the roles that admit it without listing them"
            )),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[derive(PartialEq)]
struct CarrierText(Carrier);

const KINDS: [&str; 8] = ["instance", "tag", "rds", "proxy", "cache", "service", "function", "environment"];

impl FromStr for CarrierText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kind = text.split_once(':').map(|(kind, _)| kind);
        let named = |rest: &str| {
            // Names of services have up to 255 letters, digits, `_` and `-`, and those of functions up to 64 (ECS API
            // reference, `CreateService`; Lambda API reference, `CreateFunction`).
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            !rest.is_empty() && rest.len() <= 255 && rest.bytes().all(allowed)
        };
        match (kind, text.split_once(':').map_or("", |(_, rest)| rest)) {
            (Some("service"), rest) => {
                let (cluster, name) = match rest.split_once('/') {
                    Some((cluster, name)) => (Some(cluster), name),
                    None => (None, rest),
                };
                if !named(name) || !cluster.is_none_or(named) {
                    return Err(format!("`{text}` is not a service of ECS (like `service:shop/orders`)"));
                }
                Ok(Self(Carrier::Service { cluster: cluster.map(str::to_owned), name: name.to_owned() }))
            }
            (Some("function"), rest) if named(rest) => Ok(Self(Carrier::Function(rest.to_owned()))),
            (Some("function"), _) => {
                Err(format!("`{text}` is not a Lambda function (like `function:report`)"))
            }
            (Some("environment"), rest) => {
                environment::part(rest).map(|(name, part)| Self(Carrier::Environment(name, part)))
            }
            (Some("instance" | "tag" | "rds" | "proxy" | "cache"), _) => {
                let address = text.parse::<Address>().map_err(|error| error.to_string())?;
                carrier(address).map(Self).ok_or_else(|| not(text))
            }
            (Some(kind), _) => Err(match did_you_mean(kind, KINDS) {
                Some(meant) => format!("`{kind}:` is not a kind of resource; did you mean `{meant}:`?"),
                None => not(text),
            }),
            (None, _) => Err(not(text)),
        }
    }
}

fn not(text: &str) -> String {
    let kinds: Vec<String> = KINDS.iter().map(|kind| format!("{kind}:")).collect();
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    format!("`{text}` does not name a resource; it begins with one of {}", and(&kinds))
}

fn carrier(address: Address) -> Option<Carrier> {
    Some(match address {
        Address::Instance(id) => Carrier::Instance(id.parse().ok()?),
        Address::Tag(key, value) => Carrier::Tag(key, value),
        Address::Rds(name) => Carrier::Database(name),
        Address::Proxy(name) => Carrier::Proxy(name),
        Address::Cache(name) => Carrier::Cache(name),
        Address::Host(_) | Address::Network(_) => return None,
    })
}
