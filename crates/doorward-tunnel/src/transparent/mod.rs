//! A whole range of addresses, carried as if this machine were inside it.
//!
//! The kernel redirects what programs here connect to within the range to a listener of ours; each connection becomes
//! one of the far side's. It stays the kernel's TCP on both ends, so nothing is needed on the far side but the
//! transport's own. UDP cannot go this way: it is refused at once, so that what speaks QUIC goes on to TCP.
//!
//! What is put into the kernel is one table of nftables, in one transaction, and one link. Both bear our name and are
//! gone within two seconds of our end, however that came: see [`watch`].

mod carry;
mod dns;
mod flows;
mod link;
mod names;
mod program;
mod ranges;
mod routes;
mod socket;
mod table;
mod watchdog;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

use doorward_core::net::{Cidr, Family};
use serde::Deserialize;

pub use self::dns::{
    Answered, Domain, Exchange, Full, NotADomain, NotAQuery, Query, SERVFAIL, answers, truncated,
};
use self::dns::{Elsewhere, Far, Listener};
use self::flows::Flows;
pub use self::flows::Limits;
use self::link::Link;
pub use self::link::LinkError;
pub use self::names::Names;
pub use self::program::ProgramError;
use self::program::run;
pub use self::ranges::{Because, Exception, RangeError, Ranges};
use self::routes::Routes;
pub use self::socket::mark;
use self::table::{PREFIX, Redirected, Table, removal};
use self::watchdog::{Alive, Guard, sweep};
pub use self::watchdog::{Watchdog, WatchdogError, watch};
use crate::dial::{Answer, BoxedStream, Destination, Dial, DialError, Host};

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
    /// What may be used up.
    pub limits: Limits,
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
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The watchdog.
    #[error(transparent)]
    Watchdog(#[from] WatchdogError),
    /// Our own sockets.
    #[error("cannot listen on loopback")]
    Listen(#[source] io::Error),
    /// The mark.
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

/// What a range did. Packets that were refused are read when the counts are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that are carried now.
    pub open: u64,
    /// Connections that were carried, those of now included.
    pub carried: u64,
    /// Connections that the far side refused or did not reach.
    pub refused: u64,
    /// Connections that were turned away, because there were too many at once.
    pub turned_away: u64,
    /// Connections that were cut when the range was closed.
    pub cut: u64,
    /// Bytes to the far side.
    pub up: u64,
    /// Bytes from the far side.
    pub down: u64,
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
    flows: Flows,
    // In the order in which they go.
    names: Vec<Listener>,
    link: Link,
    guard: Guard,
    _alive: Alive,
}

impl Range {
    /// Opens it. What earlier ones left behind, whose processes are no more, is removed first.
    pub async fn open(settings: Settings, dial: Arc<dyn Dial>) -> Result<Self, OpenError> {
        sweep().await?;
        let servers = names::servers().await;
        let routes = Routes::read().await?;
        let ranges = Ranges::new(&settings.ranges, &settings.carriers, &servers, &routes)?;
        can_mark(settings.mark).await.map_err(OpenError::Mark)?;

        let name = name();
        let alive = Alive::new(&name).map_err(OpenError::Listen)?;
        let flows = Flows::listen(&loopbacks(&ranges), &ranges, &dial, settings.limits)
            .await
            .map_err(OpenError::Listen)?;
        let (names, redirected) = match &settings.names {
            Some(names) => {
                listeners(names, &servers, &ranges, &dial, settings.mark).await.map_err(OpenError::Listen)?
            }
            None => Default::default(),
        };
        // From here on there is something to remove.
        let guard = Guard::start(settings.watchdog, name.clone()).await?;
        let link = Link::new(&ranges).await?;
        let table = Table {
            name: &name,
            ranges: &ranges,
            mark: settings.mark,
            listeners: &flows.listeners,
            names: &redirected,
        };
        run("nft", &["-f", "-"], &table.transaction(), "write the table").await?;
        let resolved = match &settings.names {
            Some(names) => names::tell_resolved(&link.name, names).await.unwrap_or_else(|error| {
                // Its own questions pass through the table as everybody's.
                tracing::warn!(%error, "systemd-resolved was not told of the range's names");
                false
            }),
            None => false,
        };
        Ok(Self { name, ranges, resolved, flows, names, link, guard, _alive: alive })
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
        let tally = &self.flows.tally;
        let (udp, other) = refused(&self.name).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "the counters were not read");
            (0, 0)
        });
        Counts {
            open: tally.open.load(Relaxed),
            carried: tally.carried.load(Relaxed),
            refused: tally.refused.load(Relaxed),
            turned_away: tally.turned_away.load(Relaxed),
            cut: tally.cut.load(Relaxed),
            up: tally.up.load(Relaxed),
            down: tally.down.load(Relaxed),
            udp,
            other,
        }
    }

    /// Closes it: nothing new is taken, what is carried is cut, and the machine is as it was before.
    ///
    /// The table is removed first, so that no connection is brought to a listener that is gone. Where that fails the
    /// watchdog tries again.
    pub async fn close(mut self) -> (Counts, Result<(), ProgramError>) {
        let refused = self.counts().await;
        let removed = run("nft", &["-f", "-"], &removal(&self.name), "delete the table").await;
        self.flows.cut().await;
        drop(self.names);
        drop(self.link);
        let tally = &self.flows.tally;
        let counts = Counts {
            open: tally.open.load(Relaxed),
            carried: tally.carried.load(Relaxed),
            refused: tally.refused.load(Relaxed),
            turned_away: tally.turned_away.load(Relaxed),
            cut: tally.cut.load(Relaxed),
            up: tally.up.load(Relaxed),
            down: tally.down.load(Relaxed),
            ..refused
        };
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

/// A loopback address for each family that is carried.
fn loopbacks(ranges: &Ranges) -> Vec<IpAddr> {
    let of = |family| match family {
        Family::V4 => IpAddr::from(Ipv4Addr::LOCALHOST),
        Family::V6 => Ipv6Addr::LOCALHOST.into(),
    };
    [Family::V4, Family::V6].into_iter().filter(|family| ranges.has(*family)).map(of).collect()
}

/// A listener for each of this machine's name servers, and one for the far side's own address.
async fn listeners(
    names: &Names,
    servers: &[IpAddr],
    ranges: &Ranges,
    dial: &Arc<dyn Dial>,
    mark: u32,
) -> io::Result<(Vec<Listener>, Vec<Redirected>)> {
    let resolver = Destination { host: Host::Address(names.resolver), port: 53 };
    let far = Far::new(Arc::clone(dial), resolver);
    let (mut listeners, mut redirected) = (Vec::new(), Vec::new());
    let near = servers.iter().filter(|_| !names.domains.is_empty()).map(|server| {
        let elsewhere = Elsewhere::Near(SocketAddr::new(*server, 53), mark);
        (*server, elsewhere, true)
    });
    // This machine's own server may have the same address, where the machine is in a VPC itself: then it is that.
    let is_near = servers.contains(&names.resolver) && !names.domains.is_empty();
    let itself =
        (ranges.contains(names.resolver) && !is_near).then_some((names.resolver, Elsewhere::Far, false));
    for (server, elsewhere, near) in near.chain(itself) {
        let loopback = if server.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        let listener = Listener::bind(loopback, far.clone(), names.domains.clone(), elsewhere).await?;
        redirected.push(Redirected { server, port: listener.address.port(), near });
        listeners.push(listener);
    }
    Ok((listeners, redirected))
}

/// Datagrams, and other packets, that the table refused.
async fn refused(name: &str) -> Result<(u64, u64), ProgramError> {
    #[derive(Deserialize)]
    struct Told {
        nftables: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        counter: Option<Counter>,
    }
    #[derive(Deserialize)]
    struct Counter {
        name: String,
        packets: u64,
    }
    let said = run("nft", &["-j", "list", "table", "inet", name], "", "list the counters").await?;
    let told: Told = serde_json::from_str(&said).map_err(|source| ProgramError::Answer("nft", source))?;
    let packets = |name: &str| {
        let mut counters = told.nftables.iter().filter_map(|item| item.counter.as_ref());
        counters.find(|counter| counter.name == name).map_or(0, |counter| counter.packets)
    };
    Ok((packets("refused-udp"), packets("refused-other")))
}

/// This machine's own TCP, by sockets that no range takes: what a carrier is to be dialled with.
#[derive(Debug, Clone, Copy)]
pub struct Marked(pub u32);

impl Dial for Marked {
    fn dial<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<BoxedStream, DialError>> {
        Box::pin(async move {
            let local = |source: io::Error| match source.kind() {
                io::ErrorKind::ConnectionRefused => DialError::Refused { to: to.clone() },
                _ => DialError::Local { to: to.clone(), source },
            };
            let addresses: Vec<SocketAddr> = match &to.host {
                Host::Address(address) => vec![(*address, to.port).into()],
                Host::Name(name) => {
                    tokio::net::lookup_host((name.as_str(), to.port)).await.map_err(local)?.collect()
                }
            };
            let mut last = io::ErrorKind::NotFound.into();
            for address in addresses {
                match socket::connect(address, self.0).await {
                    Ok(stream) => return Ok(Box::new(stream) as BoxedStream),
                    Err(error) => last = error,
                }
            }
            Err(local(last))
        })
    }
}
