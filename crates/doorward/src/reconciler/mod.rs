//! Observes, decides, performs: by timer, nudge and restart alike, without input.
//!
//! A pass reads the policy and the grants, ends expired grants, and reconciles every firewall to exactly the rules of
//! the live grants. Each account and Region is reconciled by its own task, so a slow Region delays no other; and a gap
//! in the observation can block an opening, never a revocation.

mod credentials;
mod deadlines;
mod desired;
mod drift;
mod finishing;
mod groups;
mod noted;
mod overdue;
mod pass;
mod permissions;
mod remembering;
mod reporting;
mod sessions;
mod since;
mod transports;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward_core::audit::Event;
use doorward_core::grant::{Grant, GrantId, Life};
use doorward_core::inventory::{AccountRegion, RuleIdentity, SecurityGroupId};
use doorward_core::policy::FirewallName;
use jiff::Timestamp;
use tokio::task::{JoinHandle, JoinSet};

use crate::cloud::Cloud;
use crate::firewall::Local;
use crate::overdue::OverdueKey;
use crate::policy_file::Refreshed;
use crate::requests::Requests;
use crate::status::{Nudged, Status};
use crate::store::in_time;
use credentials::Credentials;
use deadlines::Deadlines;
use groups::{Done, Known};
use noted::Noted;
use permissions::Permissions;
use sessions::Sessions;

/// How often the account is polled when nothing happens: manual drift is corrected within this time.
const LOOKS_EVERY: Duration = Duration::from_secs(30);

/// How often the files and the store are looked at for changes by others.
const LISTENS_EVERY: Duration = Duration::from_secs(1);

/// How often it is looked whether the process that carries the relays has come to what they shall let in.
const AWAITS_EVERY: Duration = Duration::from_millis(100);

/// How often the log repeats which expired grants are not revoked.
const REPORTS_OVERDUE_EVERY: Duration = Duration::from_secs(60);

/// How long the policy's files may take to be read before the rest goes on without them.
const READS: Duration = Duration::from_secs(1);

/// Brings the firewalls to what the grants and the policy want.
#[derive(Debug)]
pub struct Reconciler {
    requests: Arc<Requests>,
    cloud: Cloud,
    local: Local,
    nudged: Nudged,
    noted: Noted,
    memory: Memory,
    work: JoinSet<Done>,
    /// For how many accounts and Regions descriptors are reserved.
    reserved_for: usize,
}

/// What a pass leaves for the next: it only spares work and tells drift from change; without it (after a
/// restart) a pass does the same.
#[derive(Debug, Default)]
struct Memory {
    grants: Vec<Grant>,
    /// Groups that may have rules of ours, as far as this process knows.
    remembered: BTreeSet<desired::Remembered>,
    known: BTreeMap<AccountRegion, Known>,
    /// Places that a task is bringing now, and those among them that have to be brought once more after it.
    busy: BTreeSet<AccountRegion>,
    again: BTreeSet<AccountRegion>,
    /// Rules whose removal was sent to AWS beside such a task, and is not answered yet.
    revoking: BTreeMap<(AccountRegion, SecurityGroupId), BTreeSet<RuleIdentity>>,
    /// A task is bringing this machine's tables now, and has to do it once more after that.
    tables_busy: bool,
    tables_again: bool,
    /// The reading of the policy's files, while it takes long: what is on a network may not answer.
    reading: Option<JoinHandle<Refreshed>>,
    failing: BTreeMap<FirewallName, String>,
    deadlines: Deadlines,
    /// Since the first pass, what was ended in it because the clock could not say what was over: it stays ended although the
    /// store may not have taken that.
    over_at_start: Option<BTreeSet<GrantId>>,
    sessions: Sessions,
    credentials: Credentials,
    /// Of a server, which tries before its first grant what a revocation needs.
    permissions: Option<Permissions>,
    mistakes: Vec<String>,
    digest: Option<String>,
    tries: u32,
    /// When the log last said what is overdue, by the clock that cannot be set back, and what that was.
    overdue_reported: (Duration, BTreeSet<OverdueKey>),
    /// Events that could not be recorded yet: the store was full, or did not answer.
    unrecorded: Vec<Event>,
    /// The last audit entry about a grant that was known when the grants were read.
    head: u64,
}

impl Reconciler {
    /// Over a store of requests, an account and this machine's own firewalls.
    pub fn new(requests: Arc<Requests>, cloud: Cloud, local: Local, nudged: Nudged) -> Self {
        let noted = Noted::new(requests.app().reserved().clone());
        let (memory, work) = (Memory::default(), JoinSet::new());
        Self { requests, cloud, local, nudged, noted, memory, work, reserved_for: usize::MAX }
    }

    /// Has it warn of a policy with more accounts and Regions than so many.
    pub fn reserving_for(mut self, places: usize) -> Self {
        self.reserved_for = places;
        self
    }

    /// Has it tried, before the first grant, what a revocation needs of AWS.
    pub fn trying_permissions(mut self) -> Self {
        self.memory.permissions = Some(Permissions::default());
        self.memory.credentials.try_first();
        self
    }

