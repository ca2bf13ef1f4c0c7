//! Commands of the AWS CLI that make a change, exactly as a shell takes them.

use crate::inventory::{
    Destination, Direction, NetworkAclId, Peer, Place, RouteTableId, RuleIdentity, SecurityGroup,
    TransitTableId,
};
use crate::net::{Cidr, Family, Flow, Icmp};

/// Takes rules out of a group; one command for each direction.
pub(super) fn revoke(group: &SecurityGroup, rules: &[&RuleIdentity]) -> Vec<String> {
    [(Direction::In, "ingress"), (Direction::Out, "egress")]
        .into_iter()
        .flat_map(|(direction, word)| {
            let own: Vec<&RuleIdentity> =
                rules.iter().copied().filter(|rule| rule.direction == direction).collect();
            let begin =
                format!("aws ec2 revoke-security-group-{word}{} --group-id {}", at(&group.place), group.id);
            let ids: Vec<String> = own
                .iter()
                .filter_map(|rule| group.rules.get(rule)?.id.as_ref())
                .map(ToString::to_string)
                .collect();
            if own.is_empty() {
                Vec::new()
            } else if ids.len() == own.len() {
                vec![format!("{begin} --security-group-rule-ids {}", ids.join(" "))]
            } else {
                own.iter().map(|rule| format!("{begin} --ip-permissions '{}'", permission(rule))).collect()
            }
        })
        .collect()
}

/// Puts a rule into a group.
pub(super) fn authorize(group: &SecurityGroup, rule: &RuleIdentity) -> String {
    let word = match rule.direction {
        Direction::In => "ingress",
        Direction::Out => "egress",
    };
    let at = at(&group.place);
    let permission = permission(rule);
    format!(
        "aws ec2 authorize-security-group-{word}{at} --group-id {} --ip-permissions '{permission}'",
        group.id
    )
}

/// A rule in the CLI's shorthand.
///
/// Source: `aws ec2 authorize-security-group-ingress help`.
fn permission(rule: &RuleIdentity) -> String {
    let ports = |from: i32, to: i32| format!(",FromPort={from},ToPort={to}");
    let icmp = |icmp: Icmp| match icmp {
        Icmp::All => ports(-1, -1),
        Icmp::Type(kind) => ports(kind.into(), -1),
        Icmp::Code(kind, code) => ports(kind.into(), code.into()),
    };
    let flow = match rule.flow {
        Flow::All => "-1".to_owned(),
        Flow::Tcp(range) => format!("tcp{}", ports(range.from().into(), range.to().into())),
        Flow::Udp(range) => format!("udp{}", ports(range.from().into(), range.to().into())),
        Flow::Icmp(kind) => format!("icmp{}", icmp(kind)),
        Flow::Icmpv6(kind) => format!("icmpv6{}", icmp(kind)),
        Flow::Protocol(number) => number.to_string(),
    };
    let peer = match &rule.peer {
        Peer::Cidr(cidr) if cidr.family() == Family::V4 => format!("IpRanges=[{{CidrIp={cidr}}}]"),
        Peer::Cidr(cidr) => format!("Ipv6Ranges=[{{CidrIpv6={cidr}}}]"),
        Peer::Group(group) => format!("UserIdGroupPairs=[{{GroupId={group}}}]"),
        Peer::PrefixList(list) => format!("PrefixListIds=[{{PrefixListId={list}}}]"),
    };
    format!("IpProtocol={flow},{peer}")
}

/// Deletes a group.
pub(super) fn delete_group(group: &SecurityGroup) -> String {
    format!("aws ec2 delete-security-group{} --group-id {}", at(&group.place), group.id)
}

