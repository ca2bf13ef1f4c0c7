//! Tags that are given with a creating call are for what it creates, and keys that begin with `aws:` are AWS's own.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>, *Tag restrictions* and *Tag on creation*.

use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};

/// The kinds that a creating call of EC2 can tag, where it is more than the one it is named after.
const KINDS: [(&str, &[&str]); 12] = [
    ("AllocateAddress", &["elastic-ip"]),
    ("AuthorizeSecurityGroupEgress", &["security-group-rule"]),
    ("AuthorizeSecurityGroupIngress", &["security-group-rule"]),
    ("CopyImage", &["image", "snapshot"]),
    ("CreateEgressOnlyInternetGateway", &["egress-only-internet-gateway"]),
    ("CreateImage", &["image", "snapshot"]),
    ("CreateNatGateway", &["natgateway"]),
    ("CreateManagedPrefixList", &["prefix-list"]),
    ("CreateRouteTable", &["route-table"]),
    ("CreateVpcEndpoint", &["vpc-endpoint"]),
    ("CreateLaunchTemplateVersion", &[]),
    ("RunInstances", &["instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"]),
];

/// Refuses what AWS would refuse.
pub(super) fn check(call: &Call) -> Result<(), Refusal> {
    if call.service == Service::Ec2 {
        let own = call.action.strip_prefix("Create").map(dashed).unwrap_or_default();
        let named = KINDS.iter().find(|(action, _)| *action == call.action).map(|(_, kinds)| *kinds);
        for tags in call.form.parts("TagSpecification") {
            let kind = tags.get("ResourceType").unwrap_or_default();
            if !named.map_or(kind == own, |kinds| kinds.contains(&kind)) {
                let message = format!("'{kind}' is not a valid taggable resource type for this operation.");
                return Err(refusal("InvalidParameterValue", message));
            }
        }
    }
    for (name, value) in call.form.fields() {
        let is_a_key = name.ends_with(".Key") && name.contains("Tag");
        if is_a_key && value.to_ascii_lowercase().starts_with("aws:") {
            let message = "Tag keys starting with 'aws:' are reserved for internal use";
            return Err(refusal("InvalidParameterValue", message));
        }
    }
    Ok(())
}

/// `security-group` of `SecurityGroup`.
fn dashed(name: &str) -> String {
    let mut dashed = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !dashed.is_empty() {
            dashed.push('-');
        }
        dashed.push(letter.to_ascii_lowercase());
    }
    dashed
}
