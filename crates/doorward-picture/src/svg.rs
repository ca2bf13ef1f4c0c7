//! Writing: the layout as SVG text for a file or a page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::geometry::{Laid, MARGIN, Path, Rect};
use crate::grouping::{Line, Node, Scene};
use crate::label::Label;
use crate::legend::legend;
use crate::text::{Letters, cut, escape, width};
use crate::{Click, Drawing, Kind, Setting};

/// The radius of a line's corners.
const CORNER: i32 = 9;

/// Writes.
pub fn write(
    drawing: &Drawing,
    scene: &Scene<'_>,
    laid: &Laid,
    labels: &[Label],
    setting: &Setting<'_>,
) -> String {
    let legend = legend(drawing, scene, laid);
    let margin = laid.graded(MARGIN);
    let height = laid.legend + legend.height + margin;
    let ends = |line: &Line<'_>| [line.from, line.to];
    let busy = scene
        .links
        .iter()
        .flat_map(|(from, to)| [*from, *to])
        .chain(scene.loops.iter().flat_map(ends))
        .collect();
    let mut page = Writer { out: String::new(), drawing, scene, laid, setting, busy };
    page.open(height);
    page.ground();
    page.lines();
    page.heads();
    page.boxes();
    page.waiting();
    page.labels(labels);
    let _ = writeln!(
        page.out,
        "<g class=\"legend\" transform=\"translate(0 {})\">{}</g></svg>",
        laid.legend + margin / 2,
        legend.text
    );
    page.out
}

pub(crate) struct Writer<'a> {
    pub(crate) out: String,
    pub(crate) drawing: &'a Drawing,
    pub(crate) scene: &'a Scene<'a>,
    pub(crate) laid: &'a Laid,
    pub(crate) setting: &'a Setting<'a>,
    /// What has a line at all.
    pub(crate) busy: BTreeSet<Node>,
}

/// `count` of something, in words.
pub(crate) fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// The class and the id by which a thing and its lines know each other.
pub(crate) fn mark(node: Node) -> String {
    match node {
        Node::Outside(place) => format!("o{place}"),
        Node::Cell(cell) => format!("c{cell}"),
        Node::Band(band) => format!("b{band}"),
    }
}

