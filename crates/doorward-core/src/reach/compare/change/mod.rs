//! A change of an account's configuration: one type for what a fix, a grant, a plan or a file proposes.
//!
//! A change is a value, so that it can be made to an inventory and asked about ([`after`]), told in a sentence
//! ([`fmt::Display`]), written to a file that `doorward reach --after` reads (`written`), and made by the AWS CLI
//! ([`commands`]).

mod apply;
mod command;
mod written;

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;

use crate::inventory::{
    AclEntry, Destination, Direction, DnsAttribute, Excepted, Gap, InterfaceId, InternetGatewayId,
    NetworkAclId, RouteTableId, RouteTarget, RuleIdentity, SecurityGroupId, SubnetId, TransitTableId, VpcId,
};
use crate::net::Cidr;

pub use apply::after;
pub use command::commands;

/// A change of an account's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "written::Written")]
pub enum Change {
    /// A rule of a security group is added, or removed.
    Rule {
        group: SecurityGroupId,
        /// The rule. Adding one that is there changes nothing.
        edit: Edit<RuleIdentity>,
    },
    /// A security group is deleted.
    DeleteGroup { group: SecurityGroupId },
    /// An entry of a network ACL is added, or that of a number is removed.
    AclEntry {
        /// The network ACL.
        acl: NetworkAclId,
        /// The entry.
        edit: Edit<AclEntry, (Direction, u32)>,
    },
    /// A static route is added in place of another of the same destination, or removed.
    Route {
        /// The route table.
        table: RouteTableId,
        /// The route.
        edit: Edit<(Destination, RouteTarget), Destination>,
    },
    /// A route table of a VPC is deleted.
    DeleteRouteTable {
        /// The route table.
        table: RouteTableId,
    },
    /// A static route is removed from a route table of a transit gateway.
    DeleteTransitRoute {
        /// The route table.
        table: TransitTableId,
        /// The destination of the route.
        cidr: Cidr,
    },
    /// An internet gateway is attached to a VPC.
    AttachGateway { gateway: InternetGatewayId, vpc: VpcId },
    /// An Elastic IP address is associated with an address of an interface.
    AssociateAddress {
        interface: InterfaceId,
        /// Its private address.
        private: IpAddr,
    },
    /// The source/destination check of an interface is disabled.
    DisableSourceDestCheck { interface: InterfaceId },
    /// A VPC or a subnet is excluded from VPC Block Public Access.
    ExcludeFromBlock {
        /// The VPC or the subnet.
        of: Excepted,
        /// Whether in both directions, or outward only.
        both_ways: bool,
    },
    /// A DNS attribute of a VPC is turned on.
    EnableDns { vpc: VpcId, attribute: DnsAttribute },
    /// Cross-zone load balancing of a target group is turned on.
    EnableCrossZone {
        /// The ARN of the target group; of a classic load balancer, its own.
        target_group: String,
    },
    /// A subnet, and so its Availability Zone, is enabled for a load balancer.
    EnableZone {
        /// The ARN of the load balancer.
        balancer: String,
        subnet: SubnetId,
    },
    /// A database is made private: it is no longer publicly accessible.
    MakePrivate {
        /// The ARN of the database; its name, where that is not known.
        database: String,
    },
}

