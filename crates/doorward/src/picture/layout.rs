//! Layout: coordinates for what was arranged and routed. Corridors are as wide as their lanes need.

use std::collections::BTreeMap;

use super::Vpc;
use super::arrange::Plan;
use super::fold::{FEW_LINES, Node, Scene};
use super::lanes::{Lanes, Run, Runs};
use super::route::{Corridor, FEW, Route, Side};
use super::text::{Letters, width};

/// The space round the whole.
pub const MARGIN: i32 = 24;
/// The size of a box.
pub const BOX: (i32, i32) = (184, 48);
/// The height of what is outside, and its widths.
const OUTSIDE: i32 = 52;
const OUTSIDE_WIDTHS: (i32, i32) = (150, 300);
/// The width up to which everything is as large as it says here; above that, titles and lines grow with the picture,
/// so that they can still be read when all of it is looked at on a page.
const PAGE: i32 = 1400;
/// The most that they grow, in hundredths.
const GRADES: i32 = 360;
/// The heights of the heads of the picture, a VPC, a band.
const HEAD: i32 = 76;
const AREA_HEAD: i32 = 52;
const BAND_HEAD: i32 = 30;
/// The room below a band's last channel and between bands.
const BAND_FOOT: i32 = 2;
const BAND_GAP: i32 = 14;
/// How often corridors are widened; three times were enough for all that was tried.
const ROUNDS: usize = 8;

/// A place in pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rect {
    /// Its left edge.
    pub x: i32,
    /// Its upper edge.
    pub y: i32,
    /// Its width.
    pub w: i32,
    /// Its height.
    pub h: i32,
}

impl Rect {
    /// Its right edge.
    pub fn right(self) -> i32 {
        self.x + self.w
    }

    /// Its lower edge.
    pub fn bottom(self) -> i32 {
        self.y + self.h
    }

    /// Its middle.
    pub fn middle(self) -> (i32, i32) {
        (self.x + self.w / 2, self.y + self.h / 2)
    }

    /// Whether they have any pixel in common.
    pub fn meets(self, other: Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }
}

/// Everything with its coordinates.
#[derive(Debug, Clone, Default)]
pub struct Laid {
    /// The width of the whole.
    pub width: i32,
    /// Where the legend begins.
    pub legend: i32,
    /// How large titles and lines are, in hundredths.
    pub grade: i32,
    /// VPCs; those without roles have no room.
    pub areas: Vec<Rect>,
    /// Tiers.
    pub bands: Vec<Rect>,
    /// Boxes.
    pub cells: Vec<Rect>,
    /// What is outside.
    pub outside: Vec<Rect>,
    /// Lines.
    pub paths: Vec<Path>,
}

/// A line with its corners.
#[derive(Debug, Clone)]
pub struct Path {
    /// Its number in [`Scene::lines`].
    pub line: usize,
    /// Its trunk.
    pub trunk: usize,
    /// Where it begins, its corners, where it ends.
    pub points: Vec<(i32, i32)>,
}

impl Laid {
    /// A size that grows with the picture.
    pub fn graded(&self, size: i32) -> i32 {
        size * self.grade / 100
    }

    /// The letters of a VPC's name, of a tier's, and of what is said of either.
    pub fn letters(&self) -> (Letters, Letters, Letters) {
        (Letters::Heavy(self.graded(15)), Letters::Heavy(self.graded(12)), Letters::Plain(self.graded(11)))
    }

    /// How wide the name and the id of a VPC are beside each other.
    pub fn head_width(&self, vpc: &Vpc) -> i32 {
        let (name, _, about) = self.letters();
        width(vpc.name.as_deref().unwrap_or(&vpc.id), name) + width(&vpc.id, about) + self.graded(24)
    }

    /// Where a thing is that lines end at.
    pub fn rect(&self, node: Node) -> Option<Rect> {
        match node {
            Node::Outside(place) => self.outside.get(place).copied(),
            Node::Cell(cell) => self.cells.get(cell).copied(),
            Node::Band(band) => self.bands.get(band).copied(),
        }
    }
}

