//! A declaration becomes an account, and a changed one another.

use std::sync::Mutex;

use doorward_aws::Event;
use doorward_core::inventory::{Direction, Inventory};

use crate::Story;
use crate::declared::{CHANGED, MADE, REGIONAL, in_default_vpc};
use crate::moto::between;
use crate::world::{World, summary};

pub fn stories() -> Vec<Story> {
    vec![
        ("a network is made, changed and read back", made),
        ("roles are attached in the default VPC", attached),
        ("an account that moved is left as it is", moved),
    ]
}

fn made() {
    let world = World::new();
    let actual = world.survey();
    let events = Mutex::new(Vec::new());
    let plan = world.plan(MADE, &actual);
    let steps = plan.steps().len();
    let applied = world.perform_telling(plan, &actual, &Default::default(), &|event| {
        events.lock().expect("a list").push(event);
    });
    assert!(applied.is_whole(), "{}", summary(&applied));
    let events = events.into_inner().expect("a list");
    let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
    assert_eq!(count(|event| matches!(event, Event::Begins(_))), steps);
    assert_eq!(count(|event| matches!(event, Event::Done(_))), steps);
    assert!(count(|event| matches!(event, Event::Waits { .. })) > 2, "NAT gateways take time");
    let performed = world.performed();
    let made = |call: &str| performed.get(call).copied().unwrap_or_default();
    let calls = ["CreateVpc", "CreateSubnet", "CreateNatGateway", "AllocateAddress", "CreateVpcEndpoint"];
    assert_eq!(calls.map(made), [1, 4, 2, 2, 3], "{performed:?}");
    let after = world.is_as_declared(MADE);
    as_declared(&after);
    // Two NAT gateways become one, an endpoint and a role go, and rules change.
    world.apply(CHANGED);
    world.apply(REGIONAL);
    world.apply(MADE);
}

fn as_declared(account: &Inventory) {
    let vpc = account.vpcs.values().find(|vpc| !vpc.default).expect("a VPC");
    assert_eq!((vpc.dns.support, vpc.dns.hostnames), (Some(true), Some(true)));
    let default = account.groups.values().find(|it| it.name == "default" && it.vpc.as_ref() == Some(&vpc.id));
    assert!(default.expect("a default group").rules.is_empty());
    let web = account.groups.values().find(|it| it.name == "web").expect("a group");
    let out = web.rules.keys().filter(|rule| rule.direction == Direction::Out);
    let out: Vec<String> = out.map(ToString::to_string).collect();
    assert_eq!(out, ["tcp/443 to 0.0.0.0/0", "tcp/443 to ::/0"]);
    assert!(account.elastic_addresses.values().all(|it| it.allocation.is_some() && it.interface.is_some()));
}

fn attached() {
    let world = World::new();
    // The first call makes the default VPC.
    let before = world.survey();
    let group = before.groups.values().find(|it| it.name == "default").expect("a group").id.to_string();
    let subnet = before.subnets.keys().next().expect("a subnet").to_string();
    let image = between(&world.ec2("DescribeImages", &[]), "<imageId>", "</imageId>");
    let fields = [
        ("ImageId", image.as_str()),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", &subnet),
        ("SecurityGroupId.1", &group),
    ];
    let instance = between(&world.ec2("RunInstances", &fields), "<instanceId>", "</instanceId>");
    let rds = ("rds", "2014-10-31");
    let subnets: Vec<String> = before.subnets.keys().map(ToString::to_string).collect();
    let fields = [
        ("DBSubnetGroupName", "default-vpc"),
        ("DBSubnetGroupDescription", "for a test"),
        ("SubnetIds.SubnetIdentifier.1", &subnets[0]),
        ("SubnetIds.SubnetIdentifier.2", &subnets[1]),
    ];
    world.moto.call(rds, world.region, "CreateDBSubnetGroup", &fields);
    let database = [
        ("DBInstanceIdentifier", "orders"),
        ("DBInstanceClass", "db.t4g.micro"),
        ("Engine", "postgres"),
        ("MasterUsername", "postgres"),
        ("MasterUserPassword", "only-for-a-test"),
        ("AllocatedStorage", "20"),
        ("DBSubnetGroupName", "default-vpc"),
        ("VpcSecurityGroupIds.VpcSecurityGroupId.1", &group),
    ];
    world.moto.call(rds, world.region, "CreateDBInstance", &database);
    let text = in_default_vpc(&instance);
    let after = world.apply(&text);
    let named = |name: &str| after.groups.values().find(|it| it.name == name).expect("a group").id.clone();
    let database = after.databases.values().next().expect("a database");
    assert!(database.groups.contains(&named("db")), "{database:?}");
    let interface = after.interfaces.values().find(|it| it.instance.is_some()).expect("an interface");
    assert!(interface.groups.contains(&named("db_connect")), "{interface:?}");
    // Everything of ours goes again, and what was there before is as it was.
    let plan = world.plan_without("old", &after).expect("nothing uses it");
    let applied = world.perform(plan, &after);
    assert!(applied.is_whole(), "{}", summary(&applied));
    let last = world.survey();
    assert_eq!(last.groups, before.groups);
    assert_eq!(last.subnets, before.subnets);
    assert_eq!(last.route_tables, before.route_tables);
    assert!(world.plan_without("old", &last).is_none(), "nothing is left to destroy");
}

fn moved() {
    let world = World::new();
    let actual = world.survey();
    let plan = world.plan(MADE, &actual);
    world.ec2("CreateVpc", &[("CidrBlock", "10.9.0.0/16")]);
    let now = world.survey();
    assert!(plan.for_account(now.digest()).is_err());
    assert!(world.performed().is_empty());
}
