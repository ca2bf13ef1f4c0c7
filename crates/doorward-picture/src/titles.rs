//! Heads: what VPCs and tiers are called, written on the ground.

use std::fmt::Write as _;

use crate::shapes::shape;
use crate::svg::Writer;
use crate::text::{Letters, cut, escape, width};

/// A title on the ground.
struct Head {
    class: &'static str,
    tip: String,
    left: i32,
    room: i32,
    letters: Letters,
}

impl Writer<'_> {
    /// VPCs and tiers, without what is written on them.
    pub(crate) fn ground(&mut self) {
        for (area, rect) in self.scene.areas.iter().zip(&self.laid.areas) {
            if !area.bands.is_empty() {
                let _ = writeln!(self.out, "<g class=\"vpc\">{}</g>", shape(*rect, 14));
            }
        }
        for rect in &self.laid.bands {
            let _ = writeln!(self.out, "<g class=\"tier\">{}</g>", shape(*rect, 10));
        }
    }

    /// What is written on the ground, over the lines that pass there.
    pub(crate) fn heads(&mut self) {
        let (vpc, tier, about) = self.laid.letters();
        for (area, rect) in self.scene.areas.iter().zip(&self.laid.areas) {
            // What runs beside the bands runs past their titles, too.
            let Some(band) = area.bands.iter().filter_map(|band| self.laid.bands.get(*band)).next() else {
                continue;
            };
            let (left, room) = (band.x + 2, rect.right() - band.x - 12);
            let mut tip = vec![area.vpc.id.as_str()];
            tip.extend(area.vpc.about.iter().map(String::as_str));
            let name = cut(area.vpc.name.as_deref().unwrap_or(&area.vpc.id), vpc, room);
            let id = area.vpc.name.as_ref().map_or("", |_| area.vpc.id.as_str());
            let head = Head { class: "vpc", tip: tip.join("\n"), left, room, letters: vpc };
            self.head(&head, rect.y + self.laid.graded(24), &name, id);
            let lower = rect.y + self.laid.graded(41);
            let words = area.vpc.about.join(" · ");
            let _ = writeln!(
                self.out,
                "<g class=\"vpc\"><text class=\"small\" font-size=\"{}\" x=\"{left}\" y=\"{lower}\">{}</text></g>",
                about.size(),
                escape(&cut(&words, about, room)),
            );
        }
        for (band, rect) in self.scene.bands.iter().zip(&self.laid.bands) {
            let within = self.scene.within.iter().any(|line| self.laid.rect(line.from) == Some(*rect));
            let room = rect.w - 24 - if within { self.laid.graded(100) } else { 0 };
            let title = cut(&band.tier.title, tier, room);
            let tip = [&*band.tier.title, &*band.tier.about, &*band.tier.subnets.join(", ")].join("\n");
            let head = Head { class: "tier", tip, left: rect.x + 12, room, letters: tier };
            self.head(&head, rect.y + self.laid.graded(19), &title, &band.tier.about);
        }
    }

    /// A name, and what is said of it beside it.
    fn head(&mut self, head: &Head, y: i32, name: &str, beside: &str) {
        let _ = write!(
            self.out,
            "<g class=\"{}\"><title>{}</title><text class=\"name\" font-size=\"{}\" x=\"{}\" y=\"{y}\">{}",
            head.class,
            escape(&head.tip),
            head.letters.size(),
            head.left,
            escape(name),
        );
        let gap = self.laid.graded(8);
        let about = Letters::Plain(self.laid.graded(11));
        let room = head.room - width(name, head.letters) - gap;
        if room > 4 * about.size() && !beside.is_empty() {
            let _ = write!(
                self.out,
                "<tspan class=\"small\" font-size=\"{}\" dx=\"{gap}\">{}</tspan>",
                about.size(),
                escape(&cut(beside, about, room)),
            );
        }
        self.out.push_str("</text></g>\n");
    }
}
