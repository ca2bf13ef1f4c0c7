//! A new database is `creating`, then `backing-up` when it keeps backups, then `available`.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>

use super::{Database, connect, default_group, key, named, of_answer};
use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};
use crate::life::Life;
use crate::settings::{Delay, Quota};
use crate::xml::Element;

pub(super) async fn before(account: &Account, call: &mut Call) -> Result<(), Refusal> {
    is_identifier("DBInstanceIdentifier", call.form.get("DBInstanceIdentifier").unwrap_or_default(), 63)?;
    if call.form.is_set("MultiAZ") && call.form.has("AvailabilityZone") {
        let message = "Requesting a specific availability zone is not valid for Multi-AZ instances.";
        return Err(refusal("InvalidParameterCombination", message));
    }
    if call.form.is_set("ManageMasterUserPassword") && call.form.has("MasterUserPassword") {
        let message = "You can't specify MasterUserPassword when ManageMasterUserPassword is set.";
        return Err(refusal("InvalidParameterCombination", message));
    }
    has_room(account).await?;
    give_groups(account, call).await
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html>
pub(super) async fn has_room(account: &Account) -> Result<(), Refusal> {
    let found = account.ask(Service::Rds, "DescribeDBInstances", &[]).await?;
    let count = found.list("DescribeDBInstancesResult/DBInstances").len();
    if i64::try_from(count).unwrap_or(i64::MAX) >= account.settings.quota(Quota::DatabaseInstances) {
        let message = "The request would result in the user exceeding the allowed number of DB instances.";
        return Err(refusal("InstanceQuotaExceeded", message));
    }
    Ok(())
}

/// Without groups it gets the default one of its VPC. moto takes that of another VPC.
pub(super) async fn give_groups(account: &Account, call: &mut Call) -> Result<(), Refusal> {
    if call.form.list("VpcSecurityGroupIds").is_empty()
        && let Some(group) =
            default_group(account, call.form.get("DBSubnetGroupName").unwrap_or_default()).await?
    {
        call.form.set("VpcSecurityGroupIds.VpcSecurityGroupId.1", group);
    }
    Ok(())
}

pub(super) async fn after(account: &mut Account, call: &Call, answer: &Element) -> Result<(), Refusal> {
    let Some(item) = of_answer(call, answer) else { return Ok(()) };
    let life = Life::new(account.now, "creating");
    let created = account.delay(Delay::DatabaseCreating);
    let life = match item.text_at("BackupRetentionPeriod") {
        "0" => life.then(created, "available"),
        _ => life.then(created, "backing-up").then(account.delay(Delay::DatabaseBackingUp), "available"),
    };
    account.live(&named(call), life);
    account.databases.insert(key(item.text_at("DBInstanceIdentifier")), Database::default());
    connect(account, item).await
}

/// "Must contain from 1 to 63 letters, numbers, or hyphens. First character must be a letter. Can't end with a hyphen or contain
/// two consecutive hyphens."
pub(super) fn is_identifier(what: &str, name: &str, longest: usize) -> Result<(), Refusal> {
    let is_in = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let is_one = name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.chars().all(is_in)
        && !name.ends_with('-')
        && !name.contains("--")
        && name.len() <= longest;
    if is_one {
        return Ok(());
    }
    let message = format!(
        "The parameter {what} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII \
         letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
    );
    Err(refusal("InvalidParameterValue", message))
}
