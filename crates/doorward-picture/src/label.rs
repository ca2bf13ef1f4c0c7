//! Labels: the allowed traffic, written on the lines where there is room for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::Kind;
use crate::geometry::{Laid, Path, Rect};
use crate::grouping::{FEW_LINES, Scene};
use crate::route::FEW;
use crate::text::{Letters, cut, width};

/// The size of a label's letters, its height, and the room beside its letters.
const SIZE: i32 = 11;
const HEIGHT: i32 = 15;
const BESIDE: i32 = 5;
/// The widest label.
const WIDEST: i32 = 160;
/// A label may hide so many pieces of other lines.
const HIDES: usize = 1;

/// A label on a line.
#[derive(Debug, Clone)]
pub struct Label {
    /// Where it stands.
    pub rect: Rect,
    /// What it says.
    pub text: String,
    /// Its line's kind.
    pub kind: Kind,
    /// Whether it counts what a line stands for.
    pub count: bool,
}

/// A straight piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    from: (i32, i32),
    to: (i32, i32),
}

impl Piece {
    fn of(path: &Path) -> impl Iterator<Item = Self> + '_ {
        let pairs = path.points.iter().zip(path.points.iter().skip(1));
        pairs.map(|(a, b)| Self { from: *a.min(b), to: *a.max(b) })
    }

    fn is_level(self) -> bool {
        self.from.1 == self.to.1
    }

    fn long(self) -> i32 {
        self.to.0 - self.from.0 + self.to.1 - self.from.1
    }

    fn rect(self) -> Rect {
        Rect {
            x: self.from.0 - 1,
            y: self.from.1 - 1,
            w: self.to.0 - self.from.0 + 2,
            h: self.to.1 - self.from.1 + 2,
        }
    }
}

/// The labels that have room.
pub fn labels(scene: &Scene<'_>, laid: &Laid) -> Vec<Label> {
    let few = scene.lines.len() <= FEW;
    let mut wanted: BTreeMap<(usize, Option<usize>), Vec<&Path>> = BTreeMap::new();
    for path in &laid.paths {
        let Some(line) = scene.lines.get(path.line) else { continue };
        if line.is_bundle() {
            wanted.entry((path.trunk, Some(path.line))).or_default().push(path);
        } else if few || scene.lines.len() <= FEW_LINES {
            wanted.entry((path.trunk, None)).or_default().push(path);
        }
    }
    let pieces: Vec<(usize, usize, Piece)> = laid
        .paths
        .iter()
        .flat_map(|path| Piece::of(path).map(|piece| (path.trunk, path.line, piece)))
        .collect();
    let letters = Letters::Heavy(laid.graded(SIZE));
    let height = laid.graded(HEIGHT);
    let mut taken = taken(scene, laid);
    let mut labels: Vec<Label> = Vec::new();
    for ((trunk, number), paths) in wanted {
        let Some(line) = paths.first().and_then(|path| scene.lines.get(path.line)) else { continue };
        let counts = line.is_bundle();
        let flows: BTreeSet<String> =
            paths.iter().filter_map(|path| scene.lines.get(path.line)).map(|line| line.flows()).collect();
        let text = if counts {
            line.bundles.to_string()
        } else if flows.len() == 1 {
            cut(&line.label(), letters, laid.graded(WIDEST)).into_owned()
        } else {
            continue;
        };
        if text.is_empty() {
            continue;
        }
        let wide = width(&text, letters) + 2 * laid.graded(BESIDE);
        let own: BTreeSet<Piece> = paths.iter().flat_map(|path| Piece::of(path)).collect();
        // A number has to stand where its line runs alone: beside others it would be taken for theirs.
        let others: Vec<Rect> = pieces
            .iter()
            .filter(|(other, line, _)| *other != trunk || (counts && number != Some(*line)))
            .map(|(.., piece)| piece.rect())
            .collect();
        let best = own
            .iter()
            .flat_map(|piece| candidates(*piece, wide, height))
            .filter(|(rect, _)| !taken.iter().any(|other| other.meets(*rect)))
            .map(|(rect, cost)| (others.iter().filter(|other| other.meets(rect)).count(), cost, rect))
            .min_by_key(|(hidden, cost, rect)| (*hidden, *cost, rect.y, rect.x));
        let Some((hidden, _, rect)) = best else { continue };
        if hidden > HIDES && !counts {
            continue;
        }
        taken.push(Rect { x: rect.x - 2, y: rect.y - 1, w: rect.w + 4, h: rect.h + 2 });
        labels.push(Label { rect, text, kind: line.kind, count: counts });
    }
    labels
}

/// Where a label could stand on a piece, and how little that is liked.
fn candidates(piece: Piece, width: i32, height: i32) -> Vec<(Rect, i32)> {
    let fits = if piece.is_level() { width + 14 } else { height + 12 };
    let spare = piece.long() - fits;
    if spare < 0 {
        return Vec::new();
    }
    let dislike = if piece.is_level() { 0 } else { 40 } - piece.long().min(300) / 10;
    (0..=8)
        .map(|eighth| {
            let along = fits / 2 + spare * eighth / 8;
            let middle = if piece.is_level() {
                (piece.from.0 + along, piece.from.1)
            } else {
                (piece.from.0, piece.from.1 + along)
            };
            let rect = Rect { x: middle.0 - width / 2, y: middle.1 - height / 2, w: width, h: height };
            (rect, dislike + (eighth - 4).abs())
        })
        .collect()
}

/// Where no label may stand: boxes, and what is written on the ground.
fn taken(scene: &Scene<'_>, laid: &Laid) -> Vec<Rect> {
    let mut taken: Vec<Rect> = laid.cells.iter().chain(&laid.outside).copied().collect();
    let (_, title, about) = laid.letters();
    for (area, rect) in scene.areas.iter().zip(&laid.areas) {
        let wide = (laid.head_width(area.vpc) + laid.graded(40)).min(rect.w);
        taken.push(Rect { x: rect.x, y: rect.y, w: wide, h: laid.graded(46) });
    }
    for (band, rect) in scene.bands.iter().zip(&laid.bands) {
        let wide = width(&band.tier.title, title) + width(&band.tier.about, about) + laid.graded(30);
        taken.push(Rect { x: rect.x, y: rect.y, w: wide.min(rect.w), h: laid.graded(24) });
        let right = scene.within.iter().filter(|line| line.from == line.to).count();
        if right > 0 {
            taken.push(Rect {
                x: rect.right() - laid.graded(110),
                y: rect.y,
                w: laid.graded(110),
                h: laid.graded(26),
            });
        }
    }
    taken
}
