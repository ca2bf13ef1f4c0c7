//! The interface to AWS: the accounts that a policy names, or a simulated one in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorward_aws::{Account, Error, LocateError, Located, Made, Performed, Progress, Simulated};
use doorward_core::inventory::{
    Call, Cause, Gap, GapSource, Inventory, Place, RuleIdentity, SecurityGroupId,
};
use doorward_core::plan::Step;
use doorward_core::policy::{Address, Enforcement, Firewall, RoleArn};
use doorward_core::session::OpenSession;
use tokio::task::JoinSet;

/// The groups to look at, by the place through which each is reached.
pub type Groups = BTreeMap<Place, BTreeSet<SecurityGroupId>>;

/// The security groups among some firewalls.
pub fn groups<'a>(firewalls: impl IntoIterator<Item = &'a Firewall>) -> Groups {
    let mut groups = Groups::new();
    for firewall in firewalls {
        if let Enforcement::SecurityGroup { group, at, .. } = &firewall.kind {
            groups.entry(at.clone()).or_default().insert(group.clone());
        }
    }
    groups
}

/// Where security groups are. Clones are the same cloud.
#[derive(Debug, Clone)]
pub enum Cloud {
    /// AWS, through as many profiles and Regions as are asked for.
    Live(Live),
    /// An account in memory.
    Simulated(Simulated),
}

impl Cloud {
    /// AWS; nothing is read or sent before the first call.
    pub fn live() -> Self {
        Self::Live(Live::default())
    }

    /// What is known of these groups, all places at once. It takes as long as the slowest place: who must not
    /// wait for another Region asks [`Self::observe_at`] for each.
    pub async fn observe(&self, groups: &Groups) -> Inventory {
        let mut places = JoinSet::new();
        let mut seen = BTreeMap::new();
        for (place, groups) in groups {
            let (cloud, place) = (self.clone(), place.clone());
            let groups: Vec<SecurityGroupId> = groups.iter().cloned().collect();
            // Whatever becomes of the task, its groups are not forgotten: unseen is not gone.
            seen.insert(place.clone(), cut_short(&place, &groups));
            places.spawn(async move {
                let inventory = cloud.observe_at(&place, &groups).await;
                (place, inventory)
            });
        }
        while let Some(observed) = places.join_next().await {
            seen.extend(observed.ok());
        }
        let mut whole = Inventory::default();
        for inventory in seen.into_values() {
            whole.merge(inventory);
        }
        whole
    }

    /// What is known of these groups, which are all in one place. Never fails: what cannot be seen is a gap.
    pub async fn observe_at(&self, place: &Place, groups: &[SecurityGroupId]) -> Inventory {
        match self {
            Self::Live(live) => match live.account(place).await {
                Ok(account) => account.observe(groups).await,
                Err(error) => unseen(place, groups, &error),
            },
            Self::Simulated(account) => account.observe(place, groups),
        }
    }

