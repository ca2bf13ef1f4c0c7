//! What was not recorded, taken as AWS makes it.

use doorward_core::inventory::CrossZone;

use super::*;

const NETWORK: &str = r#"{"Vpcs": [{"VpcId": "vpc-0a", "CidrBlock": "10.0.0.0/16"}],
    "Subnets": [{"SubnetId": "subnet-0a", "VpcId": "vpc-0a", "CidrBlock": "10.0.0.0/24"}]}"#;

fn assumed(files: &[(&str, &str)]) -> (Inventory, Vec<String>) {
    let files = files.iter().map(|(path, text)| (Path::new(*path), text.as_bytes()));
    let mut recording = recorded_files(files).expect("an account");
    let assumed = recording.assume_aws_defaults();
    (recording.inventory, assumed)
}

#[test]
fn each_assumption_is_told() {
    let (account, told) = assumed(&[("eu-west-1/a.json", NETWORK)]);
    assert_eq!(
        told,
        [
            "each VPC has only its default network ACL, which allows everything (ec2:DescribeNetworkAcls in eu-west-1 was not recorded)",
            "each VPC has only its main route table, with local routes alone (ec2:DescribeRouteTables in eu-west-1 was not recorded)",
            "VPC Block Public Access is off (ec2:DescribeVpcBlockPublicAccessOptions in eu-west-1 was not recorded)",
            "nothing is excluded from VPC Block Public Access (ec2:DescribeVpcBlockPublicAccessExclusions in eu-west-1 was not recorded)",
        ]
    );
    let acl = account.network_acls.values().next().expect("an ACL");
    assert!(acl.default && acl.subnets.contains("subnet-0a") && acl.entries.len() == 4);
    let table = account.route_tables.values().next().expect("a table");
    let routes: Vec<String> =
        table.routes.iter().map(|route| format!("{:?} {}", route.destination, route.target)).collect();
    assert!(table.main);
    assert_eq!(routes, ["Cidr(Cidr(10.0.0.0/16)) local"]);
    let account_region = AccountRegion { region: Some("eu-west-1".into()), ..AccountRegion::default() };
    for call in [Call::NetworkAcls, Call::RouteTables, Call::BlockPublicAccess, Call::BlockExclusions] {
        assert!(account.gap(call, &account_region).is_none(), "{call:?}");
    }
    // Nothing is assumed of what somebody has to make.
    for call in [
        Call::SecurityGroups,
        Call::InternetGateways,
        Call::Peerings,
        Call::PrefixListEntries,
        Call::TargetHealth,
    ] {
        assert!(account.gap(call, &account_region).is_some(), "{call:?}");
    }
}

#[test]
fn what_aws_refused_stays_a_gap_and_what_was_recorded_stays() {
    let denied =
        "\nAn error occurred (UnauthorizedOperation) when calling the DescribeNetworkAcls operation: no\n";
    let table = r#"{"RouteTables": [{"RouteTableId": "rtb-0a", "VpcId": "vpc-0a", "Associations": [{"Main": true}]}]}"#;
    let (account, told) = assumed(&[("a.json", NETWORK), ("b.json", denied), ("c.json", table)]);
    assert!(account.network_acls.is_empty() && account.route_tables.contains_key("rtb-0a"));
    assert!(!told.iter().any(|line| line.contains("ACL") || line.contains("route table")), "{told:?}");
    assert!(account.gap(Call::NetworkAcls, &AccountRegion::default()).is_some());
    assert_eq!(account.gap(Call::RouteTables, &AccountRegion::default()), None);
    // A recording that says that there are none is believed.
    let (account, _) = assumed(&[("a.json", NETWORK), ("b.json", r#"{"NetworkAcls": []}"#)]);
    assert!(account.network_acls.is_empty());
}

#[test]
fn settings_of_balancers_have_defaults() {
    let answers = r#"{"LoadBalancers": [{"LoadBalancerArn": "a", "Type": "application"}, {"LoadBalancerArn": "n", "Type": "network"}],
        "Listeners": [], "TargetGroups": [{"TargetGroupArn": "i", "Protocol": "TCP", "TargetType": "ip"},
        {"TargetGroupArn": "u", "Protocol": "UDP", "TargetType": "instance"}]}"#;
    let (account, told) = assumed(&[("a.json", answers)]);
    let cross: Vec<Option<bool>> =
        account.load_balancers.values().map(|balancer| balancer.cross_zone).collect();
    let preserves: Vec<Option<bool>> =
        account.target_groups.values().map(|group| group.preserves_client).collect();
    assert_eq!((cross, preserves), (vec![Some(true), Some(false)], vec![Some(false), Some(true)]));
    let across = account.target_groups.values().map(|group| group.cross_zone);
    assert_eq!(across.collect::<Vec<_>>(), [Some(CrossZone::AsLoadBalancer); 2]);
    assert!(
        told.iter().any(|line| line.starts_with("cross-zone"))
            && told.iter().any(|line| line.starts_with("client IP"))
    );
    assert!(account.gap(Call::Listeners, &AccountRegion::default()).is_some());
}
