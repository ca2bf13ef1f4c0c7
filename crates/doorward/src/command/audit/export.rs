//! `doorward audit export`: the record as JSON lines, and its head beside it.

use std::process::ExitCode;

use clap::Args;

use super::PAGE;
use crate::command::printer::{note, print_exactly};
use crate::command::{Code, Failure};
use crate::store::Store;

/// Write the record as JSON lines
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward audit export > record.jsonl
  doorward audit export --after 128 >> record.jsonl

The head (where the record ends) is printed to standard error; keep it apart from the record.")]
pub(super) struct Export {
    /// Only lines behind this one
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    after: u64,
}

impl Export {
    /// Prints the lines to standard output, and the head to standard error.
    pub(super) async fn run(self, store: &Store) -> Result<ExitCode, Failure> {
        let head = store.head().await.map_err(Failure::with(Code::Io))?;
        let mut after = self.after;
        while after < head.seq {
            let lines = store.lines(after, PAGE).await.map_err(Failure::with(Code::Io))?;
            let Some((last, _)) = lines.last() else { break };
            let wanted = lines.iter().filter(|(seq, _)| *seq <= head.seq);
            let text: String = wanted.map(|(_, line)| format!("{line}\n")).collect();
            print_exactly(&text)?;
            after = *last;
        }
        note(&format!("head {}:{}", head.seq, head.hash));
        Ok(ExitCode::SUCCESS)
    }
}
