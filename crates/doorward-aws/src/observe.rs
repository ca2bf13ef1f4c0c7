//! Observes security groups: never fails, since what cannot be seen is a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use doorward_core::inventory::{
    Gap, GapSource, Inventory, Peer, PrefixListId, SecurityGroup, SecurityGroupId,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::account::Account;
use crate::error::Failure;
use crate::operation::{
    Asked, DescribeManagedPrefixLists, DescribeSecurityGroupRules, DescribeSecurityGroups, GROUPS_A_CALL,
    Operation, Paged, RuleShape, action,
};
use crate::reading;

/// How many calls of one observation are under way at once: EC2 refills 20 describe calls a second.
pub(crate) const AT_ONCE: usize = 4;

/// More pages than any account has; a service that never stops naming a next page is not followed for ever.
const MOST_PAGES: usize = 1000;

/// How long all pages of one call may take, however quickly each comes: pages are read one after the other.
pub(crate) const ALL_PAGES: Duration = Duration::from_secs(60);

impl Account {
    /// What is known of some groups: the groups, their rules, and what counts against their quota.
    ///
    /// A call that is denied or fails makes a [`Gap`] that names the groups it would have told of. A group whose
    /// rules could not all be seen is left out, so that nothing is planned for it. No groups: no call.
    pub async fn observe(&self, groups: &[SecurityGroupId]) -> Inventory {
        let asked: BTreeSet<&SecurityGroupId> = groups.iter().collect();
        if asked.is_empty() {
            return Inventory::default();
        }
        let asked: Vec<SecurityGroupId> = asked.into_iter().cloned().collect();
        let mut seen = Seen::new(self);
        let (described, quota) = tokio::join!(self.in_chunks(&asked, describe_groups), self.quota());
        let mut exists: BTreeSet<SecurityGroupId> = BTreeSet::new();
        for (chunk, answer) in described {
            match answer {
                Ok(shapes) => {
                    for shape in &shapes {
                        exists.extend(seen.group(shape));
                    }
                }
                Err(failure) => {
                    seen.gap::<DescribeSecurityGroups>(&chunk, failure.why());
                    // Who may not see groups may see their rules. Who got no answer has waited enough.
                    if failure.is_denial() {
                        exists.extend(chunk);
                    }
                }
            }
        }
        // Only groups that are there, or may be: a filter with one malformed id is refused for all of them.
        let exists: Vec<SecurityGroupId> = exists.into_iter().collect();
        for (chunk, answer) in self.in_chunks(&exists, describe_rules).await {
            match answer {
                Ok(shapes) => seen.rules(&shapes),
                Err(failure) => seen.unseen_rules(&chunk, failure.why()),
            }
        }
        seen.prefix_lists().await;
        seen.inventory.rules_per_group.extend(quota.map(|quota| (self.account_region().clone(), quota)));
        seen.inventory
    }

    /// The answers for all groups, as many in one call as EC2 allows, in the order of the groups.
    async fn in_chunks<O>(
        &self,
        groups: &[SecurityGroupId],
        operation: fn(Vec<SecurityGroupId>) -> O,
    ) -> Vec<(Vec<SecurityGroupId>, Result<Vec<O::Item>, Failure>)>
    where
        O: Paged + Send + Sync + 'static,
        O::Item: Send + 'static,
    {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut calls = JoinSet::new();
        let mut answers = BTreeMap::new();
        for (number, chunk) in groups.chunks(GROUPS_A_CALL).map(<[_]>::to_vec).enumerate() {
            let (account, turns) = (self.clone(), Arc::clone(&turns));
            // Whatever becomes of the task, its groups are not forgotten: unseen is not gone.
            answers.insert(number, (chunk.clone(), Err(Failure::Silent("it was cut short".to_owned()))));
            calls.spawn(async move {
                // The semaphore is never closed, and a chunk without a turn is better than a lost one.
                let _turn = turns.acquire().await.ok();
                let pages = tokio::time::timeout(ALL_PAGES, account.pages(operation(chunk.clone())));
                let late = || Failure::Silent(format!("it took longer than {} seconds", ALL_PAGES.as_secs()));
                let answer = pages.await.unwrap_or_else(|_| Err(late()));
                (number, (chunk, answer))
            });
        }
        while let Some(done) = calls.join_next().await {
            answers.extend(done.ok());
        }
        answers.into_values().collect()
    }

