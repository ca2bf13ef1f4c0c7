//! What is exported of an inventory: the resources of some networks, and their rules.

use std::collections::BTreeSet;

use super::name::Names;
use crate::inventory::{
    ExistingRule, Inventory, Peer, PlannedId, Route, RouteTable, RouteTarget, RuleIdentity, SecurityGroup,
    SecurityGroupId,
};
use crate::mark::{Because, Mark};
use crate::name::{InstallationId, NetworkName};
use crate::net::{Flow, Icmp, Ports};
use crate::topology::{Holder, Made, Purpose, Topology, purpose_of};

/// Networks of one account and Region.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The declaration.
    pub topology: &'a Topology,
    /// The networks to export.
    pub networks: &'a BTreeSet<NetworkName>,
    /// The account as it is.
    pub actual: &'a Inventory,
    /// The account as declared, with planned ids of what does not exist.
    pub wanted: &'a Inventory,
    /// The installation whose tags the resources have.
    pub by: &'a InstallationId,
}

impl<'a> Parts<'a> {
    /// All of a kind, in the order of their purposes.
    pub(super) fn all<K: Made + 'a>(&self) -> Vec<(Purpose, &'a K)> {
        let wanted: &'a Inventory = self.wanted;
        let of = |it: &'a K| {
            let purpose = purpose_of(it.tags(), self.by)?;
            self.networks.contains(&purpose.network).then_some((purpose, it))
        };
        let mut all: Vec<(Purpose, &K)> = K::all(wanted).values().filter_map(of).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// The groups that have rules of these networks: their own, and those of others that roles name.
    pub(super) fn groups(&self) -> Vec<&'a SecurityGroup> {
        let own = self.all::<SecurityGroup>().into_iter().map(|(_, group)| group);
        let roles = self.topology.roles.values().filter(|role| self.networks.contains(&role.network));
        let ids = roles.filter_map(|role| role.group.as_ref());
        let wanted: &'a Inventory = self.wanted;
        own.chain(ids.filter_map(|id| wanted.groups.get(id))).collect()
    }

    /// The rules of a group that the declaration has; those of grants and of others are not among them.
    pub(super) fn rules(&self, group: &'a SecurityGroup) -> Vec<(&'a RuleIdentity, &'a ExistingRule)> {
        let is_declared = |rule: &ExistingRule| {
            let mark = rule.description.parse::<Mark>().ok().filter(|mark| mark.by == *self.by);
            mark.is_some_and(|mark| matches!(mark.because, Because::Role { .. } | Because::Network { .. }))
        };
        group.rules.iter().filter(|(_, rule)| is_declared(rule)).collect()
    }

    /// The routes of a table that the declaration has.
    pub(super) fn routes(&self, table: &'a RouteTable) -> Vec<&'a Route> {
        let is_gateway = |target: &RouteTarget| {
            matches!(target, RouteTarget::InternetGateway(_) | RouteTarget::NatGateway(_))
        };
        table.routes.iter().filter(|route| is_gateway(&route.target) && !route.propagated).collect()
    }

    /// Whether a table has a route already.
    pub(super) fn has_route(&self, table: &RouteTable, route: &Route) -> bool {
        let before = self.actual.route_tables.get(&table.id);
        before.is_some_and(|before| before.routes.iter().any(|it| it.destination == route.destination))
    }

    /// What has roles attached, which another engine declares elsewhere.
    pub(super) fn attached(&self) -> Vec<String> {
        let own: BTreeSet<&SecurityGroupId> = self.groups().into_iter().map(|group| &group.id).collect();
        let mut lines = Vec::new();
        for holder in self.actual.vpcs.keys().flat_map(|vpc| Holder::all_in(self.actual, vpc)) {
            let (Some(before), Some(after)) = (holder.groups(self.actual), holder.groups(self.wanted)) else {
                continue;
            };
            let new: Vec<String> =
                after.difference(before).filter(|id| own.contains(id)).map(|id| self.name(id)).collect();
            if !new.is_empty() {
                let resource = holder.resource();
                lines.push(format!(
                    "{} {resource} is not exported: attach {} to it where it is declared",
                    resource.kind(),
                    new.join(", ")
                ));
            }
        }
        lines
    }

    fn name(&self, id: &SecurityGroupId) -> String {
        self.wanted.groups.get(id).map_or_else(|| id.to_string(), |group| group.name.clone())
    }
}

/// The words of a rule's name: its group, its direction and traffic, and its peer.
pub(super) fn rule_words(names: &Names, group: &SecurityGroup, rule: &RuleIdentity) -> String {
    let of = |id: &SecurityGroupId| names.of(id.as_str()).map_or_else(|| id.to_string(), spaced);
    let peer = match &rule.peer {
        Peer::Group(id) => of(id),
        Peer::Cidr(cidr) => cidr.to_string(),
        Peer::PrefixList(list) => list.to_string(),
    };
    let direction = match rule.direction {
        crate::inventory::Direction::In => "from",
        crate::inventory::Direction::Out => "to",
    };
    format!("{} {} {direction} {peer}", of(&group.id), rule.flow)
}

/// A name in words again: `MainRoleDb` as `Main Role Db`.
fn spaced(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}

/// Whether something exists already.
pub(super) fn exists<I: PlannedId>(id: &I) -> bool {
    !id.is_planned()
}

/// A flow as security group rules have it: the protocol, and the first and last port, or the ICMP type and code; no ports where
/// all are meant (CloudFormation user guide, `AWS::EC2::SecurityGroupIngress`).
pub(super) fn protocol(flow: Flow) -> (String, Option<(i64, i64)>) {
    let ports = |ports: Ports| Some((i64::from(ports.from()), i64::from(ports.to())));
    let icmp = |icmp: Icmp| match icmp {
        Icmp::All => Some((-1, -1)),
        Icmp::Type(kind) => Some((i64::from(kind), -1)),
        Icmp::Code(kind, code) => Some((i64::from(kind), i64::from(code))),
    };
    match flow {
        Flow::All => ("-1".to_owned(), None),
        Flow::Tcp(range) => ("tcp".to_owned(), ports(range)),
        Flow::Udp(range) => ("udp".to_owned(), ports(range)),
        Flow::Icmp(kind) => ("icmp".to_owned(), icmp(kind)),
        Flow::Icmpv6(kind) => ("icmpv6".to_owned(), icmp(kind)),
        Flow::Protocol(number) => (number.to_string(), None),
    }
}
