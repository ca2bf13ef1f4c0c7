//! The texts of an answer of `reach` that the command line and the pages share.

use doorward_core::inventory::ResourceRef;
use doorward_core::reach::{Answer, Blocker, Fix, Flows, Hop, Selector, Verdict};

/// How many flows a line lists before the rest is counted.
pub(crate) const FLOWS: usize = 8;

/// The verdict in a sentence.
pub(crate) fn verdict(answer: &Answer, from: &Selector, to: &Selector, asked: Option<&Flows>) -> String {
    let between = format!("from {} to {}", end(from), end(to));
    let allowed = || sentence(&answer.flows, "is allowed", "are allowed");
    match answer.verdict {
        Verdict::Yes => format!("{} {between}", allowed()),
        Verdict::No => match asked {
            Some(asked) => format!("{} {between}", sentence(asked, "is not allowed", "are not allowed")),
            None => format!("no traffic is allowed {between}"),
        },
        Verdict::Partly => {
            let blocked = asked.map(|asked| asked.minus(&answer.flows)).filter(|rest| !rest.is_empty());
            let (allowed, alike) = (allowed(), answer.parts.is_empty());
            let rest = blocked.map(|rest| sentence(&rest, "is not", "are not"));
            match rest {
                Some(rest) if alike => format!("{allowed} {between}, {rest}"),
                Some(rest) => format!("{allowed} for some source/destination pairs {between}, {rest}"),
                None if alike && answer.back.verdict != Verdict::Yes => {
                    format!("{allowed} {between}, but some replies are blocked")
                }
                None => format!("{allowed} for some source/destination pairs {between}, but not for all"),
            }
        }
        Verdict::Unknown => {
            let perhaps = sentence(&answer.at_most.minus(&answer.flows), "is allowed", "are allowed");
            let missing = "is undetermined, because parts of the inventory are missing";
            if answer.flows.is_empty() {
                format!("whether {perhaps} {between} {missing}")
            } else {
                format!("{} {between}; whether {perhaps} {missing}", allowed())
            }
        }
    }
}

/// `tcp/22 is allowed`, `tcp/22, tcp/80 are allowed`.
fn sentence(flows: &Flows, one: &str, many: &str) -> String {
    match flows.list().as_slice() {
        [] => format!("no traffic {one}"),
        [doorward_core::net::Flow::All] => format!("all traffic {one}"),
        [flow] => format!("{flow} {one}"),
        _ => format!("{} {many}", folded(flows)),
    }
}

/// A few flows, and how many more.
pub(crate) fn folded(flows: &Flows) -> String {
    fold(&flows.list(), FLOWS)
}

/// The first of some, and how many more.
pub(crate) fn fold(all: &[impl ToString], most: usize) -> String {
    let shown: Vec<String> = all.iter().take(most).map(ToString::to_string).collect();
    match all.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What people call an end of a question.
pub(crate) fn end(endpoint: &Selector) -> String {
    match endpoint {
        Selector::Internet => "the internet".into(),
        Selector::Address(address) => address.to_string(),
        Selector::Cidr(cidr) => cidr.to_string(),
        Selector::Host(name) => name.to_string(),
        Selector::Resource(resource) => {
            format!("{} {}", resource.resource.kind(), named(&resource.resource, resource.name.as_deref()))
        }
        Selector::Several(several) => several.to_string(),
    }
}

pub(crate) fn named(resource: &ResourceRef, name: Option<&str>) -> String {
    let id = resource.id();
    match name.filter(|name| !name.is_empty() && *name != id) {
        Some(name) => format!("{id} ({name})"),
        None => id.to_owned(),
    }
}

/// Each hop in a line: its kind, its name, and why it allows the traffic.
pub(crate) fn hops(hops: &[Hop]) -> Vec<String> {
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

/// The code, the resource, the reason and the fix.
pub(crate) fn blocker(blocker: &Blocker, asked: Option<&Flows>) -> Vec<String> {
    let Blocker { code, resource, name, why, fix, flows, replies } = blocker;
    let kind = resource.kind();
    let mut lines = vec![format!("{code}  {kind} {}", named(resource, name.as_deref()))];
    let what = if *replies { "replies of " } else { "" };
    let all = asked.is_none_or(|asked| flows.covers(asked));
    if *replies || !all {
        lines.push(format!("  blocks       {what}{}", folded(flows)));
    }
    lines.push(format!("  because      {why}"));
    let fixes = match fix {
        Fix::Changes(changes) => changes.iter().map(ToString::to_string).collect(),
        Fix::Advice(advice) => vec![advice.clone()],
    };
    for (number, fix) in fixes.iter().filter(|fix| !fix.is_empty()).enumerate() {
        let title = if number == 0 { "fix" } else { "" };
        lines.push(format!("  {title:11}  {fix}"));
    }
    lines
}
