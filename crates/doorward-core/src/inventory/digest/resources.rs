//! The resources that a digest covers, field by field.

use super::{Encode, Encoder, enums, structs, texts};
use crate::inventory::{
    AccountId, AccountRegion, AclEntry, AllocationId, Destination, Direction, DnsAttributes,
    EgressOnlyGateway, EgressOnlyGatewayId, ElasticAddress, Endpoint, EndpointId, EndpointKind, ExistingRule,
    InstanceId, InterfaceId, InternetGateway, InternetGatewayId, NatAvailability, NatGateway, NatGatewayId,
    NetworkAcl, NetworkAclId, Peer, PeeringId, PrefixListId, Route, RouteTable, RouteTableId, RouteTarget,
    RuleIdentity, SecurityGroup, SecurityGroupId, SecurityGroupRuleId, Subnet, SubnetGroup, SubnetId,
    TransitGatewayId, Vpc, VpcId, VpnGatewayId, Zone,
};
use crate::net::{Cidr, Flow, Icmp, Ports};

texts! {
    AccountId "123456789012", "210987654321";
    AllocationId "eipalloc-0a", "eipalloc-0b";
    EgressOnlyGatewayId "eigw-0a", "eigw-0b";
    EndpointId "vpce-0a", "vpce-0b";
    InstanceId "i-0a", "i-0b";
    InterfaceId "eni-0a", "eni-0b";
    InternetGatewayId "igw-0a", "igw-0b";
    NatGatewayId "nat-0a", "nat-0b";
    NetworkAclId "acl-0a", "acl-0b";
    PeeringId "pcx-0a", "pcx-0b";
    PrefixListId "pl-0a", "pl-0b";
    RouteTableId "rtb-0a", "rtb-0b";
    SecurityGroupId "sg-0a", "sg-0b";
    SecurityGroupRuleId "sgr-0a", "sgr-0b";
    SubnetId "subnet-0a", "subnet-0b";
    TransitGatewayId "tgw-0a", "tgw-0b";
    VpcId "vpc-0a", "vpc-0b";
    VpnGatewayId "vgw-0a", "vgw-0b";
}

structs! {
    AccountRegion { profile, region, account }
    AclEntry { number, direction, cidr, flow, allow }
    DnsAttributes { support, hostnames }
    EgressOnlyGateway { id, vpc, tags }
    ElasticAddress { public, allocation, private, interface, tags }
    Endpoint { id, vpc, kind, service, state, tables, subnets, interfaces, groups, tags }
    ExistingRule { id, description, tag }
    InternetGateway { id, vpc, tags }
    NatGateway {
        id, vpc, availability, state, public, private_address, public_address, interface, tags,
    }
    NetworkAcl { id, vpc, default, subnets, entries, incomplete, tags }
    Route { destination, target, propagated, blackhole }
    RouteTable { id, vpc, main, subnets, gateways, routes, incomplete, tags }
    RuleIdentity { direction, flow, peer }
    SecurityGroup { id, account_region, owner, vpc, name, about, tags, rules }
    Subnet { id, vpc, zone, zone_id, cidrs, tags }
    SubnetGroup { name, account_region, vpc, subnets }
    Vpc { id, account_region, owner, cidrs, default, dns, tags }
    Zone { id, name, region, is_availability_zone, is_usable }
}

enums! {
    Destination { 0 Cidr(cidr), 1 PrefixList(list), }
    Direction { 0 In, 1 Out, }
    EndpointKind { 0 Gateway, 1 Interface, 2 GatewayLoadBalancer, 3 Other(word), }
    Flow { 0 All, 1 Tcp(ports), 2 Udp(ports), 3 Icmp(kind), 4 Icmpv6(kind), 5 Protocol(number), }
    Icmp { 0 All, 1 Type(kind), 2 Code(kind, code), }
    NatAvailability { 0 Zonal(subnet), 1 Regional(table), }
    Peer { 0 Cidr(cidr), 1 Group(group), 2 PrefixList(list), }
    RouteTarget {
        0 Local,
        1 InternetGateway(id),
        2 EgressOnlyGateway(id),
        3 NatGateway(id),
        4 Interface(id),
        5 Instance(id),
        6 Peering(id),
        7 TransitGateway(id),
        8 VpnGateway(id),
        9 Endpoint(id),
        10 Other(id),
    }
}

impl Encode for Cidr {
    fn encode(&self, into: &mut Encoder) {
        (self.address(), self.bits()).encode(into);
    }
}

impl Encode for Ports {
    fn encode(&self, into: &mut Encoder) {
        (self.from(), self.to()).encode(into);
    }
}

#[cfg(test)]
mod samples {
    use super::super::Samples;
    use super::{Cidr, Ports};

    impl Samples for Cidr {
        fn samples() -> Vec<Self> {
            let texts = ["10.0.0.0/16", "10.0.0.0/17", "10.1.0.0/16", "::/16"];
            texts.map(|text| text.parse().expect("a CIDR")).into()
        }
    }

    impl Samples for Ports {
        fn samples() -> Vec<Self> {
            vec![Self::ALL, Self::one(1), Self::range(1, 2).expect("a range"), Self::one(2)]
        }
    }
}
