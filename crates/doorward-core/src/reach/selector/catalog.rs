//! Every resource that a question can name, with all that it may be called by.

use std::collections::BTreeSet;
use std::fmt;

use crate::inventory::{
    AccountRegion, Inventory, NamedResource, PeeringSide, ResourceKind, ResourceRef, Scope, Tags, VpcId,
};

/// A resource with all that it may be called by.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) named: NamedResource,
    /// Where it was seen, as far as that is known.
    account_region: AccountRegion,
    arn: Option<String>,
    tags: Tags,
    /// Its names in DNS.
    hosts: Vec<String>,
}

/// One of several resources of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The text that means this one and no other.
    pub typed: String,
    /// Its kind, and where it is.
    pub about: String,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.typed, self.about)
    }
}

impl Entry {
    fn new(resource: ResourceRef, name: Option<String>, account_region: &AccountRegion) -> Self {
        let named = NamedResource { resource, name: name.filter(|name| !name.is_empty()) };
        Self {
            named,
            account_region: account_region.clone(),
            arn: None,
            tags: Tags::new(),
            hosts: Vec::new(),
        }
    }

    fn tagged(resource: ResourceRef, tags: &Tags, account_region: &AccountRegion) -> Self {
        Self { tags: tags.clone(), ..Self::new(resource, tags.get("Name").cloned(), account_region) }
    }

    fn with_arn(self, arn: Option<&String>) -> Self {
        Self { arn: arn.cloned(), ..self }
    }

    fn with_host(self, host: Option<&String>) -> Self {
        Self { hosts: host.cloned().into_iter().collect(), ..self }
    }

    fn kind(&self) -> ResourceKind {
        self.named.resource.kind()
    }

    /// Whether a text is its id or its ARN, which are nobody else's.
    pub(super) fn is(&self, text: &str) -> bool {
        let id = self.named.resource.id();
        let in_arn = || {
            let rest = text.strip_prefix("arn:").filter(|rest| rest.contains(":ec2:"))?;
            rest.rsplit_once('/').map(|(_, id)| id)
        };
        let has_id = self.kind().id_prefix().is_some();
        (has_id && (id == text || in_arn() == Some(id))) || self.arn.as_deref() == Some(text)
    }

    pub(super) fn is_called(&self, text: &str) -> bool {
        self.is(text)
            || self.named.resource.id() == text
            || self.named.name.as_deref() == Some(text)
            || self.hosts.iter().any(|host| dns_name(host) == dns_name(text))
    }

    pub(super) fn is_tagged(&self, key: &str, value: &str) -> bool {
        self.tags.get(key).is_some_and(|tagged| tagged == value)
    }

    /// Whether `WORD:NAME` means it; a name may have its account, Region or cluster before it: `rds:eu-west-1/orders`.
    pub(super) fn is_chosen(&self, word: &str, name: &str) -> bool {
        let scoped = || {
            let (scope, name) = name.rsplit_once('/')?;
            let within = self.named.resource.scope()?;
            Some(self.is_called(name) && scope.split('/').all(|part| within.is_called(part)))
        };
        self.kind().selectors().contains(&word) && (self.is_called(name) || scoped() == Some(true))
    }

    fn candidate(&self, all: &[Self]) -> Candidate {
        let account_region = if self.account_region == AccountRegion::default() {
            None
        } else {
            Some(self.account_region.to_string())
        };
        let scope = self.named.resource.scope();
        let account_region = match scope.and_then(Scope::cluster_name) {
            Some(_) => scope.map(ToString::to_string),
            None => account_region,
        };
        let kind = self.kind();
        let about = account_region
            .map_or_else(|| kind.to_string(), |account_region| format!("{kind} in {account_region}"));
        Candidate { typed: self.typed(all), about }
    }

    /// The shortest text that means it and no other.
    fn typed(&self, all: &[Self]) -> String {
        let id = self.named.resource.id();
        let Some(word) = self.kind().selectors().first() else { return id.to_owned() };
        let Some(scope) = self.named.resource.scope() else { return format!("{word}:{id}") };
        let AccountRegion { profile, region, account } = &scope.account_region;
        let owner = account.as_ref().map(|account| account.as_str()).or(profile.as_deref());
        let (region, cluster) = (region.as_deref(), scope.cluster_name());
        let scopes = [
            vec![],
            vec![region],
            vec![owner],
            vec![cluster],
            vec![owner, region],
            vec![region, cluster],
            vec![owner, region, cluster],
        ];
        let texts = scopes.into_iter().filter_map(|parts| {
            let parts: Vec<&str> = parts.into_iter().collect::<Option<_>>()?;
            Some(parts.into_iter().chain([id]).collect::<Vec<_>>().join("/"))
        });
        let only = |text: &String| all.iter().filter(|entry| entry.is_chosen(word, text)).count() == 1;
        let typed = texts.into_iter().find(only).map(|text| format!("{word}:{text}"));
        typed.or_else(|| self.arn.clone()).unwrap_or_else(|| format!("{word}:{id}"))
    }
}

