//! Transit gateways with their attachments, tables and routes.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::inventory::{
    AnsweredId, Attachment, AttachmentId, AttachmentTarget, Call, Inventory, TransitGateway,
    TransitGatewayId, TransitRoute, TransitTable, TransitTableId, VpcId, VpnConnectionId,
};

use super::{Member, Reader, Unreadable, cidr, id, ids, needed, tags, text};
use crate::operation::{
    AttachmentShape, PropagationShape, TransitGatewayShape, TransitPeeringShape, TransitRouteShape,
    TransitTableShape, TransitVpcShape,
};

/// What was told of attachments and tables by other calls than those that list them.
#[derive(Debug, Default)]
pub(super) struct TransitDetails {
    /// Attachments to VPCs, with their subnets and options.
    vpcs: Vec<Attachment>,
    /// Both ends of peerings.
    peers: Vec<Attachment>,
    /// Routes; none of a table of which one cannot be read.
    routes: BTreeMap<TransitTableId, Option<Vec<TransitRoute>>>,
    propagations: BTreeMap<TransitTableId, BTreeSet<AttachmentId>>,
}

impl Member for TransitGatewayShape {
    const CALL: Call = Call::TransitGateways;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let references = self.options.as_ref().and_then(|options| options.references.as_deref());
        let gateway = TransitGateway {
            id: needed(self.id.as_deref(), "TransitGatewayId")?,
            account_region: reader.account_region.clone(),
            state: text(self.state.as_ref()).unwrap_or_default(),
            group_references: references == Some("enable"),
            tags: tags(&self.tags),
        };
        reader.keep(|inventory| &mut inventory.transit_gateways, gateway.id.clone(), gateway, PartialEq::eq)
    }
}

impl Member for AttachmentShape {
    const CALL: Call = Call::TransitAttachments;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let resource = text(self.resource.as_ref()).unwrap_or_default();
        let association = self.association.as_ref();
        let associated = association
            .filter(|association| matches!(association.state.as_deref(), None | Some("associated")));
        let attachment = Attachment {
            id: needed(self.id.as_deref(), "TransitGatewayAttachmentId")?,
            gateway: needed(self.gateway.as_deref(), "TransitGatewayId")?,
            to: match self.kind.as_deref().unwrap_or_default().trim() {
                "vpc" => AttachmentTarget::Vpc(VpcId::answered(&resource)?),
                "vpn" => AttachmentTarget::Vpn(VpnConnectionId::answered(&resource)?),
                "direct-connect-gateway" => AttachmentTarget::DirectConnect(resource),
                "peering" | "tgw-peering" => AttachmentTarget::Peer(TransitGatewayId::answered(&resource)?),
                other => AttachmentTarget::Other(other.to_owned(), resource),
            },
            state: text(self.state.as_ref()).unwrap_or_default(),
            table: id(associated.and_then(|association| association.table.as_deref()))?,
            subnets: None,
            group_references: true,
            appliance_mode: false,
            tags: tags(&self.tags),
        };
        reader.keep(
            |inventory| &mut inventory.attachments,
            (attachment.gateway.clone(), attachment.id.clone()),
            attachment,
            PartialEq::eq,
        )
    }
}

impl Member for TransitVpcShape {
    const CALL: Call = Call::TransitVpcAttachments;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let options = self.options.as_ref();
        let references = options.and_then(|options| options.references.as_deref());
        let attachment = Attachment {
            id: needed(self.id.as_deref(), "TransitGatewayAttachmentId")?,
            gateway: needed(self.gateway.as_deref(), "TransitGatewayId")?,
            to: AttachmentTarget::Vpc(needed(self.vpc.as_deref(), "VpcId")?),
            state: text(self.state.as_ref()).unwrap_or_default(),
            table: None,
            subnets: Some(ids(&self.subnets.0)?),
            // On unless it was switched off, other than a gateway's.
            group_references: references != Some("disable"),
            appliance_mode: options.and_then(|options| options.appliance.as_deref()) == Some("enable"),
            tags: tags(&self.tags),
        };
        reader.transit.vpcs.push(attachment);
        Ok(())
    }
}

impl Member for TransitPeeringShape {
    const CALL: Call = Call::TransitPeerings;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let id: AttachmentId = needed(self.id.as_deref(), "TransitGatewayAttachmentId")?;
        let end = |shape: Option<&crate::operation::TransitPeerShape>| {
            needed(shape.and_then(|end| end.gateway.as_deref()), "TransitGatewayId")
        };
        let ends: [TransitGatewayId; 2] = [end(self.requester.as_ref())?, end(self.accepter.as_ref())?];
        let [requester, accepter] = ends;
        for (gateway, peer) in [(requester.clone(), accepter.clone()), (accepter, requester)] {
            reader.transit.peers.push(Attachment {
                id: id.clone(),
                gateway,
                to: AttachmentTarget::Peer(peer),
                state: text(self.state.as_ref()).unwrap_or_default(),
                table: None,
                subnets: None,
                group_references: true,
                appliance_mode: false,
                tags: tags(&self.tags),
            });
        }
        Ok(())
    }
}

