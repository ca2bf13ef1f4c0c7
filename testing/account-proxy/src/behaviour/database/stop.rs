//! A database that is stopped is started again by AWS after seven days.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html>: "If you don't manually start your DB
//! instance after it is stopped for seven consecutive days, RDS automatically starts your DB instance for you."

use super::create::is_identifier;
use super::{named, snapshot};
use crate::account::{Account, Errand};
use crate::answer::Refusal;
use crate::call::{Call, Service};
use crate::clock::later;
use crate::form::Form;
use crate::life::Life;
use crate::settings::Delay;

/// Seven days, in seconds.
const LONGEST: i64 = 7 * 86_400;

pub(super) async fn before(account: &Account, call: &Call) -> Result<(), Refusal> {
    super::must_be(account, &named(call), &["available"], "in available state")?;
    if let Some(name) = call.form.get("DBSnapshotIdentifier") {
        is_identifier("DBSnapshotIdentifier", name, 255)?;
        snapshot::has_room(account).await?;
    }
    Ok(())
}

pub(super) fn stopped(account: &mut Account, call: &Call) {
    let key = named(call);
    let restart = later(account.now, LONGEST);
    let life = Life::new(account.now, "stopping")
        .then(account.delay(Delay::DatabaseStopping), "stopped")
        .from(restart, "starting")
        .then(account.delay(Delay::DatabaseStarting), "available");
    account.live(&key, life);
    let form = Form::of(&[("DBInstanceIdentifier", key.trim_start_matches("db:"))]);
    account.schedule(restart, &key, Errand::Ask(Service::Rds, "StartDBInstance", form));
    account.databases.entry(key).or_default().restart = Some(restart);
    if let Some(name) = call.form.get("DBSnapshotIdentifier") {
        snapshot::begin(account, name);
    }
}

pub(super) fn started(account: &mut Account, call: &Call) {
    let key = named(call);
    let life = Life::new(account.now, "starting").then(account.delay(Delay::DatabaseStarting), "available");
    account.live(&key, life);
    account.databases.entry(key).or_default().restart = None;
}
