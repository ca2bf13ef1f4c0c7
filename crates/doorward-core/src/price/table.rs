//! The table of prices: read from TOML, looked up by Region and item, never guessed.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::Money;

/// What has a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// A zonal NAT gateway, an hour.
    NatGatewayHour,
    /// A NAT gateway, each GB that it processes.
    NatGatewayGb,
    /// A regional NAT gateway, an hour.
    RegionalNatGatewayHour,
    /// A public IPv4 address, an hour, in use or not.
    #[serde(rename = "public-ipv4-hour")]
    PublicIpv4Hour,
    /// An interface endpoint, an hour in each zone.
    InterfaceEndpointHour,
    /// An interface endpoint, each GB that it processes.
    InterfaceEndpointGb,
    /// Each GB between two zones of a Region, in each direction.
    BetweenZonesGb,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NatGatewayHour => "a NAT gateway",
            Self::NatGatewayGb => "traffic by a NAT gateway",
            Self::RegionalNatGatewayHour => "a regional NAT gateway",
            Self::PublicIpv4Hour => "a public IPv4 address",
            Self::InterfaceEndpointHour => "an interface endpoint in a zone",
            Self::InterfaceEndpointGb => "traffic by an interface endpoint",
            Self::BetweenZonesGb => "traffic between zones",
        })
    }
}

/// How sure a price is, from the surest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sure {
    /// From AWS's price list, or a file that is generated from it.
    List,
    /// Computed from a published bill.
    Bill,
    /// Several pages agree.
    Several,
    /// One page says so.
    One,
}

impl Sure {
    /// Whether the price is shown with "about".
    pub fn is_about(self) -> bool {
        self == Self::One
    }
}

impl fmt::Display for Sure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "from AWS's price list",
            Self::Bill => "computed from a published bill",
            Self::Several => "from several pages with the same price",
            Self::One => "from one page",
        })
    }
}

/// A price of one item in one Region.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For one unit: an hour or a GB.
    #[serde(deserialize_with = "money")]
    pub usd: Money,
    /// How sure it is.
    pub sure: Sure,
    /// The date of the source, like `2026-09-25`.
    pub date: String,
    /// Where it is from.
    pub source: String,
}

fn money<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    price: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    region: String,
    #[serde(flatten)]
    items: BTreeMap<Item, Price>,
}

/// Prices by Region and item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table(BTreeMap<String, BTreeMap<Item, Price>>);

/// A table that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// It is not a table of prices.
    #[error("this is not a table of prices: {0}")]
    Shape(String),
    /// A Region is there twice.
    #[error("the table of prices has {0} twice")]
    Twice(String),
}

/// A price that the table does not have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum NoPrice {
    /// Nothing is known of the Region.
    #[error("the table of prices has nothing for {0}")]
    Region(String),
    /// The Region is there without this item.
    #[error("the table of prices has no price of {item} in {region}")]
    Item {
        /// The Region.
        region: String,
        /// The item.
        item: Item,
    },
}

impl Table {
    /// The table that comes with the program.
    pub fn built_in() -> Result<Self, TableError> {
        Self::read(include_str!("prices.toml"))
    }

    /// Reads a table.
    pub fn read(text: &str) -> Result<Self, TableError> {
        let file: File =
            toml::from_str(text).map_err(|error| TableError::Shape(error.message().to_owned()))?;
        let mut table = Self::default();
        for row in file.price {
            if table.0.contains_key(&row.region) {
                return Err(TableError::Twice(row.region));
            }
            table.0.insert(row.region, row.items);
        }
        Ok(table)
    }

    /// The price of an item in a Region. That of another Region never stands in for it.
    pub fn price(&self, region: &str, item: Item) -> Result<&Price, NoPrice> {
        let items = self.0.get(region).ok_or_else(|| NoPrice::Region(region.to_owned()))?;
        items.get(&item).ok_or_else(|| NoPrice::Item { region: region.to_owned(), item })
    }

    /// The Regions of which something is known.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_says_of_each_price_when_and_where() {
        let table = Table::built_in().expect("a table");
        assert!(table.regions().count() >= 4);
        for region in table.regions() {
            for price in table.0[region].values() {
                assert!(price.date.parse::<jiff::civil::Date>().is_ok(), "{region}: {}", price.date);
                assert!(!price.source.is_empty() && price.usd > Money::default());
            }
        }
        let nat = table.price("eu-west-1", Item::NatGatewayHour).expect("a price");
        assert_eq!((nat.usd.to_string().as_str(), nat.sure), ("$0.048", Sure::List));
    }

    #[test]
    fn what_is_not_there_is_said_and_not_guessed() {
        let table = Table::built_in().expect("a table");
        let check = |region: &str, item, expected: &str| {
            assert_eq!(table.price(region, item).expect_err("no price").to_string(), expected);
        };
        check("sa-east-1", Item::NatGatewayHour, "the table of prices has nothing for sa-east-1");
        check(
            "us-east-1",
            Item::RegionalNatGatewayHour,
            "the table of prices has no price of a regional NAT gateway in us-east-1",
        );
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = Table::read(text).expect_err("no table").to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("x = 1", "unknown field `x`");
        check("[[price]]\n", "missing field `region`");
        check(
            "[[price]]\nregion = \"a\"\ncoffee = { usd = \"1\", sure = \"list\", date = \"d\", source = \"s\" }",
            "coffee",
        );
        check(
            "[[price]]\nregion = \"a\"\nnat-gateway-gb = { usd = \"x\", sure = \"list\", date = \"d\", source = \"s\" }",
            "`x` is not an amount",
        );
        check("[[price]]\nregion = \"a\"\n[[price]]\nregion = \"a\"\n", "has a twice");
    }
}
