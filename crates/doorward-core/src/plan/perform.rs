//! Performs a step on an inventory as AWS performs it on an account: whole, or not at all.

use super::Step;
use crate::inventory::{
    ExistingRule, Inventory, RuleIdentity, SecurityGroup, SecurityGroupId, SecurityGroupRuleId,
};
use crate::net::Family;

/// Why a step was not performed; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPerformed {
    /// `InvalidGroup.NotFound`
    #[error("security group {group} does not exist")]
    NoGroup { group: SecurityGroupId },
    /// `InvalidPermission.Duplicate`
    #[error("security group {group} already has the rule {rule}")]
    Duplicate { group: SecurityGroupId, rule: RuleIdentity },
    /// `InvalidSecurityGroupRuleId.NotFound`
    #[error("security group {group} does not have the rule {rule}")]
    NoRule { group: SecurityGroupId, rule: RuleIdentity },
    /// `RulesPerSecurityGroupLimitExceeded`
    #[error(
        "security group {group} would have more than the {quota} {family} rules that quota L-0EA8095F (rules per security group) allows"
    )]
    Full {
        group: SecurityGroupId,
        family: Family,
        /// How many it may have.
        quota: u32,
    },
}

/// Performs one step; `name` yields the id of each rule that is new.
pub fn perform(
    inventory: &mut Inventory,
    step: &Step,
    name: impl FnMut() -> SecurityGroupRuleId,
) -> Result<(), NotPerformed> {
    let id = step.group();
    let group = inventory.groups.get(id).ok_or_else(|| NotPerformed::NoGroup { group: id.clone() })?;
    let changed = change(inventory, group, step, name)?;
    inventory.groups.insert(id.clone(), changed);
    Ok(())
}

fn change(
    inventory: &Inventory,
    group: &SecurityGroup,
    step: &Step,
    mut name: impl FnMut() -> SecurityGroupRuleId,
) -> Result<SecurityGroup, NotPerformed> {
    let mut changed = group.clone();
    let no_rule = |rule: &RuleIdentity| NotPerformed::NoRule { group: group.id.clone(), rule: rule.clone() };
    match step {
        Step::Authorize { rules, .. } => {
            for (identity, mark) in rules {
                let rule = ExistingRule {
                    id: Some(name()),
                    description: mark.to_string(),
                    tag: Some(mark.by.to_string()),
                };
                if changed.rules.insert(identity.clone(), rule).is_some() {
                    let (group, rule) = (group.id.clone(), identity.clone());
                    return Err(NotPerformed::Duplicate { group, rule });
                }
            }
            within_quota(inventory, group, &changed)?;
        }
        Step::Describe { rules, .. } => {
            for remark in rules {
                let rule = changed.rules.get_mut(&remark.rule);
                let rule = rule.filter(|rule| rule.id.as_ref() == Some(remark.id.id()));
                let rule = rule.ok_or_else(|| no_rule(&remark.rule))?;
                rule.description = remark.mark.to_string();
                if remark.retag {
                    rule.tag = Some(remark.mark.by.to_string());
                }
            }
        }
        Step::Revoke { rules, .. } => {
            for (id, identity) in rules {
                let gone = changed.rules.remove(identity);
                gone.filter(|rule| rule.id.as_ref() == Some(id.id())).ok_or_else(|| no_rule(identity))?;
            }
        }
    }
    Ok(changed)
}

fn within_quota(
    inventory: &Inventory,
    before: &SecurityGroup,
    after: &SecurityGroup,
) -> Result<(), NotPerformed> {
    use crate::inventory::Direction::{In, Out};
    let quota = inventory.quota(&before.account_region);
    let weights = &inventory.prefix_list_weights;
    for (direction, family) in [(In, Family::V4), (In, Family::V6), (Out, Family::V4), (Out, Family::V6)] {
        let would = after.weight(direction, family, weights);
        if would > quota && would > before.weight(direction, family, weights) {
            return Err(NotPerformed::Full { group: before.id.clone(), family, quota });
        }
    }
    Ok(())
}
