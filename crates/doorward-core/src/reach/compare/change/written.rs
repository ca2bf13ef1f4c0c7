//! Changes as JSON, in both directions.
//!
//! Each is an object that names a resource and what is done to it:
//!
//! ```text
//! {"group": "sg-…", "add": "tcp/5432 from 203.0.113.7/32"}
//! {"group": "sg-…", "delete": true}
//! {"network_acl": "acl-…", "add": "90 allow tcp/443 from 10.0.0.0/8"}
//! {"network_acl": "acl-…", "remove": "90 inbound"}
//! {"route_table": "rtb-…", "add": "0.0.0.0/0 by igw-…"}
//! {"route_table": "rtb-…", "remove": "0.0.0.0/0"}
//! {"route_table": "rtb-…", "delete": true}
//! {"transit_table": "tgw-rtb-…", "remove": "10.1.0.0/16"}
//! {"internet_gateway": "igw-…", "attach": "vpc-…"}
//! {"interface": "eni-…", "associate_address": "10.0.1.5"}
//! {"interface": "eni-…", "source_dest_check": false}
//! {"subnet": "subnet-…", "exclude_from_block_public_access": "bidirectional"}
//! {"vpc": "vpc-…", "enable": "enableDnsHostnames"}
//! {"target_group": "arn:…", "cross_zone": true}
//! {"load_balancer": "arn:…", "enable_subnet": "subnet-…"}
//! {"database": "arn:…", "publicly_accessible": false}
//! ```

use std::fmt::Display;
use std::net::IpAddr;

use serde::{Deserialize, Serialize, Serializer};

use crate::inventory::{
    AclEntry, Destination, Direction, DnsAttribute, Excepted, InterfaceId, InternetGatewayId, NetworkAclId,
    Peer, RouteTableId, RouteTarget, RuleIdentity, SecurityGroupId, SubnetId, TransitTableId, VpcId,
};
use crate::reach::compare::change::{Change, Edit, directed};

/// All members that some change has.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[serde(expecting = "a change like {\"group\": \"sg-…\", \"add\": \"tcp/22 from …\"}")]
pub(super) struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<SecurityGroupId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_acl: Option<NetworkAclId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route_table: Option<RouteTableId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transit_table: Option<TransitTableId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    internet_gateway: Option<InternetGatewayId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<InterfaceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc: Option<VpcId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subnet: Option<SubnetId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_balancer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    add: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remove: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attach: Option<VpcId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    associate_address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_dest_check: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exclude_from_block_public_access: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cross_zone: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_subnet: Option<SubnetId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publicly_accessible: Option<bool>,
}

impl Written {
    /// What is added or removed, each as its text is read.
    fn edit<T, K>(
        &mut self,
        of: &dyn Display,
        added: impl FnOnce(&str) -> Result<T, String>,
        removed: impl FnOnce(&str) -> Result<K, String>,
    ) -> Result<Edit<T, K>, String> {
        match (self.add.take(), self.remove.take()) {
            (Some(text), None) => added(&text).map(Edit::Add),
            (None, Some(text)) => removed(&text).map(Edit::Remove),
            _ => Err(format!("a change of {of} has either `add` or `remove`")),
        }
    }

    /// Whether something is deleted as a whole.
    fn deletes(&mut self) -> bool {
        self.delete.take_if(|delete| *delete).is_some()
    }

    fn excluded(&mut self, of: Excepted) -> Result<Change, String> {
        let both_ways = match self.exclude_from_block_public_access.take().as_deref() {
            Some("bidirectional") => true,
            Some("egress") => false,
            _ => return Err("`exclude_from_block_public_access` is `bidirectional` or `egress`".into()),
        };
        Ok(Change::ExcludeFromBlock { of, both_ways })
    }

