//! Security groups and their rules.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::firewall::Mark;
use doorward_core::inventory::{
    AccountRegion, AnsweredId, Call, Direction, ExistingRule, Gap, GroupReference, Inventory, Peer,
    PrefixListId, RuleIdentity, SecurityGroup, SecurityGroupId, SecurityGroupRuleId,
};

use super::{Member, Reader, Unreadable, cidr, id, line, tags, text};
use crate::operation::{GroupShape, PeerShape, PermissionShape, RuleShape};
use crate::wire::Protocol;

/// The rules of groups, told in two ways.
#[derive(Debug, Default)]
pub(super) struct RuleSources {
    /// By the groups: without ids and tags.
    permissions: BTreeMap<SecurityGroupId, Rules>,
    /// By themselves, with the owner of the group.
    rules: BTreeMap<SecurityGroupId, (Rules, Option<String>)>,
    /// What is told of references to groups, by who has the rule and whom it references.
    references: BTreeMap<(SecurityGroupId, SecurityGroupId), GroupReference>,
}

/// Rules, and whether there are some that cannot be read.
#[derive(Debug, Default)]
struct Rules {
    readable: BTreeMap<RuleIdentity, ExistingRule>,
    incomplete: bool,
}

impl Rules {
    /// Takes out the rules that stand there twice by one id, as two answers say that contradict each other.
    fn take_contradicted(&mut self) -> BTreeSet<SecurityGroupRuleId> {
        let (mut once, mut twice) = (BTreeSet::new(), BTreeSet::new());
        for id in self.readable.values().filter_map(|rule| rule.id.as_ref()) {
            if !once.insert(id) {
                twice.insert(id.clone());
            }
        }
        if !twice.is_empty() {
            self.readable.retain(|_, rule| rule.id.as_ref().is_none_or(|id| !twice.contains(id)));
            self.incomplete = true;
        }
        twice
    }
}

impl Member for GroupShape {
    const CALL: Call = Call::SecurityGroups;

    fn named(&self) -> Option<&str> {
        Some(&self.id)
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let group = group(self, &reader.account_region)?;
        let mut rules = Rules::default();
        let inward = permissions(&self.ingress.0, Direction::In);
        for rule in inward.chain(permissions(&self.egress.0, Direction::Out)) {
            match rule {
                Ok((identity, rule)) => {
                    rules.readable.insert(identity, rule);
                }
                Err(why) => {
                    rules.incomplete = true;
                    reader.unreadable(Self::CALL, Some(&format!("a rule of {}", group.id)), &why);
                }
            }
        }
        let id = group.id.clone();
        for peer in self.ingress.0.iter().chain(&self.egress.0).flat_map(|shape| &shape.groups.0) {
            reader.groups.reference(&id, peer);
        }
        if reader.contradicts
            && let Some(known) = reader.inventory.groups.get(&id)
            && let Some(before) = reader.groups.permissions.get_mut(&id)
            && (*known != group || before.readable != rules.readable)
        {
            // What both say is surely so; of the rest nothing is known.
            before.readable.retain(|identity, rule| rules.readable.get(identity) == Some(rule));
            before.incomplete = true;
            return Err(Unreadable::Contradicted);
        }
        reader.groups.permissions.insert(id.clone(), rules);
        reader.inventory.groups.insert(id, group);
        Ok(())
    }
}

impl Member for RuleShape {
    const CALL: Call = Call::SecurityGroupRules;

    fn named(&self) -> Option<&str> {
        self.id.as_deref().or(Some(&self.group))
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let group = SecurityGroupId::answered(&self.group)?;
        if let Some(peer) = &self.referenced {
            reader.groups.reference(&group, peer);
        }
        let (rules, owner) = reader.groups.rules.entry(group).or_default();
        *owner = owner.take().or_else(|| self.owner.clone());
        let read = rule(self);
        rules.incomplete |= read.is_err();
        let (identity, existing) = read?;
        match rules.readable.get(&identity) {
            Some(known) if *known != existing && reader.contradicts => {
                rules.readable.remove(&identity);
                rules.incomplete = true;
                Err(Unreadable::Contradicted)
            }
            _ => {
                rules.readable.insert(identity, existing);
                Ok(())
            }
        }
    }
}

impl RuleSources {
    fn reference(&mut self, group: &SecurityGroupId, shape: &PeerShape) {
        // A reference to what cannot be read is told of as a rule.
        let peer = shape.peer.as_deref().and_then(|peer| SecurityGroupId::answered(peer).ok());
        let Some(peer) = peer else { return };
        let known = self.references.entry((group.clone(), peer)).or_default();
        known.owner = text(shape.owner.as_ref()).or(known.owner.take());
        known.vpc = id(shape.vpc.as_deref()).ok().flatten().or(known.vpc.take());
        known.peering = id(shape.peering.as_deref()).ok().flatten().or(known.peering.take());
        known.peering_state = text(shape.state.as_ref()).or(known.peering_state.take());
    }

