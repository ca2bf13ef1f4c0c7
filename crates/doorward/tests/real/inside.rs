//! The pages and the API served from within the test, over a policy in a folder, with somebody who plays the reconciler.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use doorward::clock::{Clock, random};
use doorward::policy_file::PolicyFile;
use doorward::reconciler::{Nudge, Nudged, Standing, Status};
use doorward::requests::Requests;
use doorward::store::Store;
use doorward::web::{Listener, Web};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

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
relay = "127.0.0.1:15080"

[firewall.reports]
about    = "this machine"
nftables = "inet doorward"

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
firewall   = "reports"
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
firewall   = "reports"
lasts      = { usually = "6s", at-most = "1m" }
"#;

const GROUPS: &str = "dbs: jon richard\nleads: richard\nops: maria\nfuse: maria\n";

/// A server within the test; it ends with it.
pub struct Inside {
    folder: tempfile::TempDir,
    requests: Arc<Requests>,
    /// Where it answers.
    pub url: String,
    stop: Vec<oneshot::Sender<()>>,
    runtime: Option<Runtime>,
}

impl Inside {
    /// Serves on a free port of IPv4.
    pub fn start() -> Self {
        Self::with(&["127.0.0.1"], |_| String::new())
    }

    /// Serves on a free port of each address; `server` says what stands in `[server]` for those ports.
    pub fn with(hosts: &[&str], server: impl FnOnce(&[SocketAddr]) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let free = |host: &&str| {
            let listener = std::net::TcpListener::bind((*host, 0)).expect("a free port");
            listener.local_addr().expect("an address")
        };
        let addresses: Vec<SocketAddr> = hosts.iter().map(free).collect();
        write(folder.path(), &server(&addresses));
        let runtime = Runtime::new().expect("a runtime");
        let (requests, nudged) = runtime.block_on(requests(folder.path()));
        runtime.spawn(play(Arc::clone(&requests), nudged));
        let web = Web::new(Arc::clone(&requests)).expect("random bytes");
        let mut stop = Vec::new();
        for address in &addresses {
            let mut server = requests.loaded().policy.server.clone();
            server.listen = *address;
            let listener = runtime.block_on(Listener::bind(&server)).expect("a listener");
            let (sender, stopped) = oneshot::channel::<()>();
            stop.push(sender);
            let web = Arc::clone(&web);
            runtime.spawn(listener.serve(web, async {
                let _ = stopped.await;
            }));
        }
        let url = format!("http://{}", addresses[0]);
        Self { folder, requests, url, stop, runtime: Some(runtime) }
    }

    /// The folder of the policy.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the server answers from.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.stop.clear();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

fn write(folder: &Path, server: &str) {
    let passwords: String = ["jon", "richard", "maria"].map(|name| format!("{name}:{HASH}\n")).concat();
    fs::write(folder.join("people.htpasswd"), passwords).expect("passwords");
    fs::write(folder.join("people.groups"), GROUPS).expect("groups");
    let policy = format!("[server]\nstore = \"doorward.db\"\n{server}\n{POLICY}");
    fs::write(folder.join("doorward.toml"), policy).expect("a policy");
}

async fn requests(folder: &Path) -> (Arc<Requests>, Nudged) {
    let policy = Arc::new(PolicyFile::open(&folder.join("doorward.toml")).expect("a good policy"));
    let random = random().expect("random bytes");
    let store = policy.current().policy.server.store.clone();
    let store = Store::open(&store, random).await.expect("a store");
    let (nudge, nudged) = Nudge::pair();
    (Arc::new(Requests::new(store, policy, Clock::system(), nudge)), nudged)
}

/// Ends what is over, reads the files again and says that every firewall is as wanted.
async fn play(requests: Arc<Requests>, nudged: Nudged) {
    loop {
        let covers = nudged.count();
        requests.policy_file().refresh();
        let loaded = requests.loaded();
        let now = requests.clock().now();
        let ended = requests.end_what_is_over(&loaded, now, |_| false).await;
        assert!(ended.is_ok(), "{ended:?}");
        let firewalls: BTreeMap<_, _> =
            loaded.policy.firewalls.keys().map(|name| (name.clone(), Standing::AsWanted)).collect();
        nudged.tell(Status { covers, at: Some(now), firewalls, ..Status::default() });
        nudged.wait(Duration::from_millis(500)).await;
    }
}