    /// Everything in these places, all of them at once. Never fails: what cannot be seen is a gap.
    ///
    /// Progress is told of all places together. An account in memory holds what it holds, whatever the place.
    pub async fn survey(
        &self,
        places: &BTreeSet<Place>,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Inventory {
        let live = match self {
            Self::Live(live) => live,
            Self::Simulated(account) => return account.inventory(),
        };
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let mut seen = BTreeMap::new();
        for place in places {
            let (live, place, tell) = (live.clone(), place.clone(), tell.clone());
            seen.insert(place.clone(), cut_short(&place, &[]));
            tasks.spawn(async move {
                let inventory = match live.account(&place).await {
                    // Who no longer listens has stopped the survey, too.
                    Ok(account) => account.survey(&|far| drop(tell.send((place.clone(), far)))).await,
                    Err(error) => unseen(&place, &[], &error),
                };
                (place, inventory)
            });
        }
        drop(tell);
        let mut far: BTreeMap<Place, Progress> = BTreeMap::new();
        while let Some((place, news)) = told.recv().await {
            far.insert(place, news);
            let (done, of) = far.values().fold((0, 0), |(done, of), far| (done + far.done, of + far.of));
            progress(Progress { done, of, call: news.call });
        }
        while let Some(surveyed) = tasks.join_next().await {
            seen.extend(surveyed.ok());
        }
        let mut whole = Inventory::default();
        for inventory in seen.into_values() {
            whole.merge(inventory);
        }
        whole
    }

    /// Where people outside connect to a target.
    pub async fn endpoint(&self, place: &Place, address: &Address) -> Result<Located, LocateError> {
        match self {
            Self::Live(live) => live.account(place).await?.endpoint(address).await,
            Self::Simulated(account) => Located::in_inventory(&account.inventory(), address)
                .ok_or_else(|| LocateError::Missing { what: address.clone(), place: place.clone() }),
        }
    }

    /// Performs one step on a group in that place.
    pub async fn perform(&self, place: &Place, step: &Step) -> Result<Performed, Error> {
        match self {
            Self::Live(live) => live.account(place).await?.perform(step).await,
            Self::Simulated(account) => account.perform(place, step),
        }
    }

    /// Performs one step on a group in that place, and says which rules it made, also where it fails in the middle.
    pub async fn perform_noting(
        &self,
        place: &Place,
        step: &Step,
        made: &mut Vec<Made>,
    ) -> Result<Performed, Error> {
        match self {
            Self::Live(live) => live.account(place).await?.perform_noting(step, made).await,
            Self::Simulated(account) => account.perform_noting(place, step, made),
        }
    }

    /// Closes rules of a group that could not be observed, by what they let through.
    pub async fn close_blind(
        &self,
        place: &Place,
        group: &SecurityGroupId,
        rules: &[RuleIdentity],
    ) -> Result<Performed, Error> {
        match self {
            Self::Live(live) => live.account(place).await?.close_blind(group, rules).await,
            Self::Simulated(account) => account.close_blind(place, group, rules),
        }
    }

    /// Whether rules of a group may be taken away: an error only where the permission lacks, and nothing is changed.
    pub async fn may_revoke(&self, place: &Place, group: &SecurityGroupId) -> Result<(), Error> {
        match self {
            Self::Live(live) => live.account(place).await?.may_revoke(group).await,
            Self::Simulated(account) => account.may_revoke(place),
        }
    }

    /// The sessions that are open in a place, whoever started them.
    pub async fn open_sessions(&self, place: &Place) -> Result<Vec<OpenSession>, Error> {
        match self {
            Self::Live(live) => live.account(place).await?.open_sessions().await,
            Self::Simulated(account) => Ok(account.open_sessions()),
        }
    }

    /// Ends a session in that place; one that has ended already is no error.
    pub async fn end_session(&self, place: &Place, session: &str) -> Result<(), Error> {
        match self {
            Self::Live(live) => live.account(place).await?.terminate_session(session).await,
            Self::Simulated(account) => account.end_session(place, session),
        }
    }

    /// Puts a policy into a role, in place of the one of that name.
    pub async fn put_role_policy(
        &self,
        place: &Place,
        role: &RoleArn,
        name: &str,
        document: &str,
    ) -> Result<(), Error> {
        match self {
            Self::Live(live) => live.account(place).await?.put_role_policy(role, name, document).await,
            Self::Simulated(account) => account.put_role_policy(place, role, name, document),
        }
    }

    /// How often AWS was asked so far, by the name of the call, all places together.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        match self {
            Self::Live(live) => {
                let mut calls = BTreeMap::new();
                for (call, count) in live.accounts().values().flat_map(Account::calls) {
                    *calls.entry(call).or_default() += count;
                }
                calls
            }
            Self::Simulated(account) => account.calls(),
        }
    }

    /// What an operator may want to know and nothing depends on.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::Live(live) => live.accounts().values().flat_map(Account::notes).collect(),
            Self::Simulated(_) => Vec::new(),
        }
    }
}

fn unseen(place: &Place, groups: &[SecurityGroupId], error: &Error) -> Inventory {
    let call = GapSource::Call(Call::SecurityGroups);
    let (source, why) = match error.cause() {
        Cause::Unconfigured => (GapSource::Configuration, error.to_string()),
        Cause::NoCredentials => (call, format!("{}{error}", Gap::NO_CREDENTIALS)),
        _ => (call, error.to_string()),
    };
    let gap = Gap { source, place: place.clone(), groups: groups.to_vec(), why };
    Inventory { gaps: vec![gap], ..Inventory::default() }
}

fn cut_short(place: &Place, groups: &[SecurityGroupId]) -> Inventory {
    let gap = Gap { groups: groups.to_vec(), ..Gap::of(Call::SecurityGroups, place, "it was truncated") };
    Inventory { gaps: vec![gap], ..Inventory::default() }
}

/// The accounts that were asked for so far.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<Mutex<BTreeMap<Place, Account>>>);

/// Reading a configuration asks the network only for the Region of an EC2 instance.
const CONNECTING: Duration = Duration::from_secs(10);

impl Live {
    /// The account behind a place. One that could not be connected is tried again the next time.
    async fn account(&self, place: &Place) -> Result<Account, Error> {
        if let Some(account) = self.accounts().get(place) {
            return Ok(account.clone());
        }
        let connecting = tokio::time::timeout(CONNECTING, Account::connect(place)).await;
        let account = connecting.unwrap_or_else(|_| Err(Error::NoRegion(place.clone())))?;
        Ok(self.accounts().entry(place.clone()).or_insert(account).clone())
    }

    fn accounts(&self) -> MutexGuard<'_, BTreeMap<Place, Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
