//! What differs between two inventories: who gets through afterwards and did not, and the other way round.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::answer::{Difference, End, RoleId, Way};
use super::matrix::Matrix;
use super::passage::Outside;
use super::span::Span;
use super::table::{ClassIx, HostIx, Index as _};
use super::{Flows, Reachability};
use crate::inventory::{Direction, Inventory, SecurityGroupId};
use crate::net::Family;
use crate::net::ranges::{self, Ranges};

/// Hosts that are of one class before and of one class afterwards, so that all of them fare alike.
struct Joint {
    classes: [Option<ClassIx>; 2],
    /// Each host by its index before and afterwards; where it was not, or no longer is, that is none.
    hosts: Vec<[Option<HostIx>; 2]>,
    /// Whether they can fare otherwise, as receivers and as senders.
    receives: bool,
    sends: bool,
}

/// Who can fare otherwise at all.
enum Affected {
    Everybody,
    /// Receivers and senders whose groups' rules changed.
    Carriers {
        receive: BTreeSet<SecurityGroupId>,
        send: BTreeSet<SecurityGroupId>,
    },
}

/// What was gathered between two ends, on one side.
#[derive(Default)]
pub(super) struct Gathered {
    flows: Flows,
    at_most: Flows,
    first: Option<Flows>,
    differ: bool,
    pairs: usize,
    addresses: BTreeMap<Family, Vec<(u128, u128)>>,
}

impl Gathered {
    pub(super) fn add(&mut self, span: &Span, pairs: usize) {
        self.flows = self.flows.union(&span.sure);
        self.at_most = self.at_most.union(&span.maybe);
        self.differ |= self.first.get_or_insert_with(|| span.sure.clone()) != &span.sure;
        self.pairs += pairs;
    }

    /// Notes addresses outside.
    pub(super) fn reach(&mut self, family: Family, first: u128, last: u128) {
        self.addresses.entry(family).or_default().push((first, last));
    }
}

pub(super) type Sides = [BTreeMap<(End, End), Gathered>; 2];

/// Compares both; roles are those of the side that a way is on: of `after` for what opens, of `before` for what closes.
pub(super) fn between(before: &Reachability, after: &Reachability) -> Difference {
    let sides = [before, after];
    let affected = Affected::between(&before.inventory, &after.inventory);
    let joints = joints(sides, &affected);
    let mut gathered: Sides = Sides::default();
    inside(sides, &joints, &mut gathered);
    for joint in &joints {
        outside(sides, joint, &mut gathered);
    }
    self::gathered(sides, gathered)
}

/// What was gathered on both sides, as ways.
pub(super) fn gathered([before, after]: [&Reachability; 2], [closed, opened]: Sides) -> Difference {
    Difference { opened: ways(after, opened), closed: ways(before, closed) }
}

impl Affected {
    fn between(before: &Inventory, after: &Inventory) -> Self {
        if !before.differs_only_in_rules(after) {
            return Self::Everybody;
        }
        let (mut receive, mut send) = (BTreeSet::new(), BTreeSet::new());
        for (id, group) in &before.groups {
            let Some(other) = after.groups.get(id) else { return Self::Everybody };
            if group.rules == other.rules {
                continue;
            }
            let changed = |direction: Direction| {
                let rules = |group: &'_ crate::inventory::SecurityGroup| -> BTreeSet<_> {
                    group.rules.keys().filter(|rule| rule.direction == direction).cloned().collect()
                };
                rules(group) != rules(other)
            };
            if changed(Direction::In) {
                receive.insert(id.clone());
            }
            if changed(Direction::Out) {
                send.insert(id.clone());
            }
        }
        Self::Carriers { receive, send }
    }

    fn carries(reach: &Reachability, class: Option<ClassIx>, groups: &BTreeSet<SecurityGroupId>) -> bool {
        let host = class.and_then(|class| reach.network.classes.at(class).members.first());
        let set = host.map(|host| reach.network.sets.at(reach.network.hosts.at(*host).set));
        set.is_some_and(|set| {
            set.groups.iter().any(|group| groups.contains(&reach.network.groups.at(*group).id))
        })
    }

    /// Whether an appliance carries such a group: it asks who sends, on any way.
    fn appliance(reach: &Reachability, groups: &BTreeSet<SecurityGroupId>) -> bool {
        reach
            .network
            .hosts
            .rows()
            .any(|host| !host.source_dest_check && Self::carries(reach, Some(host.class), groups))
    }
}

