//! What prevents a layout, what a layout leaves as it is, and what it keeps.

mod left;

use super::*;
use crate::inventory::*;
use crate::mark::Mark;
use crate::plan::network::testing::{AsPlanned, account, account_region, by, cidr, id, site, zone};
use crate::plan::network::{Ids, network_difference, perform_change};
use crate::topology::{Part, Purpose, SubnetKind, VpcChoice};

/// What a text declares, for the Region eu-west-1.
fn declared(text: &str) -> Topology {
    let policy =
        format!("[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n{text}");
    // The account has short ids, and a policy long ones.
    let policy = policy.replace("\"vpc-0d\"", "\"vpc-0a1b2c3d4e5f60718\"");
    let mut topology = crate::policy::parse(&policy, "p").expect("a policy").topology;
    for network in topology.networks.values_mut() {
        if let VpcChoice::Existing(vpc) = &mut network.vpc
            && text.contains("\"vpc-0d\"")
        {
            *vpc = id("vpc-0d");
        }
    }
    topology
}

fn obstacles(text: &str, account: &Inventory, site: &Site) -> Vec<String> {
    let obstacles = layout(&declared(text), account, site).expect_err("something prevents it");
    obstacles.iter().map(ToString::to_string).collect()
}

fn notes(text: &str, account: &Inventory) -> Vec<String> {
    let layout = layout(&declared(text), account, &site(3)).expect("a layout");
    layout.notes.iter().map(ToString::to_string).collect()
}

/// The account after a text has been applied to it.
fn applied(text: &str, mut account: Inventory) -> Inventory {
    let wanted = layout(&declared(text), &account, &site(3)).expect("a layout").wanted;
    let plan = network_difference(&account, &wanted, &by());
    let mut ids = Ids::default();
    for step in plan.steps() {
        perform_change(&mut account, &step.change, &mut ids, &mut AsPlanned::default())
            .expect("it can be done");
    }
    account
}

/// The subnets of a network with their prefixes, in the order of their purposes.
fn subnets(account: &Inventory) -> Vec<String> {
    let own = account.subnets.values().filter_map(|it| {
        let purpose = purpose_of(&it.tags, &by())?;
        Some(format!("{purpose} {}", it.cidrs.first()?))
    });
    own.collect()
}

#[test]
fn an_inventory_with_gaps_prevents_a_layout() {
    let mut account = account();
    account.gaps.push(Gap::of(Call::Subnets, &account_region(), "AccessDenied: no"));
    assert_eq!(
        obstacles("[network.n]\n", &account, &site(3)),
        [
            "ec2:DescribeSubnets in eu-west-1 was denied: AccessDenied: no, so what is there already is not known"
        ]
    );
}

#[test]
fn a_vpc_has_to_be_there() {
    assert_eq!(
        obstacles(
            "[network.a]\nvpc = \"default\"\n[network.b]\nvpc = \"vpc-0a1b2c3d\"\n",
            &Inventory::default(),
            &site(3)
        ),
        [
            "[network.a] is the default VPC, and eu-west-1 has none",
            "[network.b] is vpc-0a1b2c3d, which does not exist in eu-west-1",
        ]
    );
}

#[test]
fn zones_have_to_be_there() {
    assert_eq!(
        obstacles("[network.n]\nzones = 5\n", &account(), &site(3)),
        ["[network.n] has subnets in 5 zones, and eu-west-1 has 3"]
    );
    assert_eq!(
        obstacles("[network.n]\nzones = [\"euw1-az1\", \"euw1-az9\"]\n", &account(), &site(3)),
        ["[network.n] has subnets in euw1-az9, and the zones of eu-west-1 are euw1-az1, euw1-az2, euw1-az3"]
    );
    let unknown = Site { zones: None, ..site(3) };
    assert_eq!(
        obstacles("[network.n]\n", &account(), &unknown),
        [
            "[network.n] says in how many zones it has subnets, and the zones of eu-west-1 are not known: name them by their IDs, or record `aws ec2 describe-availability-zones`"
        ]
    );
    let named = declared("[network.n]\nzones = [\"euw1-az1\", \"euw1-az2\"]\n");
    assert!(layout(&named, &account(), &unknown).is_ok());
}

