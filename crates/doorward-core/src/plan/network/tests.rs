//! Whole plans, as they read.

mod complaints;

use super::testing::{AsPlanned, account, account_region, by, id, interface, site};
use super::*;
use crate::inventory::{Instance, InterfaceAddress, Inventory, Tags};
use crate::net::Flow;
use crate::reach::{Reachability, Selector, Verdict};
use crate::topology::{Topology, layout};

fn declared(text: &str) -> Topology {
    let policy =
        format!("[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n{text}");
    crate::policy::parse(&policy, "p").expect("a policy").topology
}

/// The changes from an account to what is declared, and the account after them.
fn planned(text: &str, account: &Inventory) -> (Vec<String>, Inventory) {
    let wanted = layout(&declared(text), account, &site(3)).expect("a layout").wanted;
    let plan = network_difference(account, &wanted, &by());
    let (mut after, mut ids) = (account.clone(), Ids::default());
    for step in plan.steps() {
        perform_change(&mut after, &step.change, &mut ids, &mut AsPlanned::default())
            .expect("it can be done");
    }
    (plan.steps().iter().map(|step| step.change.to_string()).collect(), after)
}

fn check(text: &str, account: &Inventory, expected: &str) -> Inventory {
    let (told, after) = planned(text, account);
    assert_eq!(told.join("\n"), expected.trim());
    after
}

#[test]
fn a_network_from_nothing() {
    check("[network.main]\nzones = [\"euw1-az1\", \"euw1-az2\"]\n", &Inventory::default(), FROM_NOTHING);
}

const FROM_NOTHING: &str = "\
create the VPC new:main/vpc (10.0.0.0/16)
enable DNS host names in new:main/vpc
remove all rules of the default security group new:main/default-security-group: all from new:main/default-security-group, all to 0.0.0.0/0
create the subnet new:main/private-subnet/euw1-az1 (10.0.8.0/21 in euw1-az1)
create the subnet new:main/private-subnet/euw1-az2 (10.0.24.0/21 in euw1-az2)
create the subnet new:main/public-subnet/euw1-az1 (10.0.0.0/21 in euw1-az1)
create the subnet new:main/public-subnet/euw1-az2 (10.0.16.0/21 in euw1-az2)
create the internet gateway new:main/internet-gateway
attach new:main/internet-gateway to new:main/vpc
create the route table new:main/private-route-table/euw1-az1
create the route table new:main/private-route-table/euw1-az2
create the route table new:main/public-route-table
add the route to 0.0.0.0/0 by new:main/internet-gateway to new:main/public-route-table
associate new:main/public-subnet/euw1-az1 with new:main/public-route-table
associate new:main/public-subnet/euw1-az2 with new:main/public-route-table
allocate an elastic address
create the NAT gateway new:main/nat-gateway/euw1-az1 in new:main/public-subnet/euw1-az1
wait until new:main/nat-gateway/euw1-az1 is available
add the route to 0.0.0.0/0 by new:main/nat-gateway/euw1-az1 to new:main/private-route-table/euw1-az1
add the route to 0.0.0.0/0 by new:main/nat-gateway/euw1-az1 to new:main/private-route-table/euw1-az2
associate new:main/private-subnet/euw1-az1 with new:main/private-route-table/euw1-az1
associate new:main/private-subnet/euw1-az2 with new:main/private-route-table/euw1-az2
create the VPC endpoint new:main/endpoint/dynamodb for com.amazonaws.eu-west-1.dynamodb
wait until new:main/endpoint/dynamodb is available
create the VPC endpoint new:main/endpoint/s3 for com.amazonaws.eu-west-1.s3
wait until new:main/endpoint/s3 is available
create the DB subnet group doorward-3f9c2a1b-main of new:main/private-subnet/euw1-az1, new:main/private-subnet/euw1-az2
";

#[test]
fn roles_in_the_default_vpc_and_back() {
    const ROLES: &str = "[network.n]\nvpc = \"default\"\nzones = 1\nnat = \"none\"\nendpoints = []\n\
        [role.db]\nadmits = { db_connect = [\"tcp/5432\"] }\non = [\"rds:orders\"]\n\
        [role.db_connect]\nadmits = { db = [\"tcp/1\"] }\non = [\"tag:service=i-0a\"]\n";
    let (_, before) =
        planned("[network.n]\nvpc = \"default\"\nzones = 1\nnat = \"none\"\nendpoints = []\n", &account());
    let after = check(ROLES, &before, ROLES_MADE);
    check("[network.n]\nvpc = \"default\"\nzones = 1\nnat = \"none\"\nendpoints = []\n", &after, ROLES_GONE);
}

const ROLES_MADE: &str = "\
create the security group new:n/role/db (db)
remove from new:n/role/db the rule that AWS adds to each new group: all to 0.0.0.0/0
create the security group new:n/role/db_connect (db_connect)
remove from new:n/role/db_connect the rule that AWS adds to each new group: all to 0.0.0.0/0
add to new:n/role/db: tcp/5432 from new:n/role/db_connect, tcp/1 to new:n/role/db_connect
add to new:n/role/db_connect: tcp/1 from new:n/role/db, tcp/5432 to new:n/role/db
set the security groups of interface eni-0a to new:n/role/db_connect, sg-0web
set the security groups of database orders to new:n/role/db, sg-0d
";

const ROLES_GONE: &str = "\
set the security groups of interface eni-0a to sg-0web
set the security groups of database orders to sg-0d
remove from new:n/role/db: tcp/5432 from new:n/role/db_connect, tcp/1 to new:n/role/db_connect
remove from new:n/role/db_connect: tcp/1 from new:n/role/db, tcp/5432 to new:n/role/db
wait until no interface has new:n/role/db attached
delete the security group new:n/role/db
wait until no interface has new:n/role/db_connect attached
delete the security group new:n/role/db_connect
";

