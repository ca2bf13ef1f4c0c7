//! The doors of this machine itself: its nftables, and the relay.

use std::collections::BTreeMap;

use doorward_core::firewall::nftables::{Difference, Table};
use doorward_core::firewall::{InstallationId, Ruleset};
use doorward_core::policy::{Enforcement, Firewall, FirewallName, Policy};
use jiff::Timestamp;

use super::nftables::{NftError, Nftables};
use crate::reconciler::Outcome;

/// What this machine enforces by itself.
#[derive(Debug, Default)]
pub struct Local {
    nftables: Option<Nftables>,
}

impl Local {
    /// Brings every door of this machine to its ruleset.
    pub async fn bring(
        &mut self,
        policy: &Policy,
        wanted: &BTreeMap<FirewallName, Ruleset>,
        by: &InstallationId,
        now: Timestamp,
    ) -> BTreeMap<FirewallName, Outcome> {
        let mut outcomes = BTreeMap::new();
        for (name, firewall) in &policy.firewalls {
            let Some(ruleset) = wanted.get(name) else { continue };
            let outcome = match &firewall.kind {
                Enforcement::SecurityGroup { .. } => continue,
                Enforcement::Nftables { .. } => self.table(policy, firewall, ruleset, by, now).await,
                Enforcement::Relay { .. } => Outcome::default(),
            };
            outcomes.insert(name.clone(), outcome);
        }
        outcomes
    }

    async fn table(
        &mut self,
        policy: &Policy,
        firewall: &Firewall,
        ruleset: &Ruleset,
        by: &InstallationId,
        now: Timestamp,
    ) -> Outcome {
        let failed = |why: String| Outcome { failed: Some(why), ..Outcome::default() };
        let table = match Table::new(firewall, policy.targets.values(), by) {
            Ok(table) => table,
            Err(error) => return failed(error.to_string()),
        };
        let nftables = match &mut self.nftables {
            Some(nftables) => nftables,
            // Looked for again at each pass: it may be installed while the server runs.
            none => match Nftables::find() {
                Ok(found) => none.insert(found),
                Err(error) => return failed(told(&error)),
            },
        };
        match nftables.replace(&table, ruleset, now).await {
            Ok(replaced) => {
                let words =
                    |differences: &[Difference]| differences.iter().map(ToString::to_string).collect();
                Outcome { drift: words(&replaced.drift), ..changes(&replaced.differed) }
            }
            Err(error) => failed(told(&error)),
        }
    }

    /// Ends what only lives with the program; a table stays, and its elements end by the kernel's count.
    pub async fn stop(self) {}
}

fn told(error: &NftError) -> String {
    match error.hint() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

/// What a table lacked was added, and what it had too much was taken away.
fn changes(differed: &[Difference]) -> Outcome {
    let mut outcome = Outcome::default();
    for difference in differed {
        match difference {
            Difference::Missing { peer, guarded, comment } => {
                outcome.added.push(format!("{guarded} from {peer}: {comment}"));
            }
            Difference::Extra { peer, guarded, .. } => outcome.removed.push(format!("{guarded} from {peer}")),
            Difference::End { peer, guarded, .. } | Difference::Comment { peer, guarded, .. } => {
                outcome.added.push(format!("{guarded} from {peer}: now to another end"));
            }
            Difference::TableGone
            | Difference::OtherGuards
            | Difference::ChainGone(_)
            | Difference::ChainMoved(_)
            | Difference::ChainFlushed(_)
            | Difference::ChainChanged(_)
            | Difference::Foreign(_)
            | Difference::SetGone(_) => {}
        }
    }
    outcome
}
