//! Writing: what was laid out, as SVG text that stands in a file or in a page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::fold::{Cell, FEW_LINES, Line, Node, Scene, Why};
use super::label::Label;
use super::layout::{Laid, MARGIN, NOTE, Path, Rect};
use super::text::{cut, escape, width};
use super::{Click, Drawing, Kind, Setting, Spot, Way};

/// The radius of a line's corners.
const CORNER: i32 = 9;
/// The most names that a tip lists.
const NAMES: usize = 24;
/// The height of a row of the legend.
const ROW: i32 = 22;

/// Writes.
pub fn write(
    drawing: &Drawing,
    scene: &Scene<'_>,
    laid: &Laid,
    labels: &[Label],
    setting: &Setting<'_>,
) -> String {
    let names = names(drawing);
    let legend = legend(drawing, scene, laid.width);
    let height = laid.legend + legend.height + MARGIN;
    let mut page = Writer { out: String::new(), drawing, scene, laid, setting, names };
    page.open(height);
    page.ground();
    page.lines();
    page.boxes();
    page.waiting();
    page.labels(labels);
    let _ = write!(page.out, "<g class=\"legend\" transform=\"translate(0 {})\">{}</g></svg>\n", laid.legend, legend.text);
    page.out
}

fn names(drawing: &Drawing) -> BTreeMap<Spot, &str> {
    let outside = drawing.outside.iter().enumerate();
    let outside = outside.map(|(place, outside)| (Spot::Outside(place), outside.name.as_str()));
    let roles = drawing.vpcs.iter().flat_map(|vpc| &vpc.tiers).flat_map(|tier| &tier.roles);
    outside.chain(roles.map(|role| (Spot::Role(role.id), role.name.as_str()))).collect()
}

struct Writer<'a> {
    out: String,
    drawing: &'a Drawing,
    scene: &'a Scene<'a>,
    laid: &'a Laid,
    setting: &'a Setting<'a>,
    names: BTreeMap<Spot, &'a str>,
}

