//! `IpPermission`: EC2's older notation, in which one entry holds several rules of the same flow.

use std::collections::BTreeMap;

use doorward_core::inventory::{Peer, RuleIdentity};
use doorward_core::net::{Family, Flow};
use serde::Deserialize;

use crate::wire::{Form, List, written};

/// A rule to name in a call, with the description that it gets, if any.
#[derive(Debug, Clone)]
pub(crate) struct Permission {
    pub(crate) rule: RuleIdentity,
    pub(crate) description: Option<String>,
}

/// Writes rules as `IpPermissions`: an entry for each flow.
pub(super) fn write(form: &mut Form, permissions: &[Permission]) {
    let mut flows: BTreeMap<Flow, Vec<&Permission>> = BTreeMap::new();
    for permission in permissions {
        flows.entry(permission.rule.flow).or_default().push(permission);
    }
    for (number, (flow, permissions)) in (1..).zip(flows) {
        let entry = format!("IpPermissions.{number}");
        let (protocol, from, to) = written(flow);
        form.put(&format!("{entry}.IpProtocol"), &protocol);
        form.put(&format!("{entry}.FromPort"), &from.to_string());
        form.put(&format!("{entry}.ToPort"), &to.to_string());
        let mut counts = [0_u32; 4];
        for permission in permissions {
            let (kind, list, field, value) = match &permission.rule.peer {
                Peer::Cidr(cidr) => match cidr.family() {
                    Family::V4 => (0, "IpRanges", "CidrIp", cidr.to_string()),
                    Family::V6 => (1, "Ipv6Ranges", "CidrIpv6", cidr.to_string()),
                },
                Peer::Group(group) => (2, "Groups", "GroupId", group.to_string()),
                Peer::PrefixList(list) => (3, "PrefixListIds", "PrefixListId", list.to_string()),
            };
            let Some(count) = counts.get_mut(kind) else { continue };
            *count += 1;
            let item = format!("{entry}.{list}.{count}");
            form.put(&format!("{item}.{field}"), &value);
            if let Some(description) = &permission.description {
                form.put(&format!("{item}.Description"), description);
            }
        }
    }
}

/// As it is described: `IpPermissions` of a group.
#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct PermissionShape {
    #[serde(rename = "IpProtocol", alias = "ipProtocol")]
    pub(crate) protocol: String,
    #[serde(rename = "FromPort", alias = "fromPort", default)]
    pub(crate) from: Option<i64>,
    #[serde(rename = "ToPort", alias = "toPort", default)]
    pub(crate) to: Option<i64>,
    #[serde(rename = "IpRanges", alias = "ipRanges", default)]
    pub(crate) v4: List<PeerShape>,
    #[serde(rename = "Ipv6Ranges", alias = "ipv6Ranges", default)]
    pub(crate) v6: List<PeerShape>,
    #[serde(rename = "UserIdGroupPairs", alias = "groups", default)]
    pub(crate) groups: List<PeerShape>,
    #[serde(rename = "PrefixListIds", alias = "prefixListIds", default)]
    pub(crate) prefix_lists: List<PeerShape>,
}

/// The other side of a rule: a prefix, a group or a prefix list.
#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct PeerShape {
    #[serde(
        rename = "CidrIp",
        alias = "cidrIp",
        alias = "CidrIpv6",
        alias = "cidrIpv6",
        alias = "GroupId",
        alias = "groupId",
        alias = "PrefixListId",
        alias = "prefixListId",
        default
    )]
    pub(crate) peer: Option<String>,
    #[serde(rename = "Description", alias = "description", default)]
    pub(crate) description: Option<String>,
    // What a group has besides, which may be of another VPC and account.
    #[serde(rename = "UserId", alias = "userId", default)]
    pub(crate) owner: Option<String>,
    #[serde(rename = "VpcId", alias = "vpcId", default)]
    pub(crate) vpc: Option<String>,
    #[serde(rename = "VpcPeeringConnectionId", alias = "vpcPeeringConnectionId", default)]
    pub(crate) peering: Option<String>,
    #[serde(rename = "PeeringStatus", alias = "peeringStatus", default)]
    pub(crate) state: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_one_flow_share_an_entry() {
        let permission = |flow: &str, peer: &str, description: Option<&str>| Permission {
            rule: RuleIdentity::admitting(flow.parse().expect("a flow"), peer.parse().expect("a prefix")),
            description: description.map(str::to_owned),
        };
        let mut form = Form::default();
        write(
            &mut form,
            &[
                permission("tcp/5432", "203.0.113.7", Some("a")),
                permission("udp/53", "203.0.113.7", None),
                permission("tcp/5432", "2001:db8::/64", None),
                permission("tcp/5432", "203.0.113.8", None),
            ],
        );
        assert_eq!(
            form.into_body().split('&').collect::<Vec<_>>(),
            [
                "IpPermissions.1.IpProtocol=tcp",
                "IpPermissions.1.FromPort=5432",
                "IpPermissions.1.ToPort=5432",
                "IpPermissions.1.IpRanges.1.CidrIp=203.0.113.7%2F32",
                "IpPermissions.1.IpRanges.1.Description=a",
                "IpPermissions.1.Ipv6Ranges.1.CidrIpv6=2001%3Adb8%3A%3A%2F64",
                "IpPermissions.1.IpRanges.2.CidrIp=203.0.113.8%2F32",
                "IpPermissions.2.IpProtocol=udp",
                "IpPermissions.2.FromPort=53",
                "IpPermissions.2.ToPort=53",
                "IpPermissions.2.IpRanges.1.CidrIp=203.0.113.7%2F32",
            ]
        );
    }
}
