//! The command line: a file per verb, and how a failure is told.

mod check;
mod failure;
mod group;
mod iam;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use self::failure::{Code, Failure};

/// Short-lived, recorded ways into a private network.
#[derive(Debug, Parser)]
#[command(name = "doorward", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// The policy file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "DOORWARD_POLICY",
        default_value = "doorward.toml"
    )]
    pub policy: PathBuf,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
   0  it is done
  64  the command line is wrong
  65  a policy or a people file has mistakes, or names what is not there
  66  a file cannot be found
  70  Doorward itself is wrong; please report it
  73  a file cannot be made
  74  a file cannot be read or written
  77  permission is denied";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say every mistake in the policy and in the people files
    Check(check::Check),
    /// Add and remove people, and set their passwords
    User(user::User),
    /// Put people into groups, and take them out
    Group(group::GroupCommand),
    /// Print the least IAM policy that Doorward needs
    Iam(iam::Iam),
}

impl Cli {
    /// Does it.
    pub fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            Command::Check(check) => check.run(&self.policy),
            Command::User(user) => user.run(&self.policy),
            Command::Group(group) => group.run(&self.policy),
            Command::Iam(iam) => iam.run(&self.policy),
        }
    }
}

/// Writes to the standard output. Whoever closed it wants no more, which is no failure.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::{ErrorKind, Write as _};
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(Code::Io, "cannot write to the standard output").because(&error))
        }
        _ => Ok(()),
    }
}

/// A line to the standard error, beside what the command is asked for.
fn note(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The value as indented JSON, with a line's end.
fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(Code::Internal, "cannot write this as JSON").because(&error))?;
    Ok(json + "\n")
}

/// `1 error`, `2 errors`.
fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
