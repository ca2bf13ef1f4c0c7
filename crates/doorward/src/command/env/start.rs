//! `doorward env start`: starts an environment, and proves that it reaches, and is reached, as it is declared.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use doorward_core::name::EnvironmentName;
use doorward_core::topology::{EnvironmentParts, EnvironmentState, Transition};

use super::{declared, is_in_state, paths, print_state};
use crate::command::apply::{Confirmed, HELP, Report, RunOptions};
use crate::command::{Failure, plan};
use crate::policy_file;

/// Start the instance and the database of an environment
///
/// A database that is stopped is started. One that was deleted is restored from its newest snapshot, with the declared
/// class, security groups, subnet group and sign-in by IAM; AWS then manages its master password in a new secret. The
/// plan is shown first, and performed after you confirm it. An environment of the kind `prod` gets its Auto Scaling
/// group with its database, if the network was destroyed and applied again.
///
/// In the end the account is read again: the paths from and to the instance and the database have to be those of the
/// declaration.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:
  doorward env start dev
  doorward env start dev --yes

Exit code 0: the environment runs as declared. 1: you did not confirm, something prevents it, or its paths are not those of \
the declaration. 69: a step failed; the output lists what is done and what is not. 74: the \
audit log could not be written, and nothing was done. 130: stopped by Ctrl-C.

{HELP} The plan has \"lost\": [TEXT…] and \"states\": [{{\"state\": \"running|stopped|snapshot\", \"cost\"}}]."))]
pub(super) struct Start {
    /// The environment
    #[arg(value_name = "NAME")]
    name: EnvironmentName,
    /// Start it without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    options: RunOptions,
}

impl Start {
    pub(super) fn run(self, path: &Path) -> Result<ExitCode, Failure> {
        let again = format!("doorward env start {}", self.name);
        let mut report = Report::new("env start", self.options.json, again);
        let ended = self.perform(path, &mut report);
        report.finish(ended).map(|()| ExitCode::SUCCESS)
    }

    fn perform(&self, path: &Path, report: &mut Report) -> Result<(), Failure> {
        let policy = policy_file::policy_alone(path)?;
        let environment = declared(&policy, &self.name)?;
        let networks = std::slice::from_ref(&environment.network);
        let mut from = plan::From::live(self.options.installation.clone(), None);
        from.transition = Some((self.name.clone(), Transition::Start));
        let confirmed = Confirmed {
            path,
            policy: &policy,
            networks,
            from: &from,
            yes: self.yes,
            options: &self.options,
            question: "Start the environment?",
            otherwise: &format!("run `{} --yes` to start it without asking", report.again()),
        };
        let planned = confirmed.planned()?;
        let after = confirmed.perform(&planned, report)?;
        let is_running = |parts: &EnvironmentParts<'_>| parts.state() == EnvironmentState::Running;
        is_in_state(after.as_ref().unwrap_or(&planned), environment, is_running, report)?;
        let declared = plan::From::live(self.options.installation.clone(), None);
        paths::as_declared(&plan::planned(path, &policy, networks, &declared)?, environment)?;
        match after {
            Some(after) if !report.is_json() => print_state(&after, environment),
            _ => Ok(()),
        }
    }
}
