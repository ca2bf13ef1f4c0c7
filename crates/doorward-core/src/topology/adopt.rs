//! The declaration that an existing VPC amounts to: a role for each of its security groups, and what none can express.
//!
//! A plan for the declaration is empty: every rule of a role is there, and everything else stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::layout::allows;
use super::{Carrier, Holder, Nat, Network, Outside, Role, Source, Topology, VpcChoice, Zones};
use crate::inventory::{
    Direction, Inventory, Peer, ResourceKind, RuleIdentity, SecurityGroup, SecurityGroupId, Vpc, VpcId,
};
use crate::mark::Mark;
use crate::name::{NetworkName, RoleName};
use crate::net::{Family, Flow};

/// A declaration, and what it leaves alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// One network without subnets of its own, and its roles.
    pub topology: Topology,
    /// What it does not say.
    pub left: Vec<Left>,
}

/// Something of a VPC that a declaration cannot express. It stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Resources that a network declares only where Doorward makes them.
    Parts {
        /// What they are.
        kind: ResourceKind,
        /// How many.
        count: usize,
    },
    /// The default security group.
    DefaultGroup {
        group: SecurityGroupId,
        /// How many rules it has.
        rules: usize,
    },
    /// A group that Doorward made.
    Owned { group: SecurityGroupId },
    /// A rule of a group.
    Rule {
        role: RoleName,
        rule: RuleIdentity,
        /// Why it cannot be declared.
        why: Inexpressible,
    },
    /// What has the group attached, and cannot be named by `on`.
    Carriers {
        role: RoleName,
        /// How many interfaces.
        interfaces: usize,
    },
}

/// Why a rule cannot be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inexpressible {
    /// It references a prefix list.
    PrefixList,
    /// It references a group that is no role: one of another VPC or account, a default group, or one that is gone.
    OtherGroup,
    /// It admits a group whose own rules let nothing out to this one.
    NothingLeaves,
    /// It lets out to a group that does not admit it.
    NothingAdmits,
}

impl fmt::Display for Inexpressible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrefixList => "a role admits roles and CIDR blocks, not prefix lists",
            Self::OtherGroup => "the group that it references is no role of this network",
            Self::NothingLeaves => {
                "the rules of that group do not let this traffic out, so nothing is admitted"
            }
            Self::NothingAdmits => "the rules of that group do not admit this traffic, so nothing is reached",
        })
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parts { kind, count: 1 } => write!(f, "one {kind}"),
            Self::Parts { kind, count } => write!(f, "{count} {kind}s"),
            Self::DefaultGroup { group, rules: 0 } => {
                write!(f, "the default security group {group}, which has no rules")
            }
            Self::DefaultGroup { group, rules: 1 } => {
                write!(f, "the default security group {group} and its rule")
            }
            Self::DefaultGroup { group, rules } => {
                write!(f, "the default security group {group} and its {rules} rules")
            }
            Self::Owned { group } => write!(f, "{group}, which Doorward made for a network that it has made"),
            Self::Rule { role, rule, why } => write!(f, "a rule of [role.{role}], {rule}: {why}"),
            Self::Carriers { role, interfaces: 1 } => {
                write!(f, "an interface that has [role.{role}] attached by a service that `on` cannot name")
            }
            Self::Carriers { role, interfaces } => write!(
                f,
                "{interfaces} interfaces that have [role.{role}] attached by services that `on` cannot name"
            ),
        }
    }
}

/// As a policy says it.
impl fmt::Display for Adopted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for network in self.topology.networks.values() {
            write!(f, "{network}")?;
        }
        for role in self.topology.roles.values() {
            write!(f, "\n{role}")?;
        }
        Ok(())
    }
}

