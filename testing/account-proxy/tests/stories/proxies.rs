//! Database proxies.

use crate::Test;
use crate::aws::Aws;

pub fn tests() -> Vec<Test> {
    vec![("a database proxy takes time and has an interface in each subnet", a_life)]
}

fn a_life(aws: &Aws) {
    let network = aws.network();
    let mut fields = vec![
        ("DBProxyName", "dev"),
        ("EngineFamily", "POSTGRESQL"),
        ("RoleArn", "arn:aws:iam::123456789012:role/proxy"),
        ("Auth.member.1.IAMAuth", "REQUIRED"),
        ("VpcSecurityGroupIds.member.1", &network.group),
        ("VpcSubnetIds.member.1", &network.subnets[0]),
    ];
    assert_eq!(aws.rds("CreateDBProxy", &fields).code(), "InvalidSubnet");
    fields.push(("VpcSubnetIds.member.2", &network.subnets[1]));
    aws.rds("CreateDBProxy", &fields).ok();
    let status = || {
        let found = aws.rds("DescribeDBProxies", &[]).ok();
        found.texts("DescribeDBProxiesResult/DBProxies", "Status")
    };
    assert_eq!(status(), ["creating"]);
    let delete = || aws.rds("DeleteDBProxy", &[("DBProxyName", "dev")]);
    assert_eq!(delete().code(), "InvalidDBProxyStateFault");
    aws.advance(300);
    assert_eq!(status(), ["available"]);
    let found = aws.interfaces("group-id", &network.group);
    let described: Vec<&str> = found.iter().map(|it| it.text_at("description")).collect();
    assert_eq!(described, ["Network interface for DBProxy dev"; 2]);
    delete().ok();
    assert_eq!(status(), ["deleting"]);
    assert_eq!(aws.ec2("DeleteSecurityGroup", &[("GroupId", &network.group)]).code(), "DependencyViolation");
    aws.advance(180);
    assert!(status().is_empty());
    aws.ec2("DeleteSecurityGroup", &[("GroupId", &network.group)]).ok();
}