/// What is done to one of several members of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit<T, K = T> {
    /// It is added.
    Add(T),
    /// It is removed.
    Remove(K),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { group, edit } => {
                let (verb, rule, at) = match edit {
                    Edit::Add(rule) => ("add", rule, "to"),
                    Edit::Remove(rule) => ("remove", rule, "from"),
                };
                let article = if rule.direction == Direction::In { "inbound" } else { "outbound" };
                let article = if verb == "add" { format!("an {article}") } else { format!("the {article}") };
                write!(f, "{verb} {article} rule {at} {group}: {rule}")
            }
            Self::DeleteGroup { group } => write!(f, "delete {group}"),
            Self::AclEntry { acl, edit: Edit::Add(entry) } => {
                let verb = if entry.allow { "allows" } else { "denies" };
                let (direction, whom) = directed(entry.direction);
                let AclEntry { number, flow, cidr, .. } = entry;
                write!(f, "add an {direction} entry {number} to {acl} that {verb} {flow} {whom} {cidr}")
            }
            Self::AclEntry { acl, edit: Edit::Remove((direction, number)) } => {
                write!(f, "remove the {} entry {number} from {acl}", directed(*direction).0)
            }
            Self::Route { table, edit: Edit::Add((destination, target)) } => {
                write!(f, "add a route to {table}: {destination} by {target}")
            }
            Self::Route { table, edit: Edit::Remove(destination) } => {
                write!(f, "remove the route to {destination} from {table}")
            }
            Self::DeleteRouteTable { table } => write!(f, "delete {table}"),
            Self::DeleteTransitRoute { table, cidr } => write!(f, "remove the route to {cidr} from {table}"),
            Self::AttachGateway { gateway, vpc } => write!(f, "attach {gateway} to {vpc}"),
            Self::AssociateAddress { interface, private } => {
                write!(f, "associate an Elastic IP address with {private} of {interface}")
            }
            Self::DisableSourceDestCheck { interface } => {
                write!(f, "disable the source/destination check of {interface}")
            }
            Self::ExcludeFromBlock { of, both_ways } => {
                let of: &dyn fmt::Display = match of {
                    Excepted::Vpc(id) => id,
                    Excepted::Subnet(id) => id,
                };
                let paths = if *both_ways { "in both directions" } else { "for egress" };
                write!(f, "exclude {of} from VPC Block Public Access {paths}")
            }
            Self::EnableDns { vpc, attribute } => write!(f, "turn {} of {vpc} on", attribute.name()),
            Self::EnableCrossZone { target_group } => {
                write!(f, "turn cross-zone load balancing of {target_group} on")
            }
            Self::EnableZone { balancer, subnet } => write!(f, "enable {subnet} for {balancer}"),
            Self::MakePrivate { database } => write!(f, "make {database} private"),
        }
    }
}

/// `inbound from`, `outbound to`.
fn directed(direction: Direction) -> (&'static str, &'static str) {
    match direction {
        Direction::In => ("inbound", "from"),
        Direction::Out => ("outbound", "to"),
    }
}

/// Why a change cannot be made to an inventory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// The group is not there.
    #[error("the security group {group} is not in the inventory")]
    NoGroup {
        group: SecurityGroupId,
        /// The one that may be meant.
        meant: Option<SecurityGroupId>,
    },
    /// The group could not be seen.
    #[error("the security group {group} could not be seen: {gap}")]
    Unseen {
        group: SecurityGroupId,
        /// Why it could not be seen.
        gap: Gap,
    },
    /// A rule that should be removed does not stand.
    #[error("{group} has no rule `{rule}`, so it cannot be removed")]
    NoRule { group: SecurityGroupId, rule: RuleIdentity },
    /// Something else that a change names is not there.
    #[error("{what} {id} is not in the inventory")]
    Missing {
        /// Like `the network ACL`.
        what: &'static str,
        /// Its id or its ARN.
        id: String,
    },
    /// What should be removed is not there.
    #[error("{of} has no {what}, so it cannot be removed")]
    NotThere {
        /// The network ACL or the route table.
        of: String,
        /// Like `inbound entry 90`.
        what: String,
    },
    /// Something that should be deleted is in use.
    #[error("{what} cannot be deleted: it is used by {user}")]
    InUse {
        /// Its id.
        what: String,
        /// One of its users.
        user: String,
    },
    /// A network ACL has an entry of that number already.
    #[error("{acl} has an {direction} entry {number} already")]
    NumberTaken {
        /// The network ACL.
        acl: NetworkAclId,
        /// `inbound` or `outbound`.
        direction: &'static str,
        number: u32,
    },
    /// A VPC has one internet gateway at most, and a gateway one VPC.
    #[error("{gateway} cannot be attached to {vpc}: one of them is attached already")]
    Attached { gateway: InternetGatewayId, vpc: VpcId },
}
