//! Rectangles and lines in pixels, and all of a picture's with their coordinates.

use crate::Vpc;
use crate::grouping::Node;
use crate::text::{Letters, width};

/// The space round the whole.
pub const MARGIN: i32 = 24;

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
