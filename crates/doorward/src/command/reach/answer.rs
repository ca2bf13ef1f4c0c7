//! One question answered: printed, and as an exit code.

use doorward_core::reach::{Flows, Reachability, Selector, Verdict};

use super::{Expected, json, text};
use crate::command::{self, Code, Failure};

/// How a question ends; 64 and above are failures.
fn exit(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Yes => 0,
        Verdict::No => 1,
        Verdict::Partly => 2,
        Verdict::Unknown => 3,
    }
}

pub(super) fn run(
    reachability: &Reachability,
    from: &Selector,
    to: &Selector,
    asked: Option<&Flows>,
    as_json: bool,
    expected: Option<Expected>,
) -> Result<u8, Failure> {
    let answer = reachability.ask(from, to, asked);
    command::print(&if as_json {
        command::json(&json::question(&answer, from, to, asked))?
    } else {
        text::question(&answer, from, to, asked)
    })?;
    let Some(expected) = expected.map(Expected::verdict) else { return Ok(exit(answer.verdict)) };
    if answer.verdict == expected {
        return Ok(0);
    }
    command::note(&format!("the answer is `{}`, and not `{expected}` as asserted", answer.verdict));
    Ok(Code::No as u8)
}
