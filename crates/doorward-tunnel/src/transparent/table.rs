//! The table of nftables that brings connections to us, as text.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use doorward_core::net::{Cidr, Family};

use super::ranges::Ranges;

/// How a table's name begins; the process and a number that no other process of its id had come after.
pub(super) const PREFIX: &str = "doorward-range-";

/// Name servers whose questions come to us first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Redirected {
    /// Who was asked.
    pub server: IpAddr,
    /// Our port instead, on loopback, for datagrams and connections alike.
    pub port: u16,
    /// Whether it may be the machine itself (a resolver on loopback).
    pub near: bool,
}

/// What the table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table<'a> {
    pub name: &'a str,
    pub ranges: &'a Ranges,
    /// What our own sockets bear.
    pub mark: u32,
    /// Where connections are taken in, a listener a family.
    pub listeners: &'a [SocketAddr],
    pub names: &'a [Redirected],
}

/// The two families, as nftables names them.
const FAMILIES: [(Family, &str, &str); 2] =
    [(Family::V4, "ip", "ipv4_addr"), (Family::V6, "ip6", "ipv6_addr")];

impl Table<'_> {
    /// The whole table, in one transaction that replaces an older one of its name.
    pub fn transaction(&self) -> String {
        let mut whole = String::new();
        let text = &mut whole;
        let name = self.name;
        line(text, 0, &format!("table inet {name}"));
        line(text, 0, &format!("delete table inet {name}"));
        line(text, 0, &format!("table inet {name} {{"));
        line(text, 1, "counter refused-udp {");
        line(text, 1, "}");
        line(text, 0, "");
        line(text, 1, "counter refused-other {");
        line(text, 1, "}");
        line(text, 0, "");
        for (family, ip, kind) in FAMILIES {
            set(text, &format!("carried-{ip}"), kind, self.ranges.carried().iter().copied(), family);
            let exceptions = self.ranges.exceptions().iter().map(|exception| exception.addresses);
            set(text, &format!("excepted-{ip}"), kind, exceptions, family);
        }
        let listening =
            || FAMILIES.iter().filter_map(|(family, ip, _)| Some((*family, *ip, self.port(*family)?)));
        // Before the NAT of others at -100, whose rules for local packets would come first otherwise.
        line(text, 1, "chain redirected {");
        line(text, 2, "type nat hook output priority -105; policy accept;");
        self.left_alone(text, true);
        for (_, ip, port) in listening() {
            line(
                text,
                2,
                &format!("{ip} daddr @carried-{ip} meta l4proto {{ tcp, udp }} redirect to :{port}"),
            );
        }
        line(text, 1, "}");
        line(text, 0, "");
        // Datagrams are refused on their way in, where a client is told as a closed port tells it; what is refused on its
        // way out is an error of the sending call, which few programs understand.
        line(text, 1, "chain datagrams {");
        line(text, 2, "type filter hook input priority filter; policy accept;");
        for (_, ip, port) in listening() {
            let redirected = format!("udp dport {port} ct status dnat ct original {ip} daddr @carried-{ip}");
            line(
                text,
                2,
                &format!("{redirected} counter name refused-udp reject with icmpx port-unreachable"),
            );
        }
        line(text, 1, "}");
        line(text, 0, "");
        line(text, 1, "chain others {");
        line(text, 2, "type filter hook output priority filter; policy accept;");
        self.left_alone(text, false);
        for (_, ip, _) in listening() {
            let other = format!("{ip} daddr @carried-{ip} meta l4proto != {{ tcp, udp }}");
            line(text, 2, &format!("{other} counter name refused-other reject with icmpx admin-prohibited"));
        }
        line(text, 1, "}");
        line(text, 0, "}");
        whole
    }

    /// Where connections of a family are taken in.
    fn port(&self, family: Family) -> Option<u16> {
        let of_family = |listener: &&SocketAddr| listener.is_ipv4() == (family == Family::V4);
        let listener = self.listeners.iter().find(of_family).filter(|_| self.ranges.has(family));
        listener.map(SocketAddr::port)
    }

    /// What neither chain touches, and the questions for names, which come before it.
    fn left_alone(&self, text: &mut String, with_names: bool) {
        line(text, 2, &format!("meta mark {:#010x} accept comment \"our own connections\"", self.mark));
        let names = |text: &mut String, near: bool| {
            for redirected in self.names.iter().filter(|redirected| with_names && redirected.near == near) {
                let (ip, server, port) = (ip(redirected.server), redirected.server, redirected.port);
                line(
                    text,
                    2,
                    &format!(
                        "{ip} daddr {server} meta l4proto {{ tcp, udp }} th dport 53 redirect to :{port}"
                    ),
                );
            }
        };
        names(text, true);
        line(
            text,
            2,
            "fib daddr type { local, broadcast, multicast } accept comment \"this machine and its links\"",
        );
        names(text, false);
        for (family, ip, _) in FAMILIES {
            if self.ranges.exceptions().iter().any(|exception| exception.addresses.family() == family) {
                line(text, 2, &format!("{ip} daddr @excepted-{ip} accept"));
            }
        }
    }
}