    /// Gives the groups their rules: those with ids where they were told.
    pub(super) fn finish(self, inventory: &mut Inventory, account_region: &AccountRegion) {
        let Self { mut permissions, rules, references } = self;
        for (id, (mut rules, owner)) in rules {
            for rule in rules.take_contradicted() {
                let why = format!("`{rule}` cannot be read: {}", Unreadable::Contradicted);
                inventory.gaps.push(Gap::of(Call::SecurityGroupRules, account_region, why));
            }
            // One answer may lack a description that the other one has, as moto's do of references to groups.
            let told = permissions.get(&id).map(|told| &told.readable);
            for (identity, rule) in rules.readable.iter_mut().filter(|(_, rule)| rule.description.is_empty())
            {
                let same = told.and_then(|told| told.get(identity));
                rule.description = same.map(|same| same.description.clone()).unwrap_or_default();
            }
            permissions.insert(id.clone(), rules);
            // A group that was not described is there all the same when it has rules.
            let group = inventory.groups.entry(id.clone());
            group.or_insert_with(|| SecurityGroup { owner, ..unnamed(id, account_region) });
        }
        let mut incomplete = BTreeSet::new();
        for (id, rules) in permissions {
            incomplete.extend(rules.incomplete.then(|| id.clone()));
            if let Some(group) = inventory.groups.get_mut(&id) {
                group.rules = rules.readable;
            }
        }
        inventory.incomplete_groups.extend(incomplete);
        // Within an account and VPC there is nothing to tell.
        let abroad = references.into_iter().filter(|((group, _), reference)| {
            let owner = inventory.groups.get(group).and_then(|group| group.owner.as_ref());
            let other = reference.owner.as_ref().is_some_and(|other| owner != Some(other));
            other || reference.peering.is_some() || reference.peering_state.is_some()
        });
        let abroad: Vec<_> = abroad.collect();
        inventory.group_references.extend(abroad);
    }
}

/// A group, still without its rules.
pub(crate) fn group(shape: &GroupShape, account_region: &AccountRegion) -> Result<SecurityGroup, Unreadable> {
    Ok(SecurityGroup {
        vpc: id(shape.vpc.as_deref())?,
        name: line(shape.name.as_ref()),
        about: line(shape.about.as_ref()),
        owner: shape.owner.clone(),
        tags: tags(&shape.tags),
        ..unnamed(SecurityGroupId::answered(&shape.id)?, account_region)
    })
}

/// A group of which nothing but its id is known.
pub(crate) fn unnamed(id: SecurityGroupId, account_region: &AccountRegion) -> SecurityGroup {
    SecurityGroup {
        id,
        account_region: account_region.clone(),
        owner: None,
        vpc: None,
        name: String::new(),
        about: String::new(),
        tags: Default::default(),
        rules: Default::default(),
    }
}

/// A rule as `DescribeSecurityGroupRules` tells it.
pub(crate) fn rule(shape: &RuleShape) -> Result<(RuleIdentity, ExistingRule), Unreadable> {
    let referenced = shape.referenced.as_ref().and_then(|referenced| referenced.peer.as_deref());
    let peer = match (shape.v4.as_deref().or(shape.v6.as_deref()), referenced, shape.prefix_list.as_deref()) {
        (Some(prefix), ..) => Peer::Cidr(cidr(prefix)?),
        (None, Some(group), _) => Peer::Group(SecurityGroupId::answered(group)?),
        (None, None, Some(list)) => Peer::PrefixList(PrefixListId::answered(list)?),
        (None, None, None) => return Err(Unreadable::NoPeer),
    };
    let protocol = Protocol { name: &shape.protocol, from: shape.from, to: shape.to };
    let direction = if shape.egress { Direction::Out } else { Direction::In };
    let tag = shape.tags.0.iter().find(|tag| tag.key == Mark::TAG);
    let existing = ExistingRule {
        id: id(shape.id.as_deref())?,
        description: shape.description.clone().unwrap_or_default(),
        tag: tag.map(|tag| tag.value.clone().unwrap_or_default()),
    };
    Ok((RuleIdentity { direction, flow: protocol.flow()?, peer }, existing))
}

/// The rules that `DescribeSecurityGroups` tells of: without ids and tags, so nobody's to touch.
fn permissions(
    shapes: &[PermissionShape],
    direction: Direction,
) -> impl Iterator<Item = Result<(RuleIdentity, ExistingRule), Unreadable>> + '_ {
    shapes.iter().flat_map(move |shape| {
        let cidrs = shape.v4.0.iter().chain(&shape.v6.0);
        let cidrs = cidrs.map(|range| (range, range.read(|peer| Ok(Peer::Cidr(cidr(peer)?)))));
        let groups = shape.groups.0.iter();
        let groups =
            groups.map(|range| (range, range.read(|peer| Ok(Peer::Group(SecurityGroupId::answered(peer)?)))));
        let lists = shape.prefix_lists.0.iter();
        let lists = lists
            .map(|range| (range, range.read(|peer| Ok(Peer::PrefixList(PrefixListId::answered(peer)?)))));
        cidrs.chain(groups).chain(lists).map(move |(range, peer)| {
            let protocol = Protocol { name: &shape.protocol, from: shape.from, to: shape.to };
            let identity = RuleIdentity { direction, flow: protocol.flow()?, peer: peer? };
            let description = range.description.clone().unwrap_or_default();
            Ok((identity, ExistingRule { id: None, description, tag: None }))
        })
    })
}

impl PeerShape {
    /// The other side; a group of EC2-Classic has a name and no id.
    fn read(&self, peer: impl FnOnce(&str) -> Result<Peer, Unreadable>) -> Result<Peer, Unreadable> {
        self.peer.as_deref().ok_or(Unreadable::NoPeer).and_then(peer)
    }
}
