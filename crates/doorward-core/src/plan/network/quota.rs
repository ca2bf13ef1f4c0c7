//! The quotas that a plan would exceed, counted before anything is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::inventory::{
    AccountRegion, Direction, EndpointKind, Inventory, LoadBalancerKind, NatAvailability, NatGateway,
    ResourceRef, SecurityGroupId, VpcId,
};
use crate::net::Family;
use crate::topology::Holder;

/// A quota of AWS that networks and roles count against.
///
/// Sources: VPC user guide, "Amazon VPC quotas"; EC2 user guide, "Elastic IP address quota"; RDS user guide, "Quotas in
/// Amazon RDS"; User Guide for Application Load Balancers, "Quotas"; Auto Scaling user guide, "Quotas". The codes are those of Service Quotas, by which the applied value is asked for; none where AWS derives the
/// quota from another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quota {
    /// VPCs in a Region.
    Vpcs,
    /// Internet gateways in a Region; it follows the quota of VPCs.
    InternetGateways,
    /// Subnets in a VPC.
    Subnets,
    /// Route tables in a VPC.
    RouteTables,
    /// Elastic addresses in a Region.
    ElasticAddresses,
    /// NAT gateways in a zone: those that are pending, available or deleting.
    NatGateways,
    /// Gateway endpoints in a Region.
    GatewayEndpoints,
    /// Interface endpoints in a VPC.
    InterfaceEndpoints,
    /// Security groups in a Region.
    SecurityGroups,
    /// Rules of a security group, for each direction and family.
    Rules,
    /// Security groups of an interface.
    GroupsPerInterface,
    /// DB instances in a Region.
    Databases,
    /// Manual snapshots of DB instances in a Region.
    DatabaseSnapshots,
    /// Application Load Balancers in a Region.
    LoadBalancers,
    /// Auto Scaling groups in a Region.
    ScalingGroups,
}

impl Quota {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Vpcs,
        Self::InternetGateways,
        Self::Subnets,
        Self::RouteTables,
        Self::ElasticAddresses,
        Self::NatGateways,
        Self::GatewayEndpoints,
        Self::InterfaceEndpoints,
        Self::SecurityGroups,
        Self::Rules,
        Self::GroupsPerInterface,
        Self::Databases,
        Self::DatabaseSnapshots,
        Self::LoadBalancers,
        Self::ScalingGroups,
    ];

    /// The service of Service Quotas that has it.
    pub fn service(self) -> &'static str {
        match self {
            Self::ElasticAddresses => "ec2",
            Self::Databases | Self::DatabaseSnapshots => "rds",
            Self::LoadBalancers => "elasticloadbalancing",
            Self::ScalingGroups => "autoscaling",
            _ => "vpc",
        }
    }

    /// What is counted, in AWS's words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vpcs => "VPCs per Region",
            Self::InternetGateways => "internet gateways per Region",
            Self::Subnets => "subnets per VPC",
            Self::RouteTables => "route tables per VPC",
            Self::ElasticAddresses => "Elastic IP addresses per Region",
            Self::NatGateways => "NAT gateways per Availability Zone",
            Self::GatewayEndpoints => "gateway VPC endpoints per Region",
            Self::InterfaceEndpoints => "interface VPC endpoints per VPC",
            Self::SecurityGroups => "security groups per Region",
            Self::Rules => "inbound or outbound rules per security group",
            Self::GroupsPerInterface => "security groups per network interface",
            Self::Databases => "DB instances per Region",
            Self::DatabaseSnapshots => "manual DB instance snapshots per Region",
            Self::LoadBalancers => "Application Load Balancers per Region",
            Self::ScalingGroups => "Auto Scaling groups per Region",
        }
    }

    /// The code of Service Quotas.
    pub fn code(self) -> Option<&'static str> {
        Some(match self {
            Self::Vpcs => "L-F678F1CE",
            Self::Subnets => "L-407747CB",
            Self::ElasticAddresses => "L-0263D0A3",
            Self::NatGateways => "L-FE5A380F",
            Self::Rules => "L-0EA8095F",
            Self::GroupsPerInterface => "L-2AFB9258",
            Self::Databases => "L-7B6409FD",
            Self::DatabaseSnapshots => "L-272F1212",
            Self::LoadBalancers => "L-53DA6B97",
            Self::ScalingGroups => "L-CDE20ADC",
            Self::InternetGateways
            | Self::RouteTables
            | Self::GatewayEndpoints
            | Self::InterfaceEndpoints
            | Self::SecurityGroups => return None,
        })
    }

    /// The value for an account that has not asked for another.
    pub fn default_value(self) -> u32 {
        match self {
            Self::Vpcs
            | Self::InternetGateways
            | Self::ElasticAddresses
            | Self::NatGateways
            | Self::GroupsPerInterface => 5,
            Self::Databases => 40,
            Self::DatabaseSnapshots => 100,
            Self::Subnets | Self::RouteTables => 200,
            Self::GatewayEndpoints => 20,
            Self::InterfaceEndpoints | Self::LoadBalancers => 50,
            Self::ScalingGroups => 500,
            Self::SecurityGroups => 2500,
            Self::Rules => crate::inventory::RULES_PER_GROUP,
        }
    }
}

