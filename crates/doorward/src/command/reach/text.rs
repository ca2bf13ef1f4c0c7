//! An answer as people read it: the verdict in a line, the path hop by hop, and everything that blocks it.

use doorward_core::reach::{Answer, Back, Flows, Part, Selector, Verdict};

use crate::answer_text::{FLOWS, blocker, folded, hops, verdict};
use crate::command::count;

/// How many pairs are listed before the rest is counted.
const PARTS: usize = 20;

pub(super) fn question(answer: &Answer, from: &Selector, to: &Selector, asked: Option<&Flows>) -> String {
    let mut text = format!("{}: {}\n", answer.verdict, verdict(answer, from, to, asked));
    if answer.flows.list().len() > FLOWS {
        section(&mut text, "allowed", wrapped(&answer.flows));
    }
    let title = match answer.verdict {
        Verdict::Yes => "path",
        Verdict::Partly if !answer.flows.is_empty() => "path of the allowed traffic",
        Verdict::No | Verdict::Partly => "path up to the block",
        Verdict::Unknown => "path as far as it is known",
    };
    // A path of one hop is the source alone.
    if answer.hops.len() > 1 {
        section(&mut text, title, hops(&answer.hops));
    }
    if answer.verdict != Verdict::No && !answer.hops.is_empty() {
        replies(&mut text, &answer.back);
    }
    section(&mut text, "by source and destination", parts(answer));
    let blockers = answer.blockers.iter().flat_map(|one| blocker(one, asked));
    section(&mut text, "blocked by", blockers.collect());
    let title = match answer.verdict {
        Verdict::Unknown => "undetermined: not readable",
        Verdict::Yes | Verdict::No | Verdict::Partly => "not readable, and could change this answer",
    };
    section(&mut text, title, answer.gaps.iter().map(ToString::to_string).collect());
    section(&mut text, "notes", answer.notes.clone());
    text
}

/// The AWS defaults that were assumed for what was not recorded.
pub(super) fn assumed(assumed: &[String]) -> String {
    let mut text = String::new();
    section(&mut text, "assumed", assumed.to_vec());
    text
}

pub(in crate::command) fn section(text: &mut String, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    text.push_str(&format!("\n{title}\n"));
    for line in lines {
        text.push_str(&format!("  {line}\n"));
    }
}

/// All flows, in lines that a terminal holds.
fn wrapped(flows: &Flows) -> Vec<String> {
    const WIDTH: usize = 90;
    let mut lines: Vec<String> = Vec::new();
    for flow in flows.list() {
        let flow = flow.to_string();
        match lines.last_mut() {
            Some(line) if line.len() + flow.len() + 2 <= WIDTH => {
                line.push_str(", ");
                line.push_str(&flow);
            }
            _ => lines.push(flow),
        }
    }
    lines
}

/// A line if all replies are allowed, or else the path of those that are.
fn replies(text: &mut String, back: &Back) {
    let ports: Vec<String> = back.ports.iter().map(ToString::to_string).collect();
    match back.verdict {
        Verdict::Yes => {
            let hops: Vec<&str> = back.hops.iter().map(|hop| hop.resource.id()).collect();
            let through =
                if hops.is_empty() { String::new() } else { format!(" through {}", hops.join(", ")) };
            text.push_str(&format!("\nreplies are allowed{through}\n"));
        }
        Verdict::Partly if !ports.is_empty() => {
            let what = format!("replies are allowed only to the source ports {}", ports.join(", "));
            text.push_str(&format!("\n{what}\n"));
            section(text, "path of the replies", hops(&back.hops));
        }
        Verdict::Partly => section(text, "only some replies are allowed", hops(&back.hops)),
        Verdict::No => {
            text.push_str("\nreplies are blocked\n");
            section(text, "path of the replies up to the block", hops(&back.hops));
        }
        Verdict::Unknown => {
            text.push_str("\nwhether replies are allowed is undetermined\n");
            section(text, "path of the replies as far as it is known", hops(&back.hops));
        }
    }
}

/// What each pair of source and destination is allowed, first the pairs that are allowed most.
fn parts(answer: &Answer) -> Vec<String> {
    let mut parts: Vec<&Part> = answer.parts.iter().collect();
    parts.sort_by_key(|part| match part.verdict {
        Verdict::Yes => 0,
        Verdict::Partly => 1,
        Verdict::Unknown => 2,
        Verdict::No => 3,
    });
    let rows = parts.iter().take(PARTS).map(|part| {
        let what = match part.verdict {
            Verdict::Yes => folded(&part.flows),
            Verdict::No => "nothing".to_owned(),
            Verdict::Partly => format!("only {}", folded(&part.flows)),
            Verdict::Unknown => "unknown".to_owned(),
        };
        (what, format!("from {} to {}", part.from, part.to))
    });
    let rows: Vec<(String, String)> = rows.collect();
    let width = rows.iter().map(|(what, _)| what.chars().count()).max().unwrap_or(0);
    let lines = rows.iter().map(|(what, who)| format!("{what:width$}  {who}"));
    let more = parts.len().saturating_sub(PARTS);
    let more = (more > 0).then(|| format!("and {} more; --json has all", count(more, "pair", "pairs")));
    lines.chain(more).collect()
}

#[cfg(test)]
mod tests;
