//! Network ACLs.

use doorward_core::inventory::{AclEntry, Call, Direction, NetworkAcl};
use doorward_core::net::Flow;

use super::{Member, Reader, Unreadable, cidr, id, needed, tags};
use crate::operation::{AclEntryShape, NetworkAclShape};
use crate::wire::Protocol;

impl Member for NetworkAclShape {
    const CALL: Call = Call::NetworkAcls;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let mut acl = NetworkAcl {
            id: needed(self.id.as_deref(), "NetworkAclId")?,
            vpc: needed(self.vpc.as_deref(), "VpcId")?,
            default: self.default.unwrap_or_default(),
            subnets: Default::default(),
            entries: Vec::new(),
            incomplete: false,
            tags: tags(&self.tags),
        };
        for association in &self.associations.0 {
            acl.subnets.extend(id(association.subnet.as_deref())?);
        }
        for shape in &self.entries.0 {
            match entry(shape) {
                Ok(entry) => acl.entries.push(entry),
                Err(why) => {
                    acl.incomplete = true;
                    let number = shape.number.map_or_else(|| "an entry".to_owned(), |n| format!("entry {n}"));
                    reader.unreadable(Self::CALL, Some(&format!("{number} of {}", acl.id)), &why);
                }
            }
        }
        acl.entries.sort_by_key(|entry| (entry.direction, entry.number));
        reader.keep(|inventory| &mut inventory.network_acls, acl.id.clone(), acl, PartialEq::eq)
    }
}

fn entry(shape: &AclEntryShape) -> Result<AclEntry, Unreadable> {
    let egress = shape.egress.ok_or(Unreadable::Missing("Egress"))?;
    let prefix = [&shape.v4, &shape.v6].into_iter().flatten().find(|prefix| !prefix.is_empty());
    let action = shape.action.as_deref().ok_or(Unreadable::Missing("RuleAction"))?;
    Ok(AclEntry {
        number: shape.number.ok_or(Unreadable::Missing("RuleNumber"))?,
        direction: if egress { Direction::Out } else { Direction::In },
        cidr: cidr(prefix.ok_or(Unreadable::Missing("CidrBlock"))?)?,
        flow: flow(shape)?,
        allow: match action {
            "allow" => true,
            "deny" => false,
            other => return Err(Unreadable::Odd("RuleAction", other.to_owned())),
        },
    })
}

/// A missing range is every port, and missing types are every message (EC2 API reference, `NetworkAclEntry`).
fn flow(shape: &AclEntryShape) -> Result<Flow, Unreadable> {
    let name = shape.protocol.as_deref().ok_or(Unreadable::Missing("Protocol"))?.trim();
    let (from, to) = match name {
        "1" | "58" | "icmp" | "icmpv6" => {
            (shape.icmp.as_ref().and_then(|icmp| icmp.kind), shape.icmp.as_ref().and_then(|icmp| icmp.code))
        }
        _ => {
            let ports = shape.ports.as_ref().map(|ports| (ports.from, ports.to));
            ports.filter(|ports| *ports != (None, None)).unwrap_or((Some(0), Some(65535)))
        }
    };
    Ok(Protocol { name, from, to }.flow()?)
}