/// A quota that would be exceeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    pub quota: Quota,
    /// Of what it is one, where not of the whole Region.
    pub of: Option<String>,
    /// How many there would be.
    pub would: u32,
    /// How many there may be.
    pub limit: u32,
    /// Whether the limit is AWS's default, because the account's own is not known.
    pub is_default: bool,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quota, of, would, limit, is_default } = self;
        if let Some(of) = of {
            write!(f, "{of}: ")?;
        }
        write!(f, "there would be {would} of the {limit} {} that the quota allows", quota.name())?;
        if let Some(code) = quota.code() {
            write!(f, " ({code})")?;
        }
        if *is_default {
            f.write_str("; this is AWS's default, and the quota of the account is not known")?;
        }
        Ok(())
    }
}

/// What is counted: of which quota, and within what.
type Counts = BTreeMap<(Quota, Option<String>), u32>;

/// The quotas that `wanted` exceeds in an account and Region and `actual` does not exceed as far. `known` has those of
/// the account.
pub fn exceeded(
    actual: &Inventory,
    wanted: &Inventory,
    account_region: &AccountRegion,
    known: &BTreeMap<Quota, u32>,
) -> Vec<Exceeded> {
    let before = counts(actual, account_region);
    counts(wanted, account_region)
        .into_iter()
        .filter_map(|((quota, of), would)| {
            let own = match quota {
                Quota::Rules => wanted.rules_per_group.get(account_region).or(known.get(&quota)),
                _ => known.get(&quota),
            };
            let limit = own.copied().unwrap_or(quota.default_value());
            let was = before.get(&(quota, of.clone())).copied().unwrap_or(0);
            let is_default = own.is_none();
            (would > limit && would > was).then_some(Exceeded { quota, of, would, limit, is_default })
        })
        .collect()
}

fn counts(inventory: &Inventory, account_region: &AccountRegion) -> Counts {
    let mut counts = Counts::new();
    let mut count = |quota: Quota, of: Option<String>, number: u32| {
        *counts.entry((quota, of)).or_default() += number;
    };
    let vpcs: BTreeSet<&VpcId> = inventory
        .vpcs
        .values()
        .filter(|vpc| vpc.account_region == *account_region)
        .map(|vpc| &vpc.id)
        .collect();
    let named = |vpc: &VpcId| Some(vpc.to_string());
    vpcs.iter().for_each(|_| count(Quota::Vpcs, None, 1));
    for gateway in inventory.internet_gateways.values() {
        if gateway.vpc.as_ref().is_none_or(|vpc| vpcs.contains(vpc)) {
            count(Quota::InternetGateways, None, 1);
        }
    }
    let subnets = inventory.subnets.values().filter(|it| vpcs.contains(&it.vpc));
    subnets.for_each(|it| count(Quota::Subnets, named(&it.vpc), 1));
    let tables = inventory.route_tables.values().filter(|it| vpcs.contains(&it.vpc));
    tables.for_each(|it| count(Quota::RouteTables, named(&it.vpc), 1));
    inventory.elastic_addresses.keys().for_each(|_| count(Quota::ElasticAddresses, None, 1));
    for gateway in inventory.nat_gateways.values().filter(|it| vpcs.contains(&it.vpc) && !it.has_failed()) {
        if let Some(zone) = zone(inventory, gateway) {
            count(Quota::NatGateways, Some(zone), 1);
        }
    }
    for endpoint in inventory.endpoints.values().filter(|it| vpcs.contains(&it.vpc)) {
        match endpoint.kind {
            EndpointKind::Gateway => count(Quota::GatewayEndpoints, None, 1),
            EndpointKind::Interface => count(Quota::InterfaceEndpoints, named(&endpoint.vpc), 1),
            EndpointKind::GatewayLoadBalancer | EndpointKind::Other(_) => {}
        }
    }
    // Members of clusters count, too (RDS user guide, "Quotas in Amazon RDS").
    let databases = inventory.databases.values().filter(|it| it.account_region == *account_region);
    databases.for_each(|_| count(Quota::Databases, None, 1));
    let snapshots = inventory.database_snapshots.values().filter(|it| it.account_region == *account_region);
    snapshots.for_each(|_| count(Quota::DatabaseSnapshots, None, 1));
    let balancers = inventory.load_balancers.values().filter(|it| it.account_region == *account_region);
    let balancers = balancers.filter(|it| it.kind == LoadBalancerKind::Application);
    balancers.for_each(|_| count(Quota::LoadBalancers, None, 1));
    let scaling = inventory.scaling_groups.keys().filter(|(it, _)| it == account_region);
    scaling.for_each(|_| count(Quota::ScalingGroups, None, 1));
    let weights = &inventory.prefix_list_weights;
    for group in inventory.groups.values().filter(|it| it.account_region == *account_region) {
        count(Quota::SecurityGroups, None, 1);
        for (direction, word) in [(Direction::In, "inbound"), (Direction::Out, "outbound")] {
            for family in [Family::V4, Family::V6] {
                let of = format!("{} ({}), {word} {family}", group.id, group.name);
                count(Quota::Rules, Some(of), group.weight(direction, family, weights));
            }
        }
    }
    for vpc in vpcs {
        for holder in Holder::all_in(inventory, vpc) {
            let groups = holder.groups(inventory).map_or(0, BTreeSet::<SecurityGroupId>::len);
            let resource: ResourceRef = holder.resource();
            let of = format!("{} {resource}", resource.kind());
            count(Quota::GroupsPerInterface, Some(of), u32::try_from(groups).unwrap_or(u32::MAX));
        }
    }
    counts
}

