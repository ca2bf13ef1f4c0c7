//! Answers in both notations, and what is put together from several.

use doorward_core::inventory::{
    AccountRegion, BlockMode, Excepted, Inventory, NatAvailability, TransitTableId,
};

use super::{Member, Reader};
use crate::operation::{
    DescribeAddresses, DescribeEgressOnlyInternetGateways, DescribeInstances, DescribeInternetGateways,
    DescribeManagedPrefixLists, DescribeNatGateways, DescribeNetworkAcls, DescribeNetworkInterfaces,
    DescribeRouteTables, DescribeSecurityGroupRules, DescribeSecurityGroups, DescribeSubnets,
    DescribeTransitGatewayAttachments, DescribeTransitGatewayPeeringAttachments,
    DescribeTransitGatewayRouteTables, DescribeTransitGatewayVpcAttachments, DescribeTransitGateways,
    DescribeVpcBlockPublicAccessExclusions, DescribeVpcBlockPublicAccessOptions, DescribeVpcEndpoints,
    DescribeVpcPeeringConnections, DescribeVpcs, DescribeVpnConnections, DescribeVpnGateways,
    GetManagedPrefixListEntries, GetTransitGatewayRouteTablePropagations, Paged, SearchTransitGatewayRoutes,
};

/// The members of one answer in both notations.
fn members<O: Paged>(xml: &str, json: &str) -> [Vec<O::Item>; 2] {
    let xml = O::SERVICE.read(xml.as_bytes()).expect("an answer in XML");
    let json = serde_json::from_str(json).expect("an answer in JSON");
    [O::split(xml).0, O::split(json).0]
}

/// What both notations of one answer say, which must be the same.
pub(super) fn alike<O: Paged>(xml: &str, json: &str) -> Inventory
where
    O::Item: Member,
{
    let [xml, json] = members::<O>(xml, json).map(|members| {
        let mut reader = Reader::default();
        reader.take(&members);
        reader.finish()
    });
    assert_eq!(xml, json);
    assert_eq!(xml.gaps, []);
    xml
}

macro_rules! sample {
    ($name:literal) => {
        (
            include_str!(concat!("../../samples/", $name, ".xml")),
            include_str!(concat!("../../samples/", $name, ".json")),
        )
    };
}

/// The account of the samples, from either notation.
fn samples() -> [Inventory; 2] {
    let mut readers = [Reader::default(), Reader::default()];
    macro_rules! take {
        ($($call:ty, $name:literal);*) => {$({
            let (xml, json) = sample!($name);
            for (reader, members) in readers.iter_mut().zip(members::<$call>(xml, json)) {
                assert!(!members.is_empty(), $name);
                reader.take(&members);
            }
        })*};
    }
    take!(
        DescribeVpcs, "describe-vpcs"; DescribeSubnets, "describe-subnets";
        DescribeRouteTables, "describe-route-tables"; DescribeNetworkAcls, "describe-network-acls";
        DescribeManagedPrefixLists, "describe-managed-prefix-lists";
        DescribeNetworkInterfaces, "describe-network-interfaces"; DescribeInstances, "describe-instances";
        DescribeAddresses, "describe-addresses"; DescribeInternetGateways, "describe-internet-gateways";
        DescribeEgressOnlyInternetGateways, "describe-egress-only-internet-gateways";
        DescribeNatGateways, "describe-nat-gateways"; DescribeVpnGateways, "describe-vpn-gateways";
        DescribeVpnConnections, "describe-vpn-connections";
        DescribeVpcPeeringConnections, "describe-vpc-peering-connections";
        DescribeTransitGateways, "describe-transit-gateways";
        DescribeTransitGatewayAttachments, "describe-transit-gateway-attachments";
        DescribeTransitGatewayVpcAttachments, "describe-transit-gateway-vpc-attachments";
        DescribeTransitGatewayPeeringAttachments, "describe-transit-gateway-peering-attachments";
        DescribeTransitGatewayRouteTables, "describe-transit-gateway-route-tables";
        DescribeVpcEndpoints, "describe-vpc-endpoints";
        DescribeSecurityGroups, "describe-security-groups";
        DescribeSecurityGroupRules, "describe-security-group-rules"
    );
    let table: TransitTableId = "tgw-rtb-cc93403b87cc77130".parse().expect("a table");
    let (xml, json) = sample!("search-transit-gateway-routes");
    for (reader, routes) in readers.iter_mut().zip(members::<SearchTransitGatewayRoutes>(xml, json)) {
        reader.transit_routes(&table, &routes);
    }
    let (xml, json) = sample!("get-transit-gateway-route-table-propagations");
    let propagations = members::<GetTransitGatewayRouteTablePropagations>(xml, json);
    for (reader, propagations) in readers.iter_mut().zip(propagations) {
        reader.transit_propagations(&table, &propagations);
    }
    let (xml, json) = sample!("get-managed-prefix-list-entries");
    for (reader, entries) in readers.iter_mut().zip(members::<GetManagedPrefixListEntries>(xml, json)) {
        let list = reader.inventory.prefix_lists.values().find(|list| list.name == "o").expect("a list");
        reader.prefix_list_entries(&list.id.clone(), &entries);
    }
    readers.map(Reader::finish)
}