#[test]
fn the_prefix_of_a_vpc_cannot_be_changed() {
    let account = applied("[network.n]\n", account());
    assert_eq!(
        obstacles("[network.n]\ncidr = \"10.9.0.0/16\"\n", &account, &site(3)),
        [
            "[network.n] has `cidr = \"10.9.0.0/16\"`, but new:n/vpc has 10.0.0.0/16, and AWS cannot change the CIDR block that a VPC was created with"
        ]
    );
}

#[test]
fn a_network_does_not_move_to_another_vpc() {
    let (made, default) = ("[network.n]\n", "[network.n]\nvpc = \"default\"\nnat = \"none\"\n");
    let check = |first: &str, second: &str, vpc: &str, elsewhere: &str| {
        let account = applied(first, account());
        let expected = format!(
            "[network.n] is {vpc}, but {elsewhere}, and AWS moves none of them: destroy them first with `doorward destroy n`, or declare {vpc} under another name"
        );
        assert_eq!(obstacles(second, &account, &site(3)), [expected]);
        // As the text says: destroyed, it can be declared with the other VPC.
        let gone =
            without(&"n".parse().expect("a name"), &account, &site(3)).expect("nothing uses it").wanted;
        assert!(layout(&declared(second), &gone, &site(3)).is_ok());
    };
    check(made, default, "the default VPC vpc-0d", "13 resources of it are in new:n/vpc");
    check(made, "[network.n]\nvpc = \"vpc-0d\"\n", "vpc-0d", "13 resources of it are in new:n/vpc");
    check(default, made, "a new VPC", "10 resources of it are in vpc-0d");
    let role = "[network.n]\nvpc = \"vpc-0d\"\nzones = []\nendpoints = []\nnat = \"none\"\n[role.db]\n";
    check(role, made, "a new VPC", "1 resource of it is in vpc-0d");
    // The VPC that was made, named by its ID, is the same one.
    let account = applied(made, account());
    let mut same = declared(made);
    for network in same.networks.values_mut() {
        network.vpc = VpcChoice::Existing(VpcId::planned("n/vpc"));
    }
    let same = layout(&same, &account, &site(3)).expect("the same VPC");
    assert!(network_difference(&account, &same.wanted, &by()).is_empty());
}

#[test]
fn of_two_vpcs_the_one_with_the_network_in_it_is_used() {
    let mut account = applied("[network.n]\n", account());
    let mut second = account.vpcs["new:n/vpc"].clone();
    // Before and after it in the order of ids.
    for name in ["a-second", "z-second"] {
        second.id = id(name);
        account.vpcs.insert(second.id.clone(), second.clone());
        let wanted = layout(&declared("[network.n]\n"), &account, &site(3)).expect("a layout");
        assert!(network_difference(&account, &wanted.wanted, &by()).is_empty());
    }
    assert_eq!(
        notes("[network.n]\n", &account),
        ["a-second", "z-second"].map(|vpc| format!(
            "{vpc} was created for the network n as well and has nothing of it; it stays until the network is destroyed"
        ))
    );
    let gone = without(&"n".parse().expect("a name"), &account, &site(3)).expect("nothing uses it").wanted;
    assert_eq!(gone.vpcs.keys().map(ToString::to_string).collect::<Vec<_>>(), ["vpc-0d"]);
    // With something of it in both, it is not known which one is meant.
    let subnet = account.subnets.values_mut().find(|it| it.owned(&by()).is_some()).expect("a subnet");
    subnet.vpc = id("z-second");
    assert_eq!(
        obstacles("[network.n]\n", &account, &site(3)),
        [
            "[network.n] is new:n/vpc, but 2 resources of it are in z-second, and AWS moves none of them: destroy them first with `doorward destroy n`, or declare new:n/vpc under another name"
        ]
    );
}

