//! `rds:CreateDBInstance`: creates a database.

use doorward_core::inventory::Database;

use super::{flag, tagged};
use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Creates a database whose master password RDS keeps in a secret. RDS has no tokens: its name says whether it was created.
#[derive(Debug, Clone)]
pub(crate) struct CreateDBInstance {
    pub(crate) database: Database,
    /// The name of its first user.
    pub(crate) user: &'static str,
}

impl Operation for CreateDBInstance {
    const NAME: &'static str = "CreateDBInstance";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let Self { database, user } = self;
        let settings = &database.settings;
        let mut form = Form::default();
        form.put("DBInstanceIdentifier", &database.name);
        form.put("Engine", &database.engine);
        if let Some(version) = &settings.version {
            form.put("EngineVersion", version);
        }
        if let Some(class) = settings.class {
            form.put("DBInstanceClass", class.as_str());
        }
        if let Some(storage) = settings.storage {
            form.put("AllocatedStorage", &storage.to_string());
        }
        form.put("StorageType", "gp3");
        form.put("StorageEncrypted", flag(settings.encrypted));
        form.put("MasterUsername", user);
        form.put("ManageMasterUserPassword", flag(Some(settings.has_secret)));
        form.put("EnableIAMDatabaseAuthentication", flag(settings.iam));
        form.put("MultiAZ", flag(settings.multi_az));
        form.put("BackupRetentionPeriod", &settings.backup_days.unwrap_or_default().to_string());
        form.put("PubliclyAccessible", flag(Some(database.public)));
        // Its snapshots are found by its tags.
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
