//! Answers as collectors and people keep them: bare, wrapped, grouped, several in a file.

use super::*;

const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:";

/// What is known of one of each kind, in numbers, and the gaps of calls that were recorded.
fn check(files: &[(&str, &str)], expected: &str) {
    let account = read(files);
    let counts = [
        ("vpcs", account.vpcs.len()),
        ("subnets", account.subnets.len()),
        ("groups", account.groups.len()),
        ("acls", account.network_acls.len()),
        ("instances", account.instances.len()),
        ("balancers", account.load_balancers.len()),
        ("target groups", account.target_groups.len()),
    ];
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .chain(gaps(&account))
        .collect();
    assert_eq!(counts.join(", "), expected, "{files:?}");
}

#[test]
fn bare_members_say_what_they_are() {
    let group = &GROUPS[20..GROUPS.len() - 2];
    check(&[("x.json", &format!("[{group}]"))], "1 groups");
    check(&[("x.json", group)], "1 groups");
    check(&[("x", &format!("[[{group}], []]"))], "1 groups");
    check(&[("x.json", &format!(r#"{{"sgs": [{group}], "n": [1]}}"#))], "1 groups");
    check(&[("x.json", &format!(r#"{{"SecurityGroups": {{"sg-0a": {group}}}}}"#))], "1 groups");
    // One that no name tells from a reference is what the file is named for.
    check(&[("describe-security-groups.json", r#"[{"GroupId": "sg-0a", "GroupName": "a"}]"#)], "1 groups");
    check(&[("describe-security-groups.json", "[]"), ("a", VPCS)], "1 vpcs");
    assert!(
        read(&[("describe-security-groups.json", "[]"), ("a", VPCS)])
            .gap(Call::SecurityGroups, &AccountRegion::default())
            .is_none()
    );
    check(
        &[
            (
                "v.json",
                r#"[{"VpcId": "vpc-0a", "CidrBlock": "10.0.0.0/16", "IsDefault": false, "DhcpOptionsId": "dopt-0a"}]"#,
            ),
            (
                "s.json",
                r#"[{"SubnetId": "subnet-0a", "VpcId": "vpc-0a", "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "x"}]"#,
            ),
            (
                "a.json",
                r#"[{"NetworkAclId": "acl-0a", "VpcId": "vpc-0a", "IsDefault": true, "Entries": [{"RuleNumber": 100, "Egress": false,
                "Protocol": "-1", "CidrBlock": "0.0.0.0/0", "RuleAction": "allow"}]}]"#,
            ),
            (
                "i.json",
                r#"[{"InstanceId": "i-0a", "ImageId": "ami-0a", "State": {"Name": "running"}, "SecurityGroups": [{"GroupId": "sg-0a",
                "GroupName": "x"}], "NetworkInterfaces": [{"NetworkInterfaceId": "eni-0a", "VpcId": "vpc-0a", "SubnetId": "subnet-0a"}]}]"#,
            ),
            ("r.json", r#"{"ReservationId": "r-0a", "Instances": [{"InstanceId": "i-0b"}]}"#),
        ],
        "1 vpcs, 1 subnets, 1 acls, 2 instances",
    );
}

#[test]
fn references_in_a_member_are_no_answers() {
    let balancer = format!(
        r#"[{{"LoadBalancerArn": "{ARN}loadbalancer/app/a/1", "Type": "application", "Scheme": "internal",
        "SecurityGroups": ["sg-0a"], "AvailabilityZones": []}}]"#
    );
    check(
        &[("x.json", &balancer)],
        "1 balancers, elasticloadbalancing:DescribeListeners no response for \
         `arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/a/1`, \
         elasticloadbalancing:DescribeLoadBalancerAttributes no response for \
         `arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/a/1`",
    );
    // A launch template, an Auto Scaling group, a status and an SSM answer name groups, interfaces and instances.
    for other in [
        r#"{"LaunchTemplateVersions": [{"LaunchTemplateData": {"NetworkInterfaces": [{"DeviceIndex": 0, "Groups": ["sg-0a"]}],
            "SecurityGroups": []}}]}"#,
        r#"{"AutoScalingGroups": [{"Instances": [{"InstanceId": "i-0a", "LifecycleState": "InService", "ImageId": "x"}]}]}"#,
        r#"{"InstanceStatuses": [{"InstanceId": "i-0a", "InstanceState": {"Name": "running"}}]}"#,
        r#"{"InstanceInformationList": [{"InstanceId": "i-0a", "PingStatus": "Online"}]}"#,
        r#"{"DBClusterSnapshots": [{"DBClusterSnapshotIdentifier": "s", "DBClusterIdentifier": "d", "Engine": "postgres"}]}"#,
        r#"{"ReplicationInstances": [{"ReplicationInstanceIdentifier": "x", "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-0a"}]}]}"#,
    ] {
        check(&[("x.json", other), ("y.json", VPCS)], "1 vpcs");
        assert_eq!(read(&[("x.json", other), ("y.json", VPCS)]), read(&[("y.json", VPCS)]), "{other}");
    }
}

