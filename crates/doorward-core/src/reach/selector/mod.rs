//! The ends of a question: the internet, addresses, or any resource by id, name or ARN.

mod catalog;
pub(crate) mod hostname;
pub(crate) mod resolve;
mod several;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

pub use self::catalog::Candidate;
use self::catalog::Entry;
pub use self::hostname::HostName;
pub use self::several::Several;
use self::several::are_instances;
use crate::inventory::{Gap, GapSource, Inventory, NamedResource, ResourceKind, ResourceRef, Tags};
use crate::net::{Cidr, NetError};

/// The tag that EC2 Auto Scaling puts on the instances of a group.
const AUTO_SCALING_GROUP: &str = "aws:autoscaling:groupName";

/// One end of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Any public address outside.
    Internet,
    /// One address: whoever has it, inside or outside.
    Address(IpAddr),
    /// Whoever has an address of a prefix.
    Cidr(Cidr),
    /// Whoever has a name in DNS that EC2 gave.
    Host(HostName),
    Resource(NamedResource),
    /// Several resources that one text means together.
    Several(Several),
}

/// What was named is no end of a question, or not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// Nothing has that id, name or ARN.
    #[error("nothing in the inventory is called `{text}`")]
    Nothing {
        /// What was typed.
        text: String,
        /// What it may have meant.
        meant: Option<String>,
        /// Calls that might have told of it.
        gaps: Vec<Gap>,
    },
    /// Several have that name.
    #[error("`{text}` is the name of several: {}", listed(found))]
    Several {
        /// What was typed.
        text: String,
        /// Each of them.
        found: Vec<Candidate>,
    },
    /// An address with bits behind its prefix and the like.
    #[error(transparent)]
    Address(#[from] NetError),
}

