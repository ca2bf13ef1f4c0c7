//! `ec2:DescribeVpnConnections`: the Site-to-Site VPN connections with their static routes.

use super::describe::{describe, shape};
use crate::wire::{List, Tag};

describe! {
    /// Asks for all VPN connections; they come in one page.
    DescribeVpnConnections as "DescribeVpnConnections", pages of None;
    VpnConnectionsAnswer of VpnConnectionShape = "VpnConnections" | "vpnConnectionSet"
}

shape! {
    /// One connection.
    VpnConnectionShape {
        id: Option<String> = "VpnConnectionId" | "vpnConnectionId",
        gateway: Option<String> = "VpnGatewayId" | "vpnGatewayId",
        transit: Option<String> = "TransitGatewayId" | "transitGatewayId",
        state: Option<String> = "State" | "state",
        routes: List<VpnRouteShape> = "Routes" | "routes",
        tunnels: List<VpnTunnelShape> = "VgwTelemetry" | "vgwTelemetry",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}

shape! {
    /// A static route.
    VpnRouteShape {
        cidr: Option<String> = "DestinationCidrBlock" | "destinationCidrBlock",
        state: Option<String> = "State" | "state",
    }
}

shape! {
    /// What AWS measures of a tunnel.
    VpnTunnelShape {
        outside: Option<String> = "OutsideIpAddress" | "outsideIpAddress",
        status: Option<String> = "Status" | "status",
        message: Option<String> = "StatusMessage" | "statusMessage",
    }
}
