//! Looks at everything in an account that an inventory holds: never fails, since what cannot be seen is a gap.

mod calls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use doorward_core::inventory::{AccountRegion, Call, Inventory};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::account::Account;
use crate::connection::patiently;
use crate::error::{Error, Failure};
use crate::observe::{ALL_PAGES, AT_ONCE};
use crate::operation::{DescribeAvailabilityZones, Operation, Paged};
use crate::reading::{Member, Reader};

/// How far a survey is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many calls have been answered, or given up.
    pub done: usize,
    /// How many are known to be needed; each load balancer, cluster or proxy that is found needs some more.
    pub of: usize,
    /// Whose answer came last.
    pub call: Call,
}

/// How long the account's id is waited for: STS has no way into many private networks.
const IDENTITY_WAITS: Duration = Duration::from_secs(5);

impl Account {
    /// Everything of this account and Region: all calls of [`Call::ALL`], all their pages.
    ///
    /// A call that is denied or fails is one [`Gap`](doorward_core::inventory::Gap), however many things it was asked
    /// for, and stops no other. Everything that is found bears the account's id, where that could be learnt, and the
    /// Region's name. To stop, drop it.
    pub async fn survey(&self, progress: &(dyn Fn(Progress) + Send + Sync)) -> Inventory {
        self.survey_with(AT_ONCE, progress).await
    }

    /// The same with one call at a time to each service: it takes longer, and holds few connections.
    pub async fn survey_slowly(&self) -> Inventory {
        self.survey_with(1, &|_| {}).await
    }

    async fn survey_with(&self, at_once: usize, progress: &(dyn Fn(Progress) + Send + Sync)) -> Inventory {
        let unreachable = self.unreachable().await;
        let account_region = |account| AccountRegion {
            profile: self.account_region().profile.clone(),
            region: Some(self.region().to_owned()),
            account,
        };
        if let Some(why) = unreachable {
            let mut survey = Survey::of(self.clone(), account_region(None), at_once);
            Call::ALL.iter().for_each(|call| survey.fail(*call, why.clone()));
            return survey.finish();
        }
        let identity = tokio::time::timeout(IDENTITY_WAITS, self.identity());
        let (identity, quota) = tokio::join!(identity, self.quota());
        let account = identity.ok().and_then(Result::ok).and_then(|identity| identity.account.parse().ok());
        let account_region = account_region(account);
        let mut survey = Survey::of(self.clone(), account_region.clone(), at_once);
        survey.everything();
        while let Some((call, handler)) = survey.next().await {
            handler(&mut survey);
            survey.done += 1;
            progress(Progress { done: survey.done, of: survey.asked, call });
        }
        let mut inventory = survey.finish();
        inventory.rules_per_group.extend(quota.map(|quota| (account_region, quota)));
        inventory
    }

    /// Why neither STS nor EC2 answers a single attempt: then nobody waits for all attempts of all calls, which would fail
    /// alike. An answer that says no is one.
    async fn unreachable(&self) -> Option<String> {
        let once = self.trying_once();
        if !matches!(once.identity().await, Err(Error::Silent { .. })) {
            return None;
        }
        match once.0.connection.call(&DescribeAvailabilityZones::default()).await {
            Err(Failure::Silent(why)) => Some(why),
            _ => None,
        }
    }
}

/// What is to be done with an answer: it is taken in, and what it asks for in turn is asked.
type AnswerHandler = Box<dyn FnOnce(&mut Survey) + Send>;

struct Survey {
    account: Account,
    reader: Reader,
    /// A few calls at once to each service, since each counts by itself how many it gets.
    at_once: usize,
    turns: BTreeMap<&'static str, Arc<Semaphore>>,
    calls: JoinSet<AnswerHandler>,
    /// Which call a task makes, also when it never ends.
    names: BTreeMap<tokio::task::Id, Call>,
    asked: usize,
    done: usize,
    /// Why a call gave no answer, and how often.
    failed: BTreeMap<Call, (String, usize)>,
}

