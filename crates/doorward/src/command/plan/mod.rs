//! `doorward plan`: what an account lacks of the declared networks and roles, step by step, with cost, quotas and paths.

mod json;
mod owner;
mod planned;
mod saved;
mod scope;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use doorward_core::inventory::Inventory;
use doorward_core::name::{EnvironmentName, InstallationId, NetworkName};
use doorward_core::policy::Policy;
use doorward_core::price::Table;
use doorward_core::topology::{Obstacle, Transition};

use super::account::Assume;
use super::printer::print_wrapped;
use super::{Code, Failure, note, prices, print};
use crate::policy_file;

pub(super) use json::{FORMAT, StepView, steps_as_json};
pub(super) use owner::{drawn, of as owner_of};
pub(super) use planned::{Planned, broken_without};
pub(super) use scope::{read, seen_place};
pub(super) use text::amount;

/// Plan the declared networks and roles of an account
///
/// The plan compares the account with the networks and roles of the policy, and changes nothing. It shows each step in
/// its order with the reason, the cost of a month, the quotas, the paths that it opens and closes, and everything that
/// stays as it is. Intents of the policy (`[[never]]`, `[[always]]`) are proved on the account after the plan.
///
/// NETWORK is the name of a network of the policy; by default all of them are planned.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward plan
  doorward plan main
  doorward plan --inventory account/          without an AWS account
  doorward plan --out main.plan               save the plan
  doorward plan --json | jq -r '.plans[].steps[].what'

Exit code 0: nothing to change. 2: there are changes. 1: something prevents the plan, a known quota would be exceeded, \
or an intent would be broken. 64 and above: the policy or the account could not be read.

The zones of a Region are read with `aws ec2 describe-availability-zones`. In a recording without it, the zones of \
existing subnets are used.

JSON: {\"format\": \"doorward-plan/2\", \"changes\": true, \"plans\": [PLAN…], \"paths\": {\"opened\": [PATH…], \
\"closed\": [PATH…], …} as in `doorward reach --help`, \"intents\": [{\"intent\", \"line\", \"reason\", \"outcome\": \
\"kept|broken|undecided\", \"before\", \"why\": [TEXT…]}]}.

PLAN is {\"region\", \"account\", \"profile\", \"networks\": [NAME…], \"installation\", \"account_digest\", \"digest\", \
\"steps\": [{\"number\", \"what\", \"kind\", \"id\", \"why\", \"destroys\", \"usd_per_month\", \"unknown_prices\": [TEXT…]}], \
\"cost\": {\"usd_per_month\", \"sure\", \"date\", \"unknown\": [TEXT…], \"traffic\": [{\"item\", \"usd_per_gb\"}], \"assumed\": \
[TEXT…]}, \"nat\": [{\"network\", \"zones\", \"choice\", \"declared\", \"pro\", \"con\", \"cost\"}], \"quotas\": {\"exceeded\": \
[TEXT…], \"known\": {NAME: NUMBER}}, \"unchanged\": [TEXT…], \"declaration\": TEXT}. `account_digest` and `digest` identify \
the account that was read and the steps.")]
pub struct Plan {
    /// The networks
    #[arg(value_name = "NETWORK")]
    networks: Vec<NetworkName>,
    #[command(flatten)]
    from: From,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Save the plan into a file, with the digest of the account that it was made from
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What a plan is made from, besides the policy.
#[derive(Debug, Args)]
pub(super) struct From {
    /// Read recorded `aws … describe-*` output instead of the live account: a folder, a file, or - for standard
    /// input
    #[arg(long, value_name = "PATH")]
    pub inventory: Option<PathBuf>,
    /// Assume the AWS default for what was not recorded, and list each assumption
    #[arg(long, value_name = "DEFAULTS", requires = "inventory")]
    pub assume: Option<Assume>,
    /// The installation that owns the networks; by default that of the store, or the one that the tags in the
    /// account name
    #[arg(long, value_name = "ID")]
    pub installation: Option<InstallationId>,
    /// The installation, if nobody has one yet.
    #[arg(skip)]
    pub drawn: Option<InstallationId>,
    /// An environment that is started or stopped, while nothing else changes.
    #[arg(skip)]
    pub transition: Option<(EnvironmentName, Transition)>,
    /// A file with prices, as `doorward prices import` writes it; by default that of the policy
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
}

impl Plan {
    /// Plans, and prints the plan.
    pub fn run(self, path: &Path) -> Result<ExitCode, Failure> {
        let policy = policy_file::policy_alone(path)?;
        let mut from = self.from;
        if self.out.is_some() {
            // What is saved names the installation that creates it.
            from.drawn = Some(drawn()?);
        }
        let planned = planned(path, &policy, &self.networks, &from)?;
        let document = json::document(&planned);
        if let Some(file) = &self.out {
            saved::write(file, &super::json(&document)?)?;
        }
        if self.json {
            print(&super::json(&document)?)?;
        } else {
            print_wrapped(&text::plan(&planned))?;
            for line in &planned.remarks() {
                note(line);
            }
            planned.account.note();
        }
        Ok(planned.exit())
    }
}

/// Plans networks of a policy: the chosen ones, or all.
pub(super) fn planned(
    path: &Path,
    policy: &Policy,
    chosen: &[NetworkName],
    from: &From,
) -> Result<Planned, Failure> {
    let networks = scope::networks(&policy.topology, chosen)?;
    let table: Table = prices::table(from.prices.as_deref(), policy)?;
    let read = scope::read(policy, &networks, from)?;
    let transition = from.transition.as_ref();
    let transition = transition.and_then(|(name, to)| Some((policy.topology.environments.get(name)?, *to)));
    let named = (from.installation.as_ref(), from.drawn.as_ref());
    Planned::of(path, policy, &table, read, named, transition)
}

/// A plan as JSON.
pub(super) fn value(planned: &Planned) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(json::document(planned)).map_err(Failure::with(Code::Internal))
}

