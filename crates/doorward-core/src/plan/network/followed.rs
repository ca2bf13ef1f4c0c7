//! The interfaces of services after a plan: AWS attaches to them the security groups of their service.

use std::collections::BTreeSet;

use crate::inventory::{Inventory, ResourceRef, SecurityGroupId};
use crate::reach::Reachability;
use crate::topology::Holder;

/// The account after a plan, in which the recorded interfaces of each service have its new security groups.
///
/// A plan sets the groups of a service. Which interfaces belong to it is known from the account before.
pub fn followed(before: &Reachability, mut wanted: Inventory) -> Inventory {
    let actual = before.inventory();
    let holders = actual.vpcs.keys().flat_map(|vpc| Holder::all_in(actual, vpc));
    for holder in holders.filter(|holder| !matches!(holder, Holder::Interface(_))) {
        let (Some(was), Some(will)) = (holder.groups(actual), holder.groups(&wanted).cloned()) else {
            continue;
        };
        if *was == will {
            continue;
        }
        let exchange = |groups: &mut BTreeSet<SecurityGroupId>| {
            *groups = groups.difference(was).cloned().chain(will.iter().cloned()).collect();
        };
        // A service of ECS is known by its ARN here, and by its name in its cluster there.
        let own = match &holder {
            Holder::Service(arn) => actual.container_services.get(arn).map(|service| service.resource()),
            other => Some(other.resource()),
        };
        let mut resources: Vec<ResourceRef> = own.into_iter().collect();
        if let Holder::Cluster(account_region, name) = &holder {
            let members = wanted.databases.values_mut();
            for member in
                members.filter(|it| it.account_region == *account_region && it.cluster.as_ref() == Some(name))
            {
                resources.push(member.resource());
                exchange(&mut member.groups);
            }
        }
        for interface in resources.iter().flat_map(|resource| before.interfaces_of(resource)) {
            if let Some(interface) = wanted.interfaces.get_mut(&interface) {
                exchange(&mut interface.groups);
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::network::testing::{account, interface, site};
    use crate::topology::layout;

    #[test]
    fn the_interface_of_a_database_has_the_groups_of_the_database() {
        let mut account = account();
        let mut own = interface("eni-0db", "subnet-0d2", "vpc-0d", "sg-0d", None);
        own.requester = Some("amazon-rds".into());
        account.interfaces.insert(own.id.clone(), own);
        let policy = "[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n[network.n]\nvpc = \"default\"\n[role.db]\non = [\"rds:orders\"]\n";
        let policy = crate::policy::parse(policy, "p").expect("a policy");
        let wanted = layout(&policy.topology, &account, &site(3)).expect("a layout").wanted;
        let database = wanted.databases.values().next().expect("a database").groups.clone();
        assert_eq!(database.len(), 2);
        let before = Reachability::of(account);
        assert_eq!(wanted.interfaces["eni-0db"].groups.len(), 1);
        let after = followed(&before, wanted);
        assert_eq!(after.interfaces["eni-0db"].groups, database);
        assert_eq!(after.interfaces["eni-0b"], before.inventory().interfaces["eni-0b"]);
    }
}
