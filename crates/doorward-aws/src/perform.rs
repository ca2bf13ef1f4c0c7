//! Performs steps: one write call for one change, and a race that was lost is a success.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use doorward_core::firewall::InstallationId;
use doorward_core::inventory::{Direction, RuleIdentity, SecurityGroupId, SecurityGroupRuleId};
use doorward_core::plan::{Remark, Step};

use crate::account::Account;
use crate::error::{Error, Failure};
use crate::operation::{
    AuthorizeEgress, AuthorizeIngress, CreateTags, MayRevokeIngress, ModifySecurityGroupRules, Operation,
    Permission, RevokeEgress, RevokeIngress, action,
};
use crate::reading::rule;

/// A rule that a step made, and the id that AWS gave it.
pub type Made = (RuleIdentity, SecurityGroupRuleId);

/// What became of the rules of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Performed {
    /// Changed by this step.
    pub done: Vec<RuleIdentity>,
    /// As wanted before: somebody else had added or removed them meanwhile.
    pub already: Vec<RuleIdentity>,
}

/// The codes that mean that somebody was faster, for what adds and for what takes away or changes.
const THERE: &[&str] = &["InvalidPermission.Duplicate"];
const GONE: &[&str] = &["InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"];

impl Account {
    /// Performs one step.
    ///
    /// AWS does a whole call or nothing of it, so a call that lost a race is made again, a rule at a time.
    /// An error leaves a step undone or half done; the next observation shows which.
    pub async fn perform(&self, step: &Step) -> Result<Performed, Error> {
        self.perform_noting(step, &mut Vec::new()).await
    }

    /// Performs one step as [`Self::perform`] does, and says which rules it made, also where it fails in the middle.
    pub async fn perform_noting(&self, step: &Step, made: &mut Vec<Made>) -> Result<Performed, Error> {
        match step {
            Step::Authorize { group, rules } => {
                let mut performed = Performed::default();
                let new = Mutex::new(Vec::new());
                let mut done = Ok(());
                for (by, direction, rules) in by_call(rules) {
                    let items: Vec<Permission> = rules;
                    let call = |rules| self.authorize(group, direction, by, rules, &new);
                    done = self.each_or_all(&items, THERE, &mut performed, call).await;
                    if done.is_err() {
                        break;
                    }
                }
                made.append(&mut new.into_inner().unwrap_or_else(PoisonError::into_inner));
                done.map(|()| performed)
            }
            Step::Describe { group, rules } => self.describe(group, rules).await,
            Step::Revoke { group, rules } => {
                let mut performed = Performed::default();
                for direction in [Direction::In, Direction::Out] {
                    let items: Vec<(SecurityGroupRuleId, RuleIdentity)> = rules
                        .iter()
                        .filter(|(_, rule)| rule.direction == direction)
                        .map(|(id, rule)| (id.id().clone(), rule.clone()))
                        .collect();
                    self.each_or_all(&items, GONE, &mut performed, |items| {
                        let ids = items.iter().map(|(id, _)| id.clone()).collect();
                        self.revoke(direction, RevokeIngress { group: group.clone(), ids, rules: Vec::new() })
                    })
                    .await?;
                }
                Ok(performed)
            }
        }
    }

    /// Closes rules by what they let through, for when nothing could be described and no id is known.
    pub async fn close_blind(
        &self,
        group: &SecurityGroupId,
        rules: &[RuleIdentity],
    ) -> Result<Performed, Error> {
        let mut performed = Performed::default();
        for direction in [Direction::In, Direction::Out] {
            let items: Vec<Permission> = rules
                .iter()
                .filter(|rule| rule.direction == direction)
                .map(|rule| Permission { rule: rule.clone(), description: None })
                .collect();
            self.each_or_all(&items, GONE, &mut performed, |rules| {
                let (group, ids) = (group.clone(), Vec::new());
                self.revoke(direction, RevokeIngress { group, ids, rules: rules.to_vec() })
            })
            .await?;
        }
        Ok(performed)
    }

    /// Whether AWS would take rules of a group away for these credentials; nothing is changed. An error only where they
    /// lack the permission: whatever else is wrong is found when the group is looked at.
    pub async fn may_revoke(&self, group: &SecurityGroupId) -> Result<(), Error> {
        match self.0.connection.call(&MayRevokeIngress(group.clone())).await {
            Err(failure) if failure.is_denial() && !failure.is(&[MayRevokeIngress::WOULD]) => {
                Err(failure.at(&action::<MayRevokeIngress>(), self.account_region(), Some(group)))
            }
            _ => Ok(()),
        }
    }

