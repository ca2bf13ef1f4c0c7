//! A password for RDS that is made here: no call is needed, and it is good for 15 minutes.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::account::Account;
use crate::error::Error;
use crate::signing::{self, Scope};
use crate::wire::Form;

/// How long a token opens new connections; one that is open outlives it (RDS user guide, IAM authentication).
const LASTS: Duration = Duration::from_secs(15 * 60);

impl Account {
    /// The password of a database user who signs in by IAM: for exactly this host, port and user, from `now` on.
    ///
    /// The host is the database's own endpoint, also where the connection goes through a tunnel. It is botocore's
    /// `generate_db_auth_token`, byte for byte.
    pub async fn database_token(
        &self,
        host: &str,
        port: u16,
        user: &str,
        now: Timestamp,
    ) -> Result<String, Error> {
        let now = SystemTime::from(now);
        self.sign(host, "rds-db", now, |scope| token_for(host, port, user, scope)).await
    }
}

pub(crate) fn token_for(host: &str, port: u16, user: &str, scope: Scope<'_>) -> Option<String> {
    const SCHEME: &str = "https://";
    // Nothing in a host can begin a path or a query.
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte)) {
        return None;
    }
    let mut query = Form::default();
    query.put("Action", "connect");
    query.put("DBUser", user);
    let url = format!("{SCHEME}{host}:{port}/?{}", query.into_body());
    signing::presigned(&url, scope, LASTS)?.strip_prefix(SCHEME).map(str::to_owned)
}
