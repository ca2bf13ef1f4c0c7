//! Walks a document of AWS's price list without holding it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::offer::{Offer, Product, Term};
use super::{Import, Unimported, of_product};
use crate::price::Item;

/// Reads one document.
pub(super) fn read(import: &mut Import, name: &str, input: impl Read) -> Result<(), Unimported> {
    let mut document = Document { import, name, date: None, kept: BTreeMap::new(), seen: false };
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    (&mut document).deserialize(&mut deserializer)?;
    let seen = document.seen;
    deserializer.end()?;
    if seen { Ok(()) } else { Err(Unimported::NotPrices) }
}

/// The document in the making.
struct Document<'i> {
    import: &'i mut Import,
    name: &'i str,
    /// The day of its publication.
    date: Option<String>,
    /// The products that have a price here, by SKU.
    kept: BTreeMap<String, (String, Item)>,
    seen: bool,
}

impl<'de> DeserializeSeed<'de> for &mut Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "publicationDate" => self.date = Some(day(&map.next_value::<String>()?)),
                "PriceList" => {
                    self.seen = true;
                    map.next_value_seed(List(self))?;
                }
                "products" => map.next_value_seed(Products(self))?,
                "terms" => {
                    self.seen = true;
                    map.next_value_seed(Terms(self))?;
                }
                "NextToken" => {
                    let more: Option<String> = map.next_value()?;
                    if more.is_some_and(|token| !token.is_empty()) {
                        let name = self.name;
                        self.import.note(format!("{name}: it is not the last page; record the others too"));
                    }
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The day of an instant: `2026-09-25` of `2026-09-25T18:07:31Z`.
fn day(instant: &str) -> String {
    instant.split('T').next().unwrap_or_default().to_owned()
}

macro_rules! visited {
    ($name:ident, $visit:ident) => {
        struct $name<'d, 'i>(&'d mut Document<'i>);

        impl<'de> DeserializeSeed<'de> for $name<'_, '_> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.$visit(self)
            }
        }
    };
}

visited!(List, deserialize_seq);
visited!(Products, deserialize_map);
visited!(Terms, deserialize_map);
visited!(OnDemand, deserialize_map);

/// A member of an answer: as a text, or parsed already.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Member {
    Text(String),
    Parsed(Box<Offer>),
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Document { import, name, date, .. } = self.0;
        while let Some(member) = list.next_element::<Member>()? {
            let offer = match member {
                Member::Parsed(offer) => *offer,
                Member::Text(text) => match serde_json::from_str::<Offer>(&text) {
                    Ok(offer) => offer,
                    Err(_) => {
                        import
                            .note(format!("{name}: a member of `PriceList` is not a product with its terms"));
                        continue;
                    }
                },
            };
            let Some(of) = of_product(&offer.product) else { continue };
            match offer.publication_date.as_deref().map(day).or_else(|| date.clone()) {
                Some(date) => import.take(name, &of, &offer.terms.on_demand, &date),
                None => import
                    .note(format!("{name}: {} in {} has no `publicationDate`, and is left out", of.1, of.0)),
            }
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Products<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((sku, product)) = map.next_entry::<String, Product>()? {
            if let Some(of) = of_product(&product) {
                let sku = if product.sku.is_empty() { sku } else { product.sku };
                self.0.kept.insert(sku, of);
            }
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Terms<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "OnDemand" {
                map.next_value_seed(OnDemand(&mut *self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for OnDemand<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Document { import, name, date, kept, .. } = self.0;
        while let Some(sku) = map.next_key::<String>()? {
            let Some(of) = kept.get(&sku) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let terms: BTreeMap<String, Term> = map.next_value()?;
            match date {
                Some(date) => import.take(name, of, &terms, date),
                None => {
                    import.note(format!("{name}: it has no `publicationDate`, so its prices are left out"))
                }
            }
        }
        Ok(())
    }
}
