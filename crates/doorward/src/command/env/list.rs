//! `doorward env list`: each declared environment with its state and its cost.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use doorward_core::inventory::{Call, ResourceRef};
use doorward_core::name::{InstallationId, NetworkName};
use doorward_core::plan::network::{Cost, Prices};
use doorward_core::policy::Policy;
use doorward_core::price::Table;
use doorward_core::topology::{Environment, EnvironmentParts, EnvironmentState};
use jiff::Timestamp;
use serde::Serialize;

use crate::command::plan::{self, From, amount};
use crate::command::{Code, Failure, instant, json, note, prices, print, table};
use crate::policy_file;

/// List the declared environments with their states and costs
///
/// An environment is running, stopped, or stopped as a snapshot from which its database is restored. The costs are those
/// of a month: now, and if it runs as declared. Snapshots are in both. AWS starts a stopped database again after seven
/// days: the list has the time.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward env list
  doorward env list --inventory account/      without an AWS account
  doorward env list --json | jq -r '.environments[] | [.name, .state] | @tsv'

JSON: {\"environments\": [{\"name\", \"network\", \"region\", \"state\", \"what\": TEXT, \"snapshot\", \"instance\": \
{\"id\", \"state\"}, \"database\": {\"id\", \"state\"}, \"balancer\": {\"id\", \"state\"}, \"instances\": [{\"id\", \"state\"}…], \"usd_per_month\": {\"now\", \"running\"}, \"unknown_prices\": \
[TEXT…], \"restarts\": TIME, \"unread\": [TEXT…]}]}. `state` is `not-created`, `running`, `starting`, `stopping`, `stopped`, \
`snapshot` or `partly`, and null where a part of the account could not be read. `balancer` and `instances` are those of the \
kind `prod`, which has no `instance`.")]
pub(super) struct List {
    #[command(flatten)]
    from: From,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The calls without whose answers the state of an environment is not known.
const OF_ALL: [Call; 3] = [Call::Instances, Call::Databases, Call::DatabaseSnapshots];
const OF_PROD: [Call; 6] = [
    Call::Instances,
    Call::Databases,
    Call::DatabaseSnapshots,
    Call::LoadBalancers,
    Call::LoadBalancerTags,
    Call::ScalingGroups,
];

/// An environment as it is listed.
struct Listed {
    environment: Environment,
    region: Option<String>,
    /// None where a part of the account could not be read.
    state: Option<EnvironmentState>,
    instance: Option<(String, String)>,
    database: Option<(String, String)>,
    balancer: Option<(String, String)>,
    /// Those of an Auto Scaling group.
    instances: Vec<(String, String)>,
    now: Cost,
    running: Cost,
    restarts: Option<Timestamp>,
    /// Whether its database runs while its instance is stopped.
    is_restarted: bool,
    unread: Vec<String>,
}

impl List {
    pub(super) fn run(self, path: &Path) -> Result<ExitCode, Failure> {
        let policy = policy_file::policy_alone(path)?;
        let environments = policy.topology.environments.values();
        let networks: BTreeSet<NetworkName> = environments.map(|it| it.network.clone()).collect();
        if networks.is_empty() {
            let failure = Failure::new(Code::Data, "the policy declares no environment");
            return Err(failure.hint("add `[environment.dev]` with `kind = \"dev\"`"));
        }
        let prices = prices::table(self.from.prices.as_deref(), &policy)?;
        let listed = listed(path, &policy, &networks, &self.from, &prices)?;
        if self.json {
            print(&json(&Document { environments: listed.iter().map(view).collect() })?)?;
            return Ok(ExitCode::SUCCESS);
        }
        print(&text(&listed))?;
        for it in &listed {
            for gap in &it.unread {
                note(&format!("note: the state of {} is not known: {gap}", it.environment.name));
            }
            if it.is_restarted {
                let name = &it.environment.name;
                note(&format!(
                    "note: the database of {name} runs, and its instance is stopped: AWS starts a stopped database again \
                     after seven days. `doorward env stop {name}` stops it"
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn listed(
    path: &Path,
    policy: &Policy,
    networks: &BTreeSet<NetworkName>,
    from: &From,
    table: &Table,
) -> Result<Vec<Listed>, Failure> {
    let mut all = Vec::new();
    for read in plan::read(policy, networks, from)?.each {
        let named: (Option<&InstallationId>, _) = (from.installation.as_ref(), None);
        let owner = plan::owner_of(path, policy, named, &read.networks, &read.inventory)?;
        let region = read.account_region.region.clone().or_else(|| read.declared.region.clone());
        let prices = Prices { table, region: region.as_deref().unwrap_or_default() };
        let gap = |call: &Call| read.inventory.gap(*call, &read.account_region);
        for environment in read.networks.iter().flat_map(|it| policy.topology.environments_in(it)) {
            let parts = EnvironmentParts::of(environment, &read.inventory, &owner.id);
            let calls: &[Call] = if environment.kind.prod().is_some() { &OF_PROD } else { &OF_ALL };
            let unread: Vec<String> = calls.iter().filter_map(gap).map(ToString::to_string).collect();
            let part = |resource: ResourceRef, state: Option<&String>| {
                (resource.id().to_owned(), state.cloned().unwrap_or_default())
            };
            let balancer = parts.balancer.map(|it| part(it.resource(), it.state.as_ref()));
            let instances = parts.members.iter().map(|it| part((&it.id).into(), Some(&it.state))).collect();
            let instance = parts.instance.map(|it| (it.id.to_string(), it.state.clone()));
            let database = parts.database.map(|it| (it.name.clone(), it.status.clone()));
            all.push(Listed {
                region: region.clone(),
                state: unread.is_empty().then(|| parts.state()),
                instance,
                database,
                balancer,
                instances,
                now: prices.environment(environment, &read.inventory, &owner.id),
                running: prices.declared(environment).plus(prices.snapshots(&parts)),
                restarts: parts.database.and_then(|it| it.settings.restarts),
                is_restarted: parts.is_restarted(),
                unread: unread.clone(),
                environment: environment.clone(),
            });
        }
    }
    all.sort_by(|one, other| one.environment.name.cmp(&other.environment.name));
    Ok(all)
}

fn text(listed: &[Listed]) -> String {
    let row = |it: &Listed| {
        let is_known = it.state.is_some();
        vec![
            it.environment.name.to_string(),
            it.environment.network.to_string(),
            it.state.as_ref().map_or_else(|| "not known".to_owned(), ToString::to_string),
            if is_known { amount(&it.now) } else { "not known".to_owned() },
            amount(&it.running),
            it.restarts.map_or_else(|| "-".to_owned(), instant),
        ]
    };
    table(
        &["ENVIRONMENT", "NETWORK", "STATE", "NOW", "RUNNING", "RESTARTS"],
        listed.iter().map(row).collect(),
    )
}

#[derive(Serialize)]
struct Document<'a> {
    environments: Vec<View<'a>>,
}

#[derive(Serialize)]
struct View<'a> {
    name: &'a str,
    network: &'a str,
    region: Option<&'a str>,
    state: Option<&'static str>,
    what: Option<String>,
    snapshot: Option<&'a str>,
    instance: Option<Part<'a>>,
    database: Option<Part<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    balancer: Option<Part<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    instances: Vec<Part<'a>>,
    usd_per_month: Amounts,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    unknown_prices: BTreeSet<String>,
    restarts: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unread: &'a [String],
}

#[derive(Serialize)]
struct Part<'a> {
    id: &'a str,
    state: &'a str,
}

/// None where a price is not known.
#[derive(Serialize)]
struct Amounts {
    now: Option<String>,
    running: Option<String>,
}

fn view(it: &Listed) -> View<'_> {
    let usd = |cost: &Cost| cost.unknown.is_empty().then(|| cost.month.to_string().replace('$', ""));
    View {
        name: it.environment.name.as_str(),
        network: it.environment.network.as_str(),
        region: it.region.as_deref(),
        state: it.state.as_ref().map(EnvironmentState::word),
        what: it.state.as_ref().map(ToString::to_string),
        snapshot: match &it.state {
            Some(EnvironmentState::StoppedAs(snapshot)) => Some(snapshot.as_str()),
            _ => None,
        },
        instance: it.instance.as_ref().map(|(id, state)| Part { id, state }),
        database: it.database.as_ref().map(|(id, state)| Part { id, state }),
        balancer: it.balancer.as_ref().map(|(id, state)| Part { id, state }),
        instances: it.instances.iter().map(|(id, state)| Part { id, state }).collect(),
        usd_per_month: Amounts {
            now: usd(&it.now).filter(|_| it.state.is_some()),
            running: usd(&it.running),
        },
        unknown_prices: it.now.unknown.iter().chain(&it.running.unknown).map(ToString::to_string).collect(),
        restarts: it.restarts.map(|at| at.to_string()),
        unread: &it.unread,
    }
}
