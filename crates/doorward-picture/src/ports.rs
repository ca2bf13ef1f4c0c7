//! Ports: where on the side of a box each line leaves or arrives.

use std::collections::BTreeMap;

use crate::grouping::{Node, Scene};
use crate::placement::Ground;
use crate::route::{FEW, Route, Side};

/// Where lines leave and arrive: a trunk has one place on each side of a box.
pub struct Ports(BTreeMap<(Node, Side, usize), (i32, i32)>);

impl Ports {
    /// Spread over each side in the order of where they lead to.
    pub fn of(scene: &Scene<'_>, ground: &Ground, routes: &[Route]) -> Self {
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

    /// The port of a trunk on the side of a box.
    pub fn at(&self, end: (Node, Side), trunk: usize) -> (i32, i32) {
        self.0.get(&(end.0, end.1, trunk)).copied().unwrap_or_default()
    }
}
