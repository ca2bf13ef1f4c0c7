//! `rds:RestoreDBInstanceFromDBSnapshot`: creates a database with the data of a snapshot.

use doorward_core::inventory::Database;

use super::{flag, tagged};
use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Restores a database. The call is given everything that a restore would otherwise set to a default: the security groups, the
/// subnet group, the standby, sign-in by IAM, the storage and the tags. Its name says whether it was restored.
///
/// The parameter group is the default one of the engine version, which is what `CreateDBInstance` gave it, too.
#[derive(Debug, Clone)]
pub(crate) struct RestoreDBInstanceFromDBSnapshot {
    pub(crate) database: Database,
    /// The name of the snapshot.
    pub(crate) snapshot: String,
}

impl Operation for RestoreDBInstanceFromDBSnapshot {
    const NAME: &'static str = "RestoreDBInstanceFromDBSnapshot";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let Self { database, snapshot } = self;
        let settings = &database.settings;
        let mut form = Form::default();
        form.put("DBInstanceIdentifier", &database.name);
        form.put("DBSnapshotIdentifier", snapshot);
        if let Some(class) = settings.class {
            form.put("DBInstanceClass", class.as_str());
        }
        if let Some(storage) = settings.storage {
            form.put("AllocatedStorage", &storage.to_string());
        }
        form.put("StorageType", "gp3");
        form.put("EnableIAMDatabaseAuthentication", flag(settings.iam));
        form.put("MultiAZ", flag(settings.multi_az));
        form.put("PubliclyAccessible", flag(Some(database.public)));
        form.put("DeletionProtection", flag(Some(false)));
        form.put("CopyTagsToSnapshot", "true");
        form.put("AutoMinorVersionUpgrade", "true");
        if let Some(group) = &settings.subnet_group {
            form.put("DBSubnetGroupName", group);
        }
        form.each("VpcSecurityGroupIds.VpcSecurityGroupId", &database.groups);
        tagged(&mut form, &database.tags);
        Body::Form(form)
    }
}
