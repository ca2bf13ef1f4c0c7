//! The machine's own programs, `nft` and `ip`, run with a limit and in plain words.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How long one run may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Why one of them did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// No such program.
    #[error("`{0}` is not on the PATH, in /usr/sbin or in /sbin")]
    Missing(&'static str),
    /// Not root.
    #[error("the kernel does not permit this program to change the network")]
    NotPermitted,
    /// It could not be run.
    #[error("`{0}` could not be run")]
    Run(&'static str, #[source] io::Error),
    /// It did not come to an end.
    #[error("`{0}` did not finish within {limit} s", limit = LIMIT.as_secs())]
    TooLong(&'static str),
    /// It refused.
    #[error("`{program}` refused to {what}: {said}")]
    Refused {
        program: &'static str,
        /// What it was asked.
        what: String,
        /// What it said, in one line.
        said: String,
    },
    /// It answered something else.
    #[error("the answer of `{0}` could not be read")]
    Answer(&'static str, #[source] serde_json::Error),
}

impl ProgramError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing("nft") => Some("apt install nftables"),
            Self::Missing("ip") => Some("apt install iproute2"),
            Self::NotPermitted => Some("a range needs root (CAP_NET_ADMIN); `--socks` does not"),
            _ => None,
        }
    }
}

/// Runs one to its end; what it printed.
pub(super) async fn run(
    program: &'static str,
    arguments: &[&str],
    input: &str,
    what: &str,
) -> Result<String, ProgramError> {
    let mut child = Command::new(find(program).ok_or(ProgramError::Missing(program))?)
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| ProgramError::Run(program, source))?;
    let mut stdin = child.stdin.take();
    let feed = async move {
        if let Some(stdin) = &mut stdin {
            // What it did not read it will complain of itself.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let both = async { tokio::join!(feed, child.wait_with_output()).1 };
    let output = tokio::time::timeout(LIMIT, both)
        .await
        .map_err(|_| ProgramError::TooLong(program))?
        .map_err(|source| ProgramError::Run(program, source))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("Operation not permitted") {
        return Err(ProgramError::NotPermitted);
    }
    let mut said = in_a_line(&said);
    if said.is_empty() {
        said = output.status.to_string();
    }
    Err(ProgramError::Refused { program, what: what.to_owned(), said })
}

/// Without the underlining of the line that it did not like.
fn in_a_line(said: &str) -> String {
    let lines = said.lines().map(str::trim);
    let telling = lines.filter(|line| line.contains(|letter| !matches!(letter, '^' | '~' | ' ')));
    telling.take(4).collect::<Vec<_>>().join("; ")
}

/// Where a program is.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .chain(["/usr/sbin", "/sbin"].map(|folder| Path::new(folder).to_owned()))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_complains_of_is_said_in_a_line() {
        fn check(said: &str, expected: &str) {
            assert_eq!(in_a_line(said), expected);
        }
        check(
            "/dev/stdin:3:3-3: Error: syntax error\n  } }\n    ^\n",
            "/dev/stdin:3:3-3: Error: syntax error; } }",
        );
        check("RTNETLINK answers: File exists\n", "RTNETLINK answers: File exists");
        check("^^^\n", "");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = run("no-such-program", &[], "", "do").await.expect_err("there is none");
        assert_eq!(error.to_string(), "`no-such-program` is not on the PATH, in /usr/sbin or in /sbin");
    }
}
