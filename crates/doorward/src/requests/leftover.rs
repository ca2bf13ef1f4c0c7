//! Credentials of a revoked grant that AWS still accepts.

use std::time::Duration;

use doorward_core::export::iam;
use doorward_core::grant::Grant;
use jiff::SignedDuration;

use super::{LivesOn, Requests};
use crate::status::Leftover;

/// How long a response waits for IAM to deny credentials, which takes about a second.
const DENIES: Duration = Duration::from_secs(3);

impl Requests {
    /// Vended credentials of an ended grant that can still start sessions.
    pub(super) async fn living_on(&self, grant: &Grant) -> Option<LivesOn> {
        let vends = self.through(grant).is_some_and(|through| through.vended);
        if !vends || !grant.was_revoked() {
            return None;
        }
        // What cannot be read is taken to be there.
        let vended = self.app.store().vended_until(grant.id()).await;
        let now = self.app.clock().now();
        let longest = now.saturating_add(SignedDuration::from_secs(i64::from(iam::LASTS))).unwrap_or(now);
        let until = vended.unwrap_or(Some(longest)).filter(|until| *until > now)?;
        match self.app.nudge().leftover(grant.id(), DENIES).await {
            Some(Leftover::Nothing) => None,
            Some(Leftover::Credentials { until, why }) => Some(LivesOn { until, why }),
            None => Some(LivesOn { until, why: "IAM has not answered yet".to_owned() }),
        }
    }
}
