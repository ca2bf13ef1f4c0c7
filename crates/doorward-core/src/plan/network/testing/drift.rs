//! What somebody does to an account manually.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{by, cidr, id, interface};
use crate::inventory::*;

/// Something that somebody does manually. `which` chooses among what it can be done to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drift {
    pub(crate) kind: u8,
    pub(crate) which: usize,
}

pub(crate) fn drift() -> impl Strategy<Value = Vec<Drift>> {
    prop::collection::vec((0..27_u8, any::<usize>()).prop_map(|(kind, which)| Drift { kind, which }), 0..6)
}

fn chosen<'m, K, V>(all: impl Iterator<Item = (&'m K, &'m mut V)>, which: usize) -> Option<&'m mut V>
where
    K: 'm,
    V: 'm,
{
    let mut all: Vec<&mut V> = all.map(|(_, it)| it).collect();
    (!all.is_empty()).then(|| all.swap_remove(which % all.len()))
}

impl Drift {
    /// Does it, where there is something to do it to.
    pub(crate) fn happen(self, account: &mut Inventory) {
        let by = by();
        let Self { kind, which } = self;
        let tables = account.route_tables.iter_mut().filter(|(_, it)| it.owned(&by).is_some());
        let groups = account.groups.iter_mut().filter(|(_, it)| it.owned(&by).is_some());
        let rule = |text: &str| text.parse::<RuleIdentity>().expect("a rule");
        let existing = |number: usize| ExistingRule {
            id: Some(id(&format!("sgr-drift{number:x}"))),
            ..ExistingRule::default()
        };
        match kind {
            0 => drop(chosen(tables, which).map(|it| it.routes.retain(|it| it.target == RouteTarget::Local))),
            1 => drop(chosen(tables, which).map(|it| it.subnets.clear())),
            2 => drop(chosen(tables, which).map(|it| {
                it.routes.push(Route {
                    destination: Destination::Cidr(cidr("192.0.2.0/24")),
                    target: RouteTarget::Peering(id("pcx-0a")),
                    propagated: false,
                    blackhole: false,
                });
            })),
            3 => drop(chosen(groups, which).map(|it| {
                it.rules.entry(rule("tcp/22 from 0.0.0.0/0")).or_insert(existing(which));
            })),
            4 => drop(chosen(groups, which).map(|it| it.rules.pop_first())),
            5 => drop(chosen(groups, which).map(|it| {
                it.rules.values_mut().for_each(|it| it.description = "mine".into());
            })),
            6 => drop(chosen(groups, which).map(|it| {
                it.rules.values_mut().for_each(|it| it.tag = None);
            })),
            7 => {
                let ours: BTreeSet<VpcId> = account
                    .vpcs
                    .values()
                    .filter(|it| it.owned(&by).is_some())
                    .map(|it| it.id.clone())
                    .collect();
                let defaults = account.groups.iter_mut().filter(|(_, it)| {
                    it.name == "default" && it.vpc.as_ref().is_some_and(|vpc| ours.contains(vpc))
                });
                if let Some(group) = chosen(defaults, which) {
                    group.rules.entry(rule("all from 10.0.0.0/8")).or_insert(existing(which));
                }
            }
            8 => {
                let ours: BTreeSet<SecurityGroupId> = groups.map(|(id, _)| id.clone()).collect();
                for interface in account.interfaces.values_mut() {
                    interface.groups.retain(|group| !ours.contains(group));
                    if interface.groups.is_empty() {
                        interface.groups.insert(id("sg-0d"));
                    }
                }
            }
            9 => {
                let in_default =
                    |it: &SecurityGroup| it.vpc.as_ref().is_some_and(|vpc| vpc.as_str() == "vpc-0d");
                let role = chosen(groups.filter(|(_, it)| in_default(it)), which).map(|it| it.id.clone());
                if let Some(role) = role {
                    account.interfaces.get_mut("eni-0b").expect("an interface").groups.insert(role);
                }
            }
            10 => drop(chosen(account.endpoints.iter_mut(), which).map(|it| it.tables.pop_first())),
            11 => drop(
                chosen(account.database_subnet_groups.iter_mut(), which).map(|it| it.subnets.pop_first()),
            ),
            12 => drop(chosen(account.nat_gateways.iter_mut(), which).map(|it| it.state = "failed".into())),
            13 => {
                let ours = account.vpcs.iter_mut().filter(|(_, it)| it.owned(&by).is_some());
                if let Some(vpc) = chosen(ours, which) {
                    vpc.dns = DnsAttributes { support: Some(false), hostnames: Some(false) };
                }
            }
            14 => drop(chosen(account.endpoints.iter_mut(), which).map(|it| {
                it.state = if which.is_multiple_of(2) { "failed" } else { "deleting" }.into();
            })),
            15 => drop(
                chosen(account.instances.iter_mut().filter(|(_, it)| it.owned(&by).is_some()), which)
                    .map(|it| it.state = "stopped".into()),
            ),
            16 => {
                let ours = account.instances.values().filter(|it| it.owned(&by).is_some());
                let ours: Vec<InstanceId> = ours.map(|it| it.id.clone()).collect();
                ours.iter().for_each(|id| crate::topology::forget_instance(account, id));
            }
            17..=19 => {
                let ours = account.databases.iter_mut().filter(|(_, it)| it.owned(&by).is_some());
                let Some(database) = chosen(ours, which) else { return };
                match kind {
                    17 => database.status = if which % 2 == 0 { "stopped" } else { "backing-up" }.into(),
                    18 => {
                        let settings = &mut database.settings;
                        (settings.iam, settings.backup_days, settings.has_secret) =
                            (Some(false), Some(7), false);
                        settings.storage = Some(20);
                    }
                    _ => {
                        database.settings.class = Some("db.t4g.large".parse().expect("a class"));
                        if which % 2 == 0 {
                            database.settings.pending.insert("DBInstanceClass".into());
                        }
                    }
                }
            }
            21..=26 => self.scaled(account),
            _ => {
                let mut subnets = account.subnets.values().filter(|it| it.owned(&by).is_some());
                let name = format!("eni-drift{which:x}");
                let Some(subnet) = subnets.next().cloned() else { return };
                let Some(group) = account
                    .groups
                    .values()
                    .find(|it| it.name == "default" && it.vpc.as_ref() == Some(&subnet.vpc))
                else {
                    return;
                };
                let it = interface(
                    &name,
                    subnet.id.as_str(),
                    subnet.vpc.as_str(),
                    group.id.as_str(),
                    Some("i-0a"),
                );
                account.interfaces.insert(it.id.clone(), it);
            }
        }
    }

