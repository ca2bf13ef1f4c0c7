//! What leads out of the VPCs of the example.

use std::collections::BTreeSet;

use doorward_core::inventory::{
    Attachment, AttachmentTarget, EgressOnlyGateway, Endpoint, EndpointKind, InternetGateway, Inventory,
    NatAvailability, NatGateway, Peering, PeeringSide, Tags, TransitGateway, TransitRoute, TransitTable,
    VpnConnection, VpnGateway, VpnTunnel,
};

use super::rich::{here, id, set, tags};

pub(super) fn gateways(inventory: &mut Inventory) {
    for (gateway, vpc) in [("igw-0a", Some("vpc-0a")), ("igw-0b", None)] {
        let gateway = InternetGateway { id: id(gateway), vpc: vpc.map(id), tags: tags("igw") };
        inventory.internet_gateways.insert(gateway.id.clone(), gateway);
    }
    let egress = EgressOnlyGateway { id: id("eigw-0a"), vpc: Some(id("vpc-0a")), tags: Tags::new() };
    inventory.egress_only_gateways.insert(egress.id.clone(), egress);
    let nat = NatGateway {
        id: id("nat-0a"),
        vpc: id("vpc-0a"),
        availability: NatAvailability::Zonal(id("subnet-0a")),
        state: "available".into(),
        public: true,
        private_address: Some([10, 0, 0, 9].into()),
        public_address: Some([203, 0, 113, 11].into()),
        interface: Some(id("eni-0b")),
        tags: Tags::new(),
    };
    let private = NatGateway {
        id: id("nat-0b"),
        public: false,
        private_address: None,
        public_address: None,
        interface: None,
        ..nat.clone()
    };
    let regional = NatGateway {
        id: id("nat-0c"),
        availability: NatAvailability::Regional(Some(id("rtb-0d"))),
        private_address: None,
        public_address: Some([203, 0, 113, 12].into()),
        interface: None,
        ..nat.clone()
    };
    inventory.nat_gateways = [nat, private, regional].into_iter().map(|it| (it.id.clone(), it)).collect();
    for (gateway, vpc) in [("vgw-0a", Some("vpc-0a")), ("vgw-0b", None)] {
        let gateway = VpnGateway { id: id(gateway), vpc: vpc.map(id), tags: Tags::new() };
        inventory.vpn_gateways.insert(gateway.id.clone(), gateway);
    }
    let vpn = VpnConnection {
        id: id("vpn-0a"),
        gateway: Some(id("vgw-0a")),
        transit: None,
        state: "available".into(),
        routes: set(&["192.0.2.0/24"]),
        tunnels: [(true, "198.51.100.1"), (false, "198.51.100.2")].map(tunnel).into(),
        tags: Tags::new(),
    };
    let other = VpnConnection {
        id: id("vpn-0b"),
        gateway: None,
        transit: Some(id("tgw-0a")),
        routes: BTreeSet::new(),
        tunnels: Vec::new(),
        ..vpn.clone()
    };
    inventory.vpn_connections = [vpn, other].into_iter().map(|it| (it.id.clone(), it)).collect();
    let side = |vpc: &str, region: Option<&str>, cidrs: &[&str]| PeeringSide {
        vpc: id(vpc),
        owner: region.map(|_| "123456789012".into()),
        region: region.map(str::to_owned),
        cidrs: set(cidrs),
        resolves: vpc == "vpc-0a",
    };
    let peering = Peering {
        id: id("pcx-0a"),
        state: "active".into(),
        requester: side("vpc-0a", Some("eu-west-1"), &["10.0.0.0/16", "10.1.0.0/16", "2001:db8::/56"]),
        accepter: side("vpc-9f", None, &[]),
        tags: tags("pcx"),
    };
    inventory.peerings.insert(peering.id.clone(), peering);
    let endpoint = Endpoint {
        id: id("vpce-0a"),
        vpc: id("vpc-0a"),
        kind: EndpointKind::Gateway,
        service: "com.amazonaws.eu-west-1.s3".into(),
        state: "available".into(),
        tables: set(&["rtb-0a"]),
        subnets: BTreeSet::new(),
        interfaces: BTreeSet::new(),
        groups: BTreeSet::new(),
        tags: Tags::new(),
    };
    let interface = Endpoint {
        id: id("vpce-0b"),
        kind: EndpointKind::Interface,
        tables: BTreeSet::new(),
        subnets: set(&["subnet-0a"]),
        interfaces: set(&["eni-0b"]),
        groups: set(&["sg-0a"]),
        ..endpoint.clone()
    };
    let others = [
        Endpoint { id: id("vpce-0c"), kind: EndpointKind::GatewayLoadBalancer, ..interface.clone() },
        Endpoint { id: id("vpce-0d"), kind: EndpointKind::Other("Resource".into()), ..interface.clone() },
    ];
    inventory.endpoints =
        [endpoint, interface].into_iter().chain(others).map(|it| (it.id.clone(), it)).collect();
}

