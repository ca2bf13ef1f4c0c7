//! The ids of our rules, in memory and in the store.
//!
//! A rule's id is stored when AWS returns it for a new rule, and when a rule is seen with our tag and our mark. From
//! then on nobody can hide it from us by editing its description or its tag.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use doorward_core::firewall::InstallationId;
use doorward_core::inventory::{Direction, Inventory, SecurityGroup, SecurityGroupId, SecurityGroupRuleId};
use jiff::{SignedDuration, Timestamp};

use crate::store::{NotedRule, Store, in_time};

/// An id that is not seen is forgotten after this: a description of a group may lag behind what was made in it.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What is noted. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Noted {
    store: Store,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    rules: BTreeMap<SecurityGroupRuleId, NotedRule>,
    /// What the store has not taken yet.
    unwritten: BTreeSet<SecurityGroupRuleId>,
}

impl Noted {
    pub fn new(store: Store) -> Self {
        Self { store, state: Arc::default() }
    }

    /// Reads what the store has: another Doorward of the same store may have made rules. What is known stays known
    /// where the store does not answer.
    pub async fn read(&self, now: Timestamp) {
        match in_time(self.store.rules(now)).await {
            Ok(rules) => {
                let mut state = self.state();
                let unwritten: Vec<NotedRule> =
                    state.unwritten.iter().filter_map(|id| state.rules.get(id).cloned()).collect();
                state.rules =
                    rules.into_iter().chain(unwritten).map(|rule| (rule.id.clone(), rule)).collect();
            }
            Err(error) => {
                tracing::error!(%error, "could not read the ids of our rules, keeping the known ones")
            }
        }
    }

    /// All ids.
    pub fn ids(&self) -> BTreeSet<SecurityGroupRuleId> {
        self.state().rules.keys().cloned().collect()
    }

    /// Notes rules of a group, in memory; [`Self::write`] puts them into the store.
    pub fn note(
        &self,
        group: &SecurityGroupId,
        ids: impl IntoIterator<Item = SecurityGroupRuleId>,
        noted: Timestamp,
    ) {
        let mut state = self.state();
        for id in ids {
            if !state.rules.contains_key(&id) {
                state.unwritten.insert(id.clone());
                state.rules.insert(id.clone(), NotedRule { id, group: group.clone(), noted });
            }
        }
    }

    /// Notes what is seen with our tag and our mark, and puts all ids into what was seen.
    pub fn take_in(&self, seen: &mut Inventory, by: &InstallationId, now: Timestamp) {
        for group in seen.groups.values() {
            let inward = group.rules.iter().filter(|(rule, _)| rule.direction == Direction::In);
            let ours = inward.filter(|(_, existing)| existing.made_by(by));
            self.note(&group.id, ours.filter_map(|(_, existing)| existing.id.clone()), now);
        }
        seen.noted = self.ids();
    }

    /// Brings the store up to date: what is new, and what is gone from groups that were seen whole.
    pub async fn write(&self, seen: &Inventory, now: Timestamp) {
        let (new, gone) = {
            let state = self.state();
            let new: Vec<NotedRule> =
                state.unwritten.iter().filter_map(|id| state.rules.get(id).cloned()).collect();
            let old = |rule: &&NotedRule| now.duration_since(rule.noted) > FORGOTTEN_AFTER;
            let whole = |rule: &&NotedRule| {
                !seen.incomplete_groups.contains(&rule.group)
                    && seen.groups.get(&rule.group).is_some_and(|group| !stands(group, &rule.id))
            };
            let gone: Vec<NotedRule> = state.rules.values().filter(old).filter(whole).cloned().collect();
            (new, gone)
        };
        if !new.is_empty() {
            match in_time(self.store.note_rules(&new, now)).await {
                Ok(()) => {
                    let mut state = self.state();
                    for rule in &new {
                        state.unwritten.remove(&rule.id);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "could not record the ids of new rules, will retry in the next pass")
                }
            }
        }
        if !gone.is_empty() && in_time(self.store.forget_rules(&gone, now)).await.is_ok() {
            let mut state = self.state();
            for rule in &gone {
                state.rules.remove(&rule.id);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stands(group: &SecurityGroup, id: &SecurityGroupRuleId) -> bool {
    group.rules.values().any(|rule| rule.id.as_ref() == Some(id))
}
