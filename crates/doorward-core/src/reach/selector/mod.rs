//! The ends of a question: the internet, addresses, or any resource by id, name or ARN.

pub(crate) mod resolve;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::inventory::{Call, Gap, Inventory, Tags};
use crate::net::{Cidr, NetError};
use crate::text::shown;

/// One end of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Any public address outside.
    Internet,
    /// One address: whoever has it, inside or outside.
    Address(IpAddr),
    /// Whoever has an address of a prefix.
    Cidr(Cidr),
    /// A resource.
    Resource(Resource),
}

/// A resource that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// What it is, like `security group`.
    pub kind: &'static str,
    /// Its id; the name or ARN of what has none.
    pub id: String,
    /// The name that people gave it.
    pub name: Option<String>,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_ref().filter(|name| **name != self.id) {
            Some(name) => write!(f, "{} ({})", self.id, shown(name)),
            None => f.write_str(&self.id),
        }
    }
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
    #[error("`{text}` is the name of several: {}", found.join(", "))]
    Several {
        /// What was typed.
        text: String,
        /// Each as it can be typed.
        found: Vec<String>,
    },
    /// An address with bits behind its prefix and the like.
    #[error(transparent)]
    Address(#[from] NetError),
}

/// The words that choose among several of one name, and the kind that each stands for.
const KINDS: [(&str, &str); 17] = [
    ("instance", "instance"),
    ("rds", "database"),
    ("cluster", "database cluster"),
    ("proxy", "database proxy"),
    ("cache", "cache"),
    ("function", "function"),
    ("lambda", "function"),
    ("service", "ECS service"),
    ("task", "ECS task"),
    ("lb", "load balancer"),
    ("group", "security group"),
    ("interface", "interface"),
    ("subnet", "subnet"),
    ("vpc", "VPC"),
    ("endpoint", "VPC endpoint"),
    ("nat", "NAT gateway"),
    ("vpn", "VPN gateway"),
];

impl Selector {
    /// What a text names in an inventory.
    ///
    /// `internet`, an address, a prefix, an id, a `Name`, an ARN, `tag:KEY=VALUE`, or `KIND:NAME` to choose among
    /// several of one name: `instance:`, `rds:`, `cluster:`, `proxy:`, `cache:`, `function:`, `service:`, `task:`,
    /// `lb:`, `group:`, `interface:`, `subnet:`, `vpc:`, `endpoint:`, `nat:`, `vpn:`.
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
        Self::resource(text, inventory)
    }

    fn resource(text: &str, inventory: &Inventory) -> Result<Self, NotFound> {
        // Most questions name ids, and an account has very many names.
        if let Some(found) = by_id(text, inventory) {
            return Ok(Self::Resource(found));
        }
        let all = listed(inventory);
        let chosen = text.split_once(':').and_then(|(word, name)| {
            let kind = KINDS.iter().find(|(known, _)| *known == word)?.1;
            Some((kind, name))
        });
        let found: BTreeSet<&Resource> = if let Some(tag) = text.strip_prefix("tag:") {
            let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
            all.iter().filter(|listed| listed.is_tagged(key, value)).map(|listed| &listed.resource).collect()
        } else if let Some((kind, name)) = chosen {
            let of_kind = all.iter().filter(|listed| listed.resource.kind == kind);
            of_kind.filter(|listed| listed.is_called(name)).map(|listed| &listed.resource).collect()
        } else {
            // An id is nobody else's name.
            let by_id = all.iter().filter(|listed| listed.is(text)).map(|listed| &listed.resource);
            let by_id: BTreeSet<&Resource> = by_id.collect();
            if by_id.is_empty() {
                all.iter().filter(|listed| listed.is_called(text)).map(|listed| &listed.resource).collect()
            } else {
                by_id
            }
        };
        let mut each = found.iter();
        match (each.next(), each.next()) {
            (Some(only), None) => Ok(Self::Resource((*only).clone())),
            (Some(_), Some(_)) => {
                let found = found.iter().map(|resource| typed(resource)).collect();
                Err(NotFound::Several { text: text.to_owned(), found })
            }
            (None, _) => Err(NotFound::Nothing {
                text: text.to_owned(),
                meant: meant(text, &all),
                gaps: inventory.gaps.iter().filter(|gap| might_tell(text, gap)).cloned().collect(),
            }),
        }
    }

    /// What it is, like `security group`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Internet => "internet",
            Self::Address(_) => "address",
            Self::Cidr(_) => "prefix",
            Self::Resource(resource) => resource.kind,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internet => f.write_str("internet"),
            Self::Address(address) => address.fmt(f),
            Self::Cidr(cidr) => cidr.fmt(f),
            Self::Resource(resource) => resource.fmt(f),
        }
    }
}