#[test]
fn the_wire_and_a_recording_tell_the_same_account() {
    let [xml, json] = samples();
    assert_eq!(xml, json);
    assert_eq!(xml.gaps, []);
    let seen = [
        xml.vpcs.len(),
        xml.subnets.len(),
        xml.route_tables.values().map(|table| table.routes.len()).sum(),
        xml.network_acls.values().map(|acl| acl.entries.len()).sum(),
        xml.groups.values().map(|group| group.rules.len()).sum(),
        xml.interfaces.len(),
        xml.endpoints.len(),
        xml.attachments.len(),
    ];
    assert_eq!(seen, [3, 5, 16, 15, 9, 5, 2, 3]);
    let table = xml.transit_tables.values().find_map(|table| table.routes.as_ref()).expect("routes");
    assert_eq!(table.iter().map(|route| route.blackhole).collect::<Vec<_>>(), [false, true]);
}

/// What one answer of the AWS CLI puts into an inventory.
fn read<O: Paged>(json: &str) -> Inventory
where
    O::Item: Member,
{
    let mut reader = Reader::default();
    take::<O>(&mut reader, json);
    reader.finish()
}

fn take<O: Paged>(reader: &mut Reader, json: &str)
where
    O::Item: Member,
{
    reader.take(&O::split(serde_json::from_str(json).expect("an answer")).0);
}

fn why(inventory: &Inventory) -> Vec<&str> {
    inventory.gaps.iter().map(|gap| gap.why.as_str()).collect()
}

