//! The security groups of one account and Region: what a pass does to them, in a separate task.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use doorward_aws::{Error, Made, Performed};
use doorward_core::firewall::{InstallationId, Ruleset};
use doorward_core::grant::GrantId;
use doorward_core::inventory::{
    AccountRegion, Call, Direction, ExistingRule, Gap, Inventory, Owned, RuleIdentity, SecurityGroup,
    SecurityGroupId, SecurityGroupRuleId, Seen, VpcId,
};
use doorward_core::plan::{self, Step};
use doorward_core::policy::FirewallName;
use tokio::task::JoinSet;

use super::credentials::Denied;
use super::desired::DesiredGroup;
use super::drift::drift;
use super::noted::Noted;
use super::permissions::Tried;
use super::sessions::Looked;
use super::since::Read;
use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::firewall::Outcome;

/// An account and Region as it is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// As it was last seen, and changed by us since. What could not be seen is a gap, and is kept as it was.
    pub inventory: Arc<Inventory>,
    /// Groups that the last task left exactly as wanted: what differs from that is drift.
    pub clean: BTreeSet<SecurityGroupId>,
    /// What the newest pass wants, which may be newer than the task that is at work.
    pub newest: Newest,
    /// Rules that were revoked in groups that could not be read, so that they do not count as existing.
    pub closed: BTreeMap<SecurityGroupId, BTreeSet<RuleIdentity>>,
}

/// What is wanted in each group of an account and Region by the newest decision; a task that began before it looks here
/// right before it opens anything.
#[derive(Debug, Clone, Default)]
pub(super) struct Newest(Arc<Mutex<BTreeMap<SecurityGroupId, BTreeSet<RuleIdentity>>>>);

impl Newest {
    /// Takes the newest decision.
    pub fn set(&self, desired_groups: &[DesiredGroup]) {
        let wanted = desired_groups.iter().map(|desired| (desired.group.clone(), desired.wanted())).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
    }

    /// Whether it wants a rule.
    pub fn wants(&self, group: &SecurityGroupId, rule: &RuleIdentity) -> bool {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        newest.get(group).is_some_and(|wanted| wanted.contains(rule))
    }
}

impl Known {
    /// An account and Region that was asked and has not answered yet.
    pub fn unasked(account_region: &AccountRegion, groups: Vec<SecurityGroupId>) -> Inventory {
        let gap = Gap { groups, ..Gap::of(Call::SecurityGroups, account_region, "it has not answered yet") };
        Inventory { gaps: vec![gap], ..Inventory::default() }
    }
}

/// What one task has to do.
#[derive(Debug)]
pub(super) struct Work {
    pub cloud: Cloud,
    pub clock: Clock,
    pub account_region: AccountRegion,
    /// The nudges that had come before it was decided.
    pub covers: u64,
    pub by: InstallationId,
    pub desired_groups: Vec<DesiredGroup>,
    pub known: Known,
    pub read: Read,
    pub noted: Noted,
}

/// What one task did.
#[derive(Debug)]
pub(super) enum Done {
    /// An account and Region was reconciled, as far as that went.
    Brought {
        account_region: AccountRegion,
        covers: u64,
        known: Known,
        desired_groups: Vec<(DesiredGroup, Outcome)>,
    },
    /// Expired rules were revoked in a group whose account and Region is still being reconciled.
    Closed {
        account_region: AccountRegion,
        desired: Box<DesiredGroup>,
        outcome: Outcome,
        /// The rules whose removal was sent, and those of them that AWS has removed.
        sent: Vec<RuleIdentity>,
        gone: Vec<RuleIdentity>,
    },
    /// The tables of this machine's nftables were brought to what is wanted, as far as that went.
    Tables {
        covers: u64,
        outcomes: BTreeMap<FirewallName, Outcome>,
        /// Ended grants that are settled once their table is as wanted.
        settles: Vec<(FirewallName, GrantId)>,
    },
    /// Sessions were looked for that have outlived their grant.
    Looked(Box<Looked>),
    /// What a revocation needs of AWS was tried.
    Tried(Box<Tried>),
    /// The policy of a role that denies credentials was written.
    Denied(Box<Denied>),
}

/// How many groups of an account and Region are written to at once; EC2 allows few writes a second.
const AT_ONCE: usize = 8;

