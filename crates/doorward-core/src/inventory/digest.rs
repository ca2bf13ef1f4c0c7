//! A digest of what plans are made from: a plan holds it, and is refused once the account has moved.

mod encode;
mod resources;
#[cfg(test)]
mod samples;

use std::fmt;

pub(crate) use encode::{Encode, Encoder, enums, structs, texts};
#[cfg(test)]
pub(crate) use samples::{Samples, built, check_that_all_differ, first, others};

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
        let mut into = Encoder::default();
        groups.encode(&mut into);
        prefix_list_weights.encode(&mut into);
        rules_per_group.encode(&mut into);
        incomplete_groups.encode(&mut into);
        vpcs.encode(&mut into);
        subnets.encode(&mut into);
        zones.encode(&mut into);
        route_tables.encode(&mut into);
        network_acls.encode(&mut into);
        into.each(interfaces.iter().map(|(id, it)| (id, &it.subnet, &it.groups, &it.instance)));
        into.each(instances.iter().map(|(id, it)| (id, &it.interfaces, &it.tags)));
        elastic_addresses.encode(&mut into);
        internet_gateways.encode(&mut into);
        egress_only_gateways.encode(&mut into);
        nat_gateways.encode(&mut into);
        endpoints.encode(&mut into);
        into.each(load_balancers.iter().map(|(arn, it)| (arn, &it.groups)));
        into.each(launch_templates.iter().map(|(id, it)| (id, &it.latest, &it.tags)));
        into.each(
            scaling_groups
                .iter()
                .map(|(name, it)| ((name, &it.template), (it.min, it.max), &it.subnets, &it.tags)),
        );
        into.each(databases.iter().map(|(name, it)| (name, &it.groups, &it.tags)));
        into.each(database_snapshots.iter().map(|(name, it)| (name, &it.database, &it.tags)));
        into.each(database_clusters.iter().map(|(name, it)| (name, &it.groups, &it.tags)));
        database_subnet_groups.encode(&mut into);
        into.each(database_proxies.iter().map(|(name, it)| (name, &it.groups)));
        into.each(serverless_caches.iter().map(|(name, it)| (name, &it.groups)));
        into.each(caches.iter().map(|(name, it)| (name, &it.groups)));
        into.each(functions.iter().map(|(name, it)| (name, &it.groups)));
        into.each(container_services.iter().map(|(arn, it)| (arn, &it.groups)));
        Digest(into.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{AccountRegion, DnsAttributes, Instance, Tags, Vpc};
    use super::*;

    fn vpc() -> Vpc {
        Vpc {
            id: "vpc-0a".parse().expect("an id"),
            account_region: AccountRegion::default(),
            owner: None,
            cidrs: ["10.0.0.0/16".parse().expect("a prefix")].into(),
            default: false,
            dns: DnsAttributes::default(),
            tags: Tags::new(),
        }
    }

    fn with(vpc: Vpc) -> Inventory {
        Inventory { vpcs: [(vpc.id.clone(), vpc)].into(), ..Inventory::default() }
    }

    #[test]
    fn a_network_that_changes_has_another_digest() {
        let tagged = Vpc { tags: [("a".to_owned(), "b".to_owned())].into(), ..vpc() };
        assert_eq!(with(vpc()).digest(), with(vpc()).digest());
        assert_ne!(with(vpc()).digest(), with(tagged).digest());
        assert_ne!(with(vpc()).digest(), Inventory::default().digest());
    }

    /// A saved plan is applied by a later version too: whoever changes these changes the format of saved plans.
    #[test]
    fn a_digest_stays_the_same_in_later_versions() {
        let check = |inventory: &Inventory, expected: &str| {
            assert_eq!(inventory.digest().to_string(), expected);
        };
        check(&Inventory::default(), "6eb69e26de2a26eda48af77d4cec893aa0cf4748a64cbefcfe11a22c1e680ad9");
        check(&with(vpc()), "cbe5cad62f25eb272e227441cac0d80a87aaf53078da3dd6e19a618ef7fc1607");
    }

    #[test]
    fn each_field_of_each_resource_changes_the_digest() {
        let mut all = Vec::new();
        macro_rules! altered {
            ($($member:ident)*) => {$({
                for $member in others() {
                    all.push(Inventory { $member, ..Inventory::default() }.digest());
                }
            })*};
        }
        altered! {
            groups prefix_list_weights rules_per_group incomplete_groups vpcs subnets zones route_tables network_acls
            elastic_addresses internet_gateways egress_only_gateways nat_gateways endpoints database_subnet_groups
        }
        let different: BTreeSet<[u8; 32]> = all.iter().map(|digest| digest.0).collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn what_changes_by_itself_does_not_change_the_digest() {
        let instance = |state: &str, tag: &str| {
            let instance = Instance {
                id: first(),
                account_region: first(),
                state: state.to_owned(),
                interfaces: first(),
                platform: None,
                image: None,
                size: None,
                profile: None,
                tags: [("doorward".to_owned(), tag.to_owned())].into(),
            };
            let instances = [(instance.id.clone(), instance)].into();
            Inventory { instances, ..Inventory::default() }.digest()
        };
        assert_eq!(instance("running", "a"), instance("stopped", "a"));
        assert_ne!(instance("running", "a"), instance("running", "b"));
    }
}
