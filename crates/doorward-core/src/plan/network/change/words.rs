//! Changes in words.

use std::fmt;

use super::{Awaited, Change, Modified};
use crate::inventory::{
    Database, DatabaseSettings, Destination, DnsAttribute, Image, Instance, Interface, NatAvailability,
};
use crate::plan::Step;

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

fn to(destination: &Destination) -> String {
    match destination {
        Destination::Cidr(cidr) => cidr.to_string(),
        Destination::PrefixList(list) => list.to_string(),
    }
}

/// In the imperative, like `create the subnet new:main/private-subnet/euw1-az1 (10.0.8.0/21 in euw1-az1)`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateVpc(vpc, _) => write!(f, "create the VPC {} ({})", vpc.id, joined(&vpc.cidrs)),
            Self::EnableDns(vpc, DnsAttribute::Support) => {
                write!(f, "enable DNS resolution in {}", vpc.id())
            }
            Self::EnableDns(vpc, DnsAttribute::Hostnames) => {
                write!(f, "enable DNS host names in {}", vpc.id())
            }
            Self::EmptyDefaultGroup { group, rules, .. } => {
                write!(f, "remove all rules of the default security group {group}: {}", joined(rules))
            }
            Self::CreateSubnet(subnet) => {
                let zone = subnet.zone_id.as_deref().unwrap_or("its zone");
                write!(f, "create the subnet {} ({} in {zone})", subnet.id, joined(&subnet.cidrs))
            }
            Self::CreateInternetGateway(gateway) => write!(f, "create the internet gateway {}", gateway.id),
            Self::AttachInternetGateway(gateway, vpc) => write!(f, "attach {gateway} to {vpc}"),
            Self::AllocateAddress(_) => f.write_str("allocate an elastic address"),
            Self::CreateNatGateway(gateway) => match &gateway.availability {
                NatAvailability::Zonal(subnet) => {
                    write!(f, "create the NAT gateway {} in {subnet}", gateway.id)
                }
                NatAvailability::Regional(_) => write!(f, "create the regional NAT gateway {}", gateway.id),
            },
            Self::CreateRouteTable(table) => write!(f, "create the route table {}", table.id),
            Self::CreateRoute(table, route) => {
                write!(f, "add the route to {} by {} to {table}", to(&route.destination), route.target)
            }
            Self::ReplaceRoute(table, route) => {
                write!(f, "change the route to {} in {table} to {}", to(&route.destination), route.target)
            }
            Self::AssociateTable { table, subnet, before } => match before {
                Some(before) => write!(f, "associate {subnet} with {table} instead of {before}"),
                None => write!(f, "associate {subnet} with {table}"),
            },
            Self::CreateEndpoint(endpoint) => {
                write!(f, "create the VPC endpoint {} for {}", endpoint.id, endpoint.service)
            }
            Self::ModifyEndpoint(modified) => modified.fmt(f),
            Self::CreateSubnetGroup(group) => {
                write!(f, "create the DB subnet group {} of {}", group.name, joined(&group.subnets))
            }
            Self::ModifySubnetGroup(_, group) => {
                write!(
                    f,
                    "set the subnets of the DB subnet group {} to {}",
                    group.name,
                    joined(&group.subnets)
                )
            }
            Self::CreateSecurityGroup(group) => {
                write!(f, "create the security group {} ({})", group.id, group.name)
            }
            Self::RevokeDefaultEgress(group) => {
                write!(
                    f,
                    "remove from {} the rule that AWS adds to each new group: all to 0.0.0.0/0",
                    group.id()
                )
            }
            Self::Rules(step) => write_rules(f, step),
            Self::SetGroups { holder, groups } => {
                let resource = holder.resource();
                write!(f, "set the security groups of {} {resource} to {}", resource.kind(), joined(groups))
            }
            Self::RunInstance(instance, interface) => run(f, instance, interface),
            Self::CreateDatabase(database) => create(f, database),
            Self::ModifyDatabase { name, settings, .. } => {
                let (before, after) = settings.as_ref();
                write!(f, "change the database {}: {}", name.id(), changed(before, after))
            }
            Self::DeleteDatabase { name, snapshot, .. } => {
                write!(f, "delete the database {}, with the final snapshot {snapshot}", name.id())
            }
            Self::StopInstance(id) => write!(f, "stop the instance {}", id.id()),
            Self::StartInstance(id) => write!(f, "start the instance {}", id.id()),
            Self::StopDatabase(_, name) => write!(f, "stop the database {}", name.id()),
            Self::StartDatabase(_, name) => write!(f, "start the database {}", name.id()),
            Self::RestoreDatabase { database, snapshot } => {
                write!(f, "restore the database {} from the snapshot {snapshot} ", database.name)?;
                sized(f, database)
            }
            Self::TerminateInstance(id) => write!(f, "terminate the instance {}", id.id()),
            Self::Scaled(change) => change.fmt(f),
            Self::Await(awaited) => awaited.fmt(f),
            Self::DeleteRoute(table, destination) => {
                write!(f, "delete the route to {} from {}", to(destination), table.id())
            }
            Self::ReleaseAddress(address) => write!(f, "release the elastic address {}", address.id()),
            Self::DetachInternetGateway(gateway, vpc) => write!(f, "detach {} from {vpc}", gateway.id()),
            Self::DeleteEndpoint(_)
            | Self::DeleteNatGateway(_)
            | Self::DeleteSnapshot { .. }
            | Self::DeleteSubnetGroup(..)
            | Self::DeleteSubnet(_)
            | Self::DeleteRouteTable(_)
            | Self::DeleteSecurityGroup(_)
            | Self::DeleteInternetGateway(_)
            | Self::DeleteVpc(_) => {
                let resource = self.touches();
                write!(f, "delete the {} {resource}", resource.kind())
            }
        }
    }
}

