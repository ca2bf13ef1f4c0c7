//! VPCs, subnets, routes, network ACLs, prefix lists, interfaces, instances, addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use doorward_core::inventory::{
    AccountRegion, AclEntry, BlockMode, Call, Destination, Direction, DnsAttributes, Excepted, Image,
    ImageId, Instance, Interface, NetworkAcl, Route, RouteTable, RouteTarget,
};
use doorward_core::net::{Cidr, Family};
use serde_json::{Value, json};

use super::answers::{Answers, each, tags, unnamed, without_nulls};
use crate::wire::written;

impl Answers<'_> {
    pub(super) fn networks(&mut self) {
        for vpc in self.inventory.vpcs.values() {
            let stands = json!({"State": "associated"});
            let member = without_nulls(json!({
                "VpcId": vpc.id,
                "OwnerId": vpc.owner,
                "IsDefault": vpc.default,
                "CidrBlock": first(&vpc.cidrs),
                "CidrBlockAssociationSet": each(of(&vpc.cidrs, Family::V4), |cidr| {
                    json!({"CidrBlock": cidr, "CidrBlockState": stands})
                }),
                "Ipv6CidrBlockAssociationSet": v6(&vpc.cidrs),
                "Tags": tags(&vpc.tags),
            }));
            self.add(Call::Vpcs, &vpc.account_region, member);
            if vpc.dns != DnsAttributes::default() {
                let flag = |known: Option<bool>| known.map(|known| json!({ "Value": known }));
                let answer = without_nulls(json!({
                    "VpcId": vpc.id,
                    "EnableDnsSupport": flag(vpc.dns.support),
                    "EnableDnsHostnames": flag(vpc.dns.hostnames),
                }));
                self.add_apart(Call::VpcAttributes, &vpc.account_region, answer);
            }
        }
        for subnet in self.inventory.subnets.values() {
            let member = without_nulls(json!({
                "SubnetId": subnet.id,
                "VpcId": subnet.vpc,
                "AvailabilityZone": subnet.zone,
                "AvailabilityZoneId": subnet.zone_id,
                "CidrBlock": first(&subnet.cidrs),
                "Ipv6CidrBlockAssociationSet": v6(&subnet.cidrs),
                "Tags": tags(&subnet.tags),
            }));
            self.add(Call::Subnets, &self.place_of(&subnet.vpc), member);
        }
        for ((account_region, id), zone) in &self.inventory.zones {
            let member = without_nulls(json!({
                "ZoneId": id,
                "ZoneName": zone.name,
                "RegionName": zone.region,
                "ZoneType": if zone.is_availability_zone { "availability-zone" } else { "local-zone" },
                "OptInStatus": if zone.is_usable { "opt-in-not-required" } else { "not-opted-in" },
            }));
            self.add(Call::Zones, account_region, member);
        }
        for table in self.inventory.route_tables.values() {
            self.add(Call::RouteTables, &self.place_of(&table.vpc), route_table(table));
        }
        for acl in self.inventory.network_acls.values() {
            self.add(Call::NetworkAcls, &self.place_of(&acl.vpc), network_acl(acl));
        }
        self.prefix_lists();
        self.block_public_access();
        self.interfaces();
    }

    fn prefix_lists(&mut self) {
        for list in self.inventory.prefix_lists.values() {
            let member = without_nulls(json!({
                "PrefixListId": list.id,
                "PrefixListName": list.name,
                "MaxEntries": list.max_entries,
            }));
            self.add(Call::PrefixLists, &list.account_region, member);
            if let Some(entries) = &list.entries {
                let entries = each(entries, |cidr| json!({ "Cidr": cidr }));
                let answer = json!({"PrefixListId": list.id, "Entries": entries});
                self.add_apart(Call::PrefixListEntries, &list.account_region, answer);
            }
        }
    }

    fn block_public_access(&mut self) {
        for (account_region, block) in &self.inventory.block_public_access {
            let mode = match block.mode {
                BlockMode::Off => "off",
                BlockMode::Bidirectional => "block-bidirectional",
                BlockMode::Ingress => "block-ingress",
            };
            self.add(Call::BlockPublicAccess, account_region, json!({ "InternetGatewayBlockMode": mode }));
            for exclusion in &block.exclusions {
                let resource = match &exclusion.of {
                    Excepted::Vpc(id) => format!("vpc/{id}"),
                    Excepted::Subnet(id) => format!("subnet/{id}"),
                };
                let mode = if exclusion.both_ways { "allow-bidirectional" } else { "allow-egress" };
                let member = json!({
                    "ResourceArn": arn(account_region, &resource),
                    "InternetGatewayExclusionMode": mode,
                    "State": "create-complete",
                });
                self.add(Call::BlockExclusions, account_region, member);
            }
        }
    }

    fn interfaces(&mut self) {
        for interface in self.inventory.interfaces.values() {
            self.add(Call::Interfaces, &self.place_of(&interface.vpc), written_interface(interface));
        }
        for instance in self.inventory.instances.values() {
            let interfaces = instance.interfaces.iter().filter_map(|id| self.inventory.interfaces.get(id));
            let member = without_nulls(json!({
                "InstanceId": instance.id,
                "State": {"Name": instance.state},
                "Platform": instance.platform,
                "ImageId": image(instance),
                "InstanceType": instance.size.map(|size| size.to_string()),
                "IamInstanceProfile": instance.profile.as_ref().map(|name| json!({"Arn": profile(name)})),
                "NetworkInterfaces": each(interfaces, written_interface),
                "Tags": tags(&instance.tags),
            }));
            self.add(Call::Instances, &instance.account_region, member);
        }
        for address in self.inventory.elastic_addresses.values() {
            let interface = address.interface.as_ref().and_then(|id| self.inventory.interfaces.get(id));
            let account_region = interface.map_or_else(|| self.home().clone(), |it| self.place_of(&it.vpc));
            let member = without_nulls(json!({
                "PublicIp": address.public,
                "AllocationId": address.allocation,
                "Domain": "vpc",
                "PrivateIpAddress": address.private,
                "NetworkInterfaceId": address.interface,
                "Tags": tags(&address.tags),
            }));
            self.add(Call::Addresses, &account_region, member);
        }
    }
}