    fn change(&mut self) -> Result<Change, String> {
        if let Some(group) = self.group.take() {
            if self.deletes() {
                return Ok(Change::DeleteGroup { group });
            }
            let edit = self.edit(&group, parsed::<RuleIdentity>, parsed::<RuleIdentity>)?;
            return Ok(Change::Rule { group, edit });
        }
        if let Some(acl) = self.network_acl.take() {
            let edit = self.edit(&acl, entry, number)?;
            return Ok(Change::AclEntry { acl, edit });
        }
        if let Some(table) = self.route_table.take() {
            if self.deletes() {
                return Ok(Change::DeleteRouteTable { table });
            }
            let edit = self.edit(&table, route, parsed::<Destination>)?;
            return Ok(Change::Route { table, edit });
        }
        if let Some(table) = self.transit_table.take() {
            let cidr =
                self.remove.take().ok_or("a change of a transit gateway's route table has `remove`")?;
            return Ok(Change::DeleteTransitRoute { table, cidr: parsed(&cidr)? });
        }
        if let Some(database) = self.database.take() {
            return match self.publicly_accessible.take() {
                Some(false) => Ok(Change::MakePrivate { database }),
                _ => Err("a change of a database is `\"publicly_accessible\": false`".into()),
            };
        }
        self.of_gateways_and_balancers()
    }

    fn of_gateways_and_balancers(&mut self) -> Result<Change, String> {
        if let Some(gateway) = self.internet_gateway.take() {
            let vpc =
                self.attach.take().ok_or("a change of an internet gateway says to what to `attach` it")?;
            return Ok(Change::AttachGateway { gateway, vpc });
        }
        if let Some(interface) = self.interface.take() {
            return match (self.associate_address.take(), self.source_dest_check.take()) {
                (Some(private), None) => Ok(Change::AssociateAddress { interface, private }),
                (None, Some(false)) => Ok(Change::DisableSourceDestCheck { interface }),
                _ => Err(format!(
                    "a change of {interface} has either `associate_address` or `\"source_dest_check\": false`"
                )),
            };
        }
        if let Some(vpc) = self.vpc.take() {
            if let Some(name) = self.enable.take() {
                let attribute = DnsAttribute::ALL.into_iter().find(|attribute| attribute.name() == name);
                let attribute = attribute.ok_or("`enable` is `enableDnsSupport` or `enableDnsHostnames`")?;
                return Ok(Change::EnableDns { vpc, attribute });
            }
            return self.excluded(Excepted::Vpc(vpc));
        }
        if let Some(subnet) = self.subnet.take() {
            return self.excluded(Excepted::Subnet(subnet));
        }
        if let Some(target_group) = self.target_group.take() {
            return match self.cross_zone.take() {
                Some(true) => Ok(Change::EnableCrossZone { target_group }),
                _ => Err("a change of a target group is `\"cross_zone\": true`".into()),
            };
        }
        if let Some(balancer) = self.load_balancer.take() {
            let subnet = self.enable_subnet.take();
            let subnet = subnet.ok_or("a change of a load balancer has `enable_subnet`")?;
            return Ok(Change::EnableZone { balancer, subnet });
        }
        Err("a change names what it changes, like `\"group\": \"sg-…\"`".into())
    }
}

fn parsed<T: std::str::FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// `90 allow tcp/443 from 10.0.0.0/8`.
fn entry(text: &str) -> Result<AclEntry, String> {
    let shape = || format!("`{text}` is not an entry (like `90 allow tcp/443 from 10.0.0.0/8`)");
    let (number, rest) = text.split_once(' ').ok_or_else(shape)?;
    let (verb, rule) = rest.split_once(' ').ok_or_else(shape)?;
    let allow = match verb {
        "allow" => true,
        "deny" => false,
        _ => return Err(shape()),
    };
    let RuleIdentity { direction, flow, peer } = parsed(rule)?;
    let (Peer::Cidr(cidr), Ok(number @ 1..=32766)) = (peer, number.parse()) else { return Err(shape()) };
    Ok(AclEntry { number, direction, cidr, flow, allow })
}

/// `90 inbound`.
fn number(text: &str) -> Result<(Direction, u32), String> {
    let read = || {
        let (number, direction) = text.split_once(' ')?;
        let direction = match direction {
            "inbound" => Direction::In,
            "outbound" => Direction::Out,
            _ => return None,
        };
        Some((direction, number.parse().ok()?))
    };
    read().ok_or_else(|| format!("`{text}` is not the number of an entry (like `90 inbound`)"))
}

