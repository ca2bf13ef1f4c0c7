//! Compares two inventories: the paths that open and those that close.

pub(crate) mod change;
pub(crate) mod collateral;
pub(crate) mod edits;
mod incremental;
mod rules;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::inventory::{Direction, Inventory, ResourceRef, SecurityGroupId, SubnetId};
use crate::net::Family;
use crate::net::ranges::{self, Ranges};
use crate::reach::Reachability;
use crate::reach::flows::bounds::Bounds;
use crate::reach::flows::intern::{BoundsIx, Interner};
use crate::reach::matrix::Matrix;
use crate::reach::matrix::totals::Totals;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::remotes;
use crate::reach::network::table::{ClassIx, InterfaceIx};
use crate::reach::result::{AllowedPath, Comparison, End, RoleId};
use crate::reach::trace::round_trip;

/// Hosts that are of one class before and of one class afterwards, so that all of them fare alike.
struct Joint {
    classes: [Option<ClassIx>; 2],
    /// Each interface by its index before and afterwards; where it was not, or no longer is, that is none.
    interfaces: Vec<[Option<InterfaceIx>; 2]>,
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

/// What was gathered: what passed before and no longer does, and what passes now and did not before.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    pub(crate) interner: Interner,
    closed: BTreeMap<(End, End), Totals>,
    opened: BTreeMap<(End, End), Totals>,
}

/// Before, or afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

impl Side {
    const BOTH: [Self; 2] = [Self::Before, Self::After];

    fn of<T: Copy>(self, [before, after]: [T; 2]) -> T {
        match self {
            Self::Before => before,
            Self::After => after,
        }
    }
}

impl Sides {
    /// What each side has and the other has not, where there is anything.
    pub(crate) fn lost(&mut self, [before, after]: [BoundsIx; 2]) -> Vec<(Side, BoundsIx)> {
        let closed = self.interner.lost(before, after);
        let opened = self.interner.lost(after, before);
        let lost = [(Side::Before, closed), (Side::After, opened)].into_iter();
        lost.filter(|(_, bounds)| !bounds.is_none()).collect()
    }

    /// Adds what one side has and the other has not, between some pairs.
    pub(crate) fn add(
        &mut self,
        side: Side,
        ends: (End, End),
        bounds: BoundsIx,
        pairs: usize,
    ) -> &mut Totals {
        let gathered = match side {
            Side::Before => &mut self.closed,
            Side::After => &mut self.opened,
        };
        let gathered = gathered.entry(ends).or_default();
        gathered.add(&mut self.interner, bounds, pairs);
        gathered
    }
}

/// Compares both; roles are those of the side that a way is on: of `after` for what opens, of `before` for what closes.
pub(crate) fn between(before: &Reachability, after: &Reachability) -> Comparison {
    let sides = [before, after];
    let affected = Affected::between(&before.inventory, &after.inventory);
    let joints = joints(sides, &affected);
    let mut gathered = Sides::default();
    inside(sides, &joints, &mut gathered);
    for joint in &joints {
        outside(sides, joint, &mut gathered);
    }
    comparison(sides, gathered)
}

/// What was gathered on both sides, as ways.
pub(crate) fn comparison([before, after]: [&Reachability; 2], sides: Sides) -> Comparison {
    let Sides { interner, closed, opened } = sides;
    Comparison { opened: paths(after, opened, &interner), closed: paths(before, closed, &interner) }
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
        let interface = class.and_then(|class| reach.network.classes.at(class).members.first());
        let set =
            interface.map(|interface| reach.network.sets.at(reach.network.interfaces.at(*interface).set));
        set.is_some_and(|set| {
            set.groups.iter().any(|group| groups.contains(&reach.network.groups.at(*group).id))
        })
    }

    /// Whether an appliance carries such a group: it asks who sends, on any way.
    fn appliance(reach: &Reachability, groups: &BTreeSet<SecurityGroupId>) -> bool {
        reach.network.interfaces.rows().any(|interface| {
            !interface.source_dest_check && Self::carries(reach, Some(interface.class), groups)
        })
    }
}

