//! Intents of the policy that the account does not keep, or of which nothing is known, on the operators' page.

use maud::{Markup, html};

use super::{layout, words};
use crate::status::{IntentOutcome, IntentReport, IntentState};

/// A section for intents that are broken, and one for those that are undecided; nothing where all are kept.
pub fn section(report: &IntentReport) -> Markup {
    let (broken, undecided): (Vec<_>, Vec<_>) = (report.broken().collect(), report.undecided().collect());
    html! {
        @if !broken.is_empty() {
            section data-key="intents" data-version=(format!("{broken:?}")) aria-labelledby="intents" {
                h2 #intents { "Broken intents" }
                div.problem role="alert" {
                    @for state in &broken { (entry(state)) }
                    (read(report))
                }
            }
        }
        @if !undecided.is_empty() {
            section data-key="undecided" data-version=(format!("{undecided:?}")) aria-labelledby="undecided" {
                h2 #undecided { "Undecided intents" }
                p { "A part of the account could not be read, so it is not known whether these intents are kept:" }
                @for state in &undecided { (entry(state)) }
                (read(report))
            }
        }
    }
}

fn entry(state: &IntentState) -> Markup {
    let IntentState { intent, reason, outcome, why, broken_since } = state;
    html! {
        p {
            code { (intent) }
            @if let Some(since) = broken_since { " is broken since " (words::at(*since)) }
            @if broken_since.is_some() && *outcome == IntentOutcome::Undecided { ", and undecided now" }
            "."
            @if let Some(reason) = reason { " It is declared because: “" (reason) "”." }
        }
        @if !why.is_empty() { ul { @for line in why { li { (layout::marked(line)) } } } }
    }
}

fn read(report: &IntentReport) -> Markup {
    html! {
        @if let Some(at) = report.at {
            p.quiet {
                "The account was read " (words::time(at)) ". Doorward reads it again every hour, and after it changed a security group. "
                code { "doorward check --live" } " reads it now."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(outcome: IntentOutcome, broken_since: Option<&str>) -> IntentState {
        IntentState {
            intent: "never from internet to role:db".into(),
            reason: Some("databases are private".into()),
            outcome,
            why: vec!["allowed: tcp/5432".into()],
            broken_since: broken_since.map(|at| at.parse().expect("an instant")),
        }
    }

    fn check(state: IntentState, has: &[&str], has_not: &[&str]) {
        let report = IntentReport { at: Some(jiff::Timestamp::UNIX_EPOCH), each: vec![state] };
        let text = section(&report).into_string();
        has.iter().for_each(|part| assert!(text.contains(part), "no {part}: {text}"));
        has_not.iter().for_each(|part| assert!(!text.contains(part), "{part}: {text}"));
    }

    #[test]
    fn a_broken_intent_is_an_alert_and_an_undecided_one_is_said_to_be_undecided() {
        let since = Some("2026-11-22T10:00:00Z");
        check(
            state(IntentOutcome::Broken, since),
            &[
                "role=\"alert\"",
                "never from internet to role:db",
                "databases are private",
                "tcp/5432",
                "2026-11-22",
            ],
            &["undecided"],
        );
        check(state(IntentOutcome::Undecided, None), &["Undecided intents"], &["alert", "is broken"]);
        check(
            state(IntentOutcome::Undecided, since),
            &["role=\"alert\"", "and undecided now"],
            &["Undecided intents"],
        );
        assert_eq!(section(&IntentReport::default()).into_string(), "");
    }
}
