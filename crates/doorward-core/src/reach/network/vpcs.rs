//! VPCs and their subnets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use crate::inventory::{
    AccountRegion, AttachmentId, AttachmentTarget, Call, DnsAttributes, InternetGatewayId, Inventory,
    NetworkAclId, RouteTableId, SubnetId, TransitGatewayId, VpcId,
};
use crate::net::Cidr;
use crate::net::ranges::Cuts;
use crate::reach::network::address_map::AddressMap;
use crate::reach::network::table::{AclIx, InterfaceIx, SubnetIx, TableIx, VpcIx};
use crate::reach::network::{Network, OrGap};

#[derive(Debug)]
pub(crate) struct VpcNode {
    pub(crate) id: VpcId,
    pub(crate) account_region: AccountRegion,
    pub(crate) cidrs: Vec<Cidr>,
    pub(crate) dns: DnsAttributes,
    pub(crate) interfaces: HashMap<IpAddr, InterfaceIx>,
    /// Its subnets and its route tables, each in the order of their ids.
    pub(crate) subnets: Vec<SubnetIx>,
    pub(crate) tables: Vec<TableIx>,
    pub(crate) internet_gateway: Option<InternetGatewayId>,
    /// By what it is attached to transit gateways.
    pub(crate) attachments: Vec<(TransitGatewayId, AttachmentId)>,
    pub(crate) delegated: Delegated,
    /// The tables that route the ingress of its gateways, by the gateway's id.
    pub(crate) edges: BTreeMap<String, TableIx>,
    /// Every prefix in its network ACLs and route tables, and in the groups of its appliances.
    pub(crate) cuts: Vec<Cidr>,
    /// The same as numbers.
    pub(crate) cut_at: Cuts,
}

/// The interfaces with delegated prefixes (EC2 user guide, prefix delegation).
#[derive(Debug, Default)]
pub(crate) struct Delegated {
    prefixes: Vec<(Cidr, InterfaceIx)>,
    by_address: AddressMap<Option<InterfaceIx>>,
}

impl Delegated {
    pub(crate) fn of(prefixes: Vec<(Cidr, InterfaceIx)>) -> Self {
        Self { by_address: AddressMap::of_longest(prefixes.iter().copied()), prefixes }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Cidr, InterfaceIx)> {
        self.prefixes.iter().copied()
    }

    fn at(&self, address: IpAddr) -> Option<InterfaceIx> {
        self.by_address.at(address).copied().flatten()
    }
}

impl VpcNode {
    fn new(id: VpcId, account_region: AccountRegion, cidrs: Vec<Cidr>) -> Self {
        Self {
            id,
            account_region,
            cidrs,
            dns: DnsAttributes::default(),
            interfaces: HashMap::new(),
            subnets: Vec::new(),
            tables: Vec::new(),
            internet_gateway: None,
            attachments: Vec::new(),
            delegated: Delegated::default(),
            edges: BTreeMap::new(),
            cuts: Vec::new(),
            cut_at: Cuts::default(),
        }
    }

    /// Whether it is attached to a transit gateway.
    pub(crate) fn is_joined(&self) -> bool {
        !self.attachments.is_empty()
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.cidrs.iter().any(|cidr| cidr.contains(address))
    }

    pub(crate) fn interface_at(&self, address: IpAddr) -> Option<InterfaceIx> {
        self.interfaces.get(&address).copied().or_else(|| self.delegated.at(address))
    }
}

#[derive(Debug)]
pub(crate) struct SubnetNode {
    pub(crate) id: SubnetId,
    pub(crate) name: Option<String>,
    pub(crate) vpc: VpcIx,
    /// The zone's id, else its name; none when neither is known.
    pub(crate) zone: Option<String>,
    pub(crate) cidrs: Vec<Cidr>,
    pub(crate) table: OrGap<TableIx>,
    pub(crate) acl: OrGap<AclIx>,
}

impl SubnetNode {
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.cidrs.iter().any(|cidr| cidr.contains(address))
    }
}

impl Network {
    pub(crate) fn vpcs(&mut self, inventory: &Inventory) {
        for vpc in inventory.vpcs.values() {
            let cidrs = vpc.cidrs.iter().copied().collect();
            let node = VpcNode::new(vpc.id.clone(), vpc.account_region.clone(), cidrs);
            let index = self.vpcs.push(VpcNode { dns: vpc.dns, ..node });
            self.vpc_of.insert(vpc.id.clone(), index);
        }
        let named = inventory.subnets.values().map(|subnet| &subnet.vpc);
        let named = named.chain(inventory.interfaces.values().map(|interface| &interface.vpc));
        for vpc in named {
            self.vpc(vpc, inventory);
        }
    }

