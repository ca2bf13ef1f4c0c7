//! Security groups and their rules.

use doorward_core::firewall::Mark;
use doorward_core::inventory::{
    Call, Direction, ExistingRule, GroupReference, Peer, RuleIdentity, SecurityGroup, SecurityGroupId,
};
use doorward_core::net::Family;
use serde_json::{Map, Value, json};

use super::answers::{Answers, each, tags, without_nulls};
use crate::wire::written;

impl Answers<'_> {
    pub(super) fn groups(&mut self) {
        for group in self.inventory.groups.values() {
            // Rules without ids were told by the group itself, where their own call gave no answer.
            let inside = self.has_gap(Call::SecurityGroupRules, &group.account_region)
                && group.rules.values().all(|rule| rule.id.is_none() && rule.tag.is_none());
            let rules = |direction: Direction| -> Value {
                let rules = group.rules.iter().filter(|(rule, _)| inside && rule.direction == direction);
                each(rules, |(rule, existing)| permission(rule, existing, self.reference(group, rule)))
            };
            // One that was not described itself is known by its rules.
            let nameless = group.name.is_empty() && group.vpc.is_none() && !group.rules.is_empty();
            if !(nameless && self.has_gap(Call::SecurityGroups, &group.account_region)) {
                let member = without_nulls(json!({
                    "GroupId": group.id,
                    "GroupName": group.name,
                    "Description": group.about,
                    "OwnerId": group.owner,
                    "VpcId": group.vpc,
                    "Tags": tags(&group.tags),
                    "IpPermissions": rules(Direction::In),
                    "IpPermissionsEgress": rules(Direction::Out),
                }));
                self.add(Call::SecurityGroups, &group.account_region, member);
            }
            for (rule, existing) in group.rules.iter().filter(|_| !inside) {
                self.add(
                    Call::SecurityGroupRules,
                    &group.account_region,
                    group_rule(group, rule, existing, self.reference(group, rule)),
                );
            }
        }
    }

    /// What is known of the group that a rule references.
    fn reference(&self, group: &SecurityGroup, rule: &RuleIdentity) -> Option<&GroupReference> {
        let Peer::Group(peer) = &rule.peer else { return None };
        self.inventory.group_references.get(&(group.id.clone(), peer.clone()))
    }
}

/// A group on the other side, with what is known of it.
fn referenced(id: &SecurityGroupId, reference: Option<&GroupReference>) -> Map<String, Value> {
    let reference = reference.cloned().unwrap_or_default();
    let fields = [
        ("GroupId", Some(id.to_string())),
        ("UserId", reference.owner),
        ("VpcId", reference.vpc.map(|vpc| vpc.to_string())),
        ("VpcPeeringConnectionId", reference.peering.map(|peering| peering.to_string())),
        ("PeeringStatus", reference.peering_state),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

fn group_rule(
    group: &SecurityGroup,
    rule: &RuleIdentity,
    existing: &ExistingRule,
    reference: Option<&GroupReference>,
) -> Value {
    let (protocol, from, to) = written(rule.flow);
    let cidr = |family: Family| match &rule.peer {
        Peer::Cidr(cidr) if cidr.family() == family => Some(*cidr),
        _ => None,
    };
    let other = match &rule.peer {
        Peer::Group(id) => Some(referenced(id, reference)),
        Peer::Cidr(_) | Peer::PrefixList(_) => None,
    };
    let list = match &rule.peer {
        Peer::PrefixList(id) => Some(id),
        Peer::Cidr(_) | Peer::Group(_) => None,
    };
    without_nulls(json!({
        "SecurityGroupRuleId": existing.id,
        "GroupId": group.id,
        "GroupOwnerId": group.owner,
        "IsEgress": rule.direction == Direction::Out,
        "IpProtocol": protocol,
        "FromPort": from,
        "ToPort": to,
        "CidrIpv4": cidr(Family::V4),
        "CidrIpv6": cidr(Family::V6),
        "PrefixListId": list,
        "ReferencedGroupInfo": other,
        "Description": existing.description,
        "Tags": each(&existing.tag, |tag| json!({"Key": Mark::TAG, "Value": tag})),
    }))
}

fn permission(rule: &RuleIdentity, existing: &ExistingRule, reference: Option<&GroupReference>) -> Value {
    let (protocol, from, to) = written(rule.flow);
    let one = |field: &str, peer: String| Map::from_iter([(field.to_owned(), Value::from(peer))]);
    let (list, mut peer) = match &rule.peer {
        Peer::Cidr(cidr) => match cidr.family() {
            Family::V4 => ("IpRanges", one("CidrIp", cidr.to_string())),
            Family::V6 => ("Ipv6Ranges", one("CidrIpv6", cidr.to_string())),
        },
        Peer::Group(group) => ("UserIdGroupPairs", referenced(group, reference)),
        Peer::PrefixList(id) => ("PrefixListIds", one("PrefixListId", id.to_string())),
    };
    peer.insert("Description".to_owned(), existing.description.as_str().into());
    json!({
        "IpProtocol": protocol,
        "FromPort": from,
        "ToPort": to,
        list: [peer],
    })
}