/// Gives everything its coordinates.
pub fn lay(scene: &Scene<'_>, plan: &Plan, routes: Vec<Route>) -> Laid {
    let mut counts: BTreeMap<Corridor, usize> = BTreeMap::new();
    let grade = (Ground::of(scene, plan, &counts, 100).laid.width * 100 / PAGE).clamp(100, GRADES);
    let mut ground = Ground::of(scene, plan, &counts, grade);
    let mut ports = Ports::of(scene, &ground, &routes);
    let mut lanes = Lanes::default();
    for _ in 0..ROUNDS {
        let runs = runs(&routes, &ground, &ports);
        lanes = Lanes::of(&runs, |corridor| ground.room(corridor));
        let mut grown = false;
        for (corridor, count) in &lanes.count {
            let before = counts.entry(*corridor).or_insert(0);
            grown |= *count > *before;
            *before = (*before).max(*count);
        }
        if !grown {
            break;
        }
        ground = Ground::of(scene, plan, &counts, grade);
        ports = Ports::of(scene, &ground, &routes);
    }
    let paths = routes
        .iter()
        .map(|route| Path {
            line: route.line,
            trunk: route.trunk,
            points: points(route, &ports, |corridor| ground.lane(corridor, route.trunk, &lanes)),
        })
        .collect();
    Laid { paths, ..ground.laid }
}

/// A corridor across its own direction: where it begins, and how wide it is.
#[derive(Debug, Clone, Copy, Default)]
struct Strip {
    at: i32,
    wide: i32,
}

/// Boxes and corridors, without lines.
struct Ground {
    laid: Laid,
    strips: BTreeMap<Corridor, Strip>,
    lines: usize,
}

impl Ground {
    fn of(scene: &Scene<'_>, plan: &Plan, counts: &BTreeMap<Corridor, usize>, grade: i32) -> Self {
        let laid = Laid {
            grade,
            areas: vec![Rect::default(); scene.areas.len()],
            bands: vec![Rect::default(); scene.bands.len()],
            cells: vec![Rect::default(); scene.cells.len()],
            outside: vec![Rect::default(); scene.outside.len()],
            ..Laid::default()
        };
        let mut ground = Self { laid, strips: BTreeMap::new(), lines: scene.lines.len() };
        let graded = |size: i32| size * grade / 100;
        let mut y = graded(HEAD) + if scene.outside.is_empty() { 0 } else { graded(OUTSIDE) };
        let mut right = 0;
        for (shelf, areas) in plan.shelves.iter().enumerate() {
            y += ground.strip(Corridor::Street(shelf), y, counts);
            let mut x = MARGIN;
            let mut bottom = y;
            for (place, area) in areas.iter().enumerate() {
                if place > 0 || counts.contains_key(&Corridor::Avenue(shelf, place)) {
                    x += ground.strip(Corridor::Avenue(shelf, place), x, counts);
                } else {
                    ground.strips.insert(Corridor::Avenue(shelf, place), Strip { at: x, wide: 0 });
                }
                let rect = ground.area(scene, plan, *area, (x, y), counts);
                x = rect.right();
                bottom = bottom.max(rect.bottom());
            }
            let last = Corridor::Avenue(shelf, areas.len());
            if counts.contains_key(&last) {
                x += ground.strip(last, x, counts);
            } else {
                ground.strips.insert(last, Strip { at: x, wide: 0 });
            }
            right = right.max(x);
            y = bottom;
        }
        let last = Corridor::Street(plan.shelves.len());
        if counts.contains_key(&last) {
            y += ground.strip(last, y, counts);
        }
        ground.laid.legend = y + MARGIN;
        ground.laid.width = right.max(560) + MARGIN;
        ground.outside(scene);
        ground
    }

    /// How wide a lane is.
    fn pitch(&self, corridor: Corridor) -> i32 {
        self.laid.graded(match corridor {
            Corridor::Side(..) => 18,
            Corridor::Street(_) | Corridor::Channel(..) if self.lines <= FEW => 17,
            _ if self.lines <= FEW => 12,
            Corridor::Street(_) | Corridor::Channel(..) if self.lines <= FEW_LINES => 9,
            _ => 8,
        })
    }

    /// How wide a corridor is that has one lane, or none.
    fn base(&self, corridor: Corridor, used: bool) -> i32 {
        match corridor {
            Corridor::Street(_) => self.laid.graded(40),
            Corridor::Avenue(..) => self.laid.graded(36),
            Corridor::Side(..) => self.laid.graded(18),
            Corridor::Channel(..) if used => 26,
            Corridor::Channel(..) => 14,
            Corridor::Gutter(..) if used => 30,
            Corridor::Gutter(..) => 20,
        }
    }

