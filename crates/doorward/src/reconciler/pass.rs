//! One pass: ends expired grants, decides the desired state, and starts the tasks that reconcile it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use doorward_core::audit::{Event, What, Who};
use doorward_core::firewall::rulesets;
use doorward_core::grant::{Grant, GrantId};
use doorward_core::inventory::AccountRegion;
use doorward_core::policy::{Enforcement, FirewallName, Policy};
use jiff::Timestamp;

use super::Reconciler;
use super::desired::{DesiredGroup, desired_groups};
use super::groups::{self, Done, Known, Newest, Work};
use super::since::Read;
use crate::cloud;
use crate::firewall::Tables;
use crate::overdue::may_have_sessions;
use crate::policy_file::Loaded;
use crate::store::in_time;

impl Reconciler {
    /// Ends what is over, brings this machine's own firewalls to what is wanted, and sends out a task for each
    /// place in AWS.
    pub(super) async fn begin(&mut self) {
        let covers = self.nudged.count();
        let clock = self.requests.app().clock().clone();
        let (now, uptime) = (clock.now(), clock.uptime());
        let mut events = Vec::new();
        let loaded = self.refresh(now, &mut events).await;
        self.record(Vec::new()).await;

        // Before the grants are read: what is written after that is a change to be looked at.
        let is_behind = self.is_clock_behind(now);
        let (deadlines, over) = (&self.memory.deadlines, &self.memory.over_at_start);
        let outlived = |grant: &Grant| {
            let is_over = over.as_ref().map_or(is_behind, |over| over.contains(grant.id()));
            is_over || deadlines.passed(grant, uptime)
        };
        let asked = match in_time(self.requests.app().reserved().last_change()).await {
            Ok(head) => {
                self.memory.head = head;
                in_time(self.requests.end_expired(&loaded, now, outlived)).await
            }
            Err(error) => Err(error.into()),
        };
        let answered = asked.is_ok();
        match asked {
            Ok(grants) => {
                let over = grants.iter().filter(|_| is_behind).map(|grant| grant.id().clone());
                self.memory.over_at_start.get_or_insert_with(|| over.collect());
                self.memory.grants = grants;
            }
            // Without the store, what was last known still ends when its time is up.
            Err(error) => {
                tracing::error!(%error, "could not read the grants, keeping the known ones until they expire");
                self.memory.grants = self.requests.end_in_memory(&self.memory.grants, &loaded, now);
            }
        }
        let targets = &loaded.policy.targets;
        let most = |grant: &Grant| Some(targets.get(grant.target())?.lasts.at_most);
        self.memory.deadlines.note(&self.memory.grants, most, now, uptime);
        // A store that has just not answered is not waited for twice.
        let remembered = if answered { self.remembered(&loaded.policy).await } else { Vec::new() };
        let (grants, deadlines) = (&self.memory.grants, &self.memory.deadlines);
        let live = grants.iter().filter(|grant| !deadlines.passed(grant, uptime));
        let wanted = rulesets(&loaded.policy, live.filter_map(|grant| grant.live(now)));
        let ended: Vec<&Grant> = grants
            .iter()
            .filter(|grant| grant.live(now).is_none() && grant.since().is_some() && !may_have_sessions(grant))
            .collect();

        let desired_groups = desired_groups(&loaded.policy, &wanted, &ended, &remembered);
        let local_settles = of_no_group(&loaded.policy, &ended);
        if answered && !desired_groups.is_empty() {
            self.noted.read(now).await;
        }
        self.send_out(desired_groups, covers);
        self.deny_credentials(&loaded.policy, answered, now, uptime).await;
        self.try_permissions(&loaded.policy, uptime);
        let carried_settles = self.look_for_sessions(&loaded.policy, now, uptime);

        // This machine's own firewalls do not wait for a cloud that answers slowly, nor does anything for its `nft`.
        let by = self.requests.app().reserved().installation().clone();
        let tables = self.local.tables(&loaded.policy, &wanted, &by);
        let (of_tables, local_settles): (Vec<_>, Vec<_>) = local_settles
            .into_iter()
            .partition(|(firewall, _)| firewall.as_ref().is_some_and(|name| tables.has(name)));
        let of_tables = of_tables.into_iter().filter_map(|(firewall, grant)| Some((firewall?, grant)));
        self.bring_tables(tables, of_tables.collect(), covers);
        let mut outcomes = self.local.relays(&loaded.policy, &wanted, self.memory.head);
        let well = |(firewall, _): &&(Option<FirewallName>, GrantId)| {
            firewall.as_ref().is_none_or(|name| {
                outcomes.get(name).is_none_or(|outcome| outcome.failed.is_none() && !outcome.awaited)
            })
        };
        let local_settles = local_settles.iter().filter(well).map(|(_, grant)| grant.clone());
        // A store that has just not answered is not waited for again: the next pass finds the same.
        let settles: BTreeSet<_> = local_settles.chain(carried_settles).filter(|_| answered).collect();
        self.settle(settles).await;
        outcomes.retain(|_, outcome| !outcome.awaited);
        self.memory.failing.retain(|firewall, _| loaded.policy.firewalls.contains_key(firewall));
        self.report(outcomes, covers, now, events).await;

        let mistakes = self.memory.mistakes.clone();
        let alarms = self.requests.alarms();
        self.nudged.change(|status| {
            status.alarms = alarms;
            status.covers = covers;
            status.at = Some(now);
            status.mistakes = mistakes;
            status.firewalls.retain(|name, _| loaded.policy.firewalls.contains_key(name));
        });
        self.report_overdue();
    }

