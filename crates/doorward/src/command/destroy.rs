//! `doorward destroy`: deletes a network that Doorward made.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use doorward_core::inventory::{AccountRegion, Inventory};
use doorward_core::name::{InstallationId, NetworkName};
use doorward_core::plan::network::network_difference;
use doorward_core::policy::Policy;
use doorward_core::topology::{Layout, Obstacle, Site, without};

use super::apply::{Part, perform};
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
#[command(after_help = "Examples:
  doorward destroy main
  doorward destroy main --confirm main        without a terminal

Exit code 0: the network is gone. 1: you did not confirm, there is nothing to destroy, or something uses the network. 69: a \
step failed; the output lists what is done and what is not. 130: stopped by Ctrl-C.")]
pub struct Destroy {
    /// The network
    #[arg(value_name = "NETWORK")]
    network: NetworkName,
    /// The name of the network, instead of typing it
    #[arg(long, value_name = "NETWORK")]
    confirm: Option<NetworkName>,
    /// The installation that owns the network; by default that of the store, or the one that the tags in the account
    /// name
    #[arg(long, value_name = "ID")]
    installation: Option<InstallationId>,
}

impl Destroy {
    /// Reads the account, asks, deletes, and looks again.
    pub fn run(self, path: &Path) -> Result<ExitCode, Failure> {
        let policy = policy_file::policy_alone(path)?;
        let name = &self.network;
        let declared = policy.topology.networks.get(name);
        let account_region = declared.map_or_else(|| policy.aws.clone(), |network| network.at.clone());
        let actual = account::survey(&BTreeSet::from([account_region.clone()]))?;
        let owner = plan::owner(path, &policy, self.installation.as_ref(), name, &actual)?;
        let site = |seen: &Inventory| Site::of(seen, plan::seen_place(seen, &account_region), owner.clone());
        let layout = without(name, &actual, &site(&actual)).map_err(|found| prevented(name, &found))?;
        let steps = network_difference(&actual, &layout.wanted, &owner);
        print_wrapped(&text(name, &account_region, &layout, &steps))?;
        intents(&policy, &actual, &layout)?;
        if declared.is_some() {
            note(&format!("note: [network.{name}] is still declared, so `doorward apply` creates it again"));
        }
        match &self.confirm {
            Some(typed) if typed == name => {}
            Some(typed) => {
                let what = format!("`--confirm {typed}` is not the name of the network, so nothing was done");
                return Err(Failure::new(Code::Usage, what));
            }
            None => {
                let question = "This cannot be undone. Type the name of the network to destroy it: ";
                let otherwise = format!("run `doorward destroy {name} --confirm {name}`");
                confirm::exactly(name.as_str(), question, &otherwise)?;
            }
        }
        let again = format!("doorward destroy {name}");
        let part =
            Part { account_region: &account_region, by: &owner, plan: steps, actual: &actual, again: &again };
        runtime()?.block_on(perform(part))?;
        let after = account::survey(&BTreeSet::from([account_region.clone()]))?;
        match without(name, &after, &site(&after)) {
            Err(found) if is_nothing(&found) => {
                print(&format!("the network {name} in {account_region} is gone\n"))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(found) => Err(prevented(name, &found)),
            Ok(_) => Err(Failure::new(Code::Unavailable, format!("something of the network {name} is left"))
                .hint(format!("run `{again}` again"))),
        }
    }
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
    plan: &doorward_core::plan::Plan<doorward_core::plan::network::NetworkStep>,
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