fn joints(sides: [&Reachability; 2], affected: &Affected) -> Vec<Joint> {
    let names = sides.map(|side| {
        let named = side.network.interfaces.enumerate().map(|(index, interface)| {
            ((&interface.resource, &side.network.subnets.at(interface.subnet).id), index)
        });
        named.collect::<BTreeMap<(&ResourceRef, &SubnetId), InterfaceIx>>()
    });
    let [before, after] = &names;
    let all: BTreeSet<&(&ResourceRef, &SubnetId)> = before.keys().chain(after.keys()).collect();
    let mut joints: BTreeMap<[Option<ClassIx>; 2], Vec<[Option<InterfaceIx>; 2]>> = BTreeMap::new();
    for name in all {
        let interfaces = [before.get(name).copied(), after.get(name).copied()];
        let class = |side: usize| {
            let (side, interface) = (sides.get(side)?, interfaces.get(side)?.as_ref()?);
            Some(side.network.interfaces.at(*interface).class)
        };
        joints.entry([class(0), class(1)]).or_default().push(interfaces);
    }
    let appliance = match affected {
        Affected::Everybody => true,
        Affected::Carriers { receive, send } => {
            [receive, send].into_iter().any(|groups| Affected::appliance(sides[0], groups))
        }
    };
    let joined = joints.into_iter().map(|(classes, interfaces)| {
        let (receives, sends) = match affected {
            Affected::Everybody => (true, true),
            Affected::Carriers { receive, send } => {
                let carries = |groups| appliance || Affected::carries(sides[0], classes[0], groups);
                (carries(receive), carries(send))
            }
        };
        Joint { classes, interfaces, receives, sends }
    });
    joined.collect()
}

fn inside(sides: [&Reachability; 2], joints: &[Joint], gathered: &mut Sides) {
    let mut matrices = sides.map(|side| Matrix::new(side.context()));
    let anybody_sends = joints.iter().any(|joint| joint.sends);
    for sink in joints {
        if !sink.receives && !anybody_sends {
            continue;
        }
        let rows = [0, 1].map(|side: usize| {
            let (Some(matrix), Some(Some(class))) = (matrices.get_mut(side), sink.classes.get(side).copied())
            else {
                return HashMap::new();
            };
            let row = matrix.row(class).into_iter();
            row.map(|(class, bounds)| (class, gathered.interner.taken(bounds, &matrix.interner)))
                .collect::<HashMap<ClassIx, BoundsIx>>()
        });
        for source in joints {
            if !sink.receives && !source.sends {
                continue;
            }
            let bounds_of = Side::BOTH.map(|side| {
                let class = side.of(source.classes);
                let [before, after] = &rows;
                let row = side.of([before, after]);
                class.and_then(|class| row.get(&class).copied()).unwrap_or(BoundsIx::NONE)
            });
            for (side, bounds) in gathered.lost(bounds_of) {
                pairs(side, sides, source, sink, bounds, gathered);
            }
        }
    }
}

fn roles(side: Side, sides: [&Reachability; 2], joint: &Joint) -> BTreeMap<RoleId, BTreeSet<InterfaceIx>> {
    let mut roles: BTreeMap<RoleId, BTreeSet<InterfaceIx>> = BTreeMap::new();
    for interface in joint.interfaces.iter().filter_map(|interfaces| side.of(*interfaces)) {
        roles.entry(side.of(sides).role(interface)).or_default().insert(interface);
    }
    roles
}

fn pairs(
    side: Side,
    sides: [&Reachability; 2],
    source: &Joint,
    sink: &Joint,
    bounds: BoundsIx,
    gathered: &mut Sides,
) {
    let (from, to) = (roles(side, sides, source), roles(side, sides, sink));
    for (sender, sources) in &from {
        for (receiver, sinks) in &to {
            let pairs = sources.len() * sinks.len() - sources.intersection(sinks).count();
            if pairs > 0 {
                gathered.add(side, (End::Role(*sender), End::Role(*receiver)), bounds, pairs);
            }
        }
    }
}

