//! Arranging: which box stands beside, above and below which, so that lines are short and cross little.

use std::collections::{BTreeMap, VecDeque};

use crate::grouping::{Node, Scene};

/// About how much room a box takes with the space around it: for comparing arrangements, not for drawing.
pub(super) const BOX: (i64, i64) = (212, 80);
/// About how much a VPC and a tier take besides.
const AREA: (i64, i64) = (64, 64);
const BAND: i64 = 64;
/// How much wider than high a picture should be, in tenths.
const RATIO: i64 = 15;
/// How often boxes are put above the middle of what they have lines to.
const PASSES: usize = 12;
/// The most columns of a VPC.
const COLUMNS: usize = 40;

/// Where a box stands in its band.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slot {
    /// Which column of its VPC.
    pub column: usize,
    /// Which row of its band.
    pub row: usize,
}

/// What stands where, without coordinates.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The VPCs in their rows, from left to right.
    pub shelves: Vec<Vec<usize>>,
    /// How many columns each VPC has.
    pub columns: Vec<usize>,
    /// The bands of each VPC from top to bottom.
    pub bands: Vec<Vec<usize>>,
    /// How many rows each band has.
    pub rows: Vec<usize>,
    /// Where each box stands.
    pub slots: Vec<Slot>,
}

/// Arranges.
pub fn arrange(scene: &Scene<'_>) -> Plan {
    let depths = depths(scene);
    let mut plan = Plan { slots: vec![Slot::default(); scene.cells.len()], ..Plan::default() };
    for area in &scene.areas {
        let mut bands = area.bands.clone();
        bands.sort_by_cached_key(|band| (mean_depth(scene, &depths, *band), *band));
        let sizes: Vec<usize> =
            bands.iter().filter_map(|band| scene.bands.get(*band)).map(|band| band.cells.len()).collect();
        plan.columns.push(columns(&sizes));
        plan.bands.push(bands);
    }
    plan.rows = scene
        .bands
        .iter()
        .map(|band| {
            let columns = plan.columns.get(band.area).copied().unwrap_or(1);
            band.cells.len().div_ceil(columns.max(1)).max(1)
        })
        .collect();
    plan.shelves = shelves(scene, &plan);
    settle(scene, &mut plan);
    plan
}

/// How many steps each box is from the outside.
fn depths(scene: &Scene<'_>) -> BTreeMap<Node, i64> {
    let mut next: BTreeMap<Node, Vec<Node>> = BTreeMap::new();
    for (from, to) in &scene.links {
        next.entry(*from).or_default().push(*to);
    }
    let mut depths: BTreeMap<Node, i64> =
        (0..scene.outside.len()).map(|place| (Node::Outside(place), 0)).collect();
    let mut queue: VecDeque<Node> = depths.keys().copied().collect();
    while let Some(node) = queue.pop_front() {
        let depth = depths.get(&node).copied().unwrap_or(0) + 1;
        for to in next.get(&node).into_iter().flatten() {
            if !depths.contains_key(to) {
                depths.insert(*to, depth);
                queue.push_back(*to);
            }
        }
    }
    depths
}

