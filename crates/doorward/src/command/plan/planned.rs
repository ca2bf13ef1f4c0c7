//! The plans of all accounts and Regions together, with the paths that they open and close and the proofs of intents.

use std::path::Path;
use std::process::ExitCode;

use doorward_core::inventory::Inventory;
use doorward_core::name::InstallationId;
use doorward_core::plan::network::{Prepared, Proposal, followed};
use doorward_core::policy::{Intent, Policy};
use doorward_core::price::Table;
use doorward_core::reach::{Comparison, Proof, Reachability, prove};
use doorward_core::topology::{Environment, Obstacle, Site, Topology, Transition, layout_of};

use super::owner::{self, Owner};
use super::prevented;
use super::scope::{AllRead, Read};
use crate::command::account::Remarks;
use crate::command::{Code, Failure};

/// The plan of one account and Region.
pub(in crate::command) struct RegionPlan {
    /// What was read there.
    pub read: Read,
    /// Whose the networks are.
    pub owner: Owner,
    /// Where they are laid out.
    pub site: Site,
    /// The plan.
    pub proposal: Proposal,
}

/// An intent, in the account before the plan and after it.
pub(in crate::command) struct Proved {
    /// The intent.
    pub intent: Intent,
    /// As the account is.
    pub before: Proof,
    /// As it will be.
    pub after: Proof,
}

/// All plans.
pub(in crate::command) struct Planned {
    /// The declaration.
    pub topology: Topology,
    /// A plan for each account and Region.
    pub each: Vec<RegionPlan>,
    /// All accounts and Regions as they are.
    pub before: Reachability,
    /// And as they will be.
    pub after: Reachability,
    /// The paths that all plans together open and close.
    pub paths: Comparison,
    /// The intents of the policy.
    pub intents: Vec<Proved>,
    /// How the account was read.
    pub account: Remarks,
    /// The environment that is started or stopped, while nothing else changes.
    pub transition: Option<(Environment, Transition)>,
}

impl Planned {
    pub(super) fn of(
        path: &Path,
        policy: &Policy,
        prices: &Table,
        read: AllRead,
        named: (Option<&InstallationId>, Option<&InstallationId>),
        transition: Option<(&Environment, Transition)>,
    ) -> Result<Self, Failure> {
        let mut each = Vec::new();
        let mut obstacles = Vec::new();
        for read in read.each {
            let owner = owner::of(path, policy, named, &read.networks, &read.inventory)?;
            let mut site = Site::of(&read.inventory, read.account_region.clone(), owner.id.clone());
            site.images.clone_from(&read.images);
            let prepared = Prepared {
                topology: &policy.topology,
                networks: &read.networks,
                site: &site,
                prices,
                quotas: &read.quotas,
                transition,
            };
            match Proposal::of(prepared, &read.inventory) {
                Ok(proposal) => each.push(RegionPlan { read, owner, site, proposal }),
                Err(found) => obstacles.extend(found),
            }
        }
        if !obstacles.is_empty() {
            return Err(prevented(&obstacles, read.is_recorded));
        }
        let (before, after) =
            whole(&policy.topology, &each).map_err(|found| prevented(&found, read.is_recorded))?;
        let before = Reachability::of(before);
        let after = Reachability::of(followed(&before, after));
        let changes = each.iter().any(|it| !it.proposal.plan.is_empty());
        let paths = if changes { before.compare(&after) } else { Comparison::default() };
        let proved = |intent: &Intent| Proved {
            intent: intent.clone(),
            before: prove(intent, &before),
            after: prove(intent, &after),
        };
        let intents = policy.intents.iter().map(proved).collect();
        let topology = policy.topology.clone();
        let transition = transition.map(|(environment, to)| (environment.clone(), to));
        Ok(Self { topology, each, before, after, paths, intents, account: read.remarks, transition })
    }

    /// Whether something would change.
    pub fn changes(&self) -> bool {
        self.each.iter().any(|it| !it.proposal.plan.is_empty())
    }

    /// Whether an intent would be broken, or a quota exceeded that is known. An environment is started and stopped although an
    /// intent is broken already.
    pub fn is_refused(&self) -> bool {
        let breaks = |proved: &Proved| {
            proved.after.is_broken() && !(self.transition.is_some() && proved.before.is_broken())
        };
        self.intents.iter().any(breaks)
            || self.each.iter().any(|it| it.proposal.exceeded.iter().any(|quota| !quota.is_default))
    }

    /// Whether another plan is this one: of the same accounts, with the same steps.
    pub fn is_same(&self, other: &Self) -> bool {
        let digests = |plan: &RegionPlan| (plan.proposal.plan.made_from(), plan.proposal.digest());
        self.each.len() == other.each.len()
            && self.each.iter().zip(&other.each).all(|(one, other)| digests(one) == digests(other))
    }

    /// How the command ends.
    pub fn exit(&self) -> ExitCode {
        if self.is_refused() {
            Code::No.into()
        } else if self.changes() {
            ExitCode::from(2)
        } else {
            ExitCode::SUCCESS
        }
    }

    /// What a person should know of how the plan came about.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for RegionPlan { read, owner, site, proposal } in &self.each {
            if owner.is_new && !proposal.plan.is_empty() {
                remarks.push(format!(
                    "note: no installation is known yet, so {} is a placeholder for its ID; `--installation` sets it",
                    owner.id
                ));
            }
            for other in &owner.others {
                remarks.push(format!(
                    "note: the installation {other} made resources of these networks, which stay as they are; \
                     `--installation {other}` plans for it"
                ));
            }
            if site.zones.is_some() && !site.has_all_zones {
                remarks.push(format!(
                    "note: the zones of {} are those of its subnets, because `aws ec2 describe-availability-zones` was \
                     not recorded",
                    read.declared
                ));
            }
        }
        remarks
    }
}

/// The intents that the account keeps as it is, and would not keep afterwards.
pub(in crate::command) fn broken_without(
    policy: &Policy,
    actual: &Inventory,
    wanted: &Inventory,
) -> Vec<String> {
    if policy.intents.is_empty() {
        return Vec::new();
    }
    let before = Reachability::of(actual.clone());
    let after = Reachability::of(followed(&before, wanted.clone()));
    let breaks = |intent: &&Intent| !prove(intent, &before).is_broken() && prove(intent, &after).is_broken();
    policy.intents.iter().filter(breaks).map(ToString::to_string).collect()
}

/// All accounts and Regions together, before and after.
fn whole(topology: &Topology, each: &[RegionPlan]) -> Result<(Inventory, Inventory), Vec<Obstacle>> {
    if let [only] = each {
        return Ok((only.read.inventory.clone(), only.proposal.wanted.clone()));
    }
    let mut before = Inventory::default();
    for RegionPlan { read, .. } in each {
        before.merge(read.inventory.clone());
    }
    before.gaps.dedup();
    let mut after = before.clone();
    for RegionPlan { read, site, .. } in each {
        after = layout_of(&read.networks, topology, &after, site)?.wanted;
    }
    Ok((before, after))
}
