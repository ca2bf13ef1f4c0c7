//! Reads prices out of AWS's price list: recorded answers of `aws pricing get-products`, or an offer file as a stream.
//!
//! Both have the same content. An answer has a list of products, each as a text with its own terms; an offer file has all
//! products and then all terms, by SKU, and may have hundreds of megabytes, so that only what has a price here is kept.
//!
//! Source: AWS Billing user guide, "Using the AWS Price List Query API" and "Reading an offer file".

mod offer;
mod stream;

use std::collections::BTreeMap;
use std::io::Read;

use super::{Item, Price, Sure, Table};
use offer::{Product, Term};

/// Prices that were read so far.
#[derive(Debug, Default)]
pub struct Import {
    table: Table,
    /// What was left out, and why.
    notes: Vec<String>,
    /// How many products have a price here.
    products: usize,
}

/// A file that has no prices.
#[derive(Debug, thiserror::Error)]
pub enum Unimported {
    /// It is not JSON, or ends within it.
    #[error("it is not JSON as AWS writes it (line {line}, column {column})")]
    NotJson {
        /// The line, from one on.
        line: usize,
        /// The column, from one on.
        column: usize,
    },
    /// It ends too early.
    #[error("it ends before its JSON is complete")]
    CutShort,
    /// It cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// It is something else.
    #[error("it has neither `PriceList` nor `products` and `terms`, so it is not part of AWS's price list")]
    NotPrices,
}

impl From<serde_json::Error> for Unimported {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            serde_json::error::Category::Eof => Self::CutShort,
            serde_json::error::Category::Io => Self::Unreadable(error.into()),
            _ => Self::NotJson { line: error.line(), column: error.column() },
        }
    }
}

impl Import {
    /// Reads one file. What has no price here is passed over; `name` stands in the notes.
    pub fn read(&mut self, name: &str, input: impl Read) -> Result<(), Unimported> {
        stream::read(self, name, input)
    }

    /// The prices that were read.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What was left out, and why.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How many products have a price here.
    pub fn products(&self) -> usize {
        self.products
    }

    /// Takes the terms of one product.
    fn take(
        &mut self,
        name: &str,
        (region, item): &(String, Item),
        terms: &BTreeMap<String, Term>,
        date: &str,
    ) {
        self.products += 1;
        let mut usd = terms.values().flat_map(Term::first_usd);
        let (first, second) = (usd.next(), usd.next());
        let why = match (first, second) {
            (Some(Ok(usd)), None) => {
                let source = "AWS's price list".to_owned();
                return self.put(
                    name,
                    region,
                    *item,
                    Price { usd, sure: Sure::List, date: date.to_owned(), source },
                );
            }
            (Some(Err(why)), None) => why,
            (None, _) => "it has no price in US dollars".to_owned(),
            (Some(_), Some(_)) => "it has several prices".to_owned(),
        };
        self.note(format!("{name}: {item} in {region} is left out: {why}"));
    }

    fn put(&mut self, name: &str, region: &str, item: Item, price: Price) {
        match self.table.price(region, item) {
            Ok(before) if before.usd != price.usd && before.date == price.date => {
                let (one, other) = (before.usd, price.usd);
                self.note(format!(
                    "{name}: {item} in {region} has two prices of the same day, {one} and {other}; the first is used"
                ));
            }
            // Of two days, the later counts.
            Ok(before) if before.date > price.date => {}
            _ => self.table.put(region, item, price),
        }
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// The Region and the item of a product; none if it has no price here.
fn of_product(product: &Product) -> Option<(String, Item)> {
    let attributes = &product.attributes;
    let operation = attributes.operation.as_deref().filter(|operation| !operation.is_empty());
    let item = Item::of_usage_type(attributes.usage_type.as_deref()?, operation)?;
    let in_region = attributes.location_type.as_deref().is_none_or(|kind| kind == "AWS Region");
    // The gateway load balancer and others share usage types with other operations.
    let expected = match item {
        Item::NatGatewayHour | Item::NatGatewayGb => Some("NatGateway"),
        Item::RegionalNatGatewayHour => Some("RegionalNatGateway"),
        _ => None,
    };
    let fits = expected.is_none() || operation.is_none() || operation == expected;
    let region = attributes.region.clone().filter(|region| !region.is_empty())?;
    (in_region && fits).then_some((region, item))
}

#[cfg(test)]
mod tests;
