//! Puts what a packet met into words: hops that let it through, blockers that do not.

use std::net::IpAddr;

use super::answer::{Blocker, Hop};
use super::network::GroupNode;
use super::stage::{Note, Stage};
use super::table::{AclIx, HostIx, SubnetIx};
use super::walk::Walk;
use super::{Code, Flows};
use crate::inventory::{Direction, Peer, RuleIdentity};

/// A stage that groups of an interface are, asked for one packet.
#[derive(Clone, Copy)]
struct Asked {
    host: HostIx,
    direction: Direction,
    other: IpAddr,
    peer: Option<HostIx>,
    references: bool,
}

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
            Note::Groups { host, direction, other, peer, references } => {
                let asked = Asked {
                    host: *host,
                    direction: *direction,
                    other: *other,
                    peer: *peer,
                    references: *references,
                };
                match self.admitting(asked, flow) {
                    Some((group, rule)) => Hop {
                        resource: group.id.to_string(),
                        name: Some(group.name.clone()).filter(|name| !name.is_empty()),
                        kind: "security group",
                        because: self.rule_words(rule),
                    },
                    None => Hop {
                        resource: self.network.hosts.at(*host).label.clone(),
                        name: None,
                        kind: "security group",
                        because: "its groups were not all seen".into(),
                    },
                }
            }
        }
    }

    /// A stage as a blocker of some flows.
    pub(super) fn blocker(self, stage: &Stage, flows: Flows) -> Blocker {
        let replies = stage.replies;
        match &stage.note {
            Note::Plain(plain) => Blocker {
                code: plain.code,
                resource: plain.resource.clone(),
                name: plain.name.clone(),
                kind: plain.kind,
                why: plain.why.clone(),
                lift: plain.lift.clone(),
                flows,
                replies,
            },
            Note::Acl { acl, subnet, direction, other } => {
                let (resource, name) = self.acl_name(*acl, *subnet);
                let node = self.network.subnets.at(*subnet);
                let ports =
                    if replies { "the client's port (1024-65535)".to_owned() } else { flows.to_string() };
                let (way, whom) = match direction {
                    Direction::In => ("into", format!("from {other}")),
                    Direction::Out => ("out of", format!("to {other}")),
                };
                let what = if replies { format!("replies to {ports}") } else { ports };
                let entry = match acl {
                    Some(acl) => {
                        self.denial(*acl, *direction, *other, if replies { None } else { flows.first() })
                    }
                    None => "it was not seen".into(),
                };
                let direction = if *direction == Direction::In { "inbound" } else { "outbound" };
                Blocker {
                    code: Code::Acl,
                    why: format!("it does not let {what} {way} {} {whom}: {entry}", node.id),
                    lift: format!(
                        "add an {direction} entry to {resource} that allows {what} {whom}, before the one that denies it"
                    ),
                    resource,
                    name,
                    kind: "network ACL",
                    flows,
                    replies,
                }
            }
            Note::Groups { host, direction, other, peer, references } => {
                let asked = Asked {
                    host: *host,
                    direction: *direction,
                    other: *other,
                    peer: *peer,
                    references: *references,
                };
                self.group_blocker(asked, flows)
            }
        }
    }

    fn acl_name(self, acl: Option<AclIx>, subnet: SubnetIx) -> (String, Option<String>) {
        match acl {
            Some(acl) => (self.network.acls.at(acl).id.to_string(), self.network.acls.at(acl).name.clone()),
            None => (format!("the network ACL of {}", self.network.subnets.at(subnet).id), None),
        }
    }

    /// The entry of an ACL that decides for a flow.
    fn deciding(
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

    fn denial(self, acl: AclIx, direction: Direction, other: IpAddr, flow: Option<Flows>) -> String {
        let decided = flow.and_then(|flow| self.deciding(acl, direction, other, &flow));
        match decided {
            Some((number, words, false)) => format!("entry {number} denies {words}"),
            _ => "no entry allows it".into(),
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

    fn matches(&self, rule: &RuleIdentity, asked: Asked, references: bool) -> bool {
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
    fn rule_words(&self, rule: &RuleIdentity) -> String {
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

    fn group_blocker(&self, asked: Asked, flows: Flows) -> Blocker {
        let host = self.network.hosts.at(asked.host);
        let set = self.network.sets.at(host.set);
        let groups: Vec<&GroupNode> = set.groups.iter().map(|group| self.network.groups.at(*group)).collect();
        let (direction, whom, preposition) = match asked.direction {
            Direction::In => ("inbound", "from", "from"),
            Direction::Out => ("outbound", "to", "to"),
        };
        let peer = asked.peer.map(|peer| self.network.hosts.at(peer));
        let other = match peer {
            Some(peer) => format!("{} ({})", asked.other, peer.title()),
            None => asked.other.to_string(),
        };
        let rules = || groups.iter().flat_map(|group| &group.rules);
        let unheard = rules().find(|rule| {
            !asked.references
                && matches!(rule.peer, Peer::Group(_))
                && Flows::from(rule.flow).meets(&flows)
                && self.matches(rule, asked, true)
        });
        let named: Vec<String> = groups
            .iter()
            .map(|group| {
                if group.name.is_empty() {
                    group.id.to_string()
                } else {
                    format!("{} ({})", group.id, group.name)
                }
            })
            .collect();
        let (code, why) = match unheard {
            Some(rule) => (
                Code::ReferencesLost,
                format!(
                    "its rule {} does not count here: who carries a group is not known behind this way",
                    self.rule_words(rule)
                ),
            ),
            None if groups.is_empty() => {
                (Code::SecurityGroupEmpty, format!("{} carries no security group", host.title()))
            }
            None if !rules().any(|rule| rule.direction == asked.direction) => {
                (Code::SecurityGroupEmpty, format!("{} has no {direction} rule", named.join(", ")))
            }
            None => (
                Code::SecurityGroup,
                format!("no {direction} rule of {} admits {flows} {whom} {other}", named.join(", ")),
            ),
        };
        // A reference lives longer than an address.
        let reference =
            peer.filter(|_| asked.references).and_then(|peer| self.network.sets.at(peer.set).groups.first());
        let by = match reference {
            Some(group) => self.network.groups.at(*group).id.to_string(),
            None => crate::net::Cidr::host(asked.other).to_string(),
        };
        let first = groups.first().map(|group| group.id.to_string());
        let name = groups.first().map(|group| group.name.clone()).filter(|name| !name.is_empty());
        let lift = match &first {
            Some(group) => format!("add an {direction} rule to {group}: {flows} {preposition} {by}"),
            None => format!("give {} a security group", host.label),
        };
        Blocker {
            code,
            kind: if first.is_some() { "security group" } else { "interface" },
            resource: first.unwrap_or_else(|| host.label.clone()),
            name,
            why,
            lift,
            flows,
            replies: false,
        }
    }
}
