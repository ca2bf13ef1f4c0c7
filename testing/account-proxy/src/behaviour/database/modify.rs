//! A modification without `ApplyImmediately` waits for the maintenance window, and is among the pending values until then.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.DBInstance.Modifying.html#USER_ModifyInstance.Settings>
//! says of each setting when it changes: the groups, the parameter group, deletion protection and the windows always at once.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::{describe, groups, key, must_be, named};
use crate::account::{Account, Errand};
use crate::answer::{Refusal, refusal};
use crate::behaviour::interfaces;
use crate::call::{Call, Service};
use crate::clock::later;
use crate::form::Form;
use crate::life::Life;
use crate::settings::Delay;
use crate::xml::Element;

/// The settings that wait for the window unless they are to be applied immediately.
const WAITS: [&str; 11] = [
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "CACertificateIdentifier",
    "DBInstanceClass",
    "EnableIAMDatabaseAuthentication",
    "EngineVersion",
    "Iops",
    "MasterUserPassword",
    "MultiAZ",
    "NewDBInstanceIdentifier",
    "StorageType",
];

pub(super) async fn before(account: &mut Account, call: &mut Call) -> Result<(), Refusal> {
    let key = named(call);
    must_be(account, &key, &["available", "storage-optimization"], "in available state")?;
    if call.form.is_set("ApplyImmediately") {
        return Ok(());
    }
    let name = call.form.get("DBInstanceIdentifier").unwrap_or_default().to_owned();
    let item = describe(account, &name).await?;
    let mut later_on = Form::of(&[("DBInstanceIdentifier", &name), ("ApplyImmediately", "true")]);
    let mut values = Vec::new();
    for field in WAITS {
        let Some(value) = call.form.get(field).map(str::to_owned) else { continue };
        call.form.remove(field);
        let shown = match field {
            "NewDBInstanceIdentifier" => "DBInstanceIdentifier",
            "EnableIAMDatabaseAuthentication" => "IAMDatabaseAuthenticationEnabled",
            field => field,
        };
        if item.text_at(shown) != value {
            values
                .push(Element::with_text(shown, if field == "MasterUserPassword" { "****" } else { &value }));
            later_on.set(field, value);
        }
    }
    if !values.is_empty() {
        let window = next(account.now, item.text_at("PreferredMaintenanceWindow"))?;
        account.cancel(&key);
        account.schedule(window, &key, Errand::Ask(Service::Rds, "ModifyDBInstance", later_on));
        let modified = account.delay(Delay::DatabaseModifying);
        let life = Life::new(account.now, "available").from(window, "modifying").then(modified, "available");
        account.lives.insert(key.clone(), life);
        account.databases.entry(key).or_default().pending = Some((window, values));
    }
    Ok(())
}

/// The beginning of the next maintenance window, of `wed:06:38-wed:07:08` in UTC.
fn next(now: Timestamp, window: &str) -> Result<Timestamp, Refusal> {
    let begin = window.split('-').next().unwrap_or_default();
    let parts: Vec<&str> = begin.split(':').collect();
    let unreadable =
        || refusal("InternalFailure", format!("moto's maintenance window `{window}` cannot be read"));
    let [day, hour, minute] = parts.as_slice() else { return Err(unreadable()) };
    let day = match *day {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return Err(unreadable()),
    };
    let (Ok(hour), Ok(minute)) = (hour.parse::<i64>(), minute.parse::<i64>()) else {
        return Err(unreadable());
    };
    let zoned = now.to_zoned(TimeZone::UTC);
    let midnight = zoned.date().to_zoned(TimeZone::UTC).map_err(|_| unreadable())?.timestamp();
    let days = i64::from(day.since(zoned.weekday()));
    let at = later(midnight, days * 86_400 + hour * 3_600 + minute * 60);
    Ok(if at > now { at } else { later(at, 7 * 86_400) })
}

pub(super) async fn after(account: &mut Account, call: &Call, answer: &mut Element) -> Result<(), Refusal> {
    let old = named(call);
    let renamed = call.form.get("NewDBInstanceIdentifier").map(key);
    if let Some(new) = &renamed {
        let life = account.lives.remove(&old);
        life.into_iter().for_each(|life| account.live(new, life));
        let database = account.databases.remove(&old).unwrap_or_default();
        account.databases.insert(new.clone(), database);
        interfaces::rename(account, &old, new);
    }
    let key = renamed.unwrap_or(old);
    let item = describe(account, key.trim_start_matches("db:")).await?;
    if call.form.has("VpcSecurityGroupIds") {
        interfaces::set_groups(account, &key, &groups(&item)).await?;
    }
    if call.form.is_set("ManageMasterUserPassword") {
        account.databases.entry(key.clone()).or_default().lost_secret = false;
    }
    if call.form.is_set("ApplyImmediately") && WAITS.iter().any(|field| call.form.has(field)) {
        let life =
            Life::new(account.now, "modifying").then(account.delay(Delay::DatabaseModifying), "available");
        account.live(&key, life);
        if let Some(database) = account.databases.get_mut(&key) {
            database.pending = None;
        }
    }
    if let Some(result) = answer.child_mut("ModifyDBInstanceResult") {
        result.put(item);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_next_window_is_within_a_week_and_not_now() {
        fn check(now: &str, expected: &str) {
            let next = next(now.parse().unwrap(), "wed:06:38-wed:07:08").unwrap();
            assert_eq!(next, expected.parse().unwrap(), "{now}");
        }
        // 2026-11-25 is a Wednesday.
        check("2026-11-24T23:59:59Z", "2026-11-25T06:38:00Z");
        check("2026-11-25T06:37:59Z", "2026-11-25T06:38:00Z");
        check("2026-11-25T06:38:00Z", "2026-12-02T06:38:00Z");
        check("2026-11-29T12:00:00Z", "2026-12-02T06:38:00Z");
        assert!(next("2026-11-29T12:00:00Z".parse().unwrap(), "some day").is_err());
    }
}
