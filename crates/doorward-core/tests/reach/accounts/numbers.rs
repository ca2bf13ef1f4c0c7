//! Which one a pick points at, and what its prefixes and addresses are.

use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;

use super::Recipe;
use super::addresses::{Pick, Where};

/// What a line has said already, so that no other says it again.
#[derive(Default)]
pub struct Said(BTreeSet<String>);

impl Said {
    pub(super) fn first(&mut self, what: impl Into<String>) -> bool {
        self.0.insert(what.into())
    }
}

impl Recipe {
    pub(super) fn vpc(&self, pick: Pick) -> usize {
        usize::from(pick) % self.vpcs.len()
    }

    pub(super) fn subnet(&self, pick: Pick) -> usize {
        usize::from(pick) % self.subnets.len()
    }

    pub(super) fn vpc_of_subnet(&self, subnet: usize) -> usize {
        self.vpc(self.subnets[subnet].0)
    }

    pub(super) fn vpc_of_host(&self, host: usize) -> usize {
        self.vpc_of_subnet(self.subnet(self.hosts[host].subnet))
    }

    /// The number that the prefixes of a VPC bear.
    pub(super) fn net(&self, vpc: usize) -> usize {
        if self.vpcs[vpc].overlaps { 0 } else { vpc }
    }

    pub(super) fn subnet_v4(&self, subnet: usize) -> String {
        format!("10.{}.{subnet}", self.net(self.vpc_of_subnet(subnet)))
    }

    pub(super) fn subnet_v6(&self, subnet: usize) -> String {
        format!("2001:db8:{:x}:{subnet:x}:", self.net(self.vpc_of_subnet(subnet)))
    }

    pub(super) fn host_v4(&self, host: usize) -> String {
        format!("{}.{}", self.subnet_v4(self.subnet(self.hosts[host].subnet)), 10 + host)
    }

    pub(super) fn host_v6(&self, host: usize) -> String {
        format!("{}:{:x}", self.subnet_v6(self.subnet(self.hosts[host].subnet)), 16 + host)
    }

    pub(super) fn cidr(&self, (place, pick): (Where, Pick)) -> String {
        let host = usize::from(pick) % self.hosts.len();
        let subnet = self.subnet(pick);
        let vpc = self.net(self.vpc(pick));
        let around = |text: String, bits: u8| {
            let address = text.parse().expect("an address");
            doorward_core::net::Cidr::around(address, bits).to_string()
        };
        match place {
            Where::Any => "0.0.0.0/0".into(),
            Where::Any6 => "::/0".into(),
            Where::Host => format!("{}/32", self.host_v4(host)),
            Where::Host6 => format!("{}/128", self.host_v6(host)),
            Where::Subnet => format!("{}.0/24", self.subnet_v4(subnet)),
            Where::Subnet6 => format!("{}:/64", self.subnet_v6(subnet)),
            Where::Vpc => format!("10.{vpc}.0.0/16"),
            Where::Vpc6 => format!("2001:db8:{vpc:x}::/56"),
            Where::Ten => "10.0.0.0/8".into(),
            Where::HalfVpc => format!("10.{vpc}.0.0/22"),
            Where::AroundHost => around(self.host_v4(host), 30),
            Where::AroundHost6 => around(self.host_v6(host), 126),
            Where::NextHost => around(format!("{}.{}", self.subnet_v4(subnet), 11 + host), 32),
            Where::Outside => "198.51.100.0/24".into(),
            Where::OutsideHost => "198.51.100.7/32".into(),
            Where::Outside6 => "2001:db8:ffff::/48".into(),
            Where::Global6 => "2000::/3".into(),
            Where::Remote => "192.168.0.0/16".into(),
            Where::RemoteHost => "192.168.1.7/32".into(),
            Where::Far => "10.9.0.0/16".into(),
            Where::FarHost => "10.9.1.7/32".into(),
            Where::Nat64 => "64:ff9b::/96".into(),
            Where::Shared => "100.64.0.0/10".into(),
            Where::PublicOfHost => format!("203.0.113.{}/32", 10 + host),
        }
    }
}

pub fn line(text: &mut String, line: fmt::Arguments<'_>) {
    let _ = writeln!(text, "{line}");
}