    /// Whether the clock was behind the audit log at the start, so that nothing tells what has expired since: in the first pass
    /// all that was open ends then.
    fn is_clock_behind(&self, now: Timestamp) -> bool {
        let store = self.requests.app().reserved();
        let behind = store.clock_is_behind(now).filter(|_| self.memory.over_at_start.is_none());
        if let Some(behind) = behind {
            tracing::error!(
                "the clock of this machine is {behind:#} behind the last entry of the audit log, ending every grant that was open"
            );
        }
        behind.is_some()
    }

    /// A task for this machine's tables; while one is at work, another is sent out after it.
    fn bring_tables(&mut self, tables: Tables, settles: Vec<(FirewallName, GrantId)>, covers: u64) {
        self.memory.tables_again = self.memory.tables_busy && !tables.is_empty();
        if self.memory.tables_busy || tables.is_empty() {
            return;
        }
        self.memory.tables_busy = true;
        let clock = self.requests.app().clock().clone();
        self.work.spawn(async move {
            let outcomes = tables.bring(clock.now()).await;
            Done::Tables { covers, outcomes, settles }
        });
    }

    /// A task for each account and Region. One that is busy is brought again when its task has ended; only what is over
    /// is closed meanwhile.
    fn send_out(&mut self, desired_groups: Vec<DesiredGroup>, covers: u64) {
        let mut account_regions: BTreeMap<AccountRegion, Vec<DesiredGroup>> = BTreeMap::new();
        for desired in desired_groups {
            account_regions.entry(desired.account_region.clone()).or_default().push(desired);
        }
        self.memory.known.retain(|account_region, _| account_regions.contains_key(account_region));
        self.memory.again.clear();
        let by = self.requests.app().reserved().installation().clone();
        let grants = self.memory.grants.iter().map(|grant| grant.id().clone()).collect();
        let read = Read { store: self.requests.app().reserved().clone(), grants: Arc::new(grants) };
        let before = self.memory.known.len();
        for (account_region, desired_groups) in account_regions {
            let cloud = self.cloud.clone();
            let known = self.memory.known.entry(account_region.clone()).or_insert_with(|| Known {
                inventory: Arc::new(Known::unasked(
                    &account_region,
                    desired_groups.iter().map(|desired| desired.group.clone()).collect(),
                )),
                clean: BTreeSet::new(),
                newest: Newest::default(),
                closed: BTreeMap::new(),
            });
            known.newest.set(&desired_groups);
            if self.memory.busy.contains(&account_region) {
                for desired in desired_groups {
                    let mut rules = groups::expired_rules(&known.inventory, &desired, &by);
                    // Another pass need not send the same once more. The rules count as existing until AWS confirms.
                    let at = (account_region.clone(), desired.group.clone());
                    let revoking = self.memory.revoking.entry(at).or_default();
                    rules.retain(|(rule, _)| revoking.insert(rule.clone()));
                    if !rules.is_empty() {
                        self.work.spawn(groups::close(cloud.clone(), account_region.clone(), desired, rules));
                    }
                }
                self.memory.again.insert(account_region);
                continue;
            }
            self.memory.busy.insert(account_region.clone());
            let work = Work {
                cloud,
                clock: self.requests.app().clock().clone(),
                account_region,
                covers,
                by: by.clone(),
                desired_groups,
                known: known.clone(),
                read: read.clone(),
                noted: self.noted.clone(),
            };
            self.work.spawn(work.bring());
        }
        if self.memory.known.len() != before {
            self.show_inventory();
        }
    }

