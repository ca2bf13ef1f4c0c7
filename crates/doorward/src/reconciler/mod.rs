//! Observes, decides, performs: by timer, nudge and restart alike, with no input.
//!
//! A pass reads the policy and the grants, ends what is over, and brings every firewall to exactly the rules
//! of what is live. A gap in what is seen can block an opening, never a closing.

mod deadlines;
mod groups;
mod pass;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use doorward_core::grant::Grant;
use doorward_core::inventory::Inventory;
use doorward_core::policy::FirewallName;

pub use groups::Outcome;
pub use status::{Nudge, Nudged, Standing, Status};

use crate::cloud::Cloud;
use crate::firewall::Local;
use crate::policy_file::Refreshed;
use crate::requests::Requests;
use deadlines::Deadlines;

/// How often the account is looked at when nothing happens: drift by hand is put right within this time.
const LOOKS_EVERY: Duration = Duration::from_secs(30);

/// How often the files and the store are looked at for changes by others.
const LISTENS_EVERY: Duration = Duration::from_secs(1);

/// Brings the firewalls to what the grants and the policy want.
#[derive(Debug)]
pub struct Reconciler {
    requests: Arc<Requests>,
    cloud: Cloud,
    local: Local,
    nudged: Nudged,
    memory: Memory,
}

/// What a pass leaves for the next: it only spares work and tells drift from change; without it (after a
/// restart) a pass does the same.
#[derive(Debug, Default)]
struct Memory {
    grants: Vec<Grant>,
    inventory: Inventory,
    left: groups::Left,
    failing: BTreeMap<FirewallName, String>,
    deadlines: Deadlines,
    mistakes: Vec<String>,
    digest: Option<String>,
    cut: u64,
    tries: u32,
    head: u64,
}

impl Reconciler {
    /// Over a store of requests, an account and this machine's own firewalls.
    pub fn new(requests: Arc<Requests>, cloud: Cloud, local: Local, nudged: Nudged) -> Self {
        Self { requests, cloud, local, nudged, memory: Memory::default() }
    }

    /// Makes passes until `stop` is ready.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Local {
        let mut stop = std::pin::pin!(stop);
        loop {
            self.pass().await;
            let mut waited = Duration::ZERO;
            loop {
                let limit = self.next_wake().saturating_sub(waited);
                if limit.is_zero() {
                    break;
                }
                let slice = limit.min(LISTENS_EVERY);
                tokio::select! {
                    () = &mut stop => return self.local,
                    () = self.nudged.wait(slice) => {}
                }
                waited += slice;
                if self.nudged.count() > self.nudged.last().covers || self.changed_elsewhere().await {
                    break;
                }
            }
        }
    }

    /// Makes a pass as soon as somebody asks for one.
    pub async fn pass_when_nudged(&mut self) {
        while self.nudged.count() <= self.nudged.last().covers {
            self.nudged.wait(LISTENS_EVERY).await;
        }
        self.pass().await;
    }

    /// Time to the next pass: the next end, the next look, or the next try of what failed.
    fn next_wake(&self) -> Duration {
        let clock = self.requests.clock();
        let next = self.memory.deadlines.next(clock.uptime());
        let wall = self.memory.grants.iter().filter_map(Grant::next_change).min().map(|next| {
            // A thousandth later, so that the pass finds it over.
            Duration::try_from(next.duration_since(clock.now())).unwrap_or(Duration::ZERO)
                + Duration::from_millis(1)
        });
        let look = if self.memory.failing.is_empty() {
            LOOKS_EVERY
        } else {
            LOOKS_EVERY.min(Duration::from_secs(1 << self.memory.tries.min(5)))
        };
        [next, wall].into_iter().flatten().chain([look]).min().unwrap_or(look).max(Duration::from_millis(1))
    }

    /// Whether the policy's files changed, or another process wrote to the store.
    async fn changed_elsewhere(&self) -> bool {
        if !matches!(self.requests.policy_file().refresh(), Refreshed::Unchanged) {
            return true;
        }
        match self.requests.store().head().await {
            Ok(head) => head.seq != self.memory.head,
            Err(_) => false,
        }
    }
}
