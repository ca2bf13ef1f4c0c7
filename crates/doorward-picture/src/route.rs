//! Routing: every line runs through the space between boxes, and lines with a common end and kind share a trunk.

use std::collections::{BTreeMap, BTreeSet};

use crate::grouping::{Line, Node, Scene};
use crate::ordering::{BOX, Frame, Plan};

/// So many lines can each say what passes; among more, a colour does.
pub const FEW: usize = 60;

/// Space that lines run through, beside and between boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Corridor {
    /// From side to side, above a row of VPCs; the last is below all of them.
    RowGap(usize),
    /// From side to side in a band, above a row of boxes; the last is below all of them.
    Channel(usize, usize),
    /// From top to bottom in a VPC, left of a column; the last is right of all of them.
    ColumnGap(usize, usize),
    /// From top to bottom beside the bands of a VPC; `true` is on their right.
    Side(usize, bool),
    /// From top to bottom left of a VPC of a row of them; the last is right of all of them.
    AreaGap(usize, usize),
}

impl Corridor {
    /// Whether it leads from side to side.
    pub fn is_level(self) -> bool {
        matches!(self, Self::RowGap(_) | Self::Channel(..))
    }
}

/// A side of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Above.
    Top,
    /// Below.
    Bottom,
    /// To the left.
    Left,
    /// To the right.
    Right,
}

/// How a line leads from one end to the other.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its number in [`Scene::lines`].
    pub line: usize,
    /// Lines of one trunk run in one lane.
    pub trunk: usize,
    /// The side that it leaves by.
    pub leaves: (Node, Side),
    /// The side that it arrives at.
    pub arrives: (Node, Side),
    /// What it runs through, level and upright in turns.
    pub via: Vec<Corridor>,
}

/// A route for every line.
pub fn routes(scene: &Scene<'_>, plan: &Plan) -> Vec<Route> {
    let trunks = trunks(&scene.lines);
    let mut map = Map::of(scene, plan);
    let mut order: Vec<(usize, usize)> =
        trunks.into_iter().enumerate().map(|(line, trunk)| (trunk, line)).collect();
    order.sort_unstable();
    let mut routes = Vec::new();
    for (trunk, number) in order {
        let Some(line) = scene.lines.get(number) else { continue };
        let Some(route) = map.best(line.from, line.to, trunk) else { continue };
        for corridor in &route.via {
            map.used.entry(*corridor).or_default().insert(trunk);
        }
        routes.push(Route {
            line: number,
            trunk,
            leaves: (line.from, route.leaves),
            arrives: (line.to, route.arrives),
            via: route.via,
        });
    }
    routes
}

/// The trunk of each line: that of whichever end has more of its sort.
fn trunks(lines: &[Line<'_>]) -> Vec<usize> {
    let few = lines.len() <= FEW;
    let sort = |line: &Line<'_>| {
        let flows = if few && !line.is_bundle() { line.flows() } else { String::new() };
        (line.kind, line.dashed, line.is_bundle(), flows)
    };
    let mut count: BTreeMap<(bool, Node, _), usize> = BTreeMap::new();
    for line in lines {
        *count.entry((true, line.to, sort(line))).or_default() += 1;
        *count.entry((false, line.from, sort(line))).or_default() += 1;
    }
    let mut numbers: BTreeMap<_, usize> = BTreeMap::new();
    lines
        .iter()
        .map(|line| {
            let into = (true, line.to, sort(line));
            let out_of = (false, line.from, sort(line));
            let hub = if count.get(&into) >= count.get(&out_of) { into } else { out_of };
            let next = numbers.len();
            *numbers.entry(hub).or_insert(next)
        })
        .collect()
}

/// A way that could be taken.
struct Taken {
    leaves: Side,
    arrives: Side,
    via: Vec<Corridor>,
    cost: i64,
}

/// Where a box stands.
#[derive(Clone, Copy)]
struct Stand {
    cell: usize,
    area: usize,
    shelf: usize,
    place: usize,
    /// The level above it, from the top of its VPC.
    above: usize,
    x: i64,
}

