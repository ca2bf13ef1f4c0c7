//! The table of prices: read from TOML, looked up by Region and item, never guessed.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::{Item, Money};

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

impl Sure {
    /// As a table says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Bill => "bill",
            Self::Several => "several",
            Self::One => "one",
        }
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
    Item { region: String, item: Item },
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

    /// Adds a price, in place of the one that is there.
    pub fn put(&mut self, region: &str, item: Item, price: Price) {
        self.0.entry(region.to_owned()).or_default().insert(item, price);
    }

    /// These prices, and those of another table where there are none here.
    #[must_use]
    pub fn over(mut self, other: Self) -> Self {
        for (region, items) in other.0 {
            let own = self.0.entry(region).or_default();
            for (item, price) in items {
                own.entry(item).or_insert(price);
            }
        }
        self
    }

    /// The prices of a Region, by item.
    pub fn prices(&self, region: &str) -> impl Iterator<Item = (Item, &Price)> {
        self.0.get(region).into_iter().flatten().map(|(item, price)| (*item, price))
    }

    /// Whether it has no price.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(BTreeMap::is_empty)
    }

    /// The Regions of which something is known.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// As [`Table::read`] reads it.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        for (number, (region, items)) in self.0.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            writeln!(f, "[[price]]\nregion = {}", quoted(region))?;
            for (item, Price { usd, sure, date, source }) in items {
                let usd = usd.to_string().replace('$', "");
                let (key, sure) = (item.key(), sure.word());
                // A point divides a key of TOML.
                let key = if key.contains('.') { quoted(&key) } else { key.into_owned() };
                writeln!(
                    f,
                    "{key} = {{ usd = \"{usd}\", sure = \"{sure}\", date = {}, source = {} }}",
                    quoted(date),
                    quoted(source)
                )?;
            }
        }
        Ok(())
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
    fn a_table_reads_as_it_writes() {
        let table = Table::built_in().expect("a table");
        assert_eq!(Table::read(&table.to_string()).as_ref(), Ok(&table));
    }

    #[test]
    fn one_table_over_another_has_the_prices_of_both() {
        let price = |usd: &str| Price {
            usd: usd.parse().expect("an amount"),
            sure: Sure::List,
            date: "2026-11-30".into(),
            source: "a test".into(),
        };
        let mut own = Table::default();
        own.put("eu-west-1", Item::NatGatewayHour, price("0.05"));
        own.put("sa-east-1", Item::NatGatewayHour, price("0.093"));
        let both = own.over(Table::built_in().expect("a table"));
        let usd = |region, item| both.price(region, item).map(|price| price.usd.to_string());
        assert_eq!(usd("eu-west-1", Item::NatGatewayHour).as_deref(), Ok("$0.05"));
        assert_eq!(usd("eu-west-1", Item::NatGatewayGb).as_deref(), Ok("$0.048"));
        assert_eq!(usd("sa-east-1", Item::NatGatewayHour).as_deref(), Ok("$0.093"));
        assert!(both.price("sa-east-1", Item::NatGatewayGb).is_err());
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
