//! One SSH connection: made, logged in, watched.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use russh::client::{self, Msg};
use russh::keys::{Algorithm, HashAlg};
use russh::{Channel, ChannelOpenFailure, Disconnect, Preferred, SshId, cipher};

use super::carrier::Carrier;
use super::stream::{ChannelStream, Ends, Held};
use super::watcher::{Broken, Watched, Watcher, words};
use super::{Limits, Options, SshError, login};
use crate::dial::{Destination, Dial, DialError, Host as Far};

/// What the far side may send of a channel before we give it more: no less than this, and no more than that.
///
/// OpenSSH's sshd reads so far ahead of what it can send, and moves about what it has read: with 16 MiB on a short way it
/// needed 2.4 CPU seconds a GB instead of 1.5, and downloads were a third slower.
const WINDOWS: [u32; 2] = [4 * 1024 * 1024, 16 * 1024 * 1024];

/// Bytes a second that the window should let through however long the way is.
const SPEED: f64 = 100e6;

/// The largest packet of a channel that we take.
const PACKET: u32 = 64 * 1024 - 1;

/// Messages in a channel's queue; bytes are what bounds it.
const QUEUE: usize = 1 << 20;

/// Channels that were closed by us first; the library keeps some kilobytes of each until the connection ends.
const LEFT_BEHIND: usize = 8192;

/// How long a further connection stays when nothing is carried over it.
const IDLE: Duration = Duration::from_secs(120);

/// Hardware does it, and it needs no second pass for integrity.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// A connection that is logged in.
pub(super) struct Link {
    handle: client::Handle<Watcher>,
    watched: Arc<Watched>,
    runtime: tokio::runtime::Handle,
    opening: AtomicUsize,
}

/// Counts a channel that is being opened.
struct Opening(Arc<Link>);

impl Opening {
    fn new(link: &Arc<Link>) -> Self {
        link.opening.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(link))
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.opening.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a stream was not opened.
pub(super) enum NotDialled {
    /// The connection is gone; another may do.
    Lost,
    /// The far side said no.
    Refused(DialError),
}

/// Cuts a connection that did not come to be used.
struct Unfinished(Option<Arc<Watched>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(watched) = &self.0 {
            watched.cut.send_replace(true);
        }
    }
}

impl Link {
    /// Connects and logs in. Dropping the answer gives it up.
    pub(super) async fn connect(
        carrier: &dyn Dial,
        options: &Options,
        shows_banner: bool,
    ) -> Result<Arc<Self>, SshError> {
        let limits = options.limits;
        let at = &options.at;
        let began = Instant::now();
        let carried =
            carrier.dial(at).await.map_err(|source| SshError::Carrier { at: at.clone(), source })?;
        let window = window(began.elapsed());
        let watched = Arc::new(Watched::new(limits));
        let mut unfinished = Unfinished(Some(Arc::clone(&watched)));
        let carried = Carrier::new(carried, watched.cut.subscribe(), limits.patience());
        let config = config(limits, window, &options.host_keys.algorithms(&options.host).await);
        let watcher = Watcher {
            watched: Arc::clone(&watched),
            host: options.host.clone(),
            host_keys: Arc::clone(&options.host_keys),
            tell: Arc::clone(&options.tell),
            shows_banner,
            refused: false,
        };
        let connected = client::connect_stream(Arc::new(config), carried, watcher).await;
        let mut handle = connected.map_err(|broken| match broken {
            Broken::HostKey(error) => SshError::HostKey(error),
            Broken::Ssh(error) => SshError::Protocol { at: at.clone(), why: words(&error) },
        })?;
        login::log_in(&mut handle, &options.user, &options.login).await?;
        unfinished.0 = None;
        let runtime = tokio::runtime::Handle::current();
        Ok(Arc::new(Self { handle, watched, runtime, opening: AtomicUsize::new(0) }))
    }

    pub(super) fn handle(&self) -> &client::Handle<Watcher> {
        &self.handle
    }

    pub(super) fn held(&self) -> &Held {
        &self.watched.held
    }

