//! Layout: coordinates for what was arranged and routed. Corridors are as wide as their lanes need.

use std::collections::BTreeMap;

use super::Vpc;
use super::grouping::{Node, Scene};
use super::ordering::Plan;
use super::placement::Ground;
use super::ports::Ports;
use super::route::{Corridor, Route};
use super::text::{Letters, width};
use super::tracks::{Lanes, Run, Runs};

/// The space round the whole.
pub const MARGIN: i32 = 24;
/// The width up to which everything is as large as it says here; above that, titles and lines grow with the picture,
/// so that they can still be read when all of it is looked at on a page.
const PAGE: i32 = 1200;
/// The most that they grow, in hundredths.
const GRADES: i32 = 400;
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
