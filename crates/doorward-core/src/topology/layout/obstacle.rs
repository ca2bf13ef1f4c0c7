//! What prevents a layout, and what a layout leaves as it is.

use std::fmt;

use crate::inventory::{Gap, NamedResource, Place, ResourceRef, RouteTableId, SecurityGroupId, VpcId};
use crate::name::{NetworkName, RoleName};
use crate::net::Cidr;
use crate::topology::{Carrier, ZoneId};

/// Something that prevents a layout: nothing is planned before it is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// A part of the account could not be read, so what stands there could be made twice.
    #[error("{0}, so what is there already is not known")]
    Unread(Gap),
    /// There is no default VPC.
    #[error("[network.{network}] is the default VPC, and {place} has none")]
    NoDefaultVpc {
        /// The network.
        network: NetworkName,
        /// Where.
        place: Place,
    },
    /// The VPC that is named does not exist.
    #[error("[network.{network}] is {vpc}, which does not exist in {place}")]
    NoVpc {
        /// The network.
        network: NetworkName,
        /// The VPC.
        vpc: VpcId,
        /// Where.
        place: Place,
    },
    /// The VPC that stands has another prefix, which AWS cannot change.
    #[error(
        "[network.{network}] has `cidr = \"{declared}\"`, but {vpc} has {actual}, and AWS cannot change the CIDR block that a VPC was created with"
    )]
    OtherCidr {
        /// The network.
        network: NetworkName,
        /// The VPC.
        vpc: VpcId,
        /// As declared.
        declared: Cidr,
        /// As it is.
        actual: String,
    },
    /// Zones are counted, and which there are is not known.
    #[error(
        "[network.{network}] says in how many zones it has subnets, and the zones of {place} are not known; name them by their IDs"
    )]
    UnknownZones {
        /// The network.
        network: NetworkName,
        /// Where.
        place: Place,
    },
    /// A zone is not there.
    #[error("[network.{network}] has subnets in {zone}, and the zones of {place} are {offered}")]
    NoZone {
        /// The network.
        network: NetworkName,
        /// The zone.
        zone: ZoneId,
        /// Where.
        place: Place,
        /// The zones that there are.
        offered: String,
    },
    /// More zones than there are.
    #[error("[network.{network}] has subnets in {count} zones, and {place} has {offered}")]
    FewZones {
        /// The network.
        network: NetworkName,
        /// How many are declared.
        count: u8,
        /// Where.
        place: Place,
        /// How many there are.
        offered: usize,
    },
    /// No free prefix for a subnet.
    #[error(
        "{vpc} has no free /{bits} for the subnets of [network.{network}] in {zone}: every one overlaps with a subnet that exists"
    )]
    NoRoom {
        /// The network.
        network: NetworkName,
        /// Its VPC.
        vpc: VpcId,
        /// The zone.
        zone: ZoneId,
        /// The length of the prefix.
        bits: u8,
    },
    /// Somebody else's group has the name of a role.
    #[error(
        "the security group of [role.{role}] needs the name `{role}`, which {group} in {vpc} has, and Doorward did not make that"
    )]
    NameTaken {
        /// The role.
        role: RoleName,
        /// The group that has it.
        group: SecurityGroupId,
        /// Where.
        vpc: VpcId,
    },
    /// The Region is not known, which names of services contain.
    #[error("[network.{network}] has VPC endpoints, and the Region is not known")]
    NoRegion {
        /// The network.
        network: NetworkName,
    },
    /// A network that is to be destroyed is not there.
    #[error("nothing in {place} belongs to a network {network} that Doorward made")]
    NothingToDestroy {
        /// The network.
        network: NetworkName,
        /// Where.
        place: Place,
    },
    /// What is to be destroyed is in use.
    #[error("{what} cannot be deleted: {} {}", listed(users), if users.len() == 1 { "uses it" } else { "use it" })]
    InUse {
        /// What.
        what: ResourceRef,
        /// What uses it.
        users: Vec<NamedResource>,
    },
}

/// Something that is left as it is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A network that is no longer declared.
    Undeclared {
        /// The network.
        network: NetworkName,
        /// How many resources of it there are.
        resources: usize,
    },
    /// What is no longer declared, and is in use.
    InUse {
        /// What stays.
        what: ResourceRef,
        /// What uses it.
        users: Vec<NamedResource>,
    },
    /// A route that somebody added to a table of ours.
    ForeignRoute {
        /// The table.
        table: RouteTableId,
        /// Where it leads to, and by what.
        route: String,
    },
    /// An endpoint for the service exists already.
    ForeignEndpoint {
        /// The network.
        network: NetworkName,
        /// The endpoint.
        endpoint: ResourceRef,
        /// The service.
        service: String,
    },
    /// A DB subnet group needs subnets in two zones.
    OneZone {
        /// The network.
        network: NetworkName,
    },
    /// What is to have a role attached is not there.
    NoCarrier {
        /// The role.
        role: RoleName,
        /// What is named.
        carrier: Carrier,
    },
    /// What is to have a role attached is in another VPC.
    OtherVpc {
        /// The role.
        role: RoleName,
        /// What.
        resource: ResourceRef,
        /// The VPC of the role.
        vpc: VpcId,
    },
    /// What could tell what is to have a role attached could not be read.
    UnreadCarrier {
        /// The role.
        role: RoleName,
        /// What is named.
        carrier: Carrier,
        /// What could not be read.
        gap: Gap,
    },
    /// A resource would have no group left.
    LastGroup {
        /// The resource.
        resource: ResourceRef,
    },
}

fn listed(users: &[NamedResource]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = users.iter().take(SHOWN).map(NamedResource::described).collect();
    match users.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undeclared { network, resources } => write!(
                f,
                "the network {network} is no longer declared; its {resources} resources stay until it is destroyed"
            ),
            Self::InUse { what, users } => {
                let verb = if users.len() == 1 { "uses" } else { "use" };
                write!(
                    f,
                    "{} {what} is no longer declared and stays, because {} {verb} it",
                    what.kind(),
                    listed(users)
                )
            }
            Self::ForeignRoute { table, route } => {
                write!(f, "{table} has a route that is not declared, which stays: {route}")
            }
            Self::ForeignEndpoint { network, endpoint, service } => {
                write!(f, "the network {network} uses {endpoint} for {service}, which exists already")
            }
            Self::OneZone { network } => write!(
                f,
                "the network {network} has no DB subnet group, because that needs subnets in two zones"
            ),
            Self::NoCarrier { role, carrier } => write!(
                f,
                "[role.{role}] is on {carrier}, which does not exist yet, so nothing of it is attached there"
            ),
            Self::OtherVpc { role, resource, vpc } => write!(
                f,
                "[role.{role}] is not attached to {} {resource}, because that is not in {vpc}",
                resource.kind()
            ),
            Self::UnreadCarrier { role, carrier, gap } => {
                write!(f, "whether [role.{role}] is attached to {carrier} is not known: {gap}")
            }
            Self::LastGroup { resource } => {
                write!(f, "{} {resource} keeps its security group, because it has no other", resource.kind())
            }
        }
    }
}
