//! A DB subnet group covers at least two Availability Zones, and is not deleted while a database is in it.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSubnetGroup.html>,
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSubnetGroup.html>: "The specified database subnet
//! group must not be associated with any DB instances."

use std::collections::BTreeSet;

use crate::account::Account;
use crate::answer::{Answer, Refusal, refusal};
use crate::call::{Call, Service};

pub(super) async fn before(account: &Account, call: &Call) -> Result<Option<Answer>, Refusal> {
    if call.action == "DeleteDBSubnetGroup" {
        return is_free(account, call).await.map(|()| None);
    }
    covers(account, call).await?;
    if call.action == "ModifyDBSubnetGroup" {
        return modify(account, call).await.map(Some);
    }
    Ok(None)
}

/// The Availability Zones of some subnets.
pub(super) async fn zones_of(account: &Account, subnets: Vec<String>) -> Result<BTreeSet<String>, Refusal> {
    let mut zones = BTreeSet::new();
    for subnet in subnets {
        let found = account.ask(Service::Ec2, "DescribeSubnets", &[("SubnetId.1", &subnet)]).await;
        let found =
            found.map_err(|_| refusal("InvalidSubnet", format!("The subnet {subnet} does not exist")))?;
        zones.insert(found.text_at("subnetSet/item/availabilityZone").to_owned());
    }
    Ok(zones)
}

async fn covers(account: &Account, call: &Call) -> Result<(), Refusal> {
    let zones = zones_of(account, call.form.list("SubnetIds")).await?;
    if zones.len() < 2 {
        let message = format!(
            "DB Subnet Group doesn't meet availability zone coverage requirement. Please add subnets to cover at least 2 \
             availability zones. Current coverage: {}",
            zones.len()
        );
        return Err(refusal("DBSubnetGroupDoesNotCoverEnoughAZs", message));
    }
    Ok(())
}

async fn is_free(account: &Account, call: &Call) -> Result<(), Refusal> {
    let name = call.form.get("DBSubnetGroupName").unwrap_or_default();
    let found = account.ask(Service::Rds, "DescribeDBInstances", &[]).await?;
    let mut all = found.list("DescribeDBInstancesResult/DBInstances").iter();
    if let Some(database) =
        all.find(|it| it.text_at("DBSubnetGroup/DBSubnetGroupName").eq_ignore_ascii_case(name))
    {
        let database = database.text_at("DBInstanceIdentifier");
        let message = format!(
            "Cannot delete the subnet group '{name}' because at least one database instance: {database} is still using it."
        );
        return Err(refusal("InvalidDBSubnetGroupStateFault", message));
    }
    Ok(())
}

/// moto deletes a group that is modified, so a new one with the requested subnets replaces it. Databases in it keep showing its earlier subnets.
async fn modify(account: &Account, call: &Call) -> Result<Answer, Refusal> {
    let name = call.form.get("DBSubnetGroupName").unwrap_or_default();
    let fields = [("DBSubnetGroupName", name)];
    let found = account.ask(Service::Rds, "DescribeDBSubnetGroups", &fields).await?;
    let path = "DescribeDBSubnetGroupsResult/DBSubnetGroups/DBSubnetGroup";
    let old = found.at(path).ok_or_else(|| refusal("DBSubnetGroupNotFoundFault", name).status(404))?;
    let arn = old.text_at("DBSubnetGroupArn");
    let tags = account.ask(Service::Rds, "ListTagsForResource", &[("ResourceName", arn)]).await?;
    account.ask(Service::Rds, "DeleteDBSubnetGroup", &fields).await?;
    let description = call.form.get("DBSubnetGroupDescription");
    let description = description.unwrap_or_else(|| old.text_at("DBSubnetGroupDescription"));
    let mut owned = vec![
        ("DBSubnetGroupName".to_owned(), name.to_owned()),
        ("DBSubnetGroupDescription".to_owned(), description.to_owned()),
    ];
    for (at, subnet) in call.form.list("SubnetIds").into_iter().enumerate() {
        owned.push((format!("SubnetIds.SubnetIdentifier.{}", at + 1), subnet));
    }
    for (at, tag) in tags.list("ListTagsForResourceResult/TagList").iter().enumerate() {
        owned.push((format!("Tags.Tag.{}.Key", at + 1), tag.text_at("Key").to_owned()));
        owned.push((format!("Tags.Tag.{}.Value", at + 1), tag.text_at("Value").to_owned()));
    }
    let fields: Vec<(&str, &str)> =
        owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let made = account.ask(Service::Rds, "CreateDBSubnetGroup", &fields).await?;
    let group = made.at("CreateDBSubnetGroupResult/DBSubnetGroup").cloned().unwrap_or_default();
    Ok(Answer::of(call, vec![group]))
}
