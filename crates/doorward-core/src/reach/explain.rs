//! Puts what let a packet through into words.

use std::net::IpAddr;

use super::Flows;
use super::answer::Hop;
use super::network::GroupNode;
use super::stage::{Asked, Note, Stage};
use super::table::{AclIx, SubnetIx};
use super::walk::Walk;
use crate::inventory::{Direction, Peer, RuleIdentity};

impl Walk<'_> {
    /// A stage as a hop, for a flow that it lets through.
    pub(super) fn hop(self, stage: &Stage, flow: &Flows) -> Hop {
        match &stage.note {
            Note::Plain(plain) => Hop {
                resource: plain.resource.clone(),
                name: plain.name.clone(),
                kind: plain.kind,
                because: plain.because.clone(),
            },
            Note::Acl { acl, subnet, direction, other } => {
                let (resource, name) = self.acl_name(*acl, *subnet);
                let because = match acl {
                    Some(acl) => self.entry(*acl, *direction, *other, flow),
                    None => "it was not seen".into(),
                };
                Hop { resource, name, kind: "network ACL", because }
            }
            Note::Groups(asked) => match self.admitting(*asked, flow) {
                Some((group, rule)) => Hop {
                    resource: group.id.to_string(),
                    name: Some(group.name.clone()).filter(|name| !name.is_empty()),
                    kind: "security group",
                    because: self.rule_words(rule),
                },
                None => Hop {
                    resource: self.network.hosts.at(asked.host).label.clone(),
                    name: None,
                    kind: "security group",
                    because: "its groups were not all seen".into(),
                },
            },
        }
    }

    pub(super) fn acl_name(self, acl: Option<AclIx>, subnet: SubnetIx) -> (String, Option<String>) {
        match acl {
            Some(acl) => (self.network.acls.at(acl).id.to_string(), self.network.acls.at(acl).name.clone()),
            None => (format!("the network ACL of {}", self.network.subnets.at(subnet).id), None),
        }
    }

    /// The entry of an ACL that decides for a flow.
    pub(super) fn deciding(
        self,
        acl: AclIx,
        direction: Direction,
        other: IpAddr,
        flow: &Flows,
    ) -> Option<(u32, String, bool)> {
        let mut entries = self.network.acls.at(acl).entries.iter();
        let entry = entries.find(|entry| {
            entry.direction == direction && entry.cidr.contains(other) && Flows::from(entry.flow).meets(flow)
        })?;
        let whom = if direction == Direction::In { "from" } else { "to" };
        Some((entry.number, format!("{} {whom} {}", entry.flow, entry.cidr), entry.allow))
    }

    fn entry(self, acl: AclIx, direction: Direction, other: IpAddr, flow: &Flows) -> String {
        match self.deciding(acl, direction, other, flow) {
            Some((number, words, true)) => format!("entry {number} allows {words}"),
            _ => "it lets it through".into(),
        }
    }

    /// The rule that admits a packet, and its group.
    fn admitting(&self, asked: Asked, flow: &Flows) -> Option<(&GroupNode, &RuleIdentity)> {
        let set = self.network.sets.at(self.network.hosts.at(asked.host).set);
        let groups = set.groups.iter().map(|group| self.network.groups.at(*group));
        let mut rules = groups.flat_map(|group| group.rules.iter().map(move |rule| (group, rule)));
        rules.find(|(_, rule)| {
            self.matches(rule, asked, asked.references) && Flows::from(rule.flow).meets(flow)
        })
    }

    pub(super) fn matches(&self, rule: &RuleIdentity, asked: Asked, references: bool) -> bool {
        rule.direction == asked.direction
            && match &rule.peer {
                Peer::Cidr(cidr) => cidr.contains(asked.other),
                Peer::PrefixList(list) => {
                    let entries =
                        self.inventory.prefix_lists.get(list).and_then(|list| list.entries.as_ref());
                    entries.is_some_and(|entries| entries.iter().any(|cidr| cidr.contains(asked.other)))
                }
                Peer::Group(group) => {
                    references
                        && asked.peer.is_some_and(|peer| {
                            let carried = &self.network.sets.at(self.network.hosts.at(peer).set).groups;
                            carried.iter().any(|index| self.network.groups.at(*index).id == *group)
                        })
                }
            }
    }

    /// A rule, with the names of the groups in it.
    pub(super) fn rule_words(&self, rule: &RuleIdentity) -> String {
        let whom = if rule.direction == Direction::In { "from" } else { "to" };
        let direction = if rule.direction == Direction::In { "inbound" } else { "outbound" };
        format!("{direction} {} {whom} {}", rule.flow, self.peer_words(&rule.peer))
    }

    fn peer_words(&self, peer: &Peer) -> String {
        match peer {
            Peer::Group(id) => {
                let named = self.network.group_of.get(id).map(|index| &self.network.groups.at(*index).name);
                match named.filter(|name| !name.is_empty()) {
                    Some(name) => format!("{id} ({name})"),
                    None => id.to_string(),
                }
            }
            other => other.to_string(),
        }
    }
}
