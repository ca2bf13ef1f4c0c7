//! What prevents a layout, and what a layout leaves as it is.

use std::collections::BTreeMap;
use std::fmt;

use super::Dependent;
use crate::inventory::{
    AccountRegion, DnsAttribute, Gap, ResourceRef, RouteTableId, SecurityGroupId, SubnetId, VpcId,
};
use crate::name::{EnvironmentName, NetworkName, RoleName};
use crate::net::Cidr;
use crate::topology::{Carrier, EnvironmentPart, ZoneId};

/// Something that prevents a layout: nothing is planned before it is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// A part of the account could not be read, so what stands there could be made twice.
    #[error("{0}, so what is there already is not known")]
    Unread(Gap),
    /// There is no default VPC.
    #[error("[network.{network}] is the default VPC, and {account_region} has none")]
    NoDefaultVpc { network: NetworkName, account_region: AccountRegion },
    /// The VPC that is named does not exist.
    #[error("[network.{network}] is {vpc}, which does not exist in {account_region}")]
    NoVpc { network: NetworkName, vpc: VpcId, account_region: AccountRegion },
    /// The VPC that stands has another prefix, which AWS cannot change.
    #[error(
        "[network.{network}] has `cidr = \"{declared}\"`, but {vpc} has {actual}, and AWS cannot change the CIDR block that a VPC was created with"
    )]
    OtherCidr {
        network: NetworkName,
        vpc: VpcId,
        /// As declared.
        declared: Cidr,
        /// As it is.
        actual: String,
    },
    /// The network was created in another VPC than the declared one.
    #[error(
        "[network.{network}] is {declared}, but {}, and AWS moves none of them: destroy them first with `doorward destroy {network}`, or declare {declared} under another name",
        resources_in(elsewhere)
    )]
    OtherVpc {
        network: NetworkName,
        /// The declared VPC, in words.
        declared: String,
        /// How many resources of the network each other VPC has.
        elsewhere: BTreeMap<VpcId, usize>,
    },
    /// Zones are counted, and which there are is not known.
    #[error(
        "[network.{network}] says in how many zones it has subnets, and the zones of {account_region} are not known: name them by their IDs, or record `aws ec2 describe-availability-zones`"
    )]
    UnknownZones { network: NetworkName, account_region: AccountRegion },
    /// A zone is not there.
    #[error("[network.{network}] has subnets in {zone}, and the zones of {account_region} are {offered}")]
    NoZone {
        network: NetworkName,
        zone: ZoneId,
        account_region: AccountRegion,
        /// The zones that there are.
        offered: String,
    },
    /// More zones than there are.
    #[error("[network.{network}] has subnets in {count} zones, and {account_region} has {offered}")]
    FewZones {
        network: NetworkName,
        /// How many are declared.
        count: u8,
        account_region: AccountRegion,
        /// How many there are.
        offered: usize,
    },
    /// No free prefix for a subnet.
    #[error(
        "{vpc} has no free /{bits} for the subnets of [network.{network}] in {zone}: every one overlaps with a subnet that exists"
    )]
    NoRoom {
        network: NetworkName,
        vpc: VpcId,
        zone: ZoneId,
        /// The length of the prefix.
        bits: u8,
    },
    /// Somebody else's group has the name of a role.
    #[error(
        "the security group of [role.{role}] needs the name `{role}`, which {group} in {vpc} has, and Doorward did not make that"
    )]
    NameTaken {
        role: RoleName,
        /// The group that has it.
        group: SecurityGroupId,
        vpc: VpcId,
    },
    /// The group that a role is said to be is not there.
    #[error("[role.{role}] is {group}, which does not exist in {vpc}")]
    NoGroup {
        role: RoleName,
        /// The group that it names.
        group: SecurityGroupId,
        vpc: VpcId,
    },
    /// Somebody else's database has the identifier of that of an environment.
    #[error(
        "the database of [environment.{environment}] needs the identifier `{database}`, which a database in {account_region} has that is another one"
    )]
    DatabaseTaken { environment: EnvironmentName, database: String, account_region: AccountRegion },
    /// Somebody else's resource has the name of a part of an environment.
    #[error(
        "[environment.{environment}] needs the name `doorward-{environment}`, which another {} has: {resource}", .resource.kind()
    )]
    PartTaken { environment: EnvironmentName, resource: ResourceRef },
    /// An environment of a kind that is not stopped.
    #[error(
        "[environment.{environment}] is of the kind `prod`, which is not stopped: its clients would find nothing, and its Auto Scaling group replaces instances that stop; destroy its network, which leaves a final snapshot"
    )]
    NotStopped { environment: EnvironmentName },
    /// The network of an environment has no DB subnet group.
    #[error(
        "[environment.{environment}] has a database, which needs private subnets in two zones, and [network.{network}] does not have them"
    )]
    FewSubnets { environment: EnvironmentName, network: NetworkName },
    /// No address is free for an instance.
    #[error("no address is free for the instance of [environment.{environment}] in {subnet}")]
    NoAddress { environment: EnvironmentName, subnet: SubnetId },
    /// Nothing of an environment exists, so it is neither started nor stopped.
    #[error(
        "the environment {environment} has not been created, so it can be neither started nor stopped: create it with `doorward apply {network}`"
    )]
    NotCreated { environment: EnvironmentName, network: NetworkName },
    /// The database of an environment is gone, without a snapshot.
    #[error(
        "the database of the environment {environment} does not exist, and neither does a snapshot of it: create an empty one with `doorward apply {network}`"
    )]
    NoData { environment: EnvironmentName, network: NetworkName },
    /// An environment cannot be started before its network is as declared.
    #[error(
        "[environment.{environment}] needs {what}, which does not exist: create it with `doorward apply {network}`"
    )]
    Unapplied { environment: EnvironmentName, network: NetworkName, what: String },
    /// The Region is not known, which names of services contain.
    #[error("[network.{network}] has VPC endpoints, and the Region is not known")]
    NoRegion { network: NetworkName },
    /// Private DNS names are off in a VPC that somebody else made.
    #[error(
        "[network.{network}] has VPC endpoints for {services}, whose private DNS names need {} in {vpc}, which is off: turn it on (`aws ec2 modify-vpc-attribute --vpc-id {vpc} --{} '{{\"Value\":true}}'`), or remove these from `endpoints`",
        .off.name(),
        option(*.off)
    )]
    NoPrivateDns {
        network: NetworkName,
        vpc: VpcId,
        /// The first attribute that is off.
        off: DnsAttribute,
        services: String,
    },
    /// AWS cannot change the security groups of what is to have a role attached.
    #[error("[role.{role}] cannot be attached to {} {resource}: {why}", .resource.kind())]
    Unchangeable {
        role: RoleName,
        resource: ResourceRef,
        /// The reason, and the remedy.
        why: &'static str,
    },
    /// A network that is to be destroyed is not there.
    #[error("nothing in {account_region} belongs to a network {network} that Doorward made")]
    NothingToDestroy { network: NetworkName, account_region: AccountRegion },
    /// What is to be destroyed is in use.
    #[error("{what} cannot be deleted: {} {}", listed(users), if users.len() == 1 { "uses it" } else { "use it" })]
    InUse {
        what: ResourceRef,
        /// What uses it.
        users: Vec<Dependent>,
    },
}

