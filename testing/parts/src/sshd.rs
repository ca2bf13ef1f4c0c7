//! An sshd of the test's own: its configuration, keys and port, gone when the test ends.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use doorward_tunnel::dial::{Answer, Destination};
use doorward_tunnel::ssh::host_keys::Host;
use doorward_tunnel::ssh::login::Admit;
use tempfile::TempDir;

use crate::need::find;
pub use crate::netns::run;

/// A port of the loopback that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// An sshd that runs.
pub struct Sshd {
    folder: TempDir,
    at: Listens,
    /// What stands first in its configuration, and what last.
    settings: [String; 2],
    child: Child,
    pushed: AtomicU32,
}

/// Where an sshd listens: at an address, of a namespace where one is named.
struct Listens {
    address: SocketAddr,
    netns: Option<String>,
}

impl Sshd {
    /// One with ordinary settings.
    pub fn start() -> Self {
        Self::with("")
    }

    /// One with these lines first in its configuration.
    pub fn with(settings: &str) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        Self::listens(Listens { address, netns: None }, settings, "")
    }

    /// One with these lines last in its configuration, where blocks for some users alone belong.
    pub fn followed_by(settings: &str) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        Self::listens(Listens { address, netns: None }, "", settings)
    }

    /// One in a network namespace, at an address of it that is reached from here.
    pub fn inside(netns: &str, address: SocketAddr) -> Self {
        Self::listens(Listens { address, netns: Some(netns.to_owned()) }, "", "")
    }

    fn listens(at: Listens, settings: &str, last: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("doorward-sshd").tempdir().expect("a folder");
        // Debian's sshd wants its own folder for separating privileges; only root can make it, and only root needs it.
        let _ = std::fs::create_dir_all("/run/sshd");
        let settings = [settings.to_owned(), last.to_owned()];
        for kind in ["ed25519", "ecdsa", "rsa"] {
            keygen(&folder.path().join(kind), kind);
        }
        std::fs::write(folder.path().join("authorized_keys"), "").expect("a file");
        // It reads them as the account that logs in.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).expect("permissions");
        let child = serve(&folder, &at, &settings);
        Self { folder, at, settings, child, pushed: AtomicU32::new(0) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.at.address
    }

    /// Likewise, for a transport.
    pub fn at(&self) -> Destination {
        self.address().into()
    }

    /// What its key is looked up by.
    pub fn host(&self) -> Host {
        let address = self.address();
        Host { names: vec![address.ip().to_string()], port: address.port(), instance: None }
    }

    /// A file or folder of its own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its public host key of that kind.
    pub fn key(&self, kind: &str) -> String {
        let text = std::fs::read_to_string(self.path(&format!("{kind}.pub"))).expect("a key");
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// How many keys were pushed.
    pub fn pushed(&self) -> u32 {
        self.pushed.load(Ordering::Relaxed)
    }

    /// Lets a key in.
    pub fn authorize(&self, public: &str) {
        let mut file =
            std::fs::OpenOptions::new().append(true).open(self.path("authorized_keys")).expect("a file");
        writeln!(file, "{public}").expect("it is written");
    }

    /// The processes that serve its connections.
    pub fn children(&self) -> Vec<u32> {
        let parent = self.child.id();
        let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.filter(|id| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            let after = stat.rsplit(") ").next().unwrap_or_default();
            after.split(' ').nth(1).and_then(|word| word.parse().ok()) == Some(parent)
        })
        .collect()
    }

    /// Kills every connection; it goes on listening.
    pub fn cut(&self) {
        for child in self.children() {
            let _ = Command::new("kill").args(["-9", &child.to_string()]).status();
        }
    }

    /// Ends it and its connections.
    pub fn stop(&mut self) {
        let children = self.children();
        let _ = self.child.kill();
        let _ = self.child.wait();
        for child in children {
            let _ = Command::new("kill").args(["-9", &child.to_string()]).stderr(Stdio::null()).status();
        }
    }

    /// Starts it again, after it was stopped.
    pub fn again(&mut self) {
        self.child = serve(&self.folder, &self.at, &self.settings);
    }

    /// Gives it another host key of that kind; it counts from the next start.
    pub fn change_key(&self, kind: &str) {
        std::fs::remove_file(self.path(kind)).expect("a key");
        keygen(&self.path(kind), kind);
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Admit for Sshd {
    fn admit<'a>(&'a self, public: &'a str) -> Answer<'a, Result<(), String>> {
        self.pushed.fetch_add(1, Ordering::Relaxed);
        self.authorize(public);
        Box::pin(async { Ok(()) })
    }
}

/// Makes a pair of keys without a passphrase.
pub fn keygen(path: &std::path::Path, kind: &str) {
    run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", "", "-f", path.to_str().expect("a path")], "");
}

/// The account that the tests run as.
pub fn user() -> String {
    run("id", &["-un"], "").trim().to_owned()
}

fn serve(folder: &TempDir, at: &Listens, [first, last]: &[String; 2]) -> Child {
    let path = folder.path().display();
    let config = format!(
        "{first}\n\
         Port {}\nListenAddress {}\n\
         HostKey {path}/ed25519\nHostKey {path}/ecdsa\nHostKey {path}/rsa\n\
         AuthorizedKeysFile {path}/authorized_keys\n\
         StrictModes no\nUsePAM no\nPidFile none\nLogLevel VERBOSE\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
         MaxStartups 200:30:400\nMaxSessions 200\n{last}\n",
        at.address.port(),
        at.address.ip()
    );
    let file = folder.path().join("config");
    std::fs::write(&file, config).expect("a file");
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.path().join("log"));
    let mut command = match &at.netns {
        Some(netns) => {
            let mut command = Command::new(find("ip").expect("ip"));
            command.args(["netns", "exec", netns]).arg(find("sshd").expect("sshd"));
            command
        }
        None => Command::new(find("sshd").expect("sshd")),
    };
    let child = command
        .args(["-D", "-e", "-f", file.to_str().expect("a path")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.expect("a file"))
        .spawn()
        .expect("sshd starts");
    let begin = Instant::now();
    while TcpStream::connect(at.address).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(10), "sshd does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}
