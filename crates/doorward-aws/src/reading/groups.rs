//! Security groups and their rules.

use doorward_core::firewall::Mark;
use doorward_core::inventory::{
    Direction, Peer, Place, RuleIdentity, SecurityGroup, SecurityGroupId, StandingRule,
};

use super::{Unreadable, cidr, id};
use crate::operation::{GroupShape, PermissionShape, RuleShape};
use crate::wire::Protocol;

/// A group, still without its rules.
pub(crate) fn group(shape: &GroupShape, place: &Place) -> Result<SecurityGroup, Unreadable> {
    Ok(SecurityGroup {
        vpc: id(shape.vpc.as_deref())?,
        name: shape.name.clone().unwrap_or_default(),
        about: shape.about.clone().unwrap_or_default(),
        owner: shape.owner.clone(),
        ..unnamed(shape.id.parse()?, place)
    })
}

/// A group of which nothing but its id is known.
pub(crate) fn unnamed(id: SecurityGroupId, place: &Place) -> SecurityGroup {
    SecurityGroup {
        id,
        place: place.clone(),
        owner: None,
        vpc: None,
        name: String::new(),
        about: String::new(),
        rules: Default::default(),
    }
}

/// A rule as `DescribeSecurityGroupRules` tells it.
pub(crate) fn rule(shape: &RuleShape) -> Result<(RuleIdentity, StandingRule), Unreadable> {
    let referenced = shape.referenced.as_ref().and_then(|referenced| referenced.group.as_deref());
    let peer = match (shape.v4.as_deref().or(shape.v6.as_deref()), referenced, shape.prefix_list.as_deref()) {
        (Some(prefix), ..) => Peer::Cidr(cidr(prefix)?),
        (None, Some(group), _) => Peer::Group(group.parse()?),
        (None, None, Some(list)) => Peer::PrefixList(list.parse()?),
        (None, None, None) => return Err(Unreadable::NoPeer),
    };
    let protocol = Protocol { name: &shape.protocol, from: shape.from, to: shape.to };
    let direction = if shape.egress { Direction::Out } else { Direction::In };
    let tag = shape.tags.0.iter().find(|tag| tag.key == Mark::TAG);
    let standing = StandingRule {
        id: id(shape.id.as_deref())?,
        description: shape.description.clone().unwrap_or_default(),
        tag: tag.map(|tag| tag.value.clone().unwrap_or_default()),
    };
    Ok((RuleIdentity { direction, flow: protocol.flow()?, peer }, standing))
}

/// The rules that `DescribeSecurityGroups` tells of: without ids and tags, so nobody's to touch.
pub(crate) fn permissions(
    shapes: &[PermissionShape],
    direction: Direction,
) -> impl Iterator<Item = Result<(RuleIdentity, StandingRule), Unreadable>> + '_ {
    shapes.iter().flat_map(move |shape| {
        let cidrs = shape.v4.0.iter().chain(&shape.v6.0);
        let cidrs = cidrs.map(|range| (range, cidr(&range.peer).map(Peer::Cidr)));
        let groups = shape.groups.0.iter();
        let groups =
            groups.map(|range| (range, range.peer.parse().map(Peer::Group).map_err(Unreadable::from)));
        let lists = shape.prefix_lists.0.iter();
        let lists =
            lists.map(|range| (range, range.peer.parse().map(Peer::PrefixList).map_err(Unreadable::from)));
        cidrs.chain(groups).chain(lists).map(move |(range, peer)| {
            let protocol = Protocol { name: &shape.protocol, from: shape.from, to: shape.to };
            let identity = RuleIdentity { direction, flow: protocol.flow()?, peer: peer? };
            let description = range.description.clone().unwrap_or_default();
            Ok((identity, StandingRule { id: None, description, tag: None }))
        })
    })
}
