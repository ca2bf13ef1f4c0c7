//! What is created, and what AWS refuses to create.

use super::sets::there;
use super::{Give, Performing, Refused};
use crate::inventory::{
    DnsAttributes, ElasticAddress, Endpoint, EndpointKind, ExistingRule, InternetGateway, NatAvailability,
    NatGateway, ResourceKind, ResourceRef, RouteTable, SecurityGroup, Subnet, SubnetGroup, Vpc,
};
use crate::plan::network::difference::{default_rules, everything_out};
use crate::topology::DefaultParts;

impl<G: Give> Performing<'_, G> {
    pub(super) fn create_vpc(&mut self, vpc: &Vpc, parts: &DefaultParts) -> Result<(), Refused> {
        let mut vpc = vpc.clone();
        vpc.id = self.new_id(&vpc.id);
        // VPC user guide, "DNS attributes for your VPC": those of a VPC that is not the default one.
        vpc.dns = DnsAttributes { support: Some(true), hostnames: Some(false) };
        let parts = DefaultParts {
            table: self.new_id(&parts.table),
            acl: self.new_id(&parts.acl),
            group: self.new_id(&parts.group),
        };
        parts.add(self.account, &vpc);
        let rules = default_rules(&parts.group);
        let rules = rules.into_iter().map(|rule| (rule, self.aws_rule())).collect();
        if let Some(group) = self.account.groups.get_mut(&parts.group) {
            group.rules = rules;
        }
        self.account.vpcs.insert(vpc.id.clone(), vpc);
        Ok(())
    }

    /// A rule that AWS made.
    fn aws_rule(&mut self) -> ExistingRule {
        ExistingRule { id: Some(self.give.rule()), ..ExistingRule::default() }
    }

    pub(super) fn create_subnet(&mut self, subnet: &Subnet) -> Result<(), Refused> {
        let vpc = there(&self.account.vpcs, &subnet.vpc)?;
        let resource: ResourceRef = (&subnet.id).into();
        if !subnet.cidrs.iter().all(|cidr| vpc.cidrs.iter().any(|block| block.covers(*cidr))) {
            return Err(Refused::State(resource));
        }
        let others = self.account.subnets.values().filter(|other| other.vpc == subnet.vpc);
        let mut overlaps = others
            .flat_map(|other| &other.cidrs)
            .filter(|other| subnet.cidrs.iter().any(|cidr| cidr.covers(**other) || other.covers(*cidr)));
        if overlaps.next().is_some() {
            return Err(Refused::Duplicate(resource));
        }
        let mut subnet = subnet.clone();
        subnet.id = self.new_id(&subnet.id);
        let acl = self.account.network_acls.values_mut().find(|acl| acl.default && acl.vpc == subnet.vpc);
        if let Some(acl) = acl {
            acl.subnets.insert(subnet.id.clone());
        }
        self.account.subnets.insert(subnet.id.clone(), subnet);
        Ok(())
    }

    pub(super) fn create_internet_gateway(&mut self, gateway: &InternetGateway) -> Result<(), Refused> {
        let mut gateway = gateway.clone();
        gateway.id = self.new_id(&gateway.id);
        self.account.internet_gateways.insert(gateway.id.clone(), gateway);
        Ok(())
    }

    pub(super) fn allocate_address(&mut self, address: &ElasticAddress) -> Result<(), Refused> {
        let mut address = address.clone();
        if let Some(given) = self.give.address(address.public) {
            self.ids.note_address(address.public, given);
            address.public = given;
        }
        self.account.elastic_addresses.insert(address.public, address);
        Ok(())
    }

    pub(super) fn create_nat_gateway(&mut self, gateway: &NatGateway) -> Result<(), Refused> {
        there(&self.account.vpcs, &gateway.vpc)?;
        if let NatAvailability::Zonal(subnet) = &gateway.availability {
            there(&self.account.subnets, subnet)?;
        }
        // `Gateway.NotAttached`
        if self.account.internet_gateway_of(&gateway.vpc).is_none() {
            return Err(Refused::State((&gateway.vpc).into()));
        }
        if let Some(address) = gateway.public_address {
            let resource = ResourceRef::of(ResourceKind::Address, &address.to_string());
            if !self.account.elastic_addresses.contains_key(&address) {
                return Err(Refused::NotFound(resource));
            }
            // `Resource.AlreadyAssociated`; a gateway that failed has let its address go.
            let others = self.account.nat_gateways.values().filter(|other| !other.has_failed());
            if let Some(other) = others.into_iter().find(|other| other.public_address == Some(address)) {
                return Err(Refused::InUse { of: resource, by: (&other.id).into() });
            }
        }
        let mut gateway = gateway.clone();
        gateway.id = self.new_id(&gateway.id);
        gateway.state = "pending".into();
        self.account.nat_gateways.insert(gateway.id.clone(), gateway);
        Ok(())
    }

    pub(super) fn create_route_table(&mut self, table: &RouteTable) -> Result<(), Refused> {
        there(&self.account.vpcs, &table.vpc)?;
        let mut table = table.clone();
        table.id = self.new_id(&table.id);
        self.account.route_tables.insert(table.id.clone(), table);
        Ok(())
    }

    pub(super) fn create_endpoint(&mut self, endpoint: &Endpoint) -> Result<(), Refused> {
        let vpc = there(&self.account.vpcs, &endpoint.vpc)?;
        let is_interface = endpoint.kind == EndpointKind::Interface;
        // `InvalidParameter`: private DNS names need both attributes.
        if is_interface && vpc.dns.off().is_some() {
            return Err(Refused::State((&endpoint.vpc).into()));
        }
        // A conflicting DNS domain, or `RouteAlreadyExists`.
        let others = self.account.endpoints.values().filter(|it| it.vpc == endpoint.vpc);
        let mut others = others.filter(|it| it.service == endpoint.service);
        if others.any(|it| is_interface || !it.tables.is_disjoint(&endpoint.tables)) {
            return Err(Refused::Duplicate((&endpoint.id).into()));
        }
        for table in &endpoint.tables {
            there(&self.account.route_tables, table)?;
        }
        for subnet in &endpoint.subnets {
            there(&self.account.subnets, subnet)?;
        }
        for group in &endpoint.groups {
            there(&self.account.groups, group)?;
        }
        let mut endpoint = endpoint.clone();
        endpoint.id = self.new_id(&endpoint.id);
        endpoint.state = "pending".into();
        self.account.endpoints.insert(endpoint.id.clone(), endpoint);
        Ok(())
    }

    pub(super) fn create_subnet_group(&mut self, group: &SubnetGroup) -> Result<(), Refused> {
        let key = (group.account_region.clone(), group.name.clone());
        if self.account.database_subnet_groups.contains_key(&key) {
            let kind = ResourceKind::DatabaseSubnetGroup;
            return Err(Refused::Duplicate(ResourceRef::named(kind, &group.name, &group.account_region)));
        }
        for subnet in &group.subnets {
            there(&self.account.subnets, subnet)?;
        }
        self.account.database_subnet_groups.insert(key, group.clone());
        Ok(())
    }

    pub(super) fn create_security_group(&mut self, group: &SecurityGroup) -> Result<(), Refused> {
        if let Some(vpc) = &group.vpc {
            there(&self.account.vpcs, vpc)?;
        }
        let mut others = self.account.groups.values();
        if let Some(other) = others.find(|other| other.vpc == group.vpc && other.name == group.name) {
            return Err(Refused::Duplicate((&other.id).into()));
        }
        let mut group = group.clone();
        group.id = self.new_id(&group.id);
        group.rules = [(everything_out(), self.aws_rule())].into();
        self.account.groups.insert(group.id.clone(), group);
        Ok(())
    }
}