/// Something that is left as it is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A network that is no longer declared.
    Undeclared {
        network: NetworkName,
        /// How many resources of it there are.
        resources: usize,
    },
    /// A second VPC that was created for the network, as a lost answer can leave one: it has no other resource of it.
    SecondVpc { network: NetworkName, vpc: VpcId },
    /// What is no longer declared, and is in use.
    InUse {
        /// What stays.
        what: ResourceRef,
        /// What uses it.
        users: Vec<Dependent>,
    },
    /// A route that somebody added to a table of ours.
    ForeignRoute {
        table: RouteTableId,
        /// Where it leads to, and by what.
        route: String,
    },
    /// Rules of a group that somebody else made.
    ForeignRules {
        /// The role that it is.
        role: RoleName,
        group: SecurityGroupId,
        /// Its rules that are not declared.
        rules: Vec<String>,
    },
    /// An endpoint for the service exists already.
    ForeignEndpoint { network: NetworkName, endpoint: ResourceRef, service: String },
    /// A DB subnet group needs subnets in two zones.
    OneZone { network: NetworkName },
    /// What is to have a role attached is not there.
    NoCarrier {
        role: RoleName,
        /// What is named.
        carrier: Carrier,
    },
    /// What is to have a role attached is in another VPC.
    OtherVpc {
        role: RoleName,
        resource: ResourceRef,
        /// The VPC of the role.
        vpc: VpcId,
    },
    /// What could tell what is to have a role attached could not be read.
    UnreadCarrier {
        role: RoleName,
        /// What is named.
        carrier: Carrier,
        /// What could not be read.
        gap: Gap,
    },
    /// An environment that is no longer declared.
    UndeclaredEnvironment {
        environment: EnvironmentName,
        /// What of it there is.
        resources: Vec<ResourceRef>,
    },
    /// A part of an environment is stopped.
    Stopped {
        environment: EnvironmentName,
        part: EnvironmentPart,
        /// The snapshot that is left of a database that was deleted.
        snapshot: Option<String>,
    },
    /// A part of an environment does not have the state that it needs.
    Broken { environment: EnvironmentName, resource: ResourceRef, state: String },
    /// A part of an environment differs from its declaration, in what is not changed without its data being lost or it being
    /// restarted.
    Differs {
        environment: EnvironmentName,
        resource: ResourceRef,
        /// What differs: as it is and as it is declared.
        how: String,
    },
    /// The security groups of a resource cannot be changed now, or not by its service.
    Unchanged {
        resource: ResourceRef,
        /// The reason, and the remedy.
        why: &'static str,
    },
    /// A resource would have no group left.
    LastGroup { resource: ResourceRef },
}

