//! What a person has to type before something is changed.

use std::io::{BufRead as _, IsTerminal as _};

use super::printer::prompt;
use super::{Code, Failure};

/// Far more than an answer has, in bytes.
const LONGEST: u64 = 1_024;

/// Asks for `yes`; `otherwise` says what to do where there is no terminal.
pub(super) fn yes(question: &str, otherwise: &str) -> Result<(), Failure> {
    exactly("yes", &format!("{question} Type `yes`: "), otherwise)
}

/// Asks for a text.
pub(super) fn exactly(text: &str, question: &str, otherwise: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(Code::Usage, "there is no terminal to confirm at").hint(otherwise));
    }
    let cannot =
        |error: std::io::Error| Failure::new(Code::Io, "cannot read from the terminal").because(&error);
    prompt(question).map_err(cannot)?;
    let mut line = String::new();
    let mut input = std::io::Read::take(std::io::stdin().lock(), LONGEST);
    input.read_line(&mut line).map_err(cannot)?;
    if line.trim() == text {
        return Ok(());
    }
    Err(Failure::new(Code::No, "not confirmed, so nothing was changed"))
}
