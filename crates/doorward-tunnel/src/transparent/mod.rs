//! A whole range of addresses, carried as if this machine were inside it.
//!
//! The kernel redirects what programs here connect to within the range to a listener of ours; each connection becomes
//! one of the far side's. It stays the kernel's TCP on both ends, so nothing is needed on the far side but the
//! transport's own. UDP cannot go this way: it is refused at once, so that what speaks QUIC goes on to TCP.
//!
//! What is put into the kernel is one table of nftables, in one transaction, and one link. Both bear our name and are
//! gone within two seconds of our end, however that came: see [`watch`].

mod dns;
mod keeper;
mod link;
mod marked;
mod names;
mod nft_list;
mod program;
mod ranges;
mod redirected;
mod routes;
mod socket;
mod table;
mod watchdog;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use doorward_core::net::{Cidr, Family};

use self::dns::Listener;
pub use self::dns::{
    Answered, Domain, Exchange, Full, NotADomain, NotAQuery, Query, SERVFAIL, answers, truncated,
};
use self::keeper::Keeper;
use self::link::Link;
pub use self::link::LinkError;
pub use self::marked::Marked;
pub use self::names::Names;
use self::nft_list::refused;
pub use self::program::ProgramError;
use self::program::run;
pub use self::ranges::{Because, Exception, RangeError, Ranges};
use self::routes::Routes;
pub use self::socket::mark;
use self::table::{PREFIX, Table, removal};
use self::watchdog::{Alive, Guard, sweep};
pub use self::watchdog::{Watchdog, WatchdogError, watch};
use crate::bound::Bound;
use crate::dial::Dial;
use crate::forward::{self, Forward, Options};

/// What our own sockets bear unless told otherwise. Its bits are none of those that Kubernetes, Tailscale or
/// WireGuard's `wg-quick` look at.
pub const MARK: u32 = 0x1d0a;

/// What is to be carried, and what is not.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The addresses.
    pub ranges: Vec<Cidr>,
    /// By which the far side itself is reached; never carried, even within a range.
    pub carriers: Vec<IpAddr>,
    /// Names that the far side answers; none leaves this machine's names alone.
    pub names: Option<Names>,
    /// What our own sockets bear ([`MARK`]); a socket with it is left alone.
    pub mark: u32,
    /// Who cleans up after us.
    pub watchdog: Watchdog,
}

/// Why a range could not be opened. Nothing is left of the attempt.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What was asked for.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// The machine's own programs.
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Watchdog(#[from] WatchdogError),
    /// Our own sockets.
    #[error("cannot listen on loopback")]
    Listen(#[source] io::Error),
    #[error("the kernel does not let this program mark its own connections")]
    Mark(#[source] io::Error),
}

impl OpenError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Range(error) => error.hint(),
            Self::Program(error) | Self::Link(LinkError::Ip(error)) => error.hint(),
            Self::Link(LinkError::Make(_)) => Some("modprobe tun; a container needs the device /dev/net/tun"),
            Self::Mark(_) => ProgramError::NotPermitted.hint(),
            Self::Watchdog(_) | Self::Listen(_) => None,
        }
    }
}

/// What a range did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Its connections.
    pub flows: forward::Counts,
    /// Datagrams that were refused.
    pub udp: u64,
    /// Other packets that were refused (a ping).
    pub other: u64,
}

/// A range that is open. Dropped, it is closed without counts.
pub struct Range {
    name: String,
    ranges: Ranges,
    resolved: bool,
    keeper: Keeper,
    forwards: Vec<Forward>,
    // In the order in which they go.
    names: Vec<Listener>,
    link: Link,
    guard: Guard,
    _alive: Alive,
}

