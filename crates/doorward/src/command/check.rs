//! `doorward check`: every error in the policy, password and group files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use doorward_core::export::by_ssh;
use doorward_core::policy::{Address, Enforcement, Firewall, Mistake, Over, Policy, RoleArn, Target, utf8};
use doorward_core::reach::{Outcome, Proof, Reachability, prove};
use serde::Serialize;

use super::account::{Account, Assume, Source, survey};
use super::reach::text::section;
use super::{Code, Failure, count, intents, json, print};
use crate::bounded_file;
use crate::intents::account_regions;
use crate::policy_file::{self, Examined, examine};
use crate::servable;

/// Check the policy, password and group files
///
/// The command reports every error with its file, line and column, and says how to fix it. The exit code is 65 if
/// there is an error, and 0 if there are only warnings.
///
/// With --inventory the intents of the policy (`[[never]]`, `[[always]]`) are proved on a recorded account, and with
/// --live on the accounts and Regions that the policy names, by calls that only read.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  doorward check
  doorward check --policy /etc/doorward/doorward.toml
  doorward check --strict     in a pipeline: fail on warnings too
  doorward check --inventory account/     prove the intents on a recording
  doorward check --live       prove the intents on the live account
  doorward check --json | jq -r '.mistakes[] | .what'

Exit code with --inventory or --live: 1 if an intent is broken, 3 if one is undecided, because parts of the inventory \
are missing or could not be read. 69: nothing of the live account could be read.")]
pub struct Check {
    /// Prove the intents of the policy on recorded `aws … describe-*` output: a folder, a file, or - for standard
    /// input
    #[arg(long, value_name = "PATH")]
    inventory: Option<PathBuf>,
    /// Prove the intents of the policy on the live account
    #[arg(long, conflicts_with = "inventory")]
    live: bool,
    /// Assume the AWS default for what was not recorded, and list each assumption
    #[arg(long, value_name = "DEFAULTS", requires = "inventory")]
    assume: Option<Assume>,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
    /// Print JSON
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
    notes: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    intents: Option<Vec<intents::View<'r>>>,
}

