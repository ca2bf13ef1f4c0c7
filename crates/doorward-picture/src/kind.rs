//! The kind of allowed traffic, which decides the colour of a line.

use doorward_core::net::{Flow, Ports};
use doorward_core::reach::Flows;

/// Ports of databases and caches.
const DATABASES: [u16; 13] =
    [1433, 1521, 2484, 3306, 5432, 5439, 6379, 7687, 8182, 9042, 11211, 27017, 33060];
/// Ports at which somebody works on a machine.
const SHELLS: [u16; 5] = [22, 3389, 5900, 5985, 5986];
/// Ports of the web.
const WEB: [u16; 7] = [80, 443, 3000, 8000, 8080, 8443, 8888];
/// More ports than these are more than anybody meant.
const MANY: u32 = 1000;

/// A kind of flow, the one that deserves more attention later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Anything else.
    Other,
    Web,
    /// A database or a cache.
    Database,
    /// SSH, RDP and the like.
    Shell,
    /// Everything, or very many ports.
    Wide,
}

impl Kind {
    /// All of them, as a legend lists them.
    pub const ALL: [Self; 5] = [Self::Wide, Self::Shell, Self::Database, Self::Web, Self::Other];

    /// The kind of some flows: that of what deserves most attention among them.
    pub fn of(flows: &Flows) -> Self {
        flows.list().into_iter().map(Self::of_flow).max().unwrap_or(Self::Other)
    }

    fn of_flow(flow: Flow) -> Self {
        let Some(ports) = flow.ports() else {
            return if flow == Flow::All { Self::Wide } else { Self::Other };
        };
        let has = |known: &[u16]| known.iter().any(|port| ports.contains(*port));
        match ports {
            ports if width(ports) > MANY => Self::Wide,
            _ if matches!(flow, Flow::Udp(_)) => Self::Other,
            _ if has(&SHELLS) => Self::Shell,
            _ if has(&DATABASES) => Self::Database,
            _ if has(&WEB) => Self::Web,
            _ => Self::Other,
        }
    }

    /// The class that styles it.
    pub fn class(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Web => "web",
            Self::Database => "db",
            Self::Shell => "shell",
            Self::Wide => "wide",
        }
    }

    /// What a legend says.
    pub fn title(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Web => "web",
            Self::Database => "database or cache",
            Self::Shell => "SSH, RDP",
            Self::Wide => "all traffic, or very many ports",
        }
    }
}

fn width(ports: Ports) -> u32 {
    u32::from(ports.to()) - u32::from(ports.from()) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flows: &[&str], expected: Kind) {
        let set = flows.iter().map(|flow| flow.parse::<Flow>().expect("a flow")).collect();
        assert_eq!(Kind::of(&set), expected, "{flows:?}");
    }

    #[test]
    fn what_deserves_most_attention_decides() {
        check(&[], Kind::Other);
        check(&["icmp/8/0"], Kind::Other);
        check(&["udp/53", "tcp/443"], Kind::Web);
        check(&["tcp/443", "tcp/5432"], Kind::Database);
        check(&["tcp/22", "tcp/5432"], Kind::Shell);
        check(&["tcp/20-23"], Kind::Shell);
        check(&["tcp/22", "tcp/0-65535"], Kind::Wide);
        check(&["all"], Kind::Wide);
        check(&["udp/443"], Kind::Other);
        check(&["tcp/8081"], Kind::Other);
    }
}