fn run(f: &mut fmt::Formatter<'_>, instance: &Instance, interface: &Interface) -> fmt::Result {
    write!(f, "launch the instance {}", instance.id)?;
    if let Some(size) = instance.size {
        write!(f, " ({size})")?;
    }
    match &instance.image {
        Some(Image::Id(id)) => write!(f, " from {id}")?,
        Some(Image::Parameter(name)) => write!(f, " from the image that {name} names")?,
        None => {}
    }
    write!(f, " in {} with {}", interface.subnet, joined(&interface.groups))
}

fn create(f: &mut fmt::Formatter<'_>, database: &Database) -> fmt::Result {
    write!(f, "create the database {} ", database.name)?;
    sized(f, database)
}

/// The engine, the size and the security groups of a database, like `(postgres 17, db.t4g.micro, 20 GiB, in one zone, without
/// backups) with sg-0a`.
fn sized(f: &mut fmt::Formatter<'_>, database: &Database) -> fmt::Result {
    let DatabaseSettings { version, class, storage, multi_az, backup_days, .. } = &database.settings;
    write!(f, "({}", database.engine)?;
    if let Some(version) = version {
        write!(f, " {version}")?;
    }
    if let Some(class) = class {
        write!(f, ", {class}")?;
    }
    if let Some(storage) = storage {
        write!(f, ", {storage} GiB")?;
    }
    f.write_str(if *multi_az == Some(true) { ", in two zones" } else { ", in one zone" })?;
    match backup_days {
        // What is restored gets its backups afterwards.
        None => f.write_str(")")?,
        Some(0) => f.write_str(", without backups)")?,
        Some(days) => write!(f, ", with {days} days of backups)")?,
    }
    write!(f, " with {}", joined(&database.groups))
}

