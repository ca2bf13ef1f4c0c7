//! Instance refreshes and Auto Scaling groups.

use account_proxy::Element;

use crate::Test;
use crate::aws::{Aws, Reply};

pub fn tests() -> Vec<Test> {
    vec![
        ("a refresh replaces every instance and then changes the group", succeeds),
        ("a refresh that fails rolls back by itself", rolls_back),
        ("a refresh that fails without roll-back leaves the group as it was", fails),
        ("a refresh is cancelled", cancelled),
        ("a refresh is rolled back by the user", rolled_back_by_the_user),
        ("one refresh at a time", one_at_a_time),
        ("an invalid refresh is refused", must_be),
        ("instances that match are skipped", skips),
        ("a refresh bakes", bakes),
        ("each launch and termination is an activity", activities),
        ("a group has a name of its own and goes in time", groups),
    ]
}

/// A group `web` of four instances of version 1 of the template `web`, which has a version 2.
fn web(aws: &Aws) {
    let network = aws.network();
    let (one, two) = (aws.image(), aws.image());
    let fields = [
        ("LaunchTemplateName", "web"),
        ("LaunchTemplateData.ImageId", one.as_str()),
        ("LaunchTemplateData.InstanceType", "t3.micro"),
        ("LaunchTemplateData.SecurityGroupId.1", &network.group),
    ];
    aws.ec2("CreateLaunchTemplate", &fields).ok();
    let fields =
        [("LaunchTemplateName", "web"), ("SourceVersion", "1"), ("LaunchTemplateData.ImageId", &two)];
    aws.ec2("CreateLaunchTemplateVersion", &fields).ok();
    let fields = [
        ("AutoScalingGroupName", "web"),
        ("MinSize", "4"),
        ("MaxSize", "8"),
        ("VPCZoneIdentifier", network.subnets[0].as_str()),
        ("LaunchTemplate.LaunchTemplateName", "web"),
        ("LaunchTemplate.Version", "1"),
    ];
    aws.scaling("CreateAutoScalingGroup", &fields).ok();
}

const WEB: (&str, &str) = ("AutoScalingGroupName", "web");

fn start(aws: &Aws, more: &[(&str, &str)]) -> Reply {
    let fields: Vec<(&str, &str)> = [
        WEB,
        ("DesiredConfiguration.LaunchTemplate.LaunchTemplateName", "web"),
        ("DesiredConfiguration.LaunchTemplate.Version", "2"),
        ("Preferences.InstanceWarmup", "0"),
    ]
    .into_iter()
    .chain(more.iter().copied())
    .collect();
    aws.scaling("StartInstanceRefresh", &fields)
}

fn refresh(aws: &Aws) -> Element {
    let found = aws.scaling("DescribeInstanceRefreshes", &[WEB]).ok();
    found.at("DescribeInstanceRefreshesResult/InstanceRefreshes/member").unwrap().clone()
}

fn status(aws: &Aws) -> (String, String) {
    let refresh = refresh(aws);
    (refresh.text_at("Status").to_owned(), refresh.text_at("PercentageComplete").to_owned())
}

/// The version of the group, and those of its instances.
fn versions(aws: &Aws) -> (String, Vec<String>) {
    let found = aws.scaling("DescribeAutoScalingGroups", &[("AutoScalingGroupNames.member.1", "web")]).ok();
    let group = found.at("DescribeAutoScalingGroupsResult/AutoScalingGroups/member").unwrap();
    let mut instances = group.texts("Instances", "LaunchTemplate/Version");
    instances.sort();
    (group.text_at("LaunchTemplate/Version").to_owned(), instances)
}

fn seen(status: (String, String), expected: (&str, &str)) {
    assert_eq!((status.0.as_str(), status.1.as_str()), expected);
}

/// Runs a refresh until nothing happens any more.
fn run(aws: &Aws) {
    for _ in 0..12 {
        aws.advance(120);
    }
}

