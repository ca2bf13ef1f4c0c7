//! `doorward check`: every mistake in the policy and in the people files, at once.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use doorward_core::export::by_ssh;
use doorward_core::policy::{Address, Enforcement, Firewall, Mistake, Policy, RoleArn, Target, utf8};
use serde::Serialize;

use super::{Code, Failure, count, json, print};
use crate::bounded_file;
use crate::policy_file::{self, Examined, examine};
use crate::servable;

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
    notes: &'r [String],
}

impl Check {
    /// Prints the report.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        let mut examined = examine(policy)?;
        examined.mistakes.extend(unservable(policy));
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
        if self.json {
            let digest = examined.loaded.as_ref().map(|loaded| loaded.digest.as_str());
            let policy = policy.display().to_string();
            let mistakes = &examined.mistakes;
            print(&json(&Report { policy, errors, warnings, digest, mistakes, notes: &notes })?)?;
        } else {
            print(&report(policy, &examined, &notes, errors, warnings))?;
        }
        let failed = errors > 0 || (self.strict && warnings > 0);
        Ok(if failed { Code::Data.into() } else { ExitCode::SUCCESS })
    }
}

/// What of the policy a server could not use.
fn unservable(policy: &Path) -> Vec<Mistake> {
    let name = policy.display().to_string();
    let Ok(bytes) = bounded_file::read(policy, policy_file::POLICY_AT_MOST) else { return Vec::new() };
    let Ok(text) = utf8(&bytes, &name) else { return Vec::new() };
    servable::mistakes(policy, &doorward_core::policy::read(text, &name), &name)
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

/// What a policy means and does not say. None of it is a mistake.
fn notes(policy: &Policy) -> Vec<String> {
    let mut notes = Vec::new();
    if names_no_region(policy) {
        let note =
            "the policy names no Region for all that it asks of AWS, so AWS_REGION or the profile has to";
        notes.push(note.to_owned());
    }
    if let Some(role) = policy.ssm.as_ref().and_then(|ssm| ssm.role.as_ref()) {
        notes.push(revoking(role));
    }
    let Some(ssh) = policy.ssh.as_ref().filter(|_| by_ssh(policy).next().is_some()) else {
        return notes;
    };
    let login = format!(
        "a grant by `ssh` is a login as `{}` on `{}`: `doorward ssh-server-config` prints what confines it to the \
         targets, and `doorward doctor` tells whether it is in force",
        ssh.user, ssh.jump_host
    );
    notes.push(login);
    notes
}

/// What the server needs beside what it vends.
pub(super) fn revoking(role: &RoleArn) -> String {
    format!(
        "credentials of `{role}` outlive a grant that is closed before its time, for 15 minutes at most, unless the \
         server may deny them: it needs `iam:PutRolePolicy` on that role (`doorward iam --for server`), which `doorward \
         serve` tries when it starts and `doorward doctor` when it closes its grant"
    )
}

fn report(policy: &Path, examined: &Examined, notes: &[String], errors: usize, warnings: usize) -> String {
    let mut text: String = examined.mistakes.iter().map(|mistake| format!("{mistake}\n")).collect();
    text.extend(notes.iter().map(|note| format!("note: {note}\n")));
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
