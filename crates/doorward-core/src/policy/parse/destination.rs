//! Where a target is: one address or networks, and who knows the names in them.

use std::net::IpAddr;
use std::str::FromStr;

use toml::de::DeValue;

use super::id;
use super::walk::{Section, Walk};
use crate::net::Cidr;
use crate::policy::address::networks;
use crate::policy::{Address, Names};

/// One address, or networks: a text or a list of them.
pub(super) fn address<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<Address> {
    const LIKE: &str = "address = \"rds:orders-prod\"";
    let value = section.need(walk, "address", LIKE)?;
    if !matches!(value.get_ref(), DeValue::Array(_)) {
        id::is_whole(walk, section, "address", "instance:i-");
        return section.parsed::<Address>(walk, "address", LIKE);
    }
    let before = walk.mistakes.len();
    let list = section.list::<Cidr>(walk, "address", "address = [\"10.0.0.0/16\"]")?;
    let told = walk.mistakes.len() > before;
    match networks(list.into_iter().map(|(network, _)| network).collect()) {
        Ok(address) => Some(address),
        Err(error) => {
            if !told {
                walk.error(&value.span(), error.to_string(), None);
            }
            None
        }
    }
}

/// `names = ["internal.example.org"]` and `resolver = "10.0.0.2"`, both or neither.
pub(super) fn names<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Result<Option<Names>, ()> {
    const NAMES: &str = "names = [\"internal.example.org\"]";
    const RESOLVER: &str = "resolver = \"10.0.0.2\"";
    let names = section.get("names").map(|_| section.list::<Domain>(walk, "names", NAMES).ok_or(()));
    let resolver =
        section.get("resolver").map(|_| section.parsed::<Resolver>(walk, "resolver", RESOLVER).ok_or(()));
    match (names.transpose()?, resolver.transpose()?) {
        (None, None) => Ok(None),
        (Some(names), Some(Resolver(resolver))) => {
            if names.is_empty() {
                let what = "`names` is empty, so no name is resolved";
                walk.warning(&section.value_at("names"), what, Some(format!("write `{NAMES}`")));
            }
            Ok(Some(Names { below: names.into_iter().map(|(Domain(name), _)| name).collect(), resolver }))
        }
        (Some(_), None) => {
            let what = "`names` are resolved in the network, but no `resolver` is named";
            let hint = format!("add `{RESOLVER}`, which in a VPC is its first address plus two");
            walk.missing(&section.key_at("names"), what, Some(hint));
            Err(())
        }
        (None, Some(_)) => {
            let what = "`resolver` resolves `names`, and there are none";
            walk.missing(&section.key_at("resolver"), what, Some(format!("add `{NAMES}`")));
            Err(())
        }
    }
}

/// A domain, without a full stop before or behind it.
#[derive(Debug, PartialEq, Eq)]
struct Domain(String);

impl FromStr for Domain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix("*.").or(text.strip_prefix('.')).unwrap_or(text);
        match bare.strip_suffix('.').unwrap_or(bare).parse() {
            Ok(Address::Host(name)) if name.parse::<IpAddr>().is_err() => Ok(Self(name)),
            _ => Err(format!("`{text}` is not a domain (like `internal.example.org`)")),
        }
    }
}

/// An address that can be asked.
struct Resolver(IpAddr);

impl FromStr for Resolver {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address =
            text.parse::<IpAddr>().map_err(|_| format!("`{text}` is not an address (like `10.0.0.2`)"))?;
        Ok(Self(address.to_canonical()))
    }
}
