//! A cache keeps its security groups, is `modifying` for a while when they change, and has network interfaces in its subnets.
//!
//! <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyCacheCluster.html>,
//! <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyReplicationGroup.html>: the groups of the caches
//! in a replication group are set with the replication group.
//! <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyServerlessCache.html>: moto has no serverless
//! caches at all.

use super::interfaces::{self, Kind};
use crate::account::Account;
use crate::answer::{Answer, Refusal, refusal};
use crate::call::{Call, Service};
use crate::life::Life;
use crate::settings::Delay;
use crate::xml::Element;

fn cluster_key(name: &str) -> String {
    format!("cache:{name}")
}

fn replication_key(name: &str) -> String {
    format!("replication-group:{name}")
}

fn serverless_key(name: &str) -> String {
    format!("serverless-cache:{name}")
}

/// The key under which the groups of a cache are kept: those of a replication group are all the same.
fn key_of(account: &Account, name: &str) -> String {
    account.replicated.get(name).map_or_else(|| cluster_key(name), |group| replication_key(group))
}

pub(super) async fn before(account: &mut Account, call: &mut Call) -> Result<Option<Answer>, Refusal> {
    let groups = call.form.list("SecurityGroupIds");
    match call.action.as_str() {
        "ModifyCacheCluster" => {
            let name = call.form.get("CacheClusterId").unwrap_or_default().to_owned();
            let item = cluster(account, &name).await?;
            if !item.text_at("ReplicationGroupId").is_empty() && !groups.is_empty() {
                let message = "Cache clusters in a replication group cannot be modified individually: \
                               modify the replication group.";
                return Err(refusal("InvalidParameterCombination", message));
            }
            modify(account, &cluster_key(&name), groups, "InvalidCacheClusterState").await?;
            let item = cluster(account, &name).await?;
            Ok(Some(Answer::of(call, vec![item])))
        }
        "ModifyReplicationGroup" if !groups.is_empty() => {
            let name = call.form.get("ReplicationGroupId").unwrap_or_default();
            modify(account, &replication_key(name), groups, "InvalidReplicationGroupState").await?;
            // moto answers the rest.
            Ok(None)
        }
        "CreateServerlessCache" => create_serverless(account, call).await.map(Some),
        "ModifyServerlessCache" => {
            let name = call.form.get("ServerlessCacheName").unwrap_or_default().to_owned();
            let key = serverless_key(&name);
            if !account.serverless_caches.contains_key(&name) {
                let message = format!("Serverless cache {name} not found.");
                return Err(refusal("ServerlessCacheNotFoundFault", message).status(404));
            }
            if !groups.is_empty() {
                modify(account, &key, groups, "InvalidServerlessCacheStateFault").await?;
            }
            Ok(Some(Answer::of(call, serverless(account, &name, "ServerlessCache"))))
        }
        "DescribeServerlessCaches" => {
            let names: Vec<String> = account.serverless_caches.keys().cloned().collect();
            let members = names.iter().flat_map(|name| serverless(account, name, "member")).collect();
            Ok(Some(Answer::of(call, vec![Element::with("ServerlessCaches", members)])))
        }
        _ => Ok(None),
    }
}

/// A cache as moto has it, with its groups.
async fn cluster(account: &Account, name: &str) -> Result<Element, Refusal> {
    let found = account.ask(Service::Caches, "DescribeCacheClusters", &[("CacheClusterId", name)]).await?;
    let item = found.list("DescribeCacheClustersResult/CacheClusters").first().cloned();
    let mut item = item.ok_or_else(|| {
        refusal("CacheClusterNotFound", format!("Cache cluster {name} not found")).status(404)
    })?;
    show(account, &mut item);
    Ok(Element { name: "CacheCluster".to_owned(), ..item })
}

/// Other groups: at once, and the cache is being modified for a while.
async fn modify(
    account: &mut Account,
    key: &str,
    groups: Vec<String>,
    busy: &'static str,
) -> Result<(), Refusal> {
    if account.state(key).is_some_and(|state| state != "available") {
        return Err(refusal(busy, "The cache is not in the available state."));
    }
    if !groups.is_empty() {
        interfaces::set_groups(account, key, &groups).await?;
        account.groups.insert(key.to_owned(), groups);
    }
    let modifying = account.delay(Delay::CacheModifying);
    account.live(key, Life::new(account.now, "modifying").then(modifying, "available"));
    Ok(())
}

