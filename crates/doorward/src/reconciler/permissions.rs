//! Whether AWS permits the calls of a revocation: tried by a server before its first grant, and again while one is
//! missing.
//!
//! Otherwise a missing permission would be found only when something has to be revoked. Nothing is simulated, so that
//! everything that decides in AWS (the role's policies, boundaries, an organisation's policies) has decided: a
//! non-existent rule is revoked in a dry run, open sessions are listed, a non-existent session is terminated. The
//! policy of a role whose credentials are vended is written by [`super::credentials`].

use std::collections::BTreeSet;
use std::time::Duration;

use doorward_aws::Error;
use doorward_core::inventory::{AccountRegion, SecurityGroupId};
use doorward_core::policy::{Enforcement, Policy, Transport};
use doorward_core::session::account_region;

use crate::cloud::Cloud;
use crate::status::Irrevocable;

/// How often what is not permitted is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// A session that nobody has: sessions are named after who starts them, and nobody is called so.
const NO_SESSION: &str = "doorward-may-end-sessions-00000000000000000";

pub(super) fn irrevocable(what: String, error: &Error) -> Irrevocable {
    let fix = error.hint().unwrap_or("`doorward iam` prints what is needed").to_owned();
    Irrevocable { what, why: error.to_string(), fix }
}

/// What is tried: the groups of the policy, and the accounts and Regions of its sessions.
type Wanted = (BTreeSet<(AccountRegion, SecurityGroupId)>, BTreeSet<AccountRegion>);

/// What is known of the permissions.
#[derive(Debug, Default)]
pub(super) struct Permissions {
    tried: Option<Wanted>,
    busy: bool,
    /// When it is tried again, by the clock that cannot be set back.
    next: Duration,
    lacking: Vec<Irrevocable>,
}

/// What a try found.
#[derive(Debug)]
pub(super) struct Tried {
    wanted: Wanted,
    lacking: Vec<Irrevocable>,
}

fn wanted(policy: &Policy) -> Wanted {
    let groups = policy.firewalls.values().filter_map(|firewall| match &firewall.kind {
        Enforcement::SecurityGroup { group, at, .. } => Some((at.clone(), group.clone())),
        Enforcement::Nftables { .. } | Enforcement::Relay { .. } => None,
    });
    let transports: BTreeSet<Transport> =
        policy.targets.values().flat_map(|target| target.transports.iter().copied()).collect();
    let account_regions =
        transports.into_iter().filter_map(|transport| account_region(policy, transport)).cloned();
    (groups.collect(), account_regions.collect())
}

impl Permissions {
    /// What is to be tried now; it is taken to be done.
    pub(super) fn due(&mut self, policy: &Policy, uptime: Duration) -> Option<Wanted> {
        let wanted = wanted(policy);
        let is_new = self.tried.as_ref() != Some(&wanted);
        if self.busy || !(is_new || !self.lacking.is_empty() && uptime >= self.next) {
            return None;
        }
        self.busy = true;
        Some(wanted)
    }

    /// Takes in what a try found.
    pub(super) fn take(&mut self, tried: Tried, uptime: Duration) {
        self.busy = false;
        self.next = uptime.saturating_add(AGAIN);
        self.tried = Some(tried.wanted);
        self.lacking = tried.lacking;
    }

    pub(super) fn lacking(&self) -> &[Irrevocable] {
        &self.lacking
    }

    /// A task failed: it may start again.
    pub(super) fn free(&mut self) {
        self.busy = false;
    }

    /// Time until what is not permitted is tried again.
    pub(super) fn tries_in(&self, uptime: Duration) -> Option<Duration> {
        (!self.lacking.is_empty() && !self.busy).then(|| self.next.saturating_sub(uptime))
    }
}

/// Tries it. A failure for another reason than a permission is reported by the task that needs the call.
pub(super) async fn try_all(cloud: Cloud, wanted: Wanted) -> Tried {
    let mut lacking = Vec::new();
    let mut note = |what: String, done: Result<(), Error>| {
        if let Err(error) = done
            && error.is_denial()
        {
            lacking.push(irrevocable(what, &error));
        }
    };
    for (account_region, group) in &wanted.0 {
        note(format!("rules of {group} in {account_region}"), cloud.may_revoke(account_region, group).await);
    }
    for account_region in &wanted.1 {
        let listed = cloud.open_sessions(account_region).await.map(drop);
        let ended = match listed {
            Ok(()) => cloud.end_session(account_region, NO_SESSION).await,
            Err(error) => Err(error),
        };
        note(format!("sessions in {account_region}"), ended);
    }
    Tried { wanted, lacking }
}
