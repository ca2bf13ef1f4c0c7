//! Grants that another server of the same store opened after a pass had read it: their rules are kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use doorward_core::firewall::Because;
use doorward_core::grant::GrantId;
use doorward_core::inventory::{Ownership, RuleIdentity, SecurityGroup};
use doorward_core::plan::Step;
use jiff::Timestamp;

use crate::store::{Store, in_time};

/// What a pass had read when it decided.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub store: Store,
    pub grants: Arc<BTreeSet<GrantId>>,
}

impl Read {
    /// The steps without the taking away of what has the name of a grant that is live and was not there when it was
    /// decided. A grant that was there is decided on: a rule in its name that nothing wants is none of ours to keep.
    pub async fn spare(&self, steps: Vec<Step>, group: &SecurityGroup, now: Timestamp) -> Vec<Step> {
        let mut spared = Vec::with_capacity(steps.len());
        for step in steps {
            let Step::Revoke { group: id, mut rules } = step else {
                spared.push(step);
                continue;
            };
            let mut newer = BTreeSet::new();
            for (_, rule) in &rules {
                if self.is_newer(rule, group, now).await {
                    newer.insert(rule.clone());
                }
            }
            rules.retain(|(_, rule)| !newer.contains(rule));
            if !rules.is_empty() {
                spared.push(Step::Revoke { group: id, rules });
            }
        }
        spared
    }

    async fn is_newer(&self, rule: &RuleIdentity, group: &SecurityGroup, now: Timestamp) -> bool {
        let existing = group.rules.get(rule).map(|existing| existing.ownership());
        let Some(Ownership::Marked(mark) | Ownership::MarkOnly(mark)) = existing else {
            return false;
        };
        let Because::Grant { id, .. } = &mark.because else { return false };
        if self.grants.contains(id) {
            return false;
        }
        // A store that does not answer knows of no grant: in doubt a group stays closed.
        let grant = in_time(self.store.grant(id)).await.ok().flatten();
        grant.is_some_and(|grant| grant.live(now).is_some())
    }
}
