//! Parses the command line, runs the verb, and turns a failure into an exit code.

use std::process::ExitCode;

use doorward::command::Cli;

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come this way too; whoever reads may have gone.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    let started = cli.log().map(|log| log.start());
    match started.and_then(|()| cli.run()) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
