//! Layout: coordinates for what was arranged and routed. Corridors are as wide as their lanes need.

use std::collections::BTreeMap;

use crate::geometry::{Laid, Path};
use crate::grouping::Scene;
use crate::ordering::Plan;
use crate::placement::Ground;
use crate::ports::Ports;
use crate::route::{Corridor, Route};
use crate::tracks::{Lanes, Run, Runs};

/// The width up to which everything is as large as it says here; above that, titles and lines grow with the picture,
/// so that they can still be read when all of it is looked at on a page.
const PAGE: i32 = 1200;
/// The most that they grow, in hundredths.
const GRADES: i32 = 400;
/// How often corridors are widened; three times were enough for all that was tried.
const ROUNDS: usize = 8;

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
