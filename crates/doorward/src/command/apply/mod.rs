//! `doorward apply`: performs the plan of the declared networks and roles.

mod audited;
mod confirmed;
mod performing;
mod report;
mod saved;

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use doorward_core::name::{InstallationId, NetworkName};
use doorward_core::policy::Policy;

use super::plan::{self, Planned};
use super::printer::print_wrapped;
use super::{Code, Failure};
use crate::policy_file;
use saved::Saved;

pub(super) use audited::RunLog;
pub(super) use confirmed::Confirmed;
pub(super) use performing::{Part, perform};
pub(super) use report::{HELP, Report};

/// Make an account match the declared networks and roles
///
/// The plan is shown first, as `doorward plan` prints it, and performed after you confirm it. Steps that do not depend on
/// each other are performed at the same time. A plan that was saved by `doorward plan --out` is performed only if the
/// account and the policy are still those that it was made from.
///
/// Every resource that is created has tags with the installation and its purpose. After a failure, after Ctrl-C, or after
/// the process was killed, run the command again: it reads the account, plans what is left, and creates nothing twice.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:
  doorward apply
  doorward apply main --yes
  doorward apply --yes --json | jq -r '.runs[].not_done[].what'
  doorward apply main.plan         a plan that `doorward plan --out` saved

Exit code 0: the account is as declared. 1: you did not confirm, something prevents the plan, a quota would be exceeded, or \
an intent would be or is broken. 69: a step failed; the output lists what is done and what is not. 74: the audit log could \
not be written, and nothing was done. 130: stopped by Ctrl-C.

{HELP}"))]
pub struct Apply {
    /// The networks, by default all of the policy; or a file with a saved plan
    #[arg(value_name = "PLAN|NETWORK")]
    what: Vec<String>,
    /// Perform the plan without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    options: RunOptions,
}

/// What all commands that perform a plan have in common.
#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// The installation that owns the networks; by default that of the store, or the one that the tags in the account
    /// name
    #[arg(long, value_name = "ID")]
    pub installation: Option<InstallationId>,
    /// Print JSON without asking: the plan, and the steps that are done, failed and left, also after a failure
    #[arg(long)]
    pub json: bool,
    /// Perform the plan even if the store does not answer, so that the audit log does not have it
    #[arg(long)]
    pub unrecorded: bool,
}

impl RunOptions {
    /// Fails where nobody may be asked, because the plan is not shown before the end.
    pub fn asks(&self, otherwise: &str) -> Result<(), Failure> {
        match self.json {
            true => Err(Failure::new(Code::Usage, "`--json` does not ask").hint(otherwise)),
            false => Ok(()),
        }
    }
}

/// The random bytes that an installation has its name from.
fn bytes_of(id: &InstallationId) -> Result<[u8; 4], Failure> {
    let number = u32::from_str_radix(id.as_str(), 16).map_err(Failure::with(Code::Internal))?;
    Ok(number.to_be_bytes())
}

impl Apply {
    /// Plans, asks, performs, and proves that nothing is left to do.
    pub fn run(self, path: &Path) -> Result<ExitCode, Failure> {
        let mut report = Report::new("apply", self.options.json, self.again());
        let ended = self.perform(path, &mut report);
        report.finish(ended).map(|()| ExitCode::SUCCESS)
    }

    fn perform(&self, path: &Path, report: &mut Report) -> Result<(), Failure> {
        let policy = policy_file::policy_alone(path)?;
        let saved = self.saved(&policy)?;
        let networks = match &saved {
            Some(saved) => saved.networks(),
            None => self.networks(&policy)?,
        };
        let drawn = match saved.as_ref().and_then(Saved::installation) {
            Some(saved) => saved.clone(),
            None => plan::drawn()?,
        };
        let from = plan::From::live(self.options.installation.clone(), Some(drawn));
        let planned = plan::planned(path, &policy, &networks, &from)?;
        if let Some(saved) = &saved {
            saved.is_of(&planned)?;
        }
        let confirmed = Confirmed {
            path,
            policy: &policy,
            networks: &networks,
            from: &from,
            yes: self.yes,
            options: &self.options,
            question: "Perform this plan?",
            otherwise: "run `doorward apply --yes` to perform the plan without asking",
        };
        match confirmed.perform(&planned, report)? {
            Some(after) => proven(&after, report),
            None => Ok(()),
        }
    }

    /// The saved plan, where a file is named.
    fn saved(&self, policy: &Policy) -> Result<Option<Saved>, Failure> {
        let [only] = self.what.as_slice() else { return Ok(None) };
        let is_network =
            only.parse::<NetworkName>().is_ok_and(|name| policy.topology.networks.contains_key(&name));
        if is_network || !Path::new(only).is_file() {
            return Ok(None);
        }
        Saved::read(Path::new(only)).map(Some)
    }

    fn networks(&self, policy: &Policy) -> Result<Vec<NetworkName>, Failure> {
        let name = |text: &String| {
            if let Some(failure) = not_a_network(text, policy) {
                return Err(failure);
            }
            text.parse().map_err(|error: doorward_core::name::NameError| {
                Failure::of(Code::Usage, &error)
                    .context(format!("`{text}` is neither a network of the policy nor a file"))
            })
        };
        self.what.iter().map(name).collect()
    }

    /// The command that goes on after a failure. A saved plan is of the account as it was before.
    fn again(&self) -> String {
        let networks =
            self.what.iter().filter(|what| what.parse::<NetworkName>().is_ok() && !Path::new(what).is_file());
        let words: Vec<&str> =
            ["doorward", "apply"].into_iter().chain(networks.map(String::as_str)).collect();
        words.join(" ")
    }
}

/// Why a word that looks like a file cannot be applied, unless a network has that name.
fn not_a_network(text: &str, policy: &Policy) -> Option<Failure> {
    let path = Path::new(text);
    let is_network =
        text.parse::<NetworkName>().is_ok_and(|name| policy.topology.networks.contains_key(&name));
    if is_network || !(path.exists() || text.contains('/') || path.extension().is_some()) {
        return None;
    }
    if path.is_file() {
        let what = format!("`{text}` is a file, and a saved plan is applied alone");
        return Some(Failure::new(Code::Usage, what).hint(format!("run `doorward apply {text}`")));
    }
    let what = match path.exists() {
        true => format!("`{text}` is neither a network of the policy nor a file"),
        false => format!("`{text}` is not a network of the policy, and there is no such file"),
    };
    Some(Failure::new(Code::NoInput, what).hint("`doorward plan --out FILE` saves a plan"))
}

/// That the account keeps every intent.
fn proven(planned: &Planned, report: &Report) -> Result<(), Failure> {
    if !report.is_json() {
        print_wrapped(&format!("\n{}", plan::text(planned)))?;
    }
    if planned.is_refused() {
        return Err(Failure::new(Code::No, "the account is as declared, and breaks an intent: see above"));
    }
    Ok(())
}
