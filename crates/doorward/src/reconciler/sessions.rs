//! Sessions that have outlived their grant: listed and terminated by a task for each account and Region, independently
//! of the firewalls.
//!
//! A grant with a transport stays unsettled in the store until none of its sessions is open, so that a restart
//! continues the work. If no grant has just ended, AWS is not called.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use doorward_aws::Error;
use doorward_core::audit::What;
use doorward_core::grant::{Grant, GrantId, Life};
use doorward_core::inventory::AccountRegion;
use doorward_core::policy::{Policy, Transport};
use doorward_core::session::{OpenSession, account_region, outlived};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use crate::cloud::Cloud;

/// How long after its end a grant's sessions are looked for: one that was being started just then is listed later, and
/// AWS's clock is not ours.
const LINGERS: SignedDuration = SignedDuration::from_secs(60);

/// How long it is tried where AWS refuses. Session Manager itself ends what is idle for an hour at most.
const GIVES_UP: SignedDuration = SignedDuration::from_hours(24);

/// How long an account and Region is not looked at again, whatever wakes the reconciler, unless another grant has
/// ended.
const RESTS: Duration = Duration::from_secs(10);

/// How many sessions of an account and Region are ended at once; Session Manager allows few calls a second.
const AT_ONCE: usize = 4;

/// The known state of the sessions of grants with a transport.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Where they may be: as the policy said while the grant was open.
    account_regions: BTreeMap<GrantId, BTreeSet<AccountRegion>>,
    /// The end of each ended grant, as stored, and how long before which uptime it ended.
    ended: BTreeMap<GrantId, (Timestamp, SignedDuration, Duration)>,
    at: BTreeMap<AccountRegion, At>,
}

/// An account and Region in which sessions are looked for.
#[derive(Debug, Default)]
struct At {
    /// A task is looking.
    busy: bool,
    /// A grant ended while it was looking.
    behind: bool,
    /// Grants for which a poll began after their end.
    looked_for: BTreeSet<GrantId>,
    /// Grants without any session left here.
    clear: BTreeSet<GrantId>,
    /// Sessions that were ended, and were still listed the last time.
    ending: BTreeSet<String>,
    /// Sessions that could not be ended, each with its grant.
    left: Vec<(String, GrantId)>,
    /// When it may be looked at again, by the clock that cannot be set back.
    next: Duration,
    failing: Option<String>,
    tries: u32,
}

