//! What takes the answers of one place, in any order, and is an inventory at the end.

use doorward_core::inventory::{Call, Gap, Inventory, Place};
use serde::de::DeserializeOwned;

use super::apart::Apart;
use super::{Unreadable, block, groups, interfaces, lists, routes, transit};

/// The inventory of one place, as far as it has been read.
///
/// Answers may come in any order; what one tells of what another one holds is put together by [`Self::finish`].
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Where the answers are from.
    pub(crate) place: Place,
    /// What was read so far.
    pub(crate) inventory: Inventory,
    /// What was told of something apart from its description.
    pub(super) apart: Apart,
    pub(super) groups: groups::Told,
    pub(super) interfaces: interfaces::Told,
    pub(super) lists: lists::Told,
    pub(super) transit: transit::Told,
    pub(super) block: block::Told,
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
    /// Nothing of a place yet.
    pub(crate) fn new(place: Place) -> Self {
        Self { place, ..Self::default() }
    }

    /// Takes the members of an answer; one that cannot be read is a gap.
    pub(crate) fn take<M: Member>(&mut self, members: &[M]) {
        for member in members {
            if let Err(why) = member.read(self) {
                self.unreadable(M::CALL, member.named(), &why);
            }
        }
    }

    /// Notes that a call gave no answer, or no whole one.
    pub(crate) fn gap(&mut self, call: Call, why: impl Into<String>) {
        self.inventory.gaps.push(Gap::of(call, &self.place, why));
    }

    /// Notes that one thing of an answer cannot be read.
    pub(crate) fn unreadable(&mut self, call: Call, what: Option<&str>, why: &dyn std::fmt::Display) {
        let what = what.map_or_else(|| "something".to_owned(), |id| format!("`{id}`"));
        self.gap(call, format!("{what} cannot be read: {why}"));
    }

    /// All that was read, put together.
    pub(crate) fn finish(mut self) -> Inventory {
        self.put_together();
        let Self { place, mut inventory, apart: _, groups, interfaces, lists, transit, block } = self;
        groups.finish(&mut inventory, &place);
        interfaces.finish(&mut inventory);
        lists.finish(&mut inventory, &place);
        transit.finish(&mut inventory);
        block.finish(&mut inventory, &place);
        routes::finish(&mut inventory);
        inventory
    }
}
