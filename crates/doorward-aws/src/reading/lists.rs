//! Prefix lists and their entries.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::inventory::{AccountRegion, Call, Inventory, PrefixList, PrefixListId};
use doorward_core::net::Cidr;

use super::{Member, Reader, Unreadable, cidr, needed, text};
use crate::operation::{EntryShape, ListShape};

/// The entries of lists; none of a list of which one cannot be read.
#[derive(Debug, Default)]
pub(super) struct ListEntries(BTreeMap<PrefixListId, Option<BTreeSet<Cidr>>>);

impl Member for ListShape {
    const CALL: Call = Call::PrefixLists;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let id: PrefixListId = needed(self.id.as_deref(), "PrefixListId")?;
        let list = reader.inventory.prefix_lists.entry(id.clone());
        let list = list.or_insert_with(|| unnamed(id.clone(), &reader.account_region));
        list.name = text(self.name.as_ref()).unwrap_or_else(|| std::mem::take(&mut list.name));
        list.max_entries = self.most.or(list.max_entries);
        reader.inventory.prefix_list_weights.extend(self.weight().map(|weight| (id.clone(), weight)));
        if let Some(cidrs) = &self.cidrs {
            let entries = cidrs.0.iter().map(|entry| cidr(entry));
            reader.entries(&id, entries.collect());
        }
        Ok(())
    }
}

impl Reader {
    /// Takes entries of a list, as `GetManagedPrefixListEntries` tells them.
    pub(crate) fn prefix_list_entries(&mut self, list: &PrefixListId, shapes: &[EntryShape]) {
        let entry = |shape: &EntryShape| cidr(shape.cidr.as_deref().ok_or(Unreadable::Missing("Cidr"))?);
        let entries = shapes.iter().map(entry);
        self.entries(list, entries.collect());
    }

    fn entries(&mut self, list: &PrefixListId, entries: Vec<Result<Cidr, Unreadable>>) {
        let mut readable = BTreeSet::new();
        let mut whole = true;
        for entry in entries {
            match entry {
                Ok(entry) => {
                    readable.insert(entry);
                }
                Err(why) => {
                    whole = false;
                    self.unreadable(Call::PrefixListEntries, Some(&format!("an entry of {list}")), &why);
                }
            }
        }
        let told = self.lists.0.entry(list.clone()).or_insert_with(|| Some(BTreeSet::new()));
        match told {
            Some(entries) if whole => entries.extend(readable),
            told => *told = None,
        }
    }
}

impl ListEntries {
    /// Gives the lists their entries.
    pub(super) fn finish(self, inventory: &mut Inventory, account_region: &AccountRegion) {
        for (id, entries) in self.0 {
            let list =
                inventory.prefix_lists.entry(id.clone()).or_insert_with(|| unnamed(id, account_region));
            list.entries = entries;
        }
    }
}

fn unnamed(id: PrefixListId, account_region: &AccountRegion) -> PrefixList {
    PrefixList {
        id,
        account_region: account_region.clone(),
        name: String::new(),
        entries: None,
        max_entries: None,
    }
}
