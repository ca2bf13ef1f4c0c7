//! What leads out of a VPC: internet, egress-only, NAT and VPN gateways, and VPN connections.

use doorward_core::inventory::{
    Call, EgressOnlyGateway, InternetGateway, NatAvailability, NatGateway, VpcId, VpnConnection, VpnGateway,
    VpnTunnel,
};

use super::{Member, Reader, Unreadable, address, cidr, id, needed, tags, text};
use crate::operation::{
    EgressOnlyGatewayShape, InternetGatewayShape, NatGatewayShape, VpcAttachmentShape, VpnConnectionShape,
    VpnGatewayShape, VpnTunnelShape,
};
use crate::wire::List;

impl Member for InternetGatewayShape {
    const CALL: Call = Call::InternetGateways;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let gateway = InternetGateway {
            id: needed(self.id.as_deref(), "InternetGatewayId")?,
            vpc: attached(&self.attachments)?,
            tags: tags(&self.tags),
        };
        reader.keep(|inventory| &mut inventory.internet_gateways, gateway.id.clone(), gateway, PartialEq::eq)
    }
}

impl Member for EgressOnlyGatewayShape {
    const CALL: Call = Call::EgressOnlyGateways;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let gateway = EgressOnlyGateway {
            id: needed(self.id.as_deref(), "EgressOnlyInternetGatewayId")?,
            vpc: attached(&self.attachments)?,
            tags: tags(&self.tags),
        };
        reader.keep(
            |inventory| &mut inventory.egress_only_gateways,
            gateway.id.clone(),
            gateway,
            PartialEq::eq,
        )
    }
}

impl Member for VpnGatewayShape {
    const CALL: Call = Call::VpnGateways;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        if self.state.as_deref() == Some("deleted") {
            return Ok(());
        }
        let gateway = VpnGateway {
            id: needed(self.id.as_deref(), "VpnGatewayId")?,
            vpc: attached(&self.attachments)?,
            tags: tags(&self.tags),
        };
        reader.keep(|inventory| &mut inventory.vpn_gateways, gateway.id.clone(), gateway, PartialEq::eq)
    }
}

/// The VPC that something is attached to: `available` for an internet gateway, `attached` for the others.
fn attached(attachments: &List<VpcAttachmentShape>) -> Result<Option<VpcId>, Unreadable> {
    let attached = attachments.0.iter().find(|attachment| {
        !matches!(attachment.state.as_deref(), Some("attaching" | "detaching" | "detached"))
    });
    id(attached.and_then(|attachment| attachment.vpc.as_deref()))
}

impl Member for NatGatewayShape {
    const CALL: Call = Call::NatGateways;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let state = text(self.state.as_ref()).unwrap_or_default();
        // It stays in answers for an hour after it is gone.
        if state == "deleted" {
            return Ok(());
        }
        let addresses = &self.addresses.0;
        let primary = addresses.iter().find(|address| address.primary == Some(true));
        let primary = primary.or(addresses.first());
        let gateway = NatGateway {
            id: needed(self.id.as_deref(), "NatGatewayId")?,
            vpc: needed(self.vpc.as_deref(), "VpcId")?,
            availability: availability(self)?,
            state,
            public: self.connectivity.as_deref() != Some("private"),
            private_address: address(primary.and_then(|address| address.private.as_deref()))?,
            public_address: address(primary.and_then(|address| address.public.as_deref()))?,
            interface: id(primary.and_then(|address| address.interface.as_deref()))?,
            tags: tags(&self.tags),
        };
        reader.keep(|inventory| &mut inventory.nat_gateways, gateway.id.clone(), gateway, PartialEq::eq)
    }
}

/// A regional one names no subnet; recordings of before there were regional ones name no mode.
fn availability(shape: &NatGatewayShape) -> Result<NatAvailability, Unreadable> {
    let table = id(shape.table.as_deref())?;
    let subnet = id(shape.subnet.as_deref())?;
    match (shape.availability.as_deref(), subnet) {
        (Some("regional"), _) => Ok(NatAvailability::Regional(table)),
        (_, Some(subnet)) => Ok(NatAvailability::Zonal(subnet)),
        (None, None) if table.is_some() => Ok(NatAvailability::Regional(table)),
        (_, None) => Err(Unreadable::Missing("SubnetId")),
    }
}

fn tunnel(shape: &VpnTunnelShape) -> VpnTunnel {
    VpnTunnel {
        outside: text(shape.outside.as_ref()).unwrap_or_default(),
        up: shape.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("up")),
        message: text(shape.message.as_ref()).unwrap_or_default(),
    }
}

impl Member for VpnConnectionShape {
    const CALL: Call = Call::VpnConnections;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let state = text(self.state.as_ref()).unwrap_or_default();
        if state == "deleted" {
            return Ok(());
        }
        let routes = self.routes.0.iter().filter(|route| route.state.as_deref() != Some("deleted"));
        let connection = VpnConnection {
            id: needed(self.id.as_deref(), "VpnConnectionId")?,
            gateway: id(self.gateway.as_deref())?,
            transit: id(self.transit.as_deref())?,
            state,
            routes: routes.filter_map(|route| route.cidr.as_deref()).map(cidr).collect::<Result<_, _>>()?,
            tunnels: self.tunnels.0.iter().map(tunnel).collect(),
            tags: tags(&self.tags),
        };
        reader.keep(
            |inventory| &mut inventory.vpn_connections,
            connection.id.clone(),
            connection,
            PartialEq::eq,
        )
    }
}
