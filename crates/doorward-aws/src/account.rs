//! An account, as it is seen through one profile and Region.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use doorward_core::inventory::{AccountRegion, ImageId, RULES_PER_GROUP};

use crate::connection::Connection;
use crate::error::{Error, Failure};
use crate::operation::machine::GetParameter;
use crate::operation::{GetCallerIdentity, GetServiceQuota, Operation as _, action};

/// An account behind a profile and a Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Account(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) account_region: AccountRegion,
    pub(crate) connection: Connection,
    quota: tokio::sync::Mutex<Option<Quota>>,
    notes: Mutex<BTreeMap<String, String>>,
    /// When CloudTrail was last asked: it takes two calls a second from an account.
    pub(crate) looked_up: tokio::sync::Mutex<Option<Instant>>,
}

/// How long a look waits for the quota, at most once an hour.
const QUOTA_WAITS: Duration = Duration::from_secs(2);

/// What was learnt of the quota, and until when that is believed.
#[derive(Debug, Clone, Copy)]
struct Quota {
    rules: Option<u32>,
    until: Instant,
}

/// Whose credentials are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// Twelve digits.
    pub account: String,
    /// The user or the assumed role.
    pub arn: String,
}

impl Account {
    /// Reads the configuration of an account and Region. Nothing is sent to AWS and no credentials are asked for until
    /// the first call; it fails only where no Region is known.
    pub async fn connect(account_region: &AccountRegion) -> Result<Self, Error> {
        Ok(Self::of(account_region.clone(), Connection::to(account_region).await?))
    }

    pub(crate) fn of(account_region: AccountRegion, connection: Connection) -> Self {
        Self(Arc::new(Inner {
            account_region,
            connection,
            quota: tokio::sync::Mutex::default(),
            notes: Mutex::default(),
            looked_up: tokio::sync::Mutex::default(),
        }))
    }

    /// The same account, of which each call is tried once: for calls of which a repetition may have another effect.
    pub(crate) fn trying_once(&self) -> Self {
        Self::of(self.account_region().clone(), self.0.connection.trying_once())
    }

    /// The place that it was connected for.
    pub fn account_region(&self) -> &AccountRegion {
        &self.0.account_region
    }

    /// The Region, also where the account and Region leaves that to the profile.
    pub fn region(&self) -> &str {
        self.0.connection.region()
    }

    /// How often AWS was asked since it was connected, by the name of the call; attempts count one by one.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.0.connection.calls()
    }

    /// What an operator may want to know and nothing depends on, like a quota that could not be read.
    pub fn notes(&self) -> Vec<String> {
        let notes = self.0.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.values().cloned().collect()
    }

    /// Whose credentials these are. Needs no permission.
    pub async fn identity(&self) -> Result<CallerIdentity, Error> {
        let call = action::<GetCallerIdentity>();
        let answer = self.0.connection.call(&GetCallerIdentity).await;
        let result = answer.map_err(|failure| failure.at(&call, self.account_region(), None))?.result;
        Ok(CallerIdentity { account: result.account, arn: result.arn })
    }

    /// How many rules a group may have, where that can be learnt: asked once an hour.
    ///
    /// Who may not ask gets the default, which is what almost every account has.
    pub(crate) async fn quota(&self) -> Option<u32> {
        let mut known = self.0.quota.lock().await;
        if let Some(quota) = known.filter(|quota| Instant::now() < quota.until) {
            return quota.rules;
        }
        let asked = self.0.connection.call(&GetServiceQuota::RULES);
        let answered = tokio::time::timeout(QUOTA_WAITS, asked).await;
        let answered_late = answered.is_err();
        let silent = || Err(Failure::Silent(format!("no response within {} s", QUOTA_WAITS.as_secs())));
        let (rules, believed) = match answered.unwrap_or_else(|_| silent()) {
            Ok(answer) => (answer.value(), Duration::from_secs(3600)),
            Err(failure) => {
                // Service Quotas has no way into many private networks: no look may wait for it often.
                let believed = if failure.is_denial() || answered_late { 3600 } else { 300 };
                self.note(
                    GetServiceQuota::NAME,
                    format!(
                        "{} in {} failed, so the default of {} rules per security group is assumed: {}",
                        action::<GetServiceQuota>(),
                        self.account_region(),
                        RULES_PER_GROUP,
                        failure.why()
                    ),
                );
                (None, Duration::from_secs(believed))
            }
        };
        if rules.is_some() {
            self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).remove(GetServiceQuota::NAME);
        }
        *known = Some(Quota { rules, until: Instant::now() + believed });
        rules
    }

    /// The values of some quotas, each by its service and code, as far as they can be read: one that cannot is left
    /// out.
    pub async fn quotas(
        &self,
        asked: &[(&'static str, &'static str)],
    ) -> BTreeMap<(&'static str, &'static str), u32> {
        let one = |(service, code): (&'static str, &'static str)| async move {
            let operation = GetServiceQuota { service, code };
            let asked = tokio::time::timeout(QUOTA_WAITS, self.0.connection.call(&operation)).await;
            let value = asked.ok().and_then(Result::ok).and_then(|answer| answer.value());
            value.map(|value| ((service, code), value))
        };
        let mut values = BTreeMap::new();
        // Service Quotas allows few calls a second, and there are few.
        for quota in asked {
            values.extend(one(*quota).await);
        }
        values
    }

    /// The images whose ids are the values of parameters of Systems Manager, as far as they can be read.
    pub async fn images(&self, parameters: &BTreeSet<String>) -> BTreeMap<String, ImageId> {
        let mut images = BTreeMap::new();
        for name in parameters {
            let operation = GetParameter { name: name.clone() };
            let asked = tokio::time::timeout(QUOTA_WAITS, self.0.connection.call(&operation)).await;
            let value = asked.ok().and_then(Result::ok).map(|answer| answer.parameter.value);
            images.extend(value.and_then(|id| Some((name.clone(), id.trim().parse().ok()?))));
        }
        images
    }

    pub(crate) fn note(&self, about: &str, note: String) {
        tracing::debug!("{note}");
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).insert(about.to_owned(), note);
    }
}
