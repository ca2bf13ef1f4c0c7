//! What several rules ask of an inventory, gathered once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::Subject;
use super::reached::{Reached, reached};
use crate::inventory::{
    AccountRegion, AttachmentTarget, Call, Direction, Gap, GroupReference, Interface, Inventory, Peer,
    ResourceRef, SecurityGroup, SecurityGroupId, SubnetId, Tags, VpcId,
};
use crate::reach::{End, Flows, Hop, PathQuery, Reachability, Role, RoleId, Selector};

/// An inventory with what is looked up in it again and again.
pub(super) struct Facts<'a> {
    pub(super) reach: &'a Reachability,
    pub(super) inventory: &'a Inventory,
    /// What the internet reaches of each role, where there is anything.
    pub(super) from_internet: BTreeMap<RoleId, Reached>,
    /// For a group that admits itself and a role that carries it: what passes there from which such roles.
    pub(super) within: BTreeMap<(&'a SecurityGroupId, RoleId), Within>,
    roles: BTreeMap<RoleId, &'a Role>,
    carriers: BTreeMap<&'a SecurityGroupId, Vec<&'a Interface>>,
    users: BTreeMap<&'a SecurityGroupId, BTreeSet<String>>,
    referrers: BTreeMap<&'a SecurityGroupId, BTreeSet<&'a SecurityGroupId>>,
}

/// What a self-reference lets through to one role.
#[derive(Debug, Clone, Default)]
pub(super) struct Within {
    pub(super) flows: Flows,
    pub(super) from: BTreeSet<RoleId>,
}

/// Where a reference to a group leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    /// To interfaces that can be told.
    Holds,
    /// Nowhere, and why.
    Stale(String),
    /// It cannot be told, and why.
    Unknown(String, Vec<Gap>),
}

impl<'a> Facts<'a> {
    pub(super) fn of(reach: &'a Reachability) -> Self {
        let inventory = reach.inventory();
        let mut carriers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for interface in inventory.interfaces.values() {
            for group in &interface.groups {
                carriers.entry(group).or_default().push(interface);
            }
        }
        let mut referrers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for group in inventory.groups.values() {
            for rule in group.rules.keys() {
                if let Peer::Group(peer) = &rule.peer
                    && *peer != group.id
                {
                    referrers.entry(peer).or_default().insert(&group.id);
                }
            }
        }
        let mut facts = Self {
            reach,
            inventory,
            from_internet: BTreeMap::new(),
            within: BTreeMap::new(),
            roles: reach.roles().iter().map(|role| (role.id, role)).collect(),
            carriers,
            users: users(inventory),
            referrers,
        };
        facts.walk();
        facts
    }

