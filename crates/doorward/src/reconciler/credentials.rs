//! Credentials of revoked grants: denied by a policy of their role, independently of the firewalls.
//!
//! Vended credentials expire with the grant, so an expired grant needs nothing. A grant that is revoked earlier leaves
//! credentials that are valid for a while; the audit log lists them. Each of them stays in the role's policy until it
//! expires, and its grant is not settled before, so that a restart, and every later change of the policy, includes it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use doorward_aws::Error;
use doorward_core::audit::What;
use doorward_core::export::iam::{Document, older, revoked};
use doorward_core::grant::{Grant, GrantId};
use doorward_core::inventory::AccountRegion;
use doorward_core::policy::{Policy, RoleArn};
use jiff::{SignedDuration, Timestamp};

use crate::cloud::Cloud;
use crate::status::{Irrevocable, Leftover};

/// How much longer credentials are denied than they are good by this machine's clock, which is not AWS's.
const APART: SignedDuration = SignedDuration::from_secs(120);

/// A role, and the account and Region through which its account is asked.
pub(super) type Role = (AccountRegion, RoleArn);

/// What is known of the credentials of grants that ended before their time.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// The role of each grant, as the policy said while it was open.
    roles: BTreeMap<GrantId, Role>,
    /// Until when the credentials of a revoked grant are good; none where none were vended.
    vended: BTreeMap<GrantId, Option<Timestamp>>,
    /// Grants that their role denies.
    denied: BTreeSet<GrantId>,
    at: BTreeMap<Role, At>,
    slowest: Slowest,
    /// Whether the policy of a role is written before anything is to be denied, to know that it can be.
    tries: bool,
}

/// The wall clock as it was before it was set forward, for as long as credentials of before then are good: those end by
/// AWS's clock, which nobody sets here.
#[derive(Debug, Default)]
struct Slowest {
    /// How far the wall clock was from the uptime, and at which uptime it was so last.
    known: Option<(Timestamp, Duration)>,
}

/// How long the earlier wall clock counts: no credentials are good for longer.
const COUNTS: Duration = Duration::from_secs(20 * 60);

impl Slowest {
    fn note(&mut self, now: Timestamp, uptime: Duration) {
        let counts = self.known.is_some_and(|(_, at)| uptime.saturating_sub(at) < COUNTS);
        if !counts || now <= self.now(now, uptime) {
            self.known = Some((now, uptime));
        }
    }

    /// What time it is by the slowest of the clocks of late.
    fn now(&self, now: Timestamp, uptime: Duration) -> Timestamp {
        let Some((then, at)) = self.known else { return now };
        let passed = SignedDuration::try_from(uptime.saturating_sub(at)).unwrap_or(SignedDuration::MAX);
        then.checked_add(passed).map_or(now, |slow| slow.min(now))
    }
}

/// A role whose policy is written.
#[derive(Debug, Default)]
struct At {
    /// A task is writing.
    busy: bool,
    /// It was written since this process began.
    written: bool,
    failing: Option<Irrevocable>,
    /// What the audit log says of the failure.
    recorded: Option<String>,
    tries: u32,
    /// When it is tried again, by the clock that cannot be set back.
    next: Duration,
}

/// What is to be written: all of a role that are still good, those that it denies already among them.
#[derive(Debug)]
pub(super) struct Denial {
    role: Role,
    grants: BTreeMap<GrantId, Timestamp>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Denied {
    denial: Denial,
    failed: Option<Error>,
}

/// The role whose credentials a policy has vended.
fn role(policy: &Policy) -> Option<Role> {
    let ssm = policy.ssm.as_ref()?;
    Some((ssm.at.clone(), ssm.role.clone()?))
}

impl Credentials {
    /// Has the policy of a role written before the first grant is revoked, and so tries whether it can be.
    pub(super) fn try_first(&mut self) {
        self.tries = true;
    }

    /// Takes in which tunnelled grants there are: `live`, and those that have ended and are not settled. The revoked
    /// ones among them whose credentials are not known yet.
    pub(super) fn note(
        &mut self,
        policy: &Policy,
        live: &[Grant],
        over: &[Grant],
        now: Timestamp,
        uptime: Duration,
    ) -> Vec<GrantId> {
        self.slowest.note(now, uptime);
        let mut before = std::mem::take(&mut self.roles);
        for grant in live.iter().chain(over) {
            if let Some(role) = before.remove(grant.id()).or_else(|| role(policy)) {
                self.roles.insert(grant.id().clone(), role);
            }
        }
        let is_over: BTreeSet<&GrantId> = over.iter().map(Grant::id).collect();
        self.vended.retain(|grant, _| is_over.contains(grant));
        self.denied.retain(|grant| is_over.contains(grant));
        let unknown = |grant: &&Grant| self.is_vended(grant) && !self.vended.contains_key(grant.id());
        over.iter().filter(unknown).map(|grant| grant.id().clone()).collect()
    }

    /// Whether credentials may have been vended for a grant that was revoked.
    fn is_vended(&self, grant: &Grant) -> bool {
        grant.was_revoked() && self.roles.contains_key(grant.id())
    }

    /// Notes until when the credentials of a revoked grant are good.
    pub(super) fn learn(&mut self, grant: GrantId, until: Option<Timestamp>) {
        self.vended.insert(grant, until);
    }

