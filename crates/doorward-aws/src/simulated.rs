//! An account in memory that answers as AWS does: for the demo, for trying a policy, and for tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use doorward_core::inventory::{
    AccountRegion, Call, Gap, Inventory, RuleIdentity, SecurityGroupId, SecurityGroupRuleId,
};
use doorward_core::plan::{NotPerformed, Step, perform};
use doorward_core::policy::RoleArn;
use doorward_core::session::OpenSession;

use crate::error::Error;
use crate::perform::{Made, Performed};
use crate::recorded::{NotRecorded, recorded};

/// An account that starts as an inventory and changes only by steps. Clones are the same account.
#[derive(Debug, Clone, Default)]
pub struct Simulated(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    inventory: Inventory,
    rules_per_group: Option<u32>,
    last: u64,
    calls: BTreeMap<&'static str, u64>,
    denied: Denied,
    sessions: Vec<OpenSession>,
    role_policies: BTreeMap<(String, String), String>,
}

/// What the credentials lack.
#[derive(Debug, Clone, Copy, Default)]
struct Denied {
    seeing: bool,
    changing: bool,
    ending: bool,
    revoking: bool,
}

impl Simulated {
    /// An account that starts as this inventory.
    pub fn new(inventory: Inventory) -> Self {
        Self(Arc::new(Mutex::new(State { inventory, ..State::default() })))
    }

    /// An account that starts as a folder of recorded answers says.
    pub fn from_folder(folder: &Path) -> Result<Self, NotRecorded> {
        recorded(folder).map(Self::new)
    }

    /// Sets quota `L-0EA8095F`, rules for each direction and family.
    pub fn set_quota(&self, rules_per_group: u32) {
        self.state().rules_per_group = Some(rules_per_group);
    }

    /// Takes permissions from the credentials, or gives them back: to see groups, and to change them.
    pub fn deny(&self, seeing: bool, changing: bool) {
        let denied = &mut self.state().denied;
        (denied.seeing, denied.changing) = (seeing, changing);
    }

    /// Takes the permission to end sessions from the credentials, or gives it back.
    pub fn deny_ending(&self, ending: bool) {
        self.state().denied.ending = ending;
    }

    /// Takes the permission to put policies into roles from the credentials, or gives it back.
    pub fn deny_revoking(&self, revoking: bool) {
        self.state().denied.revoking = revoking;
    }

    /// Changes the account behind Doorward's back, as somebody does by hand.
    pub fn by_hand<T>(&self, change: impl FnOnce(&mut Inventory) -> T) -> T {
        change(&mut self.state().inventory)
    }

    /// All of it.
    pub fn inventory(&self) -> Inventory {
        self.state().inventory.clone()
    }

    /// The sessions of Session Manager; somebody may start one.
    pub fn sessions<T>(&self, change: impl FnOnce(&mut Vec<OpenSession>) -> T) -> T {
        change(&mut self.state().sessions)
    }

