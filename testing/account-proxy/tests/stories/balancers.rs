//! Load balancers and their targets.

use account_proxy::Element;

use crate::Test;
use crate::aws::{Aws, Network, Reply};

pub fn tests() -> Vec<Test> {
    vec![
        ("a balancer is provisioning before it is active", a_life),
        ("a balancer fails if the test says so", fails),
        ("a balancer's interfaces outlive it", interfaces),
        ("the same name and settings give the first one", same_name),
        ("a balancer needs two zones and an internet gateway", needs_two_zones),
        ("a balancer that is protected is not deleted", protected),
        ("a port has one listener", one_listener),
        ("a target group with the same settings is the first one", same_target_group),
        ("a target is initial, healthy, draining, gone", targets),
        ("a target is unhealthy if the test says so", unhealthy),
        ("groups and subnets of a balancer change", changes),
    ]
}

fn try_create(aws: &Aws, network: &Network, name: &str, more: &[(&str, &str)]) -> Reply {
    let mut fields = vec![
        ("Name", name),
        ("Subnets.member.1", network.subnets[0].as_str()),
        ("Subnets.member.2", &network.subnets[1]),
        ("SecurityGroups.member.1", &network.group),
    ];
    fields.extend_from_slice(more);
    aws.balancing("CreateLoadBalancer", &fields)
}

fn create(aws: &Aws, network: &Network) -> String {
    let made = try_create(aws, network, "web", &[]).ok();
    made.text_at("CreateLoadBalancerResult/LoadBalancers/member/LoadBalancerArn").to_owned()
}

fn state(aws: &Aws, arn: &str) -> String {
    let found = aws.balancing("DescribeLoadBalancers", &[("LoadBalancerArns.member.1", arn)]).ok();
    found.text_at("DescribeLoadBalancersResult/LoadBalancers/member/State/Code").to_owned()
}

fn same_target_group(aws: &Aws) {
    let network = aws.network();
    let make = |port: &str| {
        let fields = [("Name", "web"), ("Protocol", "HTTP"), ("Port", port), ("VpcId", network.vpc.as_str())];
        aws.balancing("CreateTargetGroup", &fields)
    };
    let arn = |reply: Reply| {
        reply.ok().text_at("CreateTargetGroupResult/TargetGroups/member/TargetGroupArn").to_owned()
    };
    assert_eq!(arn(make("80")), arn(make("80")));
    assert_eq!(make("81").code(), "DuplicateTargetGroupName");
}

fn a_life(aws: &Aws) {
    let arn = create(aws, &aws.network());
    assert_eq!(state(aws, &arn), "provisioning");
    aws.advance(149);
    assert_eq!(state(aws, &arn), "provisioning");
    aws.advance(1);
    assert_eq!(state(aws, &arn), "active");
}

fn fails(aws: &Aws) {
    aws.set("endings", "[{\"of\": \"balancer\"}]");
    let arn = create(aws, &aws.network());
    aws.advance(150);
    assert_eq!(state(aws, &arn), "failed");
}

fn interfaces(aws: &Aws) {
    let network = aws.network();
    let arn = create(aws, &network);
    let path = arn.split(":loadbalancer/").nth(1).unwrap();
    let found = aws.interfaces("group-id", &network.group);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|it| it.text_at("description") == format!("ELB {path}")));
    assert_eq!(aws.interfaces("requester-id", "amazon-elb").len(), 2);
    aws.balancing("DeleteLoadBalancer", &[("LoadBalancerArn", &arn)]).ok();
    let delete = || aws.ec2("DeleteSecurityGroup", &[("GroupId", &network.group)]);
    assert_eq!(delete().code(), "DependencyViolation");
    aws.advance(180);
    delete().ok();
}

fn same_name(aws: &Aws) {
    let network = aws.network();
    let arn = create(aws, &network);
    assert_eq!(create(aws, &network), arn);
    let code = "DuplicateLoadBalancerName";
    assert_eq!(try_create(aws, &network, "web", &[("Type", "network")]).code(), code);
    let other = aws.group(&network.vpc, "other");
    let more = [("SecurityGroups.member.2", other.as_str())];
    assert_eq!(try_create(aws, &network, "web", &more).code(), code);
    assert_eq!(try_create(aws, &network, "internal-web", &[]).code(), "ValidationError");
}

fn needs_two_zones(aws: &Aws) {
    let network = aws.network();
    let one = [("Name", "web"), ("Subnets.member.1", network.subnets[0].as_str())];
    assert_eq!(aws.balancing("CreateLoadBalancer", &one).code(), "ValidationError");
    let third = aws.subnet(&network.vpc, "10.0.2.0/24", "eu-west-1a");
    let more = [("Subnets.member.3", third.as_str())];
    assert_eq!(try_create(aws, &network, "web", &more).code(), "InvalidConfigurationRequest");
    let fields = [("InternetGatewayId", network.gateway.as_str()), ("VpcId", &network.vpc)];
    aws.ec2("DetachInternetGateway", &fields).ok();
    assert_eq!(try_create(aws, &network, "web", &[]).code(), "InvalidSubnet");
    try_create(aws, &network, "web", &[("Scheme", "internal")]).ok();
}