/// What a level of a VPC costs to pass, and what a bend does.
const LEVEL: i64 = 84;
const BEND: i64 = 50;
/// What it costs to go where others go, and what it spares to go where others of the trunk do.
const CROWD: i64 = 3;
const TOGETHER: i64 = 30;

struct Map<'a> {
    scene: &'a Scene<'a>,
    plan: &'a Plan,
    frame: Frame,
    /// The levels of each VPC from the top: bands, and which channel of them.
    levels: Vec<Vec<(usize, usize)>>,
    /// The row of VPCs that each is in, and where in it.
    places: BTreeMap<usize, (usize, usize)>,
    used: BTreeMap<Corridor, BTreeSet<usize>>,
}

impl<'a> Map<'a> {
    fn of(scene: &'a Scene<'a>, plan: &'a Plan) -> Self {
        let levels = plan
            .bands
            .iter()
            .map(|bands| {
                let rows = |band: &usize| plan.rows.get(*band).copied().unwrap_or(1);
                bands.iter().flat_map(|band| (0..=rows(band)).map(|level| (*band, level))).collect()
            })
            .collect();
        let places = plan
            .shelves
            .iter()
            .enumerate()
            .flat_map(|(shelf, areas)| {
                areas.iter().enumerate().map(move |(place, area)| (*area, (shelf, place)))
            })
            .collect();
        Self { scene, plan, frame: Frame::of(scene, plan), levels, places, used: BTreeMap::new() }
    }

    fn best(&self, from: Node, to: Node, trunk: usize) -> Option<Taken> {
        match (from, to) {
            (Node::Band(a), Node::Band(b)) => self.between_bands(a, b),
            (Node::Cell(a), Node::Cell(b)) => self.between_cells(self.stand(a)?, self.stand(b)?, trunk),
            _ => self.over_row_gaps(from, to, trunk),
        }
    }

    fn stand(&self, cell: usize) -> Option<Stand> {
        let band = self.scene.cells.get(cell)?.band;
        let area = self.scene.bands.get(band)?.area;
        let (shelf, place) = *self.places.get(&area)?;
        let row = self.plan.slots.get(cell)?.row;
        let above = self.levels.get(area)?.iter().position(|level| *level == (band, row))?;
        let x = self.frame.at(self.scene, &self.plan.slots, Node::Cell(cell))?.0;
        Some(Stand { cell, area, shelf, place, above, x })
    }

    /// The corridors that a box opens to without a row of boxes between: side, level of its VPC, the corridor.
    fn doors(&self, stand: Stand) -> Vec<(Side, i64, Corridor)> {
        let levels = self.levels.get(stand.area).map(Vec::as_slice).unwrap_or_default();
        let band = |level: usize| levels.get(level).map(|(band, _)| *band);
        let channel = |level: usize| levels.get(level).map(|(band, level)| Corridor::Channel(*band, *level));
        let mut doors = Vec::new();
        let mut add = |side, level: i64, corridor: Option<Corridor>| {
            doors.extend(corridor.map(|corridor| (side, level, corridor)));
        };
        let above = stand.above;
        add(Side::Top, number(above), channel(above));
        match above.checked_sub(1) {
            None => add(Side::Top, -1, Some(Corridor::RowGap(stand.shelf))),
            Some(next) if band(next) != band(above) => add(Side::Top, number(next), channel(next)),
            Some(_) => {}
        }
        let below = above + 1;
        add(Side::Bottom, number(below), channel(below));
        if below + 1 == levels.len() {
            add(Side::Bottom, number(below + 1), Some(Corridor::RowGap(stand.shelf + 1)));
        } else if band(below + 1) != band(below) {
            add(Side::Bottom, number(below + 1), channel(below + 1));
        }
        doors
    }

    /// What a corridor costs besides its length.
    fn crowd(&self, corridor: Corridor, trunk: usize) -> i64 {
        match self.used.get(&corridor) {
            Some(used) if used.contains(&trunk) => -TOGETHER,
            Some(used) => number(used.len()) * CROWD,
            None => 0,
        }
    }

