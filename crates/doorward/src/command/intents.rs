//! Intents and whether an account keeps them, as people read it.

use doorward_core::policy::Intent;
use doorward_core::reach::{Outcome, Proof};
use serde::Serialize;

use crate::intents::why;

/// An intent and its outcome, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct View<'a> {
    intent: String,
    line: usize,
    reason: Option<&'a str>,
    outcome: &'static str,
    /// In the account before a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'static str>,
    why: Vec<String>,
}

/// The outcome of an intent in an account, and in the account before a plan.
pub(super) fn view<'a>(intent: &'a Intent, proof: &Proof, before: Option<&Proof>) -> View<'a> {
    View {
        intent: intent.to_string(),
        line: intent.at.line,
        reason: intent.reason.as_deref(),
        outcome: word(&proof.outcome),
        before: before.map(|before| word(&before.outcome)),
        why: why(intent, proof),
    }
}

/// The outcome in a word.
pub(super) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Kept | Outcome::Empty(_) => "kept",
        Outcome::Broken => "broken",
        Outcome::Undecided(_) => "undecided",
    }
}

/// The outcome and the reason, with the path or the blockers.
pub(super) fn lines(intent: &Intent, proof: &Proof) -> Vec<String> {
    let mut lines = vec![format!("{:9}  {intent} (line {})", word(&proof.outcome), intent.at.line)];
    let mut more = |line: String| lines.push(format!("{:9}  {line}", ""));
    if proof.outcome != Outcome::Kept
        && let Some(reason) = &intent.reason
    {
        more(format!("declared because: {reason}"));
    }
    why(intent, proof).into_iter().for_each(more);
    lines
}

/// The same of the account after a plan, and what it was before where that differs.
pub(super) fn with_before(intent: &Intent, before: &Proof, after: &Proof) -> Vec<String> {
    let mut lines = lines(intent, after);
    let (was, will) = (word(&before.outcome), word(&after.outcome));
    if was != will {
        lines.push(format!("{:9}  before the plan it is {was}", ""));
    } else if after.is_broken() {
        lines.push(format!("{:9}  it is broken before the plan too", ""));
    }
    lines
}