#[test]
fn somebody_elses_group_keeps_its_name() {
    assert_eq!(
        obstacles("[network.n]\nvpc = \"default\"\n[role.web-servers]\n", &account(), &site(3)),
        [
            "the security group of [role.web-servers] needs the name `web-servers`, which sg-0web in vpc-0d has, and Doorward did not make that"
        ]
    );
}

#[test]
fn a_default_vpc_is_split_around_what_stands() {
    let text = "[network.n]\nvpc = \"default\"\n";
    assert_eq!(
        subnets(&applied(text, account())),
        [
            "n/private-subnet/euw1-az1 172.31.248.0/21",
            "n/private-subnet/euw1-az2 172.31.232.0/21",
            "n/public-subnet/euw1-az1 172.31.240.0/21",
            "n/public-subnet/euw1-az2 172.31.224.0/21",
        ]
    );
    let mut crowded = account();
    let foreign = Subnet {
        id: id("subnet-0f"),
        vpc: id("vpc-0d"),
        zone: None,
        zone_id: None,
        cidrs: [cidr("172.31.244.0/22")].into(),
        tags: Tags::new(),
    };
    crowded.subnets.insert(foreign.id.clone(), foreign);
    // Zone 1 has another pair now: the first that is nobody's own.
    assert_eq!(
        subnets(&applied(text, crowded.clone())),
        [
            "n/private-subnet/euw1-az1 172.31.200.0/21",
            "n/private-subnet/euw1-az2 172.31.232.0/21",
            "n/public-subnet/euw1-az1 172.31.192.0/21",
            "n/public-subnet/euw1-az2 172.31.224.0/21",
        ]
    );
    let whole = Subnet {
        id: id("subnet-0e"),
        cidrs: [cidr("172.31.64.0/18"), cidr("172.31.128.0/17")].into(),
        ..crowded.subnets["subnet-0f"].clone()
    };
    crowded.subnets.insert(whole.id.clone(), whole);
    let text = "[network.n]\nvpc = \"default\"\nzones = [\"euw1-az1\", \"euw1-az2\", \"euw1-az3\"]\n";
    assert_eq!(
        obstacles(text, &crowded, &site(3)),
        [
            "vpc-0d has no free /21 for the subnets of [network.n] in euw1-az3: every one overlaps with a subnet that exists"
        ]
    );
}

#[test]
fn a_number_of_zones_keeps_those_that_stand() {
    let account = applied("[network.n]\nzones = [\"euw1-az3\", \"euw1-az2\"]\n", account());
    let zones = |text: &str| {
        let account = applied(text, account.clone());
        let zones: BTreeSet<String> = account
            .subnets
            .values()
            .filter(|it| it.owned(&by()).is_some())
            .filter_map(|it| it.zone_id.clone())
            .collect();
        zones.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(zones("[network.n]\nzones = 2\n"), ["euw1-az2", "euw1-az3"]);
    assert_eq!(zones("[network.n]\nzones = 1\n"), ["euw1-az2"]);
    assert_eq!(zones("[network.n]\nzones = 3\n"), ["euw1-az1", "euw1-az2", "euw1-az3"]);
}

#[test]
fn the_address_of_a_nat_gateway_outlives_other_choices() {
    let account = applied("[network.n]\nzones = [\"euw1-az2\", \"euw1-az3\"]\n", account());
    let address = |account: &Inventory, zone: usize| {
        let purpose = Purpose::of(&"n".parse().expect("a name"), Part::NatGateway(self::zone(zone)));
        let mut gateways = account.nat_gateways.values();
        let gateway = gateways.find(|it| purpose_of(&it.tags, &by()).as_ref() == Some(&purpose));
        gateway.and_then(|it| it.public_address)
    };
    let before = address(&account, 2).expect("an address");
    let account = applied("[network.n]\nzones = 3\nnat = \"gateway-per-zone\"\n", account);
    assert_eq!(account.elastic_addresses.len(), 3);
    assert_eq!(address(&account, 2), Some(before));
    // Back to one: the first zone's stays, since one has to.
    let account = applied("[network.n]\nzones = [\"euw1-az2\", \"euw1-az3\"]\n", account);
    assert_eq!((address(&account, 2), account.elastic_addresses.len()), (Some(before), 1));
}

#[test]
fn what_is_left_as_it_is_is_said() {
    let text = "[network.n]\nzones = 1\n\
        [role.db]\non = [\"rds:orders\", \"rds:other\", \"instance:i-0000000f\"]\n";
    assert_eq!(
        notes(text, &account()),
        [
            "the network n has no DB subnet group, because that needs subnets in two zones",
            "[role.db] is on instance:i-0000000f, which does not exist yet, so nothing of it is attached there",
            "[role.db] is not attached to database orders, because that is not in new:n/vpc",
            "[role.db] is on rds:other, which does not exist yet, so nothing of it is attached there",
        ]
    );
}

#[test]
fn a_network_that_is_no_longer_declared_stays() {
    let account = applied("[network.n]\n", account());
    let after = layout(&Topology::default(), &account, &site(3)).expect("a layout");
    assert_eq!(after.wanted, account);
    let told: Vec<String> = after.notes.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["the network n is no longer declared; its 13 resources stay until it is destroyed"]);
}

