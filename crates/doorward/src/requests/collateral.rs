//! Collateral access of a grant, computed from the recorded account that the policy names.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use doorward_core::grant::Grant;
use doorward_core::net::Flow;
use doorward_core::policy::Policy;
use doorward_core::reach::{self, Reachability, with_grant};
use serde::{Deserialize, Serialize};

use super::Requests;
use crate::few_threads::NotRead;

/// A resource that a grant makes reachable in addition to its target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Collateral {
    /// What it is, like `database reports`.
    pub what: String,
    /// Traffic that is certainly allowed.
    pub flows: Vec<Flow>,
    /// Traffic that may be allowed in addition: the recorded account has gaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub perhaps: Vec<Flow>,
}

/// How long a response waits for it. The rule exists meanwhile.
const WAITS: Duration = Duration::from_secs(5);

impl Requests {
    /// The collateral access of a grant, or why it is unknown. Nothing if the policy names no recorded account.
    pub async fn collateral(&self, grant: &Grant) -> Result<Vec<Collateral>, String> {
        let policy = Arc::clone(&self.app.loaded().policy);
        let Some(folder) = policy.inventory.clone() else { return Ok(Vec::new()) };
        let grant = grant.clone();
        let found = self.recorded.read(WAITS, move || collateral(Path::new(&folder), &policy, &grant)).await;
        found.map_err(|unread| match unread {
            NotRead::BrokeOff => "the analysis failed unexpectedly".to_owned(),
            NotRead::Late(limit) => format!("the analysis took longer than {} s", limit.as_secs()),
        })?
    }
}

fn collateral(folder: &Path, policy: &Policy, grant: &Grant) -> Result<Vec<Collateral>, String> {
    let account = doorward_aws::recorded(folder).map_err(|error| error.to_string())?;
    let Some(target) = policy.targets.get(grant.target()) else { return Ok(Vec::new()) };
    let compared = with_grant(account, policy, grant).map_err(|error| error.to_string())?;
    let Some((without, with)) = compared else { return Ok(Vec::new()) };
    let (without, with) = (Reachability::of(without), Reachability::of(with));
    let found = reach::collateral(&without.compare(&with), &with, &target.address).into_iter();
    let view = |one: reach::Collateral| Collateral {
        what: one.what,
        flows: one.flows.list(),
        perhaps: one.perhaps.list(),
    };
    Ok(found.map(view).collect())
}