/// `count` of something, in words.
fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// The class and the id by which a thing and its lines know each other.
fn mark(node: Node) -> String {
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
            counted(self.drawing.ways.len(), "way")
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
             <title id=\"picture-title\">{}</title>\n<desc id=\"picture-about\">{}. {}</desc>\n",
            escape(&self.drawing.title),
            escape(&self.summary()),
            "Who can reach what: boxes are roles, lines are what passes between them.",
        );
        if matches!(self.setting, Setting::File) {
            let _ = write!(self.out, "<style>\n{}{}</style>\n", super::STYLE, self.tips());
        }
        self.out.push_str("<defs>");
        for kind in Kind::ALL {
            let class = kind.class();
            let _ = write!(
                self.out,
                "<marker id=\"to-{class}\" class=\"tip {class}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" \
                 markerWidth=\"10\" markerHeight=\"10\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
                 <path d=\"M0 1L9 5L0 9L2 5Z\"/></marker>"
            );
        }
        let _ = write!(
            self.out,
            "</defs>\n<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n\
             <text class=\"title\" x=\"{MARGIN}\" y=\"36\">{}</text>\
             <text class=\"quiet\" x=\"{MARGIN}\" y=\"57\">{}</text>\n",
            escape(&cut(&self.drawing.title, 20, width - 2 * MARGIN)),
            escape(&self.summary()),
        );
    }

    /// Without scripts: the lines of a box stand out while somebody points at it.
    fn tips(&self) -> String {
        let nodes = (0..self.scene.cells.len()).map(Node::Cell);
        let nodes = nodes.chain((0..self.scene.outside.len()).map(Node::Outside));
        nodes.fold(String::new(), |mut rules, node| {
            let mark = mark(node);
            let _ = writeln!(rules, ".picture:has(#{mark}:hover) .way.{mark}{{opacity:1;display:inline}}");
            rules
        })
    }

    fn ground(&mut self) {
        for (area, rect) in self.scene.areas.iter().zip(&self.laid.areas) {
            if area.bands.is_empty() {
                continue;
            }
            let name = area.vpc.name.as_deref().unwrap_or(&area.vpc.id);
            let name = cut(name, 15, rect.w - 28);
            let _ = write!(
                self.out,
                "<g class=\"vpc\"><title>{}</title>{}<text class=\"name\" x=\"{}\" y=\"{}\">{}",
                escape(&std::iter::once(&area.vpc.id).chain(&area.vpc.about).map(String::as_str).collect::<Vec<_>>().join("\n")),
                shape(*rect, 14),
                rect.x + 16,
                rect.y + 24,
                escape(&name),
            );
            let left = rect.w - 40 - width(&name, 15);
            if area.vpc.name.is_some() && width(&area.vpc.id, 11) <= left {
                let _ = write!(self.out, "<tspan class=\"quiet\" dx=\"8\">{}</tspan>", escape(&area.vpc.id));
            }
            let _ = write!(
                self.out,
                "</text><text class=\"quiet\" x=\"{}\" y=\"{}\">{}</text></g>\n",
                rect.x + 16,
                rect.y + 41,
                escape(&cut(&area.vpc.about.join(" · "), 11, rect.w - 32)),
            );
        }
        for (number, (band, rect)) in self.scene.bands.iter().zip(&self.laid.bands).enumerate() {
            let title = cut(&band.tier.title, 12, rect.w - 24);
            let _ = write!(
                self.out,
                "<g class=\"tier\" id=\"{}\"><title>{}</title>{}<text class=\"name\" x=\"{}\" y=\"{}\">{}",
                mark(Node::Band(number)),
                escape(&format!("{}\n{}\n{}", band.tier.title, band.tier.about, band.tier.subnets.join(", "))),
                shape(*rect, 10),
                rect.x + 12,
                rect.y + 19,
                escape(&title),
            );
            let left = rect.w - 34 - width(&title, 12);
            if left > 60 {
                let about = cut(&band.tier.about, 11, left);
                let _ = write!(self.out, "<tspan class=\"quiet\" dx=\"7\">{}</tspan>", escape(&about));
            }
            self.out.push_str("</text></g>\n");
        }
    }

    fn lines(&mut self) {
        self.out.push_str("<g class=\"lines\">\n");
        for path in &self.laid.paths {
            let Some(line) = self.scene.lines.get(path.line) else { continue };
            self.line(line, &curve(path), "");
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
        let dashed = if line.dashed { " dashed" } else { "" };
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
            " class=\"way {kind}{dashed}{many}{class} {from} {to}\"><title>{}</title>",
            escape(&self.tip(line))
        );
        let _ = write!(
            self.out,
            "<path class=\"hit\" d=\"{d}\"/><path d=\"{d}\" marker-end=\"url(#to-{kind})\"/></{tag}>\n"
        );
    }

    fn link(&self, line: &Line<'_>) -> Option<String> {
        let Setting::Page(link) = self.setting else { return None };
        match line.ways.as_slice() {
            [way] => link(Click::Way(way)),
            [first, ..] if line.is_bundle() => link(Click::Between(first.from, first.to)),
            [first, ..] => link(Click::Way(first)),
            [] => None,
        }
    }

    fn name(&self, spot: Spot) -> &str {
        self.names.get(&spot).copied().unwrap_or_default()
    }

    /// What an end of a line is called.
    fn called(&self, node: Node) -> String {
        match node {
            Node::Outside(place) => self.name(Spot::Outside(place)).to_owned(),
            Node::Cell(cell) => match self.scene.cells.get(cell).map(|cell| cell.roles.as_slice()) {
                Some([role]) => role.name.clone(),
                Some([first, rest @ ..]) => format!("{} and {} like it", first.name, rest.len()),
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
            let _ = write!(tip, "\n{}", counted(line.ways.len(), "way"));
        }
        let flows = line.flows();
        if !flows.is_empty() {
            let _ = write!(tip, "{} {}", if line.is_bundle() { ":" } else { "\n" }, cut(&flows, 10, 1200));
        }
        if line.ways.iter().any(|way| !way.whole) {
            tip.push_str("\nnot between all of them");
        }
        if line.ways.iter().any(|way| way.uncertain) {
            tip.push_str("\nwhat could not be seen may let more through");
        }
        tip
    }

    fn boxes(&mut self) {
        self.out.push_str("<g class=\"boxes\">\n");
        for (place, (outside, rect)) in self.scene.outside.iter().zip(&self.laid.outside).enumerate() {
            let class = if outside.internet { "outside internet" } else { "outside" };
            self.enter(Node::Outside(place), class, Some(Spot::Outside(place)));
            let _ = write!(
                self.out,
                "<title>{}</title>{}{}<text class=\"name\" x=\"{}\" y=\"{}\">{}</text>\
                 <text class=\"quiet\" x=\"{}\" y=\"{}\">{}</text>",
                escape(&format!("{}\n{}", outside.name, outside.about)),
                shape(*rect, rect.h / 2),
                globe(rect.x + 24, rect.y + rect.h / 2, 10),
                rect.x + 42,
                rect.y + 23,
                escape(&cut(&outside.name, 14, rect.w - 54)),
                rect.x + 42,
                rect.y + 39,
                escape(&cut(&outside.about, 11, rect.w - 54)),
            );
            self.leave();
        }
        for (number, (cell, rect)) in self.scene.cells.iter().zip(&self.laid.cells).enumerate() {
            self.cell(number, cell, *rect);
        }
        self.out.push_str("</g>\n");
    }

    fn enter(&mut self, node: Node, class: &str, spot: Option<Spot>) {
        let link = match (self.setting, spot) {
            (Setting::Page(link), Some(spot)) => link(Click::Spot(spot)),
            _ => None,
        };
        let mark = mark(node);
        let _ = match link {
            Some(link) => write!(self.out, "<a id=\"{mark}\" class=\"node {class}\" href=\"{}\">", escape(&link)),
            None => write!(self.out, "<a id=\"{mark}\" class=\"node {class}\">"),
        };
    }

    fn leave(&mut self) {
        self.out.push_str("</a>\n");
    }

    fn cell(&mut self, number: usize, cell: &Cell<'_>, rect: Rect) {
        let many = cell.why != Why::Alone;
        let (name, about, class) = match (cell.why, cell.roles.as_slice()) {
            (Why::Alone, [role]) => {
                let groups = role.groups.join(", ");
                (role.name.clone(), if groups.is_empty() { "no group".into() } else { groups }, "role")
            }
            (why, roles) => {
                let about = match why {
                    Why::Idle if self.drawing.part => "with no way in this part",
                    Why::Idle => "with no way in or out",
                    Why::Unreached => "that nothing reaches",
                    Why::Alike | Why::Alone => "with the same ways",
                };
                let class = if why == Why::Idle { "role folded idle" } else { "role folded" };
                (format!("{} roles", roles.len()), about.to_owned(), class)
            }
        };
        let idle = !many
            && !self.scene.links.iter().chain(self.scene.loops.iter().map(|l| (l.from, l.to)).collect::<Vec<_>>().iter()).any(|(from, to)| [*from, *to].contains(&Node::Cell(number)));
        let class = if idle { "role idle" } else { class };
        let spot = match cell.roles.as_slice() {
            [role] => Some(Spot::Role(role.id)),
            // One stands for all: their ways are the same.
            [role, ..] if cell.why != Why::Idle => Some(Spot::Role(role.id)),
            _ => None,
        };
        let public = cell.roles.iter().any(|role| role.public);
        let members: usize = cell.roles.iter().map(|role| role.members).sum();
        self.enter(Node::Cell(number), class, spot);
        let _ = write!(self.out, "<title>{}</title>", escape(&tip_of(cell)));
        if many {
            let behind = Rect { x: rect.x + 4, y: rect.y + 4, ..rect };
            let _ = write!(self.out, "<g class=\"behind\">{}</g>", shape(behind, 8));
        }
        let count = if members > 1 && !many { format!("×{members}") } else { String::new() };
        let right = rect.right() - 12;
        let used = if public { 20 } else { 0 } + if count.is_empty() { 0 } else { width(&count, 11) + 6 };
        let _ = write!(
            self.out,
            "{}<text class=\"name\" x=\"{}\" y=\"{}\">{}</text><text class=\"quiet\" x=\"{}\" y=\"{}\">{}</text>",
            shape(rect, 8),
            rect.x + 12,
            rect.y + 20,
            escape(&cut(&name, 13, rect.w - 24 - used)),
            rect.x + 12,
            rect.y + 37,
            escape(&cut(&about, 11, rect.w - 24)),
        );
        if public {
            self.out.push_str(&globe(right - 6, rect.y + 16, 6));
        }
        if !count.is_empty() {
            let x = if public { right - 18 } else { right };
            let _ = write!(self.out, "<text class=\"quiet count\" x=\"{x}\" y=\"{}\">{count}</text>", rect.y + 20);
        }
        self.leave();
    }

    /// The lines that are shown while somebody looks at one of their ends: straight over everything.
    fn waiting(&mut self) {
        if self.scene.waiting.is_empty() {
            return;
        }
        self.out.push_str("<g class=\"waiting\">\n");
        for line in &self.scene.waiting {
            let (Some(a), Some(b)) = (self.laid.rect(line.from), self.laid.rect(line.to)) else { continue };
            let (kind, dashed) = (line.kind.class(), if line.dashed { " dashed" } else { "" });
            let _ = write!(
                self.out,
                "<path class=\"way {kind}{dashed} {} {}\" d=\"{}\" marker-end=\"url(#to-{kind})\"/>\n",
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
            let wide = width(&words, 11) + 12;
            let right = rights.entry(line.from).or_insert(rect.right() - 8);
            let (x, y) = (*right - wide, rect.y + 7);
            *right = x - 6;
            let (tag, end) = match self.link(line) {
                Some(link) => (format!("<a href=\"{}\"", escape(&link)), "a"),
                None => ("<g".into(), "g"),
            };
            let _ = write!(
                self.out,
                "{tag} class=\"label count within {}\"><title>{}</title>\
                 <rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"16\" rx=\"8\"/>\
                 <text x=\"{}\" y=\"{}\">{words}</text></{end}>\n",
                line.kind.class(),
                escape(&self.tip(line)),
                x + wide / 2,
                y + 12,
            );
        }
    }

    fn labels(&mut self, labels: &[Label]) {
        self.out.push_str("<g class=\"labels\">\n");
        self.within();
        for label in labels {
            let Rect { x, y, w, h } = label.rect;
            let kind = label.kind.class();
            let class = if label.count { "label count" } else { "label" };
            let _ = write!(
                self.out,
                "<g class=\"{class} {kind}\"><rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{}\"/>\
                 <text x=\"{}\" y=\"{}\">{}</text></g>\n",
                h / 2,
                x + w / 2,
                y + h - 4,
                escape(&label.text)
            );
        }
        self.out.push_str("</g>\n");
    }
}

/// What is said of a box to whoever points at it.
fn tip_of(cell: &Cell<'_>) -> String {
    match cell.roles.as_slice() {
        [role] => {
            let public = if role.public { ", with a public address" } else { "" };
            let groups = if role.groups.is_empty() { String::new() } else { format!("\n{}", role.groups.join(", ")) };
            format!("{}\n{}{public}{groups}", role.name, counted(role.members, "interface"))
        }
        roles => {
            let names: Vec<&str> = roles.iter().take(NAMES).map(|role| role.name.as_str()).collect();
            let more = roles.len().saturating_sub(NAMES);
            let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
            format!("{} roles\n{}{more}", roles.len(), names.join("\n"))
        }
    }
}

fn shape(rect: Rect, round: i32) -> String {
    let Rect { x, y, w, h } = rect;
    format!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{round}\"/>")
}

