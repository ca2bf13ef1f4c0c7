//! A Terraform configuration, with a block that imports each resource that exists already.

use super::hcl::{Block, Hcl};
use super::name::{Names, Style};
use super::parts::{Parts, exists, protocol, rule_words};
use crate::inventory::{
    Destination, Direction, ElasticAddress, Endpoint, EndpointKind, ExistingRule, InternetGateway,
    NatAvailability, NatGateway, Peer, RouteTable, RouteTarget, RuleIdentity, SecurityGroup, Subnet,
    SubnetGroup, Tags, Vpc,
};
use crate::net::Family;
use crate::topology::{DefaultParts, Part, Purpose};

/// A configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Its text.
    pub text: String,
    /// What is declared and is not in it, and why.
    pub left: Vec<String>,
}

/// Exports the networks of a Region as a configuration.
pub fn terraform(parts: &Parts<'_>, region: Option<&str>) -> Configuration {
    let mut writer =
        Writer { parts: *parts, names: Names::new(Style::Snake), blocks: Vec::new(), imports: Vec::new() };
    writer.name();
    writer.networks();
    writer.nat_gateways();
    writer.tables();
    writer.endpoints();
    writer.groups();
    writer.subnet_groups();
    // Import blocks came with version 1.5, regional NAT gateways with 6.24 of the provider.
    let provider = Block {
        head: "required_providers".into(),
        attributes: Vec::new(),
        blocks: vec![Block {
            head: "aws =".into(),
            attributes: vec![("source", Hcl::text("hashicorp/aws")), ("version", Hcl::text(">= 6.24.0"))],
            blocks: Vec::new(),
        }],
    };
    let terraform = Block {
        head: "terraform".into(),
        attributes: vec![("required_version", Hcl::text(">= 1.5.0"))],
        blocks: vec![provider],
    };
    let region = region.map(|region| ("region", Hcl::text(region)));
    let aws = Block {
        head: "provider \"aws\"".into(),
        attributes: region.into_iter().collect(),
        blocks: Vec::new(),
    };
    let mut text = String::new();
    let all = [terraform, aws].into_iter().chain(writer.imports).chain(writer.blocks);
    for (number, block) in all.enumerate() {
        if number > 0 {
            text.push('\n');
        }
        block.write(&mut text, 0);
    }
    Configuration { text, left: parts.attached() }
}

struct Writer<'a> {
    parts: Parts<'a>,
    names: Names,
    blocks: Vec<Block>,
    imports: Vec<Block>,
}

