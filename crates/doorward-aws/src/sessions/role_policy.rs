//! A policy in the role whose credentials are vended, by which those of a grant that is over are denied.

use doorward_core::policy::RoleArn;

use crate::account::Account;
use crate::error::Error;
use crate::operation::{Operation as _, PutRolePolicy, action};

impl Account {
    /// Puts a policy of that name into a role, in place of an earlier one; AWS may take seconds to enforce it.
    ///
    /// IAM looks for the role in the caller's own account, by its name alone. A role of the same name there that is not
    /// the one that was meant is never touched.
    pub async fn put_role_policy(&self, role: &RoleArn, name: &str, document: &str) -> Result<(), Error> {
        let caller = self.identity().await?;
        if caller.account != role.account() {
            return Err(Error::OtherAccount {
                call: action::<PutRolePolicy>(),
                account: caller.account,
                role: role.to_string(),
            });
        }
        let (role, name) = (role.name().to_owned(), name.to_owned());
        self.ask(&PutRolePolicy { role, name, document: document.to_owned() }).await?;
        tracing::debug!(
            call = PutRolePolicy::NAME,
            "a role denies the credentials of grants that have ended"
        );
        Ok(())
    }
}
