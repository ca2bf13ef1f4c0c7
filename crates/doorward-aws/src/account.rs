//! An account, as one place shows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use doorward_core::inventory::{Place, RULES_PER_GROUP};

use crate::connection::Connection;
use crate::error::{Error, Failure};
use crate::operation::{GetCallerIdentity, GetServiceQuota, Operation as _, action};

/// An account behind a profile and a Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Account(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) place: Place,
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
    /// Reads the configuration of a place. Nothing is sent to AWS and no credentials are asked for until the
    /// first call; it fails only where no Region is known.
    pub async fn connect(place: &Place) -> Result<Self, Error> {
        Ok(Self::of(place.clone(), Connection::to(place).await?))
    }

    pub(crate) fn of(place: Place, connection: Connection) -> Self {
        Self(Arc::new(Inner {
            place,
            connection,
            quota: tokio::sync::Mutex::default(),
            notes: Mutex::default(),
            looked_up: tokio::sync::Mutex::default(),
        }))
    }

    /// The place that it was connected for.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// The Region, also where the place leaves that to the profile.
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
        let result = answer.map_err(|failure| failure.at(&call, self.place(), None))?.result;
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
        let asked = self.0.connection.call(&GetServiceQuota);
        let answered = tokio::time::timeout(QUOTA_WAITS, asked).await;
        let answered_late = answered.is_err();
        let silent = || Err(Failure::Silent(format!("no response within {} s", QUOTA_WAITS.as_secs())));
        let (rules, believed) = match answered.unwrap_or_else(|_| silent()) {
            Ok(answer) => (answer.rules(), Duration::from_secs(3600)),
            Err(failure) => {
                // Service Quotas has no way into many private networks: no look may wait for it often.
                let believed = if failure.is_denial() || answered_late { 3600 } else { 300 };
                self.note(
                    GetServiceQuota::NAME,
                    format!(
                        "{} in {} failed, so the default of {} rules per security group is assumed: {}",
                        action::<GetServiceQuota>(),
                        self.place(),
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

    pub(crate) fn note(&self, about: &str, note: String) {
        tracing::debug!("{note}");
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).insert(about.to_owned(), note);
    }
}