fn joints(sides: [&Reachability; 2], affected: &Affected) -> Vec<Joint> {
    let names = sides.map(|side| {
        let named = side.network.hosts.enumerate().map(|(index, host)| {
            ((host.label.as_str(), side.network.subnets.at(host.subnet).id.as_str()), index)
        });
        named.collect::<BTreeMap<(&str, &str), HostIx>>()
    });
    let [before, after] = &names;
    let all: BTreeSet<&(&str, &str)> = before.keys().chain(after.keys()).collect();
    let mut joints: BTreeMap<[Option<ClassIx>; 2], Vec<[Option<HostIx>; 2]>> = BTreeMap::new();
    for name in all {
        let hosts = [before.get(name).copied(), after.get(name).copied()];
        let class = |side: usize| {
            let (side, host) = (sides.get(side)?, hosts.get(side)?.as_ref()?);
            Some(side.network.hosts.at(*host).class)
        };
        joints.entry([class(0), class(1)]).or_default().push(hosts);
    }
    let appliance = match affected {
        Affected::Everybody => true,
        Affected::Carriers { receive, send } => {
            [receive, send].into_iter().any(|groups| Affected::appliance(sides[0], groups))
        }
    };
    let joined = joints.into_iter().map(|(classes, hosts)| {
        let (receives, sends) = match affected {
            Affected::Everybody => (true, true),
            Affected::Carriers { receive, send } => {
                let carries = |groups| appliance || Affected::carries(sides[0], classes[0], groups);
                (carries(receive), carries(send))
            }
        };
        Joint { classes, hosts, receives, sends }
    });
    joined.collect()
}

fn inside(sides: [&Reachability; 2], joints: &[Joint], gathered: &mut Sides) {
    let mut matrices = sides.map(|side| Matrix::new(side.walk()));
    let anybody_sends = joints.iter().any(|joint| joint.sends);
    for sink in joints {
        if !sink.receives && !anybody_sends {
            continue;
        }
        let mut rows = [0, 1].map(|side: usize| {
            let (Some(matrix), Some(Some(class))) = (matrices.get_mut(side), sink.classes.get(side).copied())
            else {
                return HashMap::new();
            };
            let row = matrix.row(class);
            row.into_iter()
                .map(|(class, span)| {
                    let flows = |number| matrix.interner.flows(number).clone();
                    (class, Span { sure: flows(span.sure), maybe: flows(span.maybe) })
                })
                .collect::<HashMap<ClassIx, Span>>()
        });
        for source in joints {
            if !sink.receives && !source.sends {
                continue;
            }
            let spans = [0, 1].map(|side: usize| {
                let class = source.classes.get(side).copied().flatten();
                let row = rows.get_mut(side);
                class.and_then(|class| row?.get(&class).cloned()).unwrap_or_else(Span::none)
            });
            let [before, after] = &spans;
            if before == after {
                continue;
            }
            for (side, span) in [(0, lost(before, after)), (1, lost(after, before))] {
                if !span.maybe.is_empty() {
                    pairs(sides, side, source, sink, &span, gathered);
                }
            }
        }
    }
}

/// What the one has and the other has not.
pub(super) fn lost(one: &Span, other: &Span) -> Span {
    Span { sure: one.sure.minus(&other.sure), maybe: one.maybe.minus(&other.maybe) }
}

fn roles(sides: [&Reachability; 2], side: usize, joint: &Joint) -> BTreeMap<RoleId, BTreeSet<HostIx>> {
    let mut roles: BTreeMap<RoleId, BTreeSet<HostIx>> = BTreeMap::new();
    for host in joint.hosts.iter().filter_map(|hosts| hosts.get(side).copied().flatten()) {
        let role = sides.get(side).and_then(|side| side.role_of.get(host.number()));
        roles.entry(role.copied().unwrap_or(RoleId(u32::MAX))).or_default().insert(host);
    }
    roles
}