/// `0.0.0.0/0 by igw-…`.
fn route(text: &str) -> Result<(Destination, RouteTarget), String> {
    let (to, by) = text
        .split_once(" by ")
        .ok_or_else(|| format!("`{text}` is not a route (like `0.0.0.0/0 by igw-0a1b2c3d4e5f60718`)"))?;
    Ok((parsed(to)?, parsed(by)?))
}

impl TryFrom<Written> for Change {
    type Error = String;

    fn try_from(mut written: Written) -> Result<Self, String> {
        let change = written.change()?;
        if written != Written::default() {
            return Err(format!("a change is one thing, and this says more than `{change}`"));
        }
        Ok(change)
    }
}

impl From<&Change> for Written {
    fn from(change: &Change) -> Self {
        let mut written = Self::default();
        match change.clone() {
            Change::Rule { group, edit } => {
                (written.add, written.remove) = texts(edit, |rule| rule.to_string(), |rule| rule.to_string());
                written.group = Some(group);
            }
            Change::DeleteGroup { group } => {
                (written.group, written.delete) = (Some(group), Some(true));
            }
            Change::AclEntry { acl, edit } => {
                let added = |entry: AclEntry| {
                    let verb = if entry.allow { "allow" } else { "deny" };
                    let whom = directed(entry.direction).1;
                    format!("{} {verb} {} {whom} {}", entry.number, entry.flow, entry.cidr)
                };
                let removed = |(direction, number)| format!("{number} {}", directed(direction).0);
                (written.add, written.remove) = texts(edit, added, removed);
                written.network_acl = Some(acl);
            }
            Change::Route { table, edit } => {
                let added = |(to, by): (Destination, RouteTarget)| format!("{to} by {by}");
                (written.add, written.remove) = texts(edit, added, |to| to.to_string());
                written.route_table = Some(table);
            }
            Change::DeleteRouteTable { table } => {
                (written.route_table, written.delete) = (Some(table), Some(true));
            }
            Change::DeleteTransitRoute { table, cidr } => {
                (written.transit_table, written.remove) = (Some(table), Some(cidr.to_string()));
            }
            Change::AttachGateway { gateway, vpc } => {
                (written.internet_gateway, written.attach) = (Some(gateway), Some(vpc));
            }
            Change::AssociateAddress { interface, private } => {
                (written.interface, written.associate_address) = (Some(interface), Some(private));
            }
            Change::DisableSourceDestCheck { interface } => {
                (written.interface, written.source_dest_check) = (Some(interface), Some(false));
            }
            Change::ExcludeFromBlock { of, both_ways } => {
                let paths = if both_ways { "bidirectional" } else { "egress" };
                written.exclude_from_block_public_access = Some(paths.into());
                match of {
                    Excepted::Vpc(vpc) => written.vpc = Some(vpc),
                    Excepted::Subnet(subnet) => written.subnet = Some(subnet),
                }
            }
            Change::EnableDns { vpc, attribute } => {
                (written.vpc, written.enable) = (Some(vpc), Some(attribute.name().into()));
            }
            Change::EnableCrossZone { target_group } => {
                (written.target_group, written.cross_zone) = (Some(target_group), Some(true));
            }
            Change::EnableZone { balancer, subnet } => {
                (written.load_balancer, written.enable_subnet) = (Some(balancer), Some(subnet));
            }
            Change::MakePrivate { database } => {
                (written.database, written.publicly_accessible) = (Some(database), Some(false));
            }
        }
        written
    }
}

