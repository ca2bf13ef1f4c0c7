//! What load balancers and Auto Scaling groups cost.

use super::{Cost, Prices, ScaledChange};
use crate::inventory::{Instance, InstanceId, Inventory, LoadBalancer, ScalingGroup};
use crate::price::Item;
use crate::topology::{Environment, EnvironmentParts, Prod};

impl Prices<'_> {
    pub(super) fn scaled(self, change: &ScaledChange, actual: &Inventory) -> Cost {
        match change {
            ScaledChange::CreateBalancer(balancer) => self.balancer(balancer),
            ScaledChange::DeleteBalancer(_, balancer) => self.balancer(balancer).saved(),
            ScaledChange::SetSubnets(arn, balancer) => match actual.load_balancers.get(arn.id()) {
                Some(before) => self.addresses(balancer).plus(self.addresses(before).saved()),
                None => Cost::nothing(),
            },
            ScaledChange::CreateGroup(_, launched) => self.all(launched.iter().map(|(instance, _)| instance)),
            ScaledChange::ModifyGroup(_, groups) => {
                let (before, after) = groups.as_ref();
                // AWS keeps the number of instances between both bounds.
                let will = after.desired.clamp(after.min, after.max.max(after.min));
                let each = before.instances.first().and_then(|id| actual.instances.get(id));
                let Some(each) = each else { return Cost::nothing() };
                let times =
                    |number: u32| self.all(std::iter::repeat_n(each, usize::try_from(number).unwrap_or(0)));
                match will.checked_sub(before.desired) {
                    Some(0) => Cost::nothing(),
                    Some(more) => times(more),
                    None => times(before.desired - will).saved(),
                }
            }
            ScaledChange::DeleteGroup(account_region, name) => {
                let group = actual.scaling_groups.get(&(account_region.clone(), name.id().clone()));
                group.map_or_else(Cost::nothing, |group| self.group(group, actual).saved())
            }
            _ => Cost::nothing(),
        }
    }

    fn all<'i>(self, instances: impl Iterator<Item = &'i Instance>) -> Cost {
        instances.map(|it| self.instance(it)).fold(Cost::nothing(), Cost::plus)
    }

    fn group(self, group: &ScalingGroup, actual: &Inventory) -> Cost {
        let instance = |id: &InstanceId| actual.instances.get(id).filter(|it| it.is_there());
        self.all(group.instances.iter().filter_map(instance))
    }

    /// A load balancer that is public has a public address in each of its subnets at least.
    fn balancer(self, balancer: &LoadBalancer) -> Cost {
        let hours = self.hourly(Item::LoadBalancerHour, 1);
        hours.plus(self.addresses(balancer)).plus(self.traffic(Item::LoadBalancerUnitHour))
    }

    fn addresses(self, balancer: &LoadBalancer) -> Cost {
        let subnets = if balancer.public { balancer.subnets.len() } else { 0 };
        match u32::try_from(subnets).unwrap_or(u32::MAX) {
            0 => Cost::nothing(),
            subnets => {
                let mut cost = self.hourly(Item::PublicIpv4Hour, subnets);
                cost.assumed.insert(NODES);
                cost
            }
        }
    }

    /// What the parts cost that only the kind `prod` has.
    pub(super) fn of_prod(self, parts: &EnvironmentParts<'_>) -> Cost {
        let instances = self.all(parts.members.iter().copied());
        parts.balancer.map_or_else(Cost::nothing, |it| self.balancer(it)).plus(instances)
    }

    /// The same as declared, with the fewest instances and in two zones.
    pub(super) fn declared_prod(self, environment: &Environment, prod: &Prod) -> Cost {
        let hours = self.hourly(Item::InstanceHour(environment.instance), prod.min);
        let volumes = (0..prod.min).map(|_| self.volume()).fold(Cost::nothing(), Cost::plus);
        let mut addresses = self.hourly(Item::PublicIpv4Hour, 2);
        addresses.assumed.insert(NODES);
        let balancer = self.hourly(Item::LoadBalancerHour, 1).plus(addresses);
        hours.plus(volumes).plus(balancer).plus(self.traffic(Item::LoadBalancerUnitHour))
    }
}

const NODES: &str = "a load balancer is assumed to have one public address in each of its subnets, as it has without much traffic";

#[cfg(test)]
mod tests {
    use super::super::sum;
    use super::*;
    use crate::plan::network::network_difference;
    use crate::plan::network::testing::{account, by, site};
    use crate::price::Table;
    use crate::topology::layout;

    #[test]
    fn an_environment_behind_a_load_balancer_costs_its_parts() {
        let policy = "[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n[network.n]\n\
            nat = \"none\"\n[environment.prod]\nkind = \"prod\"\nlisten = \"http\"\nimage = \"ami-0a\"\n";
        let topology = crate::policy::parse(policy, "p").expect("a policy").topology;
        let account = account();
        let wanted = layout(&topology, &account, &site(3)).expect("a layout").wanted;
        let plan = network_difference(&account, &wanted, &by());
        let table = Table::built_in().expect("a table");
        let prices = Prices { table: &table, region: "us-east-1" };
        let costs: Vec<Cost> =
            plan.steps().iter().map(|step| prices.cost(&step.change, &account, &wanted)).collect();
        // 730 × (0.0225 + 2 × 0.005 + 2 × 0.0168 + 0.065) + 2 × 8 × 0.08 + 20 × 0.23 + 0.40
        assert_eq!(sum(&costs).month.to_string(), "$101.983");
        let traffic: Vec<String> = sum(&costs).traffic.iter().map(|(item, _)| item.to_string()).collect();
        assert_eq!(traffic, ["a capacity unit of a load balancer"]);
        let environment = topology.environments.values().next().expect("an environment");
        assert_eq!(prices.declared(environment).month.to_string(), "$101.983");
        assert_eq!(prices.environment(environment, &wanted, &by()).month.to_string(), "$101.983");
    }
}
