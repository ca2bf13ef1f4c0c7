//! What a saved inventory says beside the answers: which calls gave none, and of what not all could be read.

use std::collections::BTreeSet;

use doorward_core::inventory::{
    AccountId, AccountRegion, AnsweredId, Call, Gap, GapSource, Inventory, SecurityGroupId,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::shapes::shape;
use crate::operation::QuotaShape;

/// What stood in `gaps.json`, whatever the file is called.
#[derive(Debug, Default)]
pub(super) struct Saved {
    gaps: Vec<Gap>,
    incomplete: BTreeSet<String>,
    /// Quota `L-0EA8095F`, which tells of the account and Region that the file is from.
    pub(super) quota: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedGap {
    call: String,
    account: Option<AccountId>,
    region: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    why: String,
}

impl Saved {
    /// Takes what stands under `Gaps`, `Incomplete` or `Quota`, and says whether it is ours: another program may have
    /// such keys, too.
    pub(super) fn take(&mut self, key: &str, piece: &RawValue) -> bool {
        match key {
            "Incomplete" => {
                let ids: Option<Vec<String>> = shape(piece).ok();
                let is_ours = ids.is_some();
                self.incomplete.extend(ids.unwrap_or_default());
                is_ours
            }
            "Quota" => {
                let quota: Option<QuotaShape> = shape(piece).ok();
                let rules = quota.filter(QuotaShape::is_of_rules).and_then(|quota| quota.value());
                self.quota = rules.or(self.quota);
                rules.is_some()
            }
            _ => {
                let gaps: Option<Vec<SavedGap>> = shape(piece).ok();
                let is_ours = gaps.is_some();
                for SavedGap { call, account, region, groups, why } in gaps.unwrap_or_default() {
                    let account_region = AccountRegion { profile: None, region, account };
                    let groups = groups.iter().filter_map(|id| SecurityGroupId::answered(id).ok()).collect();
                    self.gaps.push(Gap { source: GapSource::read(&call), account_region, groups, why });
                }
                is_ours
            }
        }
    }

    /// Adds what another file says.
    pub(super) fn extend(&mut self, other: Self) {
        self.gaps.extend(other.gaps);
        self.incomplete.extend(other.incomplete);
        self.quota = other.quota.or(self.quota);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.gaps.is_empty() && self.incomplete.is_empty()
    }

    /// The gaps of calls, each with its call, taken out; those of anything else remain.
    pub(super) fn of_calls(&mut self) -> Vec<(Call, Gap)> {
        let mut of_calls = Vec::new();
        self.gaps.retain(|gap| {
            let GapSource::Call(call) = gap.source else { return true };
            of_calls.push((call, gap.clone()));
            false
        });
        of_calls
    }

    /// Adds the rest to what the answers tell.
    pub(super) fn finish(self, inventory: &mut Inventory) {
        inventory.gaps.extend(self.gaps);
        for table in inventory.route_tables.values_mut() {
            table.incomplete |= self.incomplete.contains(table.id.as_str());
        }
        for acl in inventory.network_acls.values_mut() {
            acl.incomplete |= self.incomplete.contains(acl.id.as_str());
        }
        let is_other = |id: &&String| {
            let id = id.as_str();
            inventory.route_tables.contains_key(id) || inventory.network_acls.contains_key(id)
        };
        let groups = self.incomplete.iter().filter(|id| !is_other(id));
        let groups: Vec<_> = groups.filter_map(|id| SecurityGroupId::answered(id).ok()).collect();
        inventory.incomplete_groups.extend(groups);
    }
}
