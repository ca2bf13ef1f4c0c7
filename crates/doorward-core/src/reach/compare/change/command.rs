//! Changes as commands of the AWS CLI, exactly as a shell takes them.
//!
//! Source: the pages of the AWS CLI command reference of each command.

use super::{Change, Edit};
use crate::inventory::{
    AccountRegion, AclEntry, Destination, Direction, DnsAttribute, Excepted, Inventory, LoadBalancerKind,
    NetworkAclId, Peer, RouteTableId, RouteTarget, RuleIdentity, SecurityGroupId, VpcId,
};
use crate::net::{Cidr, Family, Flow, Icmp};

/// The commands that make some changes to an account, in their order. A change that takes a value which AWS has yet to
/// choose, like an Elastic IP address, has none.
pub fn commands(inventory: &Inventory, changes: &[Change]) -> Vec<String> {
    let mut commands = Vec::new();
    for change in changes {
        match change {
            Change::Rule { group, edit: Edit::Remove(rule) } => {
                // Rules of one group and direction are revoked together.
                let alike = |other: &&RuleIdentity| other.direction == rule.direction;
                let together: Vec<&RuleIdentity> = removed(changes, group).filter(alike).collect();
                if together.first() == Some(&rule) {
                    commands.extend(revoke(inventory, group, rule.direction, &together));
                }
            }
            other => commands.extend(command(inventory, other)),
        }
    }
    commands
}

fn removed<'c>(changes: &'c [Change], of: &SecurityGroupId) -> impl Iterator<Item = &'c RuleIdentity> {
    changes.iter().filter_map(move |change| match change {
        Change::Rule { group, edit: Edit::Remove(rule) } if group == of => Some(rule),
        _ => None,
    })
}

fn command(inventory: &Inventory, change: &Change) -> Option<String> {
    Some(match change {
        Change::Rule { group, edit: Edit::Add(rule) | Edit::Remove(rule) } => {
            let permission = permission(rule);
            let call = format!("authorize-security-group-{}", gress(rule.direction));
            let at = of_group(inventory, group);
            format!("aws ec2 {call}{at} --group-id {group} --ip-permissions '{permission}'")
        }
        Change::DeleteGroup { group } => {
            format!("aws ec2 delete-security-group{} --group-id {group}", of_group(inventory, group))
        }
        Change::AclEntry { acl, edit } => entry(inventory, acl, edit),
        Change::Route { table, edit } => route(inventory, table, edit),
        Change::DeleteRouteTable { table } => {
            format!("aws ec2 delete-route-table{} --route-table-id {table}", of_table(inventory, table))
        }
        Change::DeleteTransitRoute { table, cidr } => {
            let known = inventory.transit_tables.get(table);
            let gateway = known.and_then(|table| inventory.transit_gateways.get(&table.gateway));
            let at = gateway.map_or_else(String::new, |gateway| at(&gateway.account_region));
            format!(
                "aws ec2 delete-transit-gateway-route{at} --transit-gateway-route-table-id {table} --destination-cidr-block {cidr}"
            )
        }
        Change::AttachGateway { gateway, vpc } => {
            let at = of_vpc(inventory, vpc);
            format!("aws ec2 attach-internet-gateway{at} --internet-gateway-id {gateway} --vpc-id {vpc}")
        }
        Change::AssociateAddress { .. } => return None,
        Change::DisableSourceDestCheck { interface } => {
            let known = inventory.interfaces.get(interface);
            let at = known.map_or_else(String::new, |known| of_vpc(inventory, &known.vpc));
            format!(
                "aws ec2 modify-network-interface-attribute{at} --network-interface-id {interface} --no-source-dest-check"
            )
        }
        Change::ExcludeFromBlock { of, both_ways } => exclude(inventory, of, *both_ways),
        Change::EnableDns { vpc, attribute } => {
            let option = match attribute {
                DnsAttribute::Support => "enable-dns-support",
                DnsAttribute::Hostnames => "enable-dns-hostnames",
            };
            let at = of_vpc(inventory, vpc);
            format!("aws ec2 modify-vpc-attribute{at} --vpc-id {vpc} --{option} '{{\"Value\":true}}'")
        }
        Change::EnableCrossZone { target_group } => across(inventory, target_group)?,
        Change::EnableZone { balancer, subnet } => {
            let known = inventory.load_balancers.get(balancer)?;
            let at = at(&known.account_region);
            if known.kind == LoadBalancerKind::Classic {
                let name = quoted(&known.name);
                format!(
                    "aws elb attach-load-balancer-to-subnets{at} --load-balancer-name {name} --subnets {subnet}"
                )
            } else {
                // It takes all subnets, and disables those that it does not name.
                let all = known.subnets.iter().chain([subnet]).map(ToString::to_string);
                let all: std::collections::BTreeSet<String> = all.collect();
                let all: Vec<String> = all.into_iter().collect();
                let arn = quoted(balancer);
                format!("aws elbv2 set-subnets{at} --load-balancer-arn {arn} --subnets {}", all.join(" "))
            }
        }
        Change::MakePrivate { database } => {
            let known = inventory.databases.values().find(|known| known.is_called(database))?;
            let (at, name) = (at(&known.account_region), quoted(&known.name));
            format!(
                "aws rds modify-db-instance{at} --db-instance-identifier {name} --no-publicly-accessible --apply-immediately"
            )
        }
    })
}