    /// The same to load balancers and Auto Scaling groups.
    fn scaled(self, account: &mut Inventory) {
        let by = by();
        let Self { kind, which } = self;
        let groups = account.scaling_groups.iter_mut().filter(|(_, it)| it.owned(&by).is_some());
        let balancers = account.load_balancers.iter_mut().filter(|(_, it)| it.owned(&by).is_some());
        match kind {
            21 => drop(chosen(groups, which).map(|it| {
                (it.min, it.max, it.grace) = (0, 9, 0);
                it.template = it.template.take().map(|(id, _)| (id, "$Latest".to_owned()));
            })),
            22 => drop(chosen(groups, which).map(|it| it.target_groups.clear())),
            // AWS replaces an instance, and a scaling policy wants another number of them.
            23 => {
                let Some(group) = chosen(groups, which) else { return };
                group.desired = 3;
                let gone = group.instances.pop_first();
                gone.iter().for_each(|id| crate::topology::forget_instance(account, id));
            }
            24 => drop(chosen(balancers, which).map(|it| it.listeners = Some(Vec::new()))),
            25 => drop(chosen(balancers, which).map(|it| {
                it.subnets.pop_first();
                it.listeners.iter_mut().flatten().for_each(|it| it.target_groups.clear());
            })),
            _ => drop(
                chosen(account.target_groups.iter_mut(), which)
                    .map(|it| it.health_path = Some("/other".into())),
            ),
        }
    }
}
