//! `doorward audit export`: the audit log as JSON lines, and its head on standard error.

use std::process::ExitCode;

use clap::Args;

use super::{PAGE, in_time};
use crate::command::Failure;
use crate::command::printer::{note, print_exactly};
use crate::store::Store;

/// Export the audit log as JSON lines
///
/// The head (the number and the hash of the last entry) is printed to standard error. Keep it separate from the
/// export: it shows later whether entries at the end were cut off.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward audit export > audit.jsonl
  doorward audit export --after 128 >> audit.jsonl")]
pub(super) struct Export {
    /// Only entries after this number
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    after: u64,
}

impl Export {
    /// Prints the lines to standard output, and the head to standard error.
    pub(super) async fn run(self, store: &Store) -> Result<ExitCode, Failure> {
        let head = in_time(store.head()).await?;
        let mut after = self.after;
        while after < head.seq {
            let lines = in_time(store.lines(after, PAGE)).await?;
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
