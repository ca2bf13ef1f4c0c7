//! A network goes with everything in it, and what somebody else uses is named.

use doorward_aws::NotDone;

use crate::Story;
use crate::declared::MADE;
use crate::moto::between;
use crate::world::{World, same, summary};

pub fn stories() -> Vec<Story> {
    vec![
        ("a whole network goes, and the account is as before", whole),
        ("a group that an interface has attached is named with it", in_use),
    ]
}

fn whole() {
    let world = World::new();
    let before = world.survey();
    let actual = world.apply(MADE);
    let applied = world.perform(world.plan_without("main", &actual).expect("nothing uses it"), &actual);
    assert!(applied.is_whole(), "{}", summary(&applied));
    let after = world.survey();
    same(&after, &before);
    // And again, with the same names, while AWS still describes what was deleted.
    world.apply(MADE);
}

fn in_use() {
    let world = World::new();
    let actual = world.apply(MADE);
    let group = actual.groups.values().find(|it| it.name == "web").expect("a group").id.clone();
    let ours = |it: &&doorward_core::inventory::Subnet| it.owned(&world.by).is_some();
    let subnet = actual.subnets.values().find(ours).expect("a subnet").id.to_string();
    let plan = world.plan_without("main", &actual).expect("nothing uses it");
    // Somebody attaches it after the account was read.
    let fields =
        [("SubnetId", subnet.as_str()), ("Description", "a report"), ("SecurityGroupId.1", group.as_str())];
    let interface = world.ec2("CreateNetworkInterface", &fields);
    let interface = between(&interface, "<networkInterfaceId>", "</networkInterfaceId>");
    let applied = world.perform(plan, &actual);
    let in_use = applied.failed.iter().find_map(|(_, why)| match why {
        NotDone::InUse { what, users } => Some((what.clone(), users.clone())),
        _ => None,
    });
    let expected = (format!("security group {group}"), format!("{interface} (a report)"));
    assert_eq!(in_use.as_ref(), Some(&expected), "{}", summary(&applied));
    assert!(world.survey().vpcs.values().any(|vpc| !vpc.default), "the VPC stays");
    world.ec2("DeleteNetworkInterface", &[("NetworkInterfaceId", &interface)]);
    let actual = world.survey();
    let applied = world.perform(world.plan_without("main", &actual).expect("nothing uses it"), &actual);
    assert!(applied.is_whole(), "{}", summary(&applied));
}
