//! What the reconciler last observed and did: for the pages, and for requests that wait for a rule.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use doorward_core::grant::GrantId;
use doorward_core::inventory::Inventory;
use doorward_core::policy::FirewallName;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use crate::overdue::Overdue;

/// Whether a firewall is in sync.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum SyncState {
    /// It has exactly the desired rules.
    #[serde(rename = "as-wanted")]
    InSync,
    /// It could not be reconciled; the next pass tries again.
    Failing { why: String },
    /// No pass has ended since.
    Unknown,
}

/// What a revoked grant left behind in AWS.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "left", rename_all = "kebab-case")]
pub enum Leftover {
    /// Nothing that gives access.
    Nothing,
    /// Credentials that can still start sessions.
    Credentials {
        /// Their end.
        until: Timestamp,
        /// Why they are not denied.
        why: String,
    },
}

/// Something that could not be revoked if it had to be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Irrevocable {
    /// What, in words: `sessions in eu-west-1`.
    pub what: String,
    /// What AWS says.
    pub why: String,
    /// What to do about it.
    pub fix: String,
}

/// The outcome of a pass.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The last nudge that the pass began after.
    pub covers: u64,
    /// When it began; none before the first.
    pub at: Option<Timestamp>,
    /// Each firewall of the policy, and the last nudge that its state reflects.
    pub firewalls: BTreeMap<FirewallName, (u64, SyncState)>,
    /// Live connections that were cut, summed since the start.
    pub cut: u64,
    /// The account as observed.
    pub inventory: Arc<Inventory>,
    /// What the grants that were revoked of late left behind, as far as that is known.
    pub leftovers: BTreeMap<GrantId, Leftover>,
    /// Mistakes in the policy on disk, while an earlier one is in force.
    pub mistakes: Vec<String>,
    /// What stands past its end, or may.
    pub overdue: Vec<Overdue>,
    /// What could not be revoked if it had to be, for want of a permission.
    pub irrevocable: Vec<Irrevocable>,
    /// What was found altered in the store, in words, until an operator accepts it.
    pub alarms: Vec<String>,
}

impl Status {
    /// Whether a firewall was as it should be.
    pub fn of(&self, firewall: &FirewallName) -> SyncState {
        self.firewalls.get(firewall).map_or(SyncState::Unknown, |(_, sync_state)| sync_state.clone())
    }

    fn covers(&self, firewall: Option<&FirewallName>, nudge: u64) -> bool {
        match firewall {
            Some(firewall) => self.firewalls.get(firewall).is_some_and(|(covers, _)| *covers >= nudge),
            None => self.covers >= nudge,
        }
    }
}

/// Whether the account keeps the intents of the policy, as it was last read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntentReport {
    /// When that was; none before the first time.
    pub at: Option<Timestamp>,
    /// In the order of the policy.
    pub each: Vec<IntentState>,
}

/// Whether the account keeps one intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentState {
    /// As the policy declares it.
    pub intent: String,
    /// The operator's reason.
    pub reason: Option<String>,
    pub outcome: IntentOutcome,
    /// The path that is allowed, what blocks it, or what could not be read.
    pub why: Vec<String>,
    /// Since when it is broken, as far as this process knows. It stays so until the account is seen to keep it.
    pub broken_since: Option<Timestamp>,
}

/// Whether an intent is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentOutcome {
    Kept,
    Broken,
    /// A part of the account could not be read that decides it.
    Undecided,
}

impl IntentReport {
    /// The intents that are broken, or were and are undecided since.
    pub fn broken(&self) -> impl Iterator<Item = &IntentState> {
        self.each.iter().filter(|it| it.broken_since.is_some())
    }

    /// The intents of which nothing is known.
    pub fn undecided(&self) -> impl Iterator<Item = &IntentState> {
        self.each.iter().filter(|it| it.outcome == IntentOutcome::Undecided && it.broken_since.is_none())
    }
}

/// Wakes the reconciler, and waits for a pass that began after it.
#[derive(Debug, Clone)]
pub struct Nudge {
    count: Arc<AtomicU64>,
    wake: Arc<Notify>,
    status: watch::Receiver<Arc<Status>>,
}

/// The reconciler's end of a [`Nudge`].
#[derive(Debug)]
pub struct Nudged {
    count: Arc<AtomicU64>,
    wake: Arc<Notify>,
    status: watch::Sender<Arc<Status>>,
}

impl Nudge {
    /// Both ends.
    pub fn pair() -> (Self, Nudged) {
        let count = Arc::new(AtomicU64::new(0));
        let wake = Arc::new(Notify::new());
        let (sender, status) = watch::channel(Arc::new(Status::default()));
        let nudged = Nudged { count: Arc::clone(&count), wake: Arc::clone(&wake), status: sender };
        (Self { count, wake, status }, nudged)
    }

    /// The outcome of the last pass.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status.borrow())
    }

    /// The outcome of each pass from now on, for who follows them.
    pub fn changes(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }

    /// Has a pass made, without waiting for it.
    pub fn wake(&self) -> u64 {
        let mine = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        self.wake.notify_one();
        mine
    }

    /// Waits until it is known what a grant that was revoked left behind, or until `limit` has passed.
    pub async fn leftover(&self, grant: &GrantId, limit: Duration) -> Option<Leftover> {
        let mut status = self.status.clone();
        let known = status.wait_for(|status| status.leftovers.contains_key(grant));
        let _ = tokio::time::timeout(limit, known).await;
        self.status().leftovers.get(grant).cloned()
    }

    /// Has a pass made and waits until one that began from now on has brought a firewall to its rules or failed to, or
    /// until `limit` has passed; without a firewall, until it has begun. Whether it has, and the last outcome.
    pub async fn settled(&self, firewall: Option<&FirewallName>, limit: Duration) -> (bool, Arc<Status>) {
        let mine = self.wake();
        let mut status = self.status.clone();
        let covered = status.wait_for(|status| status.covers(firewall, mine));
        let waited = matches!(tokio::time::timeout(limit, covered).await, Ok(Ok(_)));
        (waited, self.status())
    }
}

impl Nudged {
    /// The nudges so far; a pass that begins now covers them all.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits for a nudge, or until `limit` has passed.
    pub async fn wait(&self, limit: Duration) {
        // Elapsed or nudged: either way there is a pass to make.
        let _ = tokio::time::timeout(limit, self.wake.notified()).await;
    }

    /// Changes what is told.
    pub fn change(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(|status| change(Arc::make_mut(status)));
    }

    /// The outcome of the last pass.
    pub fn last(&self) -> Arc<Status> {
        Arc::clone(&self.status.borrow())
    }
}
