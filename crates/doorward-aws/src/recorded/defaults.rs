//! What a recording lacks, taken as AWS makes it by default. Each assumption is told.
//!
//! Assumed is what AWS makes along with something that was recorded: the network ACL and the main route table of a
//! VPC, and settings that have a default. Nothing is assumed of what somebody has to make (groups, gateways, peerings,
//! listeners, targets, entries of prefix lists), and nothing where AWS refused an answer: there may be another one.

use std::collections::BTreeMap;

use doorward_core::inventory::{
    AccountRegion, AclEntry, AnsweredId, BlockMode, BlockPublicAccess, Call, CrossZone, Destination,
    Direction, Gap, Inventory, LoadBalancerKind, NetworkAcl, NetworkAclId, Route, RouteTable, RouteTableId,
    RouteTarget, Subnet, SubnetId, Vpc,
};
use doorward_core::net::{Cidr, Flow};

use super::Recording;
use super::whole::NOT_RECORDED;
use crate::reading::{NO_RESPONSE, is_classic, preserves_by_default};

/// Something that is assumed where a call was not recorded.
struct Assumption {
    call: Call,
    what: &'static str,
    /// Fills it into an account and Region, and says whether there was anything to assume it of.
    fill: fn(&mut Inventory, &AccountRegion) -> bool,
}

const ASSUMPTIONS: [Assumption; 7] = [
    Assumption {
        call: Call::NetworkAcls,
        what: "each VPC has only its default network ACL, which allows everything",
        fill: network_acls,
    },
    Assumption {
        call: Call::RouteTables,
        what: "each VPC has only its main route table, with local routes alone",
        fill: route_tables,
    },
    Assumption {
        call: Call::BlockPublicAccess,
        what: "VPC Block Public Access is off",
        fill: block_public_access,
    },
    Assumption {
        call: Call::BlockExclusions,
        what: "nothing is excluded from VPC Block Public Access",
        fill: exclusions,
    },
    Assumption {
        call: Call::ListenerRules,
        what: "each listener has only its default action",
        fill: listener_rules,
    },
    Assumption {
        call: Call::LoadBalancerAttributes,
        what: "cross-zone load balancing is on for Application Load Balancers, and off for the others",
        fill: cross_zone,
    },
    Assumption {
        call: Call::TargetGroupAttributes,
        what: "client IP preservation of each target group is as its protocol and target type have it by default, and \
               cross-zone load balancing as the load balancer has it",
        fill: target_group_attributes,
    },
];

impl Recording {
    /// Fills what was not recorded with AWS's defaults, and says what was assumed, a line for each call and Region.
    pub fn assume_aws_defaults(&mut self) -> Vec<String> {
        let mut assumed = Vec::new();
        let inventory = &mut self.inventory;
        for Assumption { call, what, fill } in ASSUMPTIONS {
            let is_lacking =
                |gap: &Gap| gap.is_of(call) && (gap.why == NOT_RECORDED || gap.why.starts_with(NO_RESPONSE));
            let account_regions: Vec<AccountRegion> = inventory
                .gaps
                .iter()
                .filter(|gap| is_lacking(gap))
                .map(|gap| gap.account_region.clone())
                .collect();
            for account_region in account_regions {
                // Another gap of the call says that AWS was asked.
                let of_call = |gap: &&Gap| gap.is_of(call) && gap.account_region == account_region;
                if !inventory.gaps.iter().filter(of_call).all(is_lacking) {
                    continue;
                }
                if !fill(inventory, &account_region) {
                    continue;
                }
                inventory.gaps.retain(|gap| !gap.is_of(call) || gap.account_region != account_region);
                assumed.push(format!("{what} ({} in {account_region} was not recorded)", call.action()));
            }
        }
        assumed
    }
}

/// The VPCs of an account and Region that have none of something, each with its subnets.
fn without<'i>(
    inventory: &'i Inventory,
    account_region: &AccountRegion,
    has: impl Fn(&Vpc) -> bool,
) -> Vec<(&'i Vpc, Vec<&'i Subnet>)> {
    let mut subnets: BTreeMap<&str, Vec<&Subnet>> = BTreeMap::new();
    for subnet in inventory.subnets.values() {
        subnets.entry(subnet.vpc.as_str()).or_default().push(subnet);
    }
    let vpcs = inventory.vpcs.values().filter(|vpc| vpc.account_region == *account_region && !has(vpc));
    vpcs.map(|vpc| (vpc, subnets.remove(vpc.id.as_str()).unwrap_or_default())).collect()
}

