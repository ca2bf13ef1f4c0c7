//! What two accounts tell of one thing that they share: neither may know all of it.

use std::collections::BTreeMap;

use super::{Attachment, PrefixList, TransitTable};

/// Something of which an account may know a part only.
pub(super) trait Shared {
    /// What both know, where one knows more than the other.
    fn with(self, other: Self) -> Self;
}

/// Takes in what another account tells.
pub(super) fn take<K: Ord, V: Shared>(mine: &mut BTreeMap<K, V>, other: BTreeMap<K, V>) {
    for (key, value) in other {
        let value = match mine.remove(&key) {
            Some(known) => value.with(known),
            None => value,
        };
        mine.insert(key, value);
    }
}

impl Shared for Attachment {
    /// The gateway's owner knows its table, the VPC's its subnets.
    fn with(self, other: Self) -> Self {
        let (detailed, lesser) = if self.subnets.is_none() { (other, self) } else { (self, other) };
        Self { table: detailed.table.or(lesser.table), ..detailed }
    }
}

impl Shared for TransitTable {
    fn with(self, other: Self) -> Self {
        Self {
            routes: self.routes.or(other.routes),
            propagations: self.propagations.into_iter().chain(other.propagations).collect(),
            ..self
        }
    }
}

impl Shared for PrefixList {
    fn with(self, other: Self) -> Self {
        Self {
            entries: self.entries.or(other.entries),
            max_entries: self.max_entries.or(other.max_entries),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{AttachmentTarget, Inventory, VpcId};
    use super::*;

    fn attachment(table: Option<&str>, subnets: Option<&str>) -> Inventory {
        let attachment = Attachment {
            id: "tgw-attach-0a".parse().expect("an attachment"),
            gateway: "tgw-0a".parse().expect("a gateway"),
            to: AttachmentTarget::Vpc("vpc-0a".parse::<VpcId>().expect("a VPC")),
            state: "available".to_owned(),
            table: table.map(|table| table.parse().expect("a table")),
            subnets: subnets.map(|subnet| BTreeSet::from([subnet.parse().expect("a subnet")])),
            group_references: subnets.is_none(),
            appliance_mode: false,
            tags: BTreeMap::new(),
        };
        let key = (attachment.gateway.clone(), attachment.id.clone());
        Inventory { attachments: BTreeMap::from([(key, attachment)]), ..Inventory::default() }
    }

    #[test]
    fn whichever_account_is_looked_at_first_both_are_believed() {
        let gateway = || attachment(Some("tgw-rtb-0a"), None);
        let vpc = || attachment(None, Some("subnet-0a"));
        let mut one = gateway();
        one.merge(vpc());
        let mut other = vpc();
        other.merge(gateway());
        assert_eq!(one, other);
        let whole = one.attachments.values().next().expect("an attachment");
        assert!(whole.table.is_some() && whole.subnets.is_some() && !whole.group_references);
    }
}
