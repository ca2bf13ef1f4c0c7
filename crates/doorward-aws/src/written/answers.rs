//! An inventory as the answers that would tell of it: which file holds which, and under which key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use doorward_core::inventory::{AccountRegion, Call, GapSource, Inventory, Tags, VpcId};
use serde_json::{Map, Value, json};

/// The answers, by the account and Region that they are from.
pub(super) struct Answers<'a> {
    pub(super) inventory: &'a Inventory,
    /// Where things stand that say nothing of it themselves.
    home: AccountRegion,
    /// The members of answers that hold all of a kind.
    members: BTreeMap<(AccountRegion, Call), Vec<Value>>,
    /// Answers about one thing each, which bear the key of it.
    apart: BTreeMap<(AccountRegion, Call), Vec<Value>>,
}

impl<'a> Answers<'a> {
    /// All of them.
    pub(super) fn of(inventory: &'a Inventory) -> Self {
        let account_regions = account_regions(inventory);
        let home = account_regions.first().cloned().unwrap_or_default();
        let mut answers = Self { inventory, home, members: BTreeMap::new(), apart: BTreeMap::new() };
        for account_region in &account_regions {
            for call in Call::ALL.iter().copied().filter(|call| holds_all(*call)) {
                // What was asked and holds nothing is told as well: else it would count as not asked.
                if inventory.gap(call, account_region).is_none()
                    && !gap_elsewhere(inventory, call, account_region)
                {
                    answers.members.entry((account_region.clone(), call)).or_default();
                }
            }
        }
        answers.groups();
        answers.networks();
        answers.gateways();
        answers.balancers();
        answers.services();
        answers
    }

    /// Adds a member to the answer of a call.
    pub(super) fn add(&mut self, call: Call, account_region: &AccountRegion, member: Value) {
        self.members.entry((unnamed(account_region), call)).or_default().push(member);
    }

    /// Adds an answer that is about one thing.
    pub(super) fn add_apart(&mut self, call: Call, account_region: &AccountRegion, answer: Value) {
        self.apart.entry((unnamed(account_region), call)).or_default().push(answer);
    }

    /// Whether a call gave no whole answer in an account and Region.
    pub(super) fn has_gap(&self, call: Call, account_region: &AccountRegion) -> bool {
        gap_elsewhere(self.inventory, call, &unnamed(account_region))
    }

    /// Where a VPC stands.
    pub(super) fn place_of(&self, vpc: &VpcId) -> AccountRegion {
        self.inventory.vpcs.get(vpc).map_or_else(|| self.home.clone(), |vpc| unnamed(&vpc.account_region))
    }

    /// Where things stand that say nothing of it themselves; the files of any account and Region do.
    pub(super) fn home(&self) -> &AccountRegion {
        &self.home
    }

    /// The Regions that folders are named for.
    pub(super) fn regions(&self) -> impl Iterator<Item = &str> {
        let quotas = self.inventory.rules_per_group.keys();
        let account_regions = self
            .members
            .keys()
            .chain(self.apart.keys())
            .map(|(account_region, _)| account_region)
            .chain(quotas);
        account_regions.filter_map(|account_region| account_region.region.as_deref())
    }

    /// Each file below the folder, and what it holds.
    pub(super) fn files(self) -> BTreeMap<PathBuf, Value> {
        let mut files = BTreeMap::new();
        for ((account_region, call), members) in self.members {
            let (name, key) = (call.command(), call.key());
            let answer = match call {
                Call::Instances => json!([{ "Instances": members }]),
                Call::BlockPublicAccess => members.into_iter().next().unwrap_or_default(),
                _ => Value::from(members),
            };
            files.insert(folder(&account_region).join(format!("{name}.json")), json!({ key: answer }));
        }
        for ((account_region, call), answers) in self.apart {
            let name = call.command();
            for (number, answer) in (1..).zip(answers) {
                files.insert(folder(&account_region).join(format!("{name}-{number}.json")), answer);
            }
        }
        for (account_region, rules) in &self.inventory.rules_per_group {
            let quota = json!({"ServiceCode": "vpc", "QuotaCode": "L-0EA8095F", "Value": f64::from(*rules)});
            let name = "service-quotas-get-service-quota.json";
            files.insert(folder(&unnamed(account_region)).join(name), json!({ "Quota": quota }));
        }
        files
    }
}