    /// The column gap of a VPC that is least out of the way from one place to another, and what it costs.
    fn column_gap(&self, area: usize, from: i64, to: i64, trunk: usize) -> Option<(Corridor, i64)> {
        let first = self.scene.areas.get(area)?.bands.first()?;
        let columns = self.plan.columns.get(area).copied().unwrap_or(1);
        // Any box of the VPC tells where its columns are.
        let cell = *self.scene.bands.get(*first)?.cells.first()?;
        let slot = self.plan.slots.get(cell)?;
        let x = self.frame.at(self.scene, &self.plan.slots, Node::Cell(cell))?.0;
        let left = x - number(slot.column) * BOX.0 - BOX.0 / 2;
        (0..=columns)
            .map(|column| {
                let at = left + number(column) * BOX.0;
                let corridor = Corridor::ColumnGap(area, column);
                (corridor, (from - at).abs() + (at - to).abs() + self.crowd(corridor, trunk))
            })
            .min_by_key(|(corridor, cost)| (*cost, *corridor))
    }

    fn between_cells(&self, a: Stand, b: Stand, trunk: usize) -> Option<Taken> {
        if a.area != b.area && !(a.shelf == b.shelf && a.place.abs_diff(b.place) == 1) {
            return self.over_row_gaps(Node::Cell(a.cell), Node::Cell(b.cell), trunk);
        }
        let mut best: Option<Taken> = None;
        for (leaves, i, first) in self.doors(a) {
            for (arrives, j, last) in self.doors(b) {
                let steps = (i - number(a.above)).abs().min((i - number(a.above) - 1).abs())
                    + (j - number(b.above)).abs().min((j - number(b.above) - 1).abs());
                let crowd = self.crowd(first, trunk) + self.crowd(last, trunk);
                let (via, cost) = if a.area != b.area {
                    if matches!(first, Corridor::RowGap(_)) || matches!(last, Corridor::RowGap(_)) {
                        continue;
                    }
                    let area_gap = Corridor::AreaGap(a.shelf, a.place.max(b.place));
                    (vec![first, area_gap, last], (i - j).abs() * LEVEL + (a.x - b.x).abs())
                } else if first == last {
                    (vec![first], (a.x - b.x).abs() - 2 * BEND)
                } else {
                    let (column_gap, cost) = self.column_gap(a.area, a.x, b.x, trunk)?;
                    (vec![first, column_gap, last], (i - j).abs() * LEVEL + cost)
                };
                let cost = cost + steps * 20 + crowd;
                if best.as_ref().is_none_or(|best| cost < best.cost) {
                    best = Some(Taken { leaves, arrives, via, cost });
                }
            }
        }
        best
    }

    /// Beside the bands of one VPC, between two that are next to each other, or over the row gaps.
    fn between_bands(&self, a: usize, b: usize) -> Option<Taken> {
        let area = |band: usize| self.scene.bands.get(band).map(|band| band.area);
        let (from, to) = (area(a)?, area(b)?);
        if from == to {
            let via = vec![Corridor::Side(from, true)];
            return Some(Taken { leaves: Side::Right, arrives: Side::Right, via, cost: 0 });
        }
        let (p, q) = (*self.places.get(&from)?, *self.places.get(&to)?);
        if p.0 == q.0 && p.1.abs_diff(q.1) == 1 {
            let via = vec![Corridor::AreaGap(p.0, p.1.max(q.1))];
            let sides = if p.1 < q.1 { (Side::Right, Side::Left) } else { (Side::Left, Side::Right) };
            return Some(Taken { leaves: sides.0, arrives: sides.1, via, cost: 0 });
        }
        self.over_row_gaps(Node::Band(a), Node::Band(b), usize::MAX)
    }

