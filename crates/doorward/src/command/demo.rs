//! `doorward demo`: a database that is opened for a person, on this machine alone, with no account, no root and nothing to
//! set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use doorward_aws::Simulated;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::{Code, Failure};
use crate::cloud::Cloud;

/// Try Doorward with a simulated AWS account
///
/// The demo runs a server, a private service behind the built-in relay, and a simulated account, all on 127.0.0.1.
/// It needs no AWS account, no root and no files, and removes everything when it ends.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward demo
  doorward demo --port 9000")]
pub struct Demo {
    /// The port of the web pages; by default 8080, or a free port if 8080 is in use
    #[arg(long)]
    pub port: Option<u16>,
}

/// Files of the example's account, by their names.
macro_rules! account {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../examples/account/", $name)))),*]
    };
}

const ACCOUNT: &[(&str, &str)] = &account![
    "describe-addresses.json",
    "describe-db-instances.json",
    "describe-db-proxies.json",
    "describe-db-proxy-targets-orders-proxy.json",
    "describe-db-proxy-targets-reports-proxy.json",
    "describe-db-subnet-groups.json",
    "describe-instances.json",
    "describe-internet-gateways.json",
    "describe-listeners.json",
    "describe-load-balancer-attributes.json",
    "describe-load-balancers.json",
    "describe-nat-gateways.json",
    "describe-network-acls.json",
    "describe-network-interfaces.json",
    "describe-route-tables.json",
    "describe-rules.json",
    "describe-security-group-rules.json",
    "describe-security-groups.json",
    "describe-services.json",
    "describe-subnets.json",
    "describe-target-group-attributes.json",
    "describe-target-groups.json",
    "describe-target-health.json",
    "describe-tasks.json",
    "describe-vpc-block-public-access-options.json",
    "describe-vpcs.json",
    "empty-answers.json",
    "list-clusters.json",
    "list-functions.json",
];

/// `jon` and `maria`, whose password is `open-sesame`.
const PASSWORDS: &str = "\
jon:$2y$08$l5pnvlMpn//dLCOV6iunsuh8ZJ8D.qpOGjGx00DcX6Bn44USa1BMu
maria:$2y$08$l5pnvlMpn//dLCOV6iunsuh8ZJ8D.qpOGjGx00DcX6Bn44USa1BMu
";
const GROUPS: &str = "\
staff: jon maria
dbs: maria
ops: maria
";

/// Where the demo's proxy connects from: of this machine too, but nobody's browser comes from it.
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// Where the demo's proxy says that its clients come from: an address of nobody's, for documentation (RFC 5737). Whoever
/// comes from this machine itself has none that a security group could admit.
const AWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

impl Demo {
    pub fn run(self) -> Result<(), Failure> {
        let folder = tempfile::Builder::new()
            .prefix("doorward-demo-")
            .tempdir()
            .map_err(Failure::with(Code::CannotCreate))?;
        let runtime = super::runtime()?;
        let ended = runtime.block_on(self.demo(folder.path()));
        runtime.shutdown_background();
        ended?;
        folder.close().map_err(Failure::with(Code::Io))?;
        // Below the line on which a terminal shows ^C.
        let begin = if super::printer::is_watched() { "\n" } else { "" };
        super::print(&format!("{begin}The demo has ended, and its files are removed.\n"))
    }

    async fn demo(self, folder: &Path) -> Result<(), Failure> {
        let web = self.port().await?;
        let (relay, _held) = free_port().await?;
        drop(_held);
        let service = private_service().await?;
        let away = proxy(web).await?;
        let policy = folder.join("doorward.toml");
        let account = folder.join("account");
        std::fs::create_dir(&account).map_err(Failure::with(Code::CannotCreate))?;
        let files = [
            (policy.clone(), policy_text(web, relay, service)),
            (folder.join("people.htpasswd"), PASSWORDS.into()),
            (folder.join("people.groups"), GROUPS.into()),
        ];
        let recorded = ACCOUNT.iter().map(|(name, text)| (account.join(name), (*text).to_owned()));
        for (path, text) in files.into_iter().chain(recorded) {
            std::fs::write(path, text).map_err(Failure::with(Code::CannotCreate))?;
        }
        let file = Arc::new(super::open_policy(&policy)?);
        let cloud = Cloud::Simulated(Simulated::from_folder(&account).map_err(Failure::with(Code::Data))?);
        super::serve::serve(file, cloud, |url| print_welcome(url, relay, away)).await
    }

