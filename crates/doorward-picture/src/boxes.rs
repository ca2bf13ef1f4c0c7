//! Boxes: roles, folded roles, and what is outside.

use std::fmt::Write as _;

use crate::geometry::Rect;
use crate::grouping::{Cell, Node, Why};
use crate::shapes::{globe, shape};
use crate::svg::{Writer, counted, mark};
use crate::text::{Letters, cut, escape, width};
use crate::{Click, Outside, Role, Setting, Spot};

/// The most names that a tip lists.
const NAMES: usize = 24;
/// The letters of a role's name, and of what is said of it.
const NAME: Letters = Letters::Heavy(13);
const ABOUT: Letters = Letters::Plain(11);

impl Writer<'_> {
    pub(crate) fn boxes(&mut self) {
        self.out.push_str("<g class=\"boxes\">\n");
        for (number, ((place, outside), rect)) in
            self.scene.outside.iter().zip(&self.laid.outside).enumerate()
        {
            self.outside(number, *place, outside, *rect);
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
        let href = link.map(|link| format!(" href=\"{}\"", escape(&link))).unwrap_or_default();
        let _ = write!(self.out, "<a id=\"{mark}\" class=\"node {class}\"{href}>");
    }

    fn leave(&mut self) {
        self.out.push_str("</a>\n");
    }

    fn outside(&mut self, number: usize, place: usize, outside: &Outside, rect: Rect) {
        let class = if outside.internet { "outside internet" } else { "outside" };
        self.enter(Node::Outside(number), class, Some(Spot::Outside(place)));
        let graded = |size: i32| self.laid.graded(size);
        let (name, about) = (Letters::Heavy(graded(14)), Letters::Plain(graded(11)));
        let (left, room) = (rect.x + graded(42), rect.w - graded(58));
        let sign = (rect.x + graded(24), rect.y + rect.h / 2);
        let sign = if outside.internet {
            globe(sign.0, sign.1, graded(10))
        } else {
            door(sign.0, sign.1, graded(10))
        };
        let _ = write!(
            self.out,
            "<title>{}</title>{}{sign}<text class=\"name\" font-size=\"{}\" x=\"{left}\" y=\"{}\">{}</text>\
             <text class=\"small\" font-size=\"{}\" x=\"{left}\" y=\"{}\">{}</text>",
            escape(&format!("{}\n{}", outside.name, outside.about)),
            shape(rect, rect.h / 2),
            name.size(),
            rect.y + graded(23),
            escape(&cut(&outside.name, name, room)),
            about.size(),
            rect.y + graded(39),
            escape(&cut(&outside.about, about, room)),
        );
        self.leave();
    }

    fn cell(&mut self, number: usize, cell: &Cell<'_>, rect: Rect) {
        let node = Node::Cell(number);
        let (name, about, members) = match (cell.why, cell.roles.as_slice()) {
            (Why::Alone, [role]) => (role.name.clone(), groups(role), role.members),
            (why, roles) => (format!("{} roles", roles.len()), self.why(why).to_owned(), 1),
        };
        let idle = match cell.why {
            Why::Idle => true,
            Why::Alone => !self.busy.contains(&node),
            Why::Alike | Why::Unreached | Why::Rest => false,
        };
        // Of roles with the same ways, one stands for all.
        let stands = !idle && cell.why != Why::Rest;
        let spot = cell.roles.first().filter(|_| stands).map(|role| Spot::Role(role.id));
        let class = match (cell.why, idle) {
            (Why::Alone, false) => "role",
            (Why::Alone, true) => "role idle",
            (_, false) => "role folded",
            (_, true) => "role folded idle",
        };
        self.enter(node, class, spot);
        let _ = write!(self.out, "<title>{}</title>", escape(&tip(cell)));
        if cell.why != Why::Alone {
            let behind = Rect { x: rect.x + 4, y: rect.y + 4, ..rect };
            let _ = write!(self.out, "<g class=\"behind\">{}</g>", shape(behind, 8));
        }
        let public = cell.roles.iter().any(|role| role.public);
        let count = if members > 1 { format!("×{members}") } else { String::new() };
        let globe_room = if public { 20 } else { 0 };
        let count_room = if count.is_empty() { 0 } else { width(&count, ABOUT) + 6 };
        let (left, right, room) = (rect.x + 12, rect.right() - 12, rect.w - 22);
        let _ = write!(
            self.out,
            "{}<text class=\"name\" x=\"{left}\" y=\"{}\">{}</text>\
             <text class=\"small\" font-size=\"11\" x=\"{left}\" y=\"{}\">{}</text>",
            shape(rect, 8),
            rect.y + 20,
            escape(&cut(&name, NAME, room - globe_room)),
            rect.y + 37,
            escape(&cut(&about, ABOUT, room - count_room)),
        );
        if public {
            self.out.push_str(&globe(right - 6, rect.y + 16, 6));
        }
        if !count.is_empty() {
            let (x, y) = (right, rect.y + 37);
            let _ = write!(
                self.out,
                "<text class=\"small count\" font-size=\"11\" x=\"{x}\" y=\"{y}\">{count}</text>"
            );
        }
        self.leave();
    }

    fn why(&self, why: Why) -> &'static str {
        match why {
            Why::Idle if self.drawing.part => "with no path in this part",
            Why::Idle => "with no path in or out",
            Why::Unreached => "that nothing can reach",
            Why::Alike | Why::Alone => "with the same paths",
            Why::Rest => "too many to draw individually",
        }
    }
}

fn groups(role: &Role) -> String {
    if role.groups.is_empty() { "no security group".into() } else { role.groups.join(", ") }
}

/// What is said of a box to whoever points at it.
fn tip(cell: &Cell<'_>) -> String {
    match cell.roles.as_slice() {
        [role] => {
            let public = if role.public { ", with a public address" } else { "" };
            format!("{}\n{}{public}\n{}", role.name, counted(role.members, "interface"), groups(role))
        }
        roles => {
            let names: Vec<&str> = roles.iter().take(NAMES).map(|role| role.name.as_str()).collect();
            let more = roles.len().saturating_sub(NAMES);
            let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
            format!("{} roles\n{}{more}", roles.len(), names.join("\n"))
        }
    }
}

/// The sign of what is outside and not everybody.
fn door(x: i32, y: i32, r: i32) -> String {
    let (w, h) = (r * 3 / 2, r * 2);
    format!(
        "<g class=\"globe\"><rect x=\"{}\" y=\"{}\" width=\"{w}\" height=\"{h}\" rx=\"{}\"/>\
         <path d=\"M{} {y}h{}\"/></g>",
        x - w / 2,
        y - r,
        r / 5,
        x + w / 8,
        r / 4
    )
}