/// The zone of a NAT gateway that has one.
fn zone(inventory: &Inventory, gateway: &NatGateway) -> Option<String> {
    let NatAvailability::Zonal(subnet) = &gateway.availability else { return None };
    let subnet = inventory.subnets.get(subnet)?;
    subnet.zone_id.clone().or_else(|| subnet.zone.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::network::testing::{account, account_region, site};
    use crate::topology::layout;

    /// The quotas that a declaration exceeds, in words.
    fn check(text: &str, known: &[(Quota, u32)], expected: &[&str]) {
        let policy =
            format!("[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n{text}");
        let policy = crate::policy::parse(&policy, "p").expect("a policy");
        let account = account();
        let wanted = layout(&policy.topology, &account, &site(4)).expect("a layout").wanted;
        let known = known.iter().copied().collect();
        let told: Vec<String> =
            exceeded(&account, &wanted, &account_region(), &known).iter().map(ToString::to_string).collect();
        assert_eq!(told, expected, "{text}");
    }

    #[test]
    fn quotas_are_counted_before() {
        check("[network.main]\n", &[], &[]);
        check(
            "[network.main]\nzones = 4\nnat = \"gateway-per-zone\"\n[network.b]\ncidr = \"10.1.0.0/16\"\nzones = 3\nnat = \"gateway-per-zone\"\n",
            &[],
            &[
                "there would be 7 of the 5 Elastic IP addresses per Region that the quota allows (L-0263D0A3); this is AWS's default, and the quota of the account is not known",
            ],
        );
        check(
            "[network.main]\n",
            &[(Quota::Vpcs, 1), (Quota::Subnets, 3)],
            &[
                "there would be 2 of the 1 VPCs per Region that the quota allows (L-F678F1CE)",
                "new:main/vpc: there would be 4 of the 3 subnets per VPC that the quota allows (L-407747CB)",
            ],
        );
    }

    #[test]
    fn rules_and_groups_are_counted_where_they_are() {
        let ports: Vec<String> = (0..61).map(|port| format!("\"tcp/{}\"", port + 1000)).collect();
        check(
            &format!(
                "[network.n]\nvpc = \"default\"\n[role.db]\nadmits = {{ \"192.0.2.0/24\" = [{}] }}\n",
                ports.join(", ")
            ),
            &[],
            &[
                "new:n/role/db (db), inbound IPv4: there would be 61 of the 60 inbound or outbound rules per security group that the quota allows (L-0EA8095F); this is AWS's default, and the quota of the account is not known",
            ],
        );
        let roles: String = (0..5).map(|role| format!("[role.r{role}]\non = [\"rds:orders\"]\n")).collect();
        check(
            &format!("[network.n]\nvpc = \"default\"\n{roles}"),
            &[],
            &[
                "database orders: there would be 6 of the 5 security groups per network interface that the quota allows (L-2AFB9258); this is AWS's default, and the quota of the account is not known",
            ],
        );
    }
}
