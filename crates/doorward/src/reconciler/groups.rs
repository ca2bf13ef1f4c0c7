//! Security groups: what a pass does to them.

use std::collections::{BTreeMap, BTreeSet};

use doorward_aws::{Error, Performed};
use doorward_core::firewall::{InstallationId, Ruleset};
use doorward_core::grant::Grant;
use doorward_core::inventory::{
    Inventory, Place, RuleIdentity, SecurityGroup, SecurityGroupId, Seen, StandingRule, VpcId,
};
use doorward_core::plan::{self, Step};
use doorward_core::policy::{FirewallName, Policy};
use tokio::task::JoinSet;

use crate::cloud::Cloud;

/// Our rules in each group as the last pass left them, with their descriptions.
pub(super) type Left = BTreeMap<SecurityGroupId, BTreeMap<RuleIdentity, String>>;

/// A security group and what it shall let in.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub firewall: FirewallName,
    pub group: SecurityGroupId,
    pub place: Place,
    pub vpc: Option<VpcId>,
    pub ruleset: Ruleset,
    /// The policy speaks of it no longer; it is only emptied of our rules.
    pub forgotten: bool,
}

/// What a pass did to one firewall.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rules that were added, in words.
    pub added: Vec<String>,
    /// Rules that were taken away, in words.
    pub removed: Vec<String>,
    /// What was not as it had been left, in words.
    pub drift: Vec<String>,
    /// Live connections that were cut.
    pub cut: u64,
    /// Why it is not as wanted, if it is not.
    pub failed: Option<String>,
}

/// How many groups are written to at once; EC2 allows few writes a second.
const AT_ONCE: usize = 8;

/// What of a pass every group needs.
pub(super) struct Pass<'a> {
    pub cloud: &'a Cloud,
    pub policy: &'a Policy,
    pub by: &'a InstallationId,
    /// Grants that have ended and whose rules were not yet seen gone.
    pub ended: Vec<&'a Grant>,
    /// The account as it was last known.
    pub known: &'a Inventory,
}

/// What is to be done to one group.
enum Job {
    /// It was seen.
    Steps(Vec<Step>),
    /// It was not: rules that are over are taken away by what they let through.
    Close(Vec<RuleIdentity>),
}

