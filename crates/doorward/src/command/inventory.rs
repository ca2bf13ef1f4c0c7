//! `doorward inventory`: what an account is, shown in numbers or written down.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use doorward_aws::NotSaved;
use doorward_core::inventory::{Gap, Inventory};
use serde::Serialize;

use super::account::{Account, Source};
use super::{Code, Failure, count, json, note, print, table};

/// Show the inventory of an account, or save it
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:
  doorward inventory show --region eu-west-1
  doorward inventory save account --profile prod --region eu-west-1"
)]
pub struct InventoryCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "a second text here would be shown instead of the verb's own")]
enum Verb {
    Show(Show),
    Save(Save),
}

/// Show how many resources there are, and what could not be read
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward inventory show
  doorward inventory show --profile prod --region eu-west-1
  doorward inventory show --inventory examples/account
  aws ec2 describe-security-groups | doorward inventory show --inventory -
  doorward inventory show --json | jq '.gaps[].call'")]
struct Show {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
}

/// Save the inventory into a folder
///
/// The folder has the AWS CLI's output of each call, under accounts/ID/REGION/, and gaps.json with what could not
/// be read. `--inventory` of this and other commands reads it. Only you can read the folder, because it shows how
/// the account can be reached. It is written completely or not at all.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward inventory save account
  doorward inventory save account --force --profile prod --profile stage
  doorward inventory save copy --inventory examples/account")]
struct Save {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Replace the contents of the folder
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    source: Source,
}

impl InventoryCommand {
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        match self.verb {
            Verb::Show(verb) => verb.run(policy),
            Verb::Save(verb) => verb.run(policy),
        }
    }
}

#[derive(Serialize)]
struct Shown<'i> {
    #[serde(rename = "places")]
    account_regions: Vec<String>,
    counts: serde_json::Map<String, serde_json::Value>,
    gaps: &'i [Gap],
    passed_over: &'i [String],
    assumed: &'i [String],
}

impl Show {
    fn run(self, policy: &Path) -> Result<(), Failure> {
        let Account { inventory, remarks } = self.source.account(policy)?;
        if self.json {
            let counts = kinds(&inventory).into_iter();
            return print(&json(&Shown {
                account_regions: account_regions(&inventory),
                counts: counts.map(|kind| (kind.key.to_owned(), kind.count.into())).collect(),
                gaps: &inventory.gaps,
                passed_over: &remarks.passed_over,
                assumed: &remarks.assumed,
            })?);
        }
        let rows = kinds(&inventory).into_iter().filter(|kind| kind.count > 0);
        let rows: Vec<_> =
            rows.map(|kind| vec![kind.count.to_string(), kind.key.replace('_', " ")]).collect();
        let mut text = if rows.is_empty() {
            "There are no resources.\n".to_owned()
        } else {
            table(&["COUNT", "WHAT"], rows)
        };
        for account_region in account_regions(&inventory) {
            text.push_str(&format!("in {account_region}\n"));
        }
        if !inventory.gaps.is_empty() {
            text.push_str(&format!("\n{}:\n", count(inventory.gaps.len(), "gap", "gaps")));
            text.extend(inventory.gaps.iter().map(|gap| format!("{gap}\n")));
        }
        for (title, lines) in [("not read", &remarks.passed_over), ("assumed", &remarks.assumed)] {
            if !lines.is_empty() {
                text.push_str(&format!("\n{title}:\n"));
                text.extend(lines.iter().map(|line| format!("{line}\n")));
            }
        }
        print(&text)
    }
}

impl Save {
    fn run(self, policy: &Path) -> Result<(), Failure> {
        if self.source.assume.is_some() {
            let failure = Failure::new(
                Code::Usage,
                "assumptions are not saved, because they would be read back as recorded data",
            );
            return Err(
                failure.hint("leave out `--assume` here, and give it to the command that reads the folder")
            );
        }
        let Account { inventory, remarks } = self.source.account(policy)?;
        remarks.note();
        let files = doorward_aws::save(&inventory, &self.folder, self.force).map_err(not_saved)?;
        for gap in &inventory.gaps {
            note(&format!("note: {gap}"));
        }
        let things: usize = kinds(&inventory).iter().map(|kind| kind.count).sum();
        let gaps = match inventory.gaps.len() {
            0 => String::new(),
            gaps => format!(", {}", count(gaps, "gap", "gaps")),
        };
        print(&format!(
            "{}: {} in {}{gaps}\n",
            self.folder.display(),
            count(things, "thing", "things"),
            count(files, "file", "files")
        ))
    }
}