    /// From one end up or down to a row gap, along it, past rows of VPCs, and to the other end.
    fn over_row_gaps(&self, from: Node, to: Node, trunk: usize) -> Option<Taken> {
        let (p, q) = (self.row(from)?, self.row(to)?);
        let mut best: Option<Taken> = None;
        for i in p.0..=p.1 {
            for j in q.0..=q.1 {
                let (x, y) = (self.x(from), self.x(to));
                let towards = (x.or(y)?, y.or(x)?);
                let (leaves, mut via, first) = self.to_row_gap(from, i, towards.1, false, trunk)?;
                let (arrives, mut rest, last) = self.to_row_gap(to, j, towards.0, true, trunk)?;
                let mut row_gap = i;
                let mut cost = first + last + (towards.0 - towards.1).abs();
                while row_gap != j {
                    let shelf = if j > row_gap { row_gap } else { row_gap - 1 };
                    via.push(self.area_gap(shelf, towards.1)?);
                    row_gap = if j > row_gap { row_gap + 1 } else { row_gap - 1 };
                    via.push(Corridor::RowGap(row_gap));
                    cost += self.height(shelf);
                }
                rest.reverse();
                // Both halves have the row gap that they meet in.
                via.extend(rest.into_iter().skip(1));
                if best.as_ref().is_none_or(|best| cost < best.cost) {
                    best = Some(Taken { leaves, arrives, via, cost });
                }
            }
        }
        best
    }

    /// What it costs to go past a row of VPCs.
    fn height(&self, shelf: usize) -> i64 {
        let areas = self.plan.shelves.get(shelf).into_iter().flatten();
        let levels = areas.filter_map(|area| self.levels.get(*area)).map(|levels| number(levels.len()) + 3);
        levels.max().unwrap_or(0) * LEVEL + 4 * BEND
    }

    /// The row gaps that an end can come to.
    fn row(&self, node: Node) -> Option<(usize, usize)> {
        let area = match node {
            Node::Outside(_) => return Some((0, 0)),
            Node::Cell(cell) => self.stand(cell)?.area,
            Node::Band(band) => self.scene.bands.get(band)?.area,
        };
        let shelf = self.places.get(&area)?.0;
        Some((shelf, shelf + 1))
    }

    fn x(&self, node: Node) -> Option<i64> {
        match node {
            Node::Outside(_) => None,
            Node::Cell(cell) => self.stand(cell).map(|stand| stand.x),
            Node::Band(band) => {
                let cell = *self.scene.bands.get(band)?.cells.first()?;
                self.stand(cell).map(|stand| stand.x)
            }
        }
    }

    fn to_row_gap(
        &self,
        node: Node,
        row_gap: usize,
        towards: i64,
        arriving: bool,
        trunk: usize,
    ) -> Option<(Side, Vec<Corridor>, i64)> {
        let target = Corridor::RowGap(row_gap);
        match node {
            Node::Outside(_) => Some((Side::Bottom, vec![target], 0)),
            Node::Band(band) => {
                // What comes in on the left and what goes out on the right do not get into each other's way.
                let area = self.scene.bands.get(band)?.area;
                let side = if arriving { Side::Left } else { Side::Right };
                let below = number(row_gap) - number(self.places.get(&area)?.0);
                Some((side, vec![Corridor::Side(area, !arriving), target], below * LEVEL))
            }
            Node::Cell(cell) => {
                let stand = self.stand(cell)?;
                let end = if row_gap == stand.shelf {
                    -1
                } else {
                    number(self.levels.get(stand.area).map_or(0, Vec::len))
                };
                let doors = self.doors(stand);
                if let Some((side, ..)) = doors.iter().find(|(_, _, corridor)| *corridor == target) {
                    return Some((*side, vec![target], 0));
                }
                let (column_gap, cost) = self.column_gap(stand.area, stand.x, towards, trunk)?;
                doors
                    .into_iter()
                    .map(|(side, level, corridor)| {
                        let cost = (level - end).abs() * LEVEL + self.crowd(corridor, trunk);
                        (side, corridor, cost)
                    })
                    .min_by_key(|(side, corridor, cost)| (*cost, *side, *corridor))
                    .map(|(side, corridor, up)| (side, vec![corridor, column_gap, target], BEND + up + cost))
            }
        }
    }

    /// The area gap of a row of VPCs that is nearest to a place.
    fn area_gap(&self, shelf: usize, x: i64) -> Option<Corridor> {
        let areas = self.plan.shelves.get(shelf)?;
        let lefts = areas.iter().filter_map(|area| self.frame.left(*area));
        let last = areas.last().and_then(|area| self.frame.right(*area));
        lefts
            .chain(last)
            .enumerate()
            .min_by_key(|(place, at)| ((at - x).abs(), *place))
            .map(|(place, _)| Corridor::AreaGap(shelf, place))
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
