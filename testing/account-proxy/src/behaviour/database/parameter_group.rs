//! A DB parameter group is not deleted while a database has it, and a default one never.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBParameterGroup.html>: "The DB parameter group to be
//! deleted can't be associated with any DB instances"; "You can't delete a default DB parameter group".

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};

pub(super) async fn before(account: &Account, call: &Call) -> Result<(), Refusal> {
    let name = call.form.get("DBParameterGroupName").unwrap_or_default();
    let code = "InvalidDBParameterGroupState";
    if name.starts_with("default.") {
        return Err(refusal(code, "Default DB parameter groups can't be deleted."));
    }
    let found = account.ask(Service::Rds, "DescribeDBInstances", &[]).await?;
    for database in found.list("DescribeDBInstancesResult/DBInstances") {
        if database.texts("DBParameterGroups", "DBParameterGroupName").iter().any(|it| it == name) {
            let message = "One or more database instances are still members of this parameter group.";
            return Err(refusal(code, message));
        }
    }
    Ok(())
}