fn succeeds(aws: &Aws) {
    web(aws);
    start(aws, &[("Preferences.MinHealthyPercentage", "50")]).ok();
    seen(status(aws), ("Pending", "0"));
    aws.advance(5);
    seen(status(aws), ("InProgress", "0"));
    aws.advance(120);
    seen(status(aws), ("InProgress", "50"));
    let (group, instances) = versions(aws);
    assert_eq!((group.as_str(), instances), ("1", vec!["1".into(), "1".into(), "2".into(), "2".into()]));
    aws.advance(120);
    seen(status(aws), ("InProgress", "100"));
    assert_eq!(versions(aws).0, "1");
    aws.advance(120);
    seen(status(aws), ("Successful", "100"));
    let (group, instances) = versions(aws);
    assert_eq!((group.as_str(), instances), ("2", vec!["2".to_owned(); 4]));
    assert_ne!(refresh(aws).text_at("EndTime"), "");
}

fn rolls_back(aws: &Aws) {
    web(aws);
    aws.set("endings", "[{\"of\": \"instance-refresh\", \"percent\": 40}]");
    start(aws, &[("Preferences.MinHealthyPercentage", "50"), ("Preferences.AutoRollback", "true")]).ok();
    aws.advance(125);
    seen(status(aws), ("InProgress", "50"));
    aws.advance(120);
    assert_eq!(status(aws).0, "RollbackInProgress");
    assert!(refresh(aws).text_at("StatusReason").contains("healthy"));
    run(aws);
    assert_eq!(status(aws).0, "RollbackSuccessful");
    assert_eq!(versions(aws), ("1".to_owned(), vec!["1".to_owned(); 4]));
}

fn fails(aws: &Aws) {
    web(aws);
    aws.set("endings", "[{\"of\": \"instance-refresh\", \"percent\": 25}]");
    start(aws, &[]).ok();
    run(aws);
    seen(status(aws), ("Failed", "25"));
    let (group, instances) = versions(aws);
    assert_eq!((group.as_str(), instances), ("1", vec!["1".into(), "1".into(), "1".into(), "2".into()]));
}

fn cancelled(aws: &Aws) {
    web(aws);
    assert_eq!(aws.scaling("CancelInstanceRefresh", &[WEB]).code(), "ActiveInstanceRefreshNotFound");
    start(aws, &[]).ok();
    aws.advance(125);
    aws.scaling("CancelInstanceRefresh", &[WEB]).ok();
    assert_eq!(status(aws).0, "Cancelling");
    aws.advance(10);
    seen(status(aws), ("Cancelled", "25"));
    assert_eq!(versions(aws).0, "1");
    assert_eq!(aws.scaling("CancelInstanceRefresh", &[WEB]).code(), "ActiveInstanceRefreshNotFound");
}

fn rolled_back_by_the_user(aws: &Aws) {
    web(aws);
    assert_eq!(aws.scaling("RollbackInstanceRefresh", &[WEB]).code(), "ActiveInstanceRefreshNotFound");
    start(aws, &[]).ok();
    aws.advance(125);
    aws.scaling("RollbackInstanceRefresh", &[WEB]).ok();
    assert_eq!(status(aws).0, "RollbackInProgress");
    run(aws);
    assert_eq!(status(aws).0, "RollbackSuccessful");
    assert_eq!(versions(aws), ("1".to_owned(), vec!["1".to_owned(); 4]));
    // Without a desired configuration there is nothing to go back to.
    aws.scaling("StartInstanceRefresh", &[WEB]).ok();
    assert_eq!(aws.scaling("RollbackInstanceRefresh", &[WEB]).code(), "IrreversibleInstanceRefresh");
}

fn one_at_a_time(aws: &Aws) {
    web(aws);
    start(aws, &[]).ok();
    assert_eq!(start(aws, &[]).code(), "InstanceRefreshInProgress");
    aws.scaling("CancelInstanceRefresh", &[WEB]).ok();
    aws.advance(10);
    start(aws, &[]).ok();
    let found = aws.scaling("DescribeInstanceRefreshes", &[WEB]).ok();
    let all = found.texts("DescribeInstanceRefreshesResult/InstanceRefreshes", "Status");
    assert_eq!(all, ["Pending", "Cancelled"]);
}

