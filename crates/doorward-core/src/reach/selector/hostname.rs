//! Names in DNS that EC2 gives to instances: they have an address in them, or the id of the instance.
//!
//! `ip-10-0-1-10.eu-west-1.compute.internal` and `i-0123456789abcdef0.eu-west-1.compute.internal` are private,
//! `ec2-203-0-113-10.eu-west-1.compute.amazonaws.com` is public; in us-east-1 their domains are `ec2.internal` and
//! `compute-1.amazonaws.com` (VPC user guide, DNS attributes for your VPC; EC2 user guide, instance hostname types).

use std::fmt;
use std::net::Ipv4Addr;

use super::catalog::dns_name;
use crate::inventory::{AnsweredId as _, InstanceId};

/// A name in DNS that EC2 gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    /// As it was typed.
    text: String,
    pub(crate) region: String,
    pub(crate) of: HostNameOf,
}

/// What a name is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostNameOf {
    /// Whoever has a private address.
    Private(Ipv4Addr),
    /// Whoever has a public address.
    Public(Ipv4Addr),
    /// The private addresses of an instance.
    Instance(InstanceId),
}

impl HostName {
    /// A name that EC2 gives; none of any other.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let name = dns_name(text);
        let (host, domain) = name.split_once('.')?;
        let public = |domain: &str| {
            let domain = domain.strip_suffix(".cn").unwrap_or(domain);
            match domain.strip_suffix(".amazonaws.com")? {
                "compute-1" => Some("us-east-1".to_owned()),
                region => region.strip_suffix(".compute").map(str::to_owned),
            }
        };
        let private = |domain: &str| match domain {
            "ec2.internal" => Some("us-east-1".to_owned()),
            domain => domain.strip_suffix(".compute.internal").map(str::to_owned),
        };
        let (region, of) = if let Some(region) = private(domain) {
            let of = match host.strip_prefix("ip-") {
                Some(address) => HostNameOf::Private(dashed(address)?),
                None if host.starts_with("i-") => HostNameOf::Instance(InstanceId::answered(host).ok()?),
                None => return None,
            };
            (region, of)
        } else {
            (public(domain)?, HostNameOf::Public(dashed(host.strip_prefix("ec2-")?)?))
        };
        let is_region = !region.is_empty() && !region.contains('.');
        is_region.then(|| Self { text: text.to_owned(), region, of })
    }
}

/// `10-0-1-10`
fn dashed(text: &str) -> Option<Ipv4Addr> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    text.replace('-', ".").parse().ok().filter(|_| plain)
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ec2_are_read() {
        let check = |text: &str, expected: Option<(&str, HostNameOf)>| {
            let read = HostName::read(text).map(|name| (name.region, name.of));
            assert_eq!(read, expected.map(|(region, of)| (region.to_owned(), of)), "{text}");
        };
        let private = HostNameOf::Private(Ipv4Addr::new(10, 0, 0, 1));
        let public = HostNameOf::Public(Ipv4Addr::new(203, 0, 113, 10));
        check("ip-10-0-0-1.ec2.internal", Some(("us-east-1", private.clone())));
        check("IP-10-0-0-1.eu-west-1.compute.internal.:443", Some(("eu-west-1", private)));
        check("ec2-203-0-113-10.compute-1.amazonaws.com", Some(("us-east-1", public.clone())));
        check("ec2-203-0-113-10.cn-north-1.compute.amazonaws.com.cn", Some(("cn-north-1", public)));
        let instance = HostNameOf::Instance(InstanceId::answered("i-0123456789abcdef0").expect("an id"));
        check("i-0123456789abcdef0.us-west-2.compute.internal", Some(("us-west-2", instance)));
        for other in [
            "ip-10-0-0-1",
            "ip-10-0-0.ec2.internal",
            "ip-10-0-0-256.ec2.internal",
            "ip-10.0-0-1.ec2.internal",
            "ip-10-0-0-1.compute.internal",
            "ip-10-0-0-1.a.b.compute.internal",
            "ec2-203-0-113-10.eu-west-1.amazonaws.com",
            "web.ec2.internal",
            "orders.eu-west-1.rds.amazonaws.com",
        ] {
            check(other, None);
        }
    }
}