fn arn(account_region: &AccountRegion, resource: &str) -> String {
    let account_region = unnamed(account_region);
    let region = account_region.region.unwrap_or_default();
    let partition = doorward_core::inventory::Partition::of(&region).arn();
    let account = account_region.account.map(|account| account.to_string()).unwrap_or_default();
    format!("arn:{partition}:ec2:{region}:{account}:{resource}")
}

fn of(cidrs: &BTreeSet<Cidr>, family: Family) -> impl Iterator<Item = Cidr> + '_ {
    cidrs.iter().copied().filter(move |cidr| cidr.family() == family)
}

fn first(cidrs: &BTreeSet<Cidr>) -> Option<Cidr> {
    of(cidrs, Family::V4).next()
}

fn v6(cidrs: &BTreeSet<Cidr>) -> Value {
    each(
        of(cidrs, Family::V6),
        |cidr| json!({"Ipv6CidrBlock": cidr, "Ipv6CidrBlockState": {"State": "associated"}}),
    )
}

fn route_table(table: &RouteTable) -> Value {
    let state = json!({"State": "associated"});
    let main = table.main.then(|| json!({"Main": true, "AssociationState": state}));
    let subnets = table
        .subnets
        .iter()
        .map(|subnet| json!({"Main": false, "SubnetId": subnet, "AssociationState": state}));
    let gateways = table
        .gateways
        .iter()
        .map(|gateway| json!({"Main": false, "GatewayId": gateway, "AssociationState": state}));
    let associations: Value = main.into_iter().chain(subnets).chain(gateways).collect();
    json!({
        "RouteTableId": table.id,
        "VpcId": table.vpc,
        "Associations": associations,
        "Routes": each(&table.routes, route),
        "Tags": tags(&table.tags),
    })
}