fn must_be(aws: &Aws) {
    web(aws);
    let refused = |fields: &[(&str, &str)]| {
        assert_eq!(aws.scaling("StartInstanceRefresh", fields).code(), "ValidationError", "{fields:?}");
    };
    refused(&[("AutoScalingGroupName", "nobody")]);
    refused(&[WEB, ("Preferences.MinHealthyPercentage", "101")]);
    refused(&[WEB, ("Preferences.MaxHealthyPercentage", "150")]);
    refused(&[WEB, ("Preferences.MinHealthyPercentage", "50"), ("Preferences.MaxHealthyPercentage", "200")]);
    refused(&[WEB, ("Preferences.AutoRollback", "true")]);
    let version = |version: &'static str| {
        [
            WEB,
            ("DesiredConfiguration.LaunchTemplate.LaunchTemplateName", "web"),
            ("DesiredConfiguration.LaunchTemplate.Version", version),
            ("Preferences.AutoRollback", "true"),
        ]
    };
    refused(&version("7"));
    refused(&version("$Latest"));
}

fn skips(aws: &Aws) {
    web(aws);
    let fields = [
        WEB,
        ("DesiredConfiguration.LaunchTemplate.LaunchTemplateName", "web"),
        ("DesiredConfiguration.LaunchTemplate.Version", "1"),
        ("Preferences.SkipMatching", "true"),
        ("Preferences.InstanceWarmup", "0"),
    ];
    let instances = || {
        let found = aws.scaling("DescribeAutoScalingGroups", &[]).ok();
        let group = found.at("DescribeAutoScalingGroupsResult/AutoScalingGroups/member").unwrap();
        group.texts("Instances", "InstanceId")
    };
    let before = instances();
    aws.scaling("StartInstanceRefresh", &fields).ok();
    run(aws);
    seen(status(aws), ("Successful", "100"));
    assert_eq!(instances(), before);
}

fn bakes(aws: &Aws) {
    web(aws);
    start(aws, &[("Preferences.MinHealthyPercentage", "0"), ("Preferences.BakeTime", "600")]).ok();
    aws.advance(245);
    seen(status(aws), ("Baking", "100"));
    aws.advance(599);
    assert_eq!(status(aws).0, "Baking");
    aws.advance(1);
    assert_eq!(status(aws).0, "Successful");
}

fn groups(aws: &Aws) {
    web(aws);
    let create = [
        WEB,
        ("MinSize", "0"),
        ("MaxSize", "1"),
        ("AvailabilityZones.member.1", "eu-west-1a"),
        ("LaunchTemplate.LaunchTemplateName", "web"),
    ];
    assert_eq!(aws.scaling("CreateAutoScalingGroup", &create).code(), "AlreadyExists");
    assert_eq!(aws.scaling("DeleteAutoScalingGroup", &[WEB]).code(), "ResourceInUse");
    aws.scaling("DeleteAutoScalingGroup", &[WEB, ("ForceDelete", "true")]).ok();
    let groups = || {
        let found = aws.scaling("DescribeAutoScalingGroups", &[]).ok();
        found.texts("DescribeAutoScalingGroupsResult/AutoScalingGroups", "Status")
    };
    assert_eq!(groups(), ["Delete in progress"]);
    assert_eq!(aws.scaling("CreateAutoScalingGroup", &create).code(), "AlreadyExists");
    aws.advance(120);
    assert!(groups().is_empty());
}

fn activities(aws: &Aws) {
    web(aws);
    let listed = || {
        let found = aws.scaling("DescribeScalingActivities", &[WEB]).ok();
        found.texts("DescribeScalingActivitiesResult/Activities", "Description")
    };
    let count = |what: &str| listed().iter().filter(|it| it.starts_with(what)).count();
    assert_eq!((count("Launching"), count("Terminating")), (4, 0));
    start(aws, &[("Preferences.MinHealthyPercentage", "0")]).ok();
    run(aws);
    assert_eq!((count("Launching"), count("Terminating")), (8, 4));
    assert!(listed()[0].starts_with("Launching"), "the newest comes first");
}
