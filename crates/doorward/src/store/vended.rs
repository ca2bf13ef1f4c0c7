//! Until when vended credentials are good, by the audit log.

use doorward_core::audit::{Line, What};
use doorward_core::export::iam;
use doorward_core::grant::GrantId;
use jiff::{SignedDuration, Timestamp};

use super::{Error, Store};

/// What a clock may be off.
const APART: SignedDuration = SignedDuration::from_mins(2);

impl Store {
    /// Until when the credentials of a grant are good, as the audit log has it; none where none were vended.
    pub async fn vended_until(&self, grant: &GrantId) -> Result<Option<Timestamp>, Error> {
        let lines = self.lines_of(grant).await?;
        let ends = lines.iter().filter_map(|(_, line)| {
            let event = serde_json::from_str::<Line>(line).ok()?.event;
            let What::CredentialsVended { until, .. } = event.what else { return None };
            let lasts = SignedDuration::from_secs(i64::from(iam::LASTS));
            let here = event.at.checked_add(lasts).unwrap_or(until);
            // AWS said the end by its own clock. Where this machine's is far ahead, its own counts.
            Some(if here.duration_since(until) > APART { here } else { until })
        });
        Ok(ends.max())
    }
}
