//! An answer as people read it: the verdict in a line, the way hop by hop, and all that is in the way.

use doorward_core::reach::{Answer, Back, Blocker, Flows, Hop, Part, Selector, Verdict};

use crate::answer_text::{FLOWS, folded, named, verdict};
use crate::command::count;

/// How many pairs that fare otherwise are told before the rest is counted.
const PARTS: usize = 20;

pub(super) fn question(answer: &Answer, from: &Selector, to: &Selector, asked: Option<&Flows>) -> String {
    let mut text = format!("{}: {}\n", answer.verdict, verdict(answer, from, to, asked));
    if answer.flows.list().len() > FLOWS {
        section(&mut text, "what passes", wrapped(&answer.flows));
    }
    let way = match answer.verdict {
        Verdict::Yes => "the way",
        Verdict::Partly if !answer.flows.is_empty() => "the way of what passes",
        Verdict::No | Verdict::Partly | Verdict::Unknown => "as far as it gets",
    };
    // That it starts where it starts is no news.
    if answer.hops.len() > 1 {
        section(&mut text, way, hops(&answer.hops));
    }
    if answer.verdict != Verdict::No && !answer.hops.is_empty() {
        replies(&mut text, &answer.back);
    }
    section(&mut text, "differs by who sends and receives", parts(answer));
    let blockers = answer.blockers.iter().flat_map(|one| blocker(one, asked));
    section(&mut text, "in the way", blockers.collect());
    let decides = match answer.verdict {
        Verdict::Unknown => "would decide, and could not be seen",
        Verdict::Yes | Verdict::No | Verdict::Partly => "could not be seen, and could change this answer",
    };
    section(&mut text, decides, answer.gaps.iter().map(ToString::to_string).collect());
    section(&mut text, "to know", answer.notes.clone());
    text
}

/// What was not recorded and was taken as AWS makes it by default.
pub(super) fn assumed(assumed: &[String]) -> String {
    let mut text = String::new();
    section(&mut text, "assumed", assumed.to_vec());
    text
}

fn section(text: &mut String, title: &str, lines: Vec<String>) {
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

/// Each hop in a line: what it is, which, and why it lets it through.
fn hops(hops: &[Hop]) -> Vec<String> {
    let rows: Vec<[String; 2]> = hops
        .iter()
        .map(|hop| [hop.resource.kind().to_string(), named(&hop.resource, hop.name.as_deref())])
        .collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let (kinds, names) = (width(0), width(1));
    let lines = rows.iter().zip(hops).map(|([kind, name], hop)| {
        format!("{kind:kinds$}  {name:names$}  {}", hop.because).trim_end().to_owned()
    });
    lines.collect()
}

/// A line when every reply comes back, and the way of those that do otherwise.
fn replies(text: &mut String, back: &Back) {
    let ports: Vec<String> = back.ports.iter().map(ToString::to_string).collect();
    match back.verdict {
        Verdict::Yes => {
            let way: Vec<&str> = back.hops.iter().map(|hop| hop.resource.id()).collect();
            let by = if way.is_empty() { String::new() } else { format!(", by {}", way.join(", ")) };
            text.push_str(&format!("\nreplies come back{by}\n"));
        }
        Verdict::Partly if !ports.is_empty() => {
            let what = format!("replies come back only to the sender's ports {}", ports.join(", "));
            text.push_str(&format!("\n{what}\n"));
            section(text, "the way of the replies", hops(&back.hops));
        }
        Verdict::Partly => section(text, "only some replies come back", hops(&back.hops)),
        Verdict::No => {
            text.push_str("\nno reply comes back\n");
            section(text, "as far as the replies get", hops(&back.hops));
        }
        Verdict::Unknown => {
            text.push_str("\nwhether replies come back could not be seen\n");
            section(text, "as far as the replies get", hops(&back.hops));
        }
    }
}

/// What passes between whom: first those between whom something does.
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

/// The code, the resource, why, and what would lift it.
fn blocker(blocker: &Blocker, asked: Option<&Flows>) -> Vec<String> {
    let Blocker { code, resource, name, why, lift, flows, replies } = blocker;
    let kind = resource.kind();
    let mut lines = vec![format!("{code}  {kind} {}", named(resource, name.as_deref()))];
    let what = if *replies { "the replies of " } else { "" };
    let all = asked.is_none_or(|asked| flows.covers(asked));
    if *replies || !all {
        lines.push(format!("  stops        {what}{}", folded(flows)));
    }
    lines.push(format!("  because      {why}"));
    if !lift.is_empty() {
        lines.push(format!("  to lift it   {lift}"));
    }
    lines
}

#[cfg(test)]
mod tests;
