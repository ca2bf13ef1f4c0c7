//! Answers in both notations, and what is put together from several.

use std::collections::BTreeSet;

use doorward_core::inventory::{
    AttachmentTarget, BlockMode, EndpointKind, Inventory, Place, RouteTarget, TransitTableId,
};

use super::{Member, Reader};
use crate::operation::{
    Asked, DescribeAddresses, DescribeEgressOnlyInternetGateways, DescribeInstances,
    DescribeInternetGateways, DescribeManagedPrefixLists, DescribeNatGateways, DescribeNetworkAcls,
    DescribeNetworkInterfaces, DescribeRouteTables, DescribeSecurityGroupRules, DescribeSecurityGroups,
    DescribeSubnets, DescribeTransitGatewayAttachments, DescribeTransitGatewayPeeringAttachments,
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
    println!("{xml:#?}");
}
