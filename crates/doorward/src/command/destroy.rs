//! `doorward destroy`: deletes a network that Doorward made.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use doorward_core::inventory::{AccountRegion, Inventory};
use doorward_core::name::{InstallationId, NetworkName};
use doorward_core::plan::Plan;
use doorward_core::plan::network::{NetworkStep, network_difference};
use doorward_core::policy::Policy;
use doorward_core::topology::{Layout, Obstacle, Site, without};
use serde::Serialize;

use super::apply::{HELP, Part, Report, RunLog, RunOptions, perform};
use super::printer::print_wrapped;
use super::{Code, Failure, account, confirm, count, note, plan, print, runtime};
use crate::policy_file;

/// Delete a network that Doorward made
///
/// Everything that has the tags of the network and of this installation is deleted, in an order in which AWS allows it. A
/// network that others use is not touched: the command names the interfaces that are in it, and their owners. Elastic
/// addresses are released, and nobody gets the same ones again.
///
/// The steps are shown first, and performed after you typed the name of the network.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:
  doorward destroy main
  doorward destroy main --confirm main        without a terminal

Exit code 0: the network is gone. 1: you did not confirm, there is nothing to destroy, or something uses the network. 69: a \
step failed; the output lists what is done and what is not. 74: the audit log could not be written, and nothing was done. \
130: stopped by Ctrl-C.

{HELP} The plan has the steps without costs, and the proof is {{\"changes\": false}}."))]
pub struct Destroy {
    /// The network
    #[arg(value_name = "NETWORK")]
    network: NetworkName,
    /// The name of the network, instead of typing it
    #[arg(long, value_name = "NETWORK")]
    confirm: Option<NetworkName>,
    #[command(flatten)]
    options: RunOptions,
}

impl Destroy {
    /// Reads the account, asks, deletes, and reads it again.
    pub fn run(self, path: &Path) -> Result<ExitCode, Failure> {
        let again = format!("doorward destroy {}", self.network);
        let mut report = Report::new("destroy", self.options.json, again);
        let ended = self.perform(path, &mut report);
        report.finish(ended).map(|()| ExitCode::SUCCESS)
    }

    fn perform(&self, path: &Path, report: &mut Report) -> Result<(), Failure> {
        let policy = policy_file::policy_alone(path)?;
        let name = &self.network;
        let declared = policy.topology.networks.get(name);
        let account_region = declared.map_or_else(|| policy.aws.clone(), |network| network.at.clone());
        let actual = account::survey(&BTreeSet::from([account_region.clone()]))?;
        let owner = plan::owner(path, &policy, self.options.installation.as_ref(), name, &actual)?;
        let site = |seen: &Inventory| Site::of(seen, plan::seen_place(seen, &account_region), owner.clone());
        let layout = without(name, &actual, &site(&actual)).map_err(|found| prevented(name, &found))?;
        let steps = network_difference(&actual, &layout.wanted, &owner);
        match report.is_json() {
            true => report.plans(document(name, &account_region, &owner, &layout, &steps)?),
            false => print_wrapped(&text(name, &account_region, &layout, &steps))?,
        }
        intents(&policy, &actual, &layout)?;
        if declared.is_some() {
            note(&format!("note: [network.{name}] is still declared, so `doorward apply` creates it again"));
        }
        self.confirmed()?;
        let log = RunLog::of(path, &policy, &owner, self.options.unrecorded)?;
        let part = Part {
            account_region: &account_region,
            by: &owner,
            networks: &BTreeSet::from([name.clone()]),
            environment: None,
            plan: steps,
            actual: &actual,
        };
        runtime()?.block_on(perform(part, &log, report))?;
        let after = account::survey(&BTreeSet::from([account_region.clone()]))?;
        match without(name, &after, &site(&after)) {
            Err(found) if is_nothing(&found) => {
                report.proves_value(serde_json::json!({ "changes": false }));
                match report.is_json() {
                    true => Ok(()),
                    false => print(&format!("\nthe network {name} in {account_region} is gone\n")),
                }
            }
            Err(found) => Err(prevented(name, &found)),
            Ok(_) => Err(Failure::new(Code::Unavailable, format!("something of the network {name} is left"))
                .hint(format!("run `{}` again", report.again()))),
        }
    }

