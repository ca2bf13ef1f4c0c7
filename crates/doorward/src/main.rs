//! Parses the command line, runs the verb, and turns a failure into an exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use doorward::command::Cli;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come this way too; whoever reads may have gone.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    let filter =
        EnvFilter::try_from_env("DOORWARD_LOG").unwrap_or_else(|_| EnvFilter::new("doorward=info,warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // It would panic when whoever reads standard error has gone, and grants would not be closed.
        .log_internal_errors(false)
        .init();
    match cli.run() {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}