impl Work {
    /// Revokes expired rules from the last known state, observes, and reconciles every group to its ruleset.
    pub async fn bring(self) -> Done {
        let Self { cloud, clock, account_region, covers, by, desired_groups, known, read, noted } = self;
        let hand = Hand { cloud, clock, account_region, newest: known.newest, noted };
        let mut outcomes = vec![Outcome::default(); desired_groups.len()];
        let mut before = known.inventory;
        let ids = hand.noted.ids();
        if before.noted != ids {
            Arc::make_mut(&mut before).noted = ids;
        }

        // A revocation waits for nothing, not even for a poll.
        let over = desired_groups
            .iter()
            .enumerate()
            .map(|(number, desired)| (number, Job::Close(expired_rules(&before, desired, &by))));
        let over = over.filter(|(_, job)| !job.is_empty()).collect();
        for (number, done) in perform(&hand, &desired_groups, over).await {
            let (Some(desired), Some(outcome)) = (desired_groups.get(number), outcomes.get_mut(number))
            else {
                continue;
            };
            note(desired, done, outcome, &mut Arc::make_mut(&mut before).groups);
        }

        let groups: Vec<SecurityGroupId> =
            desired_groups.iter().map(|desired| desired.group.clone()).collect();
        let mut seen = hand.cloud.observe_at(&hand.account_region, &groups).await;
        hand.noted.take_in(&mut seen, &by, hand.clock.now());
        let mut jobs = Vec::new();
        for (number, (desired, outcome)) in desired_groups.iter().zip(&mut outcomes).enumerate() {
            let job = match seen.group(&desired.group) {
                Seen::There(group) => {
                    let steps = steps(&seen, group, desired, &by, outcome);
                    let steps = read.spare(steps, group, hand.clock.now()).await;
                    if let Some(left) =
                        before.groups.get(&desired.group).filter(|_| known.clean.contains(&desired.group))
                    {
                        outcome.drift = drift(&seen, group, left, &by, desired, &steps, &hand.newest);
                    }
                    Job::Steps(steps)
                }
                Seen::Gone => {
                    // One that the policy has forgotten is as it should be when it is gone.
                    outcome.failed = desired.firewall.as_ref().map(|_| {
                        format!(
                            "security group {} does not exist in {}",
                            desired.group, desired.account_region
                        )
                    });
                    continue;
                }
                Seen::Unseen(gap) => {
                    outcome.failed = Some(gap.to_string());
                    // What was known was closed above. Without that, by what the ended grants had opened.
                    let known = before.groups.contains_key(&desired.group);
                    Job::Close(
                        desired.expired.iter().filter(|_| !known).map(|rule| (rule.clone(), None)).collect(),
                    )
                }
            };
            if !job.is_empty() {
                jobs.push((number, job));
            }
        }
        // A group that could not be read keeps its last known state: the next revocation needs that.
        for desired in &desired_groups {
            if let (Seen::Unseen(_), Some(known)) =
                (seen.group(&desired.group), before.groups.get(&desired.group))
            {
                seen.groups.entry(desired.group.clone()).or_insert_with(|| known.clone());
            }
        }
        let mut closed = known.closed;
        closed.retain(|group, _| matches!(seen.group(group), Seen::Unseen(_)));
        for (number, done) in perform(&hand, &desired_groups, jobs).await {
            let (Some(desired), Some(outcome)) = (desired_groups.get(number), outcomes.get_mut(number))
            else {
                continue;
            };
            if let Did::Closed(done) = &done {
                let gone =
                    done.iter().filter(|(_, result)| result.is_ok()).flat_map(|(rules, _)| rules.clone());
                closed.entry(desired.group.clone()).or_default().extend(gone);
            }
            note(desired, done, outcome, &mut seen.groups);
        }
        let good = desired_groups.iter().zip(&outcomes).filter(|(_, outcome)| outcome.failed.is_none());
        let clean = good.map(|(desired, _)| desired.group.clone()).collect();
        seen.noted = hand.noted.ids();
        hand.noted.write(&seen, hand.clock.now()).await;
        let Hand { account_region, newest, .. } = hand;
        let known = Known { inventory: Arc::new(seen), clean, newest, closed };
        Done::Brought {
            account_region,
            covers,
            known,
            desired_groups: desired_groups.into_iter().zip(outcomes).collect(),
        }
    }
}

/// Revokes expired rules in one group whose account and Region is busy: it is slow, and a revocation does not wait.
pub(super) async fn close(
    cloud: Cloud,
    account_region: AccountRegion,
    desired: DesiredGroup,
    rules: Vec<Over>,
) -> Done {
    let mut outcome = Outcome::default();
    let sent = rules.iter().map(|(rule, _)| rule.clone()).collect();
    let mut gone = Vec::new();
    for (rules, result) in take_away(&cloud, &account_region, &desired.group, rules).await {
        match result {
            Ok(_) => gone.extend(rules),
            Err(error) => outcome.failed = Some(error.to_string()),
        }
    }
    outcome.removed = gone.iter().map(ToString::to_string).collect();
    Done::Closed { account_region, desired: Box::new(desired), outcome, sent, gone }
}

