//! Rules that refer to a security group.

use account_proxy::Element;

use crate::Test;
use crate::aws::{Aws, Network, Reply};

pub fn tests() -> Vec<Test> {
    vec![
        ("a reference is refused twice whatever its description", twice),
        ("the description of a reference is shown everywhere and changes", descriptions),
    ]
}

fn authorize(aws: &Aws, group: &str, to: &str, description: &str) -> Reply {
    let fields = [
        ("GroupId", group),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "5432"),
        ("IpPermissions.1.ToPort", "5432"),
        ("IpPermissions.1.Groups.1.GroupId", to),
        ("IpPermissions.1.Groups.1.Description", description),
    ];
    aws.ec2("AuthorizeSecurityGroupIngress", &fields)
}

fn twice(aws: &Aws) {
    let Network { vpc, group, .. } = aws.network();
    let db = aws.group(&vpc, "db");
    authorize(aws, &db, &group, "one").ok();
    assert_eq!(authorize(aws, &db, &group, "two").code(), "InvalidPermission.Duplicate");
    let revoke = [
        ("GroupId", db.as_str()),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "5432"),
        ("IpPermissions.1.ToPort", "5432"),
        ("IpPermissions.1.Groups.1.GroupId", &group),
    ];
    aws.ec2("RevokeSecurityGroupIngress", &revoke).ok();
    authorize(aws, &db, &group, "two").ok();
}

/// The reference of a group, as each of the two calls shows it.
fn shown(aws: &Aws, group: &str) -> (Element, Element) {
    let fields = [("Filter.1.Name", "group-id"), ("Filter.1.Value.1", group)];
    let rules = aws.ec2("DescribeSecurityGroupRules", &fields).ok();
    let mut rules = rules.list("securityGroupRuleSet").iter();
    let rule = rules.find(|rule| rule.child("referencedGroupInfo").is_some()).unwrap().clone();
    let groups = aws.ec2("DescribeSecurityGroups", &[("GroupId.1", group)]).ok();
    (rule, groups.at("securityGroupInfo/item/ipPermissions/item/groups/item").unwrap().clone())
}

fn descriptions(aws: &Aws) {
    let Network { vpc, group, .. } = aws.network();
    let db = aws.group(&vpc, "db");
    authorize(aws, &db, &group, "first").ok();
    let check = |expected: &str| {
        let (rule, pair) = shown(aws, &db);
        assert_eq!((rule.text_at("description"), pair.text_at("description")), (expected, expected));
    };
    check("first");
    let (rule, _) = shown(aws, &db);
    let id = rule.text_at("securityGroupRuleId");
    let by_shape = [
        ("GroupId", db.as_str()),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "5432"),
        ("IpPermissions.1.ToPort", "5432"),
        ("IpPermissions.1.Groups.1.GroupId", &group),
        ("IpPermissions.1.Groups.1.Description", "second"),
    ];
    aws.ec2("UpdateSecurityGroupRuleDescriptionsIngress", &by_shape).ok();
    check("second");
    let by_id = [
        ("GroupId", db.as_str()),
        ("SecurityGroupRuleDescription.1.SecurityGroupRuleId", id),
        ("SecurityGroupRuleDescription.1.Description", "third"),
    ];
    aws.ec2("UpdateSecurityGroupRuleDescriptionsIngress", &by_id).ok();
    check("third");
    let modify = [
        ("GroupId", db.as_str()),
        ("SecurityGroupRule.1.SecurityGroupRuleId", id),
        ("SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp"),
        ("SecurityGroupRule.1.SecurityGroupRule.FromPort", "5432"),
        ("SecurityGroupRule.1.SecurityGroupRule.ToPort", "5432"),
        ("SecurityGroupRule.1.SecurityGroupRule.ReferencedGroupId", &group),
        ("SecurityGroupRule.1.SecurityGroupRule.Description", "fourth"),
    ];
    aws.ec2("ModifySecurityGroupRules", &modify).ok();
    check("fourth");
}
