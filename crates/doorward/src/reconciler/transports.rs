//! The transports of grants that open no port: sessions, vended credentials, and the permissions that revoking them needs.

use std::collections::BTreeSet;
use std::time::Duration;

use doorward_core::export::iam::revoked_name;
use doorward_core::grant::{Ending, Grant, GrantId};
use doorward_core::policy::Policy;
use jiff::Timestamp;

use super::Reconciler;
use super::credentials::deny;
use super::groups::Done;
use super::permissions::try_all;
use super::sessions::look;
use crate::overdue::may_have_sessions;
use crate::status::Irrevocable;
use crate::store::in_time;

impl Reconciler {
    /// A task for each account and Region in which an ended grant may have sessions; the grants that need none any more.
    pub(super) fn look_for_sessions(
        &mut self,
        policy: &Policy,
        now: Timestamp,
        uptime: Duration,
    ) -> BTreeSet<GrantId> {
        let (live, over) = self.with_sessions(now, uptime);
        for (account_region, grants) in self.memory.sessions.due(policy, &live, &over, now, uptime) {
            let can_start = |grant: &&Grant| self.memory.credentials.can_start(grant, now, uptime);
            let startable: BTreeSet<GrantId> =
                grants.iter().filter(can_start).map(|grant| grant.id().clone()).collect();
            let lingered = self.memory.sessions.lingered(&grants, now, uptime);
            let lingered = lingered.difference(&startable).cloned().collect();
            let looked = look(self.cloud.clone(), account_region, grants, lingered, now);
            self.work.spawn(async move { Done::Looked(Box::new(looked.await)) });
        }
        self.settled(&over, now, uptime)
    }

    /// Those that need nothing more: they have no session left, and their credentials have expired.
    pub(super) fn settled(&self, over: &[Grant], now: Timestamp, uptime: Duration) -> BTreeSet<GrantId> {
        let mut settled = self.memory.sessions.settled(over, now, uptime);
        let keeps = |grant: &&Grant| self.memory.credentials.keeps(grant, now, uptime);
        for grant in over.iter().filter(keeps) {
            settled.remove(grant.id());
        }
        settled
    }

    /// A task for each role that has to deny the credentials of a grant that was revoked. `answers` is a store that does.
    pub(super) async fn deny_credentials(
        &mut self,
        policy: &Policy,
        answers: bool,
        now: Timestamp,
        uptime: Duration,
    ) {
        let (live, over) = self.with_sessions(now, uptime);
        let unknown = self.memory.credentials.note(policy, &live, &over, now, uptime);
        for grant in unknown.into_iter().filter(|_| answers) {
            match in_time(self.requests.app().reserved().vended_until(&grant)).await {
                Ok(until) => self.memory.credentials.learn(grant, until),
                Err(error) => {
                    tracing::error!(%error, %grant, "could not read whether credentials were vended");
                    break;
                }
            }
        }
        let name = revoked_name(self.requests.app().reserved().installation());
        for denial in self.memory.credentials.due(policy, &over, now, uptime) {
            let denied = deny(self.cloud.clone(), name.clone(), denial, now);
            self.work.spawn(async move { Done::Denied(Box::new(denied.await)) });
        }
        self.show_leftovers(&over, now, uptime);
    }

    /// A task that tries what a revocation needs, where that is not known.
    pub(super) fn try_permissions(&mut self, policy: &Policy, uptime: Duration) {
        let due = self.memory.permissions.as_mut().and_then(|permissions| permissions.due(policy, uptime));
        if let Some(wanted) = due {
            let cloud = self.cloud.clone();
            self.work.spawn(async move { Done::Tried(Box::new(try_all(cloud, wanted).await)) });
        }
    }

    /// Shows what could not be revoked if it had to be, and says in the log what is new of it.
    pub(super) fn show_irrevocable(&self) {
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

    pub(super) fn show_leftovers(&self, over: &[Grant], now: Timestamp, uptime: Duration) {
        let leftovers = self.memory.credentials.leftovers(over, now, uptime);
        if self.nudged.last().leftovers != leftovers {
            self.nudged.change(|status| status.leftovers = leftovers);
        }
    }

    /// Tunnelled grants that are live, and those that have ended and are not settled.
    pub(super) fn with_sessions(&self, now: Timestamp, uptime: Duration) -> (Vec<Grant>, Vec<Grant>) {
        let tunnelled = |grant: &&Grant| may_have_sessions(grant) && grant.since().is_some();
        let ended = |grant: &Grant| match self.memory.deadlines.passed(grant, uptime) {
            true => grant.end(Ending::TimeUp, now),
            false => grant.clone(),
        };
        let tunnelled = self.memory.grants.iter().filter(tunnelled).map(ended);
        tunnelled.partition(|grant| grant.live(now).is_some())
    }
}
