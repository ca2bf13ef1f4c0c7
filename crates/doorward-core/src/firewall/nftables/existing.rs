//! A table as it stands in the kernel: what `nft -j list table` says, in a form that can be compared.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use serde_json::Value;

use super::{InstallationId, MARKER, Table};

/// An answer that is not one of `nft -j list table`.
#[derive(Debug, thiserror::Error)]
pub enum NotNft {
    /// Not JSON.
    #[error("the output of nft is not JSON")]
    Json(#[from] serde_json::Error),
    /// JSON of another shape.
    #[error("the output of nft has no list `nftables` of objects")]
    Shape,
}

/// A table that stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExistingTable {
    pub(super) chains: BTreeMap<String, ExistingChain>,
    pub(super) sets: BTreeMap<String, ExistingSet>,
    /// Maps, flow tables, counters and the like, of which we make none: kind and name.
    pub(super) others: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ExistingChain {
    /// Type, hook, priority and policy, where the kernel enters it.
    pub hook: Option<String>,
    pub rules: Vec<ExistingRule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExistingRule {
    pub comment: Option<String>,
    /// What it does, as nft says it.
    pub says: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ExistingSet {
    pub of: String,
    pub flags: Vec<String>,
    pub elements: Vec<ExistingElement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExistingElement {
    /// The addresses that it holds; empty where they could not be read.
    pub nets: Vec<IpNet>,
    /// The element as nft says it.
    pub says: String,
    pub comment: Option<String>,
    /// Whole seconds that are left to it; none for an element that stays.
    pub left: Option<u64>,
}

/// Whose a table is that bears our name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// Somebody else's.
    #[error("table `inet {table}` is there and was not made by Doorward")]
    Foreign { table: String },
    /// Another Doorward's.
    #[error("table `inet {table}` was made by another installation of Doorward ({by})")]
    Another { table: String, by: InstallationId },
}

impl ExistingTable {
    /// Reads what `nft -j list table inet NAME` answered.
    pub fn read(json: &str) -> Result<Self, NotNft> {
        let answer: Value = serde_json::from_str(json)?;
        let objects = answer.get("nftables").and_then(Value::as_array).ok_or(NotNft::Shape)?;
        let mut existing = Self::default();
        for object in objects {
            let Some((kind, object)) = object.as_object().and_then(|object| object.iter().next()) else {
                return Err(NotNft::Shape);
            };
            let name = || text(object, "name").unwrap_or_default();
            match kind.as_str() {
                "metainfo" | "table" => {}
                "chain" => existing.chains.entry(name()).or_default().hook = hook(object),
                "rule" => {
                    let chain = text(object, "chain").unwrap_or_default();
                    let says = object.get("expr").map(Value::to_string).unwrap_or_default();
                    let rule = ExistingRule { comment: text(object, "comment"), says };
                    existing.chains.entry(chain).or_default().rules.push(rule);
                }
                "set" => {
                    existing.sets.insert(name(), set(object));
                }
                other => existing.others.push(format!("{other} `{}`", name())),
            }
        }
        Ok(existing)
    }

    /// Whose table it is; an error unless it is the one of `table`'s installation.
    pub fn owned(&self, table: &Table) -> Result<(), NotOurs> {
        let by = self.chains.keys().find_map(|name| {
            let (by, _) = name.strip_prefix(MARKER)?.split_once('.')?;
            by.parse::<InstallationId>().ok()
        });
        let name = || table.name.as_str().to_owned();
        match by {
            Some(by) if by == table.by => Ok(()),
            Some(by) => Err(NotOurs::Another { table: name(), by }),
            None => Err(NotOurs::Foreign { table: name() }),
        }
    }

    /// Every rule in order, by chain, as this machine's nft says it: equal for equal rules, and to be compared
    /// only with what the same nft said.
    pub fn rules(&self) -> Vec<(String, String)> {
        let rules = |(name, chain): (&String, &ExistingChain)| {
            let name = name.clone();
            let says = chain.rules.iter().map(|rule| rule.says.clone()).collect::<Vec<_>>();
            says.into_iter().map(move |says| (name.clone(), says))
        };
        self.chains.iter().flat_map(rules).collect()
    }
}

fn text(object: &Value, key: &str) -> Option<String> {
    object.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn hook(chain: &Value) -> Option<String> {
    let hook = text(chain, "hook")?;
    let kind = text(chain, "type").unwrap_or_default();
    let priority = chain.get("prio").map(Value::to_string).unwrap_or_default();
    Some(format!("{kind} {hook} {priority} {}", text(chain, "policy").unwrap_or_default()))
}

fn set(set: &Value) -> ExistingSet {
    let list = |key: &str| set.get(key).and_then(Value::as_array).into_iter().flatten();
    // A list of one may be written without the list.
    let flags = list("flags").chain(set.get("flags").filter(|flags| flags.is_string()));
    ExistingSet {
        of: text(set, "type").unwrap_or_default(),
        flags: flags.filter_map(Value::as_str).map(str::to_owned).collect(),
        elements: list("elem").map(element).collect(),
    }
}

/// An element is its value alone, or `{"elem": {"val": …, "timeout": …, "expires": …, "comment": …}}`.
fn element(element: &Value) -> ExistingElement {
    let inner = element.get("elem");
    let value = inner.and_then(|inner| inner.get("val")).unwrap_or(element);
    let seconds = |key: &str| inner.and_then(|inner| inner.get(key)).and_then(Value::as_u64);
    ExistingElement {
        nets: nets(value).unwrap_or_default(),
        says: value.to_string(),
        comment: inner.and_then(|inner| text(inner, "comment")),
        left: seconds("timeout").map(|_| seconds("expires").unwrap_or(0)),
    }
}

/// An address, `{"prefix": {"addr": …, "len": …}}` or `{"range": [first, last]}`.
fn nets(value: &Value) -> Option<Vec<IpNet>> {
    let address = |value: &Value| value.as_str()?.parse::<IpAddr>().ok();
    if let Some(prefix) = value.get("prefix") {
        let bits = u8::try_from(prefix.get("len")?.as_u64()?).ok()?;
        return Some(vec![IpNet::new(address(prefix.get("addr")?)?, bits).ok()?]);
    }
    if let Some([first, last]) = value.get("range").and_then(Value::as_array).map(Vec::as_slice) {
        return match (address(first)?, address(last)?) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                Some(Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect())
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                Some(Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect())
            }
            _ => None,
        };
    }
    address(value).map(|address| vec![IpNet::from(address)])
}