#[test]
fn one_nat_gateway_becomes_one_in_each_zone_without_a_gap() {
    let (_, before) = planned("[network.main]\nendpoints = []\n", &Inventory::default());
    check("[network.main]\nendpoints = []\nnat = \"gateway-per-zone\"\n", &before, NAT_PER_ZONE);
    check("[network.main]\nendpoints = []\nnat = \"regional\"\n", &before, NAT_REGIONAL);
}

const NAT_PER_ZONE: &str = "\
allocate an elastic address
create the NAT gateway new:main/nat-gateway/euw1-az2 in new:main/public-subnet/euw1-az2
wait until new:main/nat-gateway/euw1-az2 is available
change the route to 0.0.0.0/0 in new:main/private-route-table/euw1-az2 to new:main/nat-gateway/euw1-az2
";

const NAT_REGIONAL: &str = "\
create the regional NAT gateway new:main/nat-gateway
wait until new:main/nat-gateway is available
change the route to 0.0.0.0/0 in new:main/private-route-table/euw1-az1 to new:main/nat-gateway
change the route to 0.0.0.0/0 in new:main/private-route-table/euw1-az2 to new:main/nat-gateway
delete the NAT gateway new:main/nat-gateway/euw1-az1
wait until new:main/nat-gateway/euw1-az1 is deleted
release the elastic address 0.0.0.1
";

#[test]
fn roles_reach_what_admits_them_and_nothing_else() {
    const TEXT: &str = "[network.main]\nzones = [\"euw1-az1\"]\n\
        [role.web]\nadmits = { internet = [\"tcp/443\"] }\non = [\"instance:i-0000000a\"]\n\
        [role.db_connect]\non = [\"instance:i-0000000a\"]\n\
        [role.db]\nadmits = { db_connect = [\"tcp/5432\"] }\non = [\"instance:i-0000000b\"]\n";
    let (_, mut before) = planned(TEXT, &Inventory::default());
    for (instance, kind, address, public) in [
        ("i-0000000a", "public", "10.0.0.10", Some([198, 51, 100, 10])),
        ("i-0000000b", "private", "10.0.8.10", None),
    ] {
        let subnet = format!("new:main/{kind}-subnet/euw1-az1");
        let eni = format!("eni-{instance}");
        let subnet = before.subnets.keys().find(|it| it.as_str() == subnet).expect("a subnet").clone();
        let vpc = before.vpcs.keys().next().expect("a VPC").clone();
        let group = before.groups.values().find(|it| it.name == "default").expect("a group").id.clone();
        let mut it = interface(&eni, "subnet-0a", "vpc-0a", "sg-0a", Some(instance));
        (it.subnet, it.vpc, it.groups) = (subnet, vpc, [group].into());
        let address = address.parse().expect("an address");
        it.addresses = vec![InterfaceAddress { address, public: public.map(Into::into) }];
        let machine = Instance {
            id: id(instance),
            account_region: account_region(),
            state: "running".into(),
            interfaces: [it.id.clone()].into(),
            platform: None,
            image: None,
            size: None,
            profile: None,
            tags: Tags::new(),
        };
        before.interfaces.insert(it.id.clone(), it);
        before.instances.insert(machine.id.clone(), machine);
    }
    let (_, after) = planned(TEXT, &before);
    let verdicts = |inventory: &Inventory| {
        let reachability = Reachability::of(inventory.clone());
        let asked = [
            ("internet", "i-0000000a", "tcp/443"),
            ("internet", "i-0000000a", "tcp/22"),
            ("i-0000000a", "i-0000000b", "tcp/5432"),
            ("i-0000000a", "i-0000000b", "tcp/22"),
            ("i-0000000b", "i-0000000a", "tcp/443"),
            ("i-0000000b", "internet", "tcp/443"),
        ];
        asked.map(|(from, to, flow)| {
            let end =
                |text| Selector::find(text, inventory).unwrap_or_else(|error| panic!("{text}: {error}"));
            let flow: Flow = flow.parse().expect("a flow");
            reachability.ask(&end(from), &end(to), Some(&flow.into())).verdict
        })
    };
    use Verdict::{No, Yes};
    assert_eq!(verdicts(&before), [No; 6]);
    assert_eq!(verdicts(&after), [Yes, No, Yes, No, No, No]);
}

#[test]
fn a_change_says_why_and_what_it_touches() {
    let account = Inventory::default();
    let wanted = layout(&declared("[network.main]\n"), &account, &site(3)).expect("a layout").wanted;
    let plan = network_difference(&account, &wanted, &by());
    let subnet = plan.steps().iter().find(|step| matches!(step.change, Change::CreateSubnet(_)));
    let subnet = subnet.expect("a subnet");
    assert_eq!(
        subnet.why.to_string(),
        "[network.main] needs the private subnet in euw1-az1 of the network main"
    );
    assert_eq!(subnet.change.touches().to_string(), "new:main/private-subnet/euw1-az1");
    assert!(plan.steps().iter().all(|step| !step.why.to_string().is_empty()));
    let destroying = plan.steps().iter().filter(|step| step.change.destroys()).count();
    assert_eq!(destroying, 1, "only the rules that AWS gives to a default security group go");
}

#[test]
fn a_plan_is_for_the_account_that_it_was_made_from() {
    let (_, after) = planned("[network.main]\n", &Inventory::default());
    let wanted =
        layout(&declared("[network.main]\n"), &Inventory::default(), &site(3)).expect("a layout").wanted;
    let plan = network_difference(&Inventory::default(), &wanted, &by());
    assert!(plan.clone().for_account(Inventory::default().digest()).is_ok());
    assert!(plan.for_account(after.digest()).is_err());
}
