//! A snapshot of a database is `creating` for a while, and only an available one can be restored or deleted. Its name is unique
//! in the account and Region.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html>: "The source DB instance must be in
//! the available or storage-optimization state."

use super::create::is_identifier;
use super::{must_be, named};
use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};
use crate::life::Life;
use crate::settings::{Delay, Quota};
use crate::xml::Element;

fn key(name: &str) -> String {
    format!("snapshot:{}", name.to_ascii_lowercase())
}

pub(super) async fn before(account: &Account, call: &Call) -> Result<(), Refusal> {
    let name = call.form.get("DBSnapshotIdentifier").unwrap_or_default();
    if call.action == "DeleteDBSnapshot" {
        return is_available(account, name);
    }
    is_identifier("DBSnapshotIdentifier", name, 255)?;
    must_be(account, &named(call), &["available", "storage-optimization"], "in available state")?;
    has_room(account).await
}

/// Manual snapshots count, automated ones do not.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html>
pub(super) async fn has_room(account: &Account) -> Result<(), Refusal> {
    let found = account.ask(Service::Rds, "DescribeDBSnapshots", &[("SnapshotType", "manual")]).await?;
    let count = found.list("DescribeDBSnapshotsResult/DBSnapshots").len();
    if i64::try_from(count).unwrap_or(i64::MAX) >= account.settings.quota(Quota::DatabaseSnapshots) {
        let message = "The request would result in the user exceeding the allowed number of DB snapshots.";
        return Err(refusal("SnapshotQuotaExceeded", message));
    }
    Ok(())
}

/// Refuses what needs an available snapshot.
pub(super) fn is_available(account: &Account, name: &str) -> Result<(), Refusal> {
    match account.state(&key(name)) {
        None | Some("available") => Ok(()),
        Some(state) => {
            let message = format!("The snapshot {name} is not available: it is {state}.");
            Err(refusal("InvalidDBSnapshotState", message))
        }
    }
}

/// Begins the life of a snapshot.
pub(super) fn begin(account: &mut Account, name: &str) {
    let life = Life::new(account.now, "creating").then(account.delay(Delay::SnapshotCreating), "available");
    account.live(&key(name), life);
}

/// Its database is `backing-up` as long as it is `creating`.
pub(super) fn after(account: &mut Account, call: &Call) {
    begin(account, call.form.get("DBSnapshotIdentifier").unwrap_or_default());
    let life = Life::new(account.now, "backing-up").then(account.delay(Delay::SnapshotCreating), "available");
    account.lives.insert(named(call), life);
}

pub(super) fn show(account: &Account, item: &mut Element) {
    if let Some(state) = account.state(&key(item.text_at("DBSnapshotIdentifier"))) {
        item.set("Status", state);
        item.set("PercentProgress", if state == "available" { "100" } else { "0" });
    }
}