    /// Takes room for a corridor, and says how much.
    fn strip(&mut self, corridor: Corridor, at: i32, counts: &BTreeMap<Corridor, usize>) -> i32 {
        let lanes = i32::try_from(counts.get(&corridor).copied().unwrap_or(0)).unwrap_or(0);
        let wide = match lanes {
            0 => self.base(corridor, false),
            lanes => self.base(corridor, true) + (lanes - 1) * self.pitch(corridor),
        };
        self.strips.insert(corridor, Strip { at, wide });
        wide
    }

    fn area(
        &mut self,
        scene: &Scene<'_>,
        plan: &Plan,
        area: usize,
        at: (i32, i32),
        counts: &BTreeMap<Corridor, usize>,
    ) -> Rect {
        let left = at.0 + self.strip(Corridor::Side(area, false), at.0, counts);
        let mut x = left;
        let mut columns = Vec::new();
        for column in 0..=plan.columns.get(area).copied().unwrap_or(1) {
            if column > 0 {
                columns.push(x);
                x += BOX.0;
            }
            x += self.strip(Corridor::Gutter(area, column), x, counts);
        }
        // The title has to fit, too.
        let title = scene.areas.get(area).map_or(0, |area| self.laid.head_width(area.vpc));
        let band_width = (x - left).max(title.min(self.laid.graded(420)));
        let mut y = at.1 + self.laid.graded(AREA_HEAD);
        for band in plan.bands.get(area).into_iter().flatten() {
            let top = y;
            y += self.laid.graded(BAND_HEAD);
            let mut rows = Vec::new();
            for row in 0..=plan.rows.get(*band).copied().unwrap_or(1) {
                if row > 0 {
                    rows.push(y);
                    y += BOX.1;
                }
                y += self.strip(Corridor::Channel(*band, row), y, counts);
            }
            y += BAND_FOOT;
            if let Some(rect) = self.laid.bands.get_mut(*band) {
                *rect = Rect { x: left, y: top, w: band_width, h: y - top };
            }
            for cell in scene.bands.get(*band).map(|band| band.cells.as_slice()).unwrap_or_default() {
                let slot = plan.slots.get(*cell).copied().unwrap_or_default();
                let at = (columns.get(slot.column), rows.get(slot.row));
                if let ((Some(x), Some(y)), Some(rect)) = (at, self.laid.cells.get_mut(*cell)) {
                    *rect = Rect { x: *x, y: *y, w: BOX.0, h: BOX.1 };
                }
            }
            y += BAND_GAP;
        }
        let x = left + band_width;
        let right = x + self.strip(Corridor::Side(area, true), x, counts);
        let rect = Rect { x: at.0, y: at.1, w: right - at.0, h: y - at.1 };
        if let Some(place) = self.laid.areas.get_mut(area) {
            *place = rect;
        }
        rect
    }

    /// Puts what is outside above the middle of what it has lines to, side by side.
    fn outside(&mut self, scene: &Scene<'_>) {
        let mut sums: BTreeMap<usize, (i32, i32)> = BTreeMap::new();
        for line in &scene.lines {
            for (end, other) in [(line.from, line.to), (line.to, line.from)] {
                if let (Node::Outside(place), Some(rect)) = (end, self.laid.rect(other)) {
                    let sum = sums.entry(place).or_default();
                    *sum = (sum.0 + rect.middle().0, sum.1 + 1);
                }
            }
        }
        let middle = self.laid.width / 2;
        let wanted = |place: usize| sums.get(&place).map_or(middle, |(sum, count)| sum / count);
        let widths: Vec<i32> = scene
            .outside
            .iter()
            .map(|outside| {
                let (name, about) =
                    (Letters::Heavy(self.laid.graded(14)), Letters::Plain(self.laid.graded(11)));
                let text = width(&outside.name, name).max(width(&outside.about, about));
                let most = (self.laid.graded(OUTSIDE_WIDTHS.0), self.laid.graded(OUTSIDE_WIDTHS.1));
                (text + self.laid.graded(60)).clamp(most.0, most.1)
            })
            .collect();
        let wide = |place: usize| widths.get(place).copied().unwrap_or(OUTSIDE_WIDTHS.0);
        let mut order: Vec<usize> = (0..scene.outside.len()).collect();
        order.sort_by_key(|place| (wanted(*place), *place));
        let gap = self.laid.graded(28);
        let total: i32 = widths.iter().map(|width| width + gap).sum::<i32>() - gap;
        self.laid.width = self.laid.width.max(total + 2 * MARGIN);
        // From the left as near as the one before allows, then from the right so that the last fits.
        let mut xs = BTreeMap::new();
        let mut x = MARGIN;
        for place in &order {
            x = x.max(wanted(*place) - wide(*place) / 2);
            xs.insert(*place, x);
            x += wide(*place) + gap;
        }
        let mut x = self.laid.width - MARGIN;
        for place in order.iter().rev() {
            let at = xs.get(place).copied().unwrap_or(MARGIN).min(x - wide(*place));
            x = at - gap;
            let (y, h) = (self.laid.graded(HEAD), self.laid.graded(OUTSIDE));
            if let Some(rect) = self.laid.outside.get_mut(*place) {
                *rect = Rect { x: at, y, w: wide(*place), h };
            }
        }
    }

