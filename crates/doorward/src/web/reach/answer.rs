//! The answer to a reachability query: the verdict, the path hop by hop, the return path, and all blockers.

use axum::http::StatusCode;
use doorward_core::net::{Flow, NetError};
use doorward_core::reach::{
    Answer, Back, Blocker, Flows, Hop, NotFound, Part, Reachability, Selector, Verdict,
};
use maud::{Markup, html};

use super::query::ReachQuery;
use crate::answer_text::verdict;
use crate::web::layout::sentence;

/// The most pairs and blockers that are shown.
const SHOWN: usize = 50;

/// The answer, when there is a question.
pub fn part(reachability: &Reachability, asked: &ReachQuery) -> Option<(StatusCode, Markup)> {
    if asked.from.is_empty() && asked.to.is_empty() {
        return None;
    }
    Some(match question(reachability, asked) {
        Ok(markup) => (StatusCode::OK, markup),
        Err(problems) => (StatusCode::UNPROCESSABLE_ENTITY, in_markup(&problems)),
    })
}

/// Why a question cannot be answered.
struct Problem {
    why: String,
    hint: Option<String>,
    unseen: Vec<String>,
}

impl Problem {
    fn new(why: impl Into<String>, hint: Option<String>) -> Self {
        Self { why: why.into(), hint, unseen: Vec::new() }
    }
}

fn in_markup(problems: &[Problem]) -> Markup {
    html! {
        section #answer {
            @for problem in problems {
                div.problem role="alert" {
                    p { (sentence(&problem.why)) }
                    @if let Some(hint) = &problem.hint { p.hint { (sentence(hint)) } }
                    @if !problem.unseen.is_empty() { ul { @for line in &problem.unseen { li { (line) } } } }
                }
            }
        }
    }
}

/// The answer, or everything that is wrong with the question.
fn question(reachability: &Reachability, asked: &ReachQuery) -> Result<Markup, Vec<Problem>> {
    let end = |text: &str, which: &str| {
        if text.is_empty() {
            return Err(Problem::new(format!("enter {which}"), None));
        }
        Selector::find(text, reachability.inventory()).map_err(|error| not_found(&error))
    };
    let (from, to) = (end(&asked.from, "a source"), end(&asked.to, "a destination"));
    let (from, to, flows) = match (from, to, flows(&asked.flow)) {
        (Ok(from), Ok(to), Ok(flows)) => (from, to, flows),
        (from, to, flows) => {
            return Err(from
                .err()
                .into_iter()
                .chain(to.err())
                .chain(flows.err().into_iter().flatten())
                .collect());
        }
    };
    let answer = reachability.ask(&from, &to, flows.as_ref());
    Ok(answered(&answer, &verdict(&answer, &from, &to, flows.as_ref())))
}

fn not_found(error: &NotFound) -> Problem {
    let why = error.to_string();
    match error {
        NotFound::Nothing { meant, gaps, .. } => {
            let hint = meant.as_ref().map(|meant| format!("did you mean `{meant}`?"));
            let unseen = gaps.iter().map(|gap| format!("Missing from the inventory: {gap}")).collect();
            Problem { why, hint, unseen }
        }
        NotFound::Several { .. } => Problem::new(
            why,
            Some("enter one of them as listed: by its id, its ARN, or as `rds:REGION/NAME`".into()),
        ),
        NotFound::Address(_) => Problem::new(why, None),
    }
}

