//! The least set of changes that lets exactly one flow through, and what else each of them opens.

use crate::inventory::{Gap, Inventory};
use crate::reach::Reachability;
use crate::reach::compare::change::{Change, after};
use crate::reach::flows::Flows;
use crate::reach::result::{AllowedPath, Blocker, End, Verdict};
use crate::reach::selector::{Selector, resolve};

/// So often a fix brings up what it hid: behind a route that was missing comes the network ACL that it leads through.
const MOST_ROUNDS: usize = 8;

/// How one flow can be let through.
#[derive(Debug)]
pub struct Repair {
    /// Whether it is allowed as the account is.
    pub before: Verdict,
    /// Whether it is allowed after the changes.
    pub verdict: Verdict,
    /// The changes, in the order in which they are to be made. Without any one of them the verdict would be another.
    pub changes: Vec<RepairStep>,
    /// What blocks it still, and no change of the account fixes.
    pub left: Vec<Blocker>,
    /// What could not be read and decides.
    pub gaps: Vec<Gap>,
    /// The account after the changes: roles of what they open are of this side.
    pub after: Reachability,
}

/// One change of a repair.
#[derive(Debug)]
pub struct RepairStep {
    pub change: Change,
    /// What it opens beside the flow that was asked about.
    pub opens: Vec<AllowedPath>,
}

impl Reachability {
    /// Finds the least set of changes by which flows are allowed between two ends.
    pub fn repair(&self, from: &Selector, to: &Selector, asked: &Flows) -> Repair {
        let first = self.ask(from, to, Some(asked));
        let before = first.verdict;
        let mut made: Vec<Change> = Vec::new();
        let mut answer = first;
        let mut inventory = self.inventory.clone();
        for _ in 0..MOST_ROUNDS {
            if answer.verdict == Verdict::Yes {
                break;
            }
            let known = made.len();
            for change in answer.blockers.iter().flat_map(|blocker| blocker.fix.changes()) {
                if let (false, Ok(changed)) =
                    (made.contains(change), after(&inventory, std::slice::from_ref(change)))
                {
                    inventory = changed;
                    made.push(change.clone());
                }
            }
            if made.len() == known {
                break;
            }
            answer = Self::of(inventory.clone()).ask(from, to, Some(asked));
        }
        let verdict = answer.verdict;
        // Changes that do not help in the end are none that anybody should make.
        let made = if verdict == Verdict::Yes { self.needed(made, from, to, asked) } else { made };
        let inventory = after(&self.inventory, &made).unwrap_or(inventory);
        let all = Self::of(inventory);
        let changes = made.iter().map(|change| RepairStep {
            opens: self.opened_by(change, &made, &all, (from, to, asked)),
            change: change.clone(),
        });
        let changes = changes.collect();
        let left = answer.blockers.into_iter().filter(|blocker| blocker.fix.changes().is_empty()).collect();
        let left = if verdict == Verdict::Yes { Vec::new() } else { left };
        Repair { before, verdict, changes, left, gaps: answer.gaps, after: all }
    }

    /// Leaves out each change that the others do without.
    fn needed(&self, made: Vec<Change>, from: &Selector, to: &Selector, asked: &Flows) -> Vec<Change> {
        let allowed = |changes: &[Change]| {
            let inventory: Option<Inventory> = after(&self.inventory, changes).ok();
            inventory.is_some_and(|inventory| {
                Self::of(inventory).ask(from, to, Some(asked)).verdict == Verdict::Yes
            })
        };
        let mut needed = made;
        let mut at = 0;
        while needed.len() > 1 && at < needed.len() {
            let mut fewer = needed.clone();
            fewer.remove(at);
            if allowed(&fewer) { needed = fewer } else { at += 1 }
        }
        needed
    }

    /// What one of the changes opens where the others are made, without the flow that was asked about.
    fn opened_by(
        &self,
        change: &Change,
        made: &[Change],
        all: &Self,
        (from, to, asked): (&Selector, &Selector, &Flows),
    ) -> Vec<AllowedPath> {
        let others: Vec<Change> = made.iter().filter(|other| *other != change).cloned().collect();
        let Ok(without) = after(&self.inventory, &others) else { return Vec::new() };
        let mut opened = Self::of(without).compare(all).opened;
        let (from, to) = (all.asked_ends(from), all.asked_ends(to));
        for path in &mut opened {
            if from.contains(&path.from) && to.contains(&path.to) {
                path.flows = path.flows.minus(asked);
                path.at_most = path.at_most.minus(asked);
            }
        }
        opened.retain(|path| !path.flows.is_empty() || !path.at_most.is_empty());
        opened
    }

    /// The ends that an end of a question is all of: the internet, and roles none of whose interfaces is another's.
    fn asked_ends(&self, end: &Selector) -> Vec<End> {
        let ends = resolve::resolve(self.context(), end);
        let meant: Vec<_> = ends.interfaces.iter().map(|selected| selected.interface).collect();
        let mut all: Vec<End> = ends.outside.iter().map(|(outside, _)| outside.end()).collect();
        for role in &self.roles {
            let members = meant.iter().filter(|index| self.role(**index) == role.id).count();
            if members > 0 && members == role.members.len() {
                all.push(End::Role(role.id));
            }
        }
        all
    }
}