fn route(route: &Route) -> Value {
    let (destination, matches) = match &route.destination {
        Destination::Cidr(cidr) => match cidr.family() {
            Family::V4 => ("DestinationCidrBlock", cidr.to_string()),
            Family::V6 => ("DestinationIpv6CidrBlock", cidr.to_string()),
        },
        Destination::PrefixList(list) => ("DestinationPrefixListId", list.to_string()),
    };
    let target = match &route.target {
        RouteTarget::Local
        | RouteTarget::InternetGateway(_)
        | RouteTarget::VpnGateway(_)
        | RouteTarget::Endpoint(_) => "GatewayId",
        RouteTarget::EgressOnlyGateway(_) => "EgressOnlyInternetGatewayId",
        RouteTarget::NatGateway(_) => "NatGatewayId",
        RouteTarget::Interface(_) => "NetworkInterfaceId",
        RouteTarget::Instance(_) => "InstanceId",
        RouteTarget::Peering(_) => "VpcPeeringConnectionId",
        RouteTarget::TransitGateway(_) => "TransitGatewayId",
        RouteTarget::Other(id) if id.starts_with("cagw-") => "CarrierGatewayId",
        RouteTarget::Other(id) if id.starts_with("lgw-") => "LocalGatewayId",
        RouteTarget::Other(id) if id.starts_with("arn:") => "CoreNetworkArn",
        RouteTarget::Other(_) => "GatewayId",
    };
    json!({
        destination: matches,
        target: route.target.to_string(),
        "Origin": if route.propagated { "EnableVgwRoutePropagation" } else { "CreateRoute" },
        "State": if route.blackhole { "blackhole" } else { "active" },
    })
}

fn network_acl(acl: &NetworkAcl) -> Value {
    json!({
        "NetworkAclId": acl.id,
        "VpcId": acl.vpc,
        "IsDefault": acl.default,
        "Associations": each(&acl.subnets, |subnet| json!({"SubnetId": subnet, "NetworkAclId": acl.id})),
        "Entries": each(&acl.entries, acl_entry),
        "Tags": tags(&acl.tags),
    })
}

fn acl_entry(entry: &AclEntry) -> Value {
    let (name, from, to) = written(entry.flow);
    // ACLs speak of protocols by their numbers alone.
    let (number, icmp) = match name.as_str() {
        "tcp" => ("6", false),
        "udp" => ("17", false),
        "icmp" => ("1", true),
        "icmpv6" => ("58", true),
        other => (other, false),
    };
    let ports = matches!(number, "6" | "17").then(|| json!({"From": from, "To": to}));
    let family = match entry.cidr.family() {
        Family::V4 => "CidrBlock",
        Family::V6 => "Ipv6CidrBlock",
    };
    without_nulls(json!({
        "RuleNumber": entry.number,
        "Egress": entry.direction == Direction::Out,
        family: entry.cidr,
        "Protocol": number,
        "PortRange": ports,
        "IcmpTypeCode": icmp.then(|| json!({"Type": from, "Code": to})),
        "RuleAction": if entry.allow { "allow" } else { "deny" },
    }))
}

fn written_interface(interface: &Interface) -> Value {
    let mut v4 = Vec::new();
    let mut v6 = Vec::new();
    for own in &interface.addresses {
        match own.address {
            IpAddr::V4(address) => v4.push(without_nulls(json!({
                "PrivateIpAddress": address,
                "Primary": v4.is_empty(),
                "Association": own.public.map(|public| json!({ "PublicIp": public })),
            }))),
            IpAddr::V6(address) => v6.push(json!({ "Ipv6Address": address })),
        }
    }
    let attachment = interface
        .attached
        .then(|| without_nulls(json!({"Status": "attached", "InstanceId": interface.instance})));
    without_nulls(json!({
        "NetworkInterfaceId": interface.id,
        "VpcId": interface.vpc,
        "SubnetId": interface.subnet,
        "Groups": each(&interface.groups, |group| json!({ "GroupId": group })),
        "PrivateIpAddresses": v4,
        "Ipv6Addresses": v6,
        "Ipv4Prefixes": each(of(&interface.prefixes, Family::V4), |cidr| json!({ "Ipv4Prefix": cidr })),
        "Ipv6Prefixes": each(of(&interface.prefixes, Family::V6), |cidr| json!({ "Ipv6Prefix": cidr })),
        "SourceDestCheck": interface.source_dest_check,
        "InterfaceType": interface.kind,
        "RequesterId": interface.requester,
        "Description": interface.description,
        "Status": if interface.attached { "in-use" } else { "available" },
        "Attachment": attachment,
        "TagSet": tags(&interface.tags),
    }))
}

/// The image of an instance that runs.
fn image(instance: &Instance) -> Option<&ImageId> {
    match instance.image.as_ref()? {
        Image::Id(id) => Some(id),
        Image::Parameter(_) => None,
    }
}

/// The ARN of an instance profile, of which an inventory has only the name.
fn profile(name: &str) -> String {
    format!("arn:aws:iam:::instance-profile/{name}")
}
