//! A database takes time for everything: it is `creating`, `backing-up`, `modifying`, `rebooting`, `stopping`, `starting` and
//! `deleting`; what may be done depends on its status.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status>

mod cluster;
mod create;
mod delete;
mod modify;
mod parameter_group;
mod proxy;
mod restore;
mod snapshot;
mod stop;
mod subnet_group;

use jiff::Timestamp;

use super::interfaces::{self, Kind};
use crate::account::Account;
use crate::answer::{Answer, Body, Refusal, refusal};
use crate::call::{Call, Service};
use crate::life::Life;
use crate::settings::Delay;
use crate::xml::Element;

/// The properties of a database that moto does not have, without its status.
#[derive(Debug, Clone, Default)]
pub(crate) struct Database {
    /// When AWS starts it again.
    restart: Option<Timestamp>,
    /// The time of the maintenance window, and the values that wait for it.
    pending: Option<(Timestamp, Vec<Element>)>,
    /// The resource id of a restored database, which is not that of the original.
    resource_id: Option<String>,
    /// Whether it has no managed master password, because it was restored without.
    lost_secret: bool,
}

/// How a database is known here.
fn key(name: &str) -> String {
    format!("db:{}", name.to_ascii_lowercase())
}

/// The database of a call.
fn named(call: &Call) -> String {
    key(call.form.get("DBInstanceIdentifier").unwrap_or_default())
}

pub(super) async fn before(account: &mut Account, call: &mut Call) -> Result<Option<Answer>, Refusal> {
    match call.action.as_str() {
        "CreateDBInstance" => create::before(account, call).await.map(|()| None),
        "RestoreDBInstanceFromDBSnapshot" => restore::before(account, call).await.map(|()| None),
        "ModifyDBInstance" => modify::before(account, call).await.map(|()| None),
        "StopDBInstance" => stop::before(account, call).await.map(|()| None),
        "StartDBInstance" => must_be(account, &named(call), &["stopped"], "stopped").map(|()| None),
        "RebootDBInstance" => must_be(account, &named(call), &["available"], "available").map(|()| None),
        "DeleteDBInstance" => delete::before(account, call).await.map(Some),
        "CreateDBSnapshot" | "DeleteDBSnapshot" => snapshot::before(account, call).await.map(|()| None),
        "DeleteDBParameterGroup" => parameter_group::before(account, call).await.map(|()| None),
        "ModifyDBCluster" => cluster::before(account, call).await.map(|()| None),
        "ModifyDBProxy" => proxy::modify(account, call).await.map(Some),
        "CreateDBProxy" | "DeleteDBProxy" => proxy::before(account, call).await,
        "CreateDBSubnetGroup" | "ModifyDBSubnetGroup" | "DeleteDBSubnetGroup" => {
            subnet_group::before(account, call).await
        }
        _ => Ok(None),
    }
}

pub(super) async fn after(account: &mut Account, call: &Call, answer: &mut Element) -> Result<(), Refusal> {
    match call.action.as_str() {
        "CreateDBInstance" => create::after(account, call, answer).await?,
        "RestoreDBInstanceFromDBSnapshot" => restore::after(account, call, answer).await?,
        "ModifyDBInstance" => modify::after(account, call, answer).await?,
        "StopDBInstance" => stop::stopped(account, call),
        "StartDBInstance" => stop::started(account, call),
        "RebootDBInstance" => {
            let life = Life::new(account.now, "rebooting")
                .then(account.delay(Delay::DatabaseRebooting), "available");
            account.live(&named(call), life);
        }
        "CreateDBSnapshot" => snapshot::after(account, call),
        "CreateDBProxy" => proxy::after(account, call).await?,
        _ => {}
    }
    show_all(account, answer);
    Ok(())
}

/// Shows every database and snapshot in an answer as it is now.
fn show_all(account: &Account, answer: &mut Element) {
    answer.each("DBInstance", &mut |item| show(account, item));
    answer.each("DBSnapshot", &mut |item| snapshot::show(account, item));
    answer.each("DBProxy", &mut |item| proxy::show(account, item));
    answer.each("member", &mut |item| proxy::show(account, item));
}

