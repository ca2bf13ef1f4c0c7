//! Who carries: raw TCP, the peers, and ourselves, each held for the whole bench.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::netns::Probe;
use crate::process::{self, Ended};
use crate::world::{GATEWAY, IPERF, PORT, RANGE, ROUTED, SSHUTTLE, World, inside};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Raw,
    Ssh,
    SshGcm,
    Sshuttle,
    Range,
    Forward,
    Sessions,
}

/// One that runs; ended when dropped.
pub struct Carrier {
    pub kind: Kind,
    /// Where a load connects to.
    pub address: String,
    /// Where iperf3 does.
    pub iperf: (String, u16),
    held: Held,
    /// What it needs besides, for as long as it is there.
    _with: Option<Probe>,
}

enum Held {
    Nobody,
    Child(Ended),
    Probe(Probe),
}

const LOCALLY: &str = "127.0.0.1";

/// The local port that leads to iperf3, of the carrier that has this one.
pub fn beside(port: u16) -> u16 {
    port + 100
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw TCP",
            Self::Ssh => "ssh -L",
            Self::SshGcm => "ssh -L, aes128-gcm",
            Self::Sshuttle => "sshuttle",
            Self::Range => "doorward, range",
            Self::Forward => "doorward, forward",
            Self::Sessions => "doorward, sessions",
        }
    }
}

impl Carrier {
    /// All of them, in the order in which they are measured.
    pub fn all(world: &World) -> Vec<Self> {
        let key = world.key().display().to_string();
        let options = format!(
            "-i {key} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        );
        let options: Vec<&str> = options.split(' ').collect();
        let ssh = |kind, port: u16, more: &[&str]| {
            let mut command = inside(&world.client, "ssh");
            for (port, to) in [(port, PORT), (beside(port), IPERF)] {
                command.args(["-L", &format!("{LOCALLY}:{port}:{ROUTED}:{to}")]);
            }
            command.arg("-N").args(&options).args(more).arg(format!("root@{GATEWAY}"));
            Self::new(world, kind, (LOCALLY, port), Held::Child(started(command)))
        };
        let ours = |kind, words: &[&str], at| {
            let probe = world.client.probe(&[&["own"], words, &[&key]].concat());
            assert_eq!(probe.line(), "carries");
            Self::new(world, kind, at, Held::Probe(probe))
        };
        let mut sshuttle = inside(&world.client, "sshuttle");
        sshuttle.args(["--method", "nft", "-r", &format!("root@{GATEWAY}"), "-e"]);
        sshuttle.arg(format!("ssh {}", options.join(" "))).arg("10.88.3.0/24");
        let agent = world.gateway().probe(&["agent"]);
        let api = agent.line();
        let probe = world.client.probe(&["own", "sessions", "6004", &api]);
        assert_eq!(probe.line(), "carries");
        let mut sessions = Self::new(world, Kind::Sessions, (LOCALLY, 6004), Held::Probe(probe));
        sessions._with = Some(agent);
        vec![
            Self::new(world, Kind::Raw, (ROUTED, PORT), Held::Nobody),
            ssh(Kind::Ssh, 6001, &[]),
            ssh(Kind::SshGcm, 6002, &["-c", "aes128-gcm@openssh.com"]),
            Self::new(world, Kind::Sshuttle, (SSHUTTLE, PORT), Held::Child(started(sshuttle))),
            ours(Kind::Range, &["range", "10.88.2.0/24"], (RANGE, PORT)),
            ours(Kind::Forward, &["forward", "6003"], (LOCALLY, 6003)),
            sessions,
        ]
    }

    fn new(world: &World, kind: Kind, (host, port): (&str, u16), held: Held) -> Self {
        let address = format!("{host}:{port}");
        world.answers(&address);
        let iperf = (host.to_owned(), if host == LOCALLY { beside(port) } else { IPERF });
        Self { kind, address, iperf, held, _with: None }
    }

    fn pid(&self) -> Option<u32> {
        match &self.held {
            Held::Nobody => None,
            Held::Child(child) => Some(child.0.id()),
            Held::Probe(probe) => Some(probe.pid()),
        }
    }

    /// What it has spent on a processor, on the client's side.
    pub fn busy(&self) -> Duration {
        self.pid().map_or(Duration::ZERO, process::busy)
    }

    /// How many bytes of memory it takes to hold so many connections, where it is ours.
    pub fn held(&self, world: &World, flows: usize) -> Option<u64> {
        let pid = self.pid().filter(|_| matches!(self.kind, Kind::Range | Kind::Forward | Kind::Sessions))?;
        let before = process::memory(pid);
        let mut load = world.client.probe(&["hold", &self.address, &flows.to_string()]);
        assert_eq!(load.within(Duration::from_secs(60)).as_deref(), Some("holds"));
        let after = process::memory(pid);
        assert_eq!(load.ends(), flows.to_string());
        Some(after.saturating_sub(before))
    }
}

fn started(mut command: Command) -> Ended {
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Ended(started.expect("it starts"))
}
