//! A range over SSH, with OpenSSH's sshd in the gateway.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward_tunnel::dial::Answer;
use doorward_tunnel::news::nobody;
use doorward_tunnel::ssh::host_keys::{Host, HostKeyError, HostKeys, Verdict};
use doorward_tunnel::ssh::login::Login;
use doorward_tunnel::ssh::{Limits, Options, Ssh};
use doorward_tunnel::transparent::{MARK, Marked};
use libtest_mimic::Trial;
use russh::keys::{Algorithm, PublicKey};

use crate::need::{Need, find, named};
use crate::netns::run;
use crate::world::{ECHO, ECHO_V6, GATEWAY, NOBODY, Owner, RANGE, RANGE_V6, RESOLVER, World};

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let needs = [Need::Root, Need::Ip, Need::Nft, Need::Sshd];
    let tests: [(&str, fn()); 2] = [
        ("flows, names, two hundred at once, and kill -9", over_ssh),
        ("sshd dies and comes back, and the range with it", comes_back),
    ];
    named("range, over SSH", &needs, tests)
}

/// Where the private key is.
const KEY: &str = "DOORWARD_KEY";

/// Any key: the test made it a moment ago, and nobody else is there.
struct Whichever;

impl HostKeys for Whichever {
    fn verdict<'a>(&'a self, _: &'a Host, _: &'a PublicKey) -> Answer<'a, Result<Verdict, HostKeyError>> {
        Box::pin(async { Ok(Verdict::Known) })
    }

    fn algorithms<'a>(&'a self, _: &'a Host) -> Answer<'a, Vec<Algorithm>> {
        Box::pin(async { Vec::new() })
    }
}

/// The transport, with the key that the environment names.
pub async fn ssh(at: SocketAddr) -> Ssh {
    let key = fs::read_to_string(std::env::var(KEY).expect("a key")).expect("a key");
    let options = Options {
        at: at.into(),
        host: Host { names: vec![at.ip().to_string()], port: at.port(), instance: None },
        user: "root".into(),
        login: Login::key(&key, None).expect("a key"),
        host_keys: Arc::new(Whichever),
        tell: nobody(),
        limits: Limits { wait: Duration::from_secs(5), ..Limits::default() },
    };
    let ssh = Ssh::new(Arc::new(Marked(MARK)), options);
    ssh.connect().await.expect("a connection");
    ssh
}

/// OpenSSH's sshd in the gateway, with keys of its own; ended when dropped.
pub struct Sshd {
    child: Child,
    folder: tempfile::TempDir,
}

impl Sshd {
    pub fn start(world: &World) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        for name in ["host", "client"] {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &path(name)], "");
        }
        fs::copy(path("client.pub"), path("authorized_keys")).expect("a key");
        let config = format!(
            "ListenAddress {GATEWAY}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
             PermitRootLogin prohibit-password\nPasswordAuthentication no\nMaxSessions 1000\nLogLevel ERROR\n",
            path("host"),
            path("authorized_keys"),
        );
        fs::write(path("config"), config).expect("a file");
        let _ = fs::create_dir_all("/run/sshd");
        let _ = fs::set_permissions("/run/sshd", fs::Permissions::from_mode(0o755));
        let child = Self::run(world, folder.path());
        Self { child, folder }
    }

    fn run(world: &World, folder: &Path) -> Child {
        let (ip, sshd) = (find("ip").expect("ip"), find("sshd").expect("sshd"));
        let child = Command::new(ip)
            .args(["netns", "exec", world.gateway.name()])
            .arg(sshd)
            .args(["-D", "-e", "-f"])
            .arg(folder.join("config"))
            .stdin(Stdio::null())
            .spawn()
            .expect("sshd");
        let began = Instant::now();
        while world.client.probe(&["try", &format!("{GATEWAY}:22")]).line() != "open" {
            assert!(began.elapsed() < Duration::from_secs(10), "sshd does not listen");
        }
        child
    }

    /// Ends it with all its connections, and starts it again.
    fn again(&mut self, world: &World) {
        self.end();
        self.child = Self::run(world, self.folder.path());
    }

    /// Ends the listener and what it has forked.
    fn end(&mut self) {
        let pid = self.child.id();
        for child in descendants(pid).into_iter().rev().chain([pid]) {
            let _ = Command::new("/bin/kill").args(["-9", &child.to_string()]).stderr(Stdio::null()).status();
        }
        let _ = self.child.wait();
    }

    pub fn owns(&self, world: &World, words: &[&str]) -> Owner {
        // The probe inherits it.
        let key = self.folder.path().join("client");
        let via = format!("via=ssh@{GATEWAY}:22");
        world
            .client
            .probe_with(&[&["own", &via], words].concat(), &[(KEY, &key.display().to_string())])
            .into()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.end();
    }
}

/// The processes below one, parents first.
fn descendants(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().filter_map(|child| child.parse().ok()).collect();
    children.iter().flat_map(|child| [vec![*child], descendants(*child)].concat()).collect()
}

fn words() -> [String; 4] {
    [
        format!("range={RANGE}"),
        format!("range={RANGE_V6}"),
        format!("resolver={RESOLVER}"),
        "domain=internal".into(),
    ]
}

fn over_ssh() {
    let world = World::new();
    let (_near, _far) = world.resolvers();
    let sshd = Sshd::start(&world);
    let before = world.state();
    let words = words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let owner = sshd.owns(&world, &words);
    owner.table();
    for address in [ECHO, ECHO_V6] {
        for bytes in ["0", "1017", "3000001"] {
            assert_eq!(world.asks(&["carry", address, bytes]), "whole", "{address} {bytes}");
        }
    }
    assert_eq!(world.asks(&["met", NOBODY]), "reset quickly");
    assert_eq!(world.asks(&["ask", "10.77.2.2:8"]), "refused quickly");
    assert_eq!(world.asks(&["resolve", "orders.internal"]), "10.77.2.2 quickly");
    assert_eq!(world.asks(&["many", &format!("{ECHO},{ECHO_V6}"), "200"]), "200 whole");
    let talk = world.client.probe(&["talk", ECHO]);
    assert_eq!(talk.line(), "open");
    let killed = Command::new("/bin/kill").args(["-9", &owner.pid().to_string()]).status().expect("kill");
    assert!(killed.success());
    assert!(world.becomes(&before) < Duration::from_secs(2));
    assert!(["reset", "closed"].contains(&talk.line().as_str()), "it depends on what was on its way");
}

fn comes_back() {
    let world = World::new();
    let mut sshd = Sshd::start(&world);
    let owner = sshd.owns(&world, &[&format!("range={RANGE}")]);
    owner.table();
    assert_eq!(world.asks(&["carry", ECHO, "1000"]), "whole");
    let talk = world.client.probe(&["talk", ECHO]);
    assert_eq!(talk.line(), "open");
    sshd.again(&world);
    assert_eq!(talk.line(), "reset", "what was carried is cut");
    assert_eq!(world.asks(&["carry", ECHO, "1000"]), "whole", "and what comes waits for the way");
    owner.closes();
}