/// What has an id, of the kinds that there are most of.
fn by_id(text: &str, inventory: &Inventory) -> Option<Resource> {
    let tagged = |kind: &'static str, tags: &Tags| {
        let name = tags.get("Name").filter(|name| !name.is_empty()).cloned();
        Resource { kind, id: text.to_owned(), name }
    };
    if let Ok(id) = text.parse() {
        return inventory.interfaces.get(&id).map(|interface| tagged("interface", &interface.tags));
    }
    if let Ok(id) = text.parse() {
        return inventory.instances.get(&id).map(|instance| tagged("instance", &instance.tags));
    }
    if let Ok(id) = text.parse() {
        return inventory.subnets.get(&id).map(|subnet| tagged("subnet", &subnet.tags));
    }
    if let Ok(id) = text.parse() {
        return inventory.vpcs.get(&id).map(|vpc| tagged("VPC", &vpc.tags));
    }
    let group = inventory.groups.get(&text.parse().ok()?)?;
    let name = Some(group.name.clone()).filter(|name| !name.is_empty());
    Some(Resource { kind: "security group", id: text.to_owned(), name })
}

/// How a resource is typed so that no other is meant.
fn typed(resource: &Resource) -> String {
    let word = KINDS.iter().find(|(_, kind)| *kind == resource.kind).map(|(word, _)| *word);
    match word {
        Some(word) => format!("{word}:{}", resource.id),
        None => resource.id.clone(),
    }
}

/// A resource with all that it may be called by.
struct Listed {
    resource: Resource,
    arn: Option<String>,
    tags: Tags,
    host: Option<String>,
}

impl Listed {
    /// Whether the text is its id or its ARN.
    fn is(&self, text: &str) -> bool {
        let in_arn = || {
            let rest = text.strip_prefix("arn:").filter(|rest| rest.contains(":ec2:"))?;
            rest.rsplit_once('/').map(|(_, id)| id)
        };
        let has_id = self.resource.id.contains('-') && is_id(&self.resource.id);
        (has_id && (self.resource.id == text || in_arn() == Some(&self.resource.id)))
            || self.arn.as_deref() == Some(text)
    }

    fn is_called(&self, text: &str) -> bool {
        self.is(text)
            || self.resource.id == text
            || self.resource.name.as_deref() == Some(text)
            || self.host.as_deref() == Some(text)
    }

    fn is_tagged(&self, key: &str, value: &str) -> bool {
        self.tags.get(key).is_some_and(|tagged| tagged == value)
    }
}

/// Whether a text looks like an id of EC2 and not like a name that somebody chose.
fn is_id(text: &str) -> bool {
    let prefixes = [
        "i-", "eni-", "sg-", "subnet-", "vpc-", "igw-", "nat-", "vgw-", "vpn-", "vpce-", "tgw-", "pcx-",
        "eigw-",
    ];
    prefixes.iter().any(|prefix| text.starts_with(prefix))
}