impl Range {
    /// Opens it. What earlier ones left behind, whose processes are no more, is removed first.
    pub async fn open(settings: Settings, dial: Arc<dyn Dial>, options: Options) -> Result<Self, OpenError> {
        sweep().await?;
        let servers = names::servers().await;
        let routes = Routes::read().await?;
        let ranges = Ranges::new(&settings.ranges, &settings.carriers, &servers, &routes)?;
        can_mark(settings.mark).await.map_err(OpenError::Mark)?;

        let name = name();
        let alive = Alive::new(&name).map_err(OpenError::Listen)?;
        let forwards = forwards(&ranges, &dial, &options).map_err(OpenError::Listen)?;
        let listeners: Vec<SocketAddr> = forwards.iter().map(Forward::address).collect();
        let (names, redirected) = match &settings.names {
            Some(names) => names::listeners(names, &servers, &ranges, &dial, settings.mark)
                .await
                .map_err(OpenError::Listen)?,
            None => Default::default(),
        };
        // From here on there is something to remove.
        let guard = Guard::start(settings.watchdog, name.clone()).await?;
        let link = Link::new(&ranges).await?;
        let table = Table {
            name: &name,
            ranges: &ranges,
            mark: settings.mark,
            listeners: &listeners,
            names: &redirected,
        };
        let transaction = table.transaction();
        run("nft", &["-f", "-"], &transaction, "write the table").await?;
        let keeper = Keeper::new(name.clone(), transaction);
        let resolved = match &settings.names {
            Some(names) => names::tell_resolved(&link.name, names).await.unwrap_or_else(|error| {
                // Its own questions pass through the table as everybody's.
                tracing::warn!(%error, "configuring systemd-resolved for the domains of the range failed");
                false
            }),
            None => false,
        };
        Ok(Self { name, ranges, resolved, keeper, forwards, names, link, guard, _alive: alive })
    }

    /// The name of the table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the link.
    pub fn link(&self) -> &str {
        &self.link.name
    }

    /// What is carried, and what in it is not.
    pub fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    /// Whether systemd-resolved was told of the names.
    pub fn told_resolved(&self) -> bool {
        self.resolved
    }

    /// What it did so far.
    pub async fn counts(&self) -> Counts {
        let (udp, other) = refused(&self.name).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "reading the counters failed");
            (0, 0)
        });
        Counts { flows: self.flows(), udp, other }
    }

    fn flows(&self) -> forward::Counts {
        self.forwards.iter().map(Forward::counts).fold(forward::Counts::default(), |one, other| {
            forward::Counts {
                open: one.open + other.open,
                total: one.total + other.total,
                failed: one.failed + other.failed,
                turned_away: one.turned_away + other.turned_away,
                cut: one.cut + other.cut,
                up: one.up + other.up,
                down: one.down + other.down,
            }
        })
    }

    /// Carries until another time from now on.
    pub fn bind(&self, bound: Bound) {
        for forward in &self.forwards {
            forward.bind(bound);
        }
    }

    /// Comes when its time is over and every connection is gone. The range is then still to be closed.
    pub async fn ended(&self) {
        for forward in &self.forwards {
            forward.ended().await;
        }
    }

    /// Closes it: nothing new is taken, what is carried is cut, and the machine is as it was before.
    ///
    /// The table goes last: a client learns of its end by packets that only the table's translation brings back to it.
    /// Where it cannot be removed the watchdog tries again.
    pub async fn close(mut self) -> (Counts, Result<(), ProgramError>) {
        let mut counts = self.counts().await;
        counts.flows = self.flows();
        counts.flows.open = 0;
        for forward in std::mem::take(&mut self.forwards) {
            counts.flows.cut += forward.close().await;
        }
        self.keeper.stop().await;
        let removed = run("nft", &["-f", "-"], &removal(&self.name), "delete the table").await;
        drop(self.names);
        drop(self.link);
        if removed.is_ok() {
            self.guard.done().await;
        }
        (counts, removed.map(drop))
    }
}

/// Of this process, and of no other that has its id later.
fn name() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{PREFIX}{}-{:x}", std::process::id(), since.as_millis())
}

async fn can_mark(with: u32) -> io::Result<()> {
    mark(&tokio::net::TcpSocket::new_v4()?, with)
}

/// A listener for each family that is carried.
fn forwards(ranges: &Ranges, dial: &Arc<dyn Dial>, options: &Options) -> io::Result<Vec<Forward>> {
    let loopbacks =
        [(Family::V4, IpAddr::from(Ipv4Addr::LOCALHOST)), (Family::V6, Ipv6Addr::LOCALHOST.into())];
    let carried = loopbacks.into_iter().filter(|(family, _)| ranges.has(*family));
    let ask = Arc::new(redirected::Redirected(ranges.clone()));
    carried
        .map(|(_, loopback)| {
            let listen = SocketAddr::new(loopback, 0);
            let ask = Arc::clone(&ask) as Arc<dyn forward::Ask>;
            Forward::asking(listen, ask, Arc::clone(dial), options.clone()).map_err(|error| error.source)
        })
        .collect()
}