/// VPC user guide, "Default network ACL": it allows all traffic in and out, of both families.
fn network_acls(inventory: &mut Inventory, account_region: &AccountRegion) -> bool {
    let has = |vpc: &Vpc| inventory.network_acls.values().any(|acl| acl.vpc == vpc.id);
    let acls = without(inventory, account_region, has).into_iter().filter_map(|(vpc, subnets)| {
        let id = NetworkAclId::answered(&format!("default network ACL of {}", vpc.id)).ok()?;
        let subnets = subnets.iter().map(|subnet| subnet.id.clone()).collect::<Vec<SubnetId>>();
        Some(NetworkAcl {
            id,
            vpc: vpc.id.clone(),
            default: true,
            subnets: subnets.into_iter().collect(),
            entries: all_allowed(),
            incomplete: false,
            tags: Default::default(),
        })
    });
    let acls: Vec<NetworkAcl> = acls.collect();
    let any = !acls.is_empty();
    inventory.network_acls.extend(acls.into_iter().map(|acl| (acl.id.clone(), acl)));
    any
}

fn all_allowed() -> Vec<AclEntry> {
    let families = ["0.0.0.0/0", "::/0"].into_iter().zip([100, 101]);
    let families = families.filter_map(|(cidr, number)| Some((cidr.parse::<Cidr>().ok()?, number)));
    let entries = families.flat_map(|(cidr, number)| {
        [Direction::In, Direction::Out].map(|direction| AclEntry {
            number,
            direction,
            cidr,
            flow: Flow::All,
            allow: true,
        })
    });
    entries.collect()
}

/// VPC user guide, "Route table concepts": each VPC comes with a main route table, and each table has local routes.
fn route_tables(inventory: &mut Inventory, account_region: &AccountRegion) -> bool {
    let has = |vpc: &Vpc| inventory.route_tables.values().any(|table| table.vpc == vpc.id);
    let tables = without(inventory, account_region, has).into_iter().filter_map(|(vpc, _)| {
        let local = |cidr: &Cidr| Route {
            destination: Destination::Cidr(*cidr),
            target: RouteTarget::Local,
            propagated: false,
            blackhole: false,
        };
        Some(RouteTable {
            id: RouteTableId::answered(&format!("main route table of {}", vpc.id)).ok()?,
            vpc: vpc.id.clone(),
            main: true,
            subnets: Default::default(),
            gateways: Default::default(),
            routes: vpc.cidrs.iter().map(local).collect(),
            incomplete: false,
            tags: Default::default(),
        })
    });
    let tables: Vec<RouteTable> = tables.collect();
    let any = !tables.is_empty();
    inventory.route_tables.extend(tables.into_iter().map(|table| (table.id.clone(), table)));
    any
}

/// VPC user guide, "Block public access to VPCs and subnets": it is off until somebody turns it on.
fn block_public_access(inventory: &mut Inventory, account_region: &AccountRegion) -> bool {
    let off = BlockPublicAccess { mode: BlockMode::Off, exclusions: Vec::new() };
    inventory.block_public_access.entry(account_region.clone()).or_insert(off);
    true
}

/// There are exclusions only where somebody makes them.
fn exclusions(inventory: &mut Inventory, account_region: &AccountRegion) -> bool {
    inventory.block_public_access.contains_key(account_region)
}

/// User guide for Application Load Balancers, "Listener rules": a listener is made with its default rule alone.
fn listener_rules(inventory: &mut Inventory, account_region: &AccountRegion) -> bool {
    inventory.load_balancers.values().any(|balancer| {
        balancer.account_region == *account_region
            && balancer.kind == LoadBalancerKind::Application
            && balancer.listeners.as_ref().is_some_and(|listeners| !listeners.is_empty())
    })
}

/// Elastic Load Balancing user guide, "How Elastic Load Balancing works": cross-zone load balancing by kind.
fn cross_zone(inventory: &mut Inventory, account_region: &AccountRegion) -> bool {
    let kinds = [LoadBalancerKind::Application, LoadBalancerKind::Network, LoadBalancerKind::Gateway];
    let here =
        inventory.load_balancers.values_mut().filter(|balancer| balancer.account_region == *account_region);
    let mut any = false;
    for balancer in here.filter(|balancer| kinds.contains(&balancer.kind)) {
        any = true;
        balancer.cross_zone.get_or_insert(balancer.kind == LoadBalancerKind::Application);
    }
    any
}

/// User guide for Network Load Balancers, "Edit target group attributes".
fn target_group_attributes(inventory: &mut Inventory, account_region: &AccountRegion) -> bool {
    let Inventory { target_groups, load_balancers, .. } = inventory;
    let here = target_groups.values_mut().filter(|group| group.account_region == *account_region);
    let mut any = false;
    for group in here.filter(|group| !is_classic(group, load_balancers)) {
        any = true;
        group.preserves_client = group.preserves_client.or_else(|| preserves_by_default(group));
        group.cross_zone.get_or_insert(CrossZone::AsLoadBalancer);
    }
    any
}
