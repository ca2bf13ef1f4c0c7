//! What two answers of one recording say of one thing.

use super::*;

fn check(one: &str, other: &str, expected: &[&str]) -> Inventory {
    let account = read(&[("a.json", one), ("b.json", other)]);
    assert_eq!(gaps(&account), expected, "{one} {other}");
    account
}

#[test]
fn the_same_twice_is_once() {
    check(GROUPS, GROUPS, &[]);
    check(VPCS, VPCS, &[]);
    check(RULES, RULES, &[]);
    let table = r#"{"RouteTables": [{"RouteTableId": "rtb-0a", "VpcId": "vpc-0a", "Routes": [
        {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}, {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-0a"}]}]}"#;
    let turned = r#"{"RouteTables": [{"RouteTableId": "rtb-0a", "VpcId": "vpc-0a", "Routes": [
        {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-0a"}, {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}]}]}"#;
    assert_eq!(check(table, turned, &[]).route_tables.len(), 1);
    let health = r#"{"TargetGroups": [{"TargetGroupArn": "a", "VpcId": "vpc-0a"}], "TargetHealthDescriptions": [{"Target": {"Id": "i-0a"}}]}"#;
    let account = read(&[("a.json", health), ("b.json", health)]);
    let targets = account.target_groups.values().next().and_then(|group| group.targets.clone());
    assert_eq!(targets.map(|targets| targets.len()), Some(1));
}

#[test]
fn what_contradicts_is_a_gap_and_not_the_last() {
    let other = VPCS.replace("10.0.0.0/16", "10.1.0.0/16");
    let why = "another answer of the recording contradicts this one; keep the newer of the two";
    let contradiction = format!("ec2:DescribeVpcs `vpc-0a` (b.json, line 1 column 11) cannot be read: {why}");
    assert!(check(VPCS, &other, &[&contradiction]).vpcs.is_empty());
    // A third one does not bring it back.
    let third = read(&[("a.json", VPCS), ("b.json", &other), ("c.json", VPCS)]);
    assert_eq!((gaps(&third), third.vpcs.len()), (vec![contradiction], 0));
    let account = check(
        r#"{"TargetGroups": [{"TargetGroupArn": "a", "VpcId": "vpc-0a"}], "Attributes": [{"Key": "deregistration_delay.", "Value": "1"}],
            "TargetHealthDescriptions": [{"Target": {"Id": "i-0a"}}]}"#,
        r#"{"TargetHealthDescriptions": [{"Target": {"Id": "i-0b"}}]}"#,
        &[&format!("elasticloadbalancing:DescribeTargetHealth `a` cannot be read: {why}")],
    );
    assert_eq!(account.target_groups.values().next().map(|group| group.targets.is_none()), Some(true));
}

/// Of a group that two answers tell otherwise, what both say is certain.
#[test]
fn a_group_keeps_the_rules_that_both_say() {
    let other = GROUPS.replace("198.51.100.9/32", "198.51.100.10/32");
    let account = read(&[("a.json", GROUPS), ("b.json", &other)]);
    assert_eq!(rules(&account), ["all from sg-0a", "tcp/22 from sg-0b", "tcp/22 from pl-0a"]);
    assert!(account.incomplete_groups.contains("sg-0a"));
    assert_eq!(gaps(&account).len(), 1);
    let moved = RULES.replace("198.51.100.9/32", "198.51.100.10/32");
    let account = read(&[("a.json", RULES), ("b.json", &moved)]);
    assert_eq!(rules(&account), ["all to ::/0"]);
    assert!(account.incomplete_groups.contains("sg-0a"));
    assert_eq!(
        gaps(&account),
        [
            "ec2:DescribeSecurityGroupRules `sgr-0a` cannot be read: another answer of the recording contradicts this one; \
          keep the newer of the two"
        ]
    );
}
