//! Availability zones by their ids, which mean the same in all accounts.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of an availability zone, like `euw1-az1`.
///
/// Names like `eu-west-1a` differ between accounts and may come in any order; ids are the same for all (RAM user guide,
/// "Availability Zone IDs for your AWS resources"). Local Zones and Wavelength Zones have ids of another form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ZoneId(String);

crate::text::is_text!(ZoneId);

/// A text that is not the id of an availability zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAZone {
    /// A name, which another account has for another zone.
    #[error("`{0}` is the name of a zone, which differs between accounts; write its id (like `euw1-az1`)")]
    Name(String),
    /// A zone outside of the Region, where there are no NAT gateways and few of the other services.
    #[error(
        "`{0}` is a Local Zone or a Wavelength Zone; a network has subnets in availability zones (like `euw1-az1`)"
    )]
    Local(String),
    /// Something else.
    #[error("`{0}` is not the id of an availability zone (like `euw1-az1`)")]
    Other(String),
}

impl ZoneId {
    /// The number at its end, from 1.
    pub fn number(&self) -> u8 {
        number(&self.0).unwrap_or(1)
    }
}

/// Of `euw1-az3`, 3.
fn number(text: &str) -> Option<u8> {
    let (region, zone) = text.split_once('-')?;
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let digits = zone.strip_prefix("az")?;
    let whole = plain(region) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| whole)
}

impl FromStr for ZoneId {
    type Err = NotAZone;

    fn from_str(text: &str) -> Result<Self, NotAZone> {
        if number(text).is_some() {
            return Ok(Self(text.into()));
        }
        let parts: Vec<&str> = text.split('-').collect();
        Err(match *parts.as_slice() {
            [_, _, zone]
                if zone.ends_with(|last: char| last.is_ascii_lowercase())
                    && zone.starts_with(|first: char| first.is_ascii_digit()) =>
            {
                NotAZone::Name(text.into())
            }
            [.., last] if parts.len() > 2 && last.contains("az") || text.contains("-wl") => {
                NotAZone::Local(text.into())
            }
            _ => NotAZone::Other(text.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_known_by_its_id() {
        let check = |text: &str, number: u8| {
            let zone: ZoneId = text.parse().expect("a zone");
            assert_eq!((zone.as_str(), zone.number()), (text, number));
        };
        check("euw1-az1", 1);
        check("use1-az6", 6);
        check("apne1-az4", 4);
    }

    #[test]
    fn what_is_no_availability_zone_says_what_it_is() {
        let check = |text: &str, expected: NotAZone| assert_eq!(text.parse::<ZoneId>(), Err(expected));
        check("eu-west-1a", NotAZone::Name("eu-west-1a".into()));
        check("usw2-lax1-az1", NotAZone::Local("usw2-lax1-az1".into()));
        check("usw2-wl1-las-wlz1", NotAZone::Local("usw2-wl1-las-wlz1".into()));
        for text in ["", "a", "euw1", "euw1-az0", "euw1-az01", "euw1-az", "euw1-az999", "EUW1-az1"] {
            check(text, NotAZone::Other(text.into()));
        }
    }
}
