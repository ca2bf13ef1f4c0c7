//! The allowed paths as a table: the same content as the picture, accessible and searchable.

use doorward_core::reach::Reachability;
use maud::{Markup, html};

use super::counted;
use super::query::ReachQuery;
use doorward_picture::{self as picture, Drawing, Edge, Spot};

/// So many rows are shown at once; of more, once they are asked for.
const OPEN: usize = 60;
/// The most rows.
const SHOWN: usize = 300;

/// The table.
pub fn table(reachability: &Reachability, drawing: &Drawing, asked: &ReachQuery) -> Markup {
    let names = drawing.names();
    let name = |spot: Spot| names.get(&spot).copied().unwrap_or_default();
    let mut edges: Vec<&Edge> = drawing.edges.iter().collect();
    // What comes in first, what goes out last, and within each what deserves most attention first.
    let side = |edge: &Edge| match (edge.from, edge.to) {
        (Spot::Outside(_), _) => 0,
        (_, Spot::Role(_)) => 1,
        (_, Spot::Outside(_)) => 2,
    };
    edges.sort_by_key(|edge| {
        (side(edge), std::cmp::Reverse(edge.kind), name(edge.to), name(edge.from), edge.to, edge.from)
    });
    html! {
        section #ways aria-labelledby="the-ways" {
            @if edges.is_empty() {
                h2 #the-ways { "No paths" }
                p.nothing { "No traffic is allowed here." }
            } @else {
              details open[edges.len() <= OPEN] {
                summary { h2 #the-ways { (counted(edges.len(), "path", "paths")) " as a table" } }
                table.ways role="table" {
                    caption.unseen { "Allowed paths between roles and the outside: inbound, internal, outbound" }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for title in ["From", "To", "Traffic", "Why"] { th role="columnheader" scope="col" { (title) } }
                        }
                    }
                    tbody role="rowgroup" {
                        @for edge in edges.iter().take(SHOWN) {
                            tr role="row" {
                                th role="rowheader" scope="row" { (name(edge.from)) }
                                td role="cell" data-title="To" {
                                    @if edge.from == edge.to { span.quiet { "others of the same role" } } @else { (name(edge.to)) }
                                }
                                td role="cell" data-title="Traffic" {
                                    span class={ "kind-of " (edge.kind.class()) } { (edge.says()) }
                                    @if !edge.whole { " " span.quiet { "not between every pair" } }
                                }
                                td role="cell" data-title="Why" { (why(reachability, drawing, asked, edge, &name)) }
                            }
                        }
                    }
                }
                @if edges.len() > SHOWN {
                    p.quiet {
                        "and " (edges.len() - SHOWN) " more: select a box of the picture to see only its paths, or run "
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
    asked: &ReachQuery,
    edge: &Edge,
    name: &impl Fn(Spot) -> &'a str,
) -> Markup {
    html! {
        @if let Some((from, to)) = picture::endpoints(reachability, drawing, edge) {
            a href={ (asked.about(&from, &to, &edge.flows).path()) "#answer" } {
                "Why" span.unseen { " from " (name(edge.from)) " to " (name(edge.to)) }
            }
        }
    }
}
