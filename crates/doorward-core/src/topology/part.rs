//! What a resource of a network is for, as its tag says: by this a resource is found again, whatever its name.

use std::fmt;
use std::str::FromStr;

use super::{EndpointService, EnvironmentPart, SubnetKind, ZoneId};
use crate::name::{EnvironmentName, NetworkName, RoleName};

/// What a resource is for: the value of the tag [`Mark::PART_TAG`](crate::mark::Mark::PART_TAG).
///
/// EC2 has no token for a VPC, a subnet, a security group, an internet gateway or an elastic address. So each is made with
/// this tag in the creating call, and is looked up by it before another is made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purpose {
    pub network: NetworkName,
    /// Which part of it.
    pub part: Part,
}

impl Purpose {
    /// A part of a network.
    pub fn of(network: &NetworkName, part: Part) -> Self {
        Self { network: network.clone(), part }
    }

    /// The value of the tag `Name`, which people read in the console and may change.
    pub fn name(&self) -> String {
        let Self { network, part } = self;
        match part {
            Part::Vpc => network.to_string(),
            Part::Role(role) => format!("{network}-{role}"),
            Part::Environment(environment, part) => format!("{network}-{environment}-{part}"),
            part => format!("{network}-{}", part.to_string().replace('/', "-")),
        }
    }

    /// In words, like "the private subnet in euw1-az1 of the network main".
    pub fn words(&self) -> String {
        format!("the {} of the network {}", self.part.words(), self.network)
    }
}

/// A part of a network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Vpc,
    /// The main route table of a VPC that is made: AWS makes it with the VPC, and it stays as it is.
    MainTable,
    /// The default network ACL of a VPC that is made.
    DefaultAcl,
    /// The default security group of a VPC that is made, which is emptied.
    DefaultGroup,
    InternetGateway,
    Subnet(SubnetKind, ZoneId),
    /// The route table of its public subnets.
    PublicTable,
    /// The route table of the private subnet in a zone.
    PrivateTable(ZoneId),
    /// The elastic address of the NAT gateway in a zone.
    NatAddress(ZoneId),
    /// The NAT gateway in a zone.
    NatGateway(ZoneId),
    /// The NAT gateway in all zones.
    RegionalNatGateway,
    /// A VPC endpoint.
    Endpoint(EndpointService),
    /// The security group of its interface endpoints.
    EndpointGroup,
    /// The DB subnet group.
    DatabaseSubnets,
    /// The security group of a role.
    Role(RoleName),
    /// A part of an environment.
    Environment(EnvironmentName, EnvironmentPart),
}

impl Part {
    fn words(&self) -> String {
        match self {
            Self::Vpc => "VPC".into(),
            Self::MainTable => "main route table".into(),
            Self::DefaultAcl => "default network ACL".into(),
            Self::DefaultGroup => "default security group".into(),
            Self::InternetGateway => "internet gateway".into(),
            Self::Subnet(kind, zone) => format!("{kind} subnet in {zone}"),
            Self::PublicTable => "route table for public subnets".into(),
            Self::PrivateTable(zone) => format!("route table for the private subnet in {zone}"),
            Self::NatAddress(zone) => format!("elastic address of the NAT gateway in {zone}"),
            Self::NatGateway(zone) => format!("NAT gateway in {zone}"),
            Self::RegionalNatGateway => "regional NAT gateway".into(),
            Self::Endpoint(service) => format!("VPC endpoint for {service}"),
            Self::EndpointGroup => "security group for interface endpoints".into(),
            Self::DatabaseSubnets => "DB subnet group".into(),
            Self::Role(role) => format!("security group for the role {role}"),
            Self::Environment(environment, part) => {
                format!("{} of the environment {environment}", part.words())
            }
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vpc => f.write_str("vpc"),
            Self::MainTable => f.write_str("main-route-table"),
            Self::DefaultAcl => f.write_str("default-network-acl"),
            Self::DefaultGroup => f.write_str("default-security-group"),
            Self::InternetGateway => f.write_str("internet-gateway"),
            Self::Subnet(kind, zone) => write!(f, "{kind}-subnet/{zone}"),
            Self::PublicTable => f.write_str("public-route-table"),
            Self::PrivateTable(zone) => write!(f, "private-route-table/{zone}"),
            Self::NatAddress(zone) => write!(f, "nat-address/{zone}"),
            Self::NatGateway(zone) => write!(f, "nat-gateway/{zone}"),
            Self::RegionalNatGateway => f.write_str("nat-gateway"),
            Self::Endpoint(service) => write!(f, "endpoint/{service}"),
            Self::EndpointGroup => f.write_str("endpoint-security-group"),
            Self::DatabaseSubnets => f.write_str("db-subnet-group"),
            Self::Role(role) => write!(f, "role/{role}"),
            Self::Environment(environment, part) => write!(f, "environment/{environment}/{part}"),
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.part)
    }
}