fn gress(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "ingress",
        Direction::Out => "egress",
    }
}

/// By the ids of the rules where all are known.
fn revoke(
    inventory: &Inventory,
    id: &SecurityGroupId,
    direction: Direction,
    rules: &[&RuleIdentity],
) -> Vec<String> {
    let call = format!("revoke-security-group-{}", gress(direction));
    let begin = format!("aws ec2 {call}{} --group-id {id}", of_group(inventory, id));
    let group = inventory.groups.get(id);
    let ids = rules.iter().filter_map(|rule| group?.rules.get(*rule)?.id.as_ref());
    let ids: Vec<String> = ids.map(ToString::to_string).collect();
    if ids.len() == rules.len() {
        return vec![format!("{begin} --security-group-rule-ids {}", ids.join(" "))];
    }
    rules.iter().map(|rule| format!("{begin} --ip-permissions '{}'", permission(rule))).collect()
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

fn entry(inventory: &Inventory, id: &NetworkAclId, edit: &Edit<AclEntry, (Direction, u32)>) -> String {
    let known = inventory.network_acls.get(id);
    let at = known.map_or_else(String::new, |known| of_vpc(inventory, &known.vpc));
    let AclEntry { number, direction, cidr, flow, allow } = match edit {
        Edit::Add(entry) => *entry,
        Edit::Remove((direction, number)) => {
            let gress = gress(*direction);
            return format!(
                "aws ec2 delete-network-acl-entry{at} --network-acl-id {id} --{gress} --rule-number {number}"
            );
        }
    };
    let ports = |from: u16, to: u16| format!(" --port-range From={from},To={to}");
    let icmp = |icmp: Icmp| match icmp {
        Icmp::All => " --icmp-type-code Type=-1,Code=-1".to_owned(),
        Icmp::Type(kind) => format!(" --icmp-type-code Type={kind},Code=-1"),
        Icmp::Code(kind, code) => format!(" --icmp-type-code Type={kind},Code={code}"),
    };
    let (protocol, what) = match flow {
        Flow::All => ("-1".to_owned(), String::new()),
        Flow::Tcp(range) => ("6".to_owned(), ports(range.from(), range.to())),
        Flow::Udp(range) => ("17".to_owned(), ports(range.from(), range.to())),
        Flow::Icmp(kind) => ("1".to_owned(), icmp(kind)),
        Flow::Icmpv6(kind) => ("58".to_owned(), icmp(kind)),
        Flow::Protocol(number) => (number.to_string(), String::new()),
    };
    let block = match cidr.family() {
        Family::V4 => "--cidr-block",
        Family::V6 => "--ipv6-cidr-block",
    };
    let (gress, action) = (gress(direction), if allow { "allow" } else { "deny" });
    format!(
        "aws ec2 create-network-acl-entry{at} --network-acl-id {id} --{gress} --rule-number {number} --protocol {protocol}{what} {block} {cidr} --rule-action {action}"
    )
}

fn route(
    inventory: &Inventory,
    id: &RouteTableId,
    edit: &Edit<(Destination, RouteTarget), Destination>,
) -> String {
    let at = of_table(inventory, id);
    let (call, to, by) = match edit {
        Edit::Add((to, target)) => {
            let known = inventory.route_tables.get(id);
            let mut routes = known.into_iter().flat_map(|table| &table.routes);
            let replaces = routes.any(|route| !route.propagated && route.destination == *to);
            (if replaces { "replace-route" } else { "create-route" }, to, leads_to(target))
        }
        Edit::Remove(to) => ("delete-route", to, String::new()),
    };
    let to = match to {
        Destination::Cidr(cidr) => format!("--destination-{} {cidr}", block(*cidr)),
        Destination::PrefixList(list) => format!("--destination-prefix-list-id {list}"),
    };
    format!("aws ec2 {call}{at} --route-table-id {id} {to}{by}")
}

fn block(cidr: Cidr) -> &'static str {
    match cidr.family() {
        Family::V4 => "cidr-block",
        Family::V6 => "ipv6-cidr-block",
    }
}