impl Writer<'_> {
    /// What a picture says of itself in a line.
    fn summary(&self) -> String {
        let vpcs = self.drawing.vpcs.len();
        let roles: usize =
            self.drawing.vpcs.iter().flat_map(|vpc| &vpc.tiers).map(|tier| tier.roles.len()).sum();
        format!(
            "{} · {} · {}",
            counted(vpcs, "VPC"),
            counted(roles, "role"),
            counted(self.drawing.edges.len(), "path")
        )
    }

    fn open(&mut self, height: i32) {
        let width = self.laid.width;
        let (role, title) = match self.setting {
            // What has links in it is more than an image to those who do not see it.
            Setting::Page(_) => ("group", ""),
            Setting::File => ("img", "xmlns=\"http://www.w3.org/2000/svg\" "),
        };
        let _ = write!(
            self.out,
            "<svg {title}class=\"picture\" role=\"{role}\" aria-labelledby=\"picture-title picture-about\" \
             viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
             <title id=\"picture-title\">{}</title>\n<desc id=\"picture-about\">{}. \
             Boxes are roles, and lines are allowed traffic between them.</desc>\n",
            escape(&self.drawing.title),
            escape(&self.summary()),
        );
        if matches!(self.setting, Setting::File) {
            let _ = write!(self.out, "<style>\n{}{}</style>\n", crate::STYLE, self.tips());
        }
        self.out.push_str("<defs>");
        let tip = self.laid.graded(10);
        for kind in Kind::ALL {
            let class = kind.class();
            let _ = write!(
                self.out,
                "<marker id=\"to-{class}\" class=\"tip {class}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" \
                 markerWidth=\"{tip}\" markerHeight=\"{tip}\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
                 <path d=\"M0 1L9 5L0 9L2 5Z\"/></marker>"
            );
        }
        let title = Letters::Heavy(self.laid.graded(20));
        let (about, margin) = (self.laid.graded(11), self.laid.graded(MARGIN));
        let _ = write!(
            self.out,
            "</defs>\n<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n\
             <text class=\"name\" font-size=\"{}\" x=\"{margin}\" y=\"{}\">{}</text>\
             <text class=\"small\" font-size=\"{about}\" x=\"{margin}\" y=\"{}\">{}</text>\n",
            title.size(),
            self.laid.graded(36),
            escape(&cut(&self.drawing.title, title, width - 2 * margin)),
            self.laid.graded(57),
            escape(&self.summary()),
        );
    }

    /// Without scripts: the lines of a box stand out while somebody points at it.
    fn tips(&self) -> String {
        let nodes = (0..self.scene.cells.len()).map(Node::Cell);
        let nodes = nodes.chain((0..self.scene.outside.len()).map(Node::Outside));
        nodes.fold(String::new(), |mut rules, node| {
            let mark = mark(node);
            let _ = writeln!(rules, ".picture:has(#{mark}:hover) .wire.{mark}{{opacity:1;display:inline}}");
            rules
        })
    }

    fn lines(&mut self) {
        // In tenths, because lines grow more slowly than titles.
        let stroke = 10 + self.laid.grade * 6 / 100;
        let _ = writeln!(self.out, "<g class=\"lines\" stroke-width=\"{}.{}\">", stroke / 10, stroke % 10);
        for path in &self.laid.paths {
            let Some(line) = self.scene.lines.get(path.line) else { continue };
            self.line(line, &curve(path, self.laid.graded(CORNER)), "");
        }
        for line in &self.scene.loops {
            let Some(rect) = self.laid.rect(line.from) else { continue };
            let (x, y) = (rect.right(), rect.y + rect.h / 2);
            self.line(line, &format!("M{x} {}c16 -5 16 21 0 16", y - 8), "loop");
        }
        self.out.push_str("</g>\n");
    }

    fn line(&mut self, line: &Line<'_>, d: &str, class: &str) {
        let kind = line.kind.class();
        let wide = self.laid.graded(3);
        let mut look = if line.is_bundle() { format!(" stroke-width=\"{wide}\"") } else { String::new() };
        if line.dashed {
            look.push_str(&self.dashes(line.is_bundle()));
        }
        let many = if line.is_bundle() { " many" } else { "" };
        let class = if class.is_empty() { String::new() } else { format!(" {class}") };
        let (from, to) = (mark(line.from), mark(line.to));
        let link = self.link(line);
        let tag = match &link {
            Some(link) => {
                let _ = write!(self.out, "<a href=\"{}\"", escape(link));
                "a"
            }
            None => {
                self.out.push_str("<g");
                "g"
            }
        };
        let _ = write!(
            self.out,
            " class=\"wire {kind}{many}{class} {from} {to}\"><title>{}</title>",
            escape(&self.tip(line))
        );
        let _ = writeln!(
            self.out,
            "<path class=\"hit\" d=\"{d}\"/><path class=\"ink\"{look} d=\"{d}\" marker-end=\"url(#to-{kind})\"/></{tag}>"
        );
    }

    /// Dashes of a thin or a broad line.
    fn dashes(&self, broad: bool) -> String {
        let by = if broad { 2 } else { 1 };
        format!(" stroke-dasharray=\"{} {}\"", self.laid.graded(5 * by), self.laid.graded(4 * by))
    }

    fn link(&self, line: &Line<'_>) -> Option<String> {
        let Setting::Page(link) = self.setting else { return None };
        match line.edges.as_slice() {
            [edge] => link(Click::Edge(edge)),
            [first, ..] if line.is_bundle() => link(Click::Between(first.from, first.to)),
            [first, ..] => link(Click::Edge(first)),
            [] => None,
        }
    }

    /// What an end of a line is called.
    fn called(&self, node: Node) -> String {
        match node {
            Node::Outside(number) => {
                self.scene.outside.get(number).map(|(_, outside)| outside.name.clone()).unwrap_or_default()
            }
            Node::Cell(cell) => match self.scene.cells.get(cell).map(|cell| cell.roles.as_slice()) {
                Some([role]) => role.name.clone(),
                Some([first, rest @ ..]) => format!("{} and {} similar", first.name, rest.len()),
                _ => String::new(),
            },
            Node::Band(band) => {
                let title = self.scene.bands.get(band).map(|band| band.tier.title.clone());
                title.unwrap_or_default()
            }
        }
    }

    fn tip(&self, line: &Line<'_>) -> String {
        let mut tip = format!("{} → {}", self.called(line.from), self.called(line.to));
        if line.from == line.to {
            tip = format!("between those of {}", self.called(line.from));
        }
        if line.is_bundle() {
            let _ = write!(tip, "\n{}", counted(line.edges.len(), "path"));
        }
        let flows = line.flows();
        if !flows.is_empty() {
            let _ = write!(
                tip,
                "{} {}",
                if line.is_bundle() { ":" } else { "\n" },
                cut(&flows, Letters::Plain(10), 1200)
            );
        }
        if line.edges.iter().any(|edge| !edge.whole) {
            tip.push_str("\nnot between all of them");
        }
        if line.edges.iter().any(|edge| !edge.perhaps.is_empty()) {
            tip.push_str("\nmore may be allowed: parts of the inventory are missing");
        }
        tip
    }

    /// The lines that are shown while somebody looks at one of their ends: straight over everything.
    fn waiting(&mut self) {
        if self.scene.waiting.is_empty() {
            return;
        }
        let _ = writeln!(self.out, "<g class=\"waiting\" stroke-width=\"{}\">", self.laid.graded(2));
        for line in &self.scene.waiting {
            let (Some(a), Some(b)) = (self.laid.rect(line.from), self.laid.rect(line.to)) else { continue };
            let kind = line.kind.class();
            let dashes = if line.dashed { self.dashes(false) } else { String::new() };
            let _ = writeln!(
                self.out,
                "<path class=\"wire {kind} {} {}\"{dashes} d=\"{}\" marker-end=\"url(#to-{kind})\"/>",
                mark(line.from),
                mark(line.to),
                over(a, b)
            );
        }
        self.out.push_str("</g>\n");
    }

    /// What passes within a tier, as a number at the end of its title.
    fn within(&mut self) {
        let mut rights: BTreeMap<Node, i32> = BTreeMap::new();
        for line in &self.scene.within {
            let Some(rect) = self.laid.rect(line.from) else { continue };
            let words = format!("{} within", line.bundles);
            let letters = Letters::Heavy(self.laid.graded(11));
            let (wide, high) = (width(&words, letters) + self.laid.graded(12), self.laid.graded(16));
            let right = rights.entry(line.from).or_insert(rect.right() - 8);
            let (x, y) = (*right - wide, rect.y + self.laid.graded(6));
            *right = x - 6;
            let (tag, end) = match self.link(line) {
                Some(link) => (format!("<a href=\"{}\"", escape(&link)), "a"),
                None => ("<g".into(), "g"),
            };
            let _ = writeln!(
                self.out,
                "{tag} class=\"label count within {}\"><title>{}</title>\
                 <rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\" rx=\"{}\"/>\
                 <text x=\"{}\" y=\"{}\">{words}</text></{end}>",
                line.kind.class(),
                escape(&self.tip(line)),
                high / 2,
                x + wide / 2,
                y + high * 3 / 4,
            );
        }
    }

    fn labels(&mut self, labels: &[Label]) {
        let _ = writeln!(self.out, "<g class=\"labels\" font-size=\"{}\">", self.laid.graded(11));
        self.within();
        for label in labels {
            let Rect { x, y, w, h } = label.rect;
            let kind = label.kind.class();
            let class = if label.count { "label count" } else { "label" };
            let _ = writeln!(
                self.out,
                "<g class=\"{class} {kind}\"><rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{}\"/>\
                 <text x=\"{}\" y=\"{}\">{}</text></g>",
                h / 2,
                x + w / 2,
                y + h * 3 / 4,
                escape(&label.text)
            );
        }
        self.out.push_str("</g>\n");
    }
}