    /// How often it was asked, by the name of the call that AWS would have been asked.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.state().calls.clone()
    }

    /// What is known of some groups. A group recorded in one Region is not in another.
    pub fn observe(&self, account_region: &AccountRegion, groups: &[SecurityGroupId]) -> Inventory {
        if groups.is_empty() {
            return Inventory::default();
        }
        let mut state = self.state();
        state.count("DescribeSecurityGroups");
        state.count("DescribeSecurityGroupRules");
        if state.denied.seeing {
            let why = "UnauthorizedOperation: You are not authorized to perform this operation.".to_owned();
            let gap = Gap { groups: groups.to_vec(), ..Gap::of(Call::SecurityGroups, account_region, why) };
            return Inventory { gaps: vec![gap], ..Inventory::default() };
        }
        let seen = groups.iter().filter_map(|id| {
            let group = state.inventory.groups.get(id)?;
            let elsewhere = group.account_region.region.is_some()
                && account_region.region.is_some()
                && group.account_region.region != account_region.region;
            let mut group = group.clone();
            group.account_region = account_region.clone();
            (!elsewhere).then_some((id.clone(), group))
        });
        Inventory {
            groups: seen.collect(),
            prefix_list_weights: state.inventory.prefix_list_weights.clone(),
            rules_per_group: state
                .rules_per_group
                .map(|quota| (account_region.clone(), quota))
                .into_iter()
                .collect(),
            ..Inventory::default()
        }
    }

    /// Performs one step as [`Self::perform`] does, and says which rules it made.
    pub fn perform_noting(
        &self,
        account_region: &AccountRegion,
        step: &Step,
        made: &mut Vec<Made>,
    ) -> Result<Performed, Error> {
        let performed = self.perform(account_region, step)?;
        if let Step::Authorize { group, .. } = step {
            let state = self.state();
            let rules = state.inventory.groups.get(group).map(|group| &group.rules);
            let id = |rule: &RuleIdentity| Some((rule.clone(), rules?.get(rule)?.id.clone()?));
            made.extend(performed.done.iter().filter_map(id));
        }
        Ok(performed)
    }

    /// Performs one step: a whole call or nothing, and then, after a lost race, a rule at a time.
    pub fn perform(&self, account_region: &AccountRegion, step: &Step) -> Result<Performed, Error> {
        let mut state = self.state();
        state.permitted(account_region)?;
        match state.one_call(step) {
            Ok(()) => Ok(Performed { done: rules(step), already: Vec::new() }),
            Err(NotPerformed::Duplicate { .. } | NotPerformed::NoRule { .. }) => {
                let mut performed = Performed::default();
                for one in one_by_one(step) {
                    match state.one_call(&one) {
                        Ok(()) => performed.done.extend(rules(&one)),
                        Err(NotPerformed::Duplicate { rule, .. } | NotPerformed::NoRule { rule, .. }) => {
                            performed.already.push(rule);
                        }
                        Err(other) => return Err(refused(other, account_region)),
                    }
                }
                Ok(performed)
            }
            Err(other) => Err(refused(other, account_region)),
        }
    }

    /// Closes rules by what they let through.
    pub fn close_blind(
        &self,
        account_region: &AccountRegion,
        group: &SecurityGroupId,
        rules: &[RuleIdentity],
    ) -> Result<Performed, Error> {
        let mut state = self.state();
        state.permitted(account_region)?;
        state.count("RevokeSecurityGroupIngress");
        let Some(group) = state.inventory.groups.get_mut(group) else {
            return Err(Error::NoGroup { group: group.clone(), account_region: account_region.clone() });
        };
        let (done, already) =
            rules.iter().cloned().partition(|rule: &RuleIdentity| group.rules.remove(rule).is_some());
        Ok(Performed { done, already })
    }

    /// The sessions that are open.
    pub fn open_sessions(&self) -> Vec<OpenSession> {
        let mut state = self.state();
        state.count("DescribeSessions");
        state.sessions.clone()
    }

    /// Ends a session; one that is over already is no error.
    pub fn end_session(&self, account_region: &AccountRegion, session: &str) -> Result<(), Error> {
        let mut state = self.state();
        state.count("TerminateSession");
        if state.denied.ending {
            return Err(denied("ssm:TerminateSession", account_region, "AccessDeniedException"));
        }
        state.sessions.retain(|open| open.id != session);
        Ok(())
    }

    /// Whether rules of a group may be taken away.
    pub fn may_revoke(&self, account_region: &AccountRegion) -> Result<(), Error> {
        let state = self.state();
        if state.denied.changing {
            return Err(denied("ec2:RevokeSecurityGroupIngress", account_region, "UnauthorizedOperation"));
        }
        Ok(())
    }

    /// Puts a policy into a role.
    pub fn put_role_policy(
        &self,
        account_region: &AccountRegion,
        role: &RoleArn,
        name: &str,
        document: &str,
    ) -> Result<(), Error> {
        let mut state = self.state();
        state.count("PutRolePolicy");
        if state.denied.revoking {
            return Err(denied("iam:PutRolePolicy", account_region, "AccessDenied"));
        }
        state.role_policies.insert((role.to_string(), name.to_owned()), document.to_owned());
        Ok(())
    }

    /// The policies that were put into roles, by the role's ARN and the policy's name.
    pub fn role_policies(&self) -> BTreeMap<(String, String), String> {
        self.state().role_policies.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, call: &'static str) {
        *self.calls.entry(call).or_default() += 1;
    }

    fn permitted(&self, account_region: &AccountRegion) -> Result<(), Error> {
        if !self.denied.changing {
            return Ok(());
        }
        Err(denied("ec2:AuthorizeSecurityGroupIngress", account_region, "UnauthorizedOperation"))
    }

    fn one_call(&mut self, step: &Step) -> Result<(), NotPerformed> {
        self.count(match step {
            Step::Authorize { .. } => "AuthorizeSecurityGroupIngress",
            Step::Describe { .. } => "ModifySecurityGroupRules",
            Step::Revoke { .. } => "RevokeSecurityGroupIngress",
        });
        let account_region =
            self.inventory.groups.get(step.group()).map(|group| group.account_region.clone());
        if let (Some(account_region), Some(quota)) = (account_region, self.rules_per_group) {
            self.inventory.rules_per_group.insert(account_region, quota);
        }
        let last = &mut self.last;
        perform(&mut self.inventory, step, || {
            *last += 1;
            SecurityGroupRuleId::numbered(*last)
        })
    }
}

fn refused(why: NotPerformed, account_region: &AccountRegion) -> Error {
    let (code, message) = match why {
        NotPerformed::Full { group, .. } => return Error::Full { group },
        NotPerformed::NoGroup { group } => {
            return Error::NoGroup { group, account_region: account_region.clone() };
        }
        NotPerformed::Duplicate { .. } => ("InvalidPermission.Duplicate", why.to_string()),
        NotPerformed::NoRule { .. } => ("InvalidSecurityGroupRuleId.NotFound", why.to_string()),
    };
    Error::Refused {
        call: "ec2:AuthorizeSecurityGroupIngress".to_owned(),
        account_region: account_region.clone(),
        code: code.to_owned(),
        message,
    }
}