/// The sign of a public address.
fn globe(x: i32, y: i32, r: i32) -> String {
    let half = (r + 1) / 2;
    format!(
        "<g class=\"globe\"><circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>\
         <ellipse cx=\"{x}\" cy=\"{y}\" rx=\"{half}\" ry=\"{r}\"/><path d=\"M{} {y}h{}\"/></g>",
        x - r,
        2 * r
    )
}

/// A line with round corners.
fn curve(path: &Path) -> String {
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
        let round = CORNER.min(long(before, point) / 2).min(long(point, after) / 2);
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

struct Legend {
    text: String,
    height: i32,
}

/// What the signs mean that are there, and the notes.
fn legend(drawing: &Drawing, scene: &Scene<'_>, wide: i32) -> Legend {
    let all = || scene.lines.iter().chain(&scene.loops).chain(&scene.within).chain(&scene.waiting);
    let kinds: BTreeSet<Kind> = all().map(|line| line.kind).collect();
    let sample = |class: &str, kind: Kind| {
        let kind = kind.class();
        let d = "M0 -4H26";
        format!("<g class=\"way {kind} {class}\"><path d=\"{d}\" marker-end=\"url(#to-{kind})\"/></g>")
    };
    let mut items: Vec<(String, &str)> = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| kinds.contains(kind)) {
        items.push((sample("", kind), kind.title()));
    }
    if all().any(|line| line.dashed) {
        items.push((sample("dashed", Kind::Other), "between some of them, or not known for sure"));
    }
    if scene.lines.iter().chain(&scene.within).any(Line::is_bundle) {
        let pill = "<g class=\"label count other\"><rect x=\"2\" y=\"-12\" width=\"22\" height=\"15\" rx=\"7\"/>\
                    <text x=\"13\" y=\"-1\">12</text></g>";
        items.push((pill.into(), "so many lines between boxes"));
    }
    if scene.cells.iter().any(|cell| cell.roles.iter().any(|role| role.public)) {
        items.push((globe(13, -4, 6), "has a public address"));
    }
    let mut text = String::new();
    let (mut x, mut y) = (MARGIN, 0);
    for (sign, words) in items {
        let room = 34 + width(words, 11) + 22;
        if x + room > wide - MARGIN + 22 && x > MARGIN {
            x = MARGIN;
            y += ROW;
        }
        let _ = write!(
            text,
            "<g transform=\"translate({x} {y})\">{sign}<text class=\"quiet\" x=\"34\" y=\"0\">{}</text></g>",
            escape(words)
        );
        x += room;
    }
    let mut notes = drawing.notes.clone();
    if scene.lines.iter().chain(&scene.within).any(Line::is_bundle) {
        let how = if scene.left_out > 0 {
            "There are too many lines to draw each: ask about one role to see its own."
        } else {
            "Point at a box to see its own lines."
        };
        notes.insert(0, how.to_owned());
    }
    for note in &notes {
        y += NOTE;
        let note = cut(note, 11, wide - 2 * MARGIN);
        let _ = write!(text, "<text class=\"quiet\" x=\"{MARGIN}\" y=\"{}\">{}</text>", y + 4, escape(&note));
    }
    Legend { text, height: y + 8 }
}
