//! What AWS still shows, cannot change or did not tell, and what a layout makes of it.

use super::super::*;
use crate::inventory::*;
use crate::plan::network::testing::{Numbers, account, account_region, by, id, site};
use crate::plan::network::{Ids, network_difference, perform_change};

fn declared(text: &str) -> Topology {
    let policy =
        format!("[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n{text}");
    crate::policy::parse(&policy, "p").expect("a policy").topology
}

fn obstacles(text: &str, account: &Inventory) -> Vec<String> {
    let obstacles = layout(&declared(text), account, &site(3)).expect_err("something prevents it");
    obstacles.iter().map(ToString::to_string).collect()
}

fn told(text: &str, account: &Inventory) -> Vec<String> {
    let layout = layout(&declared(text), account, &site(3)).expect("a layout");
    layout.notes.iter().map(ToString::to_string).collect()
}

/// The steps to what is declared, in words.
fn steps(text: &str, account: &Inventory) -> Vec<String> {
    let wanted = layout(&declared(text), account, &site(3)).expect("a layout").wanted;
    let plan = network_difference(account, &wanted, &by());
    plan.steps().iter().map(|step| step.change.to_string()).collect()
}

/// The account with what is declared, in which everything has an id of AWS.
fn applied(text: &str, mut account: Inventory, numbers: &mut Numbers) -> Inventory {
    let wanted = layout(&declared(text), &account, &site(3)).expect("a layout").wanted;
    let mut ids = Ids::default();
    for step in network_difference(&account, &wanted, &by()).steps() {
        perform_change(&mut account, &step.change, &mut ids, numbers).expect("it can be done");
    }
    account
}

const NAT: &str = "[network.n]\nzones = 1\nendpoints = []\n";

#[test]
fn a_nat_gateway_that_failed_is_replaced_and_left_to_aws() {
    let mut numbers = Numbers::default();
    let mut account = applied(NAT, Inventory::default(), &mut numbers);
    let gateway = account.nat_gateways.values_mut().next().expect("a gateway");
    gateway.state = "failed".to_owned();
    let failed = gateway.clone();
    let replaced = steps(NAT, &account);
    let [create, wait, route] = &replaced[..] else { panic!("{replaced:?}") };
    assert!(create.starts_with("create the NAT gateway new:n/nat-gateway/euw1-az1 in "), "{create}");
    assert_eq!(wait, "wait until new:n/nat-gateway/euw1-az1 is available");
    assert!(route.ends_with(" to new:n/nat-gateway/euw1-az1"), "{route}");
    let account = applied(NAT, account, &mut numbers);
    // AWS shows it for about an hour: neither a step for it nor another gateway, whichever id is the first.
    assert!(account.nat_gateways.contains_key(&failed.id) && account.nat_gateways.len() == 2);
    assert_eq!(steps(NAT, &account), Vec::<String>::new());
    // It keeps nothing from being deleted.
    let layout = without(&"n".parse().expect("a name"), &account, &site(3)).expect("nothing uses it");
    let mut after = account.clone();
    let mut ids = Ids::default();
    for step in network_difference(&account, &layout.wanted, &by()).steps() {
        assert!(!step.change.to_string().contains(failed.id.as_str()), "{}", step.change);
        perform_change(&mut after, &step.change, &mut ids, &mut numbers).expect("it can be done");
    }
    assert!(after.vpcs.is_empty() && after.elastic_addresses.is_empty());
    let again = without(&"n".parse().expect("a name"), &after, &site(3)).expect_err("nothing is there");
    assert!(matches!(again[..], [Obstacle::NothingToDestroy { .. }]));
}

#[test]
fn an_endpoint_that_failed_is_deleted_before_another_is_created() {
    const TEXT: &str = "[network.n]\nzones = [\"euw1-az1\"]\nnat = \"none\"\nendpoints = [\"s3\", \"ssm\"]\n";
    let mut numbers = Numbers::default();
    let account = applied(TEXT, Inventory::default(), &mut numbers);
    for (state, deleted) in [("failed", true), ("rejected", true), ("deleting", false)] {
        let mut account = account.clone();
        let endpoint = account.endpoints.values_mut().find(|it| it.kind == EndpointKind::Interface);
        let endpoint = endpoint.expect("an endpoint");
        endpoint.state = state.to_owned();
        let old = endpoint.id.clone();
        let mut expected = vec![
            format!("wait until {old} is deleted"),
            "create the VPC endpoint new:n/endpoint/ssm for com.amazonaws.eu-west-1.ssm".to_owned(),
            "wait until new:n/endpoint/ssm is available".to_owned(),
        ];
        if deleted {
            expected.insert(0, format!("delete the VPC endpoint {old}"));
        }
        assert_eq!(steps(TEXT, &account), expected);
        let after = applied(TEXT, account, &mut numbers);
        assert_eq!(steps(TEXT, &after), Vec::<String>::new());
    }
    let mut pending = account;
    pending.endpoints.values_mut().for_each(|it| it.state = "pending".to_owned());
    assert!(steps(TEXT, &pending).iter().all(|step| step.starts_with("wait until")));
}