/// Several of one name, each with the text that means it.
pub(super) fn candidates(found: &BTreeSet<&NamedResource>, all: &[Entry]) -> Vec<Candidate> {
    let entries = all.iter().filter(|entry| found.contains(&entry.named));
    entries.map(|entry| entry.candidate(all)).collect()
}

/// The text that means a resource and no other.
pub(super) fn text_of(resource: &ResourceRef, all: &[Entry]) -> String {
    let entry = all.iter().find(|entry| entry.named.resource == *resource);
    entry.map_or_else(|| resource.to_string(), |entry| entry.typed(all))
}

/// A name in DNS as configurations have it: in any case, with a dot or a port behind it, with the `dualstack.` that Route 53
/// puts before the names of load balancers in aliases.
pub(super) fn dns_name(text: &str) -> String {
    let host = match text.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => text,
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host.strip_prefix("dualstack.").map(str::to_owned).unwrap_or(host)
}

/// Everything that a question can name.
pub(super) fn entries(inventory: &Inventory) -> Vec<Entry> {
    let nowhere = AccountRegion::default();
    let of_vpc = |vpc: &VpcId| inventory.vpcs.get(vpc).map_or(&nowhere, |vpc| &vpc.account_region);
    let of_some = |vpc: Option<&VpcId>| vpc.map_or(&nowhere, of_vpc);
    // Every member is named: one that is added later is either found here or left out on purpose.
    let Inventory {
        groups,
        vpcs,
        subnets,
        interfaces,
        instances,
        internet_gateways,
        nat_gateways,
        vpn_gateways,
        vpn_connections,
        transit_gateways,
        attachments,
        peerings,
        endpoints,
        load_balancers,
        databases,
        database_clusters,
        database_cluster_endpoints,
        database_proxies,
        database_proxy_endpoints,
        replication_groups,
        serverless_caches,
        caches,
        functions,
        container_services,
        container_tasks,
        group_references: _,
        prefix_list_weights: _,
        rules_per_group: _,
        incomplete_groups: _,
        zones: _,
        route_tables: _,
        network_acls: _,
        prefix_lists: _,
        block_public_access: _,
        elastic_addresses: _,
        egress_only_gateways: _,
        transit_tables: _,
        target_groups: _,
        launch_templates: _,
        scaling_groups: _,
        database_snapshots: _,
        database_subnet_groups: _,
        cache_subnet_groups: _,
        gaps: _,
        noted: _,
    } = inventory;
    let mut all = Vec::new();
    all.extend(vpcs.values().map(|it| Entry::tagged((&it.id).into(), &it.tags, &it.account_region)));
    all.extend(subnets.values().map(|it| Entry::tagged((&it.id).into(), &it.tags, of_vpc(&it.vpc))));
    all.extend(interfaces.values().map(|it| Entry::tagged((&it.id).into(), &it.tags, of_vpc(&it.vpc))));
    all.extend(instances.values().map(|it| Entry::tagged((&it.id).into(), &it.tags, &it.account_region)));
    all.extend(
        groups.values().map(|it| Entry::new((&it.id).into(), Some(it.name.clone()), &it.account_region)),
    );
    all.extend(
        internet_gateways
            .values()
            .map(|it| Entry::tagged((&it.id).into(), &it.tags, of_some(it.vpc.as_ref()))),
    );
    all.extend(nat_gateways.values().map(|it| Entry::tagged((&it.id).into(), &it.tags, of_vpc(&it.vpc))));
    all.extend(
        vpn_gateways.values().map(|it| Entry::tagged((&it.id).into(), &it.tags, of_some(it.vpc.as_ref()))),
    );
    all.extend(vpn_connections.values().map(|it| {
        let gateway = it.gateway.as_ref().and_then(|gateway| vpn_gateways.get(gateway));
        let account_region = of_some(gateway.and_then(|gateway| gateway.vpc.as_ref()));
        Entry::tagged((&it.id).into(), &it.tags, account_region)
    }));
    all.extend(attachments.values().map(|it| {
        let account_region =
            transit_gateways.get(&it.gateway).map_or(&nowhere, |gateway| &gateway.account_region);
        Entry::tagged((&it.id).into(), &it.tags, account_region)
    }));
    // One of which both VPCs were recorded has nothing behind it that is not named itself.
    let recorded = |side: &PeeringSide| vpcs.contains_key(&side.vpc);
    let out = peerings.values().filter(|it| !recorded(&it.requester) || !recorded(&it.accepter));
    all.extend(out.map(|it| {
        let sides = [&it.requester, &it.accepter];
        let near = sides.into_iter().find_map(|side| vpcs.get(&side.vpc));
        Entry::tagged((&it.id).into(), &it.tags, near.map_or(&nowhere, |vpc| &vpc.account_region))
    }));
    all.extend(endpoints.values().map(|it| Entry::tagged((&it.id).into(), &it.tags, of_vpc(&it.vpc))));
    all.extend(load_balancers.values().map(|it| {
        let entry = Entry::new(it.resource(), None, &it.account_region);
        entry.with_arn(Some(&it.arn)).with_host(it.host.as_ref())
    }));
    all.extend(databases.values().map(|it| {
        let entry = Entry::tagged(it.resource(), &it.tags, &it.account_region);
        entry.with_arn(it.arn.as_ref()).with_host(it.host.as_ref())
    }));
    all.extend(
        database_clusters
            .values()
            .map(|it| Entry::tagged(it.resource(), &it.tags, &it.account_region).with_arn(it.arn.as_ref())),
    );
    all.extend(database_proxies.values().map(|it| {
        let entry = Entry::new(it.resource(), None, &it.account_region);
        entry.with_arn(it.arn.as_ref()).with_host(it.host.as_ref())
    }));
    for cluster in database_clusters.values() {
        let undescribed = |host: &&String| {
            let mut endpoints = database_cluster_endpoints.values();
            !endpoints.any(|endpoint| endpoint.host.as_ref() == Some(*host))
        };
        let hosts = cluster.host.iter().chain(&cluster.reader_host);
        let hosts = hosts.chain(cluster.custom_hosts.iter().filter(undescribed));
        all.extend(hosts.map(|host| {
            let resource = ResourceRef::of(ResourceKind::DatabaseEndpoint, host);
            Entry::new(resource, None, &cluster.account_region).with_host(Some(host))
        }));
    }
    all.extend(database_cluster_endpoints.values().filter_map(|it| {
        let host = it.host.as_ref()?;
        let resource = ResourceRef::of(ResourceKind::DatabaseEndpoint, host);
        let entry = Entry::new(resource, Some(it.name.clone()), &it.account_region);
        Some(entry.with_arn(it.arn.as_ref()).with_host(Some(host)))
    }));
    all.extend(database_proxy_endpoints.values().map(|it| {
        let entry = Entry::new(it.resource(), None, &it.account_region);
        entry.with_arn(it.arn.as_ref()).with_host(it.host.as_ref())
    }));
    all.extend(
        replication_groups
            .values()
            .map(|it| Entry::new(it.resource(), None, &it.account_region).with_arn(it.arn.as_ref())),
    );
    for group in replication_groups.values() {
        let hosts = group.configuration_host.iter().chain(&group.primary_hosts).chain(&group.reader_hosts);
        all.extend(hosts.map(|host| {
            let resource = ResourceRef::of(ResourceKind::CacheEndpoint, host);
            Entry::new(resource, None, &group.account_region).with_host(Some(host))
        }));
    }
    for cache in serverless_caches.values() {
        let entry = Entry::new(cache.resource(), None, &cache.account_region).with_arn(cache.arn.as_ref());
        let hosts: Vec<&String> = cache.host.iter().chain(&cache.reader_host).collect();
        all.push(Entry { hosts: hosts.into_iter().cloned().collect(), ..entry });
    }
    all.extend(caches.values().map(|it| {
        let entry = Entry::new(it.resource(), None, &it.account_region);
        entry.with_arn(it.arn.as_ref()).with_host(it.host.as_ref())
    }));
    all.extend(
        functions
            .values()
            .map(|it| Entry::new(it.resource(), None, &it.account_region).with_arn(it.arn.as_ref())),
    );
    all.extend(
        container_services
            .values()
            .map(|it| Entry::new(it.resource(), None, &it.account_region).with_arn(Some(&it.arn))),
    );
    all.extend(
        container_tasks
            .values()
            .map(|it| Entry::new(it.resource(), None, &it.account_region).with_arn(Some(&it.arn))),
    );
    all
}

/// What is nearly called so.
pub(super) fn nearest(text: &str, all: &[Entry]) -> Option<String> {
    let names = all
        .iter()
        .flat_map(|entry| std::iter::once(entry.named.resource.id()).chain(entry.named.name.as_deref()));
    let near = names.map(|name| (strsim::damerau_levenshtein(text, name), name));
    let (distance, name) = near.min()?;
    (distance <= 1 + text.len() / 5 && distance < text.len()).then(|| name.to_owned())
}