async fn create_serverless(account: &mut Account, call: &Call) -> Result<Answer, Refusal> {
    let name = call.form.get("ServerlessCacheName").unwrap_or_default().to_owned();
    if account.serverless_caches.contains_key(&name) {
        let message = format!("Serverless cache {name} already exists.");
        return Err(refusal("ServerlessCacheAlreadyExistsFault", message));
    }
    let subnets = call.form.list("SubnetIds");
    account.serverless_caches.insert(name.clone(), subnets.clone());
    let groups = call.form.list("SecurityGroupIds");
    // It is reached by an interface endpoint that ElastiCache makes.
    let description = format!("VPC Endpoint Interface vpce-{name}");
    connect(account, &serverless_key(&name), &subnets, groups, "vpc_endpoint", description).await?;
    Ok(Answer::of(call, serverless(account, &name, "ServerlessCache")))
}

/// A new cache: its interfaces and its groups.
async fn connect(
    account: &mut Account,
    key: &str,
    subnets: &[String],
    groups: Vec<String>,
    is: &'static str,
    description: String,
) -> Result<(), Refusal> {
    for subnet in subnets {
        let description = description.clone();
        let kind =
            Kind { is, requester: "amazon-elasticache", attached_by: "amazon-elasticache", description };
        interfaces::create(account, key, subnet, &groups, kind).await?;
    }
    account.groups.insert(key.to_owned(), groups);
    Ok(())
}

/// A serverless cache as it is now, if there is one.
fn serverless(account: &Account, name: &str, element: &str) -> Vec<Element> {
    let Some(subnets) = account.serverless_caches.get(name) else { return Vec::new() };
    let key = serverless_key(name);
    let list = |of: &str, each: &str, texts: &[String]| {
        Element::with(of, texts.iter().map(|text| Element::with_text(each, text.as_str())).collect())
    };
    let arn = format!("arn:aws:elasticache:{}:123456789012:serverlesscache:{name}", account.region);
    let groups = account.groups.get(&key).map(Vec::as_slice).unwrap_or_default();
    let endpoint = vec![
        Element::with_text("Address", format!("{name}.serverless.cache.amazonaws.com")),
        Element::with_text("Port", "6379"),
    ];
    vec![Element::with(
        element,
        vec![
            Element::with_text("ServerlessCacheName", name),
            Element::with_text("ARN", arn),
            Element::with_text("Engine", "valkey"),
            Element::with_text("Status", account.state(&key).unwrap_or("available")),
            Element::with("Endpoint", endpoint),
            list("SecurityGroupIds", "SecurityGroupId", groups),
            list("SubnetIds", "SubnetId", subnets),
        ],
    )]
}

pub(super) async fn after(account: &mut Account, call: &Call, answer: &mut Element) -> Result<(), Refusal> {
    let groups = call.asked.list("SecurityGroupIds");
    match call.action.as_str() {
        "CreateCacheCluster" => {
            let name = call.form.get("CacheClusterId").unwrap_or_default();
            let subnet_group = call.form.get("CacheSubnetGroupName").unwrap_or_default();
            let found = account
                .ask(Service::Caches, "DescribeCacheSubnetGroups", &[("CacheSubnetGroupName", subnet_group)])
                .await?;
            let path = "DescribeCacheSubnetGroupsResult/CacheSubnetGroups/CacheSubnetGroup/Subnets";
            let subnets: Vec<String> = found.texts(path, "SubnetIdentifier").into_iter().take(1).collect();
            if let Some(group) = call.form.get("ReplicationGroupId") {
                account.replicated.insert(name.to_owned(), group.to_owned());
            }
            let key = key_of(account, name);
            // A node of a replication group has the groups of that.
            let groups = account.groups.get(&key).cloned().unwrap_or(groups);
            connect(account, &key, &subnets, groups, "interface", format!("ElastiCache {name}")).await?;
        }
        "CreateReplicationGroup" => {
            let name = call.form.get("ReplicationGroupId").unwrap_or_default();
            account.groups.insert(replication_key(name), groups);
        }
        _ => {}
    }
    answer.each("CacheCluster", &mut |item| show(account, item));
    Ok(())
}

/// A cache as it is now.
fn show(account: &Account, item: &mut Element) {
    let name = item.text_at("CacheClusterId").to_owned();
    if let Some(group) = account.replicated.get(&name) {
        item.set("ReplicationGroupId", group.as_str());
    }
    let key = key_of(account, &name);
    if let Some(groups) = account.groups.get(&key) {
        let member = |group: &String| {
            Element::with(
                "member",
                vec![
                    Element::with_text("SecurityGroupId", group.as_str()),
                    Element::with_text("Status", "active"),
                ],
            )
        };
        item.put(Element::with("SecurityGroups", groups.iter().map(member).collect()));
    }
    if let Some(state) = account.state(&key) {
        item.set("CacheClusterStatus", state);
    }
}