    pub(super) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.runtime
    }

    /// How many channels are open, or being opened.
    pub(super) fn channels(&self) -> usize {
        self.watched.held.channels() + self.opening.load(Ordering::Relaxed)
    }

    /// Whether readers who do not read hold it up, or soon will.
    pub(super) fn is_full(&self) -> bool {
        self.watched.held.total() > self.watched.limits.held / 2
    }

    /// Comes when it should be replaced.
    pub(super) async fn worn(&self) {
        let mut left_behind = self.watched.left_behind.subscribe();
        let _ = left_behind.wait_for(|left_behind| *left_behind > LEFT_BEHIND).await;
    }

    pub(super) fn leave_behind(&self) {
        self.watched.left_behind.send_modify(|left_behind| *left_behind += 1);
    }

    /// Why it is gone; none: it stands.
    pub(super) fn why(&self) -> Option<String> {
        self.watched.closed.borrow().clone()
    }

    /// Comes when it is gone; why.
    pub(super) async fn closed(&self) -> String {
        let mut closed = self.watched.closed.subscribe();
        let why = closed.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        why.unwrap_or_default()
    }

    /// Why it is gone, when something failed because it is: that may be known a moment later.
    pub(super) async fn over(&self) -> String {
        let why = tokio::time::timeout(Duration::from_secs(1), self.closed()).await;
        self.cut("the connection broke");
        why.unwrap_or_else(|_| self.why().unwrap_or_default())
    }

    /// Comes when nothing was carried for a while.
    pub(super) async fn idle(&self) {
        let mut quiet = 0;
        while quiet < 2 {
            tokio::time::sleep(IDLE / 2).await;
            quiet = if self.channels() == 0 { quiet + 1 } else { 0 };
        }
    }

    /// Ends it at once: the carrier breaks.
    pub(super) fn cut(&self, why: &str) {
        self.watched.close(why);
        self.watched.cut.send_replace(true);
    }

    /// Ends it politely, or at once where the far side does not listen.
    pub(super) async fn goodbye(&self, why: &str) {
        self.watched.close(why);
        let bye = async {
            let _ = self.handle.disconnect(Disconnect::ByApplication, "", "").await;
            while !self.handle.is_closed() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(500), bye).await;
        self.watched.cut.send_replace(true);
    }

    /// Opens a stream. Where the answer is dropped, what the far side opened meanwhile is closed again.
    pub(super) async fn dial(self: &Arc<Self>, to: &Destination) -> Result<ChannelStream, NotDialled> {
        let (opening, to) = (Opening::new(self), to.clone());
        let (sender, opened) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let answer = opening.0.open(&to).await;
            // From here on the stream itself is counted, and who gets it may have dropped it a moment later.
            drop(opening);
            // Nobody waits any more: the stream that comes back is dropped, and so closed.
            let _ = sender.send(answer);
        });
        opened.await.unwrap_or(Err(NotDialled::Lost))
    }

    async fn open(self: &Arc<Self>, to: &Destination) -> Result<ChannelStream, NotDialled> {
        let host = match &to.host {
            Far::Address(address) => address.to_string(),
            Far::Name(name) => name.clone(),
        };
        let opened = self.handle.channel_open_direct_tcpip(host, u32::from(to.port), "127.0.0.1", 0).await;
        match opened {
            Ok(channel) => Ok(ChannelStream::new(self.ends(channel))),
            Err(russh::Error::ChannelOpenFailure(reason)) => {
                let said = self.refusal(reason.code()).await;
                Err(NotDialled::Refused(refused(to, &reason, &said)))
            }
            Err(_) => Err(NotDialled::Lost),
        }
    }

    /// Opens a session: a place to run something in.
    pub(super) async fn session(self: &Arc<Self>) -> Result<Ends, SshError> {
        match self.handle.channel_open_session().await {
            Ok(channel) => Ok(self.ends(channel)),
            Err(russh::Error::ChannelOpenFailure(reason)) => {
                let said = self.refusal(reason.code()).await;
                Err(SshError::Refused { what: format!("a session: {} {said}", reason.description()) })
            }
            Err(error) => Err(SshError::Lost { why: self.why().unwrap_or_else(|| words(&error)) }),
        }
    }

    fn ends(self: &Arc<Self>, channel: Channel<Msg>) -> Ends {
        Ends::new(Arc::clone(self), channel)
    }

    /// What the far side said with a refusal, which comes a moment after its number. Refusals of the same moment may
    /// be mistaken for each other.
    async fn refusal(&self, code: u32) -> String {
        for _ in 0..50 {
            {
                let mut refusals = self.watched.refusals.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(at) = refusals.iter().position(|(of, _)| *of == code) {
                    return refusals.remove(at).map(|(_, said)| said).unwrap_or_default();
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        String::new()
    }
}

/// RFC 4254, 5.1; OpenSSH says with a failed connection what the system said.
fn refused(to: &Destination, reason: &ChannelOpenFailure, said: &str) -> DialError {
    let to = to.clone();
    let said = said.trim();
    let why = match reason {
        ChannelOpenFailure::AdministrativelyProhibited => {
            "its sshd forbids it (`AllowTcpForwarding`, `PermitOpen`, or an option of the key)".to_owned()
        }
        ChannelOpenFailure::ConnectFailed if said.to_ascii_lowercase().contains("refused") => {
            return DialError::Refused { to };
        }
        _ if said.is_empty() => reason.description().to_ascii_lowercase(),
        _ => said.to_owned(),
    };
    DialError::Unreachable { to, why }
}

/// The window for a way whose carrier took so long to connect, which is one time there and back, or longer.
fn window(took: Duration) -> u32 {
    let [least, most] = WINDOWS;
    // Beyond its range a float becomes the nearest number that there is.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is cut to the bounds anyway"
    )]
    let window = (took.as_secs_f64() * SPEED) as u32;
    window.clamp(least, most)
}

fn config(limits: Limits, window: u32, known: &[Algorithm]) -> client::Config {
    // SHA-1 signatures are not asked for: whoever has an RSA key signs with SHA-2 since 2016 (RFC 8332).
    let wanted = |algorithm: &&Algorithm| **algorithm != Algorithm::Rsa { hash: None };
    let mut keys: Vec<Algorithm> = Preferred::DEFAULT.key.iter().filter(wanted).cloned().collect();
    let is_known = |algorithm: &Algorithm| match algorithm {
        Algorithm::Rsa { .. } => known.iter().any(|known| matches!(known, Algorithm::Rsa { .. })),
        algorithm => known.contains(algorithm),
    };
    keys.sort_by_key(|algorithm| !is_known(algorithm));
    debug_assert!(keys.contains(&Algorithm::Rsa { hash: Some(HashAlg::Sha256) }));
    client::Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-Doorward_", env!("CARGO_PKG_VERSION")))),
        window_size: window,
        maximum_packet_size: PACKET,
        channel_buffer_size: QUEUE,
        preferred: Preferred { key: Cow::Owned(keys), cipher: Cow::Borrowed(CIPHERS), ..Preferred::DEFAULT },
        keepalive_interval: Some(limits.quiet),
        keepalive_max: limits.unanswered,
        nodelay: true,
        ..client::Config::default()
    }
}