#[test]
fn every_target_of_a_route_is_known() {
    let check = |route: &str, expected: &str| {
        let seen = read::<DescribeRouteTables>(&format!(
            r#"{{"RouteTables": [{{"RouteTableId": "rtb-0a", "VpcId": "vpc-0a", "Associations": [{{"Main": true}},
            {{"GatewayId": "igw-0a", "Main": false}}, {{"SubnetId": "subnet-0b", "AssociationState": {{"State": "failed"}}}},
            {{"SubnetId": "subnet-0a"}}], "Routes": [{{"DestinationCidrBlock": "10.0.0.0/8", {route}}}]}}]}}"#
        ));
        let table = seen.route_tables.values().next().expect("a table");
        assert!(table.main && table.gateways.contains("igw-0a") && table.subnets.len() == 1);
        let told: Vec<String> = table
            .routes
            .iter()
            .map(|route| format!("{} {} {}", route.target, route.propagated, route.blackhole))
            .collect();
        assert_eq!((told.join(", ").as_str(), table.incomplete), (expected, expected.is_empty()), "{route}");
        assert_eq!(seen.gaps.is_empty(), !expected.is_empty());
    };
    check(r#""GatewayId": "local", "State": "active", "Origin": "CreateRouteTable""#, "local false false");
    check(r#""GatewayId": "igw-0a", "State": "blackhole""#, "igw-0a false true");
    check(r#""GatewayId": "vgw-0a", "Origin": "EnableVgwRoutePropagation""#, "vgw-0a true false");
    check(r#""GatewayId": "vpce-0a""#, "vpce-0a false false");
    check(r#""NatGatewayId": "nat-0a", "GatewayId": null"#, "nat-0a false false");
    check(r#""InstanceId": "i-0a", "NetworkInterfaceId": "eni-0a""#, "eni-0a false false");
    check(r#""InstanceId": "i-0a""#, "i-0a false false");
    check(r#""TransitGatewayId": "tgw-0a""#, "tgw-0a false false");
    check(r#""VpcPeeringConnectionId": "pcx-0a""#, "pcx-0a false false");
    check(r#""EgressOnlyInternetGatewayId": "eigw-0a""#, "eigw-0a false false");
    check(r#""CarrierGatewayId": "cagw-0a""#, "cagw-0a false false");
    check(
        r#""CoreNetworkArn": "arn:aws:networkmanager::1:core-network/x""#,
        "arn:aws:networkmanager::1:core-network/x false false",
    );
    check(r#""GatewayId": """#, "");
    check(r#""GatewayId": "igw-0 a""#, "igw-0 a false false");
}

#[test]
fn an_acl_entry_means_what_its_protocol_says() {
    let check = |entry: &str, expected: &str| {
        let seen = read::<DescribeNetworkAcls>(&format!(
            r#"{{"NetworkAcls": [{{"NetworkAclId": "acl-0a", "VpcId": "vpc-0a", "Entries": [{{"RuleNumber": 7,
            "Egress": false, "RuleAction": "allow", "CidrBlock": "10.0.0.0/8", {entry}}}]}}]}}"#
        ));
        let acl = seen.network_acls.values().next().expect("an ACL");
        let flows: Vec<String> = acl.entries.iter().map(|entry| entry.flow.to_string()).collect();
        assert_eq!((flows.join(", ").as_str(), acl.incomplete), (expected, expected.is_empty()), "{entry}");
        assert_eq!(seen.gaps.is_empty(), !expected.is_empty());
    };
    check(r#""Protocol": "-1""#, "all");
    check(r#""Protocol": "6", "PortRange": {"From": 22, "To": 23}"#, "tcp/22-23");
    check(r#""Protocol": "6""#, "tcp/0-65535");
    check(r#""Protocol": "17", "PortRange": null"#, "udp/0-65535");
    check(r#""Protocol": "1", "IcmpTypeCode": {"Type": 8, "Code": -1}"#, "icmp/8");
    check(r#""Protocol": "1""#, "icmp");
    check(r#""Protocol": "58", "IcmpTypeCode": {"Type": -1, "Code": -1}"#, "icmpv6");
    check(r#""Protocol": "50""#, "proto/50");
    check(r#""Protocol": "6", "PortRange": {"From": 22}"#, "");
    check(r#""Protocol": "6", "PortRange": {"From": 23, "To": 22}"#, "");
    check(r#""Protocol": "999""#, "");
    check(r#""PortRange": {"From": 22, "To": 23}"#, "");
}

const BARE: &str = r#"{"Reservations": [{"Instances": [
    {"InstanceId": "i-0a", "State": {"Name": "running"}, "VpcId": "vpc-0a", "SubnetId": "subnet-0a",
     "PrivateIpAddress": "10.0.0.5", "PublicIpAddress": "198.51.100.5", "SecurityGroups": [{"GroupId": "sg-0a"}]},
    {"InstanceId": "i-0b", "State": {"Name": "terminated"}},
    {"InstanceId": "i-0c", "State": {"Name": "stopped"}, "NetworkInterfaces": [{"NetworkInterfaceId": "eni-0c",
     "VpcId": "vpc-0a", "SubnetId": "subnet-0a", "PrivateIpAddress": "10.0.0.6", "Groups": []}]}]}]}"#;

#[test]
fn an_interface_that_only_its_instance_tells_of_is_there() {
    let seen = read::<DescribeInstances>(BARE);
    let told: Vec<String> = seen
        .interfaces
        .values()
        .map(|it| {
            format!("{} {:?} {:?}", it.id, it.instance.as_ref().map(ToString::to_string), it.addresses.len())
        })
        .collect();
    assert_eq!(told, [r#"eni-0a Some("i-0a") 1"#, r#"eni-0c Some("i-0c") 1"#]);
    let public = seen.interfaces.values().next().and_then(|interface| interface.addresses[0].public);
    assert_eq!(public.map(|public| public.to_string()).as_deref(), Some("198.51.100.5"));
    assert_eq!(seen.instances.len(), 2);
    assert!(seen.instances.values().all(|instance| instance.interfaces.len() == 1));
}

#[test]
fn what_an_interface_tells_of_itself_counts_more() {
    let own = r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1a", "VpcId": "vpc-0a", "SubnetId": "subnet-0a",
        "Status": "in-use", "Attachment": {"InstanceId": "i-0a", "Status": "attached"}, "SourceDestCheck": false,
        "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.7"}, {"PrivateIpAddress": "10.0.0.5", "Primary": true}],
        "Ipv6Addresses": [{"Ipv6Address": "2001:db8::5"}], "Groups": [{"GroupId": "sg-0b"}]}]}"#;
    let mut reader = Reader::default();
    take::<DescribeInstances>(&mut reader, BARE);
    take::<DescribeNetworkInterfaces>(&mut reader, own);
    let elastic = r#"{"Addresses": [{"PublicIp": "203.0.113.5", "PrivateIpAddress": "10.0.0.5", "InstanceId": "i-0a"},
        {"PublicIp": "203.0.113.6"}]}"#;
    take::<DescribeAddresses>(&mut reader, elastic);
    let seen = reader.finish();
    let ids: Vec<String> = seen.interfaces.keys().map(ToString::to_string).collect();
    assert_eq!(ids, ["eni-0c", "eni-1a"]);
    let interface = seen.interfaces.values().next_back().expect("an interface");
    assert!(interface.attached && !interface.source_dest_check);
    let addresses: Vec<String> = interface
        .addresses
        .iter()
        .map(|it| format!("{} {}", it.address, it.public.map_or("-".to_owned(), |public| public.to_string())))
        .collect();
    assert_eq!(addresses, ["10.0.0.5 203.0.113.5", "10.0.0.7 -", "2001:db8::5 -"]);
    assert_eq!(seen.elastic_addresses.values().filter(|address| address.interface.is_some()).count(), 1);
    assert_eq!(why(&seen), [""; 0]);
}

#[test]
fn what_is_on_its_way_out_is_told_apart() {
    let seen = read::<DescribeNatGateways>(
        r#"{"NatGateways": [{"NatGatewayId": "nat-0a", "State": "deleted"}, {"NatGatewayId": "nat-0b", "VpcId": "vpc-0a",
        "SubnetId": "subnet-0a", "State": "deleting", "NatGatewayAddresses": [{"PrivateIp": "10.0.0.8"}, {"PrivateIp":
        "10.0.0.9", "PublicIp": "203.0.113.9", "IsPrimary": true}]}, {"NatGatewayId": "nat-0c", "VpcId": "vpc-0a"}]}"#,
    );
    let gateway = seen.nat_gateways.values().next().expect("a gateway");
    assert_eq!((seen.nat_gateways.len(), gateway.state.as_str(), gateway.public), (1, "deleting", true));
    assert_eq!(gateway.private_address.map(|address| address.to_string()).as_deref(), Some("10.0.0.9"));
    assert_eq!(why(&seen), ["`nat-0c` cannot be read: it has no `SubnetId`"]);
    let seen = read::<DescribeInternetGateways>(
        r#"{"InternetGateways": [{"InternetGatewayId": "igw-0a", "Attachments": [{"State": "detached", "VpcId": "vpc-0a"}]},
        {"InternetGatewayId": "igw-0b", "Attachments": [{"State": "available", "VpcId": "vpc-0a"}]}]}"#,
    );
    assert_eq!(seen.internet_gateways.values().map(|it| it.vpc.is_some()).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_regional_nat_gateway_is_in_no_subnet() {
    let seen = read::<DescribeNatGateways>(
        r#"{"NatGateways": [{"NatGatewayId": "nat-0a", "VpcId": "vpc-0a", "State": "available", "AvailabilityMode": "regional",
        "RouteTableId": "rtb-0a", "NatGatewayAddresses": [{"PublicIp": "203.0.113.9", "IsPrimary": false,
        "AvailabilityZone": "eu-west-1a"}]}]}"#,
    );
    let gateway = seen.nat_gateways.values().next().expect("a gateway");
    assert_eq!(gateway.availability, NatAvailability::Regional(Some("rtb-0a".parse().expect("an id"))));
    assert_eq!(gateway.public_address.map(|address| address.to_string()).as_deref(), Some("203.0.113.9"));
    assert_eq!(why(&seen), [""; 0]);
}

#[test]
fn a_vpn_connection_tells_of_its_tunnels() {
    let seen = alike::<DescribeVpnConnections>(
        "<r><vpnConnectionSet><item><vpnConnectionId>vpn-0a</vpnConnectionId><state>available</state><vgwTelemetry>\
         <item><outsideIpAddress>198.51.100.1</outsideIpAddress><status>DOWN</status>\
         <statusMessage>IPSEC IS DOWN</statusMessage></item><item><outsideIpAddress>198.51.100.2</outsideIpAddress>\
         <status>UP</status></item></vgwTelemetry></item></vpnConnectionSet></r>",
        r#"{"VpnConnections": [{"VpnConnectionId": "vpn-0a", "State": "available", "VgwTelemetry": [
        {"OutsideIpAddress": "198.51.100.1", "Status": "DOWN", "StatusMessage": "IPSEC IS DOWN"},
        {"OutsideIpAddress": "198.51.100.2", "Status": "UP"}]}]}"#,
    );
    let connection = seen.vpn_connections.values().next().expect("a connection");
    let tunnels: Vec<_> = connection.tunnels.iter().map(|it| (it.outside.as_str(), it.up)).collect();
    assert_eq!(tunnels, [("198.51.100.1", false), ("198.51.100.2", true)]);
    assert!(connection.is_up());
}