    /// Makes passes until `stop` is ready.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Local {
        let mut stop = std::pin::pin!(stop);
        loop {
            let covers = self.nudged.count();
            self.begin().await;
            let next = self.next_end();
            let mut looks_at = Instant::now() + self.looks_in();
            let (store, mut noticed) = (self.requests.app().reserved().clone(), false);
            loop {
                let listens_every = if self.local.awaits() { AWAITS_EVERY } else { LISTENS_EVERY };
                let limit = self.ends_in(next).min(looks_at.saturating_duration_since(Instant::now()));
                if limit.is_zero() {
                    break;
                }
                tokio::select! {
                    () = &mut stop => {
                        // A step that has begun is brought to its end: the client's time limits bound it.
                        while let Some(done) = self.work.join_next().await {
                            self.finish(done).await;
                        }
                        return self.local;
                    }
                    Some(done) = self.work.join_next() => {
                        self.finish(done).await;
                        // What has just failed is not left until the next look of what is well.
                        looks_at = looks_at.min(Instant::now() + self.looks_in());
                    }
                    () = store.row_noticed() => noticed = true,
                    () = self.nudged.wait(limit.min(listens_every)) => {}
                }
                if self.is_revoking() {
                    // AWS may be silent for longer than a removal may take.
                    self.report_overdue();
                }
                let behind = self.local.is_behind()
                    || self
                        .memory
                        .again
                        .iter()
                        .any(|account_region| !self.memory.busy.contains(account_region))
                    || self.memory.sessions.is_behind()
                    || (self.memory.tables_again && !self.memory.tables_busy);
                if behind || noticed || self.nudged.count() > covers || self.changed_elsewhere().await {
                    break;
                }
            }
        }
    }

    /// Observes, decides, performs, once, and waits until every account and Region has answered or was given up.
    pub async fn pass(&mut self) -> Arc<Status> {
        self.begin().await;
        while let Some(done) = self.work.join_next().await {
            self.finish(done).await;
        }
        self.nudged.last()
    }

    /// Makes a pass as soon as somebody asks for one.
    pub async fn pass_when_nudged(&mut self) {
        while self.nudged.count() <= self.nudged.last().covers {
            self.nudged.wait(LISTENS_EVERY).await;
        }
        self.pass().await;
    }

    /// Whether grants have ended whose rules or sessions are not known to be gone.
    fn is_revoking(&self) -> bool {
        let unsettled = |grant: &Grant| matches!(grant.life(), Life::Ended { since: Some(_), .. });
        self.memory.grants.iter().any(unsettled)
    }

    /// The next end that is still to come when a pass has begun, by either clock; none where there is none.
    fn next_end(&self) -> (Option<Timestamp>, Option<Duration>) {
        let clock = self.requests.app().clock();
        let (now, uptime) = (clock.now(), clock.uptime());
        let wall = self.memory.grants.iter().filter_map(Grant::next_change).filter(|next| *next > now).min();
        (wall, self.memory.deadlines.next(uptime))
    }

    /// Time until an end comes by either clock; the wall clock may have been set since.
    fn ends_in(&self, (wall, uptime): (Option<Timestamp>, Option<Duration>)) -> Duration {
        let clock = self.requests.app().clock();
        let wall =
            wall.map(|end| Duration::try_from(end.duration_since(clock.now())).unwrap_or(Duration::ZERO));
        let uptime = uptime.map(|end| end.saturating_sub(clock.uptime()));
        wall.into_iter().chain(uptime).min().unwrap_or(Duration::MAX)
    }

    /// Time to the next look: sooner while something is not as wanted.
    fn looks_in(&self) -> Duration {
        let looks_in = match self.memory.failing.is_empty() {
            true => LOOKS_EVERY,
            false => LOOKS_EVERY.min(Duration::from_secs(1 << self.memory.tries.min(5))),
        };
        let uptime = self.requests.app().clock().uptime();
        let permissions = self.memory.permissions.as_ref();
        let tries_in = [
            self.memory.sessions.tries_in(uptime),
            self.memory.credentials.tries_in(uptime),
            permissions.and_then(|permissions| permissions.tries_in(uptime)),
        ];
        tries_in.into_iter().flatten().fold(looks_in, Duration::min)
    }

    /// Whether the policy's files changed, or a grant did, also by another process; or whether what is said of the
    /// store is another: that it was altered, or that an operator has accepted it.
    async fn changed_elsewhere(&mut self) -> bool {
        if !matches!(self.read_policy().await, Refreshed::Unchanged) || self.requests.closed_elsewhere() {
            return true;
        }
        let store = self.requests.app().reserved();
        let checked = in_time(store.check_head()).await;
        if store.alarms() != self.nudged.last().alarms {
            return true;
        }
        if checked.is_err() {
            return false;
        }
        match in_time(store.last_change()).await {
            Ok(change) => change != self.memory.head,
            Err(_) => false,
        }
    }

    /// Has the policy's files looked at, and does not wait long for it: what ends meanwhile is closed by the last
    /// policy that could be read.
    async fn read_policy(&mut self) -> Refreshed {
        let file = self.requests.app().policy_shared();
        let late = self.memory.reading.is_some();
        let reading = self.memory.reading.take();
        let mut reading = reading.unwrap_or_else(|| tokio::task::spawn_blocking(move || file.refresh()));
        let limit = if late { Duration::ZERO } else { READS };
        match tokio::time::timeout(limit, &mut reading).await {
            // What it found is kept by the file itself.
            Ok(refreshed) => refreshed.unwrap_or(Refreshed::Unchanged),
            Err(_) => {
                if !late {
                    tracing::error!(
                        "could not read the policy files within {} s, keeping the last valid ones",
                        READS.as_secs()
                    );
                }
                self.memory.reading = Some(reading);
                Refreshed::Unchanged
            }
        }
    }
}
