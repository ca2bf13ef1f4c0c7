//! What leads out of a VPC: gateways, peerings, transit gateways, endpoints.

use doorward_core::inventory::{
    AccountRegion, Attachment, AttachmentTarget, Call, EndpointKind, NatAvailability, Peering, PeeringSide,
    TransitGatewayId, TransitRoute, VpcId,
};
use doorward_core::net::Family;
use serde_json::{Value, json};

use super::answers::{Answers, each, tags, texts, without_nulls};

impl Answers<'_> {
    pub(super) fn gateways(&mut self) {
        for gateway in self.inventory.internet_gateways.values() {
            let member = json!({
                "InternetGatewayId": gateway.id,
                "Attachments": each(&gateway.vpc, |vpc| json!({"VpcId": vpc, "State": "available"})),
                "Tags": tags(&gateway.tags),
            });
            self.add(Call::InternetGateways, &self.place_of_any(gateway.vpc.as_ref()), member);
        }
        for gateway in self.inventory.egress_only_gateways.values() {
            let member = json!({
                "EgressOnlyInternetGatewayId": gateway.id,
                "Attachments": each(&gateway.vpc, |vpc| json!({"VpcId": vpc, "State": "attached"})),
                "Tags": tags(&gateway.tags),
            });
            self.add(Call::EgressOnlyGateways, &self.place_of_any(gateway.vpc.as_ref()), member);
        }
        for gateway in self.inventory.nat_gateways.values() {
            let address = without_nulls(json!({
                "PrivateIp": gateway.private_address,
                "PublicIp": gateway.public_address,
                "NetworkInterfaceId": gateway.interface,
                "IsPrimary": true,
            }));
            let (subnet, mode, table) = match &gateway.availability {
                NatAvailability::Zonal(subnet) => (Some(subnet), "zonal", None),
                NatAvailability::Regional(table) => (None, "regional", table.as_ref()),
            };
            let member = without_nulls(json!({
                "NatGatewayId": gateway.id,
                "VpcId": gateway.vpc,
                "SubnetId": subnet,
                "AvailabilityMode": mode,
                "RouteTableId": table,
                "State": gateway.state,
                "ConnectivityType": if gateway.public { "public" } else { "private" },
                "NatGatewayAddresses": [address],
                "Tags": tags(&gateway.tags),
            }));
            self.add(Call::NatGateways, &self.place_of(&gateway.vpc), member);
        }
        self.vpns();
        for peering in self.inventory.peerings.values() {
            let account_region = self.place_of_either(peering);
            let member = json!({
                "VpcPeeringConnectionId": peering.id,
                "Status": {"Code": peering.state},
                "RequesterVpcInfo": side(&peering.requester),
                "AccepterVpcInfo": side(&peering.accepter),
                "Tags": tags(&peering.tags),
            });
            self.add(Call::Peerings, &account_region, member);
        }
        self.transit();
        for endpoint in self.inventory.endpoints.values() {
            let kind = match &endpoint.kind {
                EndpointKind::Gateway => "Gateway",
                EndpointKind::Interface => "Interface",
                EndpointKind::GatewayLoadBalancer => "GatewayLoadBalancer",
                EndpointKind::Other(kind) => kind,
            };
            let member = json!({
                "VpcEndpointId": endpoint.id,
                "VpcId": endpoint.vpc,
                "VpcEndpointType": kind,
                "ServiceName": endpoint.service,
                "State": endpoint.state,
                "RouteTableIds": texts(&endpoint.tables),
                "SubnetIds": texts(&endpoint.subnets),
                "NetworkInterfaceIds": texts(&endpoint.interfaces),
                "Groups": each(&endpoint.groups, |group| json!({ "GroupId": group })),
                "Tags": tags(&endpoint.tags),
            });
            self.add(Call::Endpoints, &self.place_of(&endpoint.vpc), member);
        }
    }

    fn vpns(&mut self) {
        for gateway in self.inventory.vpn_gateways.values() {
            let member = json!({
                "VpnGatewayId": gateway.id,
                "State": "available",
                "VpcAttachments": each(&gateway.vpc, |vpc| json!({"VpcId": vpc, "State": "attached"})),
                "Tags": tags(&gateway.tags),
            });
            self.add(Call::VpnGateways, &self.place_of_any(gateway.vpc.as_ref()), member);
        }
        for connection in self.inventory.vpn_connections.values() {
            let gateway = connection.gateway.as_ref().and_then(|id| self.inventory.vpn_gateways.get(id));
            let account_region = self.place_of_any(gateway.and_then(|gateway| gateway.vpc.as_ref()));
            let member = without_nulls(json!({
                "VpnConnectionId": connection.id,
                "VpnGatewayId": connection.gateway,
                "TransitGatewayId": connection.transit,
                "State": connection.state,
                "Routes": each(&connection.routes, |cidr| {
                    json!({"DestinationCidrBlock": cidr, "State": "available"})
                }),
                "VgwTelemetry": each(&connection.tunnels, |tunnel| json!({
                    "OutsideIpAddress": tunnel.outside,
                    "Status": if tunnel.up { "UP" } else { "DOWN" },
                    "StatusMessage": tunnel.message,
                })),
                "Tags": tags(&connection.tags),
            }));
            self.add(Call::VpnConnections, &account_region, member);
        }
    }

    fn transit(&mut self) {
        let switch = |on: bool| if on { "enable" } else { "disable" };
        for gateway in self.inventory.transit_gateways.values() {
            let member = json!({
                "TransitGatewayId": gateway.id,
                "State": gateway.state,
                "Options": {"SecurityGroupReferencingSupport": switch(gateway.group_references)},
                "Tags": tags(&gateway.tags),
            });
            self.add(Call::TransitGateways, &gateway.account_region, member);
        }
        for attachment in self.inventory.attachments.values() {
            let account_region = self.place_of_transit(&attachment.gateway);
            self.add(Call::TransitAttachments, &account_region, attached(attachment));
            if let (AttachmentTarget::Vpc(vpc), Some(subnets)) = (&attachment.to, &attachment.subnets) {
                let member = json!({
                    "TransitGatewayAttachmentId": attachment.id,
                    "TransitGatewayId": attachment.gateway,
                    "VpcId": vpc,
                    "State": attachment.state,
                    "SubnetIds": texts(subnets),
                    "Options": {
                        "SecurityGroupReferencingSupport": switch(attachment.group_references),
                        "ApplianceModeSupport": switch(attachment.appliance_mode),
                    },
                    "Tags": tags(&attachment.tags),
                });
                self.add(Call::TransitVpcAttachments, &account_region, member);
            }
        }
        for table in self.inventory.transit_tables.values() {
            let account_region = self.place_of_transit(&table.gateway);
            let member = json!({
                "TransitGatewayRouteTableId": table.id,
                "TransitGatewayId": table.gateway,
                "State": "available",
                "Tags": tags(&table.tags),
            });
            self.add(Call::TransitTables, &account_region, member);
            if let Some(routes) = &table.routes {
                let answer = json!({
                    "TransitGatewayRouteTableId": table.id,
                    "Routes": each(routes, transit_route),
                    "AdditionalRoutesAvailable": false,
                });
                self.add_apart(Call::TransitRoutes, &account_region, answer);
            }
            if !self.has_gap(Call::TransitPropagations, &account_region) || !table.propagations.is_empty() {
                let answer = json!({
                    "TransitGatewayRouteTableId": table.id,
                    "TransitGatewayRouteTablePropagations": each(&table.propagations, |id| {
                        json!({"TransitGatewayAttachmentId": id, "State": "enabled"})
                    }),
                });
                self.add_apart(Call::TransitPropagations, &account_region, answer);
            }
        }
    }

    fn place_of_any(&self, vpc: Option<&VpcId>) -> AccountRegion {
        vpc.map_or_else(|| self.home().clone(), |vpc| self.place_of(vpc))
    }

    fn place_of_either(&self, peering: &Peering) -> AccountRegion {
        let ends = [&peering.requester.vpc, &peering.accepter.vpc];
        self.place_of_any(ends.into_iter().find(|vpc| self.inventory.vpcs.contains_key(*vpc)))
    }

    fn place_of_transit(&self, id: &TransitGatewayId) -> AccountRegion {
        let gateway = self.inventory.transit_gateways.get(id);
        gateway.map_or_else(|| self.home().clone(), |gateway| gateway.account_region.clone())
    }
}

