//! `doorward check`: every mistake in the policy and in the people files, at once.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use doorward_core::policy::Mistake;
use serde::Serialize;

use super::{Code, Failure, count, json, print};
use crate::policy_file::{Examined, examine};

/// Say every mistake in the policy and in the people files
///
/// Each comes with its file, line and column, and with what would be right. The exit code is 65 when there is an
/// error, and 0 when there are warnings only.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  doorward check
  doorward check --policy /etc/doorward/doorward.toml
  doorward check --strict     in a pipeline: a warning fails too
  doorward check --json | jq -r '.mistakes[] | .what'")]
pub struct Check {
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'r> {
    policy: String,
    errors: usize,
    warnings: usize,
    digest: Option<&'r str>,
    mistakes: &'r [Mistake],
}

impl Check {
    /// Prints the report.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        let examined = examine(policy)?;
        let errors = examined.mistakes.iter().filter(|mistake| mistake.is_error()).count();
        let warnings = examined.mistakes.len() - errors;
        if self.json {
            let digest = examined.loaded.as_ref().map(|loaded| loaded.digest.as_str());
            let policy = policy.display().to_string();
            print(&json(&Report { policy, errors, warnings, digest, mistakes: &examined.mistakes })?)?;
        } else {
            print(&report(policy, &examined, errors, warnings))?;
        }
        let failed = errors > 0 || (self.strict && warnings > 0);
        Ok(if failed { Code::Data.into() } else { ExitCode::SUCCESS })
    }
}

fn report(policy: &Path, examined: &Examined, errors: usize, warnings: usize) -> String {
    let mut text: String = examined.mistakes.iter().map(|mistake| format!("{mistake}\n")).collect();
    let mut told = Vec::new();
    if errors > 0 {
        told.push(count(errors, "error", "errors"));
    }
    if warnings > 0 {
        told.push(count(warnings, "warning", "warnings"));
    }
    let told = if told.is_empty() { "no mistakes".to_owned() } else { told.join(", ") };
    if !text.is_empty() {
        text.push('\n');
    }
    let policy = policy.display();
    match &examined.loaded {
        Some(loaded) => {
            let targets = count(loaded.policy.targets.len(), "target", "targets");
            let firewalls = count(loaded.policy.firewalls.len(), "firewall", "firewalls");
            let people = count(loaded.people.passwords.len(), "person", "people");
            let groups = count(loaded.people.groups.len(), "group", "groups");
            text.push_str(&format!("{policy}: {told}; {targets}, {firewalls}, {people} in {groups}\n"));
        }
        None => text.push_str(&format!("{policy}: {told}\n")),
    }
    text
}