#[test]
fn what_is_in_use_is_neither_removed_nor_destroyed() {
    let mut account = applied("[network.n]\n[role.db]\n", account());
    let subnet = account
        .subnets
        .values()
        .find(|it| {
            let part = purpose_of(&it.tags, &by()).map(|purpose| purpose.part);
            part == Some(Part::Subnet(SubnetKind::Private, zone(2)))
        })
        .expect("a subnet")
        .clone();
    let group = account.groups.values().find(|it| it.name == "db").expect("a group").id.clone();
    let mut interface = account.interfaces["eni-0a"].clone();
    interface.id = id("eni-0x");
    interface.vpc = subnet.vpc.clone();
    interface.subnet = subnet.id.clone();
    interface.instance = None;
    interface.description = "ELB app/shop/0123456789abcdef".into();
    interface.groups = [group].into();
    interface.tags = [("Name".to_owned(), "broker".to_owned())].into();
    account.interfaces.insert(interface.id.clone(), interface);
    let mut told = notes("[network.n]\nzones = [\"euw1-az1\"]\n", &account);
    told.sort();
    assert_eq!(
        told,
        [
            "security group new:n/role/db is no longer declared and stays, because eni-0x (broker) of the load balancer shop uses it",
            "subnet new:n/private-subnet/euw1-az2 is no longer declared and stays, because eni-0x (broker) of the load balancer shop uses it",
        ]
    );
    let obstacles = without(&"n".parse().expect("a name"), &account, &site(3)).expect_err("it is in use");
    let told: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "new:n/private-subnet/euw1-az2 cannot be deleted: eni-0x (broker) of the load balancer shop uses it",
            "new:n/role/db cannot be deleted: eni-0x (broker) of the load balancer shop uses it",
        ]
    );
    let missing = without(&"m".parse().expect("a name"), &account, &site(3)).expect_err("nothing there");
    assert_eq!(missing[0].to_string(), "nothing in eu-west-1 belongs to a network m that Doorward made");
}

#[test]
fn rules_of_grants_in_a_role_stay() {
    let mut account = applied("[network.n]\nvpc = \"default\"\n[role.db]\n", account());
    let grant: Mark = "doorward 3f9c2a1b static office".parse().expect("a mark");
    let rule =
        ExistingRule { id: Some(id("sgr-0g")), description: grant.to_string(), tag: Some(by().to_string()) };
    let identity: RuleIdentity = "tcp/5432 from 198.51.100.0/24".parse().expect("a rule");
    let group = account.groups.values_mut().find(|it| it.name == "db").expect("a group");
    group.rules.insert(identity, rule);
    let wanted = layout(&declared("[network.n]\nvpc = \"default\"\n[role.db]\n"), &account, &site(3))
        .expect("a layout");
    assert!(network_difference(&account, &wanted.wanted, &by()).is_empty());
}