/// Brings every group to its ruleset: the account as it is known then, and what was done, in the order of `doors`.
pub(super) async fn bring(pass: Pass<'_>, doors: &[Door], left: &mut Left) -> (Inventory, Vec<Outcome>) {
    let mut asked: BTreeMap<Place, BTreeSet<SecurityGroupId>> = BTreeMap::new();
    for door in doors {
        asked.entry(door.place.clone()).or_default().insert(door.group.clone());
    }
    let mut seen = pass.cloud.observe(&asked).await;
    let mut outcomes = vec![Outcome::default(); doors.len()];
    let mut jobs = Vec::new();

    for (number, (door, outcome)) in doors.iter().zip(&mut outcomes).enumerate() {
        match seen.group(&door.group) {
            Seen::There(group) => {
                let wrong = door.vpc.as_ref().filter(|vpc| group.vpc.as_ref() != Some(vpc));
                let ruleset = match wrong {
                    None => door.ruleset.clone(),
                    // In doubt a door stays shut: what is ours there goes, and nothing is added.
                    Some(vpc) => {
                        let actual = group.vpc.as_ref().map_or("no VPC", VpcId::as_str);
                        outcome.failed = Some(format!(
                            "security group {} is in {actual}, and the policy says {vpc}",
                            door.group
                        ));
                        Ruleset::default()
                    }
                };
                outcome.drift = drift(group, pass.by, left.get(&door.group));
                let steps = difference(&seen, door, ruleset, pass.by);
                if !steps.is_empty() {
                    jobs.push((number, Job::Steps(steps)));
                }
            }
            Seen::Gone => {
                let gone = !door.forgotten;
                outcome.failed =
                    gone.then(|| format!("security group {} is not in {}", door.group, door.place));
                left.remove(&door.group);
            }
            Seen::Unseen(gap) => {
                outcome.failed = Some(gap.to_string());
                left.remove(&door.group);
                let over = over(&pass, door);
                if !over.is_empty() {
                    jobs.push((number, Job::Close(over)));
                }
            }
        }
    }
    // A group that could not be seen is kept as it was last known: a closing needs that.
    for door in doors {
        if let (Seen::Unseen(_), Some(known)) = (seen.group(&door.group), pass.known.groups.get(&door.group))
        {
            seen.groups.entry(door.group.clone()).or_insert_with(|| known.clone());
        }
    }

    for (number, done) in perform(pass.cloud, doors, jobs).await {
        let (Some(door), Some(outcome)) = (doors.get(number), outcomes.get_mut(number)) else { continue };
        left.remove(&door.group);
        let group = seen.groups.get_mut(&door.group);
        match done {
            Done::Steps(steps) => {
                let mut group = group;
                for (step, result) in steps {
                    match result {
                        Ok(_) => note(&step, outcome, group.as_deref_mut()),
                        Err(error) => outcome.failed = Some(error.to_string()),
                    }
                }
            }
            Done::Closed(identities, Ok(_)) => {
                outcome.removed.extend(identities.iter().map(ToString::to_string));
                if let Some(group) = group {
                    group.rules.retain(|identity, _| !identities.contains(identity));
                }
            }
            Done::Closed(_, Err(error)) => {
                tracing::warn!(group = %door.group, %error, "rules that are over could not be closed; the next pass tries again");
            }
        }
    }
    for (door, outcome) in doors.iter().zip(&outcomes) {
        if let Some(group) = seen.groups.get(&door.group).filter(|_| outcome.failed.is_none()) {
            left.insert(door.group.clone(), ours(group, pass.by));
        }
    }
    (seen, outcomes)
}

fn difference(seen: &Inventory, door: &Door, ruleset: Ruleset, by: &InstallationId) -> Vec<Step> {
    // One group at a time, so that one that cannot be brought to its rules holds up no other.
    let mut alone = Inventory {
        prefix_list_weights: seen.prefix_list_weights.clone(),
        rules_per_group: seen.rules_per_group.clone(),
        ..Inventory::default()
    };
    alone.groups.extend(seen.groups.get(&door.group).map(|group| (door.group.clone(), group.clone())));
    let wanted = plan::wanted(&alone, &BTreeMap::from([(door.group.clone(), ruleset)]), by);
    plan::difference(&alone, &wanted, by).for_account(alone.digest()).unwrap_or_default()
}

/// What must be closed in a group that cannot be seen: our rules as they were last known, and what the grants
/// that have ended had opened, unless something else still wants the same.
fn over(pass: &Pass<'_>, door: &Door) -> Vec<RuleIdentity> {
    let wanted: BTreeSet<RuleIdentity> =
        door.ruleset.iter().map(|rule| RuleIdentity::admitting(rule.flow(), rule.peer())).collect();
    let known = pass.known.groups.get(&door.group);
    let mut over: BTreeSet<RuleIdentity> =
        known.map(|group| ours(group, pass.by).into_keys().collect()).unwrap_or_default();
    // Once a group is known, a grant that is not in it has been closed already.
    for grant in pass.ended.iter().filter(|_| known.is_none()) {
        let Some(target) = pass.policy.targets.get(grant.target()) else { continue };
        if target.firewall.as_ref() == Some(&door.firewall) {
            over.extend(target.ports.iter().map(|flow| RuleIdentity::admitting(*flow, grant.source())));
        }
    }
    over.difference(&wanted).cloned().collect()
}

enum Done {
    Steps(Vec<(Step, Result<Performed, Error>)>),
    Closed(Vec<RuleIdentity>, Result<Performed, Error>),
}