fn protected(aws: &Aws) {
    let arn = create(aws, &aws.network());
    let protect = |value: &str| {
        let fields = [
            ("LoadBalancerArn", arn.as_str()),
            ("Attributes.member.1.Key", "deletion_protection.enabled"),
            ("Attributes.member.1.Value", value),
        ];
        aws.balancing("ModifyLoadBalancerAttributes", &fields).ok();
    };
    let delete = || aws.balancing("DeleteLoadBalancer", &[("LoadBalancerArn", &arn)]);
    protect("true");
    assert_eq!(delete().code(), "OperationNotPermitted");
    protect("false");
    delete().ok();
}

fn target_group(aws: &Aws, network: &Network) -> String {
    let fields = [("Name", "web"), ("Protocol", "HTTP"), ("Port", "80"), ("VpcId", &network.vpc)];
    let made = aws.balancing("CreateTargetGroup", &fields).ok();
    made.text_at("CreateTargetGroupResult/TargetGroups/member/TargetGroupArn").to_owned()
}

fn listen(aws: &Aws, balancer: &str, group: &str) -> Reply {
    let fields = [
        ("LoadBalancerArn", balancer),
        ("Protocol", "HTTP"),
        ("Port", "80"),
        ("DefaultActions.member.1.Type", "forward"),
        ("DefaultActions.member.1.TargetGroupArn", group),
    ];
    aws.balancing("CreateListener", &fields)
}

fn one_listener(aws: &Aws) {
    let network = aws.network();
    let (balancer, group) = (create(aws, &network), target_group(aws, &network));
    listen(aws, &balancer, &group).ok();
    assert_eq!(listen(aws, &balancer, &group).code(), "DuplicateListener");
}

/// A target group with a listener and one instance in it.
fn registered(aws: &Aws) -> (String, String) {
    let network = aws.network();
    let (balancer, group) = (create(aws, &network), target_group(aws, &network));
    listen(aws, &balancer, &group).ok();
    let instance = aws.instance(&network);
    let fields = [("TargetGroupArn", group.as_str()), ("Targets.member.1.Id", &instance)];
    aws.balancing("RegisterTargets", &fields).ok();
    (group, instance)
}

fn health(aws: &Aws, group: &str) -> Vec<Element> {
    let found = aws.balancing("DescribeTargetHealth", &[("TargetGroupArn", group)]).ok();
    found.list("DescribeTargetHealthResult/TargetHealthDescriptions").to_vec()
}

fn targets(aws: &Aws) {
    let (group, instance) = registered(aws);
    let state = || health(aws, &group).first().map(|it| it.text_at("TargetHealth/State").to_owned());
    assert_eq!(state().as_deref(), Some("initial"));
    aws.advance(30);
    assert_eq!(state().as_deref(), Some("healthy"));
    let fields = [("TargetGroupArn", group.as_str()), ("Targets.member.1.Id", &instance)];
    aws.balancing("DeregisterTargets", &fields).ok();
    assert_eq!(state().as_deref(), Some("draining"));
    aws.advance(300);
    assert_eq!(state(), None);
}

fn unhealthy(aws: &Aws) {
    aws.set("endings", "[{\"of\": \"target\", \"reason\": \"Target.Timeout\"}]");
    let (group, _) = registered(aws);
    health(aws, &group);
    aws.advance(30);
    let [target] = &health(aws, &group)[..] else { panic!("one target") };
    assert_eq!(target.text_at("TargetHealth/State"), "unhealthy");
    assert_eq!(target.text_at("TargetHealth/Reason"), "Target.Timeout");
}

fn changes(aws: &Aws) {
    let network = aws.network();
    let arn = create(aws, &network);
    let other = aws.group(&network.vpc, "other");
    let fields = [("LoadBalancerArn", arn.as_str()), ("SecurityGroups.member.1", &other)];
    aws.balancing("SetSecurityGroups", &fields).ok();
    assert_eq!(aws.interfaces("group-id", &other).len(), 2);
    aws.ec2("DeleteSecurityGroup", &[("GroupId", &network.group)]).ok();
    let third = aws.subnet(&network.vpc, "10.0.2.0/24", "eu-west-1c");
    let fields = [
        ("LoadBalancerArn", arn.as_str()),
        ("Subnets.member.1", &network.subnets[0]),
        ("Subnets.member.2", &third),
    ];
    aws.balancing("SetSubnets", &fields).ok();
    assert_eq!(aws.interfaces("subnet-id", &third).len(), 1);
    assert_eq!(aws.interfaces("subnet-id", &network.subnets[1]).len(), 0);
}
