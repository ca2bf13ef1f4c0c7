//! Doorward served from within the test: a policy in a folder, an account in memory, relays on free ports.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use doorward::clock::Clock;
use doorward::cloud::Cloud;
use doorward::policy_file::PolicyFile;
use doorward::running::Running;
use doorward::web::{Listener, Web};
use doorward_aws::Simulated;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::nat::Nat;

/// Everybody's password.
pub const PASSWORD: &str = "open-sesame";
/// Its hash at bcrypt's least cost, so that tests do not wait.
const HASH: &str = "$2y$04$jJ/WporsmEoDRE2e/WABxO0LceGeskU4GolGQywMqjrYT0Gfi4ExS";

const POLICY: &str = r#"
[people]
passwords = "people.htpasswd"
groups    = "people.groups"
operators = ["ops"]

[aws]
region = "eu-west-1"

[firewall.orders-clients]
about          = "who may reach the orders database"
security-group = "sg-0a1b2c3d4e5f60718"
static         = ["198.51.100.0/24"]

[firewall.wiki-door]
about = "the relay in front of the wiki"
relay = "127.0.0.1:WIKI"

[firewall.reports-door]
about = "the relay in front of the reports"
relay = "127.0.0.1:REPORTS"

[firewall.fuse]
about = "a relay for a moment"
relay = "127.0.0.1:FUSE"

[target.orders-db]
about      = "Orders database (PostgreSQL)"
address    = "orders.db.internal"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "orders-clients"
lasts      = { usually = "2h", at-most = "8h" }

[target.reports-db]
about      = "Reports, with what customers wrote (MySQL)"
address    = "10.0.4.20"
ports      = ["tcp/3306"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "reports-door"
lasts      = { usually = "1h", at-most = "8h" }
approval   = { from = ["leads"], above = "4h" }
reason     = "required"

[target.wiki]
about      = "The wiki"
address    = "127.0.0.1"
ports      = ["tcp/8081"]
groups     = ["dbs", "leads", "ops"]
transports = ["direct"]
firewall   = "wiki-door"
lasts      = { usually = "30m", at-most = "2h" }

[target.fuse]
about      = "A door that falls shut after a few seconds"
address    = "127.0.0.1"
ports      = ["tcp/8082"]
groups     = ["fuse"]
transports = ["direct"]
firewall   = "fuse"
lasts      = { usually = "6s", at-most = "1m" }
"#;

/// Where the policy's relays listen, to be chosen.
const DOORS: [&str; 3] = ["WIKI", "REPORTS", "FUSE"];

const GROUPS: &str = "dbs: jon richard\nleads: richard\nops: maria\nfuse: maria\n";

/// A server within the test; it ends with it.
pub struct Inside {
    folder: tempfile::TempDir,
    /// What people type to come to it.
    pub url: String,
    // People come from outside: a security group admits no loopback address.
    _nats: Vec<Nat>,
    stop: Vec<oneshot::Sender<()>>,
    running: Option<(Runtime, Running)>,
}

impl Inside {
    /// Serves on a free port of IPv4.
    pub fn start() -> Self {
        Self::with(&["127.0.0.1"], |_| String::new())
    }

    /// Serves on a free port of each address, behind a proxy; `server` says what stands in `[server]` for where people
    /// come to, which are the proxies' ports.
    pub fn with(hosts: &[&str], server: impl FnOnce(&[SocketAddr]) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // All are held until each is chosen, so that none is chosen twice.
        let held: Vec<TcpListener> =
            hosts.iter().chain(&["127.0.0.1"; DOORS.len()]).map(|host| free(host)).collect();
        let chosen = held.iter().map(|listener| listener.local_addr().expect("an address"));
        let mut addresses: Vec<SocketAddr> = chosen.collect();
        let doors = addresses.split_off(hosts.len());
        let nats: Vec<Nat> = addresses.iter().map(|address| Nat::before(*address)).collect();
        drop(held);
        let reached: Vec<SocketAddr> = nats.iter().map(Nat::address).collect();
        write(folder.path(), &server(&reached), &doors);
        let runtime = Runtime::new().expect("a runtime");
        let policy = PolicyFile::open(&folder.path().join("doorward.toml")).expect("a good policy");
        let account = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/account");
        let cloud = Cloud::Simulated(Simulated::from_folder(&account).expect("an account"));
        let running = runtime.block_on(Running::start(Arc::new(policy), cloud, Clock::system()));
        let running = running.expect("a store");
        let requests = running.requests();
        let web = Web::new(Arc::clone(requests)).expect("random bytes");
        let mut stop = Vec::new();
        let named = requests.app().loaded().policy.server.url.clone();
        let url = named.or_else(|| nats.last().map(Nat::url)).unwrap_or_default();
        for address in &addresses {
            let mut server = requests.app().loaded().policy.server.clone();
            server.listen = *address;
            let listener = runtime.block_on(Listener::bind(&server)).expect("a listener");
            let (sender, stopped) = oneshot::channel::<()>();
            stop.push(sender);
            let web = Arc::clone(&web);
            runtime.spawn(listener.serve(web, async {
                let _ = stopped.await;
            }));
        }
        Self { folder, url, _nats: nats, stop, running: Some((runtime, running)) }
    }

    /// The folder of the policy.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.stop.clear();
        if let Some((runtime, running)) = self.running.take() {
            runtime.block_on(running.stop());
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

fn free(host: &str) -> TcpListener {
    TcpListener::bind((host, 0)).expect("a free port")
}

fn write(folder: &Path, server: &str, doors: &[SocketAddr]) {
    let passwords: String = ["jon", "richard", "maria"].map(|name| format!("{name}:{HASH}\n")).concat();
    fs::write(folder.join("people.htpasswd"), passwords).expect("passwords");
    fs::write(folder.join("people.groups"), GROUPS).expect("groups");
    let mut policy = format!(
        "[server]\nstore = \"doorward.db\"\nproxies = [\"127.0.0.1\", \"::1\"]\n{server}\n\
         [grants]\nspecial-networks = [\"203.0.113.0/24\", \"2001:db8::/32\"]\n{POLICY}"
    );
    for (door, at) in DOORS.iter().zip(doors) {
        policy = policy.replace(door, &at.port().to_string());
    }
    fs::write(folder.join("doorward.toml"), policy).expect("a policy");
}