impl Survey {
    fn of(account: Account, account_region: AccountRegion, at_once: usize) -> Self {
        Self {
            account,
            reader: Reader::new(account_region),
            at_once,
            turns: BTreeMap::new(),
            calls: JoinSet::new(),
            names: BTreeMap::new(),
            asked: 0,
            done: 0,
            failed: BTreeMap::new(),
        }
    }

    /// Asks for all members of a kind, which say themselves whose they are.
    fn ask<O>(&mut self, operation: O)
    where
        O: Paged + Clone + Send + Sync,
        O::Item: Member + Send + 'static,
    {
        self.all(O::Item::CALL, operation, |survey, members| survey.reader.take(&members));
    }

    /// Asks for all pages.
    fn all<O>(
        &mut self,
        call: Call,
        operation: O,
        take: impl FnOnce(&mut Self, Vec<O::Item>) + Send + 'static,
    ) where
        O: Paged + Clone + Send + Sync,
        O::Item: Send + 'static,
    {
        let account = self.account.clone();
        let pages = async move { patiently(|| account.pages(operation.clone())).await };
        self.spawn::<O, _>(call, pages, take);
    }

    /// Asks for an answer that has no pages.
    fn one<O>(&mut self, call: Call, operation: O, take: impl FnOnce(&mut Self, O::Answer) + Send + 'static)
    where
        O: Operation + Send + Sync,
    {
        let account = self.account.clone();
        let answer = async move { patiently(|| account.0.connection.call(&operation)).await };
        self.spawn::<O, _>(call, answer, take);
    }

    fn spawn<O: Operation, A: Send + 'static>(
        &mut self,
        call: Call,
        answer: impl Future<Output = Result<A, Failure>> + Send + 'static,
        take: impl FnOnce(&mut Self, A) + Send + 'static,
    ) {
        let service = self.turns.entry(O::SERVICE.signing_name());
        let at_once = self.at_once;
        let turns = Arc::clone(service.or_insert_with(|| Arc::new(Semaphore::new(at_once))));
        self.asked += 1;
        let task = self.calls.spawn(async move {
            // The semaphore is never closed, and a call without a turn is better than a lost one.
            let _turn = turns.acquire().await.ok();
            let late = || Failure::Silent(format!("it took longer than {} seconds", ALL_PAGES.as_secs()));
            let answer = tokio::time::timeout(ALL_PAGES, answer).await.unwrap_or_else(|_| Err(late()));
            let handler: AnswerHandler = match answer {
                Ok(answer) => Box::new(move |survey| take(survey, answer)),
                Err(failure) => Box::new(move |survey| survey.fail(call, failure.why())),
            };
            handler
        });
        self.names.insert(task.id(), call);
    }

    /// The next answer, of whatever call; none when there is nothing left to wait for.
    async fn next(&mut self) -> Option<(Call, AnswerHandler)> {
        let (id, handler) = match self.calls.join_next_with_id().await? {
            Ok((id, handler)) => (id, Some(handler)),
            Err(error) => (error.id(), None),
        };
        // Every task was named when it was spawned.
        let call = self.names.remove(&id)?;
        let cut_short =
            || -> AnswerHandler { Box::new(move |survey| survey.fail(call, "it was cut short".to_owned())) };
        Some((call, handler.unwrap_or_else(cut_short)))
    }

    fn fail(&mut self, call: Call, why: String) {
        let (_, times) = self.failed.entry(call).or_insert((why, 0));
        *times += 1;
    }

    fn finish(mut self) -> Inventory {
        for (call, (why, times)) in std::mem::take(&mut self.failed) {
            let why = if times == 1 { why } else { format!("{why} ({times} times)") };
            self.reader.gap(call, why);
        }
        let mut inventory = self.reader.finish();
        // Answers come in any order; what is told of them does not.
        inventory
            .gaps
            .sort_by(|one, other| (one.source.text(), &one.why).cmp(&(other.source.text(), &other.why)));
        inventory
    }
}