#[test]
fn private_dns_names_need_the_attributes_of_somebody_elses_vpc() {
    const TEXT: &str = "[network.n]\nvpc = \"default\"\nzones = 1\nnat = \"none\"\nendpoints = [\"s3\", \"ssm\", \"ssmmessages\"]\n";
    let mut account = account();
    let set = |account: &mut Inventory, support, hostnames| {
        let vpc = account.vpcs.get_mut("vpc-0d").expect("a VPC");
        vpc.dns = DnsAttributes { support: Some(support), hostnames: Some(hostnames) };
    };
    for (support, hostnames, off, option) in [
        (true, false, "enableDnsHostnames", "enable-dns-hostnames"),
        (false, true, "enableDnsSupport", "enable-dns-support"),
    ] {
        set(&mut account, support, hostnames);
        assert_eq!(
            obstacles(TEXT, &account),
            [format!(
                "[network.n] has VPC endpoints for ssm, ssmmessages, whose private DNS names need {off} in vpc-0d, which is off: turn it on (`aws ec2 modify-vpc-attribute --vpc-id vpc-0d --{option} '{{\"Value\":true}}'`), or remove these from `endpoints`"
            )]
        );
        let only = TEXT.replace(", \"ssm\", \"ssmmessages\"", "");
        assert!(layout(&declared(&only), &account, &site(3)).is_ok(), "a gateway endpoint has no names");
    }
    set(&mut account, true, true);
    let mut account = applied(TEXT, account, &mut Numbers::default());
    set(&mut account, true, false);
    assert_eq!(steps(TEXT, &account), Vec::<String>::new(), "those that exist stay");
}

#[test]
fn what_could_not_be_read_is_not_said_to_be_missing() {
    let gap = |call| Inventory {
        gaps: vec![Gap::of(call, &account_region(), "AccessDenied: no")],
        ..Inventory::default()
    };
    for text in ["[network.n]\nvpc = \"default\"\n", "[network.n]\nvpc = \"vpc-0a1b2c3d\"\n"] {
        assert_eq!(
            obstacles(text, &gap(Call::Vpcs)),
            [
                "ec2:DescribeVpcs in eu-west-1 was denied: AccessDenied: no, so what is there already is not known"
            ]
        );
    }
    let unread = without(&"n".parse().expect("a name"), &gap(Call::Vpcs), &site(3)).expect_err("a gap");
    assert!(matches!(unread[..], [Obstacle::Unread(_)]), "{unread:?}");
    let mut account = account();
    account.groups.clear();
    account.gaps = gap(Call::SecurityGroups).gaps;
    let text = "[network.n]\nvpc = \"default\"\nzones = []\n[role.db]\ngroup = \"sg-0a1b2c3d\"\n";
    assert_eq!(
        obstacles(text, &account),
        [
            "ec2:DescribeSecurityGroups in eu-west-1 was denied: AccessDenied: no, so what is there already is not known"
        ]
    );
}

fn service(account: &mut Inventory, controller: DeploymentController) {
    let arn = "arn:aws:ecs:eu-west-1:123456789012:service/shop/web".to_owned();
    let service = ContainerService {
        arn: arn.clone(),
        name: "web".into(),
        cluster: Some("arn:aws:ecs:eu-west-1:123456789012:cluster/shop".into()),
        account_region: account_region(),
        status: "ACTIVE".into(),
        subnets: [id("subnet-0d1")].into(),
        groups: [id("sg-0d")].into(),
        public: false,
        network: TaskNetwork::AwsVpc,
        controller,
    };
    account.container_services.insert(arn, service);
}

#[test]
fn a_service_that_ecs_does_not_update_is_an_obstacle() {
    const TEXT: &str =
        "[network.n]\nvpc = \"default\"\nzones = []\n[role.web]\non = [\"service:shop/web\"]\n";
    let mut account = account();
    service(&mut account, DeploymentController::CodeDeploy);
    assert_eq!(
        obstacles(TEXT, &account),
        [
            "[role.web] cannot be attached to ECS service arn:aws:ecs:eu-west-1:123456789012:service/shop/web: its deployment controller is CODE_DEPLOY, with which only a deployment of CodeDeploy changes the network configuration; set the security groups there, and remove it from `on`"
        ]
    );
    service(&mut account, DeploymentController::External);
    assert_eq!(obstacles(TEXT, &account).len(), 1);
    service(&mut account, DeploymentController::Ecs);
    assert_eq!(steps(TEXT, &account).iter().filter(|step| step.starts_with("set ")).count(), 1);
    // What has the group attached in the end keeps it, and so the group stays.
    let mut account = applied(TEXT, account, &mut Numbers::default());
    let service = account.container_services.values_mut().next().expect("a service");
    service.controller = DeploymentController::CodeDeploy;
    assert_eq!(steps(TEXT, &account), Vec::<String>::new());
    const NONE: &str = "[network.n]\nvpc = \"default\"\nzones = []\n";
    assert_eq!(steps(NONE, &account), Vec::<String>::new());
    assert_eq!(told(NONE, &account).len(), 2, "{:?}", told(NONE, &account));
    let used = without(&"n".parse().expect("a name"), &account, &site(3)).expect_err("it is in use");
    assert!(matches!(used[..], [Obstacle::InUse { .. }]), "{used:?}");
}

#[test]
fn a_database_that_is_stopped_is_left_as_it_is() {
    const TEXT: &str = "[network.n]\nvpc = \"default\"\nzones = []\n[role.db]\non = [\"rds:orders\"]\n";
    let mut account = account();
    let stop = |account: &mut Inventory, status: &str| {
        account.databases.values_mut().for_each(|it| it.status = status.to_owned());
    };
    stop(&mut account, "stopped");
    assert_eq!(
        told(TEXT, &account),
        [
            "database orders keeps its security groups: it is stopped, and AWS modifies it only while it runs; start it, and run the command again"
        ]
    );
    assert!(!steps(TEXT, &account).iter().any(|step| step.starts_with("set ")));
    stop(&mut account, "available");
    let mut account = applied(TEXT, account, &mut Numbers::default());
    stop(&mut account, "stopping");
    assert_eq!(told(TEXT, &account), Vec::<String>::new());
    assert_eq!(steps(TEXT, &account), Vec::<String>::new());
}
