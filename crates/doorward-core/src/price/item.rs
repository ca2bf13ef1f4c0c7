//! What has a price, and how AWS's price list names it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use crate::inventory::TypeName;
use crate::topology::Engine;

/// What has a price. In a table it is called by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Item {
    /// A zonal NAT gateway, an hour.
    NatGatewayHour,
    /// A NAT gateway, each GB that it processes.
    NatGatewayGb,
    RegionalNatGatewayHour,
    /// A public IPv4 address, an hour, in use or not.
    PublicIpv4Hour,
    /// An interface endpoint, an hour in each zone.
    InterfaceEndpointHour,
    /// An interface endpoint, each GB that it processes.
    InterfaceEndpointGb,
    /// An application load balancer, an hour.
    LoadBalancerHour,
    /// A capacity unit of an application load balancer (LCU), an hour: how many are used depends on its traffic.
    LoadBalancerUnitHour,
    /// Each GB between two zones of a Region, in each direction.
    BetweenZonesGb,
    /// An instance of a type with Linux, an hour.
    InstanceHour(TypeName),
    /// A volume of gp3, a GB for a month.
    VolumeGbMonth,
    /// A database of an engine and a class in one zone, an hour.
    DatabaseHour(Engine, TypeName),
    /// A database with a standby in another zone, an hour. It is a price of its own, and not twice that of one zone.
    MultiAzDatabaseHour(Engine, TypeName),
    /// The gp3 storage of a database in one zone, a GB for a month.
    DatabaseGbMonth,
    /// The gp3 storage of a database in two zones, a GB for a month.
    MultiAzDatabaseGbMonth,
    /// A snapshot of a database, a GB for a month.
    DatabaseSnapshotGbMonth,
    /// A secret of Secrets Manager, a month.
    SecretMonth,
}

/// A text that is no key of a table of prices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the key of a price")]
pub struct NotAnItem(String);

impl TryFrom<String> for Item {
    type Error = NotAnItem;

    fn try_from(text: String) -> Result<Self, NotAnItem> {
        if let Some(item) = Self::FIXED.into_iter().find(|item| item.key() == text) {
            return Ok(item);
        }
        let typed = |text: &str| {
            let (text, multi) = match text.strip_suffix("-multi-az-hour") {
                Some(rest) => (rest, true),
                None => (text.strip_suffix("-hour")?, false),
            };
            let Some((engine, class)) = text.split_once('.').filter(|(_, class)| class.starts_with("db."))
            else {
                let name: TypeName = text.parse().ok()?;
                return (!multi && !name.is_of_database()).then_some(Self::InstanceHour(name));
            };
            let (engine, class) = (engine.parse().ok()?, class.parse().ok()?);
            Some(if multi {
                Self::MultiAzDatabaseHour(engine, class)
            } else {
                Self::DatabaseHour(engine, class)
            })
        };
        typed(&text).ok_or(NotAnItem(text))
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::InstanceHour(name) => return write!(f, "an instance of the type {name}"),
            Self::DatabaseHour(engine, class) => {
                return write!(f, "a {engine} database of the class {class}");
            }
            Self::MultiAzDatabaseHour(engine, class) => {
                return write!(f, "a {engine} database of the class {class} in two zones");
            }
            Self::VolumeGbMonth => "a volume",
            Self::DatabaseGbMonth => "storage of databases",
            Self::MultiAzDatabaseGbMonth => "storage of databases in two zones",
            Self::DatabaseSnapshotGbMonth => "snapshots of databases",
            Self::SecretMonth => "a secret",
            Self::NatGatewayHour => "a NAT gateway",
            Self::NatGatewayGb => "traffic by a NAT gateway",
            Self::RegionalNatGatewayHour => "a regional NAT gateway",
            Self::PublicIpv4Hour => "a public IPv4 address",
            Self::InterfaceEndpointHour => "an interface endpoint in a zone",
            Self::InterfaceEndpointGb => "traffic by an interface endpoint",
            Self::LoadBalancerHour => "a load balancer",
            Self::LoadBalancerUnitHour => "a capacity unit of a load balancer",
            Self::BetweenZonesGb => "traffic between zones",
        };
        f.write_str(words)
    }
}