fn resources_in(vpcs: &BTreeMap<VpcId, usize>) -> String {
    let mut some = vpcs.iter().map(|(vpc, count)| (count, vpc));
    let Some((count, vpc)) = some.next() else { return "no resource of it is elsewhere".into() };
    let (noun, verb) = if *count == 1 { ("resource", "is") } else { ("resources", "are") };
    let first = format!("{count} {noun} of it {verb} in {vpc}");
    some.fold(first, |text, (count, vpc)| format!("{text} and {count} in {vpc}"))
}

/// The option of the AWS CLI for an attribute.
fn option(attribute: DnsAttribute) -> &'static str {
    match attribute {
        DnsAttribute::Support => "enable-dns-support",
        DnsAttribute::Hostnames => "enable-dns-hostnames",
    }
}

fn listed(users: &[Dependent]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = users.iter().take(SHOWN).map(Dependent::to_string).collect();
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
            Self::SecondVpc { network, vpc } => write!(
                f,
                "{vpc} was created for the network {network} as well and has nothing of it; it stays until the network is \
                 destroyed"
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
            Self::ForeignRules { role, group, rules } => {
                let (some, verb) =
                    if rules.len() == 1 { ("a rule that is", "stays") } else { ("rules that are", "stay") };
                write!(f, "{group} of [role.{role}] has {some} not declared and {verb}: {}", rules.join("; "))
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
            Self::UndeclaredEnvironment { environment, resources } => {
                let resources: Vec<String> =
                    resources.iter().map(|it| format!("{} {it}", it.kind())).collect();
                write!(
                    f,
                    "the environment {environment} is no longer declared; it stays, with its data, until its network is destroyed: {}",
                    resources.join(", ")
                )
            }
            Self::Stopped { environment, part, snapshot } => {
                write!(f, "the {part} of the environment {environment} is stopped")?;
                let verb = match snapshot {
                    Some(snapshot) => {
                        write!(f, " as the snapshot {snapshot}")?;
                        "restores"
                    }
                    None => "starts",
                };
                write!(f, ", and stays so; `doorward env start {environment}` {verb} it")
            }
            Self::Broken { environment, resource, state } => write!(
                f,
                "{} {resource} of the environment {environment} is {state}, so it is left as it is",
                resource.kind()
            ),
            Self::Differs { environment, resource, how } => {
                write!(f, "{} {resource} of the environment {environment} {how}", resource.kind())
            }
            Self::Unchanged { resource, why } => {
                write!(f, "{} {resource} keeps its security groups: {why}", resource.kind())
            }
            Self::LastGroup { resource } => {
                write!(f, "{} {resource} keeps its security group, because it has no other", resource.kind())
            }
        }
    }
}