fn show(account: &Account, item: &mut Element) {
    let key = key(item.text_at("DBInstanceIdentifier"));
    if let Some(status) = account.state(&key) {
        item.set("DBInstanceStatus", status);
        // A new database has no address yet.
        if status == "creating" {
            item.remove("Endpoint");
        }
    }
    let Some(database) = account.databases.get(&key) else { return };
    if let Some(at) = database.restart.filter(|at| account.now < *at) {
        item.set("AutomaticRestartTime", at.to_string());
    }
    if let Some((_, values)) = database.pending.as_ref().filter(|(at, _)| account.now < *at) {
        item.put(Element::with("PendingModifiedValues", values.clone()));
    }
    if let Some(id) = &database.resource_id {
        item.set("DbiResourceId", id.as_str());
    }
    if database.lost_secret {
        item.remove("MasterUserSecret");
    }
}

/// Refuses what needs another status.
fn must_be(account: &Account, key: &str, states: &[&str], word: &str) -> Result<(), Refusal> {
    match account.state(key) {
        Some(state) if !states.contains(&state) => {
            let name = key.trim_start_matches("db:");
            Err(refusal("InvalidDBInstanceState", format!("Instance {name} is not {word}: it is {state}.")))
        }
        _ => Ok(()),
    }
}

/// A database as moto has it.
async fn describe(account: &Account, name: &str) -> Result<Element, Refusal> {
    let found = account.ask(Service::Rds, "DescribeDBInstances", &[("DBInstanceIdentifier", name)]).await?;
    let item = found.list("DescribeDBInstancesResult/DBInstances").first().cloned();
    item.ok_or_else(|| refusal("DBInstanceNotFound", format!("DBInstance {name} not found.")).status(404))
}

/// The default security group of the VPC of a subnet group: what a database gets that is not given any.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>, `VpcSecurityGroupIds`.
async fn default_group(account: &Account, subnet_group: &str) -> Result<Option<String>, Refusal> {
    let vpc = match subnet_group {
        "" => {
            let found = account.find("DescribeVpcs", "isDefault", "true").await?;
            found.text_at("vpcSet/item/vpcId").to_owned()
        }
        name => {
            let fields = [("DBSubnetGroupName", name)];
            let found = account.ask(Service::Rds, "DescribeDBSubnetGroups", &fields).await?;
            found.text_at("DescribeDBSubnetGroupsResult/DBSubnetGroups/DBSubnetGroup/VpcId").to_owned()
        }
    };
    let found = account.find("DescribeSecurityGroups", "vpc-id", &vpc).await?;
    let group = found.list("securityGroupInfo").iter().find(|it| it.text_at("groupName") == "default");
    Ok(group.map(|it| it.text_at("groupId").to_owned()))
}

/// Puts the interfaces of a database into its subnets: one, and one for the standby.
async fn connect(account: &mut Account, item: &Element) -> Result<(), Refusal> {
    let key = key(item.text_at("DBInstanceIdentifier"));
    let groups = groups(item);
    let subnets = item.texts("DBSubnetGroup/Subnets", "SubnetIdentifier");
    let count = if item.text_at("MultiAZ") == "true" { 2 } else { 1 };
    for subnet in subnets.iter().take(count) {
        let kind = Kind {
            is: "interface",
            requester: "amazon-rds",
            attached_by: "amazon-rds",
            description: "RDSNetworkInterface".to_owned(),
        };
        interfaces::create(account, &key, subnet, &groups, kind).await?;
    }
    Ok(())
}

/// The security groups that a database has.
fn groups(item: &Element) -> Vec<String> {
    item.texts("VpcSecurityGroups", "VpcSecurityGroupId")
}

/// The only database in an answer.
fn of_answer<'a>(call: &Call, answer: &'a Element) -> Option<&'a Element> {
    answer.at(&format!("{}Result/DBInstance", call.action))
}

/// An answer with one element in it, shown as it is now.
fn shown(account: &Account, call: &Call, item: Element) -> Answer {
    let mut answer = Answer::of(call, vec![item]);
    if let Body::Xml(root) = &mut answer.body {
        show_all(account, root);
    }
    answer
}
