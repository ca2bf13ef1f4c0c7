//! Network namespaces with cables between them, and programs inside; all gone when the test ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::need::find;

/// The environment variable that names what this program does inside a namespace, where it was started again.
pub const VERB: &str = "DOORWARD_PROBE";

static SERIAL: AtomicU32 = AtomicU32::new(0);

fn serial() -> u32 {
    SERIAL.fetch_add(1, Ordering::Relaxed)
}

/// Runs a program to its end; panics where it fails, with what it said.
pub fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let path = find(program).unwrap_or_else(|| panic!("no {program}"));
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A namespace, deleted when dropped.
pub struct Netns {
    name: String,
}

impl Netns {
    /// An empty one, its loopback up.
    pub fn new() -> Self {
        let netns = Self { name: format!("doorward-{}-{}", std::process::id(), serial()) };
        run("ip", &["netns", "add", &netns.name], "");
        netns.ip(&["link", "set", "lo", "up"]);
        // Nobody else has our addresses; asking the link whether somebody has takes two seconds.
        netns.sysctl("ipv6/conf/default/accept_dad", "0");
        netns
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` inside.
    pub fn ip(&self, arguments: &[&str]) -> String {
        let inside = ["-n", self.name()];
        run("ip", &inside.iter().chain(arguments).copied().collect::<Vec<_>>(), "")
    }

    /// Runs `nft` inside.
    pub fn nft(&self, arguments: &[&str], input: &str) -> String {
        let nft = find("nft").expect("nft");
        let inside = ["netns", "exec", self.name(), nft.to_str().expect("a path")];
        run("ip", &inside.iter().chain(arguments).copied().collect::<Vec<_>>(), input)
    }

    /// Lays a cable to another namespace and gives each end its addresses (`10.0.0.1/24`, `fd00::1/64`).
    pub fn cable(&self, mine: &[&str], other: &Self, theirs: &[&str]) {
        let (here, there) = (format!("dw{}", serial()), format!("dw{}", serial()));
        self.ip(&["link", "add", &here, "type", "veth", "peer", "name", &there, "netns", other.name()]);
        for (netns, link, addresses) in [(self, here, mine), (other, there, theirs)] {
            for address in addresses {
                netns.ip(&["address", "add", address, "dev", &link]);
            }
            netns.ip(&["link", "set", &link, "up"]);
        }
    }

    /// Lets it forward, in both families.
    pub fn forwards(&self) {
        self.sysctl("ipv4/ip_forward", "1");
        self.sysctl("ipv6/conf/all/forwarding", "1");
    }

    /// Sets a file of `/proc/sys/net` inside.
    pub fn sysctl(&self, file: &str, value: &str) {
        let script = format!("echo {value} > /proc/sys/net/{file}");
        run("ip", &["netns", "exec", self.name(), "/bin/sh", "-c", &script], "");
    }

    /// Starts one of the probe's verbs inside.
    pub fn probe(&self, verb: &[&str]) -> Probe {
        self.probe_with(verb, &[])
    }

    /// Likewise, with more in its environment.
    pub fn probe_with(&self, verb: &[&str], environment: &[(&str, &str)]) -> Probe {
        probe_in(self.name(), verb, environment)
    }

    /// Whether a connection can be made: `open`, `refused`, `timeout`, or another error in words.
    pub fn tries(&self, address: &str) -> String {
        self.probe(&["try", address]).line()
    }

    /// Likewise for one datagram that is answered: `open`, `refused` or `timeout`.
    pub fn asks(&self, address: &str) -> String {
        self.probe(&["ask", address]).line()
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if let Some(ip) = find("ip") {
            let _ = Command::new(ip).args(["netns", "del", &self.name]).status();
        }
    }
}

/// Starts one of the probe's verbs inside a namespace that somebody else keeps.
pub fn probe_in(netns: &str, verb: &[&str], environment: &[(&str, &str)]) -> Probe {
    let ip = find("ip").expect("ip");
    let this = std::env::current_exe().expect("this program");
    let mut command = Command::new(ip);
    command.args(["netns", "exec", netns]).arg(this).env(VERB, verb.join(" "));
    command.envs(environment.iter().copied());
    Probe::start(command)
}

/// A probe that runs; killed when dropped.
pub struct Probe {
    child: Child,
    lines: Receiver<String>,
}

impl Probe {
    /// Starts one by its command.
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the probe starts");
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// Its process, which `ip` becomes.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it a line.
    pub fn tell(&mut self, line: &str) {
        let pipe = self.child.stdin.as_mut().expect("a pipe");
        writeln!(pipe, "{line}").expect("it reads");
    }

    /// The next line that it says, within ten seconds.
    pub fn line(&self) -> String {
        self.within(Duration::from_secs(10)).expect("the probe speaks within ten seconds")
    }

    /// The next line that it says within that time.
    pub fn within(&self, time: Duration) -> Option<String> {
        self.lines.recv_timeout(time).ok()
    }

    /// Tells it to come to an end; the last line that it says then.
    pub fn ends(&mut self) -> String {
        drop(self.child.stdin.take());
        self.line()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
