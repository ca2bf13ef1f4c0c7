//! A database that is restored is a new one: it has the default security group and parameter group, is in one zone, has no
//! managed master password, and another resource id, unless the call says otherwise.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html>: "The target database
//! is created from the source database restore point with most of the source's original configuration, including the default
//! security group and DB parameter group. By default, the new DB instance is created as a Single-AZ deployment". Managed
//! passwords: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html>.

use super::create::{give_groups, has_room, is_identifier};
use super::{Database, connect, describe, named, snapshot};
use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};
use crate::life::Life;
use crate::settings::{Delay, Ending};
use crate::xml::Element;

pub(super) async fn before(account: &Account, call: &mut Call) -> Result<(), Refusal> {
    let name = call.form.get("DBInstanceIdentifier").unwrap_or_default();
    is_identifier("DBInstanceIdentifier", name, 63)?;
    if account.state(&named(call)).is_some_and(|state| state != "gone") {
        return Err(refusal("DBInstanceAlreadyExists", "DB instance already exists"));
    }
    let Some(snapshot) = call.form.get("DBSnapshotIdentifier") else {
        return Err(refusal(
            "MissingParameter",
            "The request must contain the parameter DBSnapshotIdentifier",
        ));
    };
    snapshot::is_available(account, snapshot)?;
    has_room(account).await?;
    if !call.form.has("DBSubnetGroupName") {
        default_network(account, call).await?;
    }
    give_groups(account, call).await
}

/// Without a subnet group it is in the default VPC. moto keeps the group of the original.
async fn default_network(account: &Account, call: &mut Call) -> Result<(), Refusal> {
    let fields = [("DBSubnetGroupName", "default")];
    if account.ask(Service::Rds, "DescribeDBSubnetGroups", &fields).await.is_err() {
        let found = account.find("DescribeSubnets", "defaultForAz", "true").await?;
        let subnets = found.texts("subnetSet", "subnetId");
        if subnets.is_empty() {
            let message =
                "No default subnet detected in VPC. Please contact AWS Support to recreate default Subnets.";
            return Err(refusal("DBSubnetGroupNotFoundFault", message).status(404));
        }
        let names: Vec<String> =
            (1..=subnets.len()).map(|number| format!("SubnetIds.SubnetIdentifier.{number}")).collect();
        let mut fields = vec![("DBSubnetGroupName", "default"), ("DBSubnetGroupDescription", "default")];
        fields.extend(names.iter().map(String::as_str).zip(subnets.iter().map(String::as_str)));
        account.ask(Service::Rds, "CreateDBSubnetGroup", &fields).await?;
    }
    call.form.set("DBSubnetGroupName", "default");
    Ok(())
}

pub(super) async fn after(account: &mut Account, call: &Call, answer: &mut Element) -> Result<(), Refusal> {
    let key = named(call);
    let name = call.form.get("DBInstanceIdentifier").unwrap_or_default();
    // moto keeps these of the original, and AWS does not.
    let asked = |field: &'static str| if call.form.is_set(field) { "true" } else { "false" };
    let fields = [
        ("DBInstanceIdentifier", name),
        ("MultiAZ", asked("MultiAZ")),
        ("DeletionProtection", asked("DeletionProtection")),
        ("ApplyImmediately", "true"),
    ];
    account.ask(Service::Rds, "ModifyDBInstance", &fields).await?;
    let item = describe(account, name).await?;
    let failed = account.settings.ending(|ending| (*ending == Ending::Restore).then_some(()));
    let end = if failed.is_some() { "incompatible-network" } else { "available" };
    let life = Life::new(account.now, "creating").then(account.delay(Delay::DatabaseCreating), end);
    account.live(&key, life);
    let number = account.databases.len() + 1;
    let resource_id = Some(format!("db-RESTORED{number:016}"));
    account.databases.insert(key, Database { resource_id, lost_secret: true, ..Database::default() });
    connect(account, &item).await?;
    if let Some(result) = answer.child_mut("RestoreDBInstanceFromDBSnapshotResult") {
        result.put(item);
    }
    Ok(())
}
