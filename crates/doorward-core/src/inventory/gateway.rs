//! What leads out of a VPC: gateways, peerings, transit gateways, endpoints.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::{
    AccountRegion, AttachmentId, EgressOnlyGatewayId, EndpointId, InterfaceId, InternetGatewayId,
    NatGatewayId, PeeringId, PrefixListId, RouteTableId, SecurityGroupId, SubnetId, Tags, TransitGatewayId,
    TransitTableId, VpcId, VpnConnectionId, VpnGatewayId,
};
use crate::net::Cidr;

/// An internet gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternetGateway {
    pub id: InternetGatewayId,
    /// The VPC that it is attached to.
    pub vpc: Option<VpcId>,
    pub tags: Tags,
}

/// An egress-only internet gateway: IPv6, outward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressOnlyGateway {
    pub id: EgressOnlyGatewayId,
    /// The VPC that it is attached to.
    pub vpc: Option<VpcId>,
    pub tags: Tags,
}

/// A NAT gateway. Deleted ones are not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatGateway {
    pub id: NatGatewayId,
    pub vpc: VpcId,
    /// Where it is.
    pub availability: NatAvailability,
    /// Its state, like `available`.
    pub state: String,
    /// Whether it has a way to the internet: `ConnectivityType` is `public`.
    pub public: bool,
    /// The address that it sends from, inside the VPC; the primary one.
    pub private_address: Option<Ipv4Addr>,
    /// The public address that stands for it.
    pub public_address: Option<Ipv4Addr>,
    pub interface: Option<InterfaceId>,
    pub tags: Tags,
}

impl NatGateway {
    /// Whether it failed. It has neither an address nor an interface then, and AWS deletes it, usually within an hour (VPC user
    /// guide, "Troubleshoot NAT gateways").
    pub fn has_failed(&self) -> bool {
        self.state == "failed"
    }
}

/// Where a NAT gateway is: its `AvailabilityMode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NatAvailability {
    /// In a subnet of one zone.
    Zonal(SubnetId),
    /// In every zone of the VPC and in no subnet. It has a route table of its own, where that is told.
    Regional(Option<RouteTableId>),
}

impl NatAvailability {
    /// The subnet of a zonal one.
    pub fn subnet(&self) -> Option<&SubnetId> {
        match self {
            Self::Zonal(subnet) => Some(subnet),
            Self::Regional(_) => None,
        }
    }
}

/// A virtual private gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpnGateway {
    pub id: VpnGatewayId,
    /// The VPC that it is attached to.
    pub vpc: Option<VpcId>,
    pub tags: Tags,
}

/// A Site-to-Site VPN connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpnConnection {
    pub id: VpnConnectionId,
    /// The VPN gateway at our end.
    pub gateway: Option<VpnGatewayId>,
    /// Or the transit gateway.
    pub transit: Option<TransitGatewayId>,
    /// Its state, like `available`.
    pub state: String,
    /// Its static routes.
    pub routes: BTreeSet<Cidr>,
    /// Its tunnels; none where the answer does not tell of them.
    pub tunnels: Vec<VpnTunnel>,
    pub tags: Tags,
}

impl VpnConnection {
    /// Whether it carries packets: it is available, and a tunnel of it is up as far as that is told.
    pub fn is_up(&self) -> bool {
        self.state == "available" && (self.tunnels.is_empty() || self.tunnels.iter().any(|tunnel| tunnel.up))
    }
}

/// One of the two tunnels of a VPN connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpnTunnel {
    /// Its address at AWS's end, outside.
    pub outside: String,
    /// Whether its status is `UP`.
    pub up: bool,
    /// What AWS says of it, like `IPSEC IS DOWN`.
    pub message: String,
}

/// A VPC peering connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peering {
    pub id: PeeringId,
    /// Its state; only `active` carries anything.
    pub state: String,
    /// Who asked for it.
    pub requester: PeeringSide,
    /// Who agreed to it.
    pub accepter: PeeringSide,
    pub tags: Tags,
}