    /// How near two pieces of a lane may come without seeming one.
    fn room(&self, corridor: Corridor) -> i32 {
        // Where they turn is known only once everything has its lane.
        let widest = |level: bool| {
            let across = self.strips.iter().filter(|(other, _)| other.is_level() != level);
            across.map(|(_, strip)| strip.wide).max().unwrap_or(0)
        };
        if self.lines <= FEW { widest(corridor.is_level()).min(60) } else { 12 }
    }

    /// The middle of a corridor.
    fn middle(&self, corridor: Corridor) -> i32 {
        self.strips.get(&corridor).map_or(0, |strip| strip.at + strip.wide / 2)
    }

    /// Where a trunk runs in a corridor.
    fn lane(&self, corridor: Corridor, trunk: usize, lanes: &Lanes) -> i32 {
        let lane = lanes.lane.get(&(corridor, trunk)).copied().unwrap_or(0);
        let count = lanes.count.get(&corridor).copied().unwrap_or(1);
        let offset =
            2 * i32::try_from(lane).unwrap_or(0) - i32::try_from(count.saturating_sub(1)).unwrap_or(0);
        self.middle(corridor) + offset * self.pitch(corridor) / 2
    }
}

/// Where lines leave and arrive: a trunk has one place on each side of a box.
struct Ports(BTreeMap<(Node, Side, usize), (i32, i32)>);

impl Ports {
    fn of(scene: &Scene<'_>, ground: &Ground, routes: &[Route]) -> Self {
        // By side, the trunks and where they go.
        let mut wishes: BTreeMap<(Node, Side), BTreeMap<usize, (i32, i32)>> = BTreeMap::new();
        for route in routes {
            let ends = [
                (route.leaves, route.arrives.0, route.via.get(1)),
                (
                    route.arrives,
                    route.leaves.0,
                    route.via.len().checked_sub(2).and_then(|at| route.via.get(at)),
                ),
            ];
            for (end, other, next) in ends {
                let other = ground.laid.rect(other).unwrap_or_default().middle();
                let level = matches!(end.1, Side::Left | Side::Right);
                let next = next.filter(|_| route.via.len() > 1).map(|next| ground.middle(*next));
                let towards = next.unwrap_or(if level { other.1 } else { other.0 });
                let wish = wishes.entry(end).or_default().entry(route.trunk).or_default();
                *wish = (wish.0 + towards, wish.1 + 1);
            }
        }
        let mut ports = BTreeMap::new();
        for ((node, side), trunks) in wishes {
            let Some(rect) = ground.laid.rect(node) else { continue };
            let mut order: Vec<(i32, usize)> =
                trunks.iter().map(|(trunk, (sum, count))| (sum / count, *trunk)).collect();
            order.sort_unstable();
            let level = matches!(side, Side::Left | Side::Right);
            let long = if level { rect.h } else { rect.w };
            let count = i32::try_from(order.len()).unwrap_or(i32::MAX);
            let most = if scene.lines.len() <= FEW { 22 } else { 14 };
            let step = ((long - 20) / count.max(1)).min(ground.laid.graded(most));
            // What leaves below and what arrives from above must not seem one line.
            let shift = if side == Side::Bottom { 3 } else { -3 };
            for (place, (_, trunk)) in order.into_iter().enumerate() {
                let offset =
                    long / 2 + (2 * i32::try_from(place).unwrap_or(0) - count + 1) * step / 2 + shift;
                let at = match side {
                    Side::Top => (rect.x + offset, rect.y),
                    Side::Bottom => (rect.x + offset, rect.bottom()),
                    Side::Left => (rect.x, rect.y + offset),
                    Side::Right => (rect.right(), rect.y + offset),
                };
                ports.insert((node, side, trunk), at);
            }
        }
        let mut ports = Self(ports);
        ports.straighten(ground, routes);
        ports
    }