fn leads_to(target: &RouteTarget) -> String {
    let option = match target {
        RouteTarget::Local => return " --local-target".to_owned(),
        RouteTarget::InternetGateway(_) | RouteTarget::VpnGateway(_) => "gateway-id",
        RouteTarget::EgressOnlyGateway(_) => "egress-only-internet-gateway-id",
        RouteTarget::NatGateway(_) => "nat-gateway-id",
        RouteTarget::Interface(_) => "network-interface-id",
        RouteTarget::Instance(_) => "instance-id",
        RouteTarget::Peering(_) => "vpc-peering-connection-id",
        RouteTarget::TransitGateway(_) => "transit-gateway-id",
        RouteTarget::Endpoint(_) => "vpc-endpoint-id",
        RouteTarget::Other(id) if id.starts_with("cagw-") => "carrier-gateway-id",
        RouteTarget::Other(id) if id.starts_with("lgw-") => "local-gateway-id",
        RouteTarget::Other(id) if id.starts_with("arn:") => "core-network-arn",
        RouteTarget::Other(_) => "gateway-id",
    };
    format!(" --{option} {}", quoted(&target.to_string()))
}

fn exclude(inventory: &Inventory, of: &Excepted, both_ways: bool) -> String {
    let (option, vpc) = match of {
        Excepted::Vpc(vpc) => (format!("--vpc-id {vpc}"), Some(vpc)),
        Excepted::Subnet(subnet) => {
            (format!("--subnet-id {subnet}"), inventory.subnets.get(subnet).map(|subnet| &subnet.vpc))
        }
    };
    let at = vpc.map_or_else(String::new, |vpc| of_vpc(inventory, vpc));
    let mode = if both_ways { "allow-bidirectional" } else { "allow-egress" };
    format!(
        "aws ec2 create-vpc-block-public-access-exclusion{at} {option} --internet-gateway-exclusion-mode {mode}"
    )
}

fn across(inventory: &Inventory, arn: &str) -> Option<String> {
    let classic = inventory.load_balancers.get(arn).filter(|it| it.kind == LoadBalancerKind::Classic);
    if let Some(classic) = classic {
        let (at, name) = (at(&classic.account_region), quoted(&classic.name));
        let attributes = "'{\"CrossZoneLoadBalancing\":{\"Enabled\":true}}'";
        return Some(format!(
            "aws elb modify-load-balancer-attributes{at} --load-balancer-name {name} --load-balancer-attributes {attributes}"
        ));
    }
    let at = at(&inventory.target_groups.get(arn)?.account_region);
    let attribute = "Key=load_balancing.cross_zone.enabled,Value=true";
    let arn = quoted(arn);
    Some(format!(
        "aws elbv2 modify-target-group-attributes{at} --target-group-arn {arn} --attributes {attribute}"
    ))
}

fn of_group(inventory: &Inventory, id: &SecurityGroupId) -> String {
    inventory.groups.get(id).map_or_else(String::new, |group| at(&group.account_region))
}

fn of_vpc(inventory: &Inventory, id: &VpcId) -> String {
    inventory.vpcs.get(id).map_or_else(String::new, |vpc| at(&vpc.account_region))
}

fn of_table(inventory: &Inventory, id: &RouteTableId) -> String {
    inventory.route_tables.get(id).map_or_else(String::new, |table| of_vpc(inventory, &table.vpc))
}

/// Which account and Region a command is for.
fn at(account_region: &AccountRegion) -> String {
    let option = |name: &str, value: &Option<String>| match value {
        Some(value) => format!(" --{name} {}", quoted(value)),
        None => String::new(),
    };
    option("profile", &account_region.profile) + &option("region", &account_region.region)
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
mod tests;
