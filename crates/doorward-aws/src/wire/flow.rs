//! How EC2 writes what a rule lets through: a protocol and two numbers that mean something else for each.

use doorward_core::net::{Flow, Icmp, Ports};

/// `IpProtocol`, `FromPort` and `ToPort` of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protocol<'a> {
    pub(crate) name: &'a str,
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
}

/// A rule of a kind that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("protocol `{name}` with {from:?} to {to:?} is not one that EC2 documents")]
pub(crate) struct NotAFlow {
    name: String,
    from: Option<i64>,
    to: Option<i64>,
}

impl Protocol<'_> {
    /// What the three mean (EC2 API reference, `SecurityGroupRule`).
    pub(crate) fn flow(self) -> Result<Flow, NotAFlow> {
        let number = match self.name.to_ascii_lowercase().as_str() {
            "-1" | "all" => return Ok(Flow::All),
            "tcp" => 6,
            "udp" => 17,
            "icmp" => 1,
            "icmpv6" => 58,
            digits => digits.parse::<u8>().map_err(|_| self.unknown())?,
        };
        Ok(match number {
            6 => Flow::Tcp(self.ports()?),
            17 => Flow::Udp(self.ports()?),
            1 => Flow::Icmp(self.icmp()?),
            58 => Flow::Icmpv6(self.icmp()?),
            // Of other protocols every packet passes, whatever the ports say.
            other => Flow::Protocol(other),
        })
    }

    fn unknown(self) -> NotAFlow {
        NotAFlow { name: self.name.to_owned(), from: self.from, to: self.to }
    }

    fn ports(self) -> Result<Ports, NotAFlow> {
        let port = |number: Option<i64>| number.and_then(|number| u16::try_from(number).ok());
        port(self.from)
            .zip(port(self.to))
            .and_then(|(from, to)| Ports::range(from, to))
            .ok_or_else(|| self.unknown())
    }

    /// `FromPort` is the type and `ToPort` the code; -1 is every one, and so is a missing one.
    fn icmp(self) -> Result<Icmp, NotAFlow> {
        let number = |number: i64| u8::try_from(number).map_err(|_| self.unknown());
        match (self.from.unwrap_or(-1), self.to.unwrap_or(-1)) {
            (-1, -1) => Ok(Icmp::All),
            (kind, -1) => Ok(Icmp::Type(number(kind)?)),
            (kind, code) => Ok(Icmp::Code(number(kind)?, number(code)?)),
        }
    }
}

/// The protocol's name or number, and the two numbers; -1 where a protocol has none, as EC2 itself describes it.
pub(crate) fn written(flow: Flow) -> (String, i64, i64) {
    let icmp = |icmp: Icmp| match icmp {
        Icmp::All => (-1, -1),
        Icmp::Type(kind) => (i64::from(kind), -1),
        Icmp::Code(kind, code) => (i64::from(kind), i64::from(code)),
    };
    let (name, (from, to)) = match flow {
        Flow::All => ("-1".to_owned(), (-1, -1)),
        Flow::Tcp(ports) => ("tcp".to_owned(), (i64::from(ports.from()), i64::from(ports.to()))),
        Flow::Udp(ports) => ("udp".to_owned(), (i64::from(ports.from()), i64::from(ports.to()))),
        Flow::Icmp(kind) => ("icmp".to_owned(), icmp(kind)),
        Flow::Icmpv6(kind) => ("icmpv6".to_owned(), icmp(kind)),
        Flow::Protocol(number) => (number.to_string(), (-1, -1)),
    };
    (name, from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, from: Option<i64>, to: Option<i64>, expected: Option<&str>) {
        let flow = Protocol { name, from, to }.flow().ok().map(|flow| flow.to_string());
        assert_eq!(flow.as_deref(), expected, "{name} {from:?} {to:?}");
    }

    #[test]
    fn what_ec2_writes_is_understood() {
        check("-1", None, None, Some("all"));
        check("-1", Some(-1), Some(-1), Some("all"));
        check("tcp", Some(5432), Some(5432), Some("tcp/5432"));
        check("6", Some(1), Some(2), Some("tcp/1-2"));
        check("17", Some(53), Some(53), Some("udp/53"));
        check("icmp", Some(-1), Some(-1), Some("icmp"));
        check("icmp", Some(8), Some(-1), Some("icmp/8"));
        check("icmpv6", Some(128), Some(0), Some("icmpv6/128/0"));
        check("50", Some(0), Some(0), Some("proto/50"));
        check("50", None, None, Some("proto/50"));
    }

    #[test]
    fn what_it_cannot_write_is_not_guessed() {
        check("tcp", None, None, None);
        check("tcp", Some(2), Some(1), None);
        check("udp", Some(0), Some(70_000), None);
        check("icmp", Some(-1), Some(3), None);
        check("carrier-pigeon", Some(0), Some(0), None);
        check("256", None, None, None);
    }

    #[test]
    fn what_we_write_reads_as_it_was_meant() {
        for text in ["all", "tcp/5432", "udp/1-65535", "icmp", "icmp/8", "icmpv6/1/4", "proto/50"] {
            let flow: Flow = text.parse().expect("a flow");
            let (name, from, to) = written(flow);
            assert_eq!(Protocol { name: &name, from: Some(from), to: Some(to) }.flow(), Ok(flow));
        }
    }
}