    /// Moves the ends of lines that could as well be straight.
    fn straighten(&mut self, ground: &Ground, routes: &[Route]) {
        let mut users: BTreeMap<(Node, Side, usize), usize> = BTreeMap::new();
        for route in routes {
            for end in [route.leaves, route.arrives] {
                *users.entry((end.0, end.1, route.trunk)).or_default() += 1;
            }
        }
        for route in
            routes.iter().filter(|route| matches!(route.via.as_slice(), [corridor] if corridor.is_level()))
        {
            let ends = [route.leaves, route.arrives].map(|end| (end.0, end.1, route.trunk));
            let [a, b] = ends;
            let (Some(x), Some(z)) = (self.0.get(&a).map(|at| at.0), self.0.get(&b).map(|at| at.0)) else {
                continue;
            };
            // Both leave the same way: a straight line would go through the boxes.
            if x == z || a.1 == b.1 {
                continue;
            }
            for (end, to) in [(a, z), (b, x)] {
                let Some(rect) = ground.laid.rect(end.0) else { continue };
                let beside = self
                    .0
                    .iter()
                    .filter(|((node, side, trunk), _)| (*node, *side) == (end.0, end.1) && *trunk != end.2);
                let free = beside.map(|(_, at)| (at.0 - to).abs()).min().is_none_or(|near| near >= 10);
                let fits = (rect.x + 8..=rect.right() - 8).contains(&to);
                if free && fits && users.get(&end) == Some(&1) && (x - z).abs() < 60 {
                    if let Some(at) = self.0.get_mut(&end) {
                        at.0 = to;
                    }
                    break;
                }
            }
        }
    }

    fn at(&self, end: (Node, Side), trunk: usize) -> (i32, i32) {
        self.0.get(&(end.0, end.1, trunk)).copied().unwrap_or_default()
    }
}

/// From the first end by every corner to the last.
fn points(route: &Route, ports: &Ports, lane: impl Fn(Corridor) -> i32) -> Vec<(i32, i32)> {
    let (start, end) = (ports.at(route.leaves, route.trunk), ports.at(route.arrives, route.trunk));
    let mut points = vec![start];
    let mut at = start;
    for corridor in &route.via {
        let lane = lane(*corridor);
        at = if corridor.is_level() { (at.0, lane) } else { (lane, at.1) };
        points.push(at);
    }
    let last = route.via.last().is_some_and(|corridor| corridor.is_level());
    points.push(if last { (end.0, at.1) } else { (at.0, end.1) });
    points.push(end);
    points.dedup();
    points
}

/// What every trunk does in every corridor, with corridors as they are now.
fn runs(routes: &[Route], ground: &Ground, ports: &Ports) -> Runs {
    let mut runs = Runs::new();
    for route in routes {
        let points = points_in_full(route, ports, ground);
        for (place, corridor) in route.via.iter().enumerate() {
            let Some([before, from, to, after]) = points.get(place..place + 4) else { continue };
            let along = |point: &(i32, i32)| if corridor.is_level() { point.0 } else { point.1 };
            let across = |point: &(i32, i32)| if corridor.is_level() { point.1 } else { point.0 };
            let own = ground.middle(*corridor);
            let (begin, end) = (along(from), along(to));
            let run = runs.entry(*corridor).or_default().entry(route.trunk).or_insert(Run {
                from: begin.min(end),
                to: begin.max(end),
                joints: Vec::new(),
            });
            run.extend(begin, end);
            for joint in [(begin, across(before) > own), (end, across(after) > own)] {
                if !run.joints.contains(&joint) {
                    run.joints.push(joint);
                }
            }
        }
    }
    runs
}

/// The corners with every corridor's middle for its lane, without leaving any out: two for each corridor, the ends,
/// so that the corridor with the number n leads from point n + 1 to point n + 2.
fn points_in_full(route: &Route, ports: &Ports, ground: &Ground) -> Vec<(i32, i32)> {
    let (start, end) = (ports.at(route.leaves, route.trunk), ports.at(route.arrives, route.trunk));
    let mut points = vec![start];
    let mut at = start;
    for corridor in &route.via {
        let lane = ground.middle(*corridor);
        at = if corridor.is_level() { (at.0, lane) } else { (lane, at.1) };
        points.push(at);
    }
    let last = route.via.last().is_some_and(|corridor| corridor.is_level());
    points.push(if last { (end.0, at.1) } else { (at.0, end.1) });
    points.push(end);
    points
}