    /// That a person wants it, who typed the name of the network.
    fn confirmed(&self) -> Result<(), Failure> {
        let name = &self.network;
        let otherwise = format!("run `doorward destroy {name} --confirm {name}`");
        match &self.confirm {
            Some(typed) if typed == name => Ok(()),
            Some(typed) => {
                let what = format!("`--confirm {typed}` is not the name of the network, so nothing was done");
                Err(Failure::new(Code::Usage, what))
            }
            None => {
                self.options.asks(&otherwise)?;
                let question = "This cannot be undone. Type the name of the network to destroy it: ";
                confirm::exactly(name.as_str(), question, &otherwise)
            }
        }
    }
}

/// The plan of a destruction as JSON: a part of what `doorward plan --json` prints.
fn document(
    name: &NetworkName,
    account_region: &AccountRegion,
    owner: &InstallationId,
    layout: &Layout,
    plan: &Plan<NetworkStep>,
) -> Result<serde_json::Value, Failure> {
    let region = RegionView {
        region: account_region.region.as_deref(),
        profile: account_region.profile.as_deref(),
        networks: [name.as_str()],
        installation: owner.as_str(),
        account_digest: plan.made_from().to_string(),
        digest: plan.digest(),
        steps: plan::steps_as_json(plan),
        unchanged: layout.notes.iter().map(ToString::to_string).collect(),
    };
    let document = Document { format: plan::FORMAT, changes: !plan.is_empty(), plans: [region] };
    serde_json::to_value(document).map_err(Failure::with(Code::Internal))
}

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    changes: bool,
    plans: [RegionView<'a>; 1],
}

#[derive(Serialize)]
struct RegionView<'a> {
    region: Option<&'a str>,
    profile: Option<&'a str>,
    networks: [&'a str; 1],
    installation: &'a str,
    account_digest: String,
    digest: String,
    steps: Vec<plan::StepView>,
    unchanged: Vec<String>,
}

fn is_nothing(found: &[Obstacle]) -> bool {
    matches!(found, [Obstacle::NothingToDestroy { .. }])
}

fn prevented(name: &NetworkName, found: &[Obstacle]) -> Failure {
    let failure = match found {
        [only] => Failure::new(Code::No, only.to_string()),
        several => Failure::new(Code::No, format!("the network {name} cannot be destroyed"))
            .details(several.iter().map(ToString::to_string)),
    };
    if found.iter().any(|it| matches!(it, Obstacle::InUse { .. })) {
        return failure.hint(format!(
            "delete these resources, or move them to another network, and run `doorward destroy {name}` again"
        ));
    }
    if found.iter().any(|it| matches!(it, Obstacle::Unread(_))) {
        return failure.hint(plan::READ_AGAIN);
    }
    failure
}

/// That no intent of the policy would be broken.
fn intents(policy: &Policy, actual: &Inventory, layout: &Layout) -> Result<(), Failure> {
    let broken = plan::broken_without(policy, actual, &layout.wanted);
    if broken.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Code::No, "the network is not destroyed, because an intent would be broken")
        .details(broken))
}

fn text(
    name: &NetworkName,
    account_region: &AccountRegion,
    layout: &Layout,
    plan: &Plan<NetworkStep>,
) -> String {
    let steps = plan.steps();
    let mut text = format!(
        "destroy the network {name} in {account_region}: {}\n\n",
        count(steps.len(), "step", "steps")
    );
    let width = steps.len().to_string().len();
    for (number, step) in (1..).zip(steps) {
        text.push_str(&format!("  {number:width$}. {}\n", step.change));
    }
    if !layout.notes.is_empty() {
        text.push_str("\nleft as it is\n");
        layout.notes.iter().for_each(|note| text.push_str(&format!("  {note}\n")));
    }
    text
}