/// In tenths; what nothing reaches comes last.
fn mean_depth(scene: &Scene<'_>, depths: &BTreeMap<Node, i64>, band: usize) -> i64 {
    let cells = scene.bands.get(band).map(|band| band.cells.as_slice()).unwrap_or_default();
    let reached: Vec<i64> = cells.iter().filter_map(|cell| depths.get(&Node::Cell(*cell))).copied().collect();
    match i64::try_from(reached.len()) {
        Ok(count) if count > 0 => reached.iter().sum::<i64>() * 10 / count,
        _ => i64::MAX,
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// About how large a VPC of so many columns is.
fn size(sizes: &[usize], columns: usize) -> (i64, i64) {
    let rows: i64 = sizes.iter().map(|size| number(size.div_ceil(columns.max(1)).max(1))).sum();
    (number(columns) * BOX.0 + AREA.0, rows * BOX.1 + number(sizes.len()) * BAND + AREA.1)
}

/// The number of columns with which a VPC is nearest to the shape of a page.
fn columns(sizes: &[usize]) -> usize {
    let most = sizes.iter().copied().max().unwrap_or(1).clamp(1, COLUMNS);
    let off = |columns: usize| {
        let (width, height) = size(sizes, columns);
        off(width, height)
    };
    (1..=most).min_by_key(|columns| (off(*columns), *columns)).unwrap_or(1)
}

/// The VPCs in rows: those that have much to do with each other beside each other.
fn shelves(scene: &Scene<'_>, plan: &Plan) -> Vec<Vec<usize>> {
    let area_of = |node: Node| match node {
        Node::Cell(cell) => {
            let band = scene.cells.get(cell).and_then(|cell| scene.bands.get(cell.band));
            band.map(|band| band.area)
        }
        Node::Outside(_) | Node::Band(_) => None,
    };
    // Between none and an area: between it and the outside.
    let mut between: BTreeMap<(Option<usize>, Option<usize>), i64> = BTreeMap::new();
    for (from, to) in &scene.links {
        let (from, to) = (area_of(*from), area_of(*to));
        if from != to {
            *between.entry((from, to)).or_default() += 1;
            *between.entry((to, from)).or_default() += 1;
        }
    }
    let ties = |area: usize, placed: &[usize]| -> i64 {
        let with = |other| between.get(&(Some(area), other)).copied().unwrap_or(0);
        match placed {
            [] => with(None),
            // The nearest counts most: what comes next stands beside it.
            [.., last] => placed.iter().map(|other| with(Some(*other))).sum::<i64>() + 2 * with(Some(*last)),
        }
    };
    let mut left: Vec<usize> = (0..scene.areas.len()).filter(|area| !is_empty(scene, *area)).collect();
    let mut order: Vec<usize> = Vec::new();
    while let Some(next) = left.iter().copied().max_by_key(|area| (ties(*area, &order), -number(*area))) {
        left.retain(|area| *area != next);
        order.push(next);
    }
    let sizes: Sizes = order.iter().map(|area| (*area, area_size(scene, plan, *area))).collect();
    // Every width at which another VPC comes to stand in the first row, and the one that looks most like a page.
    let mut sum = 0;
    let widths = order.iter().map(|area| {
        sum += sizes.get(area).map_or(0, |(width, _)| *width);
        sum
    });
    widths
        .map(|most| filled(&order, &sizes, most))
        .min_by_key(|shelves| (shape(shelves, &sizes), shelves.len()))
        .unwrap_or_default()
}

type Sizes = BTreeMap<usize, (i64, i64)>;

/// Rows that are as wide at most, or hold one VPC.
fn filled(order: &[usize], sizes: &Sizes, most: i64) -> Vec<Vec<usize>> {
    let mut shelves: Vec<Vec<usize>> = Vec::new();
    let mut used = 0;
    for area in order {
        let width = sizes.get(area).map_or(0, |(width, _)| *width);
        match shelves.last_mut() {
            Some(shelf) if used + width <= most => shelf.push(*area),
            _ => {
                used = 0;
                shelves.push(vec![*area]);
            }
        }
        used += width;
    }
    shelves
}

/// How far rows are from the shape of a page.
fn shape(shelves: &[Vec<usize>], sizes: &Sizes) -> i64 {
    let of = |shelf: &Vec<usize>| {
        let sizes: Vec<(i64, i64)> = shelf.iter().filter_map(|area| sizes.get(area)).copied().collect();
        let height = sizes.iter().map(|size| size.1).max().unwrap_or(0);
        (sizes.iter().map(|size| size.0).sum::<i64>(), height + BAND)
    };
    let width = shelves.iter().map(|shelf| of(shelf).0).max().unwrap_or(0);
    let height: i64 = shelves.iter().map(|shelf| of(shelf).1).sum::<i64>() + 3 * BAND;
    off(width, height)
}

/// How far a width and a height are from the shape of a page, in hundredths; the nearest is 100.
fn off(width: i64, height: i64) -> i64 {
    let (width, height) = (width * 10, height * RATIO);
    width.max(height) * 100 / width.min(height).max(1)
}

fn is_empty(scene: &Scene<'_>, area: usize) -> bool {
    scene.areas.get(area).is_none_or(|area| area.bands.is_empty())
}

fn area_size(scene: &Scene<'_>, plan: &Plan, area: usize) -> (i64, i64) {
    let bands = scene.areas.get(area).map(|area| area.bands.as_slice()).unwrap_or_default();
    let sizes: Vec<usize> =
        bands.iter().filter_map(|band| scene.bands.get(*band)).map(|band| band.cells.len()).collect();
    size(&sizes, plan.columns.get(area).copied().unwrap_or(1))
}

/// Puts each box near the middle of what it has lines to, a few times, and keeps the best.
fn settle(scene: &Scene<'_>, plan: &mut Plan) {
    let frame = Frame::of(scene, plan);
    for band in 0..scene.bands.len() {
        place(scene, plan, &frame, band, None);
    }
    let mut near: BTreeMap<Node, Vec<Node>> = BTreeMap::new();
    for (from, to) in &scene.links {
        near.entry(*from).or_default().push(*to);
        near.entry(*to).or_default().push(*from);
    }
    let mut best = (length(scene, plan, &frame, &near), plan.slots.clone());
    let mut order: Vec<usize> =
        plan.shelves.iter().flatten().filter_map(|area| plan.bands.get(*area)).flatten().copied().collect();
    for _ in 0..PASSES {
        for band in &order {
            place(scene, plan, &frame, *band, Some(&near));
        }
        let length = length(scene, plan, &frame, &near);
        if length < best.0 {
            best = (length, plan.slots.clone());
        }
        order.reverse();
    }
    plan.slots = best.1;
}

/// About where everything is.
pub(super) struct Frame {
    areas: Vec<(i64, i64)>,
    bands: Vec<i64>,
    widths: Vec<i64>,
}

impl Frame {
    pub(super) fn of(scene: &Scene<'_>, plan: &Plan) -> Self {
        let widths = (0..scene.areas.len()).map(|area| area_size(scene, plan, area).0).collect();
        let mut frame =
            Self { areas: vec![(0, 0); scene.areas.len()], bands: vec![0; scene.bands.len()], widths };
        let mut top = 2 * BOX.1;
        for shelf in &plan.shelves {
            let (mut left, mut height) = (0, 0);
            for area in shelf {
                let size = area_size(scene, plan, *area);
                if let Some(at) = frame.areas.get_mut(*area) {
                    *at = (left, top);
                }
                let mut y = top + AREA.1;
                for band in plan.bands.get(*area).into_iter().flatten() {
                    if let Some(at) = frame.bands.get_mut(*band) {
                        *at = y;
                    }
                    y += number(plan.rows.get(*band).copied().unwrap_or(1)) * BOX.1 + BAND;
                }
                left += size.0;
                height = height.max(size.1);
            }
            top += height + BAND;
        }
        frame
    }

    /// The left edge of a VPC, about.
    pub(super) fn left(&self, area: usize) -> Option<i64> {
        self.areas.get(area).map(|at| at.0)
    }

    /// The right edge of a VPC, about.
    pub(super) fn right(&self, area: usize) -> Option<i64> {
        Some(self.left(area)? + self.widths.get(area)?)
    }

    /// The middle of a box, about.
    pub(super) fn at(&self, scene: &Scene<'_>, slots: &[Slot], node: Node) -> Option<(i64, i64)> {
        let Node::Cell(number_of_cell) = node else { return None };
        let slot = slots.get(number_of_cell)?;
        let band = scene.cells.get(number_of_cell)?.band;
        let area = scene.bands.get(band)?.area;
        let x = self.areas.get(area)?.0 + number(slot.column) * BOX.0 + (BOX.0 + AREA.0) / 2;
        Some((x, self.bands.get(band)? + number(slot.row) * BOX.1))
    }
}

type Near = BTreeMap<Node, Vec<Node>>;

/// The middle of what a box has lines to. The outside is above, wherever it will be.
fn middle(scene: &Scene<'_>, plan: &Plan, frame: &Frame, near: &Near, cell: usize) -> Option<(i64, i64)> {
    let (mut sum, mut count) = ((0, 0), 0);
    for other in near.get(&Node::Cell(cell))? {
        // What is outside follows the boxes, so it draws them up and to no side.
        let at = match other {
            Node::Outside(_) => {
                let own = frame.at(scene, &plan.slots, Node::Cell(cell))?;
                (own.0, 0)
            }
            other => frame.at(scene, &plan.slots, *other)?,
        };
        sum = (sum.0 + at.0, sum.1 + at.1);
        count += 1;
    }
    (count > 0).then(|| (sum.0 / count, sum.1 / count))
}

/// Gives every box of a band its slot, in the order of the middles, else of the names.
fn place(scene: &Scene<'_>, plan: &mut Plan, frame: &Frame, band: usize, near: Option<&Near>) {
    let Some(found) = scene.bands.get(band) else { return };
    let columns = plan.columns.get(found.area).copied().unwrap_or(1).max(1);
    let count = found.cells.len();
    let used = count.min(columns).max(1);
    let middles: BTreeMap<usize, (i64, i64)> = near
        .map(|near| {
            let middle = |cell: &usize| Some((*cell, middle(scene, plan, frame, near, *cell)?));
            found.cells.iter().filter_map(middle).collect()
        })
        .unwrap_or_default();
    let now = |cell: usize| frame.at(scene, &plan.slots, Node::Cell(cell)).unwrap_or_default();
    let mut order = found.cells.clone();
    if near.is_some() {
        order.sort_by_cached_key(|cell| (middles.get(cell).copied().unwrap_or_else(|| now(*cell)).0, *cell));
    }
    let left = frame.areas.get(found.area).map_or(0, |area| area.0);
    let free = number(columns - used);
    let first = if middles.is_empty() {
        free / 2
    } else {
        let mean = middles.values().map(|middle| middle.0).sum::<i64>() / number(middles.len());
        ((mean - left - AREA.0 / 2) * 2 - number(used) * BOX.0 + BOX.0).div_euclid(2 * BOX.0).clamp(0, free)
    };
    let first = usize::try_from(first).unwrap_or(0);
    let mut rest = order.into_iter();
    for column in 0..used {
        let mut chosen: Vec<usize> =
            rest.by_ref().take(count / used + usize::from(column < count % used)).collect();
        chosen.sort_by_cached_key(|cell| (middles.get(cell).map_or(i64::MAX, |middle| middle.1), *cell));
        for (row, cell) in chosen.into_iter().enumerate() {
            if let Some(slot) = plan.slots.get_mut(cell) {
                *slot = Slot { column: first + column, row };
            }
        }
    }
}

/// How long all lines are together, about.
fn length(scene: &Scene<'_>, plan: &Plan, frame: &Frame, near: &Near) -> i64 {
    let mut sum = 0;
    for (from, others) in near {
        let Some(a) = frame.at(scene, &plan.slots, *from) else { continue };
        for other in others {
            if let Some(b) = frame.at(scene, &plan.slots, *other) {
                sum += (a.0 - b.0).abs() + (a.1 - b.1).abs();
            }
        }
    }
    sum
}
