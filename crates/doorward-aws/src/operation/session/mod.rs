//! The calls of Session Manager.

mod connection_status;
mod describe;
mod describe_instance_information;
mod resume;
mod start;
mod terminate;

use serde::Deserialize;

pub(crate) use connection_status::GetConnectionStatus;
pub(crate) use describe::{DescribeSessions, ListedShape};
pub(crate) use describe_instance_information::{DescribeInstanceInformation, INSTANCES_A_CALL, ManagedShape};
pub(crate) use resume::ResumeSession;
pub(crate) use start::StartSession;
pub(crate) use terminate::TerminateSession;

/// A session that is open, and how to join it. Its `Debug` does not show the token.
#[derive(Deserialize)]
pub(crate) struct SessionShape {
    #[serde(rename = "SessionId", default)]
    pub(crate) session: Option<String>,
    #[serde(rename = "TokenValue", default)]
    pub(crate) token: Option<String>,
    #[serde(rename = "StreamUrl", default)]
    pub(crate) url: Option<String>,
}

impl std::fmt::Debug for SessionShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionShape").field("session", &self.session).finish_non_exhaustive()
    }
}
