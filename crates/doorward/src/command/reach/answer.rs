//! One question answered: printed, and as an exit code.

use doorward_core::reach::{Answer, Flows, Selector, Verdict};

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

pub(super) struct Asked<'a> {
    pub from: &'a Selector,
    pub to: &'a Selector,
    /// None when all that is allowed was asked for.
    pub flows: Option<&'a Flows>,
}

pub(super) fn print(
    answer: &Answer,
    asked: &Asked<'_>,
    assumed: &[String],
    as_json: bool,
    expected: Option<Expected>,
) -> Result<u8, Failure> {
    command::print(&if as_json {
        command::json(&json::question(answer, asked, assumed))?
    } else {
        text::question(answer, asked.from, asked.to, asked.flows) + &text::assumed(assumed)
    })?;
    let Some(expected) = expected.map(Expected::verdict) else { return Ok(exit(answer.verdict)) };
    if answer.verdict == expected {
        return Ok(0);
    }
    command::note(&format!("the answer is `{}`, not `{expected}`", answer.verdict));
    Ok(Code::No as u8)
}