/// Several are apart by spaces or commas; none asks for all that passes.
fn flows(text: &str) -> Result<Option<Flows>, Vec<Problem>> {
    let words = text.split([',', ' ', ';']).filter(|word| !word.is_empty());
    let mut flows: Vec<Flow> = Vec::new();
    let mut problems = Vec::new();
    for word in words {
        match word.parse() {
            Ok(flow) => flows.push(flow),
            Err(error) => problems.push(Problem::new(NetError::to_string(&error), None)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok((!flows.is_empty()).then(|| flows.into_iter().collect()))
}

fn answered(answer: &Answer, words: &str) -> Markup {
    let badge = match answer.verdict {
        Verdict::Yes => "badge good",
        Verdict::No => "badge bad",
        Verdict::Partly | Verdict::Unknown => "badge pending",
    };
    let way = match answer.verdict {
        Verdict::Yes => "Path",
        Verdict::Partly if !answer.flows.is_empty() => "Path of the allowed traffic",
        Verdict::No | Verdict::Partly | Verdict::Unknown => "Partial path",
    };
    html! {
        section #answer.card.answer aria-labelledby="verdict" {
            h2 #verdict { span class=(badge) { (answer.verdict) } " " (words) "." }
            @if !answer.hops.is_empty() {
                h3 { (way) }
                (hops(&answer.hops))
                @if answer.verdict != Verdict::No { (back(&answer.back)) }
            }
            @if !answer.blockers.is_empty() {
                h3 { "Blocked by" }
                ul.blockers { @for one in answer.blockers.iter().take(SHOWN) { (blocker(one)) } }
                (more(answer.blockers.len(), "blockers"))
            }
            @if !answer.parts.is_empty() { (parts(&answer.parts)) }
            @if !answer.gaps.is_empty() {
                h3 { "Missing from the inventory, could change this answer" }
                ul.plain { @for gap in &answer.gaps { li { (gap) } } }
            }
            @if !answer.notes.is_empty() {
                h3 { "Notes" }
                ul.plain { @for note in &answer.notes { li { (sentence(note)) } } }
            }
        }
    }
}

fn more(count: usize, what: &str) -> Markup {
    html! {
        @if count > SHOWN {
            p.quiet { "and " (count - SHOWN) " more " (what) "; " code { "doorward reach --json" } " lists all of them" }
        }
    }
}

fn resource(id: &str, name: Option<&str>) -> Markup {
    html! {
        @match name.filter(|name| !name.is_empty() && *name != id) {
            Some(name) => { strong { (name) } " " code { (id) } }
            None => code { (id) },
        }
    }
}

fn hops(hops: &[Hop]) -> Markup {
    html! {
        ol.hops {
            @for hop in hops {
                li {
                    span.kind { (hop.resource.kind()) } " " (resource(hop.resource.id(), hop.name.as_deref()))
                    @if !hop.because.is_empty() { span.because { (hop.because) } }
                }
            }
        }
    }
}

fn back(back: &Back) -> Markup {
    let ports: Vec<String> = back.ports.iter().map(ToString::to_string).collect();
    let words = match back.verdict {
        Verdict::Yes => "Replies come back".to_owned(),
        Verdict::Partly if ports.is_empty() => "Only some replies come back".to_owned(),
        Verdict::Partly => format!("Replies come back only to the sender's ports {}", ports.join(", ")),
        Verdict::No => "No reply comes back".to_owned(),
        Verdict::Unknown => "Whether replies come back could not be seen".to_owned(),
    };
    html! {
        @if back.hops.is_empty() {
            p.quiet { (words) "." }
        } @else {
            details open[back.verdict != Verdict::Yes] {
                summary { (words) ": the return path" }
                (hops(&back.hops))
            }
        }
    }
}

fn blocker(blocker: &Blocker) -> Markup {
    let Blocker { code, resource: id, name, why, fix, flows, replies } = blocker;
    let fix = fix.to_string();
    html! {
        li {
            p { code.code title=(code.meaning()) { (code) } " " span.kind { (id.kind()) } " " (resource(id.id(), name.as_deref())) }
            p { (sentence(why)) }
            @if *replies { p.quiet { "Blocks the replies to " (flows) "." } }
            @else if !flows.is_empty() && !flows.is_all() { p.quiet { "Blocks " (flows) "." } }
            @if !fix.is_empty() { p.fix { "Fix: " (fix) } }
        }
    }
}

fn parts(parts: &[Part]) -> Markup {
    html! {
        h3 { "The answer differs by source and destination" }
        table role="table" {
            thead role="rowgroup" {
                tr role="row" { @for title in ["From", "To", "Allowed"] { th role="columnheader" scope="col" { (title) } } }
            }
            tbody role="rowgroup" {
                @for part in parts.iter().take(SHOWN) {
                    tr role="row" {
                        th role="rowheader" scope="row" { (part.from) }
                        td role="cell" data-title="To" { (part.to) }
                        td role="cell" data-title="Allowed" {
                            @match part.verdict {
                                Verdict::Yes => (part.flows),
                                Verdict::No => "nothing",
                                Verdict::Partly => { "only " (part.flows) }
                                Verdict::Unknown => "unknown",
                            }
                        }
                    }
                }
            }
        }
        (more(parts.len(), "pairs"))
    }
}
