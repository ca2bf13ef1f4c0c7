//! What a connection's task hears: the host key, what comes for the channels, the end.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId, ChannelOpenFailure};
use tokio::sync::watch;

use super::Limits;
use super::host_keys::{Host, HostKeyError, HostKeys, Verdict, fingerprint};
use super::stream::Held;
use crate::news::{News, Tell};

/// What the connection's task and its users have in common.
pub(super) struct Watched {
    pub(super) held: Held,
    pub(super) limits: Limits,
    pub(super) cut: watch::Sender<bool>,
    pub(super) closed: watch::Sender<Option<String>>,
    /// What the far side said of channels that it did not open. The library passes on the reason's number only.
    pub(super) refusals: Mutex<VecDeque<(u32, String)>>,
    pub(super) left_behind: watch::Sender<usize>,
}

impl Watched {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            held: Held::default(),
            limits,
            cut: watch::channel(false).0,
            closed: watch::channel(None).0,
            refusals: Mutex::default(),
            left_behind: watch::channel(0).0,
        }
    }

    pub(super) fn close(&self, why: &str) {
        self.closed.send_if_modified(|closed| {
            let first = closed.is_none();
            closed.get_or_insert_with(|| why.to_owned());
            first
        });
    }
}

/// What breaks a connection.
#[derive(Debug)]
pub(super) enum Broken {
    HostKey(HostKeyError),
    Ssh(russh::Error),
}

impl From<russh::Error> for Broken {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

/// Hears what the far side says.
pub(super) struct Watcher {
    pub(super) watched: Arc<Watched>,
    pub(super) host: Host,
    pub(super) host_keys: Arc<dyn HostKeys>,
    pub(super) tell: Tell,
    pub(super) shows_banner: bool,
    /// Whether a channel that the server opened was refused already.
    pub(super) refused: bool,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.watched.close("the connection broke");
    }
}

impl Watcher {
    /// Refuses a channel that the server opens, whatever it is for.
    async fn refuse(&mut self, kind: &str, reply: ChannelOpenHandle) -> Result<(), Broken> {
        if !std::mem::replace(&mut self.refused, true) {
            tracing::warn!(kind, host = %self.host.label(), "the server opens channels to this client, which are refused");
        }
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }

    /// Waits where too much is held, so that nothing more is read from the carrier.
    async fn received(
        &mut self,
        channel: ChannelId,
        size: usize,
        session: &mut Session,
    ) -> Result<(), Broken> {
        let limits = self.watched.limits;
        let Watched { held, cut, .. } = &*self.watched;
        let stalled = held.received(channel, size, limits.held, limits.stalled, cut).await;
        if let Some(stalled) = stalled {
            tracing::warn!(channel = %stalled, "closed a channel whose reader blocked the others");
            session.close(stalled)?;
        }
        Ok(())
    }
}

impl client::Handler for Watcher {
    type Error = Broken;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, Broken> {
        let key = offered.public_key();
        match self.host_keys.verdict(&self.host, &key).await {
            Ok(Verdict::Known) => Ok(true),
            Ok(Verdict::Pinned) => {
                let news = News::Pinned { host: self.host.label(), fingerprint: fingerprint(&key) };
                (self.tell)(news);
                Ok(true)
            }
            Ok(Verdict::Unknown) => Err(Broken::HostKey(HostKeyError::Unknown {
                host: self.host.label(),
                offered: fingerprint(&key),
            })),
            Err(error) => Err(Broken::HostKey(error)),
        }
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), Broken> {
        let text: String = banner
            .trim_end()
            .chars()
            .filter(|letter| *letter == '\n' || !letter.is_control())
            .take(8192)
            .collect();
        if self.shows_banner && !text.is_empty() {
            (self.tell)(News::Banner { text });
        }
        Ok(())
    }

    async fn channel_open_confirmation(
        &mut self,
        id: ChannelId,
        _: u32,
        _: u32,
        _: &mut Session,
    ) -> Result<(), Broken> {
        self.watched.held.confirmed(id);
        Ok(())
    }

    async fn channel_open_failure(
        &mut self,
        _: ChannelId,
        reason: ChannelOpenFailure,
        description: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), Broken> {
        let mut refusals = self.watched.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let said: String = description.chars().filter(|letter| !letter.is_control()).take(500).collect();
        refusals.push_back((reason.code(), said));
        if refusals.len() > 256 {
            refusals.pop_front();
        }
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Broken> {
        self.received(channel, data.len(), session).await
    }

    async fn extended_data(
        &mut self,
        channel: ChannelId,
        _: u32,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Broken> {
        self.received(channel, data.len(), session).await
    }

    // A server opens channels only where the client asked for forwarding, and this one never does. The library accepts
    // them all by default, and keeps each for as long as the connection lives.

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Broken> {
        self.refuse("session", reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Broken> {
        self.refuse("direct-tcpip", reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Broken> {
        self.refuse("direct-streamlocal", reply).await
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Broken> {
        self.refuse("forwarded-tcpip", reply).await
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Broken> {
        self.refuse("forwarded-streamlocal", reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Broken> {
        self.refuse("agent", reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Broken> {
        self.refuse("x11", reply).await
    }

    async fn should_accept_unknown_server_channel(&mut self, _: ChannelId, _: &str) -> bool {
        false
    }

    async fn server_channel_open_unknown(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Broken> {
        self.refuse("unknown", reply).await
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Broken>) -> Result<(), Broken> {
        let why = match reason {
            DisconnectReason::ReceivedDisconnect(said) => {
                let message: String =
                    said.message.chars().filter(|letter| !letter.is_control()).take(500).collect();
                format!("the server ended it: {message}")
            }
            DisconnectReason::Error(Broken::Ssh(error)) => words(&error),
            DisconnectReason::Error(Broken::HostKey(error)) => error.to_string(),
        };
        self.watched.close(&why);
        Ok(())
    }
}

/// What went wrong, for a person.
pub(super) fn words(error: &russh::Error) -> String {
    use russh::Error;
    match error {
        Error::HUP | Error::Disconnect => "the server closed the connection".to_owned(),
        Error::IO(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the server closed the connection".to_owned()
        }
        Error::IO(error) => error.to_string(),
        Error::KeepaliveTimeout => "the server stopped responding".to_owned(),
        Error::SendError | Error::RecvError => "the connection was lost".to_owned(),
        Error::Version | Error::KexInit => "the remote end does not use SSH".to_owned(),
        Error::NoCommonAlgo { kind, theirs, .. } => {
            format!("no common {kind:?} algorithm; it offers {}", theirs.join(", ")).to_lowercase()
        }
        Error::WrongServerSig => "the server does not own the host key that it shows".to_owned(),
        Error::PacketAuth | Error::DecryptionError => "its data was corrupted on the path".to_owned(),
        error => error.to_string(),
    }
}