fn pairs(
    sides: [&Reachability; 2],
    side: usize,
    source: &Joint,
    sink: &Joint,
    span: &Span,
    gathered: &mut Sides,
) {
    let (from, to) = (roles(sides, side, source), roles(sides, side, sink));
    for (sender, sources) in &from {
        for (receiver, sinks) in &to {
            let pairs = sources.len() * sinks.len() - sources.intersection(sinks).count();
            if pairs > 0
                && let Some(gathered) = gathered.get_mut(side)
            {
                gathered.entry((End::Role(*sender), End::Role(*receiver))).or_default().add(span, pairs);
            }
        }
    }
}

/// What differs between the hosts of a joint class and what is outside.
fn outside(sides: [&Reachability; 2], joint: &Joint, gathered: &mut Sides) {
    if !joint.receives && !joint.sends {
        return;
    }
    let first = joint.hosts.first().copied().unwrap_or([None, None]);
    let kinds: BTreeSet<Outside> = sides
        .iter()
        .flat_map(|side| std::iter::once(Outside::Internet).chain(side.walk().remotes()))
        .collect();
    for kind in kinds {
        for family in [Family::V4, Family::V6] {
            for (direction, wanted) in [(Direction::In, joint.receives), (Direction::Out, joint.sends)] {
                if wanted {
                    one_way(sides, joint, first, &kind, family, direction, gathered);
                }
            }
        }
    }
}

fn one_way(
    sides: [&Reachability; 2],
    joint: &Joint,
    hosts: [Option<HostIx>; 2],
    kind: &Outside,
    family: Family,
    direction: Direction,
    gathered: &mut Sides,
) {
    // Both are cut at the prefixes of either, so that pieces can be compared.
    let mut cuts = Vec::new();
    let mut ranges = Vec::new();
    let behind = sides.map(|side| side.walk().behind(kind, family));
    for ((side, behind), host) in sides.iter().zip(&behind).zip(hosts) {
        ranges.extend(behind.iter());
        cuts.extend(host.map(|host| side.walk().cuts(host)).into_iter().flatten());
    }
    for (first, last) in Ranges::join(family, ranges).cut(cuts) {
        let address = ranges::address(family, first);
        let spans = [0, 1].map(|number: usize| {
            let (Some(side), Some(Some(host))) = (sides.get(number), hosts.get(number)) else {
                return Span::none();
            };
            let walk = side.walk();
            if !behind.get(number).is_some_and(|behind| behind.contains(address)) {
                return Span::none();
            }
            walk.across(kind, address, *host, direction)
        });
        let [before, after] = &spans;
        for (side, span) in [(0, lost(before, after)), (1, lost(after, before))] {
            if span.maybe.is_empty() {
                continue;
            }
            let end = kind.end();
            for (role, hosts) in roles(sides, side, joint) {
                let key = match direction {
                    Direction::In => (end.clone(), End::Role(role)),
                    Direction::Out => (End::Role(role), end.clone()),
                };
                if let Some(gathered) = gathered.get_mut(side) {
                    let entry = gathered.entry(key).or_default();
                    entry.add(&span, hosts.len());
                    entry.reach(family, first, last);
                }
            }
        }
    }
}

fn ways(side: &Reachability, gathered: BTreeMap<(End, End), Gathered>) -> Vec<Way> {
    let size = |end: &End| match end {
        End::Role(id) => side.roles.get(id.0 as usize).map_or(0, |role| role.members.len()),
        End::Internet | End::Remote(_) => 1,
    };
    gathered
        .into_iter()
        .map(|((from, to), gathered)| {
            let own = if from == to { size(&from) } else { 0 };
            let ranges = gathered.addresses.into_iter().map(|(family, ranges)| Ranges::join(family, ranges));
            let ranges: Vec<Ranges> = ranges.collect();
            let everywhere = ranges.iter().all(|range| *range == side.network.internet(range.family));
            let inside = ranges.is_empty();
            let whole = !gathered.differ
                && if inside { gathered.pairs == size(&from) * size(&to) - own } else { everywhere };
            Way {
                whole,
                from,
                to,
                flows: gathered.flows,
                at_most: gathered.at_most,
                addresses: if everywhere {
                    Vec::new()
                } else {
                    ranges.iter().flat_map(Ranges::prefixes).collect()
                },
            }
        })
        .collect()
}