pub(super) fn transit(inventory: &mut Inventory) {
    for (gateway, group_references) in [("tgw-0a", true), ("tgw-0b", false)] {
        let gateway = TransitGateway {
            id: id(gateway),
            account_region: here(),
            state: "available".into(),
            group_references,
            tags: tags("tgw"),
        };
        inventory.transit_gateways.insert(gateway.id.clone(), gateway);
    }
    let vpc = Attachment {
        id: id("tgw-attach-0a"),
        gateway: id("tgw-0a"),
        to: AttachmentTarget::Vpc(id("vpc-0a")),
        state: "available".into(),
        table: Some(id("tgw-rtb-0a")),
        subnets: Some(set(&["subnet-0a"])),
        group_references: false,
        appliance_mode: true,
        tags: tags("a"),
    };
    let other = |name: &str, gateway: &str, to| Attachment {
        id: id(name),
        gateway: id(gateway),
        to,
        table: None,
        subnets: None,
        group_references: true,
        appliance_mode: false,
        ..vpc.clone()
    };
    for attachment in [
        other("tgw-attach-0b", "tgw-0a", AttachmentTarget::Vpn(id("vpn-0b"))),
        other("tgw-attach-0c", "tgw-0a", AttachmentTarget::DirectConnect("dx-1".into())),
        other("tgw-attach-0d", "tgw-0a", AttachmentTarget::Peer(id("tgw-0b"))),
        other("tgw-attach-0d", "tgw-0b", AttachmentTarget::Peer(id("tgw-0a"))),
        other("tgw-attach-0e", "tgw-0a", AttachmentTarget::Other("connect".into(), "tgw-attach-0b".into())),
        vpc,
    ] {
        inventory.attachments.insert((attachment.gateway.clone(), attachment.id.clone()), attachment);
    }
    let route = TransitRoute {
        cidr: id("10.0.0.0/16"),
        prefix_list: None,
        attachments: set(&["tgw-attach-0a", "tgw-attach-0b"]),
        propagated: true,
        blackhole: false,
    };
    let dropped = TransitRoute {
        prefix_list: Some(id("pl-0a")),
        attachments: BTreeSet::new(),
        propagated: false,
        blackhole: true,
        ..route.clone()
    };
    let table = TransitTable {
        id: id("tgw-rtb-0a"),
        gateway: id("tgw-0a"),
        routes: Some(vec![route, dropped]),
        propagations: set(&["tgw-attach-0a"]),
        tags: tags("rtb"),
    };
    let empty = TransitTable {
        id: id("tgw-rtb-0b"),
        gateway: id("tgw-0b"),
        routes: Some(vec![]),
        propagations: BTreeSet::new(),
        tags: Tags::new(),
    };
    inventory.transit_tables = [table, empty].into_iter().map(|it| (it.id.clone(), it)).collect();
}

fn tunnel((up, outside): (bool, &str)) -> VpnTunnel {
    VpnTunnel { outside: outside.into(), up, message: if up { "" } else { "IPSEC IS DOWN" }.into() }
}
