//! Three machines: a client, a gateway that can be reached, and a destination that only the gateway reaches.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::netns::{Netns, Probe};

pub const GATEWAY: &str = "10.77.1.1";
pub const CLIENT: &str = "10.77.1.2";
pub const RANGE: &str = "10.77.2.0/24";
pub const RANGE_V6: &str = "fd77:0:0:2::/64";
pub const ECHO: &str = "10.77.2.2:7";
pub const ECHO_V6: &str = "[fd77:0:0:2::2]:7";
/// The destination's other address, where nothing listens.
pub const NOBODY: &str = "10.77.2.2:9";
/// The far side's resolver, and what it says of every name.
pub const RESOLVER: &str = "10.77.2.2";
pub const FAR_SAYS: &str = "10.77.2.2";
/// The client's own, likewise.
pub const NEAR_SAYS: &str = "192.0.2.53";
const RELAY: &str = "10.77.1.1:7000";

pub struct World {
    pub client: Netns,
    pub gateway: Netns,
    pub destination: Netns,
    running: Vec<Probe>,
    resolv_conf: PathBuf,
}

impl World {
    pub fn new() -> Self {
        let (client, gateway, destination) = (Netns::new(), Netns::new(), Netns::new());
        client.cable(&["10.77.1.2/24", "fd77:0:0:1::2/64"], &gateway, &["10.77.1.1/24", "fd77:0:0:1::1/64"]);
        gateway.cable(
            &["10.77.2.1/24", "fd77:0:0:2::1/64"],
            &destination,
            &["10.77.2.2/24", "fd77:0:0:2::2/64"],
        );
        let resolv_conf = PathBuf::from("/etc/netns").join(client.name());
        std::fs::create_dir_all(&resolv_conf).expect("a folder");
        let text = format!("nameserver {GATEWAY}\noptions timeout:3 attempts:1\n");
        std::fs::write(resolv_conf.join("resolv.conf"), text).expect("a file");
        let mut world = Self { client, gateway, destination, running: Vec::new(), resolv_conf };
        let servers = [
            world.destination.probe(&["echo", "[::]:7"]),
            world.destination.probe(&["answer", "[::]:8"]),
            world.gateway.probe(&["relay", RELAY]),
        ];
        for server in servers {
            assert_eq!(server.line(), "listens");
            world.running.push(server);
        }
        world
    }

    /// Name servers on both sides; what each is asked, it says.
    pub fn resolvers(&self) -> (Probe, Probe) {
        let near = self.gateway.probe(&["resolver", &format!("{GATEWAY}:53"), NEAR_SAYS]);
        let far = self.destination.probe(&["resolver", &format!("{RESOLVER}:53"), FAR_SAYS]);
        assert_eq!((near.line(), far.line()), ("listens".into(), "listens".into()));
        (near, far)
    }

    /// A range over the test's own transport.
    pub fn owns(&self, words: &[&str]) -> Owner {
        self.client.probe(&[&["own", "via=relay@10.77.1.1:7000"], words].concat()).into()
    }

    /// What one run of a probe in the client says.
    pub fn asks(&self, verb: &[&str]) -> String {
        let probe = self.client.probe(verb);
        probe.within(Duration::from_secs(60)).expect("the probe speaks within a minute")
    }

    /// Everything that a range could have put into the client's kernel.
    pub fn state(&self) -> String {
        let mut state = self.client.nft(&["list", "ruleset"], "");
        for arguments in [&["link"][..], &["address"], &["-4", "route", "show", "table", "all"], &["rule"]] {
            state += &self.client.ip(&[&["-o"], arguments].concat());
        }
        // What neighbours are known comes and goes.
        state + &self.client.ip(&["-o", "-6", "route", "show", "table", "main"])
    }

    /// Waits until the client is as it was, and says how long that took.
    pub fn becomes(&self, before: &str) -> Duration {
        let began = Instant::now();
        loop {
            let now = self.state();
            if now == before {
                return began.elapsed();
            }
            assert!(began.elapsed() < Duration::from_secs(5), "left behind:\n{now}\nbefore:\n{before}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.resolv_conf);
    }
}

/// A process that holds a range; killed when dropped.
pub struct Owner {
    pub probe: Probe,
    pub opened: String,
}

impl From<Probe> for Owner {
    fn from(probe: Probe) -> Self {
        let opened = probe.line();
        Self { probe, opened }
    }
}

impl Owner {
    /// The name of its table; it has to be open.
    pub fn table(&self) -> String {
        let words: Vec<&str> = self.opened.split(' ').collect();
        assert_eq!(words[0], "open", "{}", self.opened);
        words[1].to_owned()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.table().split('-').nth(2).and_then(|pid| pid.parse().ok()).expect("a process")
    }

    pub fn closes(mut self) -> String {
        self.probe.ends()
    }
}
