//! Records, shows and logs what a pass did and found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use doorward_core::audit::{Event, What, Who};
use doorward_core::inventory::Inventory;
use doorward_core::policy::FirewallName;
use jiff::Timestamp;

use super::overdue::Looking;
use super::{REPORTS_OVERDUE_EVERY, Reconciler};
use crate::firewall::Outcome;
use crate::overdue::Overdue;
use crate::status::SyncState;
use crate::store::in_time;

/// How many events are kept until they can be recorded.
const UNRECORDED: usize = 2000;

impl Reconciler {
    /// Records what was done, and shows it: a failure when it begins and when it ends, not at each pass.
    pub(super) async fn report(
        &mut self,
        outcomes: BTreeMap<FirewallName, Outcome>,
        covers: u64,
        now: Timestamp,
        mut events: Vec<Event>,
    ) {
        let mut note = |what| events.push(Event::new(now, Who::Doorward, what));
        let mut sync_states = Vec::new();
        let mut cut = 0;
        for (firewall, outcome) in outcomes {
            cut += outcome.cut;
            if !outcome.drift.is_empty() {
                note(What::DriftRighted { firewall: firewall.clone(), found: outcome.drift });
            }
            if !outcome.added.is_empty() {
                note(What::RulesAdded { firewall: firewall.clone(), rules: outcome.added });
            }
            if !outcome.removed.is_empty() || outcome.cut > 0 {
                let (rules, cut) = (outcome.removed, outcome.cut);
                note(What::RulesRemoved { firewall: firewall.clone(), rules, cut });
            }
            let sync_state = match outcome.failed {
                Some(why) => {
                    if self.memory.failing.insert(firewall.clone(), why.clone()).as_ref() != Some(&why) {
                        tracing::warn!(%firewall, %why, "firewall out of sync");
                        note(What::FirewallFailed { firewall: firewall.clone(), why: why.clone() });
                    }
                    SyncState::Failing { why }
                }
                None => {
                    if self.memory.failing.remove(&firewall).is_some() {
                        note(What::FirewallRecovered { firewall: firewall.clone() });
                    }
                    SyncState::InSync
                }
            };
            sync_states.push((firewall, sync_state));
        }
        self.memory.tries =
            if self.memory.failing.is_empty() { 0 } else { self.memory.tries.saturating_add(1) };
        // Recorded before it is shown: once a rule is reported, the audit log has it.
        self.record(events).await;
        self.nudged.change(|status| {
            status.cut += cut;
            for (firewall, sync_state) in sync_states {
                status.firewalls.insert(firewall, (covers, sync_state));
            }
        });
    }

    /// Records events, after those that could not be recorded before. What cannot be now is tried again with the next pass.
    pub(super) async fn record(&mut self, events: Vec<Event>) {
        self.memory.unrecorded.extend(events);
        if self.memory.unrecorded.is_empty() {
            return;
        }
        let Err(error) = in_time(self.requests.record_first(self.memory.unrecorded.clone())).await else {
            self.memory.unrecorded.clear();
            return;
        };
        let excess = self.memory.unrecorded.len().saturating_sub(UNRECORDED);
        self.memory.unrecorded.drain(..excess);
        tracing::error!(%error, lost = excess, "could not record firewall changes, will retry");
    }

    /// Reports expired grants that are not revoked, also in the log: at once, then every minute.
    pub(super) fn report_overdue(&mut self) {
        let (clock, loaded) = (self.requests.app().clock(), self.requests.app().loaded());
        let (now, uptime) = (clock.now(), clock.uptime());
        let memory = &self.memory;
        let looking = Looking {
            policy: &loaded.policy,
            grants: &memory.grants,
            known: &memory.known,
            failing: &memory.failing,
            sessions: &memory.sessions,
            by: self.requests.app().reserved().installation(),
            now,
        };
        let overdue = looking.overdue();
        let is_new = overdue.iter().any(|one| !memory.overdue_reported.1.contains(&one.key()));
        if overdue.is_empty() {
            if !memory.overdue_reported.1.is_empty() {
                tracing::info!("no grant is overdue any more");
            }
            self.memory.overdue_reported = (uptime, BTreeSet::new());
        } else if is_new || uptime.saturating_sub(memory.overdue_reported.0) >= REPORTS_OVERDUE_EVERY {
            for one in &overdue {
                log_overdue(one);
            }
            self.memory.overdue_reported = (uptime, overdue.iter().map(Overdue::key).collect());
        }
        if self.nudged.last().overdue != overdue {
            self.nudged.change(|status| status.overdue = overdue);
        }
    }

    pub(super) fn show_inventory(&self) {
        let mut known = self.memory.known.values();
        let whole = match (known.next(), known.next()) {
            (Some(one), None) => Arc::clone(&one.inventory),
            _ => {
                let mut whole = Inventory::default();
                for known in self.memory.known.values() {
                    whole.merge((*known.inventory).clone());
                }
                Arc::new(whole)
            }
        };
        self.nudged.change(|status| status.inventory = whole);
    }
}

fn log_overdue(one: &Overdue) {
    let grant = one.grant.as_ref().map(tracing::field::display);
    let person = one.person.as_ref().map(tracing::field::display);
    let target = one.target.as_ref().map(tracing::field::display);
    let source = one.source.as_ref().map(tracing::field::display);
    tracing::error!(
        grant, person, target, source, at = one.at, since = %one.since, seen = one.seen, why = one.why, fix = one.fix,
        "grant expired but not revoked"
    );
}
