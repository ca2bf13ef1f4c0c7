//! Doorward's program: parses what was typed, runs it, and turns a failure into an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use doorward::command::{Cli, Code};

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli.run().unwrap_or_else(|failure| failure.tell()),
        Err(error) => {
            // A pipe that is closed is no reason to say anything.
            let _ = error.print();
            if error.use_stderr() { Code::Usage.into() } else { ExitCode::SUCCESS }
        }
    }
}
