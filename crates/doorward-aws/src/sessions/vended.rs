//! Credentials of a role for one grant, and the same account and Region seen with them.

use crate::account::Account;
use crate::credentials::ShortLived;
use crate::error::Error;
use crate::operation::AssumeRole;

/// For whom a role is assumed, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumedFor {
    /// The role's ARN.
    pub role: String,
    /// What the session is called in CloudTrail: 2 to 64 of `A-Z a-z 0-9 _ + = , . @ -`.
    pub session_name: String,
    /// Who is behind it, of the same letters; what is set once cannot be changed by assuming further roles.
    pub source_identity: Option<String>,
    /// A policy that takes away from what the role may, in JSON.
    pub policy: Option<String>,
    /// How long they last, in seconds: AWS takes 900 at least, and no more than the role allows.
    pub seconds: u32,
    /// Tags of the session.
    pub tags: Vec<(String, String)>,
}

/// What AWS takes at least.
const LEAST_SECONDS: u32 = 900;

impl Account {
    /// Assumes a role. Less than 900 seconds are 900: what is to end sooner says so in its policy.
    pub async fn assume(&self, what: &AssumedFor) -> Result<ShortLived, Error> {
        let operation = AssumeRole {
            role: what.role.clone(),
            session_name: what.session_name.clone(),
            source_identity: what.source_identity.clone(),
            policy: what.policy.clone(),
            seconds: what.seconds.max(LEAST_SECONDS),
            tags: what.tags.clone(),
        };
        let credentials = self.ask(&operation).await?.result.credentials;
        Ok(ShortLived {
            id: credentials.id,
            secret: credentials.secret,
            token: credentials.token,
            until: credentials.until,
        })
    }

    /// The same account and Region, seen with these credentials.
    pub fn with(&self, credentials: &ShortLived) -> Self {
        let name = format!("{} {}", self.account_region(), credentials.id);
        Self::of(self.account_region().clone(), self.0.connection.with(credentials.provider(), name))
    }
}