fn not_saved(error: NotSaved) -> Failure {
    match &error {
        NotSaved::NotEmpty(_) => {
            Failure::of(Code::CannotCreate, &error).hint("`--force` replaces its contents")
        }
        NotSaved::NotAFolder(_) | NotSaved::NotARegion(_) => Failure::of(Code::CannotCreate, &error),
        NotSaved::Unwritten { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            Failure::of(Code::NoPermission, &error)
        }
        NotSaved::Unwritten { .. } => Failure::of(Code::CannotCreate, &error),
    }
}

/// The accounts and Regions where something was seen.
fn account_regions(inventory: &Inventory) -> Vec<String> {
    let groups = inventory.groups.values().map(|group| &group.account_region);
    let vpcs = inventory.vpcs.values().map(|vpc| &vpc.account_region);
    let balancers = inventory.load_balancers.values().map(|balancer| &balancer.account_region);
    let databases = inventory.databases.keys().map(|(account_region, _)| account_region);
    let account_regions: BTreeSet<_> = groups.chain(vpcs).chain(balancers).chain(databases).collect();
    account_regions.into_iter().map(ToString::to_string).collect()
}

struct Kind {
    key: &'static str,
    count: usize,
}

/// How many there are of each kind.
fn kinds(inventory: &Inventory) -> Vec<Kind> {
    // Every member is named, so that a kind that is added later is counted or left out on purpose.
    let Inventory {
        groups,
        group_references: _,
        prefix_list_weights: _,
        rules_per_group: _,
        incomplete_groups: _,
        vpcs,
        subnets,
        zones,
        route_tables,
        network_acls,
        prefix_lists,
        block_public_access: _,
        interfaces,
        instances,
        elastic_addresses,
        internet_gateways,
        egress_only_gateways,
        nat_gateways,
        vpn_gateways,
        vpn_connections,
        peerings,
        transit_gateways,
        attachments,
        transit_tables,
        endpoints,
        load_balancers,
        target_groups,
        launch_templates,
        scaling_groups,
        databases,
        database_snapshots,
        database_clusters,
        database_cluster_endpoints,
        database_subnet_groups,
        database_proxies,
        database_proxy_endpoints,
        replication_groups,
        serverless_caches,
        caches,
        cache_subnet_groups,
        functions,
        container_services,
        container_tasks,
        gaps: _,
        noted: _,
    } = inventory;
    let kind = |key, count| Kind { key, count };
    let rules = groups.values().map(|group| group.rules.len()).sum();
    vec![
        kind("vpcs", vpcs.len()),
        kind("subnets", subnets.len()),
        kind("availability_zones", zones.len()),
        kind("route_tables", route_tables.len()),
        kind("network_acls", network_acls.len()),
        kind("security_groups", groups.len()),
        kind("security_group_rules", rules),
        kind("prefix_lists", prefix_lists.len()),
        kind("network_interfaces", interfaces.len()),
        kind("instances", instances.len()),
        kind("elastic_addresses", elastic_addresses.len()),
        kind("internet_gateways", internet_gateways.len()),
        kind("egress_only_internet_gateways", egress_only_gateways.len()),
        kind("nat_gateways", nat_gateways.len()),
        kind("vpn_gateways", vpn_gateways.len()),
        kind("vpn_connections", vpn_connections.len()),
        kind("vpc_peerings", peerings.len()),
        kind("transit_gateways", transit_gateways.len()),
        kind("transit_gateway_attachments", attachments.len()),
        kind("transit_gateway_route_tables", transit_tables.len()),
        kind("vpc_endpoints", endpoints.len()),
        kind("load_balancers", load_balancers.len()),
        kind("target_groups", target_groups.len()),
        kind("launch_templates", launch_templates.len()),
        kind("auto_scaling_groups", scaling_groups.len()),
        kind("databases", databases.len()),
        kind("database_snapshots", database_snapshots.len()),
        kind("database_clusters", database_clusters.len()),
        kind("database_cluster_endpoints", database_cluster_endpoints.len()),
        kind("database_subnet_groups", database_subnet_groups.len()),
        kind("database_proxies", database_proxies.len()),
        kind("database_proxy_endpoints", database_proxy_endpoints.len()),
        kind("caches", caches.len()),
        kind("replication_groups", replication_groups.len()),
        kind("serverless_caches", serverless_caches.len()),
        kind("cache_subnet_groups", cache_subnet_groups.len()),
        kind("functions", functions.len()),
        kind("container_services", container_services.len()),
        kind("container_tasks", container_tasks.len()),
    ]
}
