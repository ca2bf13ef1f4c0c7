//! A CloudFormation template, and the resources that exist already as a list to import.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::name::{Names, Style};
use super::parts::{Parts, exists, protocol, rule_words};
use crate::inventory::{
    Destination, Direction, ElasticAddress, Endpoint, EndpointKind, ExistingRule, InternetGateway,
    NatAvailability, NatGateway, Peer, RouteTable, RouteTarget, RuleIdentity, SecurityGroup, Subnet,
    SubnetGroup, Tags, Vpc,
};
use crate::topology::{Part, Purpose};

/// A template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The template.
    pub document: Value,
    /// The resources that exist, as `aws cloudformation create-change-set --resources-to-import` takes them.
    pub imports: Vec<Value>,
    /// What exists or is declared and is in neither, and why.
    pub left: Vec<String>,
}

/// Exports the networks as a template.
pub fn cloudformation(parts: &Parts<'_>) -> Template {
    let mut writer = Writer {
        parts: *parts,
        names: Names::new(Style::Camel),
        resources: Map::new(),
        imports: Vec::new(),
        left: Vec::new(),
    };
    writer.name();
    writer.networks();
    writer.tables();
    writer.endpoints();
    writer.groups();
    writer.subnet_groups();
    writer.left.extend(parts.attached());
    let networks: Vec<String> = parts.networks.iter().map(ToString::to_string).collect();
    let document = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("Networks declared in Doorward: {}", networks.join(", ")),
        "Resources": writer.resources,
    });
    Template { document, imports: writer.imports, left: writer.left }
}

struct Writer<'a> {
    parts: Parts<'a>,
    names: Names,
    resources: Map<String, Value>,
    imports: Vec<Value>,
    left: Vec<String>,
}

/// The properties of a resource.
type Properties = BTreeMap<&'static str, Value>;