/// The declaration of a VPC that was seen; none if it was not.
pub fn adopt(actual: &Inventory, vpc: &VpcId, name: &NetworkName) -> Option<Adopted> {
    let vpc = actual.vpcs.get(vpc)?;
    let mut left = parts(actual, vpc);
    let mut named: BTreeMap<&SecurityGroupId, RoleName> = BTreeMap::new();
    for group in actual.groups.values().filter(|group| group.vpc.as_ref() == Some(&vpc.id)) {
        if group.name == "default" {
            left.push(Left::DefaultGroup { group: group.id.clone(), rules: group.rules.len() });
        } else if group.tags.contains_key(Mark::TAG) {
            left.push(Left::Owned { group: group.id.clone() });
        } else if let Some(role) = role_name(group, named.values()) {
            named.insert(&group.id, role);
        }
    }
    let families: BTreeSet<Family> = vpc.cidrs.iter().map(|cidr| cidr.family()).collect();
    let account = Account { actual, named: &named, families };
    let mut roles = BTreeMap::new();
    for (id, role) in &named {
        let Some(group) = actual.groups.get(*id) else { continue };
        let mut declared = Role {
            name: role.clone(),
            network: name.clone(),
            group: Some((*id).clone()),
            admits: BTreeMap::new(),
            reaches: BTreeMap::new(),
            on: account.carriers(vpc, id),
        };
        for rule in group.rules.keys() {
            if let Err(why) = account.declare(&mut declared, group, rule) {
                left.push(Left::Rule { role: role.clone(), rule: rule.clone(), why });
            }
        }
        let interfaces = account.unnamed(id);
        if interfaces > 0 {
            left.push(Left::Carriers { role: role.clone(), interfaces });
        }
        roles.insert(role.clone(), declared);
    }
    let network = Network {
        name: name.clone(),
        at: vpc.account_region.clone(),
        vpc: if vpc.default { VpcChoice::Default } else { VpcChoice::Existing(vpc.id.clone()) },
        zones: Zones::These(BTreeSet::new()),
        subnet_bits: Network::SUBNET_BITS,
        nat: Nat::None,
        endpoints: BTreeSet::new(),
    };
    let topology =
        Topology { networks: [(name.clone(), network)].into(), roles, environments: BTreeMap::new() };
    Some(Adopted { topology, left })
}

/// What a VPC consists of beside its security groups.
fn parts(actual: &Inventory, vpc: &Vpc) -> Vec<Left> {
    let is = |other: &VpcId| *other == vpc.id;
    let counts = [
        (ResourceKind::Subnet, actual.subnets.values().filter(|it| is(&it.vpc)).count()),
        (ResourceKind::RouteTable, actual.route_tables.values().filter(|it| is(&it.vpc)).count()),
        (ResourceKind::NetworkAcl, actual.network_acls.values().filter(|it| is(&it.vpc)).count()),
        (
            ResourceKind::InternetGateway,
            actual.internet_gateways.values().filter(|it| it.vpc.as_ref() == Some(&vpc.id)).count(),
        ),
        (ResourceKind::NatGateway, actual.nat_gateways.values().filter(|it| is(&it.vpc)).count()),
        (ResourceKind::Endpoint, actual.endpoints.values().filter(|it| is(&it.vpc)).count()),
    ];
    counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| Left::Parts { kind, count })
        .collect()
}

/// The name of a group where that can be one of a role and no other role has it; else made of its name or its id.
fn role_name<'n>(
    group: &SecurityGroup,
    taken: impl Iterator<Item = &'n RoleName> + Clone,
) -> Option<RoleName> {
    let is_free = |name: &RoleName| !taken.clone().any(|other| other == name);
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let plain: String = group.name.chars().map(|letter| if allowed(letter) { letter } else { '-' }).collect();
    let plain = plain.trim_start_matches("sg-").trim_matches(['-', '.', '_']).to_owned();
    let number = group.id.as_str().trim_start_matches("sg-").to_owned();
    let candidates =
        [group.name.clone(), plain.clone(), format!("{plain}-{number}"), format!("group-{number}")];
    candidates.iter().filter_map(|name| name.parse::<RoleName>().ok()).find(is_free)
}

struct Account<'a> {
    actual: &'a Inventory,
    named: &'a BTreeMap<&'a SecurityGroupId, RoleName>,
    families: BTreeSet<Family>,
}