/// A plan as people read it.
pub(super) fn text(planned: &Planned) -> String {
    text::plan(planned)
}

/// The installation that owns a network.
pub(super) fn owner(
    path: &Path,
    policy: &Policy,
    named: Option<&InstallationId>,
    network: &NetworkName,
    inventory: &Inventory,
) -> Result<InstallationId, Failure> {
    let owner = owner::of(path, policy, (named, None), &BTreeSet::from([network.clone()]), inventory)?;
    Ok(owner.id)
}

impl From {
    /// From the live account.
    pub(super) fn live(installation: Option<InstallationId>, drawn: Option<InstallationId>) -> Self {
        Self { inventory: None, assume: None, installation, drawn, transition: None, prices: None }
    }
}

/// What to do when a part of a live account could not be read.
pub(super) const READ_AGAIN: &str =
    "run the command again, or give its user the permissions that `doorward iam --inventory` prints";

/// Nothing can be planned: everything that prevents it. Parts of the account that were not read come first, because what
/// else prevents the plan may follow from them.
fn prevented(found: &[Obstacle], is_recorded: bool) -> Failure {
    if let [
        only @ (Obstacle::NotCreated { network, .. }
        | Obstacle::NoData { network, .. }
        | Obstacle::Unapplied { network, .. }),
    ] = found
    {
        return Failure::new(Code::No, only.to_string()).hint(format!("run `doorward apply {network}`"));
    }
    let lines = found.iter().map(ToString::to_string);
    let unread = found.iter().filter(|it| matches!(it, Obstacle::Unread(_))).count();
    if unread == 0 {
        let what = "nothing is planned, because the account and the policy do not fit";
        return Failure::new(Code::No, what).details(lines);
    }
    let what = match unread {
        1 => "nothing is planned, because a part of the account is not known".to_owned(),
        _ => format!("nothing is planned, because {unread} parts of the account are not known"),
    };
    Failure::new(Code::No, what).details(lines).hint(match is_recorded {
        true => "record what is missing as well; `doorward inventory save DIR` records the whole account",
        false => READ_AGAIN,
    })
}