fn rules(step: &Step) -> Vec<RuleIdentity> {
    match step {
        Step::Authorize { rules, .. } => rules.iter().map(|(rule, _)| rule.clone()).collect(),
        Step::Describe { rules, .. } => rules.iter().map(|remark| remark.rule.clone()).collect(),
        Step::Revoke { rules, .. } => rules.iter().map(|(_, rule)| rule.clone()).collect(),
    }
}

fn one_by_one(step: &Step) -> Vec<Step> {
    let group = || step.group().clone();
    match step {
        Step::Authorize { rules, .. } => {
            let one = |rule: &_| Step::Authorize { group: group(), rules: vec![Clone::clone(rule)] };
            rules.iter().map(one).collect()
        }
        Step::Describe { rules, .. } => {
            let one = |rule: &_| Step::Describe { group: group(), rules: vec![Clone::clone(rule)] };
            rules.iter().map(one).collect()
        }
        Step::Revoke { rules, .. } => {
            let one = |rule: &_| Step::Revoke { group: group(), rules: vec![Clone::clone(rule)] };
            rules.iter().map(one).collect()
        }
    }
}

/// What is said to credentials that lack a permission.
fn denied(call: &str, account_region: &AccountRegion, code: &str) -> Error {
    Error::Refused {
        call: call.to_owned(),
        account_region: account_region.clone(),
        code: code.to_owned(),
        message: "You are not authorized to perform this operation.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use doorward_core::firewall::{Because, InstallationId, Mark};
    use doorward_core::inventory::Seen;

    use super::*;

    fn example() -> Simulated {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/account");
        Simulated::from_folder(&folder).expect("the example's account")
    }

    fn group() -> SecurityGroupId {
        "sg-0a1b2c3d4e5f60718".parse().expect("a group")
    }

    fn authorize(last: std::ops::RangeInclusive<u8>) -> Step {
        let rules = last.map(|last| {
            let peer = format!("203.0.113.{last}").parse().expect("an address");
            let because = Because::Static { firewall: "orders-clients".parse().expect("a firewall") };
            let mark = Mark::new(InstallationId::from_random([1; 4]), because, None);
            (RuleIdentity::admitting("tcp/5432".parse().expect("a flow"), peer), mark)
        });
        Step::Authorize { group: group(), rules: rules.collect() }
    }

    #[test]
    fn the_example_has_one_group_and_one_foreign_rule() {
        let account_region =
            AccountRegion { profile: Some("prod".into()), region: Some("eu-west-1".into()), account: None };
        let seen = example().observe(&account_region, &[group(), "sg-0bad".parse().expect("a group")]);
        let Seen::There(found) = seen.group(&group()) else { panic!("no group") };
        assert_eq!(found.account_region, account_region);
        assert_eq!(found.rules.len(), 2);
        assert!(matches!(seen.group(&"sg-0bad".parse().expect("a group")), Seen::Gone));
        // Both recorded answers tell the same.
        assert!(found.rules.values().all(|rule| rule.id.is_some()));
    }

    #[test]
    fn it_refuses_and_forgives_as_aws_does() {
        let account = example();
        let account_region = AccountRegion::default();
        let performed = account.perform(&account_region, &authorize(1..=2)).expect("rules");
        assert_eq!((performed.done.len(), performed.already.len()), (2, 0));
        let performed = account.perform(&account_region, &authorize(2..=3)).expect("rules");
        assert_eq!((performed.done.len(), performed.already.len()), (1, 1));
        let full = account.perform(&account_region, &authorize(4..=60)).expect_err("no room for 57 beside 4");
        assert_eq!(full, Error::Full { group: group() });
        assert_eq!(account.inventory().groups[&group()].rules.len(), 5);
        account.set_quota(100);
        account.perform(&account_region, &authorize(4..=60)).expect("room now");
        assert_eq!(account.observe(&account_region, &[group()]).quota(&account_region), 100);
        let gone = Step::Authorize { group: "sg-0bad".parse().expect("a group"), rules: vec![] };
        assert!(matches!(account.perform(&account_region, &gone), Err(Error::NoGroup { .. })));
        let one = RuleIdentity::admitting(
            "tcp/5432".parse().expect("a flow"),
            "203.0.113.1".parse().expect("an address"),
        );
        let closed =
            account.close_blind(&account_region, &group(), std::slice::from_ref(&one)).expect("closed");
        assert_eq!(closed.done, std::slice::from_ref(&one));
        assert_eq!(
            account
                .close_blind(&account_region, &group(), std::slice::from_ref(&one))
                .expect("closed")
                .already,
            [one]
        );
    }
}