type Attributes = Vec<(&'static str, Hcl)>;

fn tags(tags: &Tags) -> (&'static str, Hcl) {
    ("tags", Hcl::Map(tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()))
}

impl<'a> Writer<'a> {
    fn add(&mut self, kind: &'static str, name: &str, attributes: Attributes, import: Option<String>) {
        if let Some(id) = import {
            self.imports.push(Block {
                head: "import".into(),
                attributes: vec![("to", Hcl::Reference(format!("{kind}.{name}"))), ("id", Hcl::text(id))],
                blocks: Vec::new(),
            });
        }
        let head = format!("resource \"{kind}\" \"{name}\"");
        self.blocks.push(Block { head, attributes, blocks: Vec::new() });
    }

    /// A reference to what is exported, or the id of what is not.
    fn to(&self, kind: &str, id: &str) -> Hcl {
        match self.names.of(id) {
            Some(name) => Hcl::Reference(format!("{kind}.{name}.id")),
            None => Hcl::text(id),
        }
    }

    fn name(&mut self) {
        let Self { parts, names, .. } = self;
        let mut give =
            |kind, id: &str, purpose: &Purpose| drop(names.give_to(kind, id, &purpose.to_string()));
        parts.all::<Vpc>().iter().for_each(|(of, it)| give("aws_vpc", it.id.as_str(), of));
        parts.all::<Subnet>().iter().for_each(|(of, it)| give("aws_subnet", it.id.as_str(), of));
        let gateways = parts.all::<InternetGateway>();
        gateways.iter().for_each(|(of, it)| give("aws_internet_gateway", it.id.as_str(), of));
        let addresses = parts.all::<ElasticAddress>();
        addresses.iter().for_each(|(of, it)| give("aws_eip", &it.public.to_string(), of));
        parts.all::<NatGateway>().iter().for_each(|(of, it)| give("aws_nat_gateway", it.id.as_str(), of));
        parts.all::<RouteTable>().iter().for_each(|(of, it)| give("aws_route_table", it.id.as_str(), of));
        parts.all::<Endpoint>().iter().for_each(|(of, it)| give("aws_vpc_endpoint", it.id.as_str(), of));
        parts
            .all::<SecurityGroup>()
            .iter()
            .for_each(|(of, it)| give("aws_security_group", it.id.as_str(), of));
    }

    fn named(&self, id: &str) -> String {
        self.names.of(id).unwrap_or_default().to_owned()
    }

    fn networks(&mut self) {
        for (of, vpc) in self.parts.all::<Vpc>() {
            let cidr = vpc.cidrs.iter().find(|cidr| cidr.family() == Family::V4).map(ToString::to_string);
            let attributes = vec![
                ("cidr_block", Hcl::text(cidr.unwrap_or_default())),
                ("enable_dns_hostnames", Hcl::Bool(true)),
                ("enable_dns_support", Hcl::Bool(true)),
                tags(&vpc.tags),
            ];
            let id = exists(&vpc.id).then(|| vpc.id.to_string());
            self.add("aws_vpc", &self.named(vpc.id.as_str()), attributes, id);
            // Without a rule in it, the provider removes all rules of the default security group.
            let name = self.names.give("aws_default_security_group", &format!("{}/default", of.network));
            let group = DefaultParts::of(self.parts.wanted, &vpc.id).map(|parts| parts.group);
            let id = group.filter(exists).map(|id| id.to_string());
            let attributes = vec![
                ("vpc_id", self.to("aws_vpc", vpc.id.as_str())),
                ("tags", Hcl::Map(vec![("Name".into(), format!("{}-default", of.network))])),
            ];
            self.add("aws_default_security_group", &name, attributes, id);
        }
        for (_, subnet) in self.parts.all::<Subnet>() {
            let cidr = subnet.cidrs.first().map(ToString::to_string).unwrap_or_default();
            let mut attributes = vec![("vpc_id", self.to("aws_vpc", subnet.vpc.as_str()))];
            attributes.extend(subnet.zone_id.as_ref().map(|zone| ("availability_zone_id", Hcl::text(zone))));
            attributes.extend([("cidr_block", Hcl::text(cidr)), tags(&subnet.tags)]);
            let id = exists(&subnet.id).then(|| subnet.id.to_string());
            self.add("aws_subnet", &self.named(subnet.id.as_str()), attributes, id);
        }
        for (_, gateway) in self.parts.all::<InternetGateway>() {
            let vpc = gateway.vpc.as_ref().map(|vpc| ("vpc_id", self.to("aws_vpc", vpc.as_str())));
            let attributes = vpc.into_iter().chain([tags(&gateway.tags)]).collect();
            let id = exists(&gateway.id).then(|| gateway.id.to_string());
            self.add("aws_internet_gateway", &self.named(gateway.id.as_str()), attributes, id);
        }
    }

    /// The internet gateway of a VPC has to be attached before an address or a NAT gateway is of use.
    fn after_internet(&self, vpc: &str) -> Option<(&'static str, Hcl)> {
        let gateways = self.parts.all::<InternetGateway>();
        let (_, gateway) =
            gateways.iter().find(|(_, it)| it.vpc.as_ref().is_some_and(|it| it.as_str() == vpc))?;
        let name = self.names.of(gateway.id.as_str())?;
        Some(("depends_on", Hcl::List(vec![Hcl::Reference(format!("aws_internet_gateway.{name}"))])))
    }

    fn nat_gateways(&mut self) {
        let gateways = self.parts.all::<NatGateway>();
        for (_, address) in self.parts.all::<ElasticAddress>() {
            let gateway = gateways.iter().find(|(_, it)| it.public_address == Some(address.public));
            let on = gateway.and_then(|(_, it)| self.after_internet(it.vpc.as_str()));
            let attributes =
                [("domain", Hcl::text("vpc"))].into_iter().chain(on).chain([tags(&address.tags)]).collect();
            let id = address.allocation.as_ref().map(ToString::to_string);
            self.add("aws_eip", &self.named(&address.public.to_string()), attributes, id);
        }
        for (_, gateway) in gateways.into_iter().filter(|(_, it)| !it.has_failed()) {
            let mut attributes = Vec::new();
            match &gateway.availability {
                NatAvailability::Zonal(subnet) => {
                    attributes.push(("subnet_id", self.to("aws_subnet", subnet.as_str())));
                    let address = gateway.public_address.map(|address| address.to_string());
                    let address = address.filter(|address| self.names.of(address).is_some());
                    attributes.extend(address.map(|it| ("allocation_id", self.to("aws_eip", &it))));
                }
                NatAvailability::Regional(_) => {
                    attributes.push(("vpc_id", self.to("aws_vpc", gateway.vpc.as_str())));
                    attributes.push(("availability_mode", Hcl::text("regional")));
                }
            }
            attributes.push(("connectivity_type", Hcl::text("public")));
            attributes.extend(self.after_internet(gateway.vpc.as_str()));
            attributes.push(tags(&gateway.tags));
            let id = exists(&gateway.id).then(|| gateway.id.to_string());
            self.add("aws_nat_gateway", &self.named(gateway.id.as_str()), attributes, id);
        }
    }

    fn tables(&mut self) {
        for (of, table) in self.parts.all::<RouteTable>() {
            let own = self.to("aws_route_table", table.id.as_str());
            let attributes = vec![("vpc_id", self.to("aws_vpc", table.vpc.as_str())), tags(&table.tags)];
            let id = exists(&table.id).then(|| table.id.to_string());
            self.add("aws_route_table", &self.named(table.id.as_str()), attributes, id);
            for route in self.parts.routes(table) {
                let Destination::Cidr(cidr) = &route.destination else { continue };
                let target = match &route.target {
                    RouteTarget::NatGateway(id) => {
                        ("nat_gateway_id", self.to("aws_nat_gateway", id.as_str()))
                    }
                    other => ("gateway_id", self.to("aws_internet_gateway", &other.to_string())),
                };
                let attributes = vec![
                    ("route_table_id", own.clone()),
                    ("destination_cidr_block", Hcl::text(cidr.to_string())),
                    target,
                ];
                let id = self.parts.has_route(table, route).then(|| format!("{}_{cidr}", table.id));
                let name = self.names.give("aws_route", &format!("{of}/default"));
                self.add("aws_route", &name, attributes, id);
            }
            let before = self.parts.actual.route_tables.get(&table.id);
            for subnet in &table.subnets {
                let Some(name) = self.names.of(subnet.as_str()).map(str::to_owned) else { continue };
                let attributes = vec![
                    ("route_table_id", own.clone()),
                    ("subnet_id", Hcl::Reference(format!("aws_subnet.{name}.id"))),
                ];
                let is = before.is_some_and(|before| before.subnets.contains(subnet));
                let id = is.then(|| format!("{subnet}/{}", table.id));
                self.add("aws_route_table_association", &name, attributes, id);
            }
        }
    }

    fn endpoints(&mut self) {
        for (_, endpoint) in self.parts.all::<Endpoint>().into_iter().filter(|(_, it)| it.can_serve()) {
            let mut attributes = vec![
                ("vpc_id", self.to("aws_vpc", endpoint.vpc.as_str())),
                ("service_name", Hcl::text(&endpoint.service)),
            ];
            if endpoint.kind == EndpointKind::Gateway {
                let tables = endpoint.tables.iter().map(|id| self.to("aws_route_table", id.as_str()));
                attributes.push(("vpc_endpoint_type", Hcl::text("Gateway")));
                attributes.push(("route_table_ids", Hcl::List(tables.collect())));
            } else {
                let subnets = endpoint.subnets.iter().map(|id| self.to("aws_subnet", id.as_str()));
                let groups = endpoint.groups.iter().map(|id| self.to("aws_security_group", id.as_str()));
                attributes.extend([
                    ("vpc_endpoint_type", Hcl::text("Interface")),
                    ("private_dns_enabled", Hcl::Bool(true)),
                    ("subnet_ids", Hcl::List(subnets.collect())),
                    ("security_group_ids", Hcl::List(groups.collect())),
                ]);
            }
            attributes.push(tags(&endpoint.tags));
            let id = exists(&endpoint.id).then(|| endpoint.id.to_string());
            self.add("aws_vpc_endpoint", &self.named(endpoint.id.as_str()), attributes, id);
        }
    }

    /// Rules are resources of their own, and those of others, like those of grants, are ignored.
    fn groups(&mut self) {
        for (_, group) in self.parts.all::<SecurityGroup>() {
            let mut attributes =
                vec![("name", Hcl::text(&group.name)), ("description", Hcl::text(&group.about))];
            attributes.extend(group.vpc.as_ref().map(|vpc| ("vpc_id", self.to("aws_vpc", vpc.as_str()))));
            attributes.push(tags(&group.tags));
            let id = exists(&group.id).then(|| group.id.to_string());
            self.add("aws_security_group", &self.named(group.id.as_str()), attributes, id);
            let ignored = ["ingress", "egress"].map(|it| Hcl::Reference(it.to_owned())).to_vec();
            let lifecycle = Block {
                head: "lifecycle".into(),
                attributes: vec![("ignore_changes", Hcl::List(ignored))],
                blocks: Vec::new(),
            };
            if let Some(block) = self.blocks.last_mut() {
                block.blocks.push(lifecycle);
            }
        }
        for group in self.parts.groups() {
            for (rule, standing) in self.parts.rules(group) {
                self.rule(group, rule, standing);
            }
        }
    }

    fn rule(&mut self, group: &'a SecurityGroup, rule: &RuleIdentity, standing: &ExistingRule) {
        let kind = match rule.direction {
            Direction::In => "aws_vpc_security_group_ingress_rule",
            Direction::Out => "aws_vpc_security_group_egress_rule",
        };
        let (protocol, ports) = protocol(rule.flow);
        let mut attributes = vec![
            ("security_group_id", self.to("aws_security_group", group.id.as_str())),
            ("description", Hcl::text(&standing.description)),
            ("ip_protocol", Hcl::text(protocol)),
        ];
        if let Some((from, to)) = ports {
            attributes.extend([("from_port", Hcl::Number(from)), ("to_port", Hcl::Number(to))]);
        }
        attributes.push(match &rule.peer {
            Peer::Group(id) => ("referenced_security_group_id", self.to("aws_security_group", id.as_str())),
            Peer::PrefixList(id) => ("prefix_list_id", Hcl::text(id.as_str())),
            Peer::Cidr(cidr) if cidr.family() == Family::V4 => ("cidr_ipv4", Hcl::text(cidr.to_string())),
            Peer::Cidr(cidr) => ("cidr_ipv6", Hcl::text(cidr.to_string())),
        });
        let by = (crate::mark::Mark::TAG.to_owned(), self.parts.by.to_string());
        attributes.push(("tags", Hcl::Map(vec![by])));
        let name = self.names.give(kind, &rule_words(&self.names, group, rule));
        self.add(kind, &name, attributes, standing.id.as_ref().map(ToString::to_string));
    }

    fn subnet_groups(&mut self) {
        for network in self.parts.networks {
            let name = SubnetGroup::owned_name(self.parts.by, network);
            let mut groups = self.parts.wanted.database_subnet_groups.iter();
            let Some((key, group)) = groups.find(|((_, it), _)| *it == name) else { continue };
            let subnets = group.subnets.iter().map(|id| self.to("aws_subnet", id.as_str()));
            let attributes = vec![
                ("name", Hcl::text(&name)),
                ("description", Hcl::text("Private subnets of a network of Doorward")),
                ("subnet_ids", Hcl::List(subnets.collect())),
            ];
            let id = self.parts.actual.database_subnet_groups.contains_key(key).then(|| name.clone());
            let purpose = Purpose::of(network, Part::DatabaseSubnets).to_string();
            let label = self.names.give("aws_db_subnet_group", &purpose);
            self.add("aws_db_subnet_group", &label, attributes, id);
        }
    }
}
