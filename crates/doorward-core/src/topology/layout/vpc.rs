//! The VPC of a network, and what AWS makes with a VPC.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::{Note, Obstacle};
use crate::inventory::{
    AclEntry, Call, Destination, Direction, DnsAttribute, DnsAttributes, Inventory, NetworkAcl, NetworkAclId,
    PlannedId, Route, RouteTable, RouteTableId, RouteTarget, SecurityGroup, SecurityGroupId, Tags, Vpc,
    VpcId,
};
use crate::net::{Cidr, Family, Flow};
use crate::topology::{Network, Part, Purpose, VpcChoice};

/// What AWS makes together with a VPC, and deletes with it (VPC user guide, "Create a VPC").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultParts {
    /// The main route table.
    pub table: RouteTableId,
    /// The default network ACL.
    pub acl: NetworkAclId,
    /// The default security group.
    pub group: SecurityGroupId,
}

impl DefaultParts {
    /// Those of a VPC that exists, as far as they were seen.
    pub fn of(inventory: &Inventory, vpc: &VpcId) -> Option<Self> {
        let table = inventory.route_tables.values().find(|table| table.main && table.vpc == *vpc)?;
        let acl = inventory.network_acls.values().find(|acl| acl.default && acl.vpc == *vpc)?;
        let group = default_group(inventory, vpc)?;
        Some(Self { table: table.id.clone(), acl: acl.id.clone(), group: group.id.clone() })
    }

    /// Adds them for a VPC as AWS makes them, but without rules in the security group.
    pub fn add(&self, inventory: &mut Inventory, vpc: &Vpc) {
        let table = RouteTable {
            id: self.table.clone(),
            vpc: vpc.id.clone(),
            main: true,
            subnets: BTreeSet::new(),
            gateways: BTreeSet::new(),
            routes: local(vpc),
            incomplete: false,
            tags: Tags::new(),
        };
        let everybody = Cidr::around(std::net::Ipv4Addr::UNSPECIFIED.into(), 0);
        let entry =
            |direction| AclEntry { number: 100, direction, cidr: everybody, flow: Flow::All, allow: true };
        let acl = NetworkAcl {
            id: self.acl.clone(),
            vpc: vpc.id.clone(),
            default: true,
            subnets: BTreeSet::new(),
            entries: [Direction::In, Direction::Out].map(entry).to_vec(),
            incomplete: false,
            tags: Tags::new(),
        };
        let group = SecurityGroup {
            id: self.group.clone(),
            account_region: vpc.account_region.clone(),
            owner: vpc.owner.clone(),
            vpc: Some(vpc.id.clone()),
            name: "default".into(),
            about: "default VPC security group".into(),
            tags: Tags::new(),
            rules: BTreeMap::new(),
        };
        inventory.route_tables.insert(table.id.clone(), table);
        inventory.network_acls.insert(acl.id.clone(), acl);
        inventory.groups.insert(group.id.clone(), group);
    }

    /// Takes them away with their VPC.
    pub fn remove(&self, inventory: &mut Inventory) {
        inventory.route_tables.remove(&self.table);
        inventory.network_acls.remove(&self.acl);
        inventory.groups.remove(&self.group);
    }
}

/// The default security group of a VPC. Its name cannot be changed, and no other group can have it.
pub(super) fn default_group<'i>(inventory: &'i Inventory, vpc: &VpcId) -> Option<&'i SecurityGroup> {
    inventory.groups.values().find(|group| group.name == "default" && group.vpc.as_ref() == Some(vpc))
}

/// The routes that every table of a VPC has from its beginning.
pub(super) fn local(vpc: &Vpc) -> Vec<Route> {
    let route = |cidr: &Cidr| Route {
        destination: Destination::Cidr(*cidr),
        target: RouteTarget::Local,
        propagated: false,
        blackhole: false,
    };
    vpc.cidrs.iter().map(route).collect()
}

