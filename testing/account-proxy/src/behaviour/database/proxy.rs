//! A database proxy is `creating` and `deleting` for a while, and has an interface in each of its subnets.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBProxy.html> (`Status`),
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBProxy.html>: its security groups can be changed, and
//! its subnets cannot;
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-network-prereqs.html>: subnets of two Availability Zones at
//! least.

use crate::account::{Account, Errand};
use crate::answer::{Answer, Refusal, refusal};
use crate::behaviour::database::subnet_group;
use crate::behaviour::interfaces::{self, Kind};
use crate::call::{Call, Service};
use crate::form::Form;
use crate::life::Life;
use crate::settings::Delay;
use crate::xml::Element;

fn key(name: &str) -> String {
    format!("proxy:{}", name.to_ascii_lowercase())
}

pub(super) async fn before(account: &mut Account, call: &Call) -> Result<Option<Answer>, Refusal> {
    let name = call.form.get("DBProxyName").unwrap_or_default();
    if call.action == "CreateDBProxy" {
        if subnet_group::zones_of(account, call.form.list("VpcSubnetIds")).await?.len() < 2 {
            let message =
                "DB Proxies must be created with subnets that span at least two Availability Zones.";
            return Err(refusal("InvalidSubnet", message));
        }
        return Ok(None);
    }
    let item = available(account, name).await?;
    let key = key(name);
    let life = Life::new(account.now, "deleting").then(account.delay(Delay::ProxyDeleting), "gone");
    let end = life.end();
    account.live(&key, life);
    let form = Form::of(&[("DBProxyName", name)]);
    account.schedule(end, &key, Errand::Ask(Service::Rds, "DeleteDBProxy", form));
    account.schedule(end, &key, Errand::DeleteInterfaces);
    account.schedule(end, &key, Errand::Forget);
    Ok(Some(super::shown(account, call, Element { name: "DBProxy".to_owned(), ..item })))
}

/// A proxy, which has to be available.
async fn available(account: &Account, name: &str) -> Result<Element, Refusal> {
    let found = account.ask(Service::Rds, "DescribeDBProxies", &[("DBProxyName", name)]).await?;
    let item = found.list("DescribeDBProxiesResult/DBProxies").first().cloned().unwrap_or_default();
    if account.state(&key(name)).is_some_and(|state| state != "available") {
        let message = format!("The DB proxy {name} is not available.");
        return Err(refusal("InvalidDBProxyStateFault", message));
    }
    Ok(item)
}

/// moto has no such call.
pub(super) async fn modify(account: &mut Account, call: &Call) -> Result<Answer, Refusal> {
    let name = call.form.get("DBProxyName").unwrap_or_default();
    let item = available(account, name).await?;
    let key = key(name);
    let groups = call.form.list("SecurityGroups");
    if !groups.is_empty() {
        interfaces::set_groups(account, &key, &groups).await?;
        account.groups.insert(key.clone(), groups);
    }
    let life = Life::new(account.now, "modifying").then(account.delay(Delay::ProxyModifying), "available");
    account.live(&key, life);
    Ok(super::shown(account, call, Element { name: "DBProxy".to_owned(), ..item }))
}

pub(super) async fn after(account: &mut Account, call: &Call) -> Result<(), Refusal> {
    let name = call.form.get("DBProxyName").unwrap_or_default();
    let key = key(name);
    let life = Life::new(account.now, "creating").then(account.delay(Delay::ProxyCreating), "available");
    account.live(&key, life);
    for subnet in call.form.list("VpcSubnetIds") {
        let kind = Kind {
            is: "interface",
            requester: "amazon-rds",
            attached_by: "amazon-rds",
            description: format!("Network interface for DBProxy {name}"),
        };
        interfaces::create(account, &key, &subnet, &call.form.list("VpcSecurityGroupIds"), kind).await?;
    }
    Ok(())
}

/// A proxy as it is now.
pub(super) fn show(account: &Account, item: &mut Element) {
    if let Some(groups) = account.groups.get(&key(item.text_at("DBProxyName")))
        && item.child("VpcSecurityGroupIds").is_some()
    {
        let groups = groups.iter().map(|group| Element::with_text("member", group.as_str())).collect();
        item.put(Element::with("VpcSecurityGroupIds", groups));
    }
    if let Some(status) = account.state(&key(item.text_at("DBProxyName")))
        && item.child("Status").is_some()
    {
        item.set("Status", status);
    }
}
