//! The shapes of AWS's price list, as far as prices are read from it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::price::Money;

/// A product.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Product {
    pub(super) sku: String,
    pub(super) attributes: Attributes,
}

/// What a product is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Attributes {
    #[serde(rename = "regionCode")]
    pub(super) region: Option<String>,
    #[serde(rename = "usagetype")]
    pub(super) usage_type: Option<String>,
    pub(super) operation: Option<String>,
    #[serde(rename = "locationType")]
    pub(super) location_type: Option<String>,
}

/// One member of an answer.
#[derive(Debug, Deserialize)]
pub(super) struct Offer {
    pub(super) product: Product,
    #[serde(default)]
    pub(super) terms: Terms,
    #[serde(rename = "publicationDate", default)]
    pub(super) publication_date: Option<String>,
}

/// The terms of a product.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Terms {
    #[serde(rename = "OnDemand", default)]
    pub(super) on_demand: BTreeMap<String, Term>,
}

/// The prices of one term.
#[derive(Debug, Deserialize)]
pub(super) struct Term {
    #[serde(rename = "priceDimensions", default)]
    dimensions: BTreeMap<String, Dimension>,
}

#[derive(Debug, Deserialize)]
struct Dimension {
    #[serde(rename = "beginRange", default)]
    begin: Option<String>,
    #[serde(rename = "pricePerUnit", default)]
    per_unit: BTreeMap<String, String>,
}

impl Term {
    /// The price of the first unit, where it is one in US dollars; later ranges are cheaper.
    pub(super) fn first_usd(&self) -> Vec<Result<Money, String>> {
        let first = |dimension: &&Dimension| dimension.begin.as_deref().is_none_or(|begin| begin == "0");
        let dimensions = self.dimensions.values().filter(first);
        let usd = dimensions.filter_map(|dimension| dimension.per_unit.get("USD"));
        usd.map(|usd| amount(usd)).collect()
    }
}

/// An amount with ten digits behind the point, of which the last are zeros.
fn amount(text: &str) -> Result<Money, String> {
    let short = match text.split_once('.') {
        Some((whole, part)) => match part.trim_end_matches('0') {
            "" => whole.to_owned(),
            part => format!("{whole}.{part}"),
        },
        None => text.to_owned(),
    };
    short.parse().map_err(|error: crate::price::NotMoney| error.to_string())
}
