//! Proves the intents of the policy on the live account, again and again while the server runs, and alarms.
//!
//! The task has its own connections and its own share of the descriptors, and nothing waits for it: neither a request nor a
//! revocation. An account that cannot be read makes an intent undecided, never kept.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use doorward_core::audit::{Event, What, Who};
use doorward_core::inventory::{AccountRegion, Inventory, RuleIdentity, SecurityGroupId};
use doorward_core::policy::{Enforcement, Intent, IntentKind, Policy};
use doorward_core::reach::{Outcome, Proof, Reachability, prove};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::answer_text::{blocker, folded, hops};
use crate::cloud::Cloud;
use crate::few_threads::FewThreads;
use crate::requests::Requests;
use crate::status::{IntentOutcome, IntentReport, IntentState, Status};
use crate::store::in_time;

/// How long reading the account may take, and how long proving all intents.
const READS: Duration = Duration::from_secs(600);
const PROVES: Duration = Duration::from_secs(600);
/// How many events are kept until they can be recorded.
const UNRECORDED: usize = 100;

/// When the intents are proved.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// After the last time, whatever happens.
    pub every: Duration,
    /// After the first change of a security group: others usually follow.
    pub after_change: Duration,
    /// The least between two times.
    pub least: Duration,
}

impl Default for Rhythm {
    /// Reading an account takes some forty calls: often enough for an alarm, and rare beside what EC2 allows.
    fn default() -> Self {
        Self {
            every: Duration::from_secs(3600),
            after_change: Duration::from_secs(30),
            least: Duration::from_secs(300),
        }
    }
}

/// What shows the outcome of a proof: the path, the blockers, or what could not be read.
pub fn why(intent: &Intent, proof: &Proof) -> Vec<String> {
    let mut lines = Vec::new();
    match &proof.outcome {
        Outcome::Kept => {}
        Outcome::Empty(why) => lines.push(why.clone()),
        Outcome::Undecided(why) => lines.extend(why.iter().map(|why| format!("undecided: {why}"))),
        Outcome::Broken => {
            let Some((_, _, answer)) = &proof.asked else { return lines };
            match intent.kind {
                IntentKind::Never => {
                    lines.push(format!("allowed: {}", folded(&answer.flows)));
                    lines.extend(hops(&answer.hops).into_iter().map(|hop| format!("  {hop}")));
                }
                IntentKind::Always => {
                    let blocked = answer.blockers.iter().flat_map(|found| blocker(found, None));
                    lines.push("blocked by".to_owned());
                    lines.extend(blocked.map(|line| format!("  {line}")));
                }
            }
        }
    }
    lines
}

/// Proves the intents for as long as it is let. `connect` is called for each time, so that no connection stays open between.
pub async fn keep_proving(requests: Arc<Requests>, connect: impl Fn() -> Cloud, rhythm: Rhythm) {
    let mut passes = requests.app().nudge().changes();
    let mut prover = Prover { requests, threads: FewThreads::new(1), unrecorded: VecDeque::new() };
    loop {
        let begun = Instant::now();
        let basis = Basis::of(&prover.requests.app().loaded().policy, &passes.borrow_and_update().clone());
        prover.prove_all(&connect()).await;
        prover.due(basis, &mut passes, begun, rhythm).await;
    }
}

/// What the last proofs were made from, as far as the server knows it by itself.
#[derive(Debug, PartialEq, Eq)]
struct Basis {
    intents: Vec<Intent>,
    account_regions: BTreeSet<AccountRegion>,
    rules: BTreeMap<SecurityGroupId, Vec<RuleIdentity>>,
}

impl Basis {
    fn of(policy: &Policy, status: &Status) -> Self {
        let groups = status.inventory.groups.values();
        let rules = groups.map(|group| (group.id.clone(), group.rules.keys().cloned().collect()));
        Self {
            intents: policy.intents.clone(),
            account_regions: account_regions(policy),
            rules: rules.collect(),
        }
    }

    /// Whether a later one differs. A security group that could not be read in between did not change.
    fn is_outdated(&self, later: &Self) -> bool {
        let changed = |(group, rules): (&SecurityGroupId, &Vec<RuleIdentity>)| {
            self.rules.get(group).is_some_and(|it| it != rules)
        };
        self.intents != later.intents
            || self.account_regions != later.account_regions
            || later.rules.iter().any(changed)
    }
}

/// The accounts and Regions of a policy: of its networks and of its security groups, or else the one of `[aws]`.
pub fn account_regions(policy: &Policy) -> BTreeSet<AccountRegion> {
    let networks = policy.topology.networks.values().map(|network| network.at.clone());
    let groups = policy.firewalls.values().filter_map(|firewall| match &firewall.kind {
        Enforcement::SecurityGroup { at, .. } => Some(at.clone()),
        Enforcement::Nftables { .. } | Enforcement::Relay { .. } => None,
    });
    let all: BTreeSet<AccountRegion> = networks.chain(groups).collect();
    if all.is_empty() { BTreeSet::from([policy.aws.clone()]) } else { all }
}

struct Prover {
    requests: Arc<Requests>,
    threads: FewThreads,
    /// Events that the store has not taken yet.
    unrecorded: VecDeque<Event>,
}