#[test]
fn answers_of_other_services_are_not_ours() {
    let alone = read(&[("y.json", VPCS)]);
    for (name, other) in [
        (
            "lightsail.json",
            r#"{"instances": [{"name": "l", "state": {"code": 16}, "privateIpAddress": "172.26.1.1"}]}"#,
        ),
        ("lightsail-get-instances.json", r#"{"instances": []}"#),
        (
            "autoscaling-describe-load-balancers.json",
            r#"{"LoadBalancers": [{"LoadBalancerName": "x", "State": "Added"}]}"#,
        ),
        ("autoscaling-describe-load-balancers.json", r#"{"LoadBalancers": []}"#),
        (
            "tg.json",
            r#"{"TargetGroups": [{"DBProxyName": "p", "TargetGroupName": "default", "TargetGroupArn":
            "arn:aws:rds:eu-west-1:123456789012:target-group:prx-tg-0123", "Status": "available"}]}"#,
        ),
        ("tg.json", r#"{"TargetGroups": {"DBProxyName": "p", "TargetGroupName": "default"}}"#),
        ("describe-db-proxy-target-groups.json", r#"{"TargetGroups": []}"#),
        (
            "ga.json",
            r#"{"Listeners": [{"ListenerArn": "arn:aws:globalaccelerator::1:accelerator/a/listener/b", "PortRanges": []}]}"#,
        ),
        ("sns.json", r#"{"Attributes": {"TopicArn": "x"}}"#),
        ("events.json", r#"{"Targets": [{"Id": "1", "Arn": "x"}], "Rules": [{"Name": "x", "Arn": "y"}]}"#),
        (
            "opensearch.json",
            r#"{"VpcEndpoints": [{"VpcEndpointId": "aos-1", "VpcEndpointOwner": "1", "DomainArn": "x"}]}"#,
        ),
        ("snowball.json", r#"{"Addresses": [{"AddressId": "x", "Street1": "y"}]}"#),
        ("cloudfront.json", r#"{"Functions": [{"Name": "f", "FunctionMetadata": {}}]}"#),
        ("apigateway.json", r#"{"Routes": [{"RouteId": "r", "RouteKey": "GET /"}]}"#),
        ("datasync.json", r#"{"Tasks": [{"TaskArn": "x"}]}"#),
    ] {
        let account = read(&[(name, other), ("y.json", VPCS)]);
        assert_eq!(account, alone, "{name}: {other}");
    }
}

#[test]
fn several_answers_may_be_in_one_file() {
    let expected = read(&[("a", GROUPS), ("b", VPCS)]);
    let one_line = |text: &str| text.replace('\n', " ");
    let check = |text: &str| assert_eq!(read(&[("x.json", text)]), expected, "{text}");
    check(&format!("{GROUPS}{VPCS}"));
    check(&format!("{}\n{}\n", one_line(GROUPS), one_line(VPCS)));
    check(&format!(r#"{{"Region": "x", "Response": {GROUPS}}} {{"body": {{"results": [{VPCS}]}}}}"#));
    check(&format!(
        r#"{{"service": "ec2", "operation": "DescribeVpcs", "response": {VPCS}, "ec2": {{"describe_security_groups": {GROUPS}}}}}"#
    ));
    let pages = r#"{"Vpcs": [{"VpcId": "vpc-0b"}], "NextToken": "t"}"#.to_owned() + VPCS;
    assert_eq!(gaps(&read(&[("x.jsonl", &pages)])), [""; 0]);
}

#[test]
fn what_is_around_an_answer_says_where_it_is_from() {
    let check = |text: &str, expected: &str| {
        let account = read(&[("x.json", text)]);
        let vpc = account.vpcs.values().next().expect("a VPC");
        assert_eq!(vpc.account_region.to_string(), expected, "{text}");
    };
    check(&format!(r#"{{"Region": "eu-west-1", "Response": {VPCS}}}"#), "eu-west-1");
    check(
        &format!(r#"{{"response": {VPCS}, "region": "eu-west-1", "account_id": "123456789012"}}"#),
        "eu-west-1 of account 123456789012",
    );
    check(
        &format!(r#"{{"123456789012": {{"eu-west-1": {{"vpcs": {}}}}}}}"#, &VPCS[9..VPCS.len() - 1]),
        "eu-west-1 of account 123456789012",
    );
    check(&format!(r#"{{"Region": "earth", "data": {VPCS}}}"#), "the default Region");
}

/// An empty list says that there is nothing only where it is an answer.
#[test]
fn an_empty_list_in_something_else_says_nothing() {
    let check = |text: &str, is_told: bool| {
        let account = read(&[("x.json", text), ("y.json", r#"{"Subnets": []}"#)]);
        assert_eq!(account.gap(Call::Vpcs, &AccountRegion::default()).is_none(), is_told, "{text}");
    };
    check(r#"{"Vpcs": []}"#, true);
    check(r#"{"Vpcs": null}"#, true);
    check(r#"{"data": {"Vpcs": []}}"#, true);
    check(r#"[{"Vpcs": []}]"#, true);
    check(r#"{"ec2": {"describe-vpcs": {"Vpcs": []}}}"#, true);
    check(r#"{"Thing": {"Vpcs": []}}"#, false);
    check(r#"{"Things": [{"Vpcs": []}]}"#, false);
}

#[test]
fn listeners_and_health_may_be_grouped_by_whose_they_are() {
    let balancer = format!(
        r#""LoadBalancerArn": "{ARN}loadbalancer/net/a/1", "LoadBalancerName": "a", "Type": "network", "Scheme": "internal", "AvailabilityZones": []"#
    );
    let group = format!(
        r#""TargetGroupArn": "{ARN}targetgroup/g/1", "TargetGroupName": "g", "Protocol": "TCP", "Port": 80, "TargetType": "instance", "VpcId": "vpc-0a", "HealthCheckEnabled": true"#
    );
    let listener = format!(
        r#"{{"ListenerArn": "{ARN}listener/net/a/1/2", "LoadBalancerArn": "{ARN}loadbalancer/net/a/1", "Port": 80, "Protocol": "TCP",
        "DefaultActions": [{{"Type": "forward", "TargetGroupArn": "{ARN}targetgroup/g/1"}}]}}"#
    );
    let health = r#"{"Target": {"Id": "i-0a", "Port": 80}, "TargetHealth": {"State": "healthy"}}"#;
    let cross = r#"{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}"#;
    let preserves = r#"{"Key": "preserve_client_ip.enabled", "Value": "false"}"#;
    let (balancers, groups) = (
        format!(r#"{{"LoadBalancers": [{{{balancer}}}]}}"#),
        format!(r#"{{"TargetGroups": [{{{group}}}]}}"#),
    );
    let check = |files: &[(&str, &str)]| {
        let account = read(files);
        assert_eq!(gaps(&account), [""; 0], "{files:?}");
        let balancer = account.load_balancers.values().next().expect("a load balancer");
        assert_eq!(balancer.listeners.as_ref().map(Vec::len), Some(1), "{files:?}");
        assert_eq!(balancer.cross_zone, Some(true), "{files:?}");
        let group = account.target_groups.values().next().expect("a target group");
        assert_eq!(group.targets.as_ref().map(Vec::len), Some(1), "{files:?}");
        assert_eq!(group.preserves_client, Some(false), "{files:?}");
    };
    // In the member itself.
    check(&[
        (
            "a.json",
            &format!(
                r#"{{"LoadBalancers": [{{{balancer}, "Listeners": [{listener}], "Attributes": [{cross}]}}]}}"#
            ),
        ),
        (
            "b.json",
            &format!(
                r#"{{"TargetGroups": [{{{group}, "TargetHealthDescriptions": [{health}], "Attributes": [{preserves}]}}]}}"#
            ),
        ),
    ]);
    // In a list of whose they are.
    check(&[
        ("a.json", &balancers),
        ("b.json", &groups),
        (
            "c.json",
            &format!(
                r#"{{"LoadBalancerListeners": [{{"LoadBalancerArn": "{ARN}loadbalancer/net/a/1", "Listeners": [{listener}]}}]}}"#
            ),
        ),
        (
            "d.json",
            &format!(
                r#"{{"LoadBalancerAttributes": [{{"LoadBalancerArn": "{ARN}loadbalancer/net/a/1", "Attributes": [{cross}]}}]}}"#
            ),
        ),
        (
            "e.json",
            &format!(
                r#"[{{"TargetGroupArn": "{ARN}targetgroup/g/1", "TargetHealthDescriptions": [{health}], "Attributes": [{preserves}]}}]"#
            ),
        ),
    ]);
    // By ARN.
    check(&[
        ("a.json", &balancers),
        ("b.json", &groups),
        (
            "c.json",
            &format!(
                r#"{{"{ARN}loadbalancer/net/a/1": {{"Listeners": [{listener}], "Attributes": [{cross}]}},
                "{ARN}targetgroup/g/1": {{"TargetHealthDescriptions": [{health}]}}}}"#
            ),
        ),
        ("d.json", &format!(r#"{{"attributes": {{"{ARN}targetgroup/g/1": [{preserves}]}}}}"#)),
    ]);
    // A load balancer in which its target groups are.
    check(&[(
        "a.json",
        &format!(
            r#"[{{{balancer}, "Listeners": [{listener}], "Attributes": [{cross}]}},
            {{"LoadBalancerArn": "{ARN}loadbalancer/net/a/1", "TargetGroups": [{{{group}, "TargetHealthDescriptions": [{health}], "Attributes": [{preserves}]}}]}}]"#
        ),
    )]);
}
