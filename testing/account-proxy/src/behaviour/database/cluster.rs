//! A DB cluster is modified only while it is available.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBCluster.html>, `InvalidDBClusterStateFault`

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};

pub(super) async fn before(account: &Account, call: &Call) -> Result<(), Refusal> {
    let name = call.form.get("DBClusterIdentifier").unwrap_or_default();
    let found = account.ask(Service::Rds, "DescribeDBClusters", &[("DBClusterIdentifier", name)]).await?;
    let status = found.text_at("DescribeDBClustersResult/DBClusters/DBCluster/Status");
    if status == "available" {
        return Ok(());
    }
    let message = format!("DbCluster {name} is in {status} state, but expected it to be available.");
    Err(refusal("InvalidDBClusterStateFault", message))
}
