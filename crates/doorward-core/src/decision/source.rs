//! Which addresses a grant may admit, and how many beside the caller's own.
//!
//! IANA's registries decide. An address that no person comes from is admitted nowhere, whatever the policy says. Those
//! of private networks are admitted where `special-networks` lists them: in a security group 10.0.0.7 is somebody in
//! the VPC or behind a peering, which an operator has to mean. Loopback admits every account of this machine, so only
//! this machine's own firewalls admit it, and only where it is listed, or where nobody else can come from: a relay that
//! listens on a loopback address.

use std::net::IpAddr;

use super::Refusal;
use crate::net::{Cidr, Special, embedded, special, special_prefix};
use crate::policy::{Enforcement, Firewall, GrantDefaults, Transport};

/// The source of a grant: the caller's address with what lies around it, or why it is not admitted.
///
/// An IPv6 address that belongs to the internet is widened to `ipv6-prefix`, because privacy addresses change within a
/// household's prefix. All others are admitted alone: around a translated address lies all of IPv4.
pub(super) fn source(
    grants: &GrantDefaults,
    transport: Transport,
    firewall: Option<&Firewall>,
    address: IpAddr,
) -> Result<Cidr, Refusal> {
    let address = address.to_canonical();
    let kind = special(address);
    if transport == Transport::Direct {
        admissible(grants, firewall, address, kind)?;
    } else if let Some(kind @ (Special::Unspecified | Special::Multicast | Special::Broadcast)) = kind {
        // What is carried admits no address; only what cannot be anybody's is refused.
        return Err(Refusal::NoAddress { address, is: kind.to_string() });
    }
    Ok(grants.around(address))
}

impl GrantDefaults {
    /// An address with what a grant admits around it.
    pub fn around(&self, address: IpAddr) -> Cidr {
        let address = address.to_canonical();
        let widened = address.is_ipv6() && special(address).is_none();
        Cidr::around(address, if widened { self.ipv6_prefix } else { 128 })
    }
}

fn admissible(
    grants: &GrantDefaults,
    firewall: Option<&Firewall>,
    address: IpAddr,
    kind: Option<Special>,
) -> Result<(), Refusal> {
    let Some(kind) = kind else { return Ok(()) };
    let never = || Refusal::NoAddress { address, is: kind.to_string() };
    let listed = grants.special_networks.iter().any(|network| network.contains(address));
    match kind {
        Special::Loopback => {
            let here = match firewall.map(|firewall| &firewall.kind) {
                Some(Enforcement::Relay { listen }) => listed || listen.ip().to_canonical().is_loopback(),
                Some(Enforcement::Nftables { .. }) => listed,
                Some(Enforcement::SecurityGroup { .. }) | None => false,
            };
            if here { Ok(()) } else { Err(never()) }
        }
        kind if GrantDefaults::may_list(kind) => {
            let network = block(address).unwrap_or_else(|| Cidr::host(address));
            let refusal = || Refusal::NotListed { address, is: kind.to_string(), network };
            if listed { Ok(()) } else { Err(refusal()) }
        }
        // The host behind it is what is admitted.
        Special::Translated | Special::Teredo | Special::SixToFour => {
            let host = embedded(address).filter(|host| special((*host).into()).is_none());
            host.map(drop).ok_or_else(never)
        }
        _ => Err(never()),
    }
}