/// Takes a route out of a table of a VPC.
pub(super) fn delete_route(place: &Place, table: &RouteTableId, to: &Destination) -> String {
    let to = match to {
        Destination::Cidr(cidr) if cidr.family() == Family::V4 => format!("--destination-cidr-block {cidr}"),
        Destination::Cidr(cidr) => format!("--destination-ipv6-cidr-block {cidr}"),
        Destination::PrefixList(list) => format!("--destination-prefix-list-id {list}"),
    };
    format!("aws ec2 delete-route{} --route-table-id {table} {to}", at(place))
}

/// Deletes a table of a VPC.
pub(super) fn delete_table(place: &Place, table: &RouteTableId) -> String {
    format!("aws ec2 delete-route-table{} --route-table-id {table}", at(place))
}

/// Takes a route out of a table of a transit gateway.
pub(super) fn delete_transit_route(place: &Place, table: &TransitTableId, to: Cidr) -> String {
    let at = at(place);
    format!(
        "aws ec2 delete-transit-gateway-route{at} --transit-gateway-route-table-id {table} --destination-cidr-block {to}"
    )
}

/// Lets the ports that clients choose through a network ACL, for one protocol: 6 or 17.
pub(super) fn admit_replies(
    place: &Place,
    acl: &NetworkAclId,
    direction: Direction,
    number: u32,
    protocol: &str,
    cidr: Cidr,
) -> String {
    let way = match direction {
        Direction::In => "--ingress",
        Direction::Out => "--egress",
    };
    let block = match cidr.family() {
        Family::V4 => "--cidr-block",
        Family::V6 => "--ipv6-cidr-block",
    };
    let at = at(place);
    format!(
        "aws ec2 create-network-acl-entry{at} --network-acl-id {acl} {way} --rule-number {number} --protocol {protocol} --port-range From=1024,To=65535 {block} {cidr} --rule-action allow"
    )
}

/// Makes a database private.
pub(super) fn make_private(place: &Place, database: &str) -> String {
    let (at, database) = (at(place), quoted(database));
    format!(
        "aws rds modify-db-instance{at} --db-instance-identifier {database} --no-publicly-accessible --apply-immediately"
    )
}

/// Which account and Region a command is for.
fn at(place: &Place) -> String {
    let option = |name: &str, value: &Option<String>| match value {
        Some(value) => format!(" --{name} {}", quoted(value)),
        None => String::new(),
    };
    option("profile", &place.profile) + &option("region", &place.region)
}

/// A name as a shell takes it: what is written in an inventory is nobody's command.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(direction: Direction, flow: &str, peer: Peer, expected: &str) {
        let rule = RuleIdentity { direction, flow: flow.parse().expect("a flow"), peer };
        assert_eq!(permission(&rule), expected);
    }

    #[test]
    fn a_rule_is_written_as_the_cli_reads_it() {
        let cidr = |text: &str| Peer::Cidr(text.parse().expect("a prefix"));
        check(
            Direction::In,
            "tcp/22",
            cidr("0.0.0.0/0"),
            "IpProtocol=tcp,FromPort=22,ToPort=22,IpRanges=[{CidrIp=0.0.0.0/0}]",
        );
        check(Direction::In, "all", cidr("::/0"), "IpProtocol=-1,Ipv6Ranges=[{CidrIpv6=::/0}]");
        check(
            Direction::Out,
            "icmp/8",
            Peer::Group("sg-0b".parse().expect("an id")),
            "IpProtocol=icmp,FromPort=8,ToPort=-1,UserIdGroupPairs=[{GroupId=sg-0b}]",
        );
        check(
            Direction::Out,
            "proto/50",
            Peer::PrefixList("pl-0a".parse().expect("an id")),
            "IpProtocol=50,PrefixListIds=[{PrefixListId=pl-0a}]",
        );
    }

    #[test]
    fn a_name_is_never_a_command() {
        for (name, expected) in
            [("orders-prod", "orders-prod"), ("", "''"), ("x; id", "'x; id'"), ("a'b", r"'a'\''b'")]
        {
            assert_eq!(quoted(name), expected);
        }
    }
}