/// What of a database changes, each with what it means for its clients (RDS user guide, "Settings for DB instances").
fn changed(before: &DatabaseSettings, after: &DatabaseSettings) -> String {
    let mut changes = Vec::new();
    if before.class != after.class {
        let class = after.class.map(|class| class.to_string()).unwrap_or_default();
        changes.push(format!("the class becomes {class}, during which it is unavailable for minutes"));
    }
    if before.storage != after.storage {
        changes.push(format!("the storage becomes {} GiB", after.storage.unwrap_or_default()));
    }
    if before.multi_az != after.multi_az {
        let how = if after.multi_az == Some(true) { "gets" } else { "loses" };
        changes.push(format!("it {how} the standby in another zone"));
    }
    if before.backup_days != after.backup_days {
        let days = after.backup_days.unwrap_or_default();
        // What was just restored serves nobody yet.
        let serves = before.backup_days.is_some();
        let outage = serves && (before.backup_days == Some(0) || days == 0);
        let outage = if outage { ", after a short outage" } else { "" };
        changes.push(format!("backups are kept for {days} days{outage}"));
    }
    if before.iam != after.iam {
        changes.push("clients may sign in by IAM".to_owned());
    }
    if before.has_secret != after.has_secret {
        changes.push("AWS manages its master password, in a new secret".to_owned());
    }
    changes.join("; ")
}

fn write_rules(f: &mut fmt::Formatter<'_>, step: &Step) -> fmt::Result {
    let group = step.group();
    match step {
        Step::Authorize { rules, .. } => {
            write!(f, "add to {group}: {}", joined(rules.iter().map(|(rule, _)| rule)))
        }
        Step::Describe { rules, .. } => {
            let rules = rules.iter().map(|remark| &remark.rule);
            write!(f, "restore the descriptions and tags of rules in {group}: {}", joined(rules))
        }
        Step::Revoke { rules, .. } => {
            write!(f, "remove from {group}: {}", joined(rules.iter().map(|(_, rule)| rule)))
        }
    }
}

impl fmt::Display for Modified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "change what {} is associated with:", self.id.id())?;
        let mut parts = Vec::new();
        let (add, remove) = &self.tables;
        parts.extend((!add.is_empty()).then(|| format!("add {}", joined(add))));
        parts.extend((!remove.is_empty()).then(|| format!("remove {}", joined(remove))));
        let (add, remove) = &self.subnets;
        parts.extend((!add.is_empty()).then(|| format!("add {}", joined(add))));
        parts.extend((!remove.is_empty()).then(|| format!("remove {}", joined(remove))));
        let (add, remove) = &self.groups;
        parts.extend((!add.is_empty()).then(|| format!("attach {}", joined(add))));
        parts.extend((!remove.is_empty()).then(|| format!("detach {}", joined(remove))));
        write!(f, " {}", parts.join("; "))
    }
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NatGateway(id) => write!(f, "wait until {id} is available"),
            Self::NatGatewayGone(id) => write!(f, "wait until {id} is deleted"),
            Self::Endpoint(id) => write!(f, "wait until {id} is available"),
            Self::EndpointGone(id) => write!(f, "wait until {id} is deleted"),
            Self::InstanceRuns(id) => write!(f, "wait until {id} is running"),
            Self::InstanceStopped(id) => write!(f, "wait until {id} is stopped"),
            Self::InstanceGone(id) => write!(f, "wait until {id} is terminated"),
            Self::Database(_, name) => write!(f, "wait until the database {name} is available"),
            Self::DatabaseStopped(_, name) => write!(f, "wait until the database {name} is stopped"),
            Self::DatabaseGone(_, name) => write!(f, "wait until the database {name} is deleted"),
            Self::Snapshot(_, name) => write!(f, "wait until the snapshot {name} is available"),
            Self::Balancer(_, name) => write!(f, "wait until the load balancer {name} is active"),
            Self::BalancerGone(_, name) => {
                write!(f, "wait until the interfaces of the load balancer {name} are deleted")
            }
            Self::GroupServes(_, name) => {
                write!(f, "wait until the instances of the Auto Scaling group {name} are healthy targets")
            }
            Self::GroupGone(_, name) => {
                write!(f, "wait until the Auto Scaling group {name} is deleted, and its instances terminated")
            }
            Self::GroupUnused(id) => write!(f, "wait until no interface has {id} attached"),
        }
    }
}