impl Sessions {
    /// The accounts and Regions to poll now, each with its ended grants. They are marked as busy.
    ///
    /// `over` are all tunnelled grants that have ended and are not settled, `live` those that are open.
    pub(super) fn due<'a>(
        &mut self,
        policy: &Policy,
        live: impl IntoIterator<Item = &'a Grant>,
        over: &[Grant],
        now: Timestamp,
        uptime: Duration,
    ) -> Vec<(AccountRegion, Vec<Grant>)> {
        self.note_ends(over, now, uptime);
        let mut before = std::mem::take(&mut self.account_regions);
        for grant in live {
            let mut account_regions = before.remove(grant.id()).unwrap_or_default();
            account_regions.extend(account_region(policy, grant.transport()).cloned());
            self.account_regions.insert(grant.id().clone(), account_regions);
        }
        let mut wanted: BTreeMap<AccountRegion, Vec<Grant>> = BTreeMap::new();
        for grant in over {
            let now = || account_region(policy, grant.transport()).cloned().into_iter().collect();
            let account_regions = before.remove(grant.id()).unwrap_or_else(now);
            for account_region in &account_regions {
                if !self.at.get(account_region).is_some_and(|at| at.clear.contains(grant.id())) {
                    wanted.entry(account_region.clone()).or_default().push(grant.clone());
                }
            }
            self.account_regions.insert(grant.id().clone(), account_regions);
        }
        let named: BTreeSet<&AccountRegion> =
            over.iter().filter_map(|grant| self.account_regions.get(grant.id())).flatten().collect();
        self.at.retain(|account_region, at| at.busy || named.contains(account_region));
        for (account_region, at) in &mut self.at {
            at.behind = false;
            if !at.busy && !wanted.contains_key(account_region) {
                // Nothing is left to be tried there, and nobody waits for it.
                at.failing = None;
            }
        }
        wanted.retain(|account_region, grants| {
            let at = self.at.entry(account_region.clone()).or_default();
            let is_new = grants.iter().any(|grant| !at.looked_for.contains(grant.id()));
            at.behind = at.busy && is_new;
            let begins = !at.busy && (is_new || uptime >= at.next);
            if begins {
                at.busy = true;
                at.looked_for = grants.iter().map(|grant| grant.id().clone()).collect();
            }
            begins
        });
        wanted.into_iter().collect()
    }

    /// Notes for how long each grant has been over when it is first seen; from then on the clock counts that cannot be
    /// set.
    fn note_ends(&mut self, over: &[Grant], now: Timestamp, uptime: Duration) {
        let before = std::mem::take(&mut self.ended);
        for grant in over {
            let Life::Ended { at, .. } = grant.life() else { continue };
            let known = before.get(grant.id()).filter(|(noted, ..)| noted == at).copied();
            let known = known.unwrap_or_else(|| (*at, now.duration_since(*at), uptime));
            self.ended.insert(grant.id().clone(), known);
        }
    }

    /// How long a grant has been over; none where the store does not know of it yet. A wall clock that is set makes it
    /// neither longer nor shorter.
    fn since(&self, grant: &Grant, now: Timestamp, uptime: Duration) -> Option<SignedDuration> {
        let Life::Ended { at, .. } = grant.life() else { return None };
        let Some((_, had, then)) = self.ended.get(grant.id()).filter(|(noted, ..)| noted == at) else {
            return Some(now.duration_since(*at));
        };
        let more = SignedDuration::try_from(uptime.saturating_sub(*then)).unwrap_or(SignedDuration::MAX);
        Some(had.saturating_add(more))
    }

    /// Those among some grants after whose end so much time has passed that every session of theirs is listed.
    pub(super) fn lingered(&self, grants: &[Grant], now: Timestamp, uptime: Duration) -> BTreeSet<GrantId> {
        let lingered = |grant: &&Grant| self.since(grant, now, uptime).is_some_and(|since| since >= LINGERS);
        grants.iter().filter(lingered).map(|grant| grant.id().clone()).collect()
    }

    /// Ended grants that need nothing more: they have no session left, or it was tried for long enough.
    pub(super) fn settled(&self, over: &[Grant], now: Timestamp, uptime: Duration) -> BTreeSet<GrantId> {
        let is_settled = |grant: &&Grant| {
            let Some(account_regions) = self.account_regions.get(grant.id()) else { return false };
            let is_clear = |at: &At| at.clear.contains(grant.id());
            let was_tried = |at: &At| !at.busy && at.looked_for.contains(grant.id());
            let is_old = self.since(grant, now, uptime).is_some_and(|since| since >= GIVES_UP);
            let enough = |at: &At| is_clear(at) || is_old && was_tried(at);
            account_regions.iter().all(|account_region| self.at.get(account_region).is_some_and(enough))
        };
        over.iter().filter(is_settled).map(|grant| grant.id().clone()).collect()
    }

    /// Processes the result of a poll and returns the events to record.
    pub(super) fn take(&mut self, looked: Looked, uptime: Duration) -> Vec<What> {
        let at = self.at.entry(looked.account_region.clone()).or_default();
        at.busy = false;
        at.clear.extend(looked.clear);
        at.left = looked.left;
        let mut events = Vec::new();
        let before = std::mem::take(&mut at.ending);
        for (session, grant, transport) in looked.ended {
            at.ending.insert(session.id.clone());
            if !before.contains(&session.id) {
                let (session, target) = (session.id, session.target);
                events.push(What::SessionEnded { grant, transport, session, target });
            }
        }
        let account_region = looked.account_region.to_string();
        match looked.failed {
            Some(error) => {
                let why = error.to_string();
                if at.failing.as_ref() != Some(&why) {
                    let hint = error.hint().unwrap_or("Doorward retries for a day");
                    tracing::warn!(%why, hint, "sessions of ended grants may still be open");
                    events.push(What::SessionsFailed { account_region, why: why.clone() });
                }
                at.failing = Some(why);
                at.tries = at.tries.saturating_add(1);
                at.next = uptime.saturating_add(Duration::from_secs(1 << at.tries.min(5)));
            }
            None => {
                if at.failing.take().is_some() {
                    events.push(What::SessionsRecovered { account_region });
                }
                at.tries = 0;
                at.next = uptime.saturating_add(RESTS);
            }
        }
        events
    }

    /// Where sessions of a grant that is over could not be looked for or not be ended: the account and Region, why, and
    /// those sessions that are known.
    pub(super) fn failing(&self, grant: &GrantId) -> Option<(&AccountRegion, &str, Vec<String>)> {
        self.account_regions.get(grant)?.iter().find_map(|account_region| {
            let at = self.at.get(account_region).filter(|at| !at.clear.contains(grant))?;
            let left = at.left.iter().filter(|(_, of)| of == grant).map(|(session, _)| session.clone());
            Some((account_region, at.failing.as_deref()?, left.collect()))
        })
    }

    /// A task failed, and which one is unknown: all may start again.
    pub(super) fn free(&mut self) {
        for at in self.at.values_mut() {
            at.behind |= at.busy;
            at.busy = false;
        }
    }

    /// Whether a grant ended during a poll of its account and Region, and the poll has ended.
    pub(super) fn is_behind(&self) -> bool {
        self.at.values().any(|at| at.behind && !at.busy)
    }

    /// Time until what failed is tried again.
    pub(super) fn tries_in(&self, uptime: Duration) -> Option<Duration> {
        let failing = self.at.values().filter(|at| at.failing.is_some() && !at.busy);
        failing.map(|at| at.next.saturating_sub(uptime)).min()
    }
}