impl Prover {
    /// Waits until the intents are to be proved again.
    async fn due(
        &mut self,
        mut basis: Basis,
        passes: &mut watch::Receiver<Arc<Status>>,
        begun: Instant,
        rhythm: Rhythm,
    ) {
        let mut at = Instant::now() + rhythm.every;
        loop {
            tokio::select! {
                () = sleep_until(at) => return,
                Ok(()) = passes.changed() => {
                    let later = Basis::of(&self.requests.app().loaded().policy, &passes.borrow_and_update().clone());
                    if basis.is_outdated(&later) {
                        at = at.min((Instant::now() + rhythm.after_change).max(begun + rhythm.least));
                    }
                    basis.rules.extend(later.rules);
                    self.record().await;
                }
            }
        }
    }

    async fn prove_all(&mut self, cloud: &Cloud) {
        let policy = Arc::clone(&self.requests.app().loaded().policy);
        let now = || self.requests.app().clock().now();
        let before = Arc::clone(&self.requests.app().intents().borrow());
        if policy.intents.is_empty() {
            self.requests
                .app()
                .intents()
                .send_replace(Arc::new(IntentReport { at: Some(now()), each: Vec::new() }));
            return;
        }
        let read = tokio::time::timeout(READS, cloud.survey_slowly(&account_regions(&policy))).await;
        let proved = match read {
            Ok(inventory) => self.proved(&policy, inventory).await,
            Err(_) => Err(format!("reading the account took longer than {} minutes", READS.as_secs() / 60)),
        };
        let at = now();
        let proved = proved.unwrap_or_else(|why| {
            policy
                .intents
                .iter()
                .map(|intent| state(intent, IntentOutcome::Undecided, vec![why.clone()]))
                .collect()
        });
        let each = proved.into_iter().map(|state| self.follows(&before, state, at)).collect();
        self.requests.app().intents().send_replace(Arc::new(IntentReport { at: Some(at), each }));
        self.record().await;
    }

    /// The outcome of each intent. Preparing a large account takes seconds of a CPU, on a thread of its own.
    async fn proved(&self, policy: &Arc<Policy>, inventory: Inventory) -> Result<Vec<IntentState>, String> {
        let policy = Arc::clone(policy);
        let prove_all = move || {
            let reach = Reachability::of(inventory);
            let proved = policy.intents.iter().map(|intent| {
                let proof = prove(intent, &reach);
                let outcome = match proof.outcome {
                    Outcome::Kept | Outcome::Empty(_) => IntentOutcome::Kept,
                    Outcome::Broken => IntentOutcome::Broken,
                    Outcome::Undecided(_) => IntentOutcome::Undecided,
                };
                state(intent, outcome, why(intent, &proof))
            });
            proved.collect()
        };
        self.threads.read(PROVES, prove_all).await.map_err(|error| error.to_string())
    }

    /// A state after the last one: alarms when an intent breaks, and says when it is kept again.
    fn follows(&mut self, before: &IntentReport, state: IntentState, at: Timestamp) -> IntentState {
        let last = before.each.iter().find(|it| it.intent == state.intent);
        let was_broken = last.and_then(|it| it.broken_since);
        let IntentState { intent, reason, outcome, why, .. } = &state;
        let told = why.join("; ");
        let broken_since = match outcome {
            IntentOutcome::Broken => {
                tracing::error!(intent, reason, why = told, "intent broken");
                if was_broken.is_none() {
                    let (intent, reason, why) = (intent.clone(), reason.clone(), why.clone());
                    self.note(at, What::IntentBroken { intent, reason, why });
                }
                Some(was_broken.unwrap_or(at))
            }
            IntentOutcome::Undecided => {
                if last.is_none_or(|it| it.outcome != IntentOutcome::Undecided) {
                    tracing::warn!(intent, why = told, "intent undecided");
                }
                was_broken
            }
            IntentOutcome::Kept => {
                if was_broken.is_some() {
                    tracing::info!(intent, "intent kept again");
                    self.note(at, What::IntentKept { intent: intent.clone() });
                }
                None
            }
        };
        IntentState { broken_since, ..state }
    }

    fn note(&mut self, at: Timestamp, what: What) {
        if self.unrecorded.len() == UNRECORDED {
            self.unrecorded.pop_front();
        }
        self.unrecorded.push_back(Event::new(at, Who::Doorward, what));
    }

    /// Records what is not recorded yet; a store that does not answer is tried again after the next pass.
    async fn record(&mut self) {
        if self.unrecorded.is_empty() {
            return;
        }
        let events: Vec<Event> = self.unrecorded.iter().cloned().collect();
        match in_time(self.requests.record(events)).await {
            Ok(()) => self.unrecorded.clear(),
            Err(error) => tracing::error!(%error, "could not record that an intent is broken or kept again"),
        }
    }
}

fn state(intent: &Intent, outcome: IntentOutcome, why: Vec<String>) -> IntentState {
    let (intent, reason) = (intent.to_string(), intent.reason.clone());
    IntentState { intent, reason, outcome, why, broken_since: None }
}

#[cfg(test)]
mod tests;
