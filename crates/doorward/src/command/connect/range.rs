//! The ranges to route, and the target that they belong to.

use std::str::FromStr;

use doorward_core::net::Cidr;
use doorward_core::policy::Address;

use super::super::{Code, Failure};
use crate::requests::{Offer, Through};

/// A range that somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeRequest {
    /// All of the target that is in the jump host's VPC.
    Auto,
    /// This part of it.
    These(Cidr),
}

impl FromStr for RangeRequest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text.parse().map(Self::These).map_err(|error| format!("{error}; or write `auto`")),
        }
    }
}

/// Whether a target is a network that has every wanted range in it.
pub fn holds(offer: &Offer, wanted: &[RangeRequest]) -> bool {
    let Ok(Address::Network(networks)) = offer.address.parse() else { return false };
    wanted.iter().all(|wanted| match wanted {
        RangeRequest::Auto => true,
        RangeRequest::These(cidr) => networks.iter().any(|network| network.covers(*cidr)),
    })
}

/// The ranges to carry: what was wanted, all of it within what was granted. `vpc` are the prefixes of the jump host's VPC,
/// where they are known: `auto` leaves alone what is beyond them, which may be a network that this machine knows itself.
pub fn carried(
    through: &Through,
    wanted: &[RangeRequest],
    vpc: Option<&[Cidr]>,
) -> Result<Vec<Cidr>, Failure> {
    let granted = &through.networks;
    let mut ranges = Vec::new();
    for wanted in wanted {
        match wanted {
            RangeRequest::Auto => {
                let inside = vpc.map(|vpc| common(granted, vpc)).filter(|inside| !inside.is_empty());
                ranges.extend(inside.unwrap_or_else(|| granted.clone()));
            }
            RangeRequest::These(cidr) if granted.iter().any(|network| network.covers(*cidr)) => {
                ranges.push(*cidr);
            }
            RangeRequest::These(cidr) => {
                let granted: Vec<String> = granted.iter().map(ToString::to_string).collect();
                let what = format!("{cidr} is not within the granted networks: {}", granted.join(", "));
                return Err(Failure::new(Code::No, what)
                    .hint("`--range auto` routes the part of the grant that is in the jump host's VPC"));
            }
        }
    }
    ranges.sort();
    ranges.dedup();
    Ok(ranges)
}

/// What is in both. Two prefixes are apart, or one is in the other.
fn common(these: &[Cidr], those: &[Cidr]) -> Vec<Cidr> {
    let pairs = these.iter().flat_map(|this| those.iter().map(move |that| (*this, *that)));
    pairs
        .filter_map(|(this, that)| match (this.covers(that), that.covers(this)) {
            (true, _) => Some(that),
            (false, true) => Some(this),
            (false, false) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::offer;

    #[test]
    fn a_range_finds_its_target() {
        fn check(address: &str, wanted: &[&str], expected: bool) {
            let offer = Offer { address: address.into(), ..offer(3600, 7200) };
            let wanted: Vec<RangeRequest> =
                wanted.iter().map(|text| text.parse().expect("a range")).collect();
            assert_eq!(holds(&offer, &wanted), expected, "{address} {wanted:?}");
        }
        check("10.0.0.0/16", &["10.0.0.0/16"], true);
        check("10.0.0.0/16", &["10.0.3.0/24", "auto"], true);
        check("10.0.0.0/16", &["10.1.0.0/24"], false);
        check("10.0.0.0/16", &["10.0.0.0/8"], false);
        check("10.0.0.7", &["auto"], false);
        check("rds:orders", &["auto"], false);
    }

    #[test]
    fn auto_is_what_was_granted_of_the_vpc() {
        fn check(granted: &[&str], vpc: Option<&[&str]>, expected: &[&str]) {
            let all = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a network")).collect();
            let vpc: Option<Vec<Cidr>> = vpc.map(all);
            let through = through(all(granted));
            let carried = carried(&through, &[RangeRequest::Auto], vpc.as_deref()).expect("it is granted");
            let carried: Vec<String> = carried.iter().map(ToString::to_string).collect();
            assert_eq!(carried, expected, "{granted:?} {vpc:?}");
        }
        check(&["10.0.0.0/8"], Some(&["10.7.0.0/16", "100.64.0.0/24"]), &["10.7.0.0/16"]);
        check(&["10.7.3.0/24", "10.8.0.0/16"], Some(&["10.7.0.0/16"]), &["10.7.3.0/24"]);
        check(
            &["10.0.0.0/8", "fd00::/8"],
            Some(&["10.7.0.0/16", "fd12::/56"]),
            &["10.7.0.0/16", "fd12::/56"],
        );
        // Nothing is known, or what was granted lies behind the VPC.
        check(&["10.0.0.0/8"], None, &["10.0.0.0/8"]);
        check(&["192.168.0.0/16"], Some(&["10.7.0.0/16"]), &["192.168.0.0/16"]);
    }

    fn through(networks: Vec<Cidr>) -> Through {
        Through {
            address: None,
            networks,
            ports: Vec::new(),
            names: None,
            profile: None,
            region: None,
            relay: None,
            vended: false,
            by: crate::requests::By::Direct,
        }
    }
}