    /// The policy in force: the newest that could be read.
    async fn refresh(&mut self, now: Timestamp, events: &mut Vec<Event>) -> Arc<Loaded> {
        // Its result is read below: another process may have received it first.
        self.read_policy().await;
        let mut note = |what| events.push(Event::new(now, Who::Doorward, what));
        let file = self.requests.app().policy_file();
        let mistakes: Vec<String> = file.mistakes().iter().map(ToString::to_string).collect();
        if mistakes != self.memory.mistakes && !mistakes.is_empty() {
            note(What::PolicyUnreadable { mistakes: mistakes.len() });
            for mistake in &mistakes {
                tracing::error!("{mistake}");
            }
            tracing::error!(
                "the policy has errors; the last valid policy stays in effect, without the entries that were removed"
            );
        }
        let mended = mistakes.is_empty() && !self.memory.mistakes.is_empty();
        self.memory.mistakes = mistakes;
        let loaded = self.requests.app().loaded();
        if mended && self.memory.digest.as_ref() == Some(&loaded.digest) {
            // The files are again what was in force all the time, so the audit log has nothing to tell; the last word
            // of the log is not the mistake.
            let digest = loaded.digest.as_str();
            tracing::info!(digest, "policy read");
        }
        if self.memory.digest.as_ref() != Some(&loaded.digest) {
            note(What::PolicyRead { digest: loaded.digest.clone() });
            // Those of the first are the server's to log: a command of one moment is not asked about the policy.
            for mistake in loaded.warnings.iter().filter(|_| self.memory.digest.is_some()) {
                tracing::warn!("{mistake}");
            }
            self.memory.digest = Some(loaded.digest.clone());
            let places = cloud::groups(loaded.policy.firewalls.values()).len();
            let reserved_for = self.reserved_for;
            if places > reserved_for {
                tracing::error!(
                    "the policy has {places} accounts and Regions, and file descriptors are reserved for {reserved_for} since the start: restart the server"
                );
            }
        }
        loaded
    }
}

/// Ended grants that no security group of the policy has to let go of, with the firewall that has to, if any.
fn of_no_group(policy: &Policy, ended: &[&Grant]) -> Vec<(Option<FirewallName>, GrantId)> {
    let firewall = |grant: &Grant| {
        let name = policy.targets.get(grant.target())?.firewall.as_ref()?;
        policy.firewalls.get(name)
    };
    ended
        .iter()
        .filter_map(|grant| match firewall(grant) {
            Some(firewall) if matches!(firewall.kind, Enforcement::SecurityGroup { .. }) => None,
            Some(firewall) => Some((Some(firewall.name.clone()), grant.id().clone())),
            // Its target or firewall is no longer known; a group that was left behind is emptied as a whole.
            None => Some((None, grant.id().clone())),
        })
        .collect()
}
