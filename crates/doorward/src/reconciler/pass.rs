//! One pass: observe, decide, perform.

use std::collections::BTreeMap;
use std::sync::Arc;

use doorward_core::audit::{Event, What, Who};
use doorward_core::firewall::{Ruleset, rulesets};
use doorward_core::grant::{Grant, GrantId};
use doorward_core::inventory::{Place, SecurityGroupId};
use doorward_core::policy::{Enforcement, Firewall, FirewallName, Policy};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::groups::{self, Door, Outcome};
use super::{Reconciler, Standing, Status};
use crate::policy_file::Loaded;

/// A place of enforcement as the store remembers it once the policy does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Remembered {
    SecurityGroup { group: SecurityGroupId, at: Place },
}

impl Remembered {
    fn of(firewall: &Firewall) -> Option<Self> {
        match &firewall.kind {
            Enforcement::SecurityGroup { group, at, .. } => {
                Some(Self::SecurityGroup { group: group.clone(), at: at.clone() })
            }
            // A table ends its elements by itself and guards on until an operator deletes it; a relay listens in
            // this process and is gone with it.
            Enforcement::Nftables { .. } | Enforcement::Relay { .. } => None,
        }
    }
}

impl Reconciler {
    /// Observes, decides, performs, once.
    pub async fn pass(&mut self) -> Arc<Status> {
        let covers = self.nudged.count();
        let clock = self.requests.clock().clone();
        let (now, uptime) = (clock.now(), clock.uptime());
        let mut events = Vec::new();
        let loaded = self.refresh(now, &mut events);

        let deadlines = &self.memory.deadlines;
        let ended =
            self.requests.end_what_is_over(&loaded, now, |grant| deadlines.passed(grant, uptime)).await;
        match ended {
            Ok(grants) => self.memory.grants = grants,
            // Without the store, what was last known still ends when its time is up.
            Err(error) => {
                tracing::error!(%error, "the grants could not be read; those known are kept to their ends")
            }
        }
        let grants = std::mem::take(&mut self.memory.grants);
        self.memory.deadlines.note(&grants, now, uptime);
        let deadlines = &self.memory.deadlines;
        let live = || {
            grants.iter().filter(|grant| !deadlines.passed(grant, uptime)).filter_map(|grant| grant.live(now))
        };
        let wanted = rulesets(&loaded.policy, live());

        let remembered = self.remembered(&loaded.policy).await;
        let mut outcomes: BTreeMap<FirewallName, Outcome> = BTreeMap::new();
        let (doors, places) = doors(&loaded.policy, &wanted, &remembered);
        let pass = groups::Pass {
            cloud: &self.cloud,
            policy: &loaded.policy,
            by: self.requests.store().installation(),
            ended: grants.iter().filter(|grant| grant.ended()).collect(),
            known: &self.memory.inventory,
        };
        // This machine's own doors do not wait for a cloud that answers slowly.
        let by = self.requests.store().installation();
        let local = self.local.bring(&loaded.policy, &wanted, by, now);
        let left = &mut self.memory.left;
        let (local, (inventory, cloud)) = tokio::join!(local, groups::bring(pass, &doors, left));
        for (place, outcome) in
            places.iter().zip(&cloud).filter_map(|(place, outcome)| Some((place.as_ref()?, outcome)))
        {
            if outcome.failed.is_none() {
                self.forget(place).await;
            }
        }
        let named = doors.iter().zip(cloud).filter(|(door, _)| !door.forgotten);
        outcomes.extend(named.map(|(door, outcome)| (door.firewall.clone(), outcome)));
        outcomes.extend(local);

        let settled = settled(&loaded.policy, &grants, &outcomes);
        if let Err(error) = self.requests.store().settle(&settled).await {
            tracing::error!(%error, "it could not be noted which rules are gone; the next pass notes it");
        }
        self.memory.grants = grants.into_iter().filter(|grant| !settled.contains(grant.id())).collect();
        self.memory.inventory = inventory;
        self.tell(&outcomes, now, &mut events);
        if let Err(error) = self.requests.record(events).await {
            tracing::error!(%error, "changes of firewalls could not be recorded");
        }
        self.memory.head = self.requests.store().head().await.map_or(self.memory.head, |head| head.seq);

        let firewalls = outcomes.into_iter().map(|(name, outcome)| {
            (name, outcome.failed.map_or(Standing::AsWanted, |why| Standing::Failing { why }))
        });
        self.nudged.tell(Status {
            covers,
            at: Some(now),
            firewalls: firewalls.collect(),
            cut: self.memory.cut,
            inventory: Arc::new(self.memory.inventory.clone()),
            mistakes: self.memory.mistakes.clone(),
        });
        self.nudged.last()
    }

    /// The policy in force: the newest that could be read.
    fn refresh(&mut self, now: Timestamp, events: &mut Vec<Event>) -> Arc<Loaded> {
        let mut note = |what| events.push(Event::new(now, Who::Doorward, what));
        let file = self.requests.policy_file();
        // What it found is asked below: somebody else may have been told first.
        file.refresh();
        let mistakes: Vec<String> = file.mistakes().iter().map(ToString::to_string).collect();
        if mistakes != self.memory.mistakes && !mistakes.is_empty() {
            note(What::PolicyUnreadable { mistakes: mistakes.len() });
            for mistake in &mistakes {
                tracing::error!("{mistake}");
            }
            tracing::error!("the policy has mistakes; the last good one stays in force");
        }
        self.memory.mistakes = mistakes;
        let loaded = self.requests.loaded();
        if self.memory.digest.as_ref() != Some(&loaded.digest) {
            note(What::PolicyRead { digest: loaded.digest.clone() });
            self.memory.digest = Some(loaded.digest.clone());
        }
        loaded
    }

