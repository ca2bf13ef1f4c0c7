//! Groups that had rules of ours, and what is noted of them and of ended grants.

use std::collections::BTreeSet;

use doorward_core::audit::Table;
use doorward_core::grant::GrantId;
use doorward_core::policy::Policy;

use super::Reconciler;
use super::desired::Remembered;
use crate::store::in_time;

impl Reconciler {
    /// Groups that had rules of ours and that the policy no longer names; those that it names are remembered.
    ///
    /// They are remembered here, too: who deletes a row meanwhile has no group forgotten that was not seen empty.
    pub(super) async fn remembered(&mut self, policy: &Policy) -> Vec<Remembered> {
        let store = self.requests.app().reserved().clone();
        let now = self.requests.app().clock().now();
        let known = match in_time(store.remembered_groups(now)).await {
            Ok(kept) => {
                let read = |texts: &[String]| -> BTreeSet<Remembered> {
                    texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect()
                };
                // Looking where somebody else says takes away nothing but our own rules.
                self.memory.remembered.extend(read(&kept.forged).into_iter().chain(read(&kept.missing)));
                if !(kept.forged.is_empty() && kept.missing.is_empty())
                    && let Err(error) = in_time(store.mend(Table::Doors, now)).await
                {
                    tracing::error!(%error, "could not repair the list of firewalls in the store");
                }
                Some(read(&kept.groups))
            }
            Err(error) => {
                tracing::error!(%error, "could not read the security groups that the policy no longer lists");
                None
            }
        };
        let mut current = BTreeSet::new();
        for (firewall, group) in Remembered::all(policy) {
            if known.as_ref().is_some_and(|known| !known.contains(&group)) {
                let text = serde_json::to_string(&group).unwrap_or_default();
                if let Err(error) = in_time(store.remember_group(&text, firewall.as_str(), now)).await {
                    tracing::error!(%error, %firewall, "could not store a firewall");
                }
            }
            current.insert(group);
        }
        self.memory.remembered.extend(known.into_iter().flatten());
        self.memory.remembered.extend(current.iter().cloned());
        self.memory.remembered.difference(&current).cloned().collect()
    }

    pub(super) async fn forget(&mut self, group: &Remembered) {
        self.memory.remembered.remove(group);
        let (text, now) =
            (serde_json::to_string(group).unwrap_or_default(), self.requests.app().clock().now());
        if let Err(error) = in_time(self.requests.app().reserved().forget_group(&text, now)).await {
            tracing::error!(%error, "could not remove an empty security group from the store");
        }
    }

    /// Notes that the rules of ended grants are gone.
    pub(super) async fn settle(&mut self, grants: BTreeSet<GrantId>) {
        if grants.is_empty() {
            return;
        }
        if let Err(error) = in_time(self.requests.app().reserved().settle(&grants)).await {
            tracing::error!(%error, "could not mark grants as settled, will retry in the next pass");
            return;
        }
        self.memory.grants.retain(|grant| !grant.ended() || !grants.contains(grant.id()));
    }
}