fn listed(found: &[Candidate]) -> String {
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Selector {
    /// What a text names in an inventory.
    ///
    /// `internet`, an address, a prefix, an id, a `Name`, an ARN, a name in DNS, `tag:KEY=VALUE` for all that are tagged
    /// so, `asg:NAME` for the instances of an Auto Scaling group, or `KIND:NAME` to choose among several of one name:
    /// `instance:`, `rds:`, `cluster:`, `proxy:`, `cache:`, `function:`, `service:`, `task:`,
    /// `lb:`, `group:`, `interface:`, `subnet:`, `vpc:`, `endpoint:`, `nat:`, `vpn:`. A name that is unique only within
    /// an account, a Region or a cluster may have them before it: `rds:eu-west-1/orders`, `service:staging/api`.
    pub fn find(text: &str, inventory: &Inventory) -> Result<Self, NotFound> {
        if text == "internet" {
            return Ok(Self::Internet);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        match text.parse::<Cidr>() {
            Ok(cidr) => return Ok(Self::Cidr(cidr)),
            Err(NetError::NotACidr(_)) => {}
            Err(mistake) => return Err(mistake.into()),
        }
        match HostName::read(text) {
            Some(name) => Ok(Self::Host(name)),
            None => Self::find_resource(text, inventory),
        }
    }

    fn find_resource(text: &str, inventory: &Inventory) -> Result<Self, NotFound> {
        // Most questions name ids, and an account has very many names.
        if let Some(found) = by_id(text, inventory) {
            return Ok(Self::Resource(found));
        }
        let all = catalog::entries(inventory);
        let those = |test: &dyn Fn(&Entry) -> bool| -> BTreeSet<&NamedResource> {
            all.iter().filter(|entry| test(entry)).map(|entry| &entry.named).collect()
        };
        let is_word = |word: &str| ResourceKind::ALL.iter().any(|kind| kind.selectors().contains(&word));
        let chosen = text.split_once(':').filter(|(word, _)| is_word(word));
        let tag = text.strip_prefix("tag:").map(|tag| tag.split_once('=').unwrap_or((tag, "")));
        let group = text.strip_prefix("asg:").map(|group| (AUTO_SCALING_GROUP, group));
        let found = if let Some((key, value)) = tag.or(group) {
            those(&|entry| entry.is_tagged(key, value))
        } else if let Some((word, name)) = chosen {
            those(&|entry| entry.is_chosen(word, name))
        } else {
            // An id is nobody else's name.
            let by_id = those(&|entry| entry.is(text));
            if by_id.is_empty() { those(&|entry| entry.is_called(text)) } else { by_id }
        };
        let mut each = found.iter();
        match (each.next(), each.next()) {
            (Some(only), None) => Ok(Self::Resource((*only).clone())),
            (Some(_), Some(_)) if tag.or(group).is_some() || are_instances(&found) => {
                let resources = found.into_iter().cloned().collect();
                Ok(Self::Several(Several { text: text.to_owned(), resources }))
            }
            (Some(_), Some(_)) => {
                let found = catalog::candidates(&found, &all);
                Err(NotFound::Several { text: text.to_owned(), found })
            }
            (None, _) => Err(NotFound::Nothing {
                text: text.to_owned(),
                meant: catalog::nearest(text, &all),
                gaps: inventory.gaps.iter().filter(|gap| might_tell(text, gap)).cloned().collect(),
            }),
        }
    }

    /// The shortest text that means a resource and no other.
    pub fn text_of(resource: &ResourceRef, inventory: &Inventory) -> String {
        match Self::find(resource.id(), inventory) {
            Ok(Self::Resource(found)) if found.resource == *resource => resource.to_string(),
            _ => catalog::text_of(resource, &catalog::entries(inventory)),
        }
    }

    /// The resource; addresses and the internet stand for themselves.
    pub fn resource(&self) -> ResourceRef {
        match self {
            Self::Internet => ResourceRef::of(ResourceKind::Internet, "internet"),
            Self::Address(address) => ResourceRef::of(ResourceKind::Address, &address.to_string()),
            Self::Cidr(cidr) => ResourceRef::of(ResourceKind::Prefix, &cidr.to_string()),
            Self::Host(name) => ResourceRef::of(ResourceKind::Address, &name.to_string()),
            Self::Resource(resource) => resource.resource.clone(),
            Self::Several(several) => ResourceRef::of(ResourceKind::Several, &several.text),
        }
    }
}

impl From<ResourceRef> for Selector {
    fn from(resource: ResourceRef) -> Self {
        Self::Resource(NamedResource { resource, name: None })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internet => f.write_str("internet"),
            Self::Address(address) => address.fmt(f),
            Self::Cidr(cidr) => cidr.fmt(f),
            Self::Host(name) => name.fmt(f),
            Self::Resource(resource) => resource.fmt(f),
            Self::Several(several) => several.fmt(f),
        }
    }
}

/// What has an id, of the kinds that there are most of.
fn by_id(text: &str, inventory: &Inventory) -> Option<NamedResource> {
    let tagged = |resource: ResourceRef, tags: &Tags| {
        let name = tags.get("Name").filter(|name| !name.is_empty()).cloned();
        NamedResource { resource, name }
    };
    if let Some(interface) = inventory.interfaces.get(text) {
        return Some(tagged((&interface.id).into(), &interface.tags));
    }
    if let Some(instance) = inventory.instances.get(text) {
        return Some(tagged((&instance.id).into(), &instance.tags));
    }
    if let Some(subnet) = inventory.subnets.get(text) {
        return Some(tagged((&subnet.id).into(), &subnet.tags));
    }
    if let Some(vpc) = inventory.vpcs.get(text) {
        return Some(tagged((&vpc.id).into(), &vpc.tags));
    }
    let group = inventory.groups.get(text)?;
    let name = Some(group.name.clone()).filter(|name| !name.is_empty());
    Some(NamedResource { resource: (&group.id).into(), name })
}

/// Whether a call that gave no answer might have told of what a text names.
fn might_tell(text: &str, gap: &Gap) -> bool {
    let GapSource::Call(call) = gap.source else { return false };
    let tells = |kind: ResourceKind| kind.described_by().contains(&call);
    match ResourceKind::of_id(text) {
        Some(kind) => tells(kind),
        // A name that people chose.
        None => {
            let named = |kind: &&ResourceKind| {
                kind.is_scoped() || matches!(kind, ResourceKind::Instance | ResourceKind::SecurityGroup)
            };
            ResourceKind::ALL.iter().filter(named).any(|kind| tells(*kind))
        }
    }
}