    async fn port(&self) -> Result<u16, Failure> {
        let wanted = self.port.unwrap_or(8080);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).await {
            Ok(listener) => {
                listener.local_addr().map(|address| address.port()).map_err(Failure::with(Code::Unavailable))
            }
            Err(_) if self.port.is_none() => free_port().await.map(|(port, _)| port),
            Err(error) => Err(Failure::of(Code::Unavailable, &error)
                .context(format!("port {wanted} of 127.0.0.1 cannot be used"))
                .hint("choose another with `--port`")),
        }
    }
}

async fn free_port() -> Result<(u16, TcpListener), Failure> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Failure::with(Code::Unavailable))?;
    let port = listener.local_addr().map_err(Failure::with(Code::Unavailable))?.port();
    Ok((port, listener))
}

fn policy_text(web: u16, relay: u16, service: SocketAddr) -> String {
    let port = service.port();
    format!(
        r#"# The policy of the demo.

[people]
passwords = "people.htpasswd"
groups    = "people.groups"
operators = ["ops"]

[server]
listen = "127.0.0.1:{web}"
store  = "doorward.db"
# The demo's own proxy, whose clients seem to connect from the internet.
proxies = ["{PROXY}"]
proxy-protocol = true

[aws]
region = "eu-west-1"

[inventory]
folder = "account"

[grants]
# The client addresses that the demo's proxy reports: a network for documentation (RFC 5737).
special-networks = ["203.0.113.0/24"]

[firewall.wiki-relay]
about = "in front of the wiki: the built-in relay"
relay = "127.0.0.1:{relay}"

[firewall.orders-clients]
about          = "who may reach the orders database (a simulated security group)"
security-group = "sg-0a1b2c3d4e5f60718"
static         = ["198.51.100.0/24"]

[target.wiki]
about      = "The wiki, on a private port of this machine"
address    = "127.0.0.1"
ports      = ["tcp/{port}"]
groups     = ["staff"]
transports = ["direct"]
firewall   = "wiki-relay"
lasts      = {{ usually = "10m", at-most = "1h" }}

[target.orders-db]
about      = "Orders database (PostgreSQL), in the simulated account"
address    = "rds:orders-prod"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "orders-clients"
lasts      = {{ usually = "2h", at-most = "8h" }}
reason     = "required"
"#
    )
}

fn print_welcome(url: &str, relay: u16, away: SocketAddr) {
    let text = format!(
        "
  Doorward demo: {url}

  sign in as   jon     password open-sesame   may open the wiki
          or   maria   password open-sesame   may also open the orders database, and is an operator

  Five things to try:
    1. curl http://127.0.0.1:{relay}/     reset, or refused: nobody is admitted
    2. sign in as jon, open `wiki`, and curl again: a page
    3. revoke it, and curl again: reset, like every open connection
    4. http://{away} has the same pages behind a proxy that reports your address as {AWAY}, because a
       security group never admits 127.0.0.1. There, as maria, open `orders-db` of the simulated account, then
       read the audit log
    5. as maria, open {url}/reach: a picture of who can reach what in the account

  Ctrl-C ends the demo and removes its files.

"
    );
    // Nobody reads it when standard output is gone, and the demo goes on.
    let _ = super::printer::print_wrapped(&text);
}

/// A proxy in front of the pages, which reports [`AWAY`] as the address of its clients by the PROXY protocol.
async fn proxy(web: u16) -> Result<SocketAddr, Failure> {
    let (_, listener) = free_port().await?;
    let address = listener.local_addr().map_err(Failure::with(Code::Unavailable))?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                // The browser sees how it ends by the end of its connection.
                let _ = hand_on(client, web).await;
            });
        }
    });
    Ok(address)
}

async fn hand_on(mut client: TcpStream, web: u16) -> std::io::Result<()> {
    let from = client.peer_addr()?.port();
    let socket = TcpSocket::new_v4()?;
    socket.bind((PROXY, 0).into())?;
    let mut server = socket.connect((Ipv4Addr::LOCALHOST, web).into()).await?;
    let header = format!("PROXY TCP4 {AWAY} {} {from} {web}\r\n", Ipv4Addr::LOCALHOST);
    server.write_all(header.as_bytes()).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// A private service: it responds to each connection with one page.
async fn private_service() -> Result<SocketAddr, Failure> {
    let (_, listener) = free_port().await?;
    let address = listener.local_addr().map_err(Failure::with(Code::Unavailable))?;
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                // Whatever is asked, and however it ends: there is one page.
                let _ = connection.read(&mut request).await;
                let page = "<!doctype html><title>The wiki</title><h1>The wiki</h1><p>Your grant is open.\n";
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                    page.len()
                );
                let _ = connection.write_all(answer.as_bytes()).await;
                let _ = connection.shutdown().await;
            });
        }
    });
    Ok(address)
}