impl Member for TransitTableShape {
    const CALL: Call = Call::TransitTables;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        if self.state.as_deref() == Some("deleted") {
            return Ok(());
        }
        let table = TransitTable {
            id: needed(self.id.as_deref(), "TransitGatewayRouteTableId")?,
            gateway: needed(self.gateway.as_deref(), "TransitGatewayId")?,
            routes: None,
            propagations: BTreeSet::new(),
            tags: tags(&self.tags),
        };
        reader.keep(|inventory| &mut inventory.transit_tables, table.id.clone(), table, PartialEq::eq)
    }
}

impl Reader {
    /// Takes routes of a table, as `SearchTransitGatewayRoutes` tells them.
    ///
    /// A table of which one route cannot be read, or of which not all are told, has none that are known: a
    /// route that is missing could be the longest.
    pub(crate) fn transit_routes(&mut self, table: &TransitTableId, shapes: &[TransitRouteShape]) {
        let mut routes = Some(Vec::new());
        for shape in shapes {
            if shape.more {
                routes = None;
                self.gap(Call::TransitRoutes, format!("{table} has more routes than were returned"));
                continue;
            }
            match transit_route(shape) {
                Ok(route) => {
                    if let Some(routes) = &mut routes {
                        routes.extend(route);
                    }
                }
                Err(why) => {
                    routes = None;
                    let what = format!("{} in {table}", shape.cidr.as_deref().unwrap_or("a route"));
                    self.unreadable(Call::TransitRoutes, Some(&what), &why);
                }
            }
        }
        let told = self.transit.routes.entry(table.clone()).or_insert_with(|| Some(Vec::new()));
        match (told, routes) {
            (Some(told), Some(routes)) => told.extend(routes),
            (told, _) => *told = None,
        }
    }

    /// Takes propagations into a table, as `GetTransitGatewayRouteTablePropagations` tells them.
    pub(crate) fn transit_propagations(&mut self, table: &TransitTableId, shapes: &[PropagationShape]) {
        for shape in shapes.iter().filter(|shape| matches!(shape.state.as_deref(), None | Some("enabled"))) {
            match needed(shape.attachment.as_deref(), "TransitGatewayAttachmentId") {
                Ok(attachment) => {
                    self.transit.propagations.entry(table.clone()).or_default().insert(attachment);
                }
                Err(why) => {
                    let what = format!("a propagation into {table}");
                    self.unreadable(Call::TransitPropagations, Some(&what), &why);
                }
            }
        }
    }
}

/// A route; nothing for one that is on its way in or out.
fn transit_route(shape: &TransitRouteShape) -> Result<Option<TransitRoute>, Unreadable> {
    let blackhole = match shape.state.as_deref() {
        Some("blackhole") => true,
        None | Some("active") => false,
        Some(_) => return Ok(None),
    };
    let attachments = shape.attachments.0.iter();
    let attachments =
        attachments.map(|attachment| needed(attachment.id.as_deref(), "TransitGatewayAttachmentId"));
    Ok(Some(TransitRoute {
        cidr: cidr(shape.cidr.as_deref().ok_or(Unreadable::Missing("DestinationCidrBlock"))?)?,
        prefix_list: id(shape.prefix_list.as_deref())?,
        attachments: attachments.collect::<Result<_, _>>()?,
        propagated: shape.kind.as_deref() == Some("propagated"),
        blackhole,
    }))
}

impl TransitDetails {
    /// Puts together what the calls told of attachments and tables.
    pub(super) fn finish(self, inventory: &mut Inventory) {
        for detail in self.vpcs {
            let key = (detail.gateway.clone(), detail.id.clone());
            let attachment = inventory.attachments.entry(key).or_insert_with(|| detail.clone());
            attachment.subnets = detail.subnets;
            attachment.group_references = detail.group_references;
            attachment.appliance_mode = detail.appliance_mode;
        }
        for end in self.peers {
            let key = (end.gateway.clone(), end.id.clone());
            match inventory.attachments.get_mut(&key) {
                Some(attachment) => attachment.to = end.to,
                // The other end is another account's or Region's to tell of: its table is not known here.
                None if inventory.transit_gateways.contains_key(&end.gateway) => {
                    inventory.attachments.insert(key, end);
                }
                None => {}
            }
        }
        for (id, routes) in self.routes {
            if let Some(table) = inventory.transit_tables.get_mut(&id) {
                table.routes = routes;
            }
        }
        for (id, propagations) in self.propagations {
            if let Some(table) = inventory.transit_tables.get_mut(&id) {
                table.propagations = propagations;
            }
        }
    }
}
