//! Security groups and their rules.

use doorward_core::firewall::Mark;
use doorward_core::inventory::{Call, Direction, Peer, RuleIdentity, SecurityGroup, StandingRule};
use doorward_core::net::Family;
use serde_json::{Value, json};

use super::answers::{Answers, each, told};
use crate::wire::written;

impl Answers<'_> {
    pub(super) fn groups(&mut self) {
        for group in self.inventory.groups.values() {
            // Rules without ids were told by the group itself, where their own call gave no answer.
            let inside = self.has_gap(Call::SecurityGroupRules, &group.place)
                && group.rules.values().all(|rule| rule.id.is_none() && rule.tag.is_none());
            let rules = |direction: Direction| -> Value {
                let rules = group.rules.iter().filter(|(rule, _)| inside && rule.direction == direction);
                each(rules, |(rule, standing)| permission(rule, standing))
            };
            // One that was not described itself is known by its rules.
            let nameless = group.name.is_empty() && group.vpc.is_none() && !group.rules.is_empty();
            if !(nameless && self.has_gap(Call::SecurityGroups, &group.place)) {
                let member = told(json!({
                    "GroupId": group.id,
                    "GroupName": group.name,
                    "Description": group.about,
                    "OwnerId": group.owner,
                    "VpcId": group.vpc,
                    "IpPermissions": rules(Direction::In),
                    "IpPermissionsEgress": rules(Direction::Out),
                }));
                self.add(Call::SecurityGroups, &group.place, member);
            }
            for (rule, standing) in group.rules.iter().filter(|_| !inside) {
                self.add(Call::SecurityGroupRules, &group.place, group_rule(group, rule, standing));
            }
        }
    }
}

fn group_rule(group: &SecurityGroup, rule: &RuleIdentity, standing: &StandingRule) -> Value {
    let (protocol, from, to) = written(rule.flow);
    let cidr = |family: Family| match &rule.peer {
        Peer::Cidr(cidr) if cidr.family() == family => Some(*cidr),
        _ => None,
    };
    let referenced = match &rule.peer {
        Peer::Group(id) => Some(json!({ "GroupId": id })),
        Peer::Cidr(_) | Peer::PrefixList(_) => None,
    };
    let list = match &rule.peer {
        Peer::PrefixList(id) => Some(id),
        Peer::Cidr(_) | Peer::Group(_) => None,
    };
    told(json!({
        "SecurityGroupRuleId": standing.id,
        "GroupId": group.id,
        "GroupOwnerId": group.owner,
        "IsEgress": rule.direction == Direction::Out,
        "IpProtocol": protocol,
        "FromPort": from,
        "ToPort": to,
        "CidrIpv4": cidr(Family::V4),
        "CidrIpv6": cidr(Family::V6),
        "PrefixListId": list,
        "ReferencedGroupInfo": referenced,
        "Description": standing.description,
        "Tags": each(&standing.tag, |tag| json!({"Key": Mark::TAG, "Value": tag})),
    }))
}

fn permission(rule: &RuleIdentity, standing: &StandingRule) -> Value {
    let (protocol, from, to) = written(rule.flow);
    let (list, field, peer) = match &rule.peer {
        Peer::Cidr(cidr) => match cidr.family() {
            Family::V4 => ("IpRanges", "CidrIp", cidr.to_string()),
            Family::V6 => ("Ipv6Ranges", "CidrIpv6", cidr.to_string()),
        },
        Peer::Group(group) => ("UserIdGroupPairs", "GroupId", group.to_string()),
        Peer::PrefixList(id) => ("PrefixListIds", "PrefixListId", id.to_string()),
    };
    json!({
        "IpProtocol": protocol,
        "FromPort": from,
        "ToPort": to,
        list: [{ field: peer, "Description": standing.description }],
    })
}