impl Item {
    /// All that are no type and no class.
    pub const FIXED: [Self; 14] = [
        Self::NatGatewayHour,
        Self::NatGatewayGb,
        Self::RegionalNatGatewayHour,
        Self::PublicIpv4Hour,
        Self::InterfaceEndpointHour,
        Self::InterfaceEndpointGb,
        Self::LoadBalancerHour,
        Self::LoadBalancerUnitHour,
        Self::BetweenZonesGb,
        Self::VolumeGbMonth,
        Self::DatabaseGbMonth,
        Self::MultiAzDatabaseGbMonth,
        Self::DatabaseSnapshotGbMonth,
        Self::SecretMonth,
    ];

    /// Its key in a table of prices, like `nat-gateway-hour`, `t4g.small-hour` or `postgres.db.t4g.small-multi-az-hour`.
    pub fn key(self) -> Cow<'static, str> {
        let key = match self {
            Self::InstanceHour(name) => return format!("{name}-hour").into(),
            Self::DatabaseHour(engine, class) => return format!("{engine}.{class}-hour").into(),
            Self::MultiAzDatabaseHour(engine, class) => {
                return format!("{engine}.{class}-multi-az-hour").into();
            }
            Self::VolumeGbMonth => "volume-gb-month",
            Self::DatabaseGbMonth => "database-gb-month",
            Self::MultiAzDatabaseGbMonth => "multi-az-database-gb-month",
            Self::DatabaseSnapshotGbMonth => "database-snapshot-gb-month",
            Self::SecretMonth => "secret-month",
            Self::NatGatewayHour => "nat-gateway-hour",
            Self::NatGatewayGb => "nat-gateway-gb",
            Self::RegionalNatGatewayHour => "regional-nat-gateway-hour",
            Self::PublicIpv4Hour => "public-ipv4-hour",
            Self::InterfaceEndpointHour => "interface-endpoint-hour",
            Self::InterfaceEndpointGb => "interface-endpoint-gb",
            Self::LoadBalancerHour => "load-balancer-hour",
            Self::LoadBalancerUnitHour => "load-balancer-unit-hour",
            Self::BetweenZonesGb => "between-zones-gb",
        };
        key.into()
    }

    /// What the price is for one of.
    pub fn unit(self) -> &'static str {
        match self {
            Self::NatGatewayHour
            | Self::RegionalNatGatewayHour
            | Self::PublicIpv4Hour
            | Self::InterfaceEndpointHour
            | Self::LoadBalancerHour
            | Self::LoadBalancerUnitHour
            | Self::InstanceHour(_)
            | Self::DatabaseHour(..)
            | Self::MultiAzDatabaseHour(..) => "hour",
            Self::VolumeGbMonth
            | Self::DatabaseGbMonth
            | Self::MultiAzDatabaseGbMonth
            | Self::DatabaseSnapshotGbMonth => "GB and month",
            Self::SecretMonth => "month",
            Self::NatGatewayGb | Self::InterfaceEndpointGb | Self::BetweenZonesGb => "GB",
        }
    }

    /// The item of a usage type, like `EU-NatGateway-Hours`: a prefix stands for the Region, and us-east-1 has none. Instances
    /// with another system than Linux, and databases of another engine, differ only in the operation.
    ///
    /// Others that are named alike have prices of their own: `NatGateway-Prvd-Bytes`, `VpcEndpoint-GWLBE-Hours`.
    pub(super) fn of_usage_type(text: &str, operation: Option<&str>) -> Option<Self> {
        let is_prefix = |prefix: &str| {
            !prefix.is_empty()
                && prefix.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        let usage =
            text.split_once('-').filter(|(prefix, _)| is_prefix(prefix)).map_or(text, |(_, usage)| usage);
        let named = |text: &str| text.parse::<TypeName>().ok();
        if let Some((kind, name)) = usage.split_once(':').filter(|(_, name)| name.contains('.')) {
            // Billing user guide, "Operation": 0002 is MySQL, and 0014 PostgreSQL.
            let engine = match operation {
                Some("CreateDBInstance:0002") => Some(Engine::Mysql),
                Some("CreateDBInstance:0014") => Some(Engine::Postgres),
                _ => None,
            };
            return match kind {
                "BoxUsage" if operation == Some("RunInstances") => named(name).map(Self::InstanceHour),
                "InstanceUsage" => Some(Self::DatabaseHour(engine?, named(name)?)),
                "Multi-AZUsage" => Some(Self::MultiAzDatabaseHour(engine?, named(name)?)),
                "EBS" if name == "VolumeUsage.gp3" => Some(Self::VolumeGbMonth),
                _ => None,
            };
        }
        let is_application = operation == Some("LoadBalancing:Application");
        Some(match usage {
            "RDS:GP3-Storage" => Self::DatabaseGbMonth,
            "RDS:Multi-AZ-GP3-Storage" => Self::MultiAzDatabaseGbMonth,
            "RDS:ChargedBackupUsage" => Self::DatabaseSnapshotGbMonth,
            // Those of other kinds have the same usage types.
            "LoadBalancerUsage" if is_application => Self::LoadBalancerHour,
            "LCUUsage" if is_application => Self::LoadBalancerUnitHour,
            "NatGateway-Hours" => Self::NatGatewayHour,
            "NatGateway-Bytes" => Self::NatGatewayGb,
            "RegionalNatGateway-Hours" => Self::RegionalNatGatewayHour,
            "PublicIPv4:InUseAddress" => Self::PublicIpv4Hour,
            "VpcEndpoint-Hours" => Self::InterfaceEndpointHour,
            "VpcEndpoint-Bytes" => Self::InterfaceEndpointGb,
            "DataTransfer-Regional-Bytes" => Self::BetweenZonesGb,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_one_that_a_table_has() {
        let (size, class) = ("t4g.small".parse().expect("a type"), "db.t4g.micro".parse().expect("a class"));
        let typed = [
            Item::InstanceHour(size),
            Item::DatabaseHour(Engine::Postgres, class),
            Item::MultiAzDatabaseHour(Engine::Mysql, class),
        ];
        for item in Item::FIXED.into_iter().chain(typed) {
            let read: Item = serde_json::from_value(item.key().into_owned().into()).expect("an item");
            assert_eq!(read, item);
        }
        for text in [
            "",
            "hour",
            "t4g-hour",
            "db.t4g.micro-hour",
            "oracle.db.t4g.micro-hour",
            "t4g.small-multi-az-hour",
        ] {
            assert!(Item::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn usage_types_of_all_regions_are_known_and_those_of_others_are_not() {
        let check = |text: &str, expected: Option<Item>| {
            assert_eq!(Item::of_usage_type(text, Some("RunInstances")), expected, "{text}");
        };
        check("NatGateway-Hours", Some(Item::NatGatewayHour));
        check("EU-NatGateway-Hours", Some(Item::NatGatewayHour));
        check("APS3-NatGateway-Bytes", Some(Item::NatGatewayGb));
        check("EU-RegionalNatGateway-Hours", Some(Item::RegionalNatGatewayHour));
        check("EUC1-PublicIPv4:InUseAddress", Some(Item::PublicIpv4Hour));
        check("EU-PublicIPv4:IdleAddress", None);
        check("EU-NatGateway-Prvd-Bytes", None);
        check("USE1-VpcEndpoint-GWLBE-Hours", None);
        let small = "t4g.small".parse().expect("a type");
        check("EU-BoxUsage:t4g.small", Some(Item::InstanceHour(small)));
        check("EU-UnusedBox:t4g.small", None);
        check("EUC1-EBS:VolumeUsage.gp3", Some(Item::VolumeGbMonth));
        check("EU-EBS:VolumeUsage.gp2", None);
        check("EU-RDS:GP3-Storage", Some(Item::DatabaseGbMonth));
        check("EU-InstanceUsage:db.t4g.micro", None);
        let of = |operation| Item::of_usage_type("EU-Multi-AZUsage:db.t4g.micro", Some(operation));
        let micro = "db.t4g.micro".parse().expect("a class");
        assert_eq!(of("CreateDBInstance:0014"), Some(Item::MultiAzDatabaseHour(Engine::Postgres, micro)));
        assert_eq!(of("CreateDBInstance:0018"), None);
        assert_eq!(Item::of_usage_type("EU-BoxUsage:t4g.small", Some("RunInstances:0002")), None);
        check("", None);
    }
}