fn attached(attachment: &Attachment) -> Value {
    let (kind, resource) = match &attachment.to {
        AttachmentTarget::Vpc(id) => ("vpc", id.to_string()),
        AttachmentTarget::Vpn(id) => ("vpn", id.to_string()),
        AttachmentTarget::DirectConnect(id) => ("direct-connect-gateway", id.clone()),
        AttachmentTarget::Peer(id) => ("peering", id.to_string()),
        AttachmentTarget::Other(kind, id) => (kind.as_str(), id.clone()),
    };
    let association = attachment
        .table
        .as_ref()
        .map(|table| json!({"TransitGatewayRouteTableId": table, "State": "associated"}));
    without_nulls(json!({
        "TransitGatewayAttachmentId": attachment.id,
        "TransitGatewayId": attachment.gateway,
        "ResourceType": kind,
        "ResourceId": resource,
        "State": attachment.state,
        "Association": association,
        "Tags": tags(&attachment.tags),
    }))
}

fn transit_route(route: &TransitRoute) -> Value {
    without_nulls(json!({
        "DestinationCidrBlock": route.cidr,
        "PrefixListId": route.prefix_list,
        "TransitGatewayAttachments": each(&route.attachments, |id| json!({ "TransitGatewayAttachmentId": id })),
        "Type": if route.propagated { "propagated" } else { "static" },
        "State": if route.blackhole { "blackhole" } else { "active" },
    }))
}

fn side(side: &PeeringSide) -> Value {
    let of = |family: Family| side.cidrs.iter().filter(move |cidr| cidr.family() == family);
    without_nulls(json!({
        "VpcId": side.vpc,
        "OwnerId": side.owner,
        "Region": side.region,
        "CidrBlock": of(Family::V4).next(),
        "CidrBlockSet": each(of(Family::V4), |cidr| json!({ "CidrBlock": cidr })),
        "Ipv6CidrBlockSet": each(of(Family::V6), |cidr| json!({ "Ipv6CidrBlock": cidr })),
        "PeeringOptions": json!({ "AllowDnsResolutionFromRemoteVpc": side.resolves }),
    }))
}
