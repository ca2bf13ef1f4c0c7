//! One pass: ends expired grants, decides the desired state, and starts the tasks that reconcile it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use doorward_core::audit::{Event, Table, What, Who};
use doorward_core::export::iam::revoked_name;
use doorward_core::firewall::rulesets;
use doorward_core::grant::{Ending, Grant, GrantId};
use doorward_core::inventory::{Inventory, Place};
use doorward_core::policy::{Enforcement, FirewallName, Policy};
use jiff::Timestamp;
use tokio::task::JoinError;

use super::credentials::deny;
use super::doors::{Door, Remembered, doors};
use super::groups::{self, Done, Known, Newest, Work};
use super::overdue::Looking;
use super::permissions::{Permissions, try_all};
use super::sessions::look;
use super::since::Read;
use super::{Reconciler, TELLS_OVERDUE_EVERY};
use crate::firewall::{Outcome, Tables};
use crate::overdue::{Overdue, is_carried};
use crate::policy_file::Loaded;
use crate::status::{Irrevocable, Standing};
use crate::store::in_time;

impl Reconciler {
    /// Ends what is over, brings this machine's own firewalls to what is wanted, and sends out a task for each
    /// place in AWS.
    pub(super) async fn begin(&mut self) {
        let covers = self.nudged.count();
        let clock = self.requests.clock().clone();
        let (now, uptime) = (clock.now(), clock.uptime());
        let mut events = Vec::new();
        let loaded = self.refresh(now, &mut events).await;

        // Before the grants are read: what is written after that is a change to be looked at.
        let deadlines = &self.memory.deadlines;
        let outlived = |grant: &Grant| deadlines.passed(grant, uptime);
        let asked = match in_time(self.requests.reserved().last_change()).await {
            Ok(head) => {
                self.memory.head = head;
                in_time(self.requests.end_what_is_over(&loaded, now, outlived)).await
            }
            Err(error) => Err(error.into()),
        };
        let answered = asked.is_ok();
        match asked {
            Ok(grants) => self.memory.grants = grants,
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
            .filter(|grant| grant.live(now).is_none() && grant.since().is_some() && !is_carried(grant))
            .collect();

        let doors = doors(&loaded.policy, &wanted, &ended, &remembered);
        let local_settles = of_no_group(&loaded.policy, &ended);
        if answered && !doors.is_empty() {
            self.noted.read(now).await;
        }
        self.send_out(doors, covers);
        self.deny_credentials(&loaded.policy, answered, now, uptime).await;
        self.try_permissions(&loaded.policy, uptime);
        let carried_settles = self.look_for_sessions(&loaded.policy, now, uptime);

        // This machine's own doors do not wait for a cloud that answers slowly, nor does anything for its `nft`.
        let by = self.requests.reserved().installation().clone();
        let tables = self.local.tables(&loaded.policy, &wanted, &by);
        let (of_tables, local_settles): (Vec<_>, Vec<_>) = local_settles
            .into_iter()
            .partition(|(firewall, _)| firewall.as_ref().is_some_and(|name| tables.has(name)));
        let of_tables = of_tables.into_iter().filter_map(|(firewall, grant)| Some((firewall?, grant)));
        self.bring_tables(tables, of_tables.collect(), covers);
        let outcomes = self.local.relays(&loaded.policy, &wanted);
        let well = |(firewall, _): &&(Option<FirewallName>, GrantId)| {
            firewall
                .as_ref()
                .is_none_or(|name| outcomes.get(name).is_none_or(|outcome| outcome.failed.is_none()))
        };
        let local_settles = local_settles.iter().filter(well).map(|(_, grant)| grant.clone());
        // A store that has just not answered is not waited for again: the next pass finds the same.
        let settles: BTreeSet<_> = local_settles.chain(carried_settles).filter(|_| answered).collect();
        self.settle(settles).await;
        self.memory.failing.retain(|firewall, _| loaded.policy.firewalls.contains_key(firewall));
        self.tell(outcomes, covers, now, events).await;

        let mistakes = self.memory.mistakes.clone();
        let alarms = self.requests.reserved().alarms();
        self.nudged.change(|status| {
            status.alarms = alarms;
            status.covers = covers;
            status.at = Some(now);
            status.mistakes = mistakes;
            status.firewalls.retain(|name, _| loaded.policy.firewalls.contains_key(name));
        });
        self.tell_overdue();
    }

    /// Shows what stands past its end, and says it in the log: when it begins, then every minute.
    fn tell_overdue(&mut self) {
        let (clock, loaded) = (self.requests.clock(), self.requests.loaded());
        let (now, uptime) = (clock.now(), clock.uptime());
        let memory = &self.memory;
        let looking = Looking {
            policy: &loaded.policy,
            grants: &memory.grants,
            known: &memory.known,
            failing: &memory.failing,
            sessions: &memory.sessions,
            by: self.requests.reserved().installation(),
            now,
        };
        let overdue = looking.overdue();
        let is_new = overdue.iter().any(|one| !memory.overdue_told.1.contains(&one.key()));
        if overdue.is_empty() {
            if !memory.overdue_told.1.is_empty() {
                tracing::info!("no grant is overdue any more");
            }
            self.memory.overdue_told = (uptime, BTreeSet::new());
        } else if is_new || uptime.saturating_sub(memory.overdue_told.0) >= TELLS_OVERDUE_EVERY {
            for one in &overdue {
                log_overdue(one);
            }
            self.memory.overdue_told = (uptime, overdue.iter().map(Overdue::key).collect());
        }
        if self.nudged.last().overdue != overdue {
            self.nudged.change(|status| status.overdue = overdue);
        }
    }

    /// A task for this machine's tables; while one is at work, another is sent out after it.
    fn bring_tables(&mut self, tables: Tables, settles: Vec<(FirewallName, GrantId)>, covers: u64) {
        self.memory.tables_again = self.memory.tables_busy && !tables.is_empty();
        if self.memory.tables_busy || tables.is_empty() {
            return;
        }
        self.memory.tables_busy = true;
        let clock = self.requests.clock().clone();
        self.work.spawn(async move {
            let outcomes = tables.bring(clock.now()).await;
            Done::Tables { covers, outcomes, settles }
        });
    }

    /// A task for each place in which a grant that is over may have sessions; those that need none any more.
    fn look_for_sessions(&mut self, policy: &Policy, now: Timestamp, uptime: Duration) -> BTreeSet<GrantId> {
        let (live, over) = self.carried(now, uptime);
        for (place, grants) in self.memory.sessions.due(policy, &live, &over, now, uptime) {
            let can_start = |grant: &&Grant| self.memory.credentials.can_start(grant, now, uptime);
            let startable: BTreeSet<GrantId> =
                grants.iter().filter(can_start).map(|grant| grant.id().clone()).collect();
            let lingered = self.memory.sessions.lingered(&grants, now, uptime);
            let lingered = lingered.difference(&startable).cloned().collect();
            let looked = look(self.cloud.clone(), place, grants, lingered, now);
            self.work.spawn(async move { Done::Looked(Box::new(looked.await)) });
        }
        self.settled(&over, now, uptime)
    }

    /// Those that need nothing more: no session bears them, and their credentials are over.
    fn settled(&self, over: &[Grant], now: Timestamp, uptime: Duration) -> BTreeSet<GrantId> {
        let mut settled = self.memory.sessions.settled(over, now, uptime);
        let keeps = |grant: &&Grant| self.memory.credentials.keeps(grant, now, uptime);
        for grant in over.iter().filter(keeps) {
            settled.remove(grant.id());
        }
        settled
    }

    /// A task for each role that has to deny the credentials of a grant that was revoked. `answers` is a store that does.
    async fn deny_credentials(&mut self, policy: &Policy, answers: bool, now: Timestamp, uptime: Duration) {
        let (live, over) = self.carried(now, uptime);
        let unknown = self.memory.credentials.note(policy, &live, &over, now, uptime);
        for grant in unknown.into_iter().filter(|_| answers) {
            match in_time(self.requests.reserved().vended_until(&grant)).await {
                Ok(until) => self.memory.credentials.learn(grant, until),
                Err(error) => {
                    tracing::error!(%error, %grant, "could not read whether credentials were vended");
                    break;
                }
            }
        }
        let name = revoked_name(self.requests.reserved().installation());
        for denial in self.memory.credentials.due(policy, &over, now, uptime) {
            let denied = deny(self.cloud.clone(), name.clone(), denial, now);
            self.work.spawn(async move { Done::Denied(Box::new(denied.await)) });
        }
        self.show_leftovers(&over, now, uptime);
    }

    /// A task that tries what a revocation needs, where that is not known.
    fn try_permissions(&mut self, policy: &Policy, uptime: Duration) {
        let due = self.memory.permissions.as_mut().and_then(|permissions| permissions.due(policy, uptime));
        if let Some(wanted) = due {
            let cloud = self.cloud.clone();
            self.work.spawn(async move { Done::Tried(Box::new(try_all(cloud, wanted).await)) });
        }
    }

    /// Shows what could not be revoked if it had to be, and says in the log what is new of it.
    fn show_irrevocable(&self) {
        let lacking = self.memory.permissions.iter().flat_map(|permissions| permissions.lacking());
        let mut all: Vec<Irrevocable> = lacking.chain(self.memory.credentials.failing()).cloned().collect();
        all.sort();
        let before = &self.nudged.last().irrevocable;
        if *before == all {
            return;
        }
        for Irrevocable { what, why, fix } in all.iter().filter(|one| !before.contains(one)) {
            tracing::error!(what, why, fix, "permission missing: new grants could not be revoked");
        }
        if all.is_empty() {
            tracing::info!("permissions complete: grants can be revoked again");
        }
        self.nudged.change(|status| status.irrevocable = all);
    }

    fn show_leftovers(&self, over: &[Grant], now: Timestamp, uptime: Duration) {
        let leftovers = self.memory.credentials.leftovers(over, now, uptime);
        if self.nudged.last().leftovers != leftovers {
            self.nudged.change(|status| status.leftovers = leftovers);
        }
    }

    /// Carried grants that are live, and those that are over and not settled.
    fn carried(&self, now: Timestamp, uptime: Duration) -> (Vec<Grant>, Vec<Grant>) {
        let carried = |grant: &&Grant| is_carried(grant) && grant.since().is_some();
        let ended = |grant: &Grant| match self.memory.deadlines.passed(grant, uptime) {
            true => grant.end(Ending::TimeUp, now),
            false => grant.clone(),
        };
        let carried = self.memory.grants.iter().filter(carried).map(ended);
        carried.partition(|grant| grant.live(now).is_some())
    }

    /// A task for each place. One that is busy is brought again when its task has ended; only what is over is
    /// closed meanwhile.
    fn send_out(&mut self, doors: Vec<Door>, covers: u64) {
        let mut places: BTreeMap<Place, Vec<Door>> = BTreeMap::new();
        for door in doors {
            places.entry(door.place.clone()).or_default().push(door);
        }
        self.memory.known.retain(|place, _| places.contains_key(place));
        self.memory.again.clear();
        let by = self.requests.reserved().installation().clone();
        let grants = self.memory.grants.iter().map(|grant| grant.id().clone()).collect();
        let read = Read { store: self.requests.reserved().clone(), grants: Arc::new(grants) };
        let before = self.memory.known.len();
        for (place, doors) in places {
            let cloud = self.cloud.clone();
            let known = self.memory.known.entry(place.clone()).or_insert_with(|| Known {
                inventory: Arc::new(Known::unasked(
                    &place,
                    doors.iter().map(|door| door.group.clone()).collect(),
                )),
                clean: BTreeSet::new(),
                newest: Newest::default(),
                closed: BTreeMap::new(),
            });
            known.newest.set(&doors);
            if self.memory.busy.contains(&place) {
                for door in doors {
                    let rules = groups::over(&known.inventory, &door, &by);
                    if !rules.is_empty() {
                        // Until the task that has begun tells otherwise; another pass need not close it again.
                        let inventory = Arc::make_mut(&mut known.inventory);
                        if let Some(group) = inventory.groups.get_mut(&door.group) {
                            group.rules.retain(|rule, _| !rules.iter().any(|(over, _)| over == rule));
                        }
                        self.work.spawn(groups::close(cloud.clone(), place.clone(), door, rules));
                    }
                }
                self.memory.again.insert(place);
                continue;
            }
            self.memory.busy.insert(place.clone());
            let work = Work {
                cloud,
                clock: self.requests.clock().clone(),
                place,
                covers,
                by: by.clone(),
                doors,
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

    /// Takes in what a task did.
    pub(super) async fn finish(&mut self, done: Result<Done, JoinError>) {
        self.take_in(done).await;
        self.tell_overdue();
    }

    async fn take_in(&mut self, done: Result<Done, JoinError>) {
        let now = self.requests.clock().now();
        match done {
            Ok(Done::Brought { place, covers, known, doors }) => {
                self.memory.busy.remove(&place);
                if self.memory.known.contains_key(&place) {
                    self.memory.known.insert(place, known);
                }
                self.show_inventory();
                let mut outcomes = BTreeMap::new();
                let mut settled = BTreeSet::new();
                for (door, outcome) in doors {
                    if outcome.failed.is_none() {
                        settled.extend(door.settles);
                    }
                    match door.firewall {
                        Some(firewall) => {
                            outcomes.insert(firewall, outcome);
                        }
                        None if outcome.failed.is_none() => {
                            self.forget(&Remembered { group: door.group, at: door.place }).await;
                        }
                        None => {
                            tracing::warn!(group = %door.group, why = ?outcome.failed, "rules of ours remain in a security group that the policy no longer lists")
                        }
                    }
                }
                self.settle(settled).await;
                self.tell(outcomes, covers, now, Vec::new()).await;
            }
            Ok(Done::Closed { place, door, outcome, gone }) => {
                if gone.is_empty() {
                    tracing::warn!(group = %door.group, %place, why = ?outcome.failed, "could not remove expired rules, will retry");
                }
                if let Some(firewall) = door.firewall.filter(|_| !gone.is_empty()) {
                    let removed = What::RulesRemoved { firewall, rules: outcome.removed, cut: 0 };
                    self.record(vec![Event::new(now, Who::Doorward, removed)]).await;
                }
            }
            Ok(Done::Tables { covers, outcomes, settles }) => {
                self.memory.tables_busy = false;
                let well = |(firewall, _): &(FirewallName, GrantId)| {
                    outcomes.get(firewall).is_some_and(|outcome| outcome.failed.is_none())
                };
                let settled = settles.into_iter().filter(well).map(|(_, grant)| grant).collect();
                self.settle(settled).await;
                self.tell(outcomes, covers, now, Vec::new()).await;
            }
            Ok(Done::Looked(looked)) => {
                let uptime = self.requests.clock().uptime();
                let told = self.memory.sessions.take(*looked, uptime);
                self.record(told.into_iter().map(|what| Event::new(now, Who::Doorward, what)).collect())
                    .await;
                let (_, over) = self.carried(now, uptime);
                self.settle(self.settled(&over, now, uptime)).await;
            }
            Ok(Done::Tried(tried)) => {
                let uptime = self.requests.clock().uptime();
                if let Some(permissions) = &mut self.memory.permissions {
                    permissions.take(*tried, uptime);
                }
                self.show_irrevocable();
            }
            Ok(Done::Denied(denied)) => {
                let uptime = self.requests.clock().uptime();
                let told = self.memory.credentials.take(*denied, uptime);
                self.record(told.into_iter().map(|what| Event::new(now, Who::Doorward, what)).collect())
                    .await;
                let (_, over) = self.carried(now, uptime);
                self.show_leftovers(&over, now, uptime);
                self.show_irrevocable();
            }
            // A task that broke off leaves its place busy for ever, unless all are taken to be free.
            Err(error) => {
                tracing::error!(%error, "reconciling an account and Region failed, will retry");
                self.memory.again.append(&mut self.memory.busy);
                self.memory.tables_again |= std::mem::take(&mut self.memory.tables_busy);
                self.memory.sessions.free();
                self.memory.credentials.free();
                self.memory.permissions.iter_mut().for_each(Permissions::free);
            }
        }
    }

    /// The policy in force: the newest that could be read.
    async fn refresh(&mut self, now: Timestamp, events: &mut Vec<Event>) -> Arc<Loaded> {
        // What it found is asked below: somebody else may have been told first.
        self.read_policy().await;
        let mut note = |what| events.push(Event::new(now, Who::Doorward, what));
        let file = self.requests.policy_file();
        let mistakes: Vec<String> = file.mistakes().iter().map(ToString::to_string).collect();
        if mistakes != self.memory.mistakes && !mistakes.is_empty() {
            note(What::PolicyUnreadable { mistakes: mistakes.len() });
            for mistake in &mistakes {
                tracing::error!("{mistake}");
            }
            tracing::error!(
                "policy has errors, keeping the last valid one without the entries that were removed"
            );
        }
        let mended = mistakes.is_empty() && !self.memory.mistakes.is_empty();
        self.memory.mistakes = mistakes;
        let loaded = self.requests.loaded();
        if mended && self.memory.digest.as_ref() == Some(&loaded.digest) {
            // The files are again what was in force all the time, so the record has nothing to tell; the last word of
            // the log is not the mistake.
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
        }
        loaded
    }

    /// Groups that had rules of ours and that the policy no longer names; those that it names are remembered.
    ///
    /// They are remembered here, too: who deletes a row meanwhile has no group forgotten that was not seen empty.
    async fn remembered(&mut self, policy: &Policy) -> Vec<Remembered> {
        let store = self.requests.reserved().clone();
        let now = self.requests.clock().now();
        let known = match in_time(store.doors(now)).await {
            Ok(kept) => {
                let read = |places: &[String]| -> BTreeSet<Remembered> {
                    places.iter().filter_map(|place| serde_json::from_str(place).ok()).collect()
                };
                // Looking where somebody else says takes away nothing but our own rules.
                self.memory.doors.extend(read(&kept.forged).into_iter().chain(read(&kept.missing)));
                if !(kept.forged.is_empty() && kept.missing.is_empty())
                    && let Err(error) = in_time(store.mend(Table::Doors, now)).await
                {
                    tracing::error!(%error, "could not repair the list of firewalls in the store");
                }
                Some(read(&kept.places))
            }
            Err(error) => {
                tracing::error!(%error, "could not read the security groups that the policy no longer lists");
                None
            }
        };
        let mut current = BTreeSet::new();
        for (firewall, place) in Remembered::all(policy) {
            if known.as_ref().is_some_and(|known| !known.contains(&place)) {
                let text = serde_json::to_string(&place).unwrap_or_default();
                if let Err(error) = in_time(store.keep_door(&text, firewall.as_str(), now)).await {
                    tracing::error!(%error, %firewall, "could not store a firewall");
                }
            }
            current.insert(place);
        }
        self.memory.doors.extend(known.into_iter().flatten());
        self.memory.doors.extend(current.iter().cloned());
        self.memory.doors.difference(&current).cloned().collect()
    }

    async fn forget(&mut self, place: &Remembered) {
        self.memory.doors.remove(place);
        let (text, now) = (serde_json::to_string(place).unwrap_or_default(), self.requests.clock().now());
        if let Err(error) = in_time(self.requests.reserved().forget_door(&text, now)).await {
            tracing::error!(%error, "could not remove an empty security group from the store");
        }
    }

    /// Notes that the rules of ended grants are gone.
    async fn settle(&mut self, grants: BTreeSet<GrantId>) {
        if grants.is_empty() {
            return;
        }
        if let Err(error) = in_time(self.requests.reserved().settle(&grants)).await {
            tracing::error!(%error, "could not mark grants as settled, will retry in the next pass");
            return;
        }
        self.memory.grants.retain(|grant| !grant.ended() || !grants.contains(grant.id()));
    }

    async fn record(&mut self, events: Vec<Event>) {
        if let Err(error) = in_time(self.requests.record_first(events)).await {
            tracing::error!(%error, "could not record firewall changes");
        }
    }

    /// Records what was done, and shows it: a failure when it begins and when it ends, not at each pass.
    async fn tell(
        &mut self,
        outcomes: BTreeMap<FirewallName, Outcome>,
        covers: u64,
        now: Timestamp,
        mut events: Vec<Event>,
    ) {
        let mut note = |what| events.push(Event::new(now, Who::Doorward, what));
        let mut standings = Vec::new();
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
            let standing = match outcome.failed {
                Some(why) => {
                    if self.memory.failing.insert(firewall.clone(), why.clone()).as_ref() != Some(&why) {
                        tracing::warn!(%firewall, %why, "firewall out of sync");
                        note(What::FirewallFailed { firewall: firewall.clone(), why: why.clone() });
                    }
                    Standing::Failing { why }
                }
                None => {
                    if self.memory.failing.remove(&firewall).is_some() {
                        note(What::FirewallRecovered { firewall: firewall.clone() });
                    }
                    Standing::AsWanted
                }
            };
            standings.push((firewall, standing));
        }
        self.memory.tries =
            if self.memory.failing.is_empty() { 0 } else { self.memory.tries.saturating_add(1) };
        // Recorded before it is shown: whoever is told that a rule stands finds it in the record.
        self.record(events).await;
        self.nudged.change(|status| {
            status.cut += cut;
            for (firewall, standing) in standings {
                status.firewalls.insert(firewall, (covers, standing));
            }
        });
    }

    fn show_inventory(&self) {
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