impl Check {
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        let mut examined = examine(policy)?;
        examined.mistakes.extend(unservable(policy, examined.loaded.as_ref().map(|loaded| &*loaded.policy)));
        let name = policy.display().to_string();
        // Those of the policy in its order, and those of the people's files behind them.
        let place = |mistake: &Mistake| match mistake.file == name {
            true => (0, mistake.line, mistake.column),
            false => (1, 0, 0),
        };
        examined.mistakes.sort_by_key(place);
        let errors = examined.mistakes.iter().filter(|mistake| mistake.is_error()).count();
        let warnings = examined.mistakes.len() - errors;
        let notes: Vec<String> = examined.loaded.iter().flat_map(|loaded| notes(&loaded.policy)).collect();
        let loaded = examined.loaded.as_ref().map(|loaded| Arc::clone(&loaded.policy));
        let source = Source {
            inventory: self.inventory,
            assume: self.assume,
            profile: Vec::new(),
            region: Vec::new(),
        };
        let proofs = match &loaded {
            Some(loaded) if self.live || source.inventory.is_some() => Some(proofs(loaded, &source)?),
            _ => None,
        };
        let proved = || loaded.iter().flat_map(|policy| &policy.intents).zip(proofs.iter().flatten());
        if self.json {
            let digest = examined.loaded.as_ref().map(|loaded| loaded.digest.as_str());
            let policy = policy.display().to_string();
            let mistakes = &examined.mistakes;
            let intents = proofs
                .as_ref()
                .map(|_| proved().map(|(intent, proof)| intents::view(intent, proof, None)).collect());
            print(&json(&Report { policy, errors, warnings, digest, mistakes, notes: &notes, intents })?)?;
        } else {
            let mut text = report(policy, &examined, &notes, errors, warnings);
            let lines = proved().flat_map(|(intent, proof)| intents::lines(intent, proof)).collect();
            section(&mut text, "intents", lines);
            print(&text)?;
        }
        let any = |is: fn(&Proof) -> bool| proofs.iter().flatten().any(is);
        Ok(if errors > 0 || (self.strict && warnings > 0) {
            Code::Data.into()
        } else if any(Proof::is_broken) {
            Code::No.into()
        } else if any(|proof| matches!(proof.outcome, Outcome::Undecided(_))) {
            ExitCode::from(3)
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// The proof of each intent of a policy in a recorded account, or without one in the live account. Without an intent no
/// account is read.
fn proofs(policy: &Policy, source: &Source) -> Result<Vec<Proof>, Failure> {
    if policy.intents.is_empty() && source.inventory.is_none() {
        return Ok(Vec::new());
    }
    let inventory = match &source.inventory {
        Some(path) => {
            let Account { inventory, remarks } = source.recorded(path)?;
            remarks.note();
            inventory
        }
        None => survey(&account_regions(policy))?,
    };
    let reach = Reachability::of(inventory);
    Ok(policy.intents.iter().map(|intent| prove(intent, &reach)).collect())
}

/// What of the policy a server could not use. `loaded` is the policy with its paths resolved, if it has no error.
fn unservable(policy: &Path, loaded: Option<&Policy>) -> Vec<Mistake> {
    let name = policy.display().to_string();
    let Ok(bytes) = bounded_file::read(policy, policy_file::POLICY_AT_MOST) else { return Vec::new() };
    let Ok(text) = utf8(&bytes, &name) else { return Vec::new() };
    let reading = doorward_core::policy::read(text, &name);
    let mut mistakes = servable::mistakes(policy, &reading, &name);
    mistakes.extend(loaded.and_then(|loaded| servable::foreign(policy, loaded, &reading, &name)));
    mistakes
}

/// Whether AWS is asked for something in no Region that is named here.
fn names_no_region(policy: &Policy) -> bool {
    let of_firewall = |firewall: &Firewall| match &firewall.kind {
        Enforcement::SecurityGroup { at, .. } => at.region.is_none(),
        Enforcement::Nftables { .. } | Enforcement::Relay { .. } => false,
    };
    let looked_up = |target: &Target| !matches!(target.address, Address::Host(_) | Address::Network(_));
    policy.firewalls.values().any(of_firewall)
        || policy.ssm.as_ref().is_some_and(|ssm| ssm.at.region.is_none())
        || policy.ssh.as_ref().is_some_and(|ssh| ssh.at.region.is_none())
        || (policy.aws.region.is_none() && policy.targets.values().any(looked_up))
}

/// Consequences of a policy that are not visible in it. None of them is an error.
fn notes(policy: &Policy) -> Vec<String> {
    let mut notes = Vec::new();
    if names_no_region(policy) {
        let note =
            "the policy does not name a Region for all its AWS resources, so AWS_REGION or the profile must";
        notes.push(note.to_owned());
    }
    if !policy.topology.is_empty() {
        let networks = count(policy.topology.networks.len(), "network", "networks");
        let roles = count(policy.topology.roles.len(), "role", "roles");
        notes.push(format!(
            "`doorward plan` shows what {networks} and {roles} of the policy change in the account"
        ));
    }
    if let Some(role) = policy.ssm.as_ref().and_then(|ssm| ssm.role.as_ref()) {
        notes.push(revoking(role));
    }
    let Some(ssh) = policy.ssh.as_ref().filter(|_| by_ssh(policy).next().is_some()) else {
        return notes;
    };
    let login = format!(
        "a grant by `ssh` is a login as `{}` on `{}`: `doorward ssh-server-config` prints the configuration that confines \
         it to the targets, and `doorward doctor` checks whether that is in effect",
        ssh.user, ssh.jump_host
    );
    notes.push(login);
    if ssh.over == Over::Ssm {
        notes.push(format!(
            "a session by AWS's document for SSH reaches every port of `{}` itself, not its sshd alone: close or protect what \
             else listens there",
            ssh.jump_host
        ));
    }
    notes
}

/// What the server needs in addition to vending credentials.
pub(super) fn revoking(role: &RoleArn) -> String {
    format!(
        "credentials of `{role}` outlive a grant that is revoked before it expires, for up to 15 minutes, unless the \
         server can deny them: it needs `iam:PutRolePolicy` on that role (`doorward iam --for server`), which `doorward \
         serve` checks at its start and `doorward doctor` when it revokes its grant"
    )
}

fn report(policy: &Path, examined: &Examined, notes: &[String], errors: usize, warnings: usize) -> String {
    let mut text: String = examined.mistakes.iter().map(|mistake| format!("{mistake}\n")).collect();
    text.extend(notes.iter().map(|note| format!("note: {note}\n")));
    let mut counts = Vec::new();
    if errors > 0 {
        counts.push(count(errors, "error", "errors"));
    }
    if warnings > 0 {
        counts.push(count(warnings, "warning", "warnings"));
    }
    let counts = if counts.is_empty() { "no errors".to_owned() } else { counts.join(", ") };
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
            text.push_str(&format!("{policy}: {counts}; {targets}, {firewalls}, {people} in {groups}\n"));
        }
        None => text.push_str(&format!("{policy}: {counts}\n")),
    }
    text
}