/// Takes a table away, whether or not it is there.
pub(super) fn removal(name: &str) -> String {
    format!("table inet {name}\ndelete table inet {name}\n")
}

fn ip(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}

fn set(text: &mut String, name: &str, kind: &str, addresses: impl Iterator<Item = Cidr>, family: Family) {
    let elements: Vec<String> =
        addresses.filter(|address| address.family() == family).map(|address| address.to_string()).collect();
    if elements.is_empty() {
        return;
    }
    line(text, 1, &format!("set {name} {{"));
    line(text, 2, &format!("type {kind}"));
    line(text, 2, "flags interval");
    line(text, 2, &format!("elements = {{ {} }}", elements.join(", ")));
    line(text, 1, "}");
    line(text, 0, "");
}

fn line(text: &mut String, depth: usize, what: &str) {
    let _ = writeln!(text, "{}{what}", "\t".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::super::routes::{Route, Routes};
    use super::*;

    fn check(asked: &[&str], carriers: &[&str], names: &[Redirected], expected: &str) {
        let asked: Vec<Cidr> = asked.iter().map(|text| text.parse().expect("a CIDR")).collect();
        let carriers: Vec<IpAddr> = carriers.iter().map(|text| text.parse().expect("an address")).collect();
        let routes = Routes {
            routes: vec![Route { to: "10.0.200.0/24".parse().expect("a CIDR"), link: Some("wg0".into()) }],
            gateways: Vec::new(),
        };
        let ranges = Ranges::new(&asked, &carriers, &[], &routes).expect("ranges");
        let listeners = ["127.0.0.1:4001", "[::1]:4002"].map(|text| text.parse().expect("an address"));
        let name = format!("{PREFIX}77-5f3a9c");
        let table = Table { name: &name, ranges: &ranges, mark: 0x1d0a, listeners: &listeners, names };
        assert_eq!(table.transaction(), expected);
    }

    #[test]
    fn a_table_is_written_as_an_operator_would_write_it() {
        check(&["10.0.0.0/16"], &[], &[], include_str!("golden/one-range.nft"));
        let near =
            |server: &str, port| Redirected { server: server.parse().expect("an address"), port, near: true };
        let far = Redirected { near: false, ..near("10.0.0.2", 4053) };
        check(
            &["10.0.0.0/16", "10.4.0.0/16", "fd00:ec2::/56"],
            &["10.0.9.9", "fd00:ec2::9", "203.0.113.5"],
            &[near("127.0.0.53", 4054), near("fd01::53", 4055), far],
            include_str!("golden/everything.nft"),
        );
    }

    #[test]
    fn a_table_is_removed_whether_or_not_it_stands() {
        assert_eq!(removal("t"), "table inet t\ndelete table inet t\n");
    }
}
