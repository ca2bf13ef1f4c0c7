//! Three machines with cables between, an sshd in the middle and a server at the end.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::need::find;
use crate::netns::{Netns, Probe, run};
use crate::process::{self, Ended};

pub const GATEWAY: &str = "10.88.1.1";
/// The destination, once for each way to it: along an ordinary route, by sshuttle's rules, by our range.
pub const ROUTED: &str = "10.88.4.2";
pub const SSHUTTLE: &str = "10.88.3.2";
pub const RANGE: &str = "10.88.2.2";
/// Where the server listens.
pub const PORT: u16 = 5001;
/// Where that of iperf3 does.
pub const IPERF: u16 = 5002;

pub struct World {
    pub client: Netns,
    gateway: Netns,
    _destination: Netns,
    pub folder: TempDir,
    sshd: Ended,
    _server: Probe,
    _iperf: Ended,
}

impl World {
    pub fn new() -> Self {
        let (client, gateway, destination) = (Netns::new(), Netns::new(), Netns::new());
        client.cable(&["10.88.1.2/24"], &gateway, &["10.88.1.1/24"]);
        let theirs = ["10.88.2.2/24", "10.88.3.2/24", "10.88.4.2/24"];
        gateway.cable(&["10.88.2.1/24", "10.88.3.1/24", "10.88.4.1/24"], &destination, &theirs);
        gateway.forwards();
        // sshuttle makes no route of its own, and needs one.
        for routed in ["10.88.3.0/24", "10.88.4.0/24"] {
            client.ip(&["route", "add", routed, "via", GATEWAY]);
        }
        destination.ip(&["route", "add", "10.88.1.0/24", "via", "10.88.4.1"]);
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        for name in ["host", "client"] {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &path(name)], "");
        }
        fs::copy(path("client.pub"), path("authorized_keys")).expect("a key");
        let config = format!(
            "ListenAddress {GATEWAY}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
             PermitRootLogin yes\nMaxSessions 10000\nLogLevel ERROR\n",
            path("host"),
            path("authorized_keys"),
        );
        fs::write(path("config"), config).expect("a file");
        let _ = fs::create_dir_all("/run/sshd");
        let sshd = inside(&gateway, "sshd")
            .args(["-D", "-e", "-f", &path("config")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sshd");
        let server = destination.probe(&["serve"]);
        assert_eq!(server.line(), "listens");
        let iperf = inside(&destination, "iperf3")
            .args(["--server", "--port", &IPERF.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("iperf3");
        let world = Self {
            client,
            gateway,
            _destination: destination,
            folder,
            sshd: Ended(sshd),
            _server: server,
            _iperf: Ended(iperf),
        };
        world.answers(&format!("{GATEWAY}:22"));
        world.answers(&format!("{ROUTED}:{PORT}"));
        world
    }

    /// Where sshd is, and the agent of Session Manager.
    pub fn gateway(&self) -> &Netns {
        &self.gateway
    }

    /// What sshd has spent on a processor.
    pub fn sshd_busy(&self) -> Duration {
        process::busy(self.sshd.0.id())
    }

    /// The key that the gateway lets in.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("client")
    }

    /// Waits until somebody takes connections there.
    pub fn answers(&self, address: &str) {
        let began = Instant::now();
        while self.client.probe(&["try", address]).line() != "open" {
            assert!(began.elapsed() < Duration::from_secs(20), "nobody answers at {address}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What a load in the client says.
    pub fn load(&self, verb: &[&str]) -> String {
        let probe = self.client.probe(verb);
        probe.within(Duration::from_secs(60)).expect("a load ends within a minute")
    }
}

/// A program in a namespace, in the place of `ip`.
pub fn inside(netns: &Netns, program: &str) -> Command {
    let mut command = Command::new(find("ip").expect("ip"));
    command.args(["netns", "exec", netns.name()]);
    command.arg(find(program).unwrap_or_else(|| panic!("no {program}")));
    command
}