    /// A VPC that something names; one that was not described has the prefixes of its subnets.
    pub(crate) fn vpc(&mut self, id: &VpcId, inventory: &Inventory) -> VpcIx {
        if let Some(index) = self.vpc_of.get(id) {
            return *index;
        }
        let subnets = inventory.subnets.values().filter(|subnet| subnet.vpc == *id);
        let cidrs: BTreeSet<Cidr> = subnets.flat_map(|subnet| subnet.cidrs.iter().copied()).collect();
        let account_region =
            inventory.gaps.iter().find(|gap| gap.is_of(Call::Vpcs)).map(|gap| gap.account_region.clone());
        let node = VpcNode::new(id.clone(), account_region.unwrap_or_default(), cidrs.into_iter().collect());
        let index = self.vpcs.push(node);
        self.vpc_of.insert(id.clone(), index);
        index
    }

    pub(crate) fn subnets(&mut self, inventory: &Inventory) {
        let mut table_of: BTreeMap<&SubnetId, &RouteTableId> = BTreeMap::new();
        let mut main_of: BTreeMap<&VpcId, &RouteTableId> = BTreeMap::new();
        for table in inventory.route_tables.values() {
            table_of.extend(table.subnets.iter().map(|subnet| (subnet, &table.id)));
            if table.main {
                main_of.insert(&table.vpc, &table.id);
            }
        }
        let mut acl_of: BTreeMap<&SubnetId, &NetworkAclId> = BTreeMap::new();
        let mut default_of: BTreeMap<&VpcId, &NetworkAclId> = BTreeMap::new();
        for acl in inventory.network_acls.values() {
            acl_of.extend(acl.subnets.iter().map(|subnet| (subnet, &acl.id)));
            if acl.default {
                default_of.insert(&acl.vpc, &acl.id);
            }
        }
        let mut subnets: BTreeMap<&SubnetId, &VpcId> = BTreeMap::new();
        subnets.extend(inventory.interfaces.values().map(|interface| (&interface.subnet, &interface.vpc)));
        subnets.extend(inventory.subnets.values().map(|subnet| (&subnet.id, &subnet.vpc)));
        for (id, vpc_id) in subnets {
            let described = inventory.subnets.get(id);
            let vpc = self.vpc(vpc_id, inventory);
            let account_region = self.vpcs.at(vpc).account_region.clone();
            let table =
                table_of.get(id).or_else(|| main_of.get(vpc_id)).and_then(|table| self.table_of.get(*table));
            let table = table.copied().ok_or_else(|| {
                self.gap(Call::RouteTables, &account_region, &format!("it has no route table of {id}"))
            });
            let acl = acl_of.get(id).or_else(|| default_of.get(vpc_id)).and_then(|acl| self.acl_of.get(*acl));
            let acl = acl.copied().ok_or_else(|| {
                self.gap(Call::NetworkAcls, &account_region, &format!("it has no network ACL of {id}"))
            });
            let index = self.subnets.push(SubnetNode {
                id: id.clone(),
                name: described.and_then(|subnet| subnet.tags.get("Name").cloned()),
                vpc,
                zone: described.and_then(|subnet| subnet.zone_id.clone().or_else(|| subnet.zone.clone())),
                cidrs: described.map(|subnet| subnet.cidrs.iter().copied().collect()).unwrap_or_default(),
                table,
                acl,
            });
            self.subnet_of.insert(id.clone(), index);
            self.vpcs.at_mut(vpc).subnets.push(index);
        }
    }

    /// Notes the gateways of each VPC: the first of a kind counts.
    pub(crate) fn gateways(&mut self, inventory: &Inventory) {
        for gateway in inventory.internet_gateways.values() {
            let vpc = gateway.vpc.as_ref().and_then(|vpc| self.vpc_of.get(vpc));
            if let Some(vpc) = vpc {
                self.vpcs.at_mut(*vpc).internet_gateway.get_or_insert_with(|| gateway.id.clone());
            }
        }
        for (key, attachment) in &inventory.attachments {
            if let AttachmentTarget::Vpc(vpc) = &attachment.to
                && let Some(vpc) = self.vpc_of.get(vpc)
            {
                self.vpcs.at_mut(*vpc).attachments.push(key.clone());
            }
        }
    }

    pub(crate) fn edges(&mut self, inventory: &Inventory) {
        for table in inventory.route_tables.values() {
            let (Some(vpc), Some(index)) = (self.vpc_of.get(&table.vpc), self.table_of.get(&table.id)) else {
                continue;
            };
            for gateway in &table.gateways {
                self.vpcs.at_mut(*vpc).edges.insert(gateway.clone(), *index);
            }
        }
    }
}