/// A rule that nothing wants any more, and the right to take it away by its id where that is known.
pub(super) type Over = (RuleIdentity, Option<Owned<SecurityGroupRuleId>>);

/// Our rules in a group, as it is known, that nothing wants any more.
pub(super) fn expired_rules(known: &Inventory, desired: &DesiredGroup, by: &InstallationId) -> Vec<Over> {
    let Some(group) = known.groups.get(&desired.group) else { return Vec::new() };
    let wanted = desired.wanted();
    let unwanted = group.rules.iter().filter(|(rule, _)| !wanted.contains(*rule));
    let inward = unwanted.filter(|(rule, _)| rule.direction == Direction::In);
    let over = inward.filter(|(_, existing)| known.made_by(existing, by));
    over.map(|(rule, existing)| (rule.clone(), known.owned(existing, by))).collect()
}

/// By their ids where those are known; a rule that was added just now is only known by what it lets through.
async fn take_away(
    cloud: &Cloud,
    account_region: &AccountRegion,
    group: &SecurityGroupId,
    rules: Vec<Over>,
) -> Vec<(Vec<RuleIdentity>, Result<Performed, Error>)> {
    let (mut by_id, mut blind) = (Vec::new(), Vec::new());
    for (rule, id) in rules {
        match id {
            Some(id) => by_id.push((id, rule)),
            None => blind.push(rule),
        }
    }
    let mut done = Vec::new();
    if !by_id.is_empty() {
        let rules = by_id.iter().map(|(_, rule)| rule.clone()).collect();
        let step = Step::Revoke { group: group.clone(), rules: by_id };
        done.push((rules, cloud.perform(account_region, &step).await));
    }
    if !blind.is_empty() {
        let result = cloud.close_blind(account_region, group, &blind).await;
        done.push((blind, result));
    }
    done
}

fn steps(
    seen: &Inventory,
    group: &SecurityGroup,
    desired: &DesiredGroup,
    by: &InstallationId,
    outcome: &mut Outcome,
) -> Vec<Step> {
    let wrong = desired.vpc.as_ref().filter(|vpc| group.vpc.as_ref() != Some(vpc));
    let ruleset = match wrong {
        None => desired.ruleset.clone(),
        // In doubt a group stays closed: what is ours there goes, and nothing is added.
        Some(vpc) => {
            let actual = group.vpc.as_ref().map_or("no VPC", VpcId::as_str);
            outcome.failed =
                Some(format!("security group {} is in {actual}, but the policy says {vpc}", desired.group));
            Ruleset::default()
        }
    };
    // One group at a time, so that one that cannot be brought to its rules holds up no other.
    let alone = Inventory {
        groups: BTreeMap::from([(desired.group.clone(), group.clone())]),
        prefix_list_weights: seen.prefix_list_weights.clone(),
        rules_per_group: seen.rules_per_group.clone(),
        noted: seen.noted.clone(),
        ..Inventory::default()
    };
    let wanted = plan::wanted(&alone, &BTreeMap::from([(desired.group.clone(), ruleset)]), by);
    plan::steps(&alone, &wanted, by)
}

/// What is to be done to one group.
enum Job {
    /// It was seen.
    Steps(Vec<Step>),
    /// It was not: expired rules are revoked by their flows and sources.
    Close(Vec<Over>),
}

impl Job {
    fn is_empty(&self) -> bool {
        match self {
            Self::Steps(steps) => steps.is_empty(),
            Self::Close(rules) => rules.is_empty(),
        }
    }
}

enum Did {
    Steps(Vec<(Step, Result<Performed, Error>)>, Vec<Made>),
    Closed(Vec<(Vec<RuleIdentity>, Result<Performed, Error>)>),
}

/// What it takes to write to the groups of an account and Region.
#[derive(Clone)]
struct Hand {
    cloud: Cloud,
    clock: Clock,
    account_region: AccountRegion,
    newest: Newest,
    noted: Noted,
}

async fn perform(hand: &Hand, desired_groups: &[DesiredGroup], jobs: Vec<(usize, Job)>) -> Vec<(usize, Did)> {
    let mut running = JoinSet::new();
    let mut done = Vec::new();
    for (number, job) in jobs {
        let Some(desired) = desired_groups.get(number) else { continue };
        if running.len() >= AT_ONCE {
            done.extend(running.join_next().await.and_then(Result::ok));
        }
        let (hand, group) = (hand.clone(), desired.group.clone());
        running.spawn(async move {
            let did = match job {
                Job::Steps(steps) => {
                    let mut made = Vec::new();
                    let done = hand.steps(&group, steps, &mut made).await;
                    Did::Steps(done, made)
                }
                Job::Close(rules) => {
                    Did::Closed(take_away(&hand.cloud, &hand.account_region, &group, rules).await)
                }
            };
            (number, did)
        });
    }
    while let Some(result) = running.join_next().await {
        done.extend(result.ok());
    }
    done
}