/// What differs between the interfaces of a joint class and what is outside.
fn outside(sides: [&Reachability; 2], joint: &Joint, gathered: &mut Sides) {
    if !joint.receives && !joint.sends {
        return;
    }
    let first = joint.interfaces.first().copied().unwrap_or([None, None]);
    let kinds: BTreeSet<&Outside> = sides
        .iter()
        .flat_map(|side| std::iter::once(&Outside::Internet).chain(remotes::remotes(side.context())))
        .collect();
    for kind in kinds {
        for family in [Family::V4, Family::V6] {
            for (direction, wanted) in [(Direction::In, joint.receives), (Direction::Out, joint.sends)] {
                if wanted {
                    one_way(sides, joint, first, kind, family, direction, gathered);
                }
            }
        }
    }
}

fn one_way(
    sides: [&Reachability; 2],
    joint: &Joint,
    interfaces: [Option<InterfaceIx>; 2],
    kind: &Outside,
    family: Family,
    direction: Direction,
    gathered: &mut Sides,
) {
    // Both are cut at the prefixes of either, so that pieces can be compared.
    let mut cuts = Vec::new();
    let mut ranges = Vec::new();
    let behind = sides.map(|side| remotes::behind(side.context(), kind, family));
    for ((side, behind), interface) in sides.iter().zip(&behind).zip(interfaces) {
        ranges.extend(behind.iter());
        cuts.extend(
            interface.map(|interface| address_space::cuts(side.context(), interface)).into_iter().flatten(),
        );
    }
    for (first, last) in Ranges::join(family, ranges).cut(cuts) {
        let address = ranges::address(family, first);
        let bounds_of = [0, 1].map(|number: usize| {
            let (Some(side), Some(Some(interface))) = (sides.get(number), interfaces.get(number)) else {
                return Bounds::none();
            };
            let cx = side.context();
            if !behind.get(number).is_some_and(|behind| behind.contains(address)) {
                return Bounds::none();
            }
            round_trip::across(cx, kind, address, *interface, direction)
        });
        let bounds_of = bounds_of.map(|bounds| gathered.interner.bounds(&bounds));
        for (side, bounds) in gathered.lost(bounds_of) {
            let end = kind.end();
            for (role, interfaces) in roles(side, sides, joint) {
                let ends = match direction {
                    Direction::In => (end.clone(), End::Role(role)),
                    Direction::Out => (End::Role(role), end.clone()),
                };
                gathered.add(side, ends, bounds, interfaces.len()).reach(family, first, last);
            }
        }
    }
}

fn paths(side: &Reachability, all: BTreeMap<(End, End), Totals>, interner: &Interner) -> Vec<AllowedPath> {
    let size = |end: &End| match end {
        End::Role(id) => side.roles.get(id.0 as usize).map_or(0, |role| role.members.len()),
        End::Internet | End::Remote(_) => 1,
    };
    let paths = all.into_iter().map(|((from, to), gathered)| {
        let own = if from == to { size(&from) } else { 0 };
        let ranges = gathered.ranges();
        let everywhere = ranges.iter().all(|range| *range == side.network.internet(range.family));
        let inside = ranges.is_empty();
        AllowedPath {
            whole: gathered.is_alike()
                && if inside { gathered.pairs == size(&from) * size(&to) - own } else { everywhere },
            from,
            to,
            flows: interner.flows(gathered.bounds.must).clone(),
            at_most: interner.flows(gathered.bounds.may).clone(),
            addresses: if everywhere {
                Vec::new()
            } else {
                ranges.iter().flat_map(Ranges::prefixes).collect()
            },
        }
    });
    paths.collect()
}