    /// All pages of one call.
    pub(crate) async fn pages<O: Paged>(&self, mut operation: O) -> Result<Vec<O::Item>, Failure> {
        let mut items = Vec::new();
        for _ in 0..MOST_PAGES {
            let (page, next) = O::split(self.0.connection.call(&operation).await?);
            items.extend(page);
            match next.filter(|token| !token.is_empty()) {
                None => return Ok(items),
                Some(token) => operation = operation.at(token),
            }
        }
        Err(Failure::Silent(format!("there were more than {MOST_PAGES} pages")))
    }
}

fn describe_groups(groups: Vec<SecurityGroupId>) -> DescribeSecurityGroups {
    DescribeSecurityGroups { groups: Asked::These(groups), token: None }
}

fn describe_rules(groups: Vec<SecurityGroupId>) -> DescribeSecurityGroupRules {
    DescribeSecurityGroupRules { groups: Asked::These(groups), token: None }
}

/// What was seen so far.
struct Seen<'a> {
    account: &'a Account,
    inventory: Inventory,
}

impl<'a> Seen<'a> {
    fn new(account: &'a Account) -> Self {
        Self { account, inventory: Inventory::default() }
    }

    fn group(&mut self, shape: &crate::operation::GroupShape) -> Option<SecurityGroupId> {
        match reading::group(shape, self.account.account_region()) {
            Ok(group) => {
                let id = group.id.clone();
                self.inventory.groups.insert(id.clone(), group);
                Some(id)
            }
            Err(why) => {
                self.gap::<DescribeSecurityGroups>(&[], format!("`{}` cannot be read: {why}", shape.id));
                None
            }
        }
    }

    fn rules(&mut self, shapes: &[RuleShape]) {
        for shape in shapes {
            match (reading::rule(shape), shape.group.parse::<SecurityGroupId>()) {
                (Ok((identity, existing)), Ok(id)) => {
                    let group = self.inventory.groups.entry(id.clone());
                    // A group that could not be described is there all the same when it has rules: what has
                    // ended in it can be closed.
                    let group = group.or_insert_with(|| SecurityGroup {
                        owner: shape.owner.clone(),
                        ..reading::unnamed(id, self.account.account_region())
                    });
                    group.rules.insert(identity, existing);
                }
                (Err(why), _) => self.unreadable(shape, &why.to_string()),
                (_, Err(why)) => self.unreadable(shape, &why.to_string()),
            }
        }
    }

    /// One rule that cannot be read hides no other.
    fn unreadable(&mut self, shape: &RuleShape, why: &str) {
        let rule = shape.id.as_deref().unwrap_or("a rule");
        let why = format!("{rule} of {} cannot be read: {why}", shape.group);
        self.gap::<DescribeSecurityGroupRules>(&[], why);
    }

    fn unseen_rules(&mut self, chunk: &[SecurityGroupId], why: String) {
        for group in chunk {
            self.inventory.groups.remove(group);
        }
        self.gap::<DescribeSecurityGroupRules>(chunk, why);
    }

    fn gap<O: Operation>(&mut self, groups: &[SecurityGroupId], why: String) {
        self.inventory.gaps.push(Gap {
            source: GapSource::read(&action::<O>()),
            account_region: self.account.account_region().clone(),
            groups: groups.to_vec(),
            why,
        });
    }

    /// What the prefix lists in the rules count, if there are any.
    async fn prefix_lists(&mut self) {
        let rules = self.inventory.groups.values().flat_map(|group| group.rules.keys());
        let lists: BTreeSet<PrefixListId> = rules
            .filter_map(|rule| match &rule.peer {
                Peer::PrefixList(list) => Some(list.clone()),
                Peer::Cidr(_) | Peer::Group(_) => None,
            })
            .collect();
        let lists: Vec<PrefixListId> = lists.into_iter().collect();
        for chunk in lists.chunks(100) {
            let operation = DescribeManagedPrefixLists { lists: Asked::These(chunk.to_vec()), token: None };
            match self.account.pages(operation).await {
                Ok(shapes) => {
                    let weights = shapes
                        .iter()
                        .filter_map(|list| Some((list.id.as_deref()?.parse().ok()?, list.weight()?)));
                    self.inventory.prefix_list_weights.extend(weights);
                }
                // It blocks nothing: AWS itself will refuse what does not fit.
                Err(failure) => self.gap::<DescribeManagedPrefixLists>(&[], failure.why()),
            }
        }
    }
}