/// The text of what is added, or of what is removed.
fn texts<T, K>(
    edit: Edit<T, K>,
    added: impl FnOnce(T) -> String,
    removed: impl FnOnce(K) -> String,
) -> (Option<String>, Option<String>) {
    match edit {
        Edit::Add(one) => (Some(added(one)), None),
        Edit::Remove(one) => (None, Some(removed(one))),
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written::from(self).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_as_it_is_written() {
        for json in [
            r#"{"group":"sg-0a","add":"tcp/5432 from 203.0.113.7/32"}"#,
            r#"{"group":"sg-0a","remove":"all to sg-0b"}"#,
            r#"{"group":"sg-0a","delete":true}"#,
            r#"{"network_acl":"acl-0a","add":"90 allow tcp/443 from 10.0.0.0/8"}"#,
            r#"{"network_acl":"acl-0a","add":"91 deny udp/0-65535 to ::/0"}"#,
            r#"{"network_acl":"acl-0a","remove":"90 outbound"}"#,
            r#"{"route_table":"rtb-0a","add":"0.0.0.0/0 by igw-0a"}"#,
            r#"{"route_table":"rtb-0a","add":"pl-0a by vpce-0a"}"#,
            r#"{"route_table":"rtb-0a","remove":"10.1.0.0/16"}"#,
            r#"{"route_table":"rtb-0a","delete":true}"#,
            r#"{"transit_table":"tgw-rtb-0a","remove":"10.1.0.0/16"}"#,
            r#"{"internet_gateway":"igw-0a","attach":"vpc-0a"}"#,
            r#"{"interface":"eni-0a","associate_address":"10.0.1.5"}"#,
            r#"{"interface":"eni-0a","source_dest_check":false}"#,
            r#"{"vpc":"vpc-0a","exclude_from_block_public_access":"egress"}"#,
            r#"{"subnet":"subnet-0a","exclude_from_block_public_access":"bidirectional"}"#,
            r#"{"vpc":"vpc-0a","enable":"enableDnsSupport"}"#,
            r#"{"target_group":"arn:tg","cross_zone":true}"#,
            r#"{"load_balancer":"arn:lb","enable_subnet":"subnet-0a"}"#,
            r#"{"database":"orders","publicly_accessible":false}"#,
        ] {
            let change: Change = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(serde_json::to_string(&change).expect("JSON"), json);
        }
    }

    #[test]
    fn a_change_is_one_or_the_other() {
        let check = |json: &str, expected: &str| {
            let error = serde_json::from_str::<Vec<Change>>(json).expect_err(json).to_string();
            assert!(error.contains(expected), "{json}: {error}");
        };
        check(r#"[{"group": "sg-0a"}]"#, "a change of sg-0a has either `add` or `remove`");
        check(r#"[{"group": "sg-0a", "add": "tcp/22 from ::/0", "remove": "tcp/22 from ::/0"}]"#, "either");
        check(r#"[{"group": "sg-0a", "add": "ssh from ::/0"}]"#, "`ssh` is not a flow");
        check(r#"[{"group": "web", "add": "tcp/22 from ::/0"}]"#, "`web` is not the id of a security group");
        check(r#"[{"group": "sg-0a", "ad": "tcp/22 from ::/0"}]"#, "unknown field `ad`");
        check(r#"["sg-0a"]"#, "a change like");
        check(r#"[{"add": "tcp/22 from ::/0"}]"#, "a change names what it changes");
        check(r#"[{"group": "sg-0a", "vpc": "vpc-0a", "add": "tcp/22 from ::/0"}]"#, "says more than");
        check(r#"[{"network_acl": "acl-0a", "add": "tcp/22 from ::/0"}]"#, "is not an entry");
        check(r#"[{"network_acl": "acl-0a", "add": "0 allow tcp/22 from ::/0"}]"#, "is not an entry");
        check(r#"[{"network_acl": "acl-0a", "add": "9 allow tcp/22 from sg-0a"}]"#, "is not an entry");
        check(r#"[{"network_acl": "acl-0a", "remove": "90"}]"#, "is not the number of an entry");
        check(r#"[{"route_table": "rtb-0a", "add": "0.0.0.0/0 igw-0a"}]"#, "is not a route");
        check(
            r#"[{"route_table": "rtb-0a", "add": "0.0.0.0/0 by nothing"}]"#,
            "is not what a route leads to",
        );
        check(r#"[{"group": "sg-0a", "delete": false}]"#, "has either `add` or `remove`");
        check(r#"[{"database": "orders", "publicly_accessible": true}]"#, "a change of a database is");
        check(r#"[{"interface": "eni-0a", "source_dest_check": true}]"#, "either `associate_address`");
    }
}
