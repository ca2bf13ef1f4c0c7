//! `doorward env stop`: stops the instance and the database of an environment.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use doorward_core::name::EnvironmentName;
use doorward_core::topology::{EnvironmentParts, Transition};

use super::{declared, is_in_state, print_state};
use crate::command::apply::{Confirmed, HELP, Report, RunOptions};
use crate::command::{Failure, plan};
use crate::policy_file;

/// Stop the instance and the database of an environment
///
/// The plan is shown first, with what each state costs a month and what is lost, and performed after you confirm it.
/// Nothing else of the network changes.
///
/// `pause` keeps the database with its endpoint, its security groups and its secret, and its storage is paid for. AWS
/// starts it again after seven days. `snapshot` deletes it with a final snapshot, from which `doorward env start`
/// restores it; older final snapshots are deleted as the policy declares by `snapshots`.
///
/// Environments of the kind `prod` are not stopped.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:
  doorward env stop dev
  doorward env stop dev --as snapshot --yes

Exit code 0: the environment is stopped. 1: you did not confirm, something prevents it, or an intent would be broken. 69: a \
step failed; the output lists what is done and what is not. 74: the \
audit log could not be written, and nothing was done. 130: stopped by Ctrl-C.

{HELP} The plan has \"lost\": [TEXT…] and \"states\": [{{\"state\": \"running|stopped|snapshot\", \"cost\"}}]."))]
pub(super) struct Stop {
    /// The environment
    #[arg(value_name = "NAME")]
    name: EnvironmentName,
    /// How its database is stopped
    #[arg(long = "as", value_name = "HOW", default_value = "pause")]
    how: How,
    /// Stop it without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    options: RunOptions,
}

/// How a database is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// It is stopped, for seven days at most
    Pause,
    /// It is deleted with a final snapshot
    Snapshot,
}

impl Stop {
    pub(super) fn run(self, path: &Path) -> Result<ExitCode, Failure> {
        let option = match self.how {
            How::Pause => "",
            How::Snapshot => " --as snapshot",
        };
        let again = format!("doorward env stop {}{option}", self.name);
        let mut report = Report::new("env stop", self.options.json, again);
        let ended = self.perform(path, &mut report);
        report.finish(ended).map(|()| ExitCode::SUCCESS)
    }

    fn perform(&self, path: &Path, report: &mut Report) -> Result<(), Failure> {
        let policy = policy_file::policy_alone(path)?;
        let environment = declared(&policy, &self.name)?;
        let to = match self.how {
            How::Pause => Transition::Pause,
            How::Snapshot => Transition::Snapshot,
        };
        let mut from = plan::From::live(self.options.installation.clone(), None);
        from.transition = Some((self.name.clone(), to));
        let confirmed = Confirmed {
            path,
            policy: &policy,
            networks: std::slice::from_ref(&environment.network),
            from: &from,
            yes: self.yes,
            options: &self.options,
            question: "Stop the environment?",
            otherwise: &format!("run `{} --yes` to stop it without asking", report.again()),
        };
        let planned = confirmed.planned()?;
        let after = confirmed.perform(&planned, report)?;
        let is_stopped = |parts: &EnvironmentParts<'_>| parts.is_stopped();
        is_in_state(after.as_ref().unwrap_or(&planned), environment, is_stopped, report)?;
        match after {
            Some(after) if !report.is_json() => print_state(&after, environment),
            _ => Ok(()),
        }
    }
}