impl Peering {
    /// The side that is not `vpc`.
    pub fn other(&self, vpc: &VpcId) -> Option<&PeeringSide> {
        match vpc {
            vpc if *vpc == self.requester.vpc => Some(&self.accepter),
            vpc if *vpc == self.accepter.vpc => Some(&self.requester),
            _ => None,
        }
    }

    /// Whether both ends are in one Region, as group references need.
    pub fn one_region(&self) -> bool {
        self.requester.region == self.accepter.region
    }
}

/// One end of a peering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeeringSide {
    pub vpc: VpcId,
    /// The account that owns it.
    pub owner: Option<String>,
    pub region: Option<String>,
    /// Its prefixes, as the peering tells them.
    pub cidrs: BTreeSet<Cidr>,
    /// `AllowDnsResolutionFromRemoteVpc`: whether public names of this VPC resolve to private addresses in the other.
    pub resolves: bool,
}

/// A transit gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitGateway {
    pub id: TransitGatewayId,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// Its state, like `available`.
    pub state: String,
    /// `SecurityGroupReferencingSupport`; a gateway's default is off.
    pub group_references: bool,
    pub tags: Tags,
}

/// What a transit gateway is attached to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttachmentTarget {
    Vpc(VpcId),
    /// A VPN connection.
    Vpn(VpnConnectionId),
    /// A gateway of Direct Connect, by its id.
    DirectConnect(String),
    /// Another transit gateway.
    Peer(TransitGatewayId),
    /// Something else, by its kind and id.
    Other(String, String),
}

/// An attachment of a transit gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its id. Each end of a peering has the same.
    pub id: AttachmentId,
    pub gateway: TransitGatewayId,
    /// What it attaches.
    pub to: AttachmentTarget,
    /// Its state; `available` carries.
    pub state: String,
    /// The table that routes what comes in by it.
    pub table: Option<TransitTableId>,
    /// One subnet for each zone that it serves; none when that could not be seen.
    pub subnets: Option<BTreeSet<SubnetId>>,
    /// `SecurityGroupReferencingSupport`; an attachment's default is on.
    pub group_references: bool,
    /// `ApplianceModeSupport`.
    pub appliance_mode: bool,
    pub tags: Tags,
}

/// A route table of a transit gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitTable {
    pub id: TransitTableId,
    pub gateway: TransitGatewayId,
    /// Its routes; none when they could not be seen.
    pub routes: Option<Vec<TransitRoute>>,
    /// The attachments whose prefixes are propagated into it.
    pub propagations: BTreeSet<AttachmentId>,
    pub tags: Tags,
}

/// A route of a transit gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitRoute {
    /// What it matches.
    pub cidr: Cidr,
    /// The prefix list that it comes from.
    pub prefix_list: Option<PrefixListId>,
    /// Where it leads; none drops.
    pub attachments: BTreeSet<AttachmentId>,
    /// Whether it was propagated; a static route of the same prefix wins.
    pub propagated: bool,
    /// Whether it drops what it matches.
    pub blackhole: bool,
}

/// A VPC endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub id: EndpointId,
    pub vpc: VpcId,
    /// What it is.
    pub kind: EndpointKind,
    /// The service behind it, like `com.amazonaws.eu-west-1.s3`.
    pub service: String,
    /// Its state, like `available`.
    pub state: String,
    /// The route tables that a gateway endpoint stands in.
    pub tables: BTreeSet<RouteTableId>,
    /// The subnets that it has interfaces in.
    pub subnets: BTreeSet<SubnetId>,
    pub interfaces: BTreeSet<InterfaceId>,
    /// The groups of its interfaces.
    pub groups: BTreeSet<SecurityGroupId>,
    pub tags: Tags,
}

impl Endpoint {
    /// Whether it serves or may still come to serve. In the other states it never does (EC2 API reference, `VpcEndpoint`).
    pub fn can_serve(&self) -> bool {
        !matches!(self.state.as_str(), "failed" | "rejected" | "expired" | "deleting" | "deleted")
    }
}

/// A kind of VPC endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointKind {
    /// A target of routes, for S3 and DynamoDB.
    Gateway,
    /// An interface with groups.
    Interface,
    /// The way to the appliances behind a Gateway Load Balancer.
    GatewayLoadBalancer,
    /// Another.
    Other(String),
}
