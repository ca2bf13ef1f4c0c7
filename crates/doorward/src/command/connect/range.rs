//! Which ranges are to be carried, and of which target.

use std::str::FromStr;

use doorward_core::net::Cidr;
use doorward_core::policy::Address;

use super::super::{Code, Failure};
use crate::requests::{Offer, Through};

/// A range that somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All that the target is.
    Auto,
    /// This part of it.
    These(Cidr),
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text.parse().map(Self::These).map_err(|error| format!("{error}; or write `auto`")),
        }
    }
}

/// Whether a target is a network that has every wanted range in it.
pub fn holds(offer: &Offer, wanted: &[Wanted]) -> bool {
    let Ok(Address::Network(networks)) = offer.address.parse() else { return false };
    wanted.iter().all(|wanted| match wanted {
        Wanted::Auto => true,
        Wanted::These(cidr) => networks.iter().any(|network| network.covers(*cidr)),
    })
}

/// The ranges to carry: what was wanted, all of it within what was granted.
pub fn carried(through: &Through, wanted: &[Wanted]) -> Result<Vec<Cidr>, Failure> {
    let mut ranges = Vec::new();
    for wanted in wanted {
        match wanted {
            Wanted::Auto => ranges.extend(&through.networks),
            Wanted::These(cidr) if through.networks.iter().any(|network| network.covers(*cidr)) => {
                ranges.push(*cidr);
            }
            Wanted::These(cidr) => {
                let granted: Vec<String> = through.networks.iter().map(ToString::to_string).collect();
                let what = format!("{cidr} is not within what was granted: {}", granted.join(", "));
                return Err(Failure::new(Code::No, what).hint("`--range auto` carries all that was granted"));
            }
        }
    }
    ranges.sort();
    ranges.dedup();
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::offer;

    #[test]
    fn a_range_finds_its_target() {
        fn check(address: &str, wanted: &[&str], expected: bool) {
            let offer = Offer { address: address.into(), ..offer(3600, 7200) };
            let wanted: Vec<Wanted> = wanted.iter().map(|text| text.parse().expect("a range")).collect();
            assert_eq!(holds(&offer, &wanted), expected, "{address} {wanted:?}");
        }
        check("10.0.0.0/16", &["10.0.0.0/16"], true);
        check("10.0.0.0/16", &["10.0.3.0/24", "auto"], true);
        check("10.0.0.0/16", &["10.1.0.0/24"], false);
        check("10.0.0.0/16", &["10.0.0.0/8"], false);
        check("10.0.0.7", &["auto"], false);
        check("rds:orders", &["auto"], false);
    }
}
