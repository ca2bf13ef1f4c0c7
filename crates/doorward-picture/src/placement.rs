//! The ground: where boxes, bands and VPCs stand, and the corridors between them, each as wide as its lanes need.

use std::collections::BTreeMap;

use crate::geometry::{Laid, MARGIN, Rect};
use crate::grouping::{FEW_LINES, Node, Scene};
use crate::ordering::Plan;
use crate::route::{Corridor, FEW};
use crate::text::{Letters, width};
use crate::tracks::Lanes;

/// The size of a box.
pub const BOX: (i32, i32) = (184, 48);
/// The height of what is outside, and its widths.
const OUTSIDE: i32 = 52;
const OUTSIDE_WIDTHS: (i32, i32) = (150, 300);
/// The heights of the heads of the picture, a VPC, a band.
const HEAD: i32 = 76;
const AREA_HEAD: i32 = 52;
const BAND_HEAD: i32 = 30;
/// The room below a band's last channel and between bands.
const BAND_FOOT: i32 = 2;
const BAND_GAP: i32 = 14;
/// A corridor across its own direction: where it begins, and how wide it is.
#[derive(Debug, Clone, Copy, Default)]
struct Strip {
    at: i32,
    wide: i32,
}

/// Boxes and corridors, without lines.
pub struct Ground {
    /// What stands where; without lines.
    pub laid: Laid,
    strips: BTreeMap<Corridor, Strip>,
    lines: usize,
}

impl Ground {
    /// With corridors for so many lanes, and titles of a size in hundredths.
    pub fn of(scene: &Scene<'_>, plan: &Plan, counts: &BTreeMap<Corridor, usize>, grade: i32) -> Self {
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
            y += ground.strip(Corridor::RowGap(shelf), y, counts);
            let mut x = graded(MARGIN);
            let mut bottom = y;
            for (place, area) in areas.iter().enumerate() {
                if place > 0 || counts.contains_key(&Corridor::AreaGap(shelf, place)) {
                    x += ground.strip(Corridor::AreaGap(shelf, place), x, counts);
                } else {
                    ground.strips.insert(Corridor::AreaGap(shelf, place), Strip { at: x, wide: 0 });
                }
                let rect = ground.area(scene, plan, *area, (x, y), counts);
                x = rect.right();
                bottom = bottom.max(rect.bottom());
            }
            let last = Corridor::AreaGap(shelf, areas.len());
            if counts.contains_key(&last) {
                x += ground.strip(last, x, counts);
            } else {
                ground.strips.insert(last, Strip { at: x, wide: 0 });
            }
            right = right.max(x);
            y = bottom;
        }
        let last = Corridor::RowGap(plan.shelves.len());
        if counts.contains_key(&last) {
            y += ground.strip(last, y, counts);
        }
        ground.laid.legend = y + graded(MARGIN);
        ground.laid.width = right.max(560) + graded(MARGIN);
        ground.outside(scene);
        ground
    }

    /// How wide a lane is.
    fn pitch(&self, corridor: Corridor) -> i32 {
        self.laid.graded(match corridor {
            Corridor::Side(..) => 18,
            Corridor::RowGap(_) | Corridor::Channel(..) if self.lines <= FEW => 17,
            _ if self.lines <= FEW => 12,
            Corridor::RowGap(_) | Corridor::Channel(..) if self.lines <= FEW_LINES => 9,
            _ => 8,
        })
    }

    /// How wide a corridor is that has one lane, or none.
    fn base(&self, corridor: Corridor, used: bool) -> i32 {
        match corridor {
            Corridor::RowGap(_) => self.laid.graded(40),
            Corridor::AreaGap(..) => self.laid.graded(36),
            Corridor::Side(..) => self.laid.graded(18),
            Corridor::Channel(..) if used => 26,
            Corridor::Channel(..) => 14,
            Corridor::ColumnGap(..) if used => 30,
            Corridor::ColumnGap(..) => 20,
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
            x += self.strip(Corridor::ColumnGap(area, column), x, counts);
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
            .map(|(_, outside)| {
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
        let margin = self.laid.graded(MARGIN);
        self.laid.width = self.laid.width.max(total + 2 * margin);
        // From the left as near as the one before allows, then from the right so that the last fits.
        let mut xs = BTreeMap::new();
        let mut x = margin;
        for place in &order {
            x = x.max(wanted(*place) - wide(*place) / 2);
            xs.insert(*place, x);
            x += wide(*place) + gap;
        }
        let mut x = self.laid.width - margin;
        for place in order.iter().rev() {
            let at = xs.get(place).copied().unwrap_or(margin).min(x - wide(*place));
            x = at - gap;
            let (y, h) = (self.laid.graded(HEAD), self.laid.graded(OUTSIDE));
            if let Some(rect) = self.laid.outside.get_mut(*place) {
                *rect = Rect { x: at, y, w: wide(*place), h };
            }
        }
    }

    /// How near two pieces of a lane may come without seeming one.
    pub fn room(&self, corridor: Corridor) -> i32 {
        // Where they turn is known only once everything has its lane.
        let widest = |level: bool| {
            let across = self.strips.iter().filter(|(other, _)| other.is_level() != level);
            across.map(|(_, strip)| strip.wide).max().unwrap_or(0)
        };
        if self.lines <= FEW { widest(corridor.is_level()).min(60) } else { 12 }
    }

    /// The middle of a corridor.
    pub fn middle(&self, corridor: Corridor) -> i32 {
        self.strips.get(&corridor).map_or(0, |strip| strip.at + strip.wide / 2)
    }

    /// Where a trunk runs in a corridor.
    pub fn lane(&self, corridor: Corridor, trunk: usize, lanes: &Lanes) -> i32 {
        let lane = lanes.lane.get(&(corridor, trunk)).copied().unwrap_or(0);
        let count = lanes.count.get(&corridor).copied().unwrap_or(1);
        let offset =
            2 * i32::try_from(lane).unwrap_or(0) - i32::try_from(count.saturating_sub(1)).unwrap_or(0);
        self.middle(corridor) + offset * self.pitch(corridor) / 2
    }
}