async fn perform(cloud: &Cloud, doors: &[Door], jobs: Vec<(usize, Job)>) -> Vec<(usize, Done)> {
    let mut running = JoinSet::new();
    let mut done = Vec::new();
    for (number, job) in jobs {
        let Some(door) = doors.get(number) else { continue };
        if running.len() >= AT_ONCE {
            done.extend(running.join_next().await.and_then(Result::ok));
        }
        let (cloud, place, group) = (cloud.clone(), door.place.clone(), door.group.clone());
        running.spawn(async move {
            let done = match job {
                Job::Steps(steps) => Done::Steps(perform_steps(&cloud, &place, steps).await),
                Job::Close(identities) => {
                    let result = cloud.close_blind(&place, &group, &identities).await;
                    Done::Closed(identities, result)
                }
            };
            (number, done)
        });
    }
    while let Some(result) = running.join_next().await {
        done.extend(result.ok());
    }
    done
}

async fn perform_steps(
    cloud: &Cloud,
    place: &Place,
    steps: Vec<Step>,
) -> Vec<(Step, Result<Performed, Error>)> {
    let mut done = Vec::new();
    for step in steps {
        // A step that fails holds up no other: a closing never waits for an opening.
        match (cloud.perform(place, &step).await, step) {
            // AWS refuses a whole call when one rule too many is in it; as many as fit are let in.
            (Err(Error::Full { .. }), Step::Authorize { group, rules }) if rules.len() > 1 => {
                for rule in rules {
                    let step = Step::Authorize { group: group.clone(), rules: vec![rule] };
                    let result = cloud.perform(place, &step).await;
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

/// Tells a step that was performed, and notes it in what is known of the group. A rule that is new has no id
/// that we know of; the next pass sees it.
fn note(step: &Step, outcome: &mut Outcome, group: Option<&mut SecurityGroup>) {
    let mut rules = group.map(|group| &mut group.rules);
    match step {
        Step::Authorize { rules: new, .. } => {
            for (rule, mark) in new {
                outcome.added.push(format!("{rule}: {}", mark.because));
                let standing =
                    StandingRule { id: None, description: mark.to_string(), tag: Some(mark.by.to_string()) };
                rules.as_mut().map(|rules| rules.insert(rule.clone(), standing));
            }
        }
        Step::Describe { rules: remarks, .. } => {
            for remark in remarks {
                outcome.added.push(format!("{}: now {}", remark.rule, remark.mark.because));
                if let Some(standing) = rules.as_mut().and_then(|rules| rules.get_mut(&remark.rule)) {
                    standing.description = remark.mark.to_string();
                    standing.tag = Some(remark.mark.by.to_string());
                }
            }
        }
        Step::Revoke { rules: gone, .. } => {
            for (_, rule) in gone {
                outcome.removed.push(rule.to_string());
                rules.as_mut().map(|rules| rules.remove(rule));
            }
        }
    }
}

fn ours(group: &SecurityGroup, by: &InstallationId) -> BTreeMap<RuleIdentity, String> {
    let ours = group.rules.iter().filter(|(_, rule)| rule.made_by(by));
    ours.map(|(identity, rule)| (identity.clone(), rule.description.clone())).collect()
}

/// What somebody else did to our rules since they were left.
fn drift(
    group: &SecurityGroup,
    by: &InstallationId,
    left: Option<&BTreeMap<RuleIdentity, String>>,
) -> Vec<String> {
    let Some(left) = left else { return Vec::new() };
    let is = ours(group, by);
    let gone =
        left.keys().filter(|rule| !is.contains_key(*rule)).map(|rule| format!("{rule} had been removed"));
    let new = is
        .keys()
        .filter(|rule| !left.contains_key(*rule))
        .map(|rule| format!("{rule} had been added under our mark"));
    let edited = is
        .iter()
        .filter(|(rule, text)| left.get(*rule).is_some_and(|left| left != *text))
        .map(|(rule, _)| format!("the description of {rule} had been edited"));
    gone.chain(new).chain(edited).collect()
}