    /// Takes from all ways those that some rule asks for, in one pass.
    fn walk(&mut self) {
        let itself: BTreeMap<&SecurityGroupId, Flows> = self
            .inventory
            .groups
            .values()
            .map(|group| (&group.id, admits_itself(group)))
            .filter(|(_, flows)| !flows.is_empty())
            .collect();
        let (reach, roles) = (self.reach, self.roles.clone());
        let mut inward = Vec::new();
        reach.paths(&PathQuery::default(), &mut |path| {
            match (&path.from, &path.to) {
                (End::Internet, End::Role(_)) => inward.push(path),
                (End::Role(from), End::Role(to)) => {
                    let (Some(sender), Some(receiver)) = (roles.get(from), roles.get(to)) else {
                        return ControlFlow::Continue(());
                    };
                    for group in sender.groups.intersection(&receiver.groups) {
                        let Some((id, flows)) = itself.get_key_value(group) else { continue };
                        let passes = path.flows.and(flows);
                        if !passes.is_empty() {
                            let within = self.within.entry((*id, *to)).or_default();
                            within.flows = within.flows.union(&passes);
                            within.from.insert(*from);
                        }
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        });
        self.from_internet = reached(reach, &roles, &inward);
    }

    /// The interfaces that carry a group, in use or not.
    pub(super) fn carriers(&self, group: &SecurityGroupId) -> &[&'a Interface] {
        self.carriers.get(group).map_or(&[], Vec::as_slice)
    }

    /// The services that are set to use a group, whether they have an interface now or not.
    pub(super) fn users(&self, group: &SecurityGroupId) -> impl Iterator<Item = &str> {
        self.users.get(group).into_iter().flatten().map(String::as_str)
    }

    /// The other groups with a rule that refers to this one.
    pub(super) fn referrers(&self, group: &SecurityGroupId) -> impl Iterator<Item = &SecurityGroupId> {
        self.referrers.get(group).into_iter().flatten().copied()
    }

    /// A role by its number.
    pub(super) fn role(&self, id: RoleId) -> Option<&'a Role> {
        self.roles.get(&id).copied()
    }

    /// Which calls of these gave no whole answer in an account and Region.
    pub(super) fn gaps(&self, calls: &[Call], account_region: &AccountRegion) -> Vec<Gap> {
        calls.iter().filter_map(|call| self.inventory.gap(*call, account_region)).cloned().collect()
    }

    /// Where a VPC was seen.
    pub(super) fn account_region(&self, vpc: &VpcId) -> AccountRegion {
        self.inventory.vpcs.get(vpc).map(|vpc| vpc.account_region.clone()).unwrap_or_default()
    }

    /// A group as what a finding is about.
    pub(super) fn group(&self, group: &SecurityGroup) -> Subject {
        let name = Some(group.name.clone()).filter(|name| !name.is_empty());
        Subject {
            id: group.id.to_string(),
            kind: "security group",
            name,
            account_region: group.account_region.clone(),
        }
    }

    /// A group in a sentence: its id, and its name where that is known.
    pub(super) fn group_text(&self, id: &SecurityGroupId) -> String {
        match self.inventory.groups.get(id).map(|group| group.name.as_str()) {
            Some(name) if !name.is_empty() => format!("{id} ({name})"),
            _ => id.to_string(),
        }
    }

    /// A subnet in a sentence.
    pub(super) fn subnet_text(&self, id: &SubnetId) -> String {
        let subnet = self.inventory.subnets.get(id);
        match subnet.and_then(|subnet| name(&subnet.tags)) {
            Some(name) => format!("{id} ({name})"),
            None => id.to_string(),
        }
    }

    /// A thing of a VPC as what a finding is about.
    pub(super) fn of_vpc(&self, kind: &'static str, id: &impl ToString, tags: &Tags, vpc: &VpcId) -> Subject {
        Subject { id: id.to_string(), kind, name: name(tags), account_region: self.account_region(vpc) }
    }

    /// The way from the internet to one of some interfaces, as sentences, with what could not be seen.
    pub(super) fn hops_from_internet(&self, to: &[&ResourceRef], flows: &Flows) -> (Vec<String>, Vec<Gap>) {
        let Some(to) = to.first() else { return (Vec::new(), Vec::new()) };
        let answer = self.reach.ask(&Selector::Internet, &Selector::from((*to).clone()), Some(flows));
        (answer.hops.iter().map(hop).collect(), answer.gaps)
    }

    /// Whether a rule of a group that refers to another one matches anything, by where the two are.
    ///
    /// Source: VPC user guide, stale security group rules; the references of a transit gateway are for ingress only.
    pub(super) fn reference(
        &self,
        group: &SecurityGroup,
        peer: &SecurityGroupId,
        direction: Direction,
    ) -> Reference {
        if let Some(reference) = self.inventory.group_references.get(&(group.id.clone(), peer.clone()))
            && let Some(told) = told_of(peer, reference)
        {
            return told;
        }
        let Some(own) = &group.vpc else { return Reference::Holds };
        let Some(other) = self.inventory.groups.get(peer) else {
            return self.unseen_reference(group, own, peer);
        };
        let Some(its) = &other.vpc else { return Reference::Holds };
        // A group that is associated with several VPCs shows only by who carries it.
        let homes: BTreeSet<&VpcId> =
            self.carriers(peer).iter().map(|interface| &interface.vpc).chain([its]).collect();
        if homes.contains(own) || homes.iter().any(|home| self.peered(own, home)) {
            return Reference::Holds;
        }
        if homes.iter().any(|home| self.joined(own, home)) {
            return match direction {
                Direction::In => Reference::Holds,
                Direction::Out => {
                    let why = format!(
                        "{peer} is in {its}, and only inbound rules may refer over a transit gateway"
                    );
                    Reference::Stale(why)
                }
            };
        }
        let gaps = self.gaps(&[Call::Peerings], &group.account_region);
        if !gaps.is_empty() {
            let why = format!("{peer} is in {its}, and whether a peering leads there could not be seen");
            return Reference::Unknown(why, gaps);
        }
        let broken = self.inventory.peerings.values().find(|peering| {
            peering.other(own).is_some_and(|side| side.vpc == *its) && peering.state != "active"
        });
        Reference::Stale(match broken {
            Some(peering) => {
                format!("{peer} is in {its}, and {} that led there is `{}`", peering.id, peering.state)
            }
            None => {
                format!("{peer} is in {its}, and no active peering in one Region leads there from {own}")
            }
        })
    }

    fn unseen_reference(&self, group: &SecurityGroup, own: &VpcId, peer: &SecurityGroupId) -> Reference {
        let reference = self.inventory.group_references.get(&(group.id.clone(), peer.clone()));
        let foreign = reference.and_then(|reference| reference.owner.as_ref());
        if let Some(owner) = foreign.filter(|owner| group.owner.as_ref() != Some(owner)) {
            let why = format!("{peer} belongs to account {owner}, of which this inventory has nothing");
            return Reference::Unknown(why, Vec::new());
        }
        let mut gaps = self.gaps(&[Call::SecurityGroups, Call::Peerings], &group.account_region);
        gaps.extend(self.inventory.gaps.iter().filter(|gap| gap.groups.contains(peer)).cloned());
        if !gaps.is_empty() {
            return Reference::Unknown(format!("whether {peer} is there could not be seen"), gaps);
        }
        let abroad = self.inventory.peerings.values().find(|peering| {
            let other = peering.other(own).filter(|_| peering.state == "active" && peering.one_region());
            other.is_some_and(|side| !self.inventory.vpcs.contains_key(&side.vpc))
        });
        let shared = self
            .inventory
            .vpcs
            .get(own)
            .is_some_and(|vpc| vpc.owner.is_some() && group.owner.is_some() && vpc.owner != group.owner);
        match abroad {
            Some(peering) => {
                let why =
                    format!("{peer} is not in this inventory; it may be on the other side of {}", peering.id);
                Reference::Unknown(why, Vec::new())
            }
            None if shared => {
                let why =
                    format!("{peer} is not in this inventory; {own} is shared, so it may be its owner's");
                Reference::Unknown(why, Vec::new())
            }
            None => Reference::Stale(format!(
                "{peer} was deleted: nothing in {own} or a peered VPC is called that"
            )),
        }
    }

    /// Whether an active peering within one Region joins two VPCs.
    fn peered(&self, one: &VpcId, other: &VpcId) -> bool {
        self.inventory.peerings.values().any(|peering| {
            peering.state == "active"
                && peering.one_region()
                && peering.other(one).is_some_and(|side| side.vpc == *other)
        })
    }

    /// Whether a transit gateway that carries references joins two VPCs.
    fn joined(&self, one: &VpcId, other: &VpcId) -> bool {
        let carries = |vpc: &VpcId| {
            let attachments = self.inventory.attachments.values();
            let own = attachments.filter(|attachment| {
                attachment.group_references
                    && attachment.state == "available"
                    && attachment.to == AttachmentTarget::Vpc(vpc.clone())
            });
            own.map(|attachment| &attachment.gateway).collect::<BTreeSet<_>>()
        };
        let (ours, theirs) = (carries(one), carries(other));
        ours.intersection(&theirs).any(|gateway| {
            self.inventory.transit_gateways.get(*gateway).is_some_and(|gateway| gateway.group_references)
        })
    }
}

/// What AWS tells of a reference itself; none where that does not decide.
fn told_of(peer: &SecurityGroupId, reference: &GroupReference) -> Option<Reference> {
    let by = reference.peering.as_ref().map_or_else(|| "the peering connection".into(), ToString::to_string);
    match reference.peering_state.as_deref()? {
        "active" => Some(Reference::Holds),
        state => Some(Reference::Stale(format!("{peer} is referenced over {by}, whose state is `{state}`"))),
    }
}

/// The value of the tag `Name`.
pub(super) fn name(tags: &Tags) -> Option<String> {
    tags.get("Name").filter(|name| !name.is_empty()).cloned()
}

/// The first few of some lines, and how many more there are.
pub(super) fn first(lines: Vec<String>, most: usize) -> Vec<String> {
    let more = lines.len().saturating_sub(most);
    let mut lines: Vec<String> = lines.into_iter().take(most).collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// The first few of some names in a sentence, and how many more there are.
pub(super) fn few(names: impl IntoIterator<Item = impl ToString>, most: usize) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    let said = names.iter().take(most).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => said,
        more => format!("{said} and {more} more"),
    }
}

/// Some names in a sentence, of which five are enough to know what is meant.
pub(super) fn some(names: impl IntoIterator<Item = impl ToString>) -> String {
    few(names, 5)
}

/// What a group lets through between those who carry it.
pub(super) fn admits_itself(group: &SecurityGroup) -> Flows {
    let own = group.rules.keys().filter(|rule| {
        rule.direction == Direction::In && matches!(&rule.peer, Peer::Group(peer) if *peer == group.id)
    });
    own.map(|rule| rule.flow).collect()
}

/// A hop in a line.
pub(super) fn hop(hop: &Hop) -> String {
    let name = hop.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let word = hop.resource.kind().word();
    let kind = if word == hop.resource.id() { String::new() } else { format!("{word} ") };
    let because = if hop.because.is_empty() { String::new() } else { format!(": {}", hop.because) };
    format!("{kind}{}{name}{because}", hop.resource)
}

/// Which services are set to use a group, by their own describe calls.
fn users(inventory: &Inventory) -> BTreeMap<&SecurityGroupId, BTreeSet<String>> {
    let mut users: BTreeMap<&SecurityGroupId, BTreeSet<String>> = BTreeMap::new();
    let mut uses = |groups: &BTreeSet<SecurityGroupId>, what: String| {
        for group in groups {
            if let Some((id, _)) = inventory.groups.get_key_value(group) {
                users.entry(id).or_default().insert(what.clone());
            }
        }
    };
    for it in inventory.databases.values() {
        uses(&it.groups, format!("database {}", it.name));
    }
    for it in inventory.database_clusters.values() {
        uses(&it.groups, format!("database cluster {}", it.name));
    }
    for it in inventory.database_proxies.values() {
        uses(&it.groups, format!("database proxy {}", it.name));
    }
    for it in inventory.database_proxy_endpoints.values() {
        uses(&it.groups, format!("database proxy endpoint {}", it.name));
    }
    for it in inventory.serverless_caches.values() {
        uses(&it.groups, format!("serverless cache {}", it.name));
    }
    for it in inventory.caches.values() {
        uses(&it.groups, format!("cache {}", it.name));
    }
    for it in inventory.functions.values() {
        uses(&it.groups, format!("function {}", it.name));
    }
    for it in inventory.container_services.values() {
        uses(&it.groups, format!("container service {}", it.name));
    }
    for it in inventory.load_balancers.values() {
        uses(&it.groups, format!("load balancer {}", it.name));
    }
    for it in inventory.endpoints.values() {
        uses(&it.groups, format!("endpoint {}", it.id));
    }
    users
}