/// A text that says no purpose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a part of a network (like `main/private-subnet/euw1-az1`)")]
pub struct NotAPurpose(String);

impl FromStr for Purpose {
    type Err = NotAPurpose;

    fn from_str(text: &str) -> Result<Self, NotAPurpose> {
        purpose(text).ok_or_else(|| NotAPurpose(text.into()))
    }
}

fn purpose(text: &str) -> Option<Purpose> {
    let words: Vec<&str> = text.split('/').collect();
    let (network, rest) = words.split_first()?;
    let part = match *rest {
        ["vpc"] => Part::Vpc,
        ["main-route-table"] => Part::MainTable,
        ["default-network-acl"] => Part::DefaultAcl,
        ["default-security-group"] => Part::DefaultGroup,
        ["internet-gateway"] => Part::InternetGateway,
        ["public-subnet", zone] => Part::Subnet(SubnetKind::Public, zone.parse().ok()?),
        ["private-subnet", zone] => Part::Subnet(SubnetKind::Private, zone.parse().ok()?),
        ["public-route-table"] => Part::PublicTable,
        ["private-route-table", zone] => Part::PrivateTable(zone.parse().ok()?),
        ["nat-address", zone] => Part::NatAddress(zone.parse().ok()?),
        ["nat-gateway", zone] => Part::NatGateway(zone.parse().ok()?),
        ["nat-gateway"] => Part::RegionalNatGateway,
        ["endpoint", service] => Part::Endpoint(service.parse().ok()?),
        ["endpoint-security-group"] => Part::EndpointGroup,
        ["db-subnet-group"] => Part::DatabaseSubnets,
        ["role", role] => Part::Role(role.parse().ok()?),
        ["environment", name, part] => {
            let part = EnvironmentPart::ALL.into_iter().find(|it| it.word() == part)?;
            Part::Environment(name.parse().ok()?, part)
        }
        _ => return None,
    };
    Some(Purpose { network: network.parse().ok()?, part })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_reads_as_it_is_written_and_fits_a_tag() {
        let zone: ZoneId = "euw1-az1".parse().expect("a zone");
        let parts = [
            Part::Vpc,
            Part::MainTable,
            Part::DefaultAcl,
            Part::DefaultGroup,
            Part::InternetGateway,
            Part::Subnet(SubnetKind::Public, zone.clone()),
            Part::Subnet(SubnetKind::Private, zone.clone()),
            Part::PublicTable,
            Part::PrivateTable(zone.clone()),
            Part::NatAddress(zone.clone()),
            Part::NatGateway(zone),
            Part::RegionalNatGateway,
            Part::Endpoint("ecr.api".parse().expect("a service")),
            Part::EndpointGroup,
            Part::DatabaseSubnets,
            Part::Role("db_connect".parse().expect("a role")),
            Part::Environment("dev".parse().expect("a name"), EnvironmentPart::Instance),
            Part::Environment("e".repeat(32).parse().expect("a name"), EnvironmentPart::Database),
            Part::Environment("prod".parse().expect("a name"), EnvironmentPart::ScalingGroup),
        ];
        for part in parts {
            let purpose = Purpose { network: "n".repeat(63).parse().expect("a name"), part };
            assert_eq!(purpose.to_string().parse(), Ok(purpose.clone()));
            // Of a tag's value AWS takes 256 characters (EC2 user guide, tag restrictions).
            assert!(purpose.to_string().len() <= 256 && purpose.name().len() <= 256);
        }
        for text in
            ["", "main", "main/vpc/x", "main/public-subnet/eu-west-1a", "a b/vpc", "main/role/default"]
        {
            assert!(text.parse::<Purpose>().is_err(), "{text}");
        }
    }

    #[test]
    fn people_read_what_a_part_is() {
        let purpose: Purpose = "main/private-subnet/euw1-az2".parse().expect("a purpose");
        assert_eq!(purpose.words(), "the private subnet in euw1-az2 of the network main");
        assert_eq!(purpose.name(), "main-private-subnet-euw1-az2");
    }
}