    /// Places that had rules of ours and that the policy no longer names; those that it names are remembered.
    async fn remembered(&self, policy: &Policy) -> Vec<Remembered> {
        let store = self.requests.store();
        let known = match store.doors().await {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(%error, "places that the policy no longer names could not be read");
                return Vec::new();
            }
        };
        let current: Vec<Remembered> = policy.firewalls.values().filter_map(Remembered::of).collect();
        let known: Vec<Remembered> =
            known.iter().filter_map(|(place, _)| serde_json::from_str(place).ok()).collect();
        for firewall in policy.firewalls.values() {
            let Some(place) = Remembered::of(firewall).filter(|place| !known.contains(place)) else {
                continue;
            };
            let text = serde_json::to_string(&place).unwrap_or_default();
            if let Err(error) = store.keep_door(&text, firewall.name.as_str()).await {
                tracing::error!(%error, firewall = %firewall.name, "a firewall could not be remembered");
            }
        }
        known.into_iter().filter(|place| !current.contains(place)).collect()
    }

    async fn forget(&self, place: &Remembered) {
        let text = serde_json::to_string(place).unwrap_or_default();
        if let Err(error) = self.requests.store().forget_door(&text).await {
            tracing::error!(%error, "a firewall that is empty could not be forgotten");
        }
    }

    /// Turns what was done into events: a failure when it begins and when it ends, not at each pass.
    fn tell(&mut self, outcomes: &BTreeMap<FirewallName, Outcome>, now: Timestamp, events: &mut Vec<Event>) {
        let mut note = |what| events.push(Event::new(now, Who::Doorward, what));
        for (firewall, outcome) in outcomes {
            self.memory.cut += outcome.cut;
            let (firewall, outcome) = (firewall.clone(), outcome.clone());
            if !outcome.drift.is_empty() {
                note(What::DriftRighted { firewall: firewall.clone(), found: outcome.drift });
            }
            if !outcome.added.is_empty() {
                note(What::RulesAdded { firewall: firewall.clone(), rules: outcome.added });
            }
            if !outcome.removed.is_empty() || outcome.cut > 0 {
                note(What::RulesRemoved {
                    firewall: firewall.clone(),
                    rules: outcome.removed,
                    cut: outcome.cut,
                });
            }
            match (outcome.failed, self.memory.failing.get(&firewall)) {
                (Some(why), before) => {
                    if before != Some(&why) {
                        tracing::warn!(%firewall, %why, "a firewall is not as wanted");
                        note(What::FirewallFailed { firewall: firewall.clone(), why: why.clone() });
                    }
                    self.memory.failing.insert(firewall, why);
                }
                (None, Some(_)) => {
                    self.memory.failing.remove(&firewall);
                    note(What::FirewallRecovered { firewall });
                }
                (None, None) => {}
            }
        }
        self.memory.failing.retain(|firewall, _| outcomes.contains_key(firewall));
        self.memory.tries =
            if self.memory.failing.is_empty() { 0 } else { self.memory.tries.saturating_add(1) };
    }
}

/// The security groups of the policy, and those that it no longer names, which are emptied.
fn doors(
    policy: &Policy,
    wanted: &BTreeMap<FirewallName, Ruleset>,
    remembered: &[Remembered],
) -> (Vec<Door>, Vec<Option<Remembered>>) {
    let mut doors = Vec::new();
    let mut places = Vec::new();
    for (name, firewall) in &policy.firewalls {
        let Enforcement::SecurityGroup { group, at, vpc } = &firewall.kind else { continue };
        doors.push(Door {
            firewall: name.clone(),
            group: group.clone(),
            place: at.clone(),
            vpc: vpc.clone(),
            ruleset: wanted.get(name).cloned().unwrap_or_default(),
            forgotten: false,
        });
        places.push(None);
    }
    for place in remembered {
        let Remembered::SecurityGroup { group, at } = place;
        // A group that the policy names through another profile is not emptied behind its back.
        let Ok(firewall) = group.as_str().parse::<FirewallName>() else { continue };
        if doors.iter().any(|door: &Door| door.group == *group) {
            continue;
        }
        let (group, at) = (group.clone(), at.clone());
        doors.push(Door {
            firewall,
            group,
            place: at,
            vpc: None,
            ruleset: Ruleset::default(),
            forgotten: true,
        });
        places.push(Some(place.clone()));
    }
    (doors, places)
}

/// Ended grants whose rules are gone: their firewall was brought to what is wanted without them.
fn settled(policy: &Policy, grants: &[Grant], outcomes: &BTreeMap<FirewallName, Outcome>) -> Vec<GrantId> {
    let done = |name: &FirewallName| outcomes.get(name).is_some_and(|outcome| outcome.failed.is_none());
    let gone = |grant: &&Grant| {
        let target = policy.targets.get(grant.target());
        match target.and_then(|target| target.firewall.as_ref()) {
            Some(firewall) => done(firewall),
            // Its firewall is no longer known by name: all of them have to be well.
            None => outcomes.values().all(|outcome| outcome.failed.is_none()),
        }
    };
    grants.iter().filter(|grant| grant.ended()).filter(gone).map(|grant| grant.id().clone()).collect()
}
