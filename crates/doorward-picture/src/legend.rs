//! The legend: what the signs of a picture mean, as far as they are in it, and the notes below.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::geometry::{Laid, MARGIN};
use crate::grouping::{Line, Scene};
use crate::shapes::globe;
use crate::text::{Letters, cut, escape, width};
use crate::{Drawing, Kind};

/// A legend, and how much room it takes.
pub struct Legend {
    /// As SVG, from its own upper left corner.
    pub text: String,
    /// Its height in pixels.
    pub height: i32,
}

/// What the signs mean that are there, and the notes.
pub fn legend(drawing: &Drawing, scene: &Scene<'_>, laid: &Laid) -> Legend {
    let all = || scene.lines.iter().chain(&scene.loops).chain(&scene.within).chain(&scene.waiting);
    let bundles = all().any(Line::is_bundle);
    let kinds: BTreeSet<Kind> = all().map(|line| line.kind).collect();
    let sample = |class: &str, kind: Kind| {
        let kind = kind.class();
        let dashes = if class.is_empty() { "" } else { " stroke-dasharray=\"5 4\"" };
        format!(
            "<g class=\"wire {kind} {class}\" stroke-width=\"1.6\"><path class=\"ink\"{dashes} d=\"M0 -4H26\"/>\
             <path class=\"tip {kind}\" d=\"M23 -8L31 -4L23 0L25 -4Z\"/></g>"
        )
    };
    let mut items: Vec<(String, &str)> = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| kinds.contains(kind)) {
        items.push((sample("", kind), kind.title()));
    }
    if all().any(|line| line.dashed) {
        items.push((sample("dashed", Kind::Other), "only between some of them, or unknown"));
    }
    if bundles {
        let pill = "<g class=\"label count other\"><rect x=\"2\" y=\"-12\" width=\"24\" height=\"15\" rx=\"7\"/>\
                    <text font-size=\"11\" x=\"14\" y=\"-1\">12</text></g>";
        items.push((pill.into(), "number of lines between the boxes"));
    }
    if scene.cells.iter().any(|cell| cell.roles.iter().any(|role| role.public)) {
        items.push((globe(14, -4, 6), "has a public address"));
    }
    let letters = Letters::Plain(11);
    // It grows as titles do, so its own width is less.
    let wide = laid.width * 100 / laid.grade.max(1);
    let margin = MARGIN;
    let mut text = String::new();
    let (mut x, mut y) = (margin, 0);
    for (sign, words) in items {
        let room = 38 + width(words, letters) + 20;
        if x + room > wide - margin + 20 && x > margin {
            x = margin;
            y += 22;
        }
        let _ = write!(
            text,
            "<g transform=\"translate({x} {y})\">{sign}<text class=\"small\" font-size=\"11\" x=\"38\" y=\"0\">{}</text></g>",
            escape(words)
        );
        x += room;
    }
    let mut notes = drawing.notes.clone();
    if bundles {
        let how = if scene.left_out > 0 {
            "There are too many lines to draw: ask about one role to see its paths."
        } else {
            "Point at a box to see its lines."
        };
        notes.insert(0, how.to_owned());
    }
    y += 4;
    for note in &notes {
        y += 18;
        let note = cut(note, letters, wide - 2 * margin);
        let _ = write!(
            text,
            "<text class=\"small\" font-size=\"11\" x=\"{margin}\" y=\"{y}\">{}</text>",
            escape(&note)
        );
    }
    let scale = format!("{}.{:02}", laid.grade / 100, laid.grade % 100);
    Legend { text: format!("<g transform=\"scale({scale})\">{text}</g>"), height: laid.graded(y + 14) }
}