impl Account<'_> {
    /// Adds a rule to its role.
    fn declare(
        &self,
        role: &mut Role,
        group: &SecurityGroup,
        rule: &RuleIdentity,
    ) -> Result<(), Inexpressible> {
        match (&rule.peer, rule.direction) {
            (Peer::PrefixList(_), _) => Err(Inexpressible::PrefixList),
            (Peer::Cidr(cidr), Direction::In) => {
                let source = Source::Outside(Outside::Cidr(*cidr));
                role.admits.entry(source).or_default().insert(rule.flow);
                Ok(())
            }
            (Peer::Cidr(cidr), Direction::Out) => {
                role.reaches.entry(Outside::Cidr(*cidr)).or_default().insert(rule.flow);
                Ok(())
            }
            (Peer::Group(other), Direction::In) => {
                let name = self.named.get(other).ok_or(Inexpressible::OtherGroup)?;
                if !self.allows(other, Direction::Out, rule.flow, &group.id) {
                    return Err(Inexpressible::NothingLeaves);
                }
                role.admits.entry(Source::Role(name.clone())).or_default().insert(rule.flow);
                Ok(())
            }
            // Said by the role that is reached, as what it admits.
            (Peer::Group(other), Direction::Out) => {
                if !self.named.contains_key(other) {
                    return Err(Inexpressible::OtherGroup);
                }
                let admitted = self.actual.groups.get(other).is_some_and(|other| {
                    let wanted = RuleIdentity {
                        direction: Direction::In,
                        flow: rule.flow,
                        peer: Peer::Group(group.id.clone()),
                    };
                    other.rules.contains_key(&wanted)
                });
                if admitted { Ok(()) } else { Err(Inexpressible::NothingAdmits) }
            }
        }
    }

    /// Whether the rules of a group allow a flow with another one.
    fn allows(
        &self,
        group: &SecurityGroupId,
        direction: Direction,
        flow: Flow,
        peer: &SecurityGroupId,
    ) -> bool {
        let wanted = RuleIdentity { direction, flow, peer: Peer::Group(peer.clone()) };
        let group = self.actual.groups.get(group);
        group.is_some_and(|group| allows(group.rules.keys(), &wanted, &self.families))
    }

    /// What has a group attached and can be named.
    fn carriers(&self, vpc: &Vpc, group: &SecurityGroupId) -> BTreeSet<Carrier> {
        let has = |holder: &Holder| holder.groups(self.actual).is_some_and(|groups| groups.contains(group));
        let holders = Holder::all_in(self.actual, &vpc.id);
        holders
            .iter()
            .filter(|holder| has(holder))
            .filter_map(|holder| holder.carrier(self.actual, has))
            .collect()
    }

    /// The interfaces that have a group attached and belong to nothing that has it by its name: balancers, endpoints and other
    /// services.
    fn unnamed(&self, group: &SecurityGroupId) -> usize {
        let interfaces = self.actual.interfaces.values();
        let of_service = |kind: &str| !matches!(kind, "interface" | "lambda");
        interfaces
            .filter(|it| it.groups.contains(group) && it.instance.is_none() && of_service(&it.kind))
            .count()
    }
}

impl Holder {
    /// How a policy names it, if what that names has a security group attached with all its parts.
    fn carrier(&self, inventory: &Inventory, has: impl Fn(&Self) -> bool) -> Option<Carrier> {
        match self {
            Self::Interface(id) => {
                let instance = inventory.interfaces.get(id)?.instance.clone()?;
                let all = inventory.interfaces.values().filter(|it| it.instance.as_ref() == Some(&instance));
                let all = all.map(|it| Self::Interface(it.id.clone()));
                all.into_iter().all(|it| has(&it)).then_some(Carrier::Instance(instance))
            }
            Self::Database(_, name) | Self::Cluster(_, name) => Some(Carrier::Database(name.clone())),
            Self::Proxy(_, name) => Some(Carrier::Proxy(name.clone())),
            Self::Cache(_, name) | Self::ServerlessCache(_, name) => Some(Carrier::Cache(name.clone())),
            Self::Function(_, name) => Some(Carrier::Function(name.clone())),
            Self::Service(arn) => {
                let service = inventory.container_services.get(arn)?;
                let cluster = service.cluster_name();
                Some(Carrier::Service { cluster: cluster.map(str::to_owned), name: service.name.clone() })
            }
            // Only an environment names it, and none is adopted.
            Self::Balancer(..) => None,
        }
    }
}

#[cfg(test)]
mod tests;
