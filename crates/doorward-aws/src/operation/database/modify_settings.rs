//! `rds:ModifyDBInstance`: changes the settings of a database.

use doorward_core::inventory::{DatabaseSettings, Owned};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Changes the settings in which two differ, at once and not in the maintenance window.
#[derive(Debug, Clone)]
pub(crate) struct ModifyDatabaseSettings {
    pub(crate) name: Owned<String>,
    pub(crate) before: DatabaseSettings,
    pub(crate) after: DatabaseSettings,
}

impl Operation for ModifyDatabaseSettings {
    const NAME: &'static str = "ModifyDBInstance";
    const SERVICE: Service = Service::Rds;
    type Answer = Done;

    fn body(&self) -> Body {
        let Self { name, before, after } = self;
        let mut form = Form::default();
        form.put("DBInstanceIdentifier", name.id());
        let mut put = |key: &str, differs: bool, value: Option<String>| {
            if let Some(value) = value.filter(|_| differs) {
                form.put(key, &value);
            }
        };
        put("DBInstanceClass", before.class != after.class, after.class.map(|it| it.to_string()));
        put("AllocatedStorage", before.storage != after.storage, after.storage.map(|it| it.to_string()));
        put("MultiAZ", before.multi_az != after.multi_az, after.multi_az.map(|it| it.to_string()));
        let days = after.backup_days.map(|it| it.to_string());
        put("BackupRetentionPeriod", before.backup_days != after.backup_days, days);
        put("EnableIAMDatabaseAuthentication", before.iam != after.iam, after.iam.map(|it| it.to_string()));
        let secret = Some(after.has_secret.to_string());
        put("ManageMasterUserPassword", before.has_secret != after.has_secret, secret);
        form.put("ApplyImmediately", "true");
        Body::Form(form)
    }
}