impl Hand {
    async fn steps(
        &self,
        group: &SecurityGroupId,
        steps: Vec<Step>,
        made: &mut Vec<Made>,
    ) -> Vec<(Step, Result<Performed, Error>)> {
        let done = self.each(steps, made).await;
        // Before anybody can have edited the new rules.
        self.noted.note(group, made.iter().map(|(_, id)| id.clone()), self.clock.now());
        done
    }

    async fn each(&self, steps: Vec<Step>, made: &mut Vec<Made>) -> Vec<(Step, Result<Performed, Error>)> {
        let mut done = Vec::new();
        for step in steps {
            let Some(step) = self.still_wanted(step) else { continue };
            // A failed step delays no other: a revocation never waits for an opening.
            match (self.cloud.perform_noting(&self.account_region, &step, made).await, step) {
                // AWS refuses a whole call that has one rule too many; as many as fit are added.
                (Err(Error::Full { .. }), Step::Authorize { group, rules }) if rules.len() > 1 => {
                    for rule in rules {
                        let step = Step::Authorize { group: group.clone(), rules: vec![rule] };
                        let result = self.cloud.perform_noting(&self.account_region, &step, made).await;
                        let full = result.is_err();
                        done.push((step, result));
                        if full {
                            break;
                        }
                    }
                }
                (result, step) => done.push((step, result)),
            }
        }
        done
    }

    /// The step without what has ended or is wanted no more since it was decided: a look that took long opens
    /// nothing again.
    fn still_wanted(&self, step: Step) -> Option<Step> {
        let Step::Authorize { group, mut rules } = step else { return Some(step) };
        let now = self.clock.now();
        rules.retain(|(rule, mark)| {
            mark.until.is_none_or(|until| now < until) && self.newest.wants(&group, rule)
        });
        (!rules.is_empty()).then_some(Step::Authorize { group, rules })
    }
}

/// Tells what was done to a group, and notes it in what is known of it. A rule that is new has the id that AWS answered
/// with; without an answer the next look finds it.
fn note(
    desired: &DesiredGroup,
    did: Did,
    outcome: &mut Outcome,
    known: &mut BTreeMap<SecurityGroupId, SecurityGroup>,
) {
    let mut rules = known.get_mut(&desired.group).map(|group| &mut group.rules);
    match did {
        Did::Closed(closed) => {
            for (closed, result) in closed {
                if let Err(error) = result {
                    tracing::warn!(group = %desired.group, %error, "could not remove expired rules, will retry in the next pass");
                    continue;
                }
                outcome.removed.extend(closed.iter().map(ToString::to_string));
                if let Some(rules) = &mut rules {
                    rules.retain(|rule, _| !closed.contains(rule));
                }
            }
        }
        Did::Steps(steps, made) => {
            let made: BTreeMap<RuleIdentity, SecurityGroupRuleId> = made.into_iter().collect();
            for (step, result) in steps {
                match (result, step) {
                    (Err(error), _) => outcome.failed = Some(error.to_string()),
                    (Ok(_), Step::Authorize { rules: new, .. }) => {
                        for (rule, mark) in new {
                            outcome.added.push(format!("{rule}: {}", mark.because));
                            let tag = Some(mark.by.to_string());
                            let id = made.get(&rule).cloned();
                            let existing = ExistingRule { id, description: mark.to_string(), tag };
                            rules.as_mut().map(|rules| rules.insert(rule, existing));
                        }
                    }
                    (Ok(_), Step::Describe { rules: remarks, .. }) => {
                        for remark in remarks {
                            outcome.added.push(format!("{}: now {}", remark.rule, remark.mark.because));
                            if let Some(existing) =
                                rules.as_mut().and_then(|rules| rules.get_mut(&remark.rule))
                            {
                                existing.description = remark.mark.to_string();
                                existing.tag = Some(remark.mark.by.to_string());
                            }
                        }
                    }
                    (Ok(_), Step::Revoke { rules: gone, .. }) => {
                        for (_, rule) in gone {
                            outcome.removed.push(rule.to_string());
                            rules.as_mut().map(|rules| rules.remove(&rule));
                        }
                    }
                }
            }
        }
    }
}
