//! The interface to AWS: the accounts that a policy names, or a simulated one in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorward_aws::{Account, Error, LocateError, Located, Made, Performed, Progress, Simulated};
use doorward_core::inventory::{
    AccountRegion, Call, Cause, Gap, GapSource, ImageId, Inventory, RuleIdentity, SecurityGroupId,
};
use doorward_core::plan::Step;
use doorward_core::plan::network::Quota;
use doorward_core::policy::{Address, Enforcement, Firewall, RoleArn};
use doorward_core::session::OpenSession;
use tokio::task::JoinSet;

/// The groups to look at, by the account and Region through which each is reached.
pub type Groups = BTreeMap<AccountRegion, BTreeSet<SecurityGroupId>>;

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

    /// What is known of these groups, all accounts and Regions at once. It takes as long as the slowest of them: who
    /// must not wait for another Region asks [`Self::observe_at`] for each.
    pub async fn observe(&self, groups: &Groups) -> Inventory {
        let mut account_regions = JoinSet::new();
        let mut seen = BTreeMap::new();
        for (account_region, groups) in groups {
            let (cloud, account_region) = (self.clone(), account_region.clone());
            let groups: Vec<SecurityGroupId> = groups.iter().cloned().collect();
            // Whatever becomes of the task, its groups are not forgotten: unseen is not gone.
            seen.insert(account_region.clone(), cut_short(&account_region, &groups));
            account_regions.spawn(async move {
                let inventory = cloud.observe_at(&account_region, &groups).await;
                (account_region, inventory)
            });
        }
        while let Some(observed) = account_regions.join_next().await {
            seen.extend(observed.ok());
        }
        let mut whole = Inventory::default();
        for inventory in seen.into_values() {
            whole.merge(inventory);
        }
        whole
    }

    /// What is known of these groups, which are all in one account and Region. Never fails: what cannot be seen is a
    /// gap.
    pub async fn observe_at(&self, account_region: &AccountRegion, groups: &[SecurityGroupId]) -> Inventory {
        match self {
            Self::Live(live) => match live.account(account_region).await {
                Ok(account) => account.observe(groups).await,
                Err(error) => unseen(account_region, groups, &error),
            },
            Self::Simulated(account) => account.observe(account_region, groups),
        }
    }

    /// Everything in these accounts and Regions, all of them at once. Never fails: what cannot be seen is a gap.
    ///
    /// Progress is told of all accounts and Regions together. An account in memory holds what it holds, wherever it is
    /// asked.
    pub async fn survey(
        &self,
        account_regions: &BTreeSet<AccountRegion>,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Inventory {
        let live = match self {
            Self::Live(live) => live,
            Self::Simulated(account) => return account.inventory(),
        };
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let mut seen = BTreeMap::new();
        for account_region in account_regions {
            let (live, account_region, tell) = (live.clone(), account_region.clone(), tell.clone());
            seen.insert(account_region.clone(), cut_short(&account_region, &[]));
            tasks.spawn(async move {
                let inventory = match live.account(&account_region).await {
                    // Who no longer listens has stopped the survey, too.
                    Ok(account) => {
                        account.survey(&|far| drop(tell.send((account_region.clone(), far)))).await
                    }
                    Err(error) => unseen(&account_region, &[], &error),
                };
                (account_region, inventory)
            });
        }
        drop(tell);
        let mut far: BTreeMap<AccountRegion, Progress> = BTreeMap::new();
        while let Some((account_region, news)) = told.recv().await {
            far.insert(account_region, news);
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

    /// The same, one account and Region after another, with one call at a time to each service: for who has time, and few
    /// descriptors.
    pub async fn survey_slowly(&self, account_regions: &BTreeSet<AccountRegion>) -> Inventory {
        let live = match self {
            Self::Live(live) => live,
            Self::Simulated(account) => return account.inventory(),
        };
        let mut whole = Inventory::default();
        for account_region in account_regions {
            whole.merge(match live.account(account_region).await {
                Ok(account) => account.survey_slowly().await,
                Err(error) => unseen(account_region, &[], &error),
            });
        }
        whole
    }

    /// Where people outside connect to a target.
    pub async fn endpoint(
        &self,
        account_region: &AccountRegion,
        address: &Address,
    ) -> Result<Located, LocateError> {
        match self {
            Self::Live(live) => live.account(account_region).await?.endpoint(address).await,
            Self::Simulated(account) => {
                Located::in_inventory(&account.inventory(), address).ok_or_else(|| LocateError::Missing {
                    what: address.clone(),
                    account_region: account_region.clone(),
                })
            }
        }
    }

    /// The quotas of an account and Region that networks count against, as far as they can be read.
    pub async fn quotas(&self, account_region: &AccountRegion) -> BTreeMap<Quota, u32> {
        let Self::Live(live) = self else { return BTreeMap::new() };
        let Ok(account) = live.account(account_region).await else { return BTreeMap::new() };
        let coded = |quota: Quota| Some((quota, (quota.service(), quota.code()?)));
        // A survey has read that of rules.
        let others = Quota::ALL.into_iter().filter(|quota| *quota != Quota::Rules);
        let coded: Vec<_> = others.filter_map(coded).collect();
        let asked: Vec<_> = coded.iter().map(|(_, code)| *code).collect();
        let values = account.quotas(&asked).await;
        coded.into_iter().filter_map(|(quota, code)| Some((quota, *values.get(&code)?))).collect()
    }

    /// The images that parameters of Systems Manager name in an account and Region, as far as they can be read.
    pub async fn images(
        &self,
        account_region: &AccountRegion,
        parameters: &BTreeSet<String>,
    ) -> BTreeMap<String, ImageId> {
        let Self::Live(live) = self else { return BTreeMap::new() };
        if parameters.is_empty() {
            return BTreeMap::new();
        }
        match live.account(account_region).await {
            Ok(account) => account.images(parameters).await,
            Err(_) => BTreeMap::new(),
        }
    }

    /// Performs one step on a group in that account and Region.
    pub async fn perform(&self, account_region: &AccountRegion, step: &Step) -> Result<Performed, Error> {
        match self {
            Self::Live(live) => live.account(account_region).await?.perform(step).await,
            Self::Simulated(account) => account.perform(account_region, step),
        }
    }

    /// Performs one step on a group in that account and Region, and says which rules it made, also where it fails in
    /// the middle.
    pub async fn perform_noting(
        &self,
        account_region: &AccountRegion,
        step: &Step,
        made: &mut Vec<Made>,
    ) -> Result<Performed, Error> {
        match self {
            Self::Live(live) => live.account(account_region).await?.perform_noting(step, made).await,
            Self::Simulated(account) => account.perform_noting(account_region, step, made),
        }
    }

    /// Closes rules of a group that could not be observed, by what they let through.
    pub async fn close_blind(
        &self,
        account_region: &AccountRegion,
        group: &SecurityGroupId,
        rules: &[RuleIdentity],
    ) -> Result<Performed, Error> {
        match self {
            Self::Live(live) => live.account(account_region).await?.close_blind(group, rules).await,
            Self::Simulated(account) => account.close_blind(account_region, group, rules),
        }
    }

    /// Whether rules of a group may be taken away: an error only where the permission lacks, and nothing is changed.
    pub async fn may_revoke(
        &self,
        account_region: &AccountRegion,
        group: &SecurityGroupId,
    ) -> Result<(), Error> {
        match self {
            Self::Live(live) => live.account(account_region).await?.may_revoke(group).await,
            Self::Simulated(account) => account.may_revoke(account_region),
        }
    }

    /// The sessions that are open in an account and Region, whoever started them.
    pub async fn open_sessions(&self, account_region: &AccountRegion) -> Result<Vec<OpenSession>, Error> {
        match self {
            Self::Live(live) => live.account(account_region).await?.open_sessions().await,
            Self::Simulated(account) => Ok(account.open_sessions()),
        }
    }

    /// Ends a session in that account and Region; one that has ended already is no error.
    pub async fn end_session(&self, account_region: &AccountRegion, session: &str) -> Result<(), Error> {
        match self {
            Self::Live(live) => live.account(account_region).await?.terminate_session(session).await,
            Self::Simulated(account) => account.end_session(account_region, session),
        }
    }

    /// Puts a policy into a role, in place of the one of that name.
    pub async fn put_role_policy(
        &self,
        account_region: &AccountRegion,
        role: &RoleArn,
        name: &str,
        document: &str,
    ) -> Result<(), Error> {
        match self {
            Self::Live(live) => {
                live.account(account_region).await?.put_role_policy(role, name, document).await
            }
            Self::Simulated(account) => account.put_role_policy(account_region, role, name, document),
        }
    }

    /// How often AWS was asked so far, by the name of the call, all accounts and Regions together.
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

fn unseen(account_region: &AccountRegion, groups: &[SecurityGroupId], error: &Error) -> Inventory {
    let call = GapSource::Call(Call::SecurityGroups);
    let (source, why) = match error.cause() {
        Cause::Unconfigured => (GapSource::Configuration, error.to_string()),
        Cause::NoCredentials => (call, format!("{}{error}", Gap::NO_CREDENTIALS)),
        _ => (call, error.to_string()),
    };
    let gap = Gap { source, account_region: account_region.clone(), groups: groups.to_vec(), why };
    Inventory { gaps: vec![gap], ..Inventory::default() }
}

fn cut_short(account_region: &AccountRegion, groups: &[SecurityGroupId]) -> Inventory {
    let gap =
        Gap { groups: groups.to_vec(), ..Gap::of(Call::SecurityGroups, account_region, "it was truncated") };
    Inventory { gaps: vec![gap], ..Inventory::default() }
}

/// The accounts that were asked for so far.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<Mutex<BTreeMap<AccountRegion, Account>>>);

/// Reading a configuration asks the network only for the Region of an EC2 instance.
const CONNECTING: Duration = Duration::from_secs(10);

impl Live {
    /// The account behind an account and Region. One that could not be connected is tried again the next time.
    async fn account(&self, account_region: &AccountRegion) -> Result<Account, Error> {
        if let Some(account) = self.accounts().get(account_region) {
            return Ok(account.clone());
        }
        let connecting = tokio::time::timeout(CONNECTING, Account::connect(account_region)).await;
        let account = connecting.unwrap_or_else(|_| Err(Error::NoRegion(account_region.clone())))?;
        Ok(self.accounts().entry(account_region.clone()).or_insert(account).clone())
    }

    fn accounts(&self) -> MutexGuard<'_, BTreeMap<AccountRegion, Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
