//! The words for what `reach` answers, which the command line and the pages share.

use doorward_core::inventory::ResourceRef;
use doorward_core::reach::{Answer, Flows, Selector, Verdict};

/// How many flows are told in a line before the rest is counted.
pub(crate) const FLOWS: usize = 8;

/// The verdict in a sentence.
pub(crate) fn verdict(answer: &Answer, from: &Selector, to: &Selector, asked: Option<&Flows>) -> String {
    let between = format!("from {} to {}", end(from), end(to));
    let passes = || sentence(&answer.flows, "passes", "pass");
    match answer.verdict {
        Verdict::Yes => format!("{} {between}", passes()),
        Verdict::No => match asked {
            Some(asked) => format!("{} {between}", sentence(asked, "does not pass", "do not pass")),
            None => format!("nothing passes {between}"),
        },
        Verdict::Partly => {
            let stopped = asked.map(|asked| asked.minus(&answer.flows)).filter(|rest| !rest.is_empty());
            let (passes, alike) = (passes(), answer.parts.is_empty());
            match stopped {
                Some(rest) if alike => {
                    format!("{passes} {between}, {}", sentence(&rest, "does not", "do not"))
                }
                Some(rest) => {
                    format!(
                        "{passes} between some of these, {between}; {}",
                        sentence(&rest, "does not", "do not")
                    )
                }
                None if alike && answer.back.verdict != Verdict::Yes => {
                    format!("{passes} {between}, but not every reply comes back")
                }
                None => format!("{passes} between some of these, and not between all: {between}"),
            }
        }
        Verdict::Unknown => {
            let perhaps = answer.at_most.minus(&answer.flows);
            let unseen =
                format!("whether {} depends on what could not be seen", sentence(&perhaps, "passes", "pass"));
            if answer.flows.is_empty() {
                format!("{unseen}, {between}")
            } else {
                format!("{} {between}; {unseen}", passes())
            }
        }
    }
}

/// `tcp/22 passes`, `tcp/22, tcp/80 pass`.
fn sentence(flows: &Flows, one: &str, many: &str) -> String {
    match flows.list().as_slice() {
        [] => format!("nothing {one}"),
        [doorward_core::net::Flow::All] => format!("everything {one}"),
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
