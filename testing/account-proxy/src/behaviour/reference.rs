//! A rule whose source is a security group is one rule: it is refused twice whatever its description, and its description is
//! shown and changed like that of any other rule. moto accepts it twice, and shows its description in one call only.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html> (`InvalidPermission.Duplicate`),
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UpdateSecurityGroupRuleDescriptionsIngress.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html>

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};
use crate::xml::Element;

/// A rule without its description: its group, direction, protocol, ports and the group that it refers to.
pub(crate) type Rule = (String, bool, String, String, String, String);

const INBOUND: [&str; 3] = [
    "AuthorizeSecurityGroupIngress",
    "RevokeSecurityGroupIngress",
    "UpdateSecurityGroupRuleDescriptionsIngress",
];
const OUTBOUND: [&str; 3] = [
    "AuthorizeSecurityGroupEgress",
    "RevokeSecurityGroupEgress",
    "UpdateSecurityGroupRuleDescriptionsEgress",
];

/// Ports as text: of all protocols there are none, however they are written.
fn ports(protocol: &str, from: &str, to: &str) -> (String, String) {
    match protocol {
        "-1" => (String::new(), String::new()),
        _ => (from.to_owned(), to.to_owned()),
    }
}

/// The references that a call names, each with its description.
fn asked(call: &Call) -> Vec<(Rule, Option<String>)> {
    let is_egress = OUTBOUND.contains(&call.action.as_str());
    if !is_egress && !INBOUND.contains(&call.action.as_str()) {
        return Vec::new();
    }
    let group = call.form.get("GroupId").unwrap_or_default();
    let mut rules = Vec::new();
    for permission in call.form.parts("IpPermissions") {
        let field = |name: &str| permission.get(name).unwrap_or_default().to_owned();
        let protocol = field("IpProtocol");
        let (from, to) = ports(&protocol, &field("FromPort"), &field("ToPort"));
        for pair in permission.parts("Groups") {
            let other = pair.get("GroupId").unwrap_or_default().to_owned();
            let rule = (group.to_owned(), is_egress, protocol.clone(), from.clone(), to.clone(), other);
            rules.push((rule, pair.get("Description").map(str::to_owned)));
        }
    }
    rules
}

/// A rule as `DescribeSecurityGroupRules` lists it, when it is a reference.
fn listed(item: &Element) -> Option<Rule> {
    let other = item.text_at("referencedGroupInfo/groupId");
    let protocol = item.text_at("ipProtocol");
    let (from, to) = ports(protocol, item.text_at("fromPort"), item.text_at("toPort"));
    let is_egress = item.text_at("isEgress") == "true";
    let group = item.text_at("groupId").to_owned();
    (!other.is_empty()).then(|| (group, is_egress, protocol.to_owned(), from, to, other.to_owned()))
}

/// Keeps the descriptions of references here, and away from moto, which would count them as a part of the rule.
pub(super) async fn before(account: &Account, call: &mut Call) -> Result<(), Refusal> {
    call.references = asked(call);
    if call.action.starts_with("Authorize") && !call.references.is_empty() {
        is_new(account, call).await?;
    }
    if call.action.starts_with("Authorize") || call.action.starts_with("Revoke") {
        withhold(call, |name| name.contains(".Groups."));
    }
    let (list, inner) = match call.action.as_str() {
        "ModifySecurityGroupRules" => ("SecurityGroupRule", "SecurityGroupRule.Description"),
        "UpdateSecurityGroupRuleDescriptionsIngress" | "UpdateSecurityGroupRuleDescriptionsEgress" => {
            ("SecurityGroupRuleDescription", "Description")
        }
        _ => return Ok(()),
    };
    for change in call.form.parts(list) {
        let fields = [("SecurityGroupRuleId.1", change.get("SecurityGroupRuleId").unwrap_or_default())];
        let found = account.ask(Service::Ec2, "DescribeSecurityGroupRules", &fields).await?;
        if let Some(rule) = found.list("securityGroupRuleSet").first().and_then(listed) {
            call.references.push((rule, change.get(inner).map(str::to_owned)));
        }
    }
    if call.action == "ModifySecurityGroupRules" && !call.references.is_empty() {
        withhold(call, |_| true);
    }
    Ok(())
}

async fn is_new(account: &Account, call: &Call) -> Result<(), Refusal> {
    let group = call.form.get("GroupId").unwrap_or_default();
    let found = account.find("DescribeSecurityGroupRules", "group-id", group).await?;
    let there: Vec<Rule> = found.list("securityGroupRuleSet").iter().filter_map(listed).collect();
    for (at, (rule, _)) in call.references.iter().enumerate() {
        let is_again = call.references.iter().take(at).any(|(earlier, _)| earlier == rule);
        if is_again || there.contains(rule) {
            let message =
                format!("the specified rule \"peer: {}, {}, ALLOW\" already exists", rule.5, rule.2);
            return Err(refusal("InvalidPermission.Duplicate", message));
        }
    }
    Ok(())
}

/// Takes descriptions out of what moto sees.
fn withhold(call: &mut Call, which: fn(&str) -> bool) {
    let names = call.form.fields().map(|(name, _)| name.to_owned());
    let described: Vec<String> = names.filter(|name| name.ends_with(".Description") && which(name)).collect();
    described.iter().for_each(|name| call.form.remove(name));
}

pub(super) fn after(account: &mut Account, call: &Call, answer: &mut Element) {
    for (rule, description) in &call.references {
        let description = description.clone().filter(|_| !call.action.starts_with("Revoke"));
        account.descriptions.insert(rule.clone(), description.unwrap_or_default());
    }
    match call.action.as_str() {
        "DescribeSecurityGroupRules" | "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress" => {
            for item in answer.child_mut("securityGroupRuleSet").into_iter().flat_map(|set| &mut set.children)
            {
                if let Some(description) = listed(item).and_then(|rule| account.descriptions.get(&rule)) {
                    show(item, description);
                }
            }
        }
        "DescribeSecurityGroups" => {
            for group in answer.child_mut("securityGroupInfo").into_iter().flat_map(|set| &mut set.children) {
                let id = group.text_at("groupId").to_owned();
                for (list, is_egress) in [("ipPermissions", false), ("ipPermissionsEgress", true)] {
                    for permission in group.child_mut(list).into_iter().flat_map(|list| &mut list.children) {
                        pairs(account, &id, is_egress, permission);
                    }
                }
            }
        }
        _ => {}
    }
}

fn pairs(account: &Account, group: &str, is_egress: bool, permission: &mut Element) {
    let protocol = permission.text_at("ipProtocol").to_owned();
    let (from, to) = ports(&protocol, permission.text_at("fromPort"), permission.text_at("toPort"));
    for pair in permission.child_mut("groups").into_iter().flat_map(|list| &mut list.children) {
        let other = pair.text_at("groupId").to_owned();
        let rule = (group.to_owned(), is_egress, protocol.clone(), from.clone(), to.clone(), other);
        if let Some(description) = account.descriptions.get(&rule) {
            show(pair, description);
        }
    }
}

fn show(item: &mut Element, description: &str) {
    if description.is_empty() {
        item.remove("description");
    } else {
        item.set("description", description);
    }
}
