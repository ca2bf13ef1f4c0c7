//! Reads a template into the account that it makes, from CloudFormation's documentation of each type.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde_json::{Map, Value};

use crate::inventory::*;
use crate::net::{Cidr, Flow};
use crate::topology::DefaultParts;

/// The rules that AWS makes with the default security group of a VPC.
pub(super) fn made_by_aws(group: &SecurityGroupId) -> BTreeMap<RuleIdentity, ExistingRule> {
    let rule = |direction, peer| RuleIdentity { direction, flow: Flow::All, peer };
    let everybody = Peer::Cidr("0.0.0.0/0".parse().expect("a prefix"));
    let rules = [rule(Direction::In, Peer::Group(group.clone())), rule(Direction::Out, everybody)];
    rules.into_iter().map(|rule| (rule, ExistingRule::default())).collect()
}

struct Reader<'a> {
    resources: &'a Map<String, Value>,
    account_region: &'a AccountRegion,
    addresses: &'a BTreeMap<String, Ipv4Addr>,
    account: Inventory,
}

/// The account; `addresses` are those of elastic addresses by their purposes.
pub(super) fn read(
    template: &Value,
    account_region: &AccountRegion,
    addresses: &BTreeMap<String, Ipv4Addr>,
) -> Inventory {
    let resources = template["Resources"].as_object().expect("resources");
    let mut reader = Reader { resources, account_region, addresses, account: Inventory::default() };
    const ORDER: [&str; 14] = [
        "AWS::EC2::VPC",
        "AWS::EC2::Subnet",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::EC2::EIP",
        "AWS::EC2::NatGateway",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::Route",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::VPCEndpoint",
        "AWS::RDS::DBSubnetGroup",
    ];
    assert!(resources.values().all(|it| ORDER.contains(&it["Type"].as_str().expect("a type"))));
    for kind in ORDER {
        for resource in resources.values().filter(|it| it["Type"] == kind) {
            reader.resource(kind, &resource["Properties"]);
        }
    }
    reader.account
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn tags(properties: &Value) -> Tags {
    let tags = properties["Tags"].as_array().expect("tags");
    tags.iter().map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}

/// What a resource is for, which is its planned id.
fn purpose(properties: &Value) -> String {
    tags(properties)["doorward:part"].clone()
}

fn cidr(value: &Value) -> Cidr {
    text(value).parse().expect("a prefix")
}

impl Reader<'_> {
    /// The planned id of what is referred to.
    fn to<I: PlannedId>(&self, value: &Value) -> I {
        I::planned(&self.referred(value))
    }

    fn referred(&self, value: &Value) -> String {
        let name = value.get("Ref").or_else(|| value.get("Fn::GetAtt").map(|it| &it[0]));
        let name = text(name.unwrap_or_else(|| panic!("no reference: {value}")));
        purpose(&self.resources[&name]["Properties"])
    }

    fn all<I: PlannedId + Ord>(&self, list: &Value) -> BTreeSet<I> {
        list.as_array().expect("a list").iter().map(|it| self.to(it)).collect()
    }

    fn resource(&mut self, kind: &str, of: &Value) {
        match kind {
            "AWS::EC2::VPC" => self.vpc(of),
            "AWS::EC2::Subnet" => self.subnet(of),
            "AWS::EC2::InternetGateway" => {
                let id = InternetGatewayId::planned(&purpose(of));
                let gateway = InternetGateway { id: id.clone(), vpc: None, tags: tags(of) };
                self.account.internet_gateways.insert(id, gateway);
            }
            "AWS::EC2::VPCGatewayAttachment" => {
                let (id, vpc) =
                    (self.to::<InternetGatewayId>(&of["InternetGatewayId"]), self.to(&of["VpcId"]));
                self.account.internet_gateways.get_mut(&id).expect("a gateway").vpc = Some(vpc);
            }
            "AWS::EC2::EIP" => {
                let public = self.addresses[&purpose(of)];
                let (allocation, private, interface) = (None, None, None);
                let tags = tags(of);
                let address = ElasticAddress { public, allocation, private, interface, tags };
                self.account.elastic_addresses.insert(public, address);
            }
            "AWS::EC2::NatGateway" => self.nat_gateway(of),
            "AWS::EC2::RouteTable" => self.table(of),
            "AWS::EC2::SubnetRouteTableAssociation" => {
                let (id, subnet) = (self.to::<RouteTableId>(&of["RouteTableId"]), self.to(&of["SubnetId"]));
                self.account.route_tables.get_mut(&id).expect("a table").subnets.insert(subnet);
            }
            "AWS::EC2::Route" => self.route(of),
            "AWS::EC2::SecurityGroup" => self.group(of),
            "AWS::EC2::SecurityGroupIngress" => self.rule(of, Direction::In, "Source"),
            "AWS::EC2::SecurityGroupEgress" => self.rule(of, Direction::Out, "Destination"),
            "AWS::EC2::VPCEndpoint" => self.endpoint(of),
            "AWS::RDS::DBSubnetGroup" => {
                let subnets: BTreeSet<SubnetId> = self.all(&of["SubnetIds"]);
                let vpc = self.account.subnets[subnets.first().expect("a subnet")].vpc.clone();
                let name = text(&of["DBSubnetGroupName"]);
                let group = SubnetGroup {
                    name: name.clone(),
                    account_region: self.account_region.clone(),
                    vpc: Some(vpc),
                    subnets,
                };
                self.account.database_subnet_groups.insert((self.account_region.clone(), name), group);
            }
            other => panic!("{other} is not read"),
        }
    }

    fn vpc(&mut self, of: &Value) {
        let vpc = Vpc {
            id: VpcId::planned(&purpose(of)),
            account_region: self.account_region.clone(),
            owner: None,
            cidrs: [cidr(&of["CidrBlock"])].into(),
            default: false,
            dns: DnsAttributes {
                support: of["EnableDnsSupport"].as_bool(),
                hostnames: of["EnableDnsHostnames"].as_bool(),
            },
            tags: tags(of),
        };
        let network = purpose(of).split('/').next().expect("a network").to_owned();
        let parts = DefaultParts {
            table: RouteTableId::planned(&format!("{network}/main-route-table")),
            acl: NetworkAclId::planned(&format!("{network}/default-network-acl")),
            group: SecurityGroupId::planned(&format!("{network}/default-security-group")),
        };
        parts.add(&mut self.account, &vpc);
        self.account.groups.get_mut(&parts.group).expect("a group").rules = made_by_aws(&parts.group);
        self.account.vpcs.insert(vpc.id.clone(), vpc);
    }

    fn subnet(&mut self, of: &Value) {
        let subnet = Subnet {
            id: SubnetId::planned(&purpose(of)),
            vpc: self.to(&of["VpcId"]),
            // Site::zones has the names.
            zone: Some(text(&of["AvailabilityZoneId"]).replace("euw1-az", "eu-west-1")),
            zone_id: Some(text(&of["AvailabilityZoneId"])),
            cidrs: [cidr(&of["CidrBlock"])].into(),
            tags: tags(of),
        };
        let acl = self.account.network_acls.values_mut().find(|acl| acl.vpc == subnet.vpc);
        acl.expect("an ACL").subnets.insert(subnet.id.clone());
        self.account.subnets.insert(subnet.id.clone(), subnet);
    }

    fn nat_gateway(&mut self, of: &Value) {
        let id = NatGatewayId::planned(&purpose(of));
        let zonal = of.get("SubnetId").map(|subnet| self.to::<SubnetId>(subnet));
        let public_address = of.get("AllocationId").map(|it| self.addresses[&self.referred(it)]);
        let (vpc, availability) = match zonal {
            Some(subnet) => (self.account.subnets[&subnet].vpc.clone(), NatAvailability::Zonal(subnet)),
            None => {
                assert_eq!(of["AvailabilityMode"], "regional");
                (self.to(&of["VpcId"]), NatAvailability::Regional(None))
            }
        };
        let gateway = NatGateway {
            id: id.clone(),
            vpc,
            availability,
            state: "available".into(),
            public: of["ConnectivityType"] == "public",
            private_address: None,
            public_address,
            interface: None,
            tags: tags(of),
        };
        self.account.nat_gateways.insert(id, gateway);
    }

    fn table(&mut self, of: &Value) {
        let vpc: VpcId = self.to(&of["VpcId"]);
        let local = |cidr: &Cidr| Route {
            destination: Destination::Cidr(*cidr),
            target: RouteTarget::Local,
            propagated: false,
            blackhole: false,
        };
        let table = RouteTable {
            id: RouteTableId::planned(&purpose(of)),
            routes: self.account.vpcs[&vpc].cidrs.iter().map(local).collect(),
            vpc,
            main: false,
            subnets: BTreeSet::new(),
            gateways: BTreeSet::new(),
            incomplete: false,
            tags: tags(of),
        };
        self.account.route_tables.insert(table.id.clone(), table);
    }

    fn route(&mut self, of: &Value) {
        let target = match of.get("NatGatewayId") {
            Some(id) => RouteTarget::NatGateway(self.to(id)),
            None => RouteTarget::InternetGateway(self.to(&of["GatewayId"])),
        };
        let destination = Destination::Cidr(cidr(&of["DestinationCidrBlock"]));
        let id: RouteTableId = self.to(&of["RouteTableId"]);
        let table = self.account.route_tables.get_mut(&id).expect("a table");
        table.routes.push(Route { destination, target, propagated: false, blackhole: false });
    }

    fn group(&mut self, of: &Value) {
        let nothing = of["SecurityGroupEgress"].as_array().expect("rules");
        assert!(nothing.len() == 1 && nothing[0]["CidrIp"] == "127.0.0.1/32", "{nothing:?}");
        let group = SecurityGroup {
            id: SecurityGroupId::planned(&purpose(of)),
            account_region: self.account_region.clone(),
            owner: None,
            vpc: Some(self.to(&of["VpcId"])),
            name: text(&of["GroupName"]),
            about: text(&of["GroupDescription"]),
            tags: tags(of),
            rules: BTreeMap::new(),
        };
        self.account.groups.insert(group.id.clone(), group);
    }

    fn rule(&mut self, of: &Value, direction: Direction, peer: &str) {
        let ports = |of: &Value| {
            let (from, to) =
                (of["FromPort"].as_i64().expect("a port"), of["ToPort"].as_i64().expect("a port"));
            if from == to { from.to_string() } else { format!("{from}-{to}") }
        };
        let flow = match text(&of["IpProtocol"]).as_str() {
            "-1" => "all".to_owned(),
            "icmp" => "icmp".to_owned(),
            "icmpv6" => "icmpv6".to_owned(),
            protocol => format!("{protocol}/{}", ports(of)),
        };
        let group = of.get(format!("{peer}SecurityGroupId")).map(|id| Peer::Group(self.to(id)));
        let peer = group.unwrap_or_else(|| {
            Peer::Cidr(cidr(of.get("CidrIp").or_else(|| of.get("CidrIpv6")).expect("a prefix")))
        });
        let rule = RuleIdentity { direction, flow: flow.parse().expect("a flow"), peer };
        let standing = ExistingRule { description: text(&of["Description"]), ..ExistingRule::default() };
        let id: SecurityGroupId = self.to(&of["GroupId"]);
        self.account.groups.get_mut(&id).expect("a group").rules.insert(rule, standing);
    }

    fn endpoint(&mut self, of: &Value) {
        let is_gateway = of["VpcEndpointType"] == "Gateway";
        let endpoint = Endpoint {
            id: EndpointId::planned(&purpose(of)),
            vpc: self.to(&of["VpcId"]),
            kind: if is_gateway { EndpointKind::Gateway } else { EndpointKind::Interface },
            service: text(&of["ServiceName"]),
            state: "available".into(),
            tables: if is_gateway { self.all(&of["RouteTableIds"]) } else { BTreeSet::new() },
            subnets: if is_gateway { BTreeSet::new() } else { self.all(&of["SubnetIds"]) },
            interfaces: BTreeSet::new(),
            groups: if is_gateway { BTreeSet::new() } else { self.all(&of["SecurityGroupIds"]) },
            tags: tags(of),
        };
        assert!(is_gateway || of["PrivateDnsEnabled"] == true);
        self.account.endpoints.insert(endpoint.id.clone(), endpoint);
    }
}
