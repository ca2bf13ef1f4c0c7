//! A security group has at most so many rules for IPv4 and so many for IPv6, inbound and outbound apart.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>, *Security groups*: "this quota is enforced
//! separately for IPv4 rules and IPv6 rules". A rule that refers to a security group counts for both. A customer-managed prefix list
//! counts by its maximum number of entries, one of AWS by its weight:
//! <https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html#security-group-size>,
//! <https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html>.
//!
//! moto itself refuses the 61st CIDR of both families together, which is stricter than AWS.

use super::within;
use crate::account::Account;
use crate::answer::Refusal;
use crate::call::{Call, Service};
use crate::settings::Quota;

/// How many rules: for IPv4, for IPv6.
type Count = (usize, usize);

const CODE: &str = "RulesPerSecurityGroupLimitExceeded";

pub(super) async fn check(account: &Account, call: &Call) -> Result<(), Refusal> {
    let Some(id) = call.form.get("GroupId") else { return Ok(()) };
    let found = account.find("DescribeSecurityGroupRules", "group-id", id).await?;
    let egress = if call.action == "AuthorizeSecurityGroupEgress" { "true" } else { "false" };
    let (mut v4, mut v6) = (0, 0);
    for rule in found.list("securityGroupRuleSet").iter().filter(|rule| rule.text_at("isEgress") == egress) {
        let count = match (rule.text_at("cidrIpv4"), rule.text_at("cidrIpv6"), rule.text_at("prefixListId")) {
            ("", "", "") => (1, 1),
            ("", "", list) => prefix_list(account, list).await,
            ("", _, _) => (0, 1),
            _ => (1, 0),
        };
        (v4, v6) = (v4 + count.0, v6 + count.1);
    }
    for permission in call.form.parts("IpPermissions") {
        let groups = permission.parts("Groups").len() + permission.parts("UserIdGroupPairs").len();
        v4 += permission.parts("IpRanges").len() + groups;
        v6 += permission.parts("Ipv6Ranges").len() + groups;
        for list in permission.parts("PrefixListIds") {
            let count = prefix_list(account, list.get("PrefixListId").unwrap_or_default()).await;
            (v4, v6) = (v4 + count.0, v6 + count.1);
        }
    }
    v4 += usize::from(call.form.has("CidrIp"));
    within(account, Quota::RulesPerGroup, v4.max(v6), CODE, "The maximum number of rules per security group")
}

async fn prefix_list(account: &Account, id: &str) -> Count {
    let fields = [("PrefixListId.1", id)];
    let found = account.ask(Service::Ec2, "DescribeManagedPrefixLists", &fields).await.unwrap_or_default();
    let Some(list) = found.list("prefixListSet").first() else { return (1, 1) };
    let weight = weight(list.text_at("prefixListName"));
    match (list.text_at("maxEntries").parse(), list.text_at("addressFamily")) {
        (Ok(entries), "IPv6") if list.text_at("ownerId") != "AWS" => (0, entries),
        (Ok(entries), _) if list.text_at("ownerId") != "AWS" => (entries, 0),
        (_, "IPv6") => (0, weight),
        _ => (weight, 0),
    }
}

/// How much a list of AWS counts: `com.amazonaws.REGION.s3`, `com.amazonaws.global.cloudfront.origin-facing`. One that the page
/// does not list counts as one rule.
fn weight(name: &str) -> usize {
    let service = name.splitn(4, '.').nth(3).unwrap_or_default();
    match service.trim_start_matches("ipv6.") {
        "cloudfront.origin-facing" => 55,
        "ec2-instance-connect" => 2,
        "groundstation" => 5,
        "route53-healthchecks" => 25,
        "s3express" => 6,
        "vpc-lattice" => 10,
        _ => 1,
    }
}
