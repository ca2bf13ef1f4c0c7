//! Deleting a database says what becomes of its data: a final snapshot under a new name, or none. It takes time, and the
//! snapshot is `creating` meanwhile.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html>

use super::create::is_identifier;
use super::{describe, key, must_be, shown, snapshot};
use crate::account::{Account, Errand};
use crate::answer::{Answer, Refusal, refusal};
use crate::call::{Call, Service};
use crate::form::Form;
use crate::life::Life;
use crate::settings::Delay;

pub(super) async fn before(account: &mut Account, call: &Call) -> Result<Answer, Refusal> {
    let name = call.form.get("DBInstanceIdentifier").unwrap_or_default().to_owned();
    let key = key(&name);
    let last = call.form.get("FinalDBSnapshotIdentifier").filter(|name| !name.is_empty());
    let combination = |message: &str| Err(refusal("InvalidParameterCombination", message));
    match (last, call.form.is_set("SkipFinalSnapshot")) {
        (None, false) => {
            return combination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
            );
        }
        (Some(_), true) => {
            return combination(
                "FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is specified.",
            );
        }
        _ => {}
    }
    let item = describe(account, &name).await?;
    if item.text_at("DeletionProtection") == "true" {
        return combination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        );
    }
    if account.state(&key) == Some("deleting") {
        return Err(refusal("InvalidDBInstanceState", format!("Instance {name} is already being deleted.")));
    }
    if let Some(last) = last {
        // "When a DB instance is in a failure state and has a status of failed, incompatible-restore, or
        // incompatible-network, you can only delete it when you skip creation of the final snapshot".
        must_be(
            account,
            &key,
            &["available", "stopped", "storage-optimization"],
            "in a state for a final snapshot",
        )?;
        is_identifier("FinalDBSnapshotIdentifier", last, 255)?;
        snapshot::has_room(account).await?;
        let fields = [("DBInstanceIdentifier", name.as_str()), ("DBSnapshotIdentifier", last)];
        account.ask(Service::Rds, "CreateDBSnapshot", &fields).await?;
        snapshot::begin(account, last);
    }
    let life = Life::new(account.now, "deleting").then(account.delay(Delay::DatabaseDeleting), "gone");
    let end = life.end();
    account.live(&key, life);
    let backups = call.form.get("DeleteAutomatedBackups").unwrap_or("true");
    let form = Form::of(&[
        ("DBInstanceIdentifier", name.as_str()),
        ("SkipFinalSnapshot", "true"),
        ("DeleteAutomatedBackups", backups),
    ]);
    account.schedule(end, &key, Errand::Ask(Service::Rds, "DeleteDBInstance", form));
    account.schedule(end, &key, Errand::DeleteInterfaces);
    account.schedule(end, &key, Errand::Forget);
    Ok(shown(account, call, item))
}