    async fn describe(&self, group: &SecurityGroupId, rules: &[Remark]) -> Result<Performed, Error> {
        let mut performed = Performed::default();
        let items: Vec<_> = rules
            .iter()
            .map(|remark| (remark.id.id().clone(), remark.rule.clone(), remark.mark.to_string()))
            .collect();
        self.each_or_all(&items, GONE, &mut performed, |items| {
            let rules = items.to_vec();
            self.write(group, ModifySecurityGroupRules { group: group.clone(), rules })
        })
        .await?;
        let retag: Vec<&Remark> = rules.iter().filter(|remark| remark.retag).collect();
        for remarks in retag.chunk_by(|one, other| one.mark.by == other.mark.by) {
            let Some(by) = remarks.first().map(|remark| remark.mark.by.clone()) else { continue };
            let items: Vec<_> =
                remarks.iter().map(|remark| (remark.id.id().clone(), remark.rule.clone())).collect();
            // Which rules were there has been said above.
            let mut tagged = Performed::default();
            self.each_or_all(&items, GONE, &mut tagged, |items| {
                let rules = items.iter().map(|(id, _)| id.clone()).collect();
                self.write(group, CreateTags { rules, by: by.clone() })
            })
            .await?;
        }
        Ok(performed)
    }

    async fn authorize(
        &self,
        group: &SecurityGroupId,
        direction: Direction,
        by: &InstallationId,
        rules: &[Permission],
        made: &Mutex<Vec<Made>>,
    ) -> Result<(), Written> {
        let ingress = AuthorizeIngress { group: group.clone(), rules: rules.to_vec(), by: by.clone() };
        let answer = match direction {
            Direction::In => self.write_for(group, ingress).await?,
            Direction::Out => self.write_for(group, AuthorizeEgress(ingress)).await?,
        };
        // What cannot be read here is read at the next look.
        let read = answer.rules.0.iter().filter_map(|shape| rule(shape).ok());
        let new = read.filter_map(|(rule, existing)| Some((rule, existing.id?)));
        made.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
        Ok(())
    }

    async fn revoke(&self, direction: Direction, ingress: RevokeIngress) -> Result<(), Written> {
        let group = ingress.group.clone();
        match direction {
            Direction::In => self.write(&group, ingress).await,
            Direction::Out => self.write(&group, RevokeEgress(ingress)).await,
        }
    }

    async fn write<O: Operation>(&self, group: &SecurityGroupId, operation: O) -> Result<(), Written> {
        self.write_for(group, operation).await.map(drop)
    }

    async fn write_for<O: Operation>(
        &self,
        group: &SecurityGroupId,
        operation: O,
    ) -> Result<O::Answer, Written> {
        let written = self.0.connection.call(&operation).await;
        written.map_err(|failure| Written {
            error: failure.clone().at(&action::<O>(), self.account_region(), Some(group)),
            failure,
        })
    }

    /// Makes one call for all items; when it lost a race, one for each, and a lost one is a success.
    async fn each_or_all<'a, T: Item, F>(
        &self,
        items: &'a [T],
        lost: &[&str],
        performed: &mut Performed,
        call: impl Fn(&'a [T]) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Written>>,
    {
        if items.is_empty() {
            return Ok(());
        }
        match call(items).await {
            Ok(()) => {
                performed.done.extend(items.iter().map(|item| item.rule().clone()));
                return Ok(());
            }
            Err(written) if !written.failure.is(lost) => return Err(written.error),
            Err(_) => {}
        }
        // With one item the answer is known already.
        if let [item] = items {
            performed.already.push(item.rule().clone());
            return Ok(());
        }
        for item in items {
            match call(std::slice::from_ref(item)).await {
                Ok(()) => performed.done.push(item.rule().clone()),
                Err(written) if written.failure.is(lost) => performed.already.push(item.rule().clone()),
                Err(written) => return Err(written.error),
            }
        }
        Ok(())
    }
}

/// How a write failed: for us, and for who asked.
struct Written {
    failure: Failure,
    error: Error,
}

/// Something that a call has many of.
trait Item {
    fn rule(&self) -> &RuleIdentity;
}

impl Item for Permission {
    fn rule(&self) -> &RuleIdentity {
        &self.rule
    }
}

impl Item for (SecurityGroupRuleId, RuleIdentity) {
    fn rule(&self) -> &RuleIdentity {
        &self.1
    }
}

impl Item for (SecurityGroupRuleId, RuleIdentity, String) {
    fn rule(&self) -> &RuleIdentity {
        &self.1
    }
}

/// Rules that can go in one call: a call has one direction, and one tag for all its rules.
fn by_call(
    rules: &[(RuleIdentity, doorward_core::firewall::Mark)],
) -> Vec<(&InstallationId, Direction, Vec<Permission>)> {
    let mut calls: Vec<(&InstallationId, Direction, Vec<Permission>)> = Vec::new();
    for (rule, mark) in rules {
        let permission = Permission { rule: rule.clone(), description: Some(mark.to_string()) };
        let call = calls.iter_mut().find(|(by, way, _)| **by == mark.by && *way == rule.direction);
        match call {
            Some((_, _, permissions)) => permissions.push(permission),
            None => calls.push((&mark.by, rule.direction, vec![permission])),
        }
    }
    calls
}