#[test]
fn block_public_access_has_its_exceptions() {
    let mode = |mode: &str| {
        (
            format!(
                "<r><vpcBlockPublicAccessOptions><internetGatewayBlockMode>{mode}</internetGatewayBlockMode></vpcBlockPublicAccessOptions></r>"
            ),
            format!(r#"{{"VpcBlockPublicAccessOptions": {{"InternetGatewayBlockMode": "{mode}"}}}}"#),
        )
    };
    for (name, expected) in [
        ("off", BlockMode::Off),
        ("block-bidirectional", BlockMode::Bidirectional),
        ("block-ingress", BlockMode::Ingress),
    ] {
        let (xml, json) = mode(name);
        let seen = alike::<DescribeVpcBlockPublicAccessOptions>(&xml, &json);
        assert_eq!(seen.block_public_access[&AccountRegion::default()].mode, expected);
    }
    let mut reader = Reader::default();
    let exceptions = r#"{"VpcBlockPublicAccessExclusions": [
        {"ExclusionId": "a", "ResourceArn": "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-0a", "State": "create-complete",
         "InternetGatewayExclusionMode": "allow-egress"},
        {"ExclusionId": "b", "ResourceArn": "arn:aws:ec2:eu-west-1:123456789012:subnet/subnet-0a", "State": "update-complete",
         "InternetGatewayExclusionMode": "allow-bidirectional"},
        {"ExclusionId": "c", "ResourceArn": "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-0b", "State": "delete-complete",
         "InternetGatewayExclusionMode": "allow-egress"},
        {"ExclusionId": "d", "ResourceArn": "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-0b", "State": "create-complete",
         "InternetGatewayExclusionMode": "sideways"}]}"#;
    take::<DescribeVpcBlockPublicAccessExclusions>(&mut reader, exceptions);
    take::<DescribeVpcBlockPublicAccessOptions>(&mut reader, &mode("block-ingress").1);
    let seen = reader.finish();
    let told: Vec<(bool, bool)> = seen.block_public_access[&AccountRegion::default()]
        .exclusions
        .iter()
        .map(|exclusion| (matches!(exclusion.of, Excepted::Vpc(_)), exclusion.both_ways))
        .collect();
    assert_eq!(told, [(true, false), (false, true)]);
    assert_eq!(
        why(&seen),
        ["`d` cannot be read: its `InternetGatewayExclusionMode` is `sideways`, which is unknown"]
    );
}

#[test]
fn a_peering_of_transit_gateways_has_the_ends_that_are_known_here() {
    let mut reader = Reader::default();
    take::<DescribeTransitGateways>(&mut reader, r#"{"TransitGateways": [{"TransitGatewayId": "tgw-0a"}]}"#);
    take::<DescribeTransitGatewayPeeringAttachments>(
        &mut reader,
        r#"{"TransitGatewayPeeringAttachments": [{"TransitGatewayAttachmentId": "tgw-attach-0a", "State": "available",
        "RequesterTgwInfo": {"TransitGatewayId": "tgw-0a"}, "AccepterTgwInfo": {"TransitGatewayId": "tgw-0b"}}]}"#,
    );
    let seen = reader.finish();
    let ends: Vec<String> = seen.attachments.keys().map(|(gateway, _)| gateway.to_string()).collect();
    assert_eq!(ends, ["tgw-0a"]);
}
