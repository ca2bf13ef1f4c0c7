//! Changes by others to our rules.

use std::collections::BTreeSet;

use doorward_core::firewall::InstallationId;
use doorward_core::inventory::{ExistingRule, Inventory, RuleIdentity, SecurityGroup};
use doorward_core::plan::Step;

use super::desired::DesiredGroup;
use super::groups::Newest;

/// What somebody else did to our rules since they were left, and has to be put right: what is as it should be now
/// was done by another Doorward of this store, and so was what an ended grant had opened. What is wanted no more may have been closed by us while this task
/// looked.
pub(super) fn drift(
    known: &Inventory,
    is: &SecurityGroup,
    left: &SecurityGroup,
    by: &InstallationId,
    desired: &DesiredGroup,
    steps: &[Step],
    newest: &Newest,
) -> Vec<String> {
    let (mut lacks, mut extra, mut marked) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for step in steps {
        match step {
            Step::Authorize { rules, .. } => lacks.extend(rules.iter().map(|(rule, _)| rule)),
            Step::Revoke { rules, .. } => extra.extend(rules.iter().map(|(_, rule)| rule)),
            Step::Describe { rules, .. } => marked.extend(rules.iter().map(|remark| &remark.rule)),
        }
    }
    // Whose a rule is takes longer to read than whether it changed.
    let ours = |(_, rule): &(&RuleIdentity, &ExistingRule)| known.made_by(rule, by);
    let missing = left.rules.iter().filter(|(rule, _)| lacks.contains(rule)).filter(ours);
    let missing = missing.filter(|(rule, _)| newest.wants(&left.id, rule));
    let gone = missing.map(|(rule, _)| format!("{rule} had been removed"));
    let more = is.rules.iter().filter(|(rule, _)| {
        extra.contains(rule) && !left.rules.contains_key(*rule) && !desired.expired.contains(*rule)
    });
    let new = more.filter(ours).map(|(rule, _)| format!("{rule} had been added under our mark"));
    let differ = left.rules.iter().filter(|(rule, was)| {
        let differs = |is: &ExistingRule| is.description != was.description || is.tag != was.tag;
        marked.contains(rule) && is.rules.get(*rule).is_some_and(differs)
    });
    let edited = differ.filter(ours).map(|(rule, _)| format!("the mark of {rule} had been edited"));
    gone.chain(new).chain(edited).collect()
}