fn listed(inventory: &Inventory) -> Vec<Listed> {
    let mut all = Vec::new();
    let mut add =
        |kind: &'static str, id: String, tags: Option<&Tags>, name: Option<String>, arn: Option<String>| {
            let tags = tags.cloned().unwrap_or_default();
            let name = name.or_else(|| tags.get("Name").cloned()).filter(|name| !name.is_empty());
            all.push(Listed { resource: Resource { kind, id, name }, arn, tags, host: None });
        };
    for vpc in inventory.vpcs.values() {
        add("VPC", vpc.id.to_string(), Some(&vpc.tags), None, None);
    }
    for subnet in inventory.subnets.values() {
        add("subnet", subnet.id.to_string(), Some(&subnet.tags), None, None);
    }
    for interface in inventory.interfaces.values() {
        add("interface", interface.id.to_string(), Some(&interface.tags), None, None);
    }
    for instance in inventory.instances.values() {
        add("instance", instance.id.to_string(), Some(&instance.tags), None, None);
    }
    for group in inventory.groups.values() {
        add("security group", group.id.to_string(), None, Some(group.name.clone()), None);
    }
    for gateway in inventory.internet_gateways.values() {
        add("internet gateway", gateway.id.to_string(), Some(&gateway.tags), None, None);
    }
    for gateway in inventory.nat_gateways.values() {
        add("NAT gateway", gateway.id.to_string(), Some(&gateway.tags), None, None);
    }
    for gateway in inventory.vpn_gateways.values() {
        add("VPN gateway", gateway.id.to_string(), Some(&gateway.tags), None, None);
    }
    for connection in inventory.vpn_connections.values() {
        add("VPN connection", connection.id.to_string(), Some(&connection.tags), None, None);
    }
    for attachment in inventory.attachments.values() {
        add("transit gateway attachment", attachment.id.to_string(), Some(&attachment.tags), None, None);
    }
    for endpoint in inventory.endpoints.values() {
        add("VPC endpoint", endpoint.id.to_string(), Some(&endpoint.tags), None, None);
    }
    for balancer in inventory.load_balancers.values() {
        add("load balancer", balancer.name.clone(), None, None, Some(balancer.arn.clone()));
    }
    for database in inventory.databases.values() {
        add("database", database.name.clone(), Some(&database.tags), None, database.arn.clone());
    }
    for cluster in inventory.database_clusters.values() {
        add("database cluster", cluster.name.clone(), Some(&cluster.tags), None, cluster.arn.clone());
    }
    for proxy in inventory.database_proxies.values() {
        add("database proxy", proxy.name.clone(), None, None, proxy.arn.clone());
    }
    for cache in inventory.caches.values() {
        add("cache", cache.name.clone(), None, None, cache.arn.clone());
    }
    for function in inventory.functions.values() {
        add("function", function.name.clone(), None, None, function.arn.clone());
    }
    for service in inventory.container_services.values() {
        add("ECS service", service.name.clone(), None, None, Some(service.arn.clone()));
    }
    for task in inventory.container_tasks.values() {
        add("ECS task", task.arn.clone(), None, None, Some(task.arn.clone()));
    }
    name_hosts(&mut all, inventory);
    all
}

/// Names in DNS name services as well.
fn name_hosts(all: &mut [Listed], inventory: &Inventory) {
    let databases = inventory.databases.values().map(|it| ("database", &it.name, &it.host));
    let clusters = inventory.database_clusters.values().map(|it| ("database cluster", &it.name, &it.host));
    let proxies = inventory.database_proxies.values().map(|it| ("database proxy", &it.name, &it.host));
    let caches = inventory.caches.values().map(|it| ("cache", &it.name, &it.host));
    let balancers = inventory.load_balancers.values().map(|it| ("load balancer", &it.name, &it.host));
    for (kind, id, host) in databases.chain(clusters).chain(proxies).chain(caches).chain(balancers) {
        let listed = all.iter_mut().find(|listed| listed.resource.kind == kind && listed.resource.id == *id);
        if let Some(listed) = listed {
            listed.host.clone_from(host);
        }
    }
}

/// What is nearly called so.
fn meant(text: &str, all: &[Listed]) -> Option<String> {
    let names = all.iter().flat_map(|listed| {
        std::iter::once(listed.resource.id.as_str()).chain(listed.resource.name.as_deref())
    });
    let near = names.map(|name| (strsim::damerau_levenshtein(text, name), name));
    let (distance, name) = near.min()?;
    (distance <= 1 + text.len() / 5 && distance < text.len()).then(|| name.to_owned())
}

/// Whether a call that gave no answer might have told of what a text names.
fn might_tell(text: &str, gap: &Gap) -> bool {
    let by_prefix = [
        ("i-", Call::Instances),
        ("eni-", Call::Interfaces),
        ("sg-", Call::SecurityGroups),
        ("subnet-", Call::Subnets),
        ("vpc-", Call::Vpcs),
        ("igw-", Call::InternetGateways),
        ("nat-", Call::NatGateways),
        ("vgw-", Call::VpnGateways),
        ("vpn-", Call::VpnConnections),
        ("vpce-", Call::Endpoints),
        ("tgw-", Call::TransitAttachments),
    ];
    match by_prefix.iter().find(|(prefix, _)| text.starts_with(prefix)) {
        Some((_, call)) => gap.call == call.action(),
        None => [
            Call::Instances,
            Call::SecurityGroups,
            Call::Databases,
            Call::DatabaseClusters,
            Call::DatabaseProxies,
            Call::Caches,
            Call::Functions,
            Call::ContainerServices,
            Call::LoadBalancers,
            Call::ClassicLoadBalancers,
        ]
        .iter()
        .any(|call| gap.call == call.action()),
    }
}