/// An account and Region without the profile through which it was seen: a recording has none.
pub(super) fn unnamed(account_region: &AccountRegion) -> AccountRegion {
    AccountRegion { profile: None, ..account_region.clone() }
}

fn gap_elsewhere(inventory: &Inventory, call: Call, account_region: &AccountRegion) -> bool {
    inventory.gaps.iter().any(|gap| gap.is_of(call) && unnamed(&gap.account_region) == *account_region)
}

/// `accounts/ID/REGION`, or as much of it as is known.
pub(super) fn folder(account_region: &AccountRegion) -> PathBuf {
    let mut folder = PathBuf::new();
    if let Some(account) = &account_region.account {
        folder.push("accounts");
        folder.push(account.as_str());
    }
    if let Some(region) = &account_region.region {
        folder.push(region);
    }
    folder
}

/// The accounts and Regions that were looked at: where something is, or where a call of an inventory failed.
fn account_regions(inventory: &Inventory) -> BTreeSet<AccountRegion> {
    let failed = inventory.gaps.iter().filter(|gap| matches!(gap.source, GapSource::Call(_)));
    let services = inventory.databases.keys().chain(inventory.database_clusters.keys());
    let services = services.chain(inventory.database_subnet_groups.keys());
    let services = services.chain(inventory.database_proxies.keys()).chain(inventory.caches.keys());
    let services = services.chain(inventory.database_cluster_endpoints.keys());
    let services = services.chain(inventory.database_proxy_endpoints.keys());
    let services = services.chain(inventory.replication_groups.keys());
    let services = services.chain(inventory.serverless_caches.keys());
    let services = services.chain(inventory.cache_subnet_groups.keys()).chain(inventory.functions.keys());
    failed
        .map(|gap| &gap.account_region)
        .chain(services.map(|(account_region, _)| account_region))
        .chain(inventory.groups.values().map(|group| &group.account_region))
        .chain(inventory.vpcs.values().map(|vpc| &vpc.account_region))
        .chain(inventory.prefix_lists.values().map(|list| &list.account_region))
        .chain(inventory.block_public_access.keys())
        .chain(inventory.zones.keys().map(|(account_region, _)| account_region))
        .chain(inventory.rules_per_group.keys())
        .chain(inventory.instances.values().map(|instance| &instance.account_region))
        .chain(inventory.transit_gateways.values().map(|gateway| &gateway.account_region))
        .chain(inventory.load_balancers.values().map(|balancer| &balancer.account_region))
        .chain(inventory.target_groups.values().map(|group| &group.account_region))
        .chain(inventory.launch_templates.values().map(|template| &template.account_region))
        .chain(inventory.scaling_groups.keys().map(|(account_region, _)| account_region))
        .chain(inventory.container_services.values().map(|service| &service.account_region))
        .chain(inventory.container_tasks.values().map(|task| &task.account_region))
        .map(unnamed)
        .collect()
}

/// Whether one answer holds all of a kind; else each is about one thing.
fn holds_all(call: Call) -> bool {
    !matches!(
        call,
        Call::PrefixListEntries
            | Call::TransitRoutes
            | Call::TransitPropagations
            | Call::Listeners
            | Call::ListenerRules
            | Call::LoadBalancerAttributes
            | Call::TargetGroupAttributes
            | Call::TargetHealth
            | Call::DatabaseProxyTargets
            | Call::VpcAttributes
    )
}

/// `Tags`
pub(super) fn tags(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// A value for each.
pub(super) fn each<T>(items: impl IntoIterator<Item = T>, write: impl Fn(T) -> Value) -> Value {
    items.into_iter().map(write).collect()
}

/// A list of texts.
pub(super) fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Value {
    each(items, |item| item.to_string().into())
}

/// An object without the fields that hold nothing.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
        value => value,
    }
}
