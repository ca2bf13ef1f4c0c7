//! VPC peerings and VPC endpoints.

use doorward_core::inventory::{Call, Endpoint, EndpointKind, Peering, PeeringSide};

use super::interfaces::groups;
use super::{Member, Reader, Unreadable, cidr, ids, needed, tags, text};
use crate::operation::{EndpointShape, PeeringShape, PeeringSideShape};

impl Member for PeeringShape {
    const CALL: Call = Call::Peerings;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let peering = Peering {
            id: needed(self.id.as_deref(), "VpcPeeringConnectionId")?,
            state: self.status.as_ref().and_then(|status| text(status.code.as_ref())).unwrap_or_default(),
            requester: side(self.requester.as_ref(), "RequesterVpcInfo")?,
            accepter: side(self.accepter.as_ref(), "AccepterVpcInfo")?,
            tags: tags(&self.tags),
        };
        reader.keep(|inventory| &mut inventory.peerings, peering.id.clone(), peering, PartialEq::eq)
    }
}

fn side(shape: Option<&PeeringSideShape>, name: &'static str) -> Result<PeeringSide, Unreadable> {
    let shape = shape.ok_or(Unreadable::Missing(name))?;
    let v4 = shape.v4.0.iter().filter_map(|block| block.cidr.as_deref());
    let v6 = shape.v6.0.iter().filter_map(|block| block.cidr.as_deref());
    // Until it is accepted, the accepter's prefixes are empty.
    let cidrs = shape.cidr.as_deref().into_iter().chain(v4).chain(v6).filter(|cidr| !cidr.trim().is_empty());
    Ok(PeeringSide {
        vpc: needed(shape.vpc.as_deref(), "VpcId")?,
        owner: text(shape.owner.as_ref()),
        region: text(shape.region.as_ref()),
        cidrs: cidrs.map(cidr).collect::<Result<_, _>>()?,
        resolves: shape.options.as_ref().and_then(|options| options.resolves).unwrap_or_default(),
    })
}

impl Member for EndpointShape {
    const CALL: Call = Call::Endpoints;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let endpoint = Endpoint {
            id: needed(self.id.as_deref(), "VpcEndpointId")?,
            vpc: needed(self.vpc.as_deref(), "VpcId")?,
            kind: match text(self.kind.as_ref()).as_deref() {
                // Answers from before there were others do not tell it.
                None | Some("Gateway") => EndpointKind::Gateway,
                Some("Interface") => EndpointKind::Interface,
                Some("GatewayLoadBalancer") => EndpointKind::GatewayLoadBalancer,
                Some(other) => EndpointKind::Other(other.to_owned()),
            },
            service: text(self.service.as_ref()).unwrap_or_default(),
            // EC2 writes it with and without a capital letter.
            state: text(self.state.as_ref()).unwrap_or_default().to_ascii_lowercase(),
            tables: ids(&self.tables.0)?,
            subnets: ids(&self.subnets.0)?,
            interfaces: ids(&self.interfaces.0)?,
            groups: groups(&self.groups)?,
            tags: tags(&self.tags),
        };
        reader.keep(|inventory| &mut inventory.endpoints, endpoint.id.clone(), endpoint, PartialEq::eq)
    }
}