/// A line with round corners.
fn curve(path: &Path, corner: i32) -> String {
    let mut d = String::new();
    let points = &path.points;
    for (place, point) in points.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|before| points.get(before));
        let after = points.get(place + 1);
        let (Some(before), Some(after)) = (before, after) else {
            let _ = write!(d, "{}{} {}", if place == 0 { "M" } else { "L" }, point.0, point.1);
            continue;
        };
        let long = |a: &(i32, i32), b: &(i32, i32)| (a.0 - b.0).abs() + (a.1 - b.1).abs();
        let round = corner.min(long(before, point) / 2).min(long(point, after) / 2);
        let towards = |to: &(i32, i32)| {
            (point.0 + (to.0 - point.0).signum() * round, point.1 + (to.1 - point.1).signum() * round)
        };
        let (a, b) = (towards(before), towards(after));
        let _ = write!(d, "L{} {}Q{} {} {} {}", a.0, a.1, point.0, point.1, b.0, b.1);
    }
    d
}

/// A curve from one box to another, over whatever is between.
fn over(a: Rect, b: Rect) -> String {
    let (from, to) = (a.middle(), b.middle());
    if a.bottom() <= b.y || b.bottom() <= a.y {
        let (y, z) = if a.bottom() <= b.y { (a.bottom(), b.y) } else { (a.y, b.bottom()) };
        let half = (y + z) / 2;
        return format!("M{} {y}C{} {half} {} {half} {} {z}", from.0, from.0, to.0, to.0);
    }
    let (x, z) = if from.0 < to.0 { (a.right(), b.x) } else { (a.x, b.right()) };
    let low = from.1.max(to.1) + 40;
    format!("M{x} {}C{x} {low} {z} {low} {z} {}", from.1, to.1)
}
