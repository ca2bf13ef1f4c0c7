//! Shapes as SVG text.

use crate::geometry::Rect;

pub(crate) fn shape(rect: Rect, round: i32) -> String {
    let Rect { x, y, w, h } = rect;
    format!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{round}\"/>")
}

/// The sign of a public address.
pub(crate) fn globe(x: i32, y: i32, r: i32) -> String {
    let half = (r + 1) / 2;
    format!(
        "<g class=\"globe\"><circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>\
         <ellipse cx=\"{x}\" cy=\"{y}\" rx=\"{half}\" ry=\"{r}\"/><path d=\"M{} {y}h{}\"/></g>",
        x - r,
        2 * r
    )
}
