//! What takes the answers of one account and Region, in any order, and is an inventory at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use doorward_core::inventory::{AccountRegion, Call, Gap, Inventory};
use serde::de::DeserializeOwned;

use super::apart::Apart;
use super::{Source, Unreadable, block, caches, groups, interfaces, lists, routes, transit};

/// How many things of one call are named that cannot be read, before the rest is counted.
const UNREADABLE: usize = 50;

/// The inventory of one account and Region, as far as it has been read.
///
/// Answers may come in any order; what one tells of what another one holds is put together by [`Self::finish`].
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Where the answers are from.
    pub(crate) account_region: AccountRegion,
    /// What is being read now, where it is of a recording.
    pub(crate) source: Option<Source>,
    /// What was read so far.
    pub(crate) inventory: Inventory,
    /// What was told of something apart from its description.
    pub(super) apart: Apart,
    pub(super) groups: groups::RuleSources,
    pub(super) interfaces: interfaces::InterfaceSources,
    pub(super) lists: lists::ListEntries,
    pub(super) transit: transit::TransitDetails,
    pub(super) block: block::PendingExclusions,
    /// Whether an answer that says otherwise than one before is a gap. A live account may change between two pages.
    pub(super) contradicts: bool,
    /// What two answers contradict each other of.
    pub(super) contradicted: BTreeSet<(&'static str, String)>,
    /// How many things could not be read, by the call that tells of them.
    unreadable: BTreeMap<Call, usize>,
}

/// A member of an answer, one resource mostly.
pub(crate) trait Member: DeserializeOwned {
    /// The call that tells of it.
    const CALL: Call;

    /// What it is called where it cannot be read: its id.
    fn named(&self) -> Option<&str>;

    /// Puts it into the inventory.
    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable>;
}

impl Reader {
    /// Nothing of an account and Region yet.
    pub(crate) fn new(account_region: AccountRegion) -> Self {
        Self { account_region, ..Self::default() }
    }

    /// Nothing of a recorded account and Region yet: two answers that contradict each other are a gap.
    pub(crate) fn of_recording(account_region: AccountRegion) -> Self {
        Self { account_region, contradicts: true, ..Self::default() }
    }

    /// Takes the members of an answer; one that cannot be read is a gap.
    pub(crate) fn take<M: Member>(&mut self, members: &[M]) {
        for member in members {
            if let Err(why) = member.read(self) {
                self.unreadable(M::CALL, member.named(), &why);
            }
        }
    }

    /// Keeps one thing. Of what two answers of a recording contradict each other, none is kept.
    pub(super) fn keep<K: Ord + Clone + Debug, V>(
        &mut self,
        map: fn(&mut Inventory) -> &mut BTreeMap<K, V>,
        key: K,
        value: V,
        alike: fn(&V, &V) -> bool,
    ) -> Result<(), Unreadable> {
        let named = |key: &K| (std::any::type_name::<V>(), format!("{key:?}"));
        if !self.contradicted.is_empty() && self.contradicted.contains(&named(&key)) {
            return Ok(());
        }
        let map = map(&mut self.inventory);
        let contradicts = self.contradicts && map.get(&key).is_some_and(|known| !alike(known, &value));
        if contradicts {
            map.remove(&key);
            self.contradicted.insert(named(&key));
            return Err(Unreadable::Contradicted);
        }
        map.insert(key, value);
        Ok(())
    }

    /// Notes that a call gave no answer, or no whole one.
    pub(crate) fn gap(&mut self, call: Call, why: impl Into<String>) {
        self.inventory.gaps.push(Gap::of(call, &self.account_region, why));
    }

    /// Notes that one thing of an answer cannot be read.
    pub(crate) fn unreadable(&mut self, call: Call, what: Option<&str>, why: &dyn std::fmt::Display) {
        let more = self.unreadable.entry(call).or_default();
        *more += 1;
        if *more > UNREADABLE {
            return;
        }
        let what = what.map_or_else(|| "something".to_owned(), |id| format!("`{id}`"));
        let account_region = self.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
        self.gap(call, format!("{what}{account_region} cannot be read: {why}"));
    }

    /// All that was read, put together.
    pub(crate) fn finish(mut self) -> Inventory {
        self.put_together();
        for (call, all) in std::mem::take(&mut self.unreadable) {
            if all > UNREADABLE {
                self.gap(call, format!("{} more cannot be read", all - UNREADABLE));
            }
        }
        let Self { account_region, mut inventory, groups, interfaces, lists, transit, block, .. } = self;
        groups.finish(&mut inventory, &account_region);
        interfaces.finish(&mut inventory);
        lists.finish(&mut inventory, &account_region);
        transit.finish(&mut inventory);
        block.finish(&mut inventory, &account_region);
        routes::finish(&mut inventory);
        caches::finish(&mut inventory);
        inventory
    }
}
