//! What every part of a running Doorward uses: the store, the policy, the clock, and the way to wake the reconciler.

use std::sync::Arc;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::policy_file::{Loaded, PolicyFile};
use crate::status::{IntentReport, Nudge};
use crate::store::Store;

/// The store, the policy, the clock and the reconciler's nudge; a copy is the same ones.
#[derive(Debug, Clone)]
pub struct App {
    store: Store,
    reserved: Store,
    policy: Arc<PolicyFile>,
    clock: Clock,
    nudge: Nudge,
    intents: watch::Sender<Arc<IntentReport>>,
}

impl App {
    /// Over a store and a policy; `nudge` wakes the reconciler.
    pub fn new(store: Store, policy: Arc<PolicyFile>, clock: Clock, nudge: Nudge) -> Self {
        Self { reserved: store.reserved(), store, policy, clock, nudge, intents: watch::Sender::default() }
    }

    /// The policy in force.
    pub fn loaded(&self) -> Arc<Loaded> {
        self.policy.current()
    }

    /// The policy file.
    pub fn policy_file(&self) -> &PolicyFile {
        &self.policy
    }

    /// The policy file, to be read by a thread of its own.
    pub fn policy_shared(&self) -> Arc<PolicyFile> {
        Arc::clone(&self.policy)
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The store for what ends grants: it waits for no request.
    pub fn reserved(&self) -> &Store {
        &self.reserved
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether the account keeps the intents of the policy, as a server read it last.
    pub fn intents(&self) -> &watch::Sender<Arc<IntentReport>> {
        &self.intents
    }

    /// Wakes the reconciler.
    pub fn nudge(&self) -> &Nudge {
        &self.nudge
    }
}