    /// The policies to write now; they are marked as done. `over` are all tunnelled grants that have ended and are not
    /// settled.
    pub(super) fn due(
        &mut self,
        policy: &Policy,
        over: &[Grant],
        now: Timestamp,
        uptime: Duration,
    ) -> Vec<Denial> {
        let mut wanted: BTreeMap<Role, BTreeMap<GrantId, Timestamp>> = BTreeMap::new();
        for grant in over {
            let (Some(role), Some(until)) =
                (self.roles.get(grant.id()), self.good_until(grant.id(), now, uptime))
            else {
                continue;
            };
            wanted.entry(role.clone()).or_default().insert(grant.id().clone(), until);
        }
        // Where it is not known yet which credentials are good, a policy without them would let those in again.
        let all_known =
            over.iter().all(|grant| !self.is_vended(grant) || self.vended.contains_key(grant.id()));
        if let Some(role) = role(policy).filter(|_| self.tries && all_known) {
            wanted.entry(role).or_default();
        }
        self.at.retain(|role, at| at.busy || wanted.contains_key(role));
        let mut due = Vec::new();
        for (role, grants) in wanted {
            let at = self.at.entry(role.clone()).or_default();
            let is_new = grants.keys().any(|grant| !self.denied.contains(grant)) || !at.written;
            if is_new && !at.busy && uptime >= at.next {
                at.busy = true;
                due.push(Denial { role, grants });
            }
        }
        due
    }

    /// Until when the credentials of a revoked grant are good; none of one that has none any more.
    fn good_until(&self, grant: &GrantId, now: Timestamp, uptime: Duration) -> Option<Timestamp> {
        let until = (*self.vended.get(grant)?)?;
        let now = self.slowest.now(now, uptime);
        (now.duration_since(until) < APART).then_some(until)
    }

    /// Whether an ended grant has to be kept: its credentials are still valid, or that is unknown.
    pub(super) fn keeps(&self, grant: &Grant, now: Timestamp, uptime: Duration) -> bool {
        self.is_vended(grant)
            && (!self.vended.contains_key(grant.id()) || self.good_until(grant.id(), now, uptime).is_some())
    }

    /// Whether sessions may still be started with the credentials of an ended grant.
    pub(super) fn can_start(&self, grant: &Grant, now: Timestamp, uptime: Duration) -> bool {
        self.keeps(grant, now, uptime) && !self.denied.contains(grant.id())
    }

    /// What is left of each grant that was revoked.
    pub(super) fn leftovers(
        &self,
        over: &[Grant],
        now: Timestamp,
        uptime: Duration,
    ) -> BTreeMap<GrantId, Leftover> {
        let left = |grant: &Grant| {
            let until = match self.vended.get(grant.id())? {
                Some(until) if self.good_until(grant.id(), now, uptime).is_some() => *until,
                _ => return Some(Leftover::Nothing),
            };
            if self.denied.contains(grant.id()) {
                return Some(Leftover::Nothing);
            }
            // Nothing is known while it is tried for the first time.
            let why = self.at.get(self.roles.get(grant.id())?)?.failing.as_ref()?.why.clone();
            Some(Leftover::Credentials { until, why })
        };
        over.iter()
            .filter(|grant| self.is_vended(grant))
            .filter_map(|grant| Some((grant.id().clone(), left(grant)?)))
            .collect()
    }

    /// Takes in what was written: what is to be recorded.
    pub(super) fn take(&mut self, done: Denied, uptime: Duration) -> Vec<What> {
        let Denied { denial: Denial { role, grants }, failed } = done;
        let arn = role.1.to_string();
        let what = format!("credentials of {arn}");
        let at = self.at.entry(role).or_default();
        at.busy = false;
        let Some(error) = failed else {
            *at = At { written: true, ..At::default() };
            let new: Vec<GrantId> =
                grants.into_keys().filter(|grant| self.denied.insert(grant.clone())).collect();
            let told = (!new.is_empty()).then_some(What::CredentialsDenied { role: arn, grants: new });
            return told.into_iter().collect();
        };
        let why = error.to_string();
        at.tries = at.tries.saturating_add(1);
        // IAM takes few changes a second, and what it does not allow now it will hardly allow in a second.
        at.next = uptime.saturating_add(Duration::from_secs(2 << at.tries.min(5)));
        at.failing = Some(super::permissions::irrevocable(what, &error));
        if grants.is_empty() || at.recorded.replace(why.clone()).as_ref() == Some(&why) {
            return Vec::new();
        }
        let hint = error.hint().unwrap_or("Doorward retries until the credentials expire");
        tracing::warn!(role = %arn, %why, hint, "could not deny credentials of revoked grants, will retry");
        let until = grants.into_values().max().unwrap_or_default();
        vec![What::CredentialsNotDenied { role: arn, why, until }]
    }

    /// The roles whose credentials cannot be denied.
    pub(super) fn failing(&self) -> impl Iterator<Item = &Irrevocable> {
        self.at.values().filter_map(|at| at.failing.as_ref())
    }

    /// A task failed, and which one is unknown: all may start again.
    pub(super) fn free(&mut self) {
        self.at.values_mut().for_each(|at| at.busy = false);
    }

    /// Time until what failed is tried again.
    pub(super) fn tries_in(&self, uptime: Duration) -> Option<Duration> {
        let failing = self.at.values().filter(|at| at.failing.is_some() && !at.busy);
        failing.map(|at| at.next.saturating_sub(uptime)).min()
    }
}

/// Writes it.
pub(super) async fn deny(cloud: Cloud, name: String, denial: Denial, now: Timestamp) -> Denied {
    let grants = denial.grants.keys().cloned().collect();
    let (account_region, role) = &denial.role;
    let put = async |document: &Document| {
        let text = serde_json::to_string(document).unwrap_or_default();
        cloud.put_role_policy(account_region, role, &name, &text).await
    };
    let done = match put(&revoked(&grants, now)).await {
        // An operator's own policies may leave little room in the role.
        Err(error) if error.is_too_much() => put(&older(now)).await,
        done => done,
    };
    Denied { denial, failed: done.err() }
}