/// The VPC of a network: the one that exists, or one that is to be made; none with an obstacle.
pub(super) fn choose(draft: &mut Draft<'_>, network: &Network) -> Option<VpcId> {
    let account_region = draft.site.account_region.clone();
    match &network.vpc {
        VpcChoice::Made(cidr) => made(draft, network, *cidr),
        VpcChoice::Default => {
            let default =
                draft.actual.vpcs.values().find(|vpc| vpc.default && vpc.account_region == account_region);
            let default = default.map(|vpc| vpc.id.clone());
            // A gap says itself that what is there is not known.
            if default.is_none() && draft.actual.gap(Call::Vpcs, &account_region).is_none() {
                draft.obstacle(Obstacle::NoDefaultVpc { network: network.name.clone(), account_region });
            }
            default
        }
        VpcChoice::Existing(id) => {
            let there = draft.actual.vpcs.get(id).is_some_and(|vpc| vpc.account_region == account_region);
            if !there && draft.actual.gap(Call::Vpcs, &account_region).is_none() {
                let (network, vpc) = (network.name.clone(), id.clone());
                draft.obstacle(Obstacle::NoVpc { network, vpc, account_region });
            }
            there.then(|| id.clone())
        }
    }
}

fn made(draft: &mut Draft<'_>, network: &Network, cidr: Cidr) -> Option<VpcId> {
    let purpose = |part| Purpose::of(&network.name, part);
    if let Some(vpc) = existing(draft, network) {
        if !vpc.cidrs.contains(&cidr) {
            let families = vpc.cidrs.iter().filter(|cidr| cidr.family() == Family::V4);
            let actual: Vec<String> = families.map(ToString::to_string).collect();
            draft.obstacle(Obstacle::OtherCidr {
                network: network.name.clone(),
                vpc: vpc.id.clone(),
                declared: cidr,
                actual: actual.join(", "),
            });
            return None;
        }
        empty_default_group(draft, &vpc.id);
        if let Some(wanted) = draft.wanted.vpcs.get_mut(&vpc.id) {
            wanted.dns = all_on(wanted.dns);
        }
        draft.keep(&vpc.id);
        return Some(vpc.id.clone());
    }
    let account_region = draft.site.account_region.clone();
    let id = draft.put::<Vpc>(
        &purpose(Part::Vpc),
        |vpc| &vpc.id,
        |id, tags| Vpc {
            id,
            account_region,
            owner: None,
            cidrs: BTreeSet::from([cidr]),
            default: false,
            dns: DnsAttributes { support: Some(true), hostnames: Some(true) },
            tags,
        },
    );
    let parts = DefaultParts {
        table: RouteTableId::planned(&purpose(Part::MainTable).to_string()),
        acl: NetworkAclId::planned(&purpose(Part::DefaultAcl).to_string()),
        group: SecurityGroupId::planned(&purpose(Part::DefaultGroup).to_string()),
    };
    if let Some(vpc) = draft.wanted.vpcs.get(&id).cloned() {
        parts.add(&mut draft.wanted, &vpc);
    }
    Some(id)
}

/// The VPC that was made for a network. Of several, which a lost answer can leave, the one that has the network in it.
fn existing<'a>(draft: &mut Draft<'a>, network: &Network) -> Option<&'a Vpc> {
    let all = draft.vpcs_of(&network.name);
    let counts = super::elsewhere::count(draft, &network.name);
    let count = |vpc: &Vpc| counts.get(&vpc.id).copied().unwrap_or_default();
    // The first of those with the most resources.
    let chosen = *all.iter().rev().max_by_key(|vpc| count(vpc))?;
    for vpc in all.iter().filter(|vpc| vpc.id != chosen.id && count(vpc) == 1) {
        draft.note(Note::SecondVpc { network: network.name.clone(), vpc: vpc.id.clone() });
    }
    Some(chosen)
}

/// Both DNS attributes on, where one of them is known to be off.
fn all_on(mut dns: DnsAttributes) -> DnsAttributes {
    for attribute in DnsAttribute::ALL {
        if dns.is_off(attribute) {
            dns.turn_on(attribute);
        }
    }
    dns
}

/// A VPC of our own has a default security group without rules: what has no other group attached reaches nothing and is
/// reached by nothing (Security Hub, EC2.2). Rules of grants stay.
fn empty_default_group(draft: &mut Draft<'_>, vpc: &VpcId) {
    let Some(id) = default_group(draft.actual, vpc).map(|group| group.id.clone()) else { return };
    if let Some(group) = draft.wanted.groups.get_mut(&id) {
        group.rules.retain(|_, rule| rule.description.parse::<crate::mark::Mark>().is_ok());
    }
}
