//! The settings of a database beside its network, its status, and its snapshots.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{AccountRegion, Tags, TypeName};

/// What a database was created with, and what can be changed later. None is what AWS did not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// The version of its engine, like `17.4`.
    pub version: Option<String>,
    /// `DBInstanceClass`
    pub class: Option<TypeName>,
    /// Its storage in GiB.
    pub storage: Option<u32>,
    /// Whether it has a standby in another zone.
    pub multi_az: Option<bool>,
    /// For how many days backups are kept; 0 is none.
    pub backup_days: Option<u32>,
    /// Whether clients may sign in by IAM.
    pub iam: Option<bool>,
    /// Whether its storage is encrypted.
    pub encrypted: Option<bool>,
    /// The name of its DB subnet group.
    pub subnet_group: Option<String>,
    /// Whether AWS keeps its master password in a secret and rotates it.
    pub has_secret: bool,
    /// When AWS starts it again, if it is stopped: after seven days (RDS user guide, "Stopping an Amazon RDS DB instance
    /// temporarily").
    pub restarts: Option<Timestamp>,
    /// The settings that change in its next maintenance window, by their names in `PendingModifiedValues`.
    pub pending: BTreeSet<String>,
}

/// What the status of a database means (RDS user guide, "Viewing Amazon RDS DB instance status").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It can be used, and changed.
    Available,
    /// It is being created or changed, and becomes available by itself.
    Busy,
    /// It is stopped, or stopping.
    Stopped,
    /// It is being deleted.
    Deleting,
    /// It does not become available by itself.
    Failed,
}

impl Condition {
    /// What a status means.
    pub fn of(status: &str) -> Self {
        match status {
            "available" | "storage-optimization" => Self::Available,
            "stopped" | "stopping" => Self::Stopped,
            "deleting" => Self::Deleting,
            "failed" | "storage-full" | "restore-error" | "insufficient-capacity" => Self::Failed,
            other if other.starts_with("incompatible-") || other.starts_with("inaccessible-") => Self::Failed,
            _ => Self::Busy,
        }
    }
}

/// Between the name of a database and the time in the name of its final snapshot.
const FINAL: &str = "-final-";

/// A manual snapshot of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSnapshot {
    /// `DBSnapshotIdentifier`
    pub name: String,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// The name of its database, which may be gone.
    pub database: String,
    /// Its status, like `available`.
    pub status: String,
    /// When it was taken; none while it is being created.
    pub created: Option<Timestamp>,
    /// The storage of its database in GiB: it is billed for no more.
    pub storage: Option<u32>,
    /// Its tags.
    pub tags: Tags,
}

impl DatabaseSnapshot {
    /// The name that stands for one that is to be taken: a name of RDS has no colon.
    pub fn planned(purpose: &str) -> String {
        format!("new:{purpose}")
    }

    /// The name of the final snapshot of a database that is deleted at a time, like `doorward-dev-final-20261130-190000` in
    /// UTC. It was never taken before, since the most frequent failure of a deletion is a name that is taken.
    pub fn final_name(database: &str, at: Timestamp) -> String {
        format!("{database}{FINAL}{}", at.strftime("%Y%m%d-%H%M%S"))
    }

    /// Whether it has such a name. A snapshot that a person takes gets the tags of its database, too, if the database copies
    /// them, so tags alone do not say that Doorward took it.
    pub fn is_final(&self) -> bool {
        let time = self.name.strip_prefix(&self.database).and_then(|rest| rest.strip_prefix(FINAL));
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|it| it.is_ascii_digit());
        time.and_then(|time| time.split_once('-'))
            .is_some_and(|(day, time)| digits(day, 8) && digits(time, 6))
    }

    /// Whether a database can be restored from it, now or when it is complete.
    pub fn is_usable(&self) -> bool {
        matches!(self.status.as_str(), "available" | "creating")
    }

    /// Its age as a key: the newest is the greatest. One that is still being created has no time yet, and is the newest.
    pub fn age(&self) -> (bool, Option<Timestamp>, &str) {
        (self.created.is_none(), self.created, &self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_snapshot_is_known_by_its_name() {
        let check = |name: &str, expected: bool| {
            let snapshot = DatabaseSnapshot {
                name: name.into(),
                account_region: AccountRegion::default(),
                database: "doorward-dev".into(),
                status: "available".into(),
                created: None,
                storage: None,
                tags: Tags::new(),
            };
            assert_eq!(snapshot.is_final(), expected, "{name}");
        };
        let at = "2026-11-30T19:00:00Z".parse().expect("a time");
        assert_eq!(DatabaseSnapshot::final_name("doorward-dev", at), "doorward-dev-final-20261130-190000");
        check(&DatabaseSnapshot::final_name("doorward-dev", at), true);
        check("doorward-dev-final-2026-11-30", false);
        check("doorward-dev-final-before-migration", false);
        check("doorward-devel-final-20261130-190000", false);
        check("new:main/environment/dev/database", false);
    }
}
