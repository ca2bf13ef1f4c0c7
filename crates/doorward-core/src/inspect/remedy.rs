//! The fix of a finding as changes of the account, where it is known exactly.

use serde::Serialize;

use super::facts::Facts;
use crate::inventory::{RuleIdentity, SecurityGroup};
use crate::reach::{Change, Edit, commands};

/// What fixes a finding, where that is known exactly.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// The changes, which `doorward reach --after` reads.
    pub changes: Vec<Change>,
    /// The commands of the AWS CLI that make them.
    pub commands: Vec<String>,
}

impl Remedy {
    pub(super) fn of(facts: &Facts<'_>, changes: impl IntoIterator<Item = Change>) -> Self {
        let changes: Vec<Change> = changes.into_iter().collect();
        let commands = commands(facts.inventory, &changes);
        Self { changes, commands }
    }

    /// Some rules of a group are removed.
    pub(super) fn removing<'r>(
        facts: &Facts<'_>,
        group: &SecurityGroup,
        rules: impl IntoIterator<Item = &'r RuleIdentity>,
    ) -> Self {
        let removed = rules
            .into_iter()
            .map(|rule| Change::Rule { group: group.id.clone(), edit: Edit::Remove(rule.clone()) });
        Self::of(facts, removed)
    }
}