/// The whole block of the registry that an address is in, which is what an operator most likely wants to list.
fn block(address: IpAddr) -> Option<Cidr> {
    let kind = special(address);
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let mut around = (0..=bits).map(|bits| Cidr::around(address, bits));
    around.find(|network| special_prefix(*network) == kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::AccountRegion;

    fn grants(listed: &[&str]) -> GrantDefaults {
        GrantDefaults {
            ipv6_prefix: 56,
            reason_required: false,
            special_networks: listed.iter().map(|network| network.parse().expect("a network")).collect(),
        }
    }

    fn firewall(kind: Enforcement) -> Firewall {
        let name = "clients".parse().expect("a name");
        Firewall { name, about: String::new(), kind, statics: Vec::new() }
    }

    fn group() -> Firewall {
        let group = "sg-0a1b2c3d4e5f60718".parse().expect("an id");
        let at = AccountRegion { profile: None, region: None, account: None };
        firewall(Enforcement::SecurityGroup { group, at, vpc: None })
    }

    fn relay(listen: &str) -> Firewall {
        firewall(Enforcement::Relay { listen: listen.parse().expect("an address") })
    }

    fn check(firewall: &Firewall, listed: &[&str], address: &str, expected: Result<&str, &str>) {
        let parsed = address.parse().expect("an address");
        let source = source(&grants(listed), Transport::Direct, Some(firewall), parsed);
        let source = source.map(|source| source.to_string()).map_err(|refusal| refusal.to_string());
        assert_eq!(source, expected.map(str::to_owned).map_err(str::to_owned), "{address}");
    }

    /// Addresses that are admitted nowhere, although the policy lists all that it may and `::/0` besides.
    #[test]
    fn what_nobody_comes_from_is_admitted_nowhere() {
        let listed = ["0.0.0.0/0", "::/0"];
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.1.1",
            "192.0.0.9",
            "192.88.99.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1.2.3.4",
            "::ffff:169.254.1.1",
            "64:ff9b:1::808:808",
            "100::1",
            "2001:20::1",
            "4000::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            // Of hosts that are special themselves.
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "2002:7f00:1::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        ] {
            for firewall in [group(), relay("0.0.0.0:5432"), relay("127.0.0.1:5432")] {
                let parsed = address.parse().expect("an address");
                let got = source(&grants(&listed), Transport::Direct, Some(&firewall), parsed);
                assert!(matches!(got, Err(Refusal::NoAddress { .. })), "{address}: {got:?}");
            }
        }
    }

    #[test]
    fn a_private_network_is_admitted_where_the_policy_lists_it() {
        let not = |address: &str, is: &str, network: &str| {
            format!("`{address}` is {is}, and the policy does not list `{network}` in `special-networks`")
        };
        for (address, is, network, width) in [
            ("10.1.2.3", "a private address", "10.0.0.0/8", "10.1.2.3/32"),
            ("172.20.0.1", "a private address", "172.16.0.0/12", "172.20.0.1/32"),
            ("192.168.1.7", "a private address", "192.168.0.0/16", "192.168.1.7/32"),
            ("100.64.0.1", "an address behind a carrier's NAT", "100.64.0.0/10", "100.64.0.1/32"),
            ("198.18.0.1", "an address for benchmarks", "198.18.0.0/15", "198.18.0.1/32"),
            ("203.0.113.7", "an address for documentation", "203.0.113.0/24", "203.0.113.7/32"),
            ("2001:db8::7", "an address for documentation", "2001:db8::/32", "2001:db8::7/128"),
            // Widened in global unicast alone.
            ("fd12:3456::7", "a private address", "fc00::/7", "fd12:3456::7/128"),
        ] {
            check(&group(), &[], address, Err(&not(address, is, network)));
            check(&group(), &[network], address, Ok(width));
        }
        check(
            &group(),
            &["10.2.0.0/16"],
            "10.1.2.3",
            Err(&not("10.1.2.3", "a private address", "10.0.0.0/8")),
        );
    }

    #[test]
    fn loopback_is_admitted_by_this_machine_alone() {
        let never = |address: &str| {
            format!("`{address}` cannot be the address of a client: it is a loopback address")
        };
        let listed = ["127.0.0.0/8", "::1"];
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let canonical = address.parse::<IpAddr>().expect("an address").to_canonical().to_string();
            let width = if canonical.contains(':') { 128 } else { 32 };
            let admitted = format!("{canonical}/{width}");
            check(&group(), &listed, address, Err(&never(&canonical)));
            check(&relay("0.0.0.0:5432"), &[], address, Err(&never(&canonical)));
            check(&relay("0.0.0.0:5432"), &listed, address, Ok(&admitted));
            // Nobody else can reach such a relay.
            check(&relay("127.0.0.1:5432"), &[], address, Ok(&admitted));
            check(&relay("[::1]:5432"), &[], address, Ok(&admitted));
        }
    }

    #[test]
    fn an_ipv6_prefix_is_widened_in_global_unicast_alone() {
        check(&group(), &[], "2a00:1450:4001:82a::200e", Ok("2a00:1450:4001:800::/56"));
        check(&group(), &[], "64:ff9b::808:808", Ok("64:ff9b::808:808/128"));
        check(&group(), &[], "2002:808:808::1", Ok("2002:808:808::1/128"));
        // A Teredo client whose address is 8.8.8.8.
        check(
            &group(),
            &[],
            "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
            Ok("2001:0:4136:e378:8000:63bf:f7f7:f7f7/128"),
        );
        check(&group(), &[], "::ffff:8.8.8.8", Ok("8.8.8.8/32"));
        check(&group(), &[], "8.8.8.8", Ok("8.8.8.8/32"));
    }

    #[test]
    fn what_is_carried_admits_no_address() {
        let from = |address: &str| {
            source(&grants(&[]), Transport::Ssm, None, address.parse().expect("an address")).is_ok()
        };
        assert!(from("127.0.0.1") && from("10.0.0.1") && from("fe80::1"));
        assert!(!from("0.0.0.0") && !from("ff02::1") && !from("255.255.255.255"));
    }
}
