//! Where floods come from: namespaces with cables to that of the server.

use std::net::Ipv4Addr;

use crate::netns::Netns;

/// Where the server listens.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(9, 0, 0, 1);
/// How many attackers there are, each with an address in a /24 of its own. What is in one /24 is counted together where
/// everybody holds little.
pub const ATTACKERS: u8 = 50;

/// The namespaces of a trial; gone when dropped.
pub struct Field {
    /// Where the server is, and the addresses that fill its relay.
    pub house: Netns,
    person: Netns,
    attackers: Vec<Netns>,
}

impl Field {
    /// All of them.
    pub fn new() -> Self {
        let house = Netns::new();
        house.ip(&["address", "add", &format!("{SERVER}/32"), "dev", "lo"]);
        for number in 1..=ATTACKERS {
            house.ip(&["address", "add", &format!("9.2.0.{number}/32"), "dev", "lo"]);
        }
        let outside = |network: &str| {
            let (netns, here) = (Netns::new(), format!("{network}.254"));
            netns.cable(&[&format!("{network}.1/24")], &house, &[&format!("{here}/24")]);
            netns.ip(&["route", "add", "default", "via", &here]);
            // The server keeps each port for a minute after it closed a connection.
            netns.sysctl("ipv4/ip_local_port_range", "1024 65535");
            netns
        };
        let attackers = (1..=ATTACKERS).map(|number| outside(&format!("9.1.{number}"))).collect();
        Self { person: outside("9.9.9"), attackers, house }
    }

    /// The names of all but the server's: the person's first, then the attackers'.
    pub fn others(&self) -> Vec<&str> {
        std::iter::once(&self.person).chain(&self.attackers).map(Netns::name).collect()
    }
}
