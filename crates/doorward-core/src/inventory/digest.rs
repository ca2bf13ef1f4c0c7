//! A digest of what plans are made from: a plan holds it, and is refused once the account has moved.

use std::fmt;
use std::fmt::Debug;

use sha2::{Digest as _, Sha256};

use super::Inventory;

/// SHA-256 of an inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Inventory {
    /// A digest of the networks and security groups, and of what has which group attached.
    ///
    /// States that change by themselves, like the health of a target or the status of a task, are no part of it.
    pub fn digest(&self) -> Digest {
        // Every member is named, so that of each one that is added later somebody decides whether plans depend on it.
        let Self {
            groups,
            group_references: _,
            prefix_list_weights,
            rules_per_group,
            incomplete_groups,
            vpcs,
            subnets,
            zones,
            route_tables,
            network_acls,
            prefix_lists: _,
            block_public_access: _,
            interfaces,
            instances,
            elastic_addresses,
            internet_gateways,
            egress_only_gateways,
            nat_gateways,
            vpn_gateways: _,
            vpn_connections: _,
            peerings: _,
            transit_gateways: _,
            attachments: _,
            transit_tables: _,
            endpoints,
            load_balancers,
            target_groups: _,
            launch_templates,
            scaling_groups,
            databases,
            database_snapshots,
            database_clusters,
            database_cluster_endpoints: _,
            database_subnet_groups,
            database_proxies,
            database_proxy_endpoints: _,
            replication_groups: _,
            serverless_caches,
            caches,
            cache_subnet_groups: _,
            functions,
            container_services,
            container_tasks: _,
            gaps: _,
            noted: _,
        } = self;
        let mut hash = Hash(Sha256::new());
        hash.each("groups", groups.values());
        hash.each("weights", prefix_list_weights);
        hash.each("quotas", rules_per_group);
        hash.each("incomplete", incomplete_groups);
        hash.each("vpcs", vpcs.values());
        hash.each("subnets", subnets.values());
        hash.each("zones", zones.values());
        hash.each("tables", route_tables.values());
        hash.each("acls", network_acls.values());
        hash.each("interfaces", interfaces.values().map(|it| (&it.id, &it.subnet, &it.groups, &it.instance)));
        hash.each("instances", instances.values().map(|it| (&it.id, &it.interfaces, &it.tags)));
        hash.each("addresses", elastic_addresses.values());
        hash.each("internet gateways", internet_gateways.values());
        hash.each("egress-only gateways", egress_only_gateways.values());
        hash.each("NAT gateways", nat_gateways.values());
        hash.each("endpoints", endpoints.values());
        hash.each("load balancers", load_balancers.values().map(|it| (&it.arn, &it.groups)));
        hash.each("templates", launch_templates.values().map(|it| (&it.id, it.latest, &it.tags)));
        hash.each(
            "scaling groups",
            scaling_groups
                .iter()
                .map(|(name, it)| (name, &it.template, it.min, it.max, &it.subnets, &it.tags)),
        );
        hash.each("databases", databases.iter().map(|(name, it)| (name, &it.groups, &it.tags)));
        hash.each("snapshots", database_snapshots.iter().map(|(name, it)| (name, &it.database, &it.tags)));
        hash.each("clusters", database_clusters.iter().map(|(name, it)| (name, &it.groups, &it.tags)));
        hash.each("subnet groups", database_subnet_groups.values());
        hash.each("proxies", database_proxies.iter().map(|(name, it)| (name, &it.groups)));
        hash.each("serverless caches", serverless_caches.iter().map(|(name, it)| (name, &it.groups)));
        hash.each("caches", caches.iter().map(|(name, it)| (name, &it.groups)));
        hash.each("functions", functions.iter().map(|(name, it)| (name, &it.groups)));
        hash.each("services", container_services.values().map(|it| (&it.arn, &it.groups)));
        Digest(hash.0.finalize().into())
    }
}

struct Hash(Sha256);

impl Hash {
    fn each(&mut self, kind: &str, members: impl IntoIterator<Item = impl Debug>) {
        self.0.update(format!("{kind}\n"));
        for member in members {
            self.0.update(format!("{member:?}\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AccountRegion, DnsAttributes, Tags, Vpc};
    use super::*;

    #[test]
    fn a_network_that_changes_has_another_digest() {
        let vpc = Vpc {
            id: "vpc-0a".parse().expect("an id"),
            account_region: AccountRegion::default(),
            owner: None,
            cidrs: ["10.0.0.0/16".parse().expect("a prefix")].into(),
            default: false,
            dns: DnsAttributes::default(),
            tags: Tags::new(),
        };
        let with =
            |vpc: &Vpc| Inventory { vpcs: [(vpc.id.clone(), vpc.clone())].into(), ..Inventory::default() };
        let tagged = Vpc { tags: [("a".to_owned(), "b".to_owned())].into(), ..vpc.clone() };
        assert_eq!(with(&vpc).digest(), with(&vpc).digest());
        assert_ne!(with(&vpc).digest(), with(&tagged).digest());
        assert_ne!(with(&vpc).digest(), Inventory::default().digest());
    }
}