/// What one look found and did.
#[derive(Debug)]
pub(super) struct Looked {
    account_region: AccountRegion,
    /// Sessions that were ended, each with its grant.
    ended: Vec<(OpenSession, GrantId, Transport)>,
    /// Grants without any session left.
    clear: BTreeSet<GrantId>,
    /// Sessions that could not be ended, each with its grant.
    left: Vec<(String, GrantId)>,
    /// Why something of it was not done, if it was not.
    failed: Option<Error>,
}

/// Looks for sessions of these grants, which are over, and ends them. `lingered` are those among them of which every
/// session is listed by now, and no new one can be started.
pub(super) async fn look(
    cloud: Cloud,
    account_region: AccountRegion,
    grants: Vec<Grant>,
    lingered: BTreeSet<GrantId>,
    now: Timestamp,
) -> Looked {
    let open = match cloud.open_sessions(&account_region).await {
        Ok(open) => open,
        Err(error) => {
            let (ended, left) = (Vec::new(), Vec::new());
            return Looked { account_region, ended, clear: BTreeSet::new(), left, failed: Some(error) };
        }
    };
    let found = outlived(&open, &grants, now);
    let borne: BTreeSet<&GrantId> = found.iter().map(|(_, grant)| grant.id()).collect();
    let clear = lingered.into_iter().filter(|grant| !borne.contains(grant)).collect();

    let mut running = JoinSet::new();
    let mut results = Vec::new();
    for (number, (session, grant)) in found.into_iter().enumerate() {
        if running.len() >= AT_ONCE {
            results.extend(running.join_next().await.and_then(Result::ok));
        }
        let (cloud, account_region, session) = (cloud.clone(), account_region.clone(), session.clone());
        let (grant, transport) = (grant.id().clone(), grant.transport());
        running.spawn(async move {
            let done = cloud.end_session(&account_region, &session.id).await;
            let left = (session.id.clone(), grant.clone());
            (number, done.map(|()| (session, grant, transport)).map_err(|error| (error, left)))
        });
    }
    while let Some(result) = running.join_next().await {
        results.extend(result.ok());
    }
    results.sort_by_key(|(number, _)| *number);
    let mut looked = Looked { account_region, ended: Vec::new(), clear, left: Vec::new(), failed: None };
    for (_, result) in results {
        match result {
            Ok(ended) => looked.ended.push(ended),
            Err((error, left)) => {
                looked.left.push(left);
                looked.failed = looked.failed.or(Some(error));
            }
        }
    }
    looked
}
