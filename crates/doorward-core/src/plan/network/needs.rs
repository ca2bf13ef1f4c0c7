//! Which steps of a plan wait for which: the rest can be performed at the same time.
//!
//! A plan is ordered, and performed one step after the other it is right. Two steps of which one writes what the other reads
//! or writes keep their order; any order that respects this has the same effect. And nothing is taken away before everything
//! is made, since a rule, a route or an attachment that goes may have its replacement anywhere in the plan.

mod footprint;
mod keys;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::difference::NetworkStep;
use super::phase::Phase;
use crate::inventory::Inventory;
use footprint::AccountBefore;
pub(super) use keys::{Footprint, Key};

/// For each step of a plan for `actual` the numbers of the steps that have to be done before it. All are smaller than its own.
pub fn needs(actual: &Inventory, steps: &[NetworkStep]) -> Vec<BTreeSet<usize>> {
    let existing = AccountBefore::of(actual, steps);
    let mut seen = Seen::default();
    let mut needs: Vec<BTreeSet<usize>> = steps
        .iter()
        .enumerate()
        .map(|(number, step)| seen.take(number, existing.footprint(&step.change)))
        .collect();
    let made = steps.iter().take_while(|step| step.phase < Phase::RulesGone).count();
    let needed: BTreeSet<usize> = needs.iter().take(made).flatten().copied().collect();
    let last: BTreeSet<usize> = (0..made).filter(|number| !needed.contains(number)).collect();
    // What needs another step that takes something away waits for everything that is made by that one.
    for of_step in needs.iter_mut().skip(made).filter(|it| it.iter().all(|number| *number < made)) {
        of_step.extend(&last);
    }
    needs
}

/// Who wrote what last, and who has read it since.
#[derive(Debug, Default)]
struct Seen {
    writer: BTreeMap<Key, usize>,
    readers: BTreeMap<Key, BTreeSet<usize>>,
}

impl Seen {
    /// Takes in a step, and says which earlier ones it conflicts with.
    fn take(&mut self, number: usize, of_step: Footprint) -> BTreeSet<usize> {
        let Footprint { reads, writes } = of_step;
        let mut needs = BTreeSet::new();
        for key in reads.difference(&writes) {
            needs.extend(self.writer.get(key));
            self.readers.entry(key.clone()).or_default().insert(number);
        }
        for key in writes {
            needs.extend(self.writer.get(&key));
            needs.extend(self.readers.remove(&key).unwrap_or_default());
            self.writer.insert(key, number);
        }
        needs
    }
}