fn tags(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// What a resource needs that no property says.
fn depends(on: Option<&str>) -> Vec<String> {
    on.map(str::to_owned).into_iter().collect()
}

impl<'a> Writer<'a> {
    fn add(
        &mut self,
        name: &str,
        kind: &'static str,
        properties: Properties,
        on: Vec<String>,
        import: Option<Value>,
    ) {
        let properties: Map<String, Value> =
            properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut resource = Map::from_iter([
            ("Type".to_owned(), json!(kind)),
            ("Properties".to_owned(), Value::Object(properties)),
        ]);
        if !on.is_empty() {
            resource.insert("DependsOn".to_owned(), json!(on));
        }
        if let Some(identifier) = import {
            // CloudFormation imports only what says what becomes of it without its stack.
            resource.insert("DeletionPolicy".to_owned(), json!("Retain"));
            resource.insert("UpdateReplacePolicy".to_owned(), json!("Retain"));
            self.imports.push(json!({
                "ResourceType": kind,
                "LogicalResourceId": name,
                "ResourceIdentifier": identifier,
            }));
        }
        self.resources.insert(name.to_owned(), Value::Object(resource));
    }

    /// A reference to what is exported, or the id of what is not.
    fn to(&self, id: &str) -> Value {
        match self.names.of(id) {
            Some(name) => json!({"Ref": name}),
            None => json!(id),
        }
    }

    fn to_group(&self, id: &str) -> Value {
        match self.names.of(id) {
            Some(name) => json!({"Fn::GetAtt": [name, "GroupId"]}),
            None => json!(id),
        }
    }

    /// Names everything first, because resources refer to each other both ways.
    fn name(&mut self) {
        let Self { parts, names, .. } = self;
        let mut give = |id: &str, purpose: &Purpose| drop(names.give_to("", id, &purpose.to_string()));
        parts.all::<Vpc>().iter().for_each(|(of, it)| give(it.id.as_str(), of));
        parts.all::<Subnet>().iter().for_each(|(of, it)| give(it.id.as_str(), of));
        parts.all::<InternetGateway>().iter().for_each(|(of, it)| give(it.id.as_str(), of));
        parts.all::<ElasticAddress>().iter().for_each(|(of, it)| give(&it.public.to_string(), of));
        parts.all::<NatGateway>().iter().for_each(|(of, it)| give(it.id.as_str(), of));
        parts.all::<RouteTable>().iter().for_each(|(of, it)| give(it.id.as_str(), of));
        parts.all::<Endpoint>().iter().for_each(|(of, it)| give(it.id.as_str(), of));
        parts.all::<SecurityGroup>().iter().for_each(|(of, it)| give(it.id.as_str(), of));
    }

    /// The name that was given to what has an id.
    fn named(&self, id: &str) -> String {
        self.names.of(id).unwrap_or_default().to_owned()
    }

    fn networks(&mut self) {
        for (of, vpc) in self.parts.all::<Vpc>() {
            let cidr = vpc.cidrs.iter().find(|cidr| cidr.family() == crate::net::Family::V4);
            let properties = Properties::from([
                ("CidrBlock", json!(cidr.map(ToString::to_string))),
                ("EnableDnsSupport", json!(true)),
                ("EnableDnsHostnames", json!(true)),
                ("Tags", tags(&vpc.tags)),
            ]);
            let import = exists(&vpc.id).then(|| json!({"VpcId": vpc.id.as_str()}));
            self.add(&self.named(vpc.id.as_str()), "AWS::EC2::VPC", properties, Vec::new(), import);
            self.left.push(format!(
                "CloudFormation cannot change the default security group of a VPC: remove the rules of that of {} yourself",
                of.network
            ));
        }
        for (_, subnet) in self.parts.all::<Subnet>() {
            let properties = Properties::from([
                ("VpcId", self.to(subnet.vpc.as_str())),
                ("CidrBlock", json!(subnet.cidrs.first().map(ToString::to_string))),
                ("AvailabilityZoneId", json!(subnet.zone_id)),
                ("Tags", tags(&subnet.tags)),
            ]);
            let import = exists(&subnet.id).then(|| json!({"SubnetId": subnet.id.as_str()}));
            self.add(&self.named(subnet.id.as_str()), "AWS::EC2::Subnet", properties, Vec::new(), import);
        }
        for (of, gateway) in self.parts.all::<InternetGateway>() {
            let properties = Properties::from([("Tags", tags(&gateway.tags))]);
            let import = exists(&gateway.id).then(|| json!({"InternetGatewayId": gateway.id.as_str()}));
            let name = self.named(gateway.id.as_str());
            self.add(&name, "AWS::EC2::InternetGateway", properties, Vec::new(), import);
            let Some(vpc) = &gateway.vpc else { continue };
            let is = self.parts.actual.internet_gateways.get(&gateway.id);
            if is.is_some_and(|is| is.vpc.is_some()) {
                self.left
                    .push(format!("CloudFormation cannot import the attachment of {} to {vpc}", gateway.id));
                continue;
            }
            let name = self.names.give_to(
                "",
                &format!("attachment of {vpc}"),
                &format!("{}/internet-gateway-attachment", of.network),
            );
            let properties = Properties::from([
                ("VpcId", self.to(vpc.as_str())),
                ("InternetGatewayId", self.to(gateway.id.as_str())),
            ]);
            self.add(&name, "AWS::EC2::VPCGatewayAttachment", properties, Vec::new(), None);
        }
        self.nat_gateways();
    }

    /// The attachment of the internet gateway of a VPC, if it is in the template.
    fn attachment(&self, vpc: &str) -> Option<&str> {
        self.names.of(&format!("attachment of {vpc}"))
    }

    fn nat_gateways(&mut self) {
        let gateways = self.parts.all::<NatGateway>();
        for (_, address) in self.parts.all::<ElasticAddress>() {
            let properties = Properties::from([("Domain", json!("vpc")), ("Tags", tags(&address.tags))]);
            let gateway = gateways.iter().find(|(_, it)| it.public_address == Some(address.public));
            let on = gateway.and_then(|(_, it)| self.attachment(it.vpc.as_str()));
            let import = address
                .allocation
                .as_ref()
                .map(|id| json!({"PublicIp": address.public.to_string(), "AllocationId": id.as_str()}));
            let (name, on) = (self.named(&address.public.to_string()), depends(on));
            self.add(&name, "AWS::EC2::EIP", properties, on, import);
        }
        for (_, gateway) in gateways.into_iter().filter(|(_, it)| !it.has_failed()) {
            let mut properties =
                Properties::from([("ConnectivityType", json!("public")), ("Tags", tags(&gateway.tags))]);
            match (&gateway.availability, gateway.public_address) {
                (NatAvailability::Zonal(subnet), address) => {
                    properties.insert("SubnetId", self.to(subnet.as_str()));
                    let name = address.and_then(|address| self.names.of(&address.to_string()));
                    if let Some(name) = name {
                        properties.insert("AllocationId", json!({"Fn::GetAtt": [name, "AllocationId"]}));
                    }
                }
                (NatAvailability::Regional(_), _) => {
                    properties.insert("AvailabilityMode", json!("regional"));
                    properties.insert("VpcId", self.to(gateway.vpc.as_str()));
                }
            }
            let on = depends(self.attachment(gateway.vpc.as_str()));
            let import = exists(&gateway.id).then(|| json!({"NatGatewayId": gateway.id.as_str()}));
            self.add(&self.named(gateway.id.as_str()), "AWS::EC2::NatGateway", properties, on, import);
        }
    }

    fn tables(&mut self) {
        for (of, table) in self.parts.all::<RouteTable>() {
            let properties =
                Properties::from([("VpcId", self.to(table.vpc.as_str())), ("Tags", tags(&table.tags))]);
            let import = exists(&table.id).then(|| json!({"RouteTableId": table.id.as_str()}));
            let name = self.named(table.id.as_str());
            self.add(&name, "AWS::EC2::RouteTable", properties, Vec::new(), import);
            for route in self.parts.routes(table) {
                let Destination::Cidr(cidr) = &route.destination else { continue };
                if self.parts.has_route(table, route) {
                    self.left
                        .push(format!("CloudFormation cannot import the route to {cidr} of {}", table.id));
                    continue;
                }
                let mut properties = Properties::from([
                    ("RouteTableId", self.to(table.id.as_str())),
                    ("DestinationCidrBlock", json!(cidr.to_string())),
                ]);
                let mut on = Vec::new();
                match &route.target {
                    RouteTarget::NatGateway(id) => {
                        drop(properties.insert("NatGatewayId", self.to(id.as_str())))
                    }
                    target => {
                        properties.insert("GatewayId", self.to(&target.to_string()));
                        on = depends(self.attachment(table.vpc.as_str()));
                    }
                }
                let name = self.names.give("", &format!("{of}/route"));
                self.add(&name, "AWS::EC2::Route", properties, on, None);
            }
            let before = self.parts.actual.route_tables.get(&table.id);
            for subnet in &table.subnets {
                let Some(subnet_name) = self.names.of(subnet.as_str()).map(str::to_owned) else { continue };
                if before.is_some_and(|before| before.subnets.contains(subnet)) {
                    self.left.push(format!(
                        "the association of {subnet} with {} has no id in an inventory, so it is not imported",
                        table.id
                    ));
                    continue;
                }
                let properties = Properties::from([
                    ("RouteTableId", self.to(table.id.as_str())),
                    ("SubnetId", json!({"Ref": subnet_name})),
                ]);
                let name = format!("{subnet_name}RouteTable");
                self.add(&name, "AWS::EC2::SubnetRouteTableAssociation", properties, Vec::new(), None);
            }
        }
    }

    fn endpoints(&mut self) {
        for (_, endpoint) in self.parts.all::<Endpoint>().into_iter().filter(|(_, it)| it.can_serve()) {
            let all = |ids: Vec<&str>| -> Value { ids.into_iter().map(|id| self.to(id)).collect() };
            let mut properties = Properties::from([
                ("VpcId", self.to(endpoint.vpc.as_str())),
                ("ServiceName", json!(endpoint.service)),
                ("Tags", tags(&endpoint.tags)),
            ]);
            if endpoint.kind == EndpointKind::Gateway {
                properties.insert("VpcEndpointType", json!("Gateway"));
                properties
                    .insert("RouteTableIds", all(endpoint.tables.iter().map(|id| id.as_str()).collect()));
            } else {
                properties.insert("VpcEndpointType", json!("Interface"));
                properties.insert("PrivateDnsEnabled", json!(true));
                properties.insert("SubnetIds", all(endpoint.subnets.iter().map(|id| id.as_str()).collect()));
                let groups = endpoint.groups.iter().map(|id| self.to_group(id.as_str()));
                properties.insert("SecurityGroupIds", groups.collect());
            }
            let import = exists(&endpoint.id).then(|| json!({"Id": endpoint.id.as_str()}));
            self.add(
                &self.named(endpoint.id.as_str()),
                "AWS::EC2::VPCEndpoint",
                properties,
                Vec::new(),
                import,
            );
        }
    }

    fn groups(&mut self) {
        for (_, group) in self.parts.all::<SecurityGroup>() {
            // Without a rule here, AWS adds one that allows all outbound traffic, which CloudFormation removes only for another.
            let nothing = json!([{
                "CidrIp": "127.0.0.1/32",
                "IpProtocol": "-1",
                "Description": "No outbound traffic but by rules that are resources of their own",
            }]);
            let mut properties = Properties::from([
                ("GroupName", json!(group.name)),
                ("GroupDescription", json!(group.about)),
                ("SecurityGroupEgress", nothing),
                ("Tags", tags(&group.tags)),
            ]);
            properties.extend(group.vpc.as_ref().map(|vpc| ("VpcId", self.to(vpc.as_str()))));
            let import = exists(&group.id).then(|| json!({"Id": group.id.as_str()}));
            self.add(
                &self.named(group.id.as_str()),
                "AWS::EC2::SecurityGroup",
                properties,
                Vec::new(),
                import,
            );
        }
        for group in self.parts.groups() {
            for (rule, standing) in self.parts.rules(group) {
                self.rule(group, rule, standing);
            }
        }
    }

    fn rule(&mut self, group: &'a SecurityGroup, rule: &RuleIdentity, standing: &ExistingRule) {
        let (kind, peer_group, peer_list) = match rule.direction {
            Direction::In => {
                ("AWS::EC2::SecurityGroupIngress", "SourceSecurityGroupId", "SourcePrefixListId")
            }
            Direction::Out => {
                ("AWS::EC2::SecurityGroupEgress", "DestinationSecurityGroupId", "DestinationPrefixListId")
            }
        };
        let (protocol, ports) = protocol(rule.flow);
        let mut properties = Properties::from([
            ("GroupId", self.to_group(group.id.as_str())),
            ("IpProtocol", json!(protocol)),
            ("Description", json!(standing.description)),
        ]);
        if let Some((from, to)) = ports {
            properties.extend([("FromPort", json!(from)), ("ToPort", json!(to))]);
        }
        match &rule.peer {
            Peer::Group(id) => properties.insert(peer_group, self.to_group(id.as_str())),
            Peer::PrefixList(id) => properties.insert(peer_list, json!(id.as_str())),
            Peer::Cidr(cidr) if cidr.family() == crate::net::Family::V4 => {
                properties.insert("CidrIp", json!(cidr.to_string()))
            }
            Peer::Cidr(cidr) => properties.insert("CidrIpv6", json!(cidr.to_string())),
        };
        let import = standing.id.as_ref().map(|id| json!({"Id": id.as_str()}));
        let name = self.names.give("", &rule_words(&self.names, group, rule));
        self.add(&name, kind, properties, Vec::new(), import);
    }

    fn subnet_groups(&mut self) {
        for network in self.parts.networks {
            let name = SubnetGroup::owned_name(self.parts.by, network);
            let mut groups = self.parts.wanted.database_subnet_groups.iter();
            let Some((key, group)) = groups.find(|((_, it), _)| *it == name) else { continue };
            let subnets: Value = group.subnets.iter().map(|id| self.to(id.as_str())).collect();
            let properties = Properties::from([
                ("DBSubnetGroupName", json!(name)),
                ("DBSubnetGroupDescription", json!("Private subnets of a network of Doorward")),
                ("SubnetIds", subnets),
            ]);
            let is = self.parts.actual.database_subnet_groups.contains_key(key);
            let import = is.then(|| json!({"DBSubnetGroupName": name}));
            let purpose = Purpose::of(network, Part::DatabaseSubnets).to_string();
            let logical = self.names.give("", &purpose);
            self.add(&logical, "AWS::RDS::DBSubnetGroup", properties, Vec::new(), import);
        }
    }
}
