//! What a task did, taken in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use doorward_core::audit::{Event, What, Who};
use doorward_core::grant::GrantId;
use doorward_core::policy::FirewallName;
use tokio::task::JoinError;

use super::Reconciler;
use super::desired::Remembered;
use super::groups::Done;
use super::permissions::Permissions;

impl Reconciler {
    /// Takes in what a task did.
    pub(super) async fn finish(&mut self, done: Result<Done, JoinError>) {
        self.take_in(done).await;
        self.report_overdue();
    }

    async fn take_in(&mut self, done: Result<Done, JoinError>) {
        let now = self.requests.app().clock().now();
        match done {
            Ok(Done::Brought { account_region, covers, known, desired_groups }) => {
                self.memory.busy.remove(&account_region);
                if self.memory.known.contains_key(&account_region) {
                    self.memory.known.insert(account_region, known);
                }
                self.show_inventory();
                let mut outcomes = BTreeMap::new();
                let mut settled = BTreeSet::new();
                for (desired, outcome) in desired_groups {
                    if outcome.failed.is_none() {
                        settled.extend(desired.settles);
                    }
                    match desired.firewall {
                        Some(firewall) => {
                            outcomes.insert(firewall, outcome);
                        }
                        None if outcome.failed.is_none() => {
                            self.forget(&Remembered { group: desired.group, at: desired.account_region })
                                .await;
                        }
                        None => {
                            let why = outcome.failed.unwrap_or_default();
                            tracing::warn!(group = %desired.group, why, "rules of ours remain in a security group that the policy no longer lists")
                        }
                    }
                }
                self.settle(settled).await;
                self.report(outcomes, covers, now, Vec::new()).await;
            }
            Ok(Done::Closed { account_region, desired, outcome, sent, gone }) => {
                let at = (account_region, desired.group.clone());
                if let Some(revoking) = self.memory.revoking.get_mut(&at) {
                    revoking.retain(|rule| !sent.contains(rule));
                }
                let (account_region, _) = at;
                if let Some(known) = self.memory.known.get_mut(&account_region).filter(|_| !gone.is_empty()) {
                    let inventory = Arc::make_mut(&mut known.inventory);
                    if let Some(group) = inventory.groups.get_mut(&desired.group) {
                        group.rules.retain(|rule, _| !gone.contains(rule));
                    }
                }
                if let Some(why) = &outcome.failed {
                    tracing::warn!(group = %desired.group, %account_region, why, "could not remove expired rules, will retry");
                }
                if let Some(firewall) = desired.firewall.filter(|_| !gone.is_empty()) {
                    let removed = What::RulesRemoved { firewall, rules: outcome.removed, cut: 0 };
                    self.record(vec![Event::new(now, Who::Doorward, removed)]).await;
                }
            }
            Ok(Done::Tables { covers, outcomes, settles }) => {
                self.memory.tables_busy = false;
                let well = |(firewall, _): &(FirewallName, GrantId)| {
                    outcomes.get(firewall).is_some_and(|outcome| outcome.failed.is_none())
                };
                let settled = settles.into_iter().filter(well).map(|(_, grant)| grant).collect();
                self.settle(settled).await;
                self.report(outcomes, covers, now, Vec::new()).await;
            }
            Ok(Done::Looked(looked)) => {
                let uptime = self.requests.app().clock().uptime();
                let told = self.memory.sessions.take(*looked, uptime);
                self.record(told.into_iter().map(|what| Event::new(now, Who::Doorward, what)).collect())
                    .await;
                let (_, over) = self.with_sessions(now, uptime);
                self.settle(self.settled(&over, now, uptime)).await;
            }
            Ok(Done::Tried(tried)) => {
                let uptime = self.requests.app().clock().uptime();
                if let Some(permissions) = &mut self.memory.permissions {
                    permissions.take(*tried, uptime);
                }
                self.show_irrevocable();
            }
            Ok(Done::Denied(denied)) => {
                let uptime = self.requests.app().clock().uptime();
                let told = self.memory.credentials.take(*denied, uptime);
                self.record(told.into_iter().map(|what| Event::new(now, Who::Doorward, what)).collect())
                    .await;
                let (_, over) = self.with_sessions(now, uptime);
                self.show_leftovers(&over, now, uptime);
                self.show_irrevocable();
            }
            // A task that broke off leaves its place busy for ever, unless all are taken to be free.
            Err(error) => {
                tracing::error!(%error, "reconciling an account and Region failed, will retry");
                self.memory.again.append(&mut self.memory.busy);
                self.memory.revoking.clear();
                self.memory.tables_again |= std::mem::take(&mut self.memory.tables_busy);
                self.memory.sessions.free();
                self.memory.credentials.free();
                self.memory.permissions.iter_mut().for_each(Permissions::free);
            }
        }
    }
}
