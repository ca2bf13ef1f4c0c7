//! The allowed paths as a table: the same content as the picture, accessible and searchable.

use doorward_core::reach::Reachability;
use maud::{Markup, html};

use super::counted;
use super::query::Asked;
use doorward_picture::{self as picture, Drawing, Spot, Way};

/// So many rows are shown at once; of more, once they are asked for.
const OPEN: usize = 60;
/// The most rows.
const SHOWN: usize = 300;

/// The table.
pub fn table(reachability: &Reachability, drawing: &Drawing, asked: &Asked) -> Markup {
    let names = drawing.names();
    let name = |spot: Spot| names.get(&spot).copied().unwrap_or_default();
    let mut ways: Vec<&Way> = drawing.ways.iter().collect();
    // What comes in first, what goes out last, and within each what deserves most attention first.
    let side = |way: &Way| match (way.from, way.to) {
        (Spot::Outside(_), _) => 0,
        (_, Spot::Role(_)) => 1,
        (_, Spot::Outside(_)) => 2,
    };
    ways.sort_by_key(|way| {
        (side(way), std::cmp::Reverse(way.kind), name(way.to), name(way.from), way.to, way.from)
    });
    html! {
        section #ways aria-labelledby="the-ways" {
            @if ways.is_empty() {
                h2 #the-ways { "No paths" }
                p.nothing { "No traffic is allowed here." }
            } @else {
              details open[ways.len() <= OPEN] {
                summary { h2 #the-ways { (counted(ways.len(), "path", "paths")) " as a table" } }
                table.ways role="table" {
                    caption.unseen { "Allowed paths between roles and the outside: inbound, internal, outbound" }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for title in ["From", "To", "Traffic", "Why"] { th role="columnheader" scope="col" { (title) } }
                        }
                    }
                    tbody role="rowgroup" {
                        @for way in ways.iter().take(SHOWN) {
                            tr role="row" {
                                th role="rowheader" scope="row" { (name(way.from)) }
                                td role="cell" data-title="To" {
                                    @if way.from == way.to { span.quiet { "others of the same role" } } @else { (name(way.to)) }
                                }
                                td role="cell" data-title="Traffic" {
                                    span class={ "kind-of " (way.kind.class()) } { (way.says()) }
                                    @if !way.whole { " " span.quiet { "not between every pair" } }
                                }
                                td role="cell" data-title="Why" { (why(reachability, drawing, asked, way, &name)) }
                            }
                        }
                    }
                }
                @if ways.len() > SHOWN {
                    p.quiet {
                        "and " (ways.len() - SHOWN) " more: select a box of the picture to see only its paths, or run "
                        code { "doorward reach --all" }
                    }
                }
              }
            }
        }
    }
}

fn why<'a>(
    reachability: &Reachability,
    drawing: &Drawing,
    asked: &Asked,
    way: &Way,
    name: &impl Fn(Spot) -> &'a str,
) -> Markup {
    html! {
        @if let Some((from, to)) = picture::endpoints(reachability, drawing, way) {
            a href={ (asked.about(&from, &to, &way.flows).path()) "#answer" } {
                "Why" span.unseen { " from " (name(way.from)) " to " (name(way.to)) }
            }
        }
    }
}
