//! What an sshd may give to who is logged in, besides connections and programs: asked for, and given back at once.

use std::sync::Arc;
use std::time::Duration;

use super::link::Link;
use super::shell::agreed;
use super::{Ssh, SshError};

/// Sockets that any user of a usual machine may connect to: journald's, and the system bus.
const SOCKETS: [&str; 2] = ["/run/systemd/journal/stdout", "/run/dbus/system_bus_socket"];

/// How long it is waited for an answer, which sshd gives at once.
const ANSWERS: Duration = Duration::from_secs(5);

/// Something that the words of an sshd's configuration allow or deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// A port of the machine leads to the client: `PermitListen`.
    Remote,
    /// Unix sockets of the machine: `AllowStreamLocalForwarding`. No is only that none of the usual ones was reached.
    Sockets,
    /// The client's keys serve on the machine: `AllowAgentForwarding`.
    Agent,
    /// Programs show windows at the client: `X11Forwarding`.
    X11,
    /// A terminal: `PermitTTY`.
    Terminal,
}

impl Extra {
    /// All that can be asked for.
    pub const ALL: [Self; 5] = [Self::Remote, Self::Sockets, Self::Agent, Self::X11, Self::Terminal];
}

impl Ssh {
    /// Whether the far side gives it.
    pub async fn gives(&self, extra: Extra) -> Result<bool, SshError> {
        let link = self.pool.link().await;
        let link = link.map_err(|error| SshError::Lost { why: crate::news::in_words(&*error) })?;
        let asked = async {
            match extra {
                Extra::Remote => link.gives_a_port().await,
                Extra::Sockets => link.gives_sockets().await,
                Extra::Agent | Extra::X11 | Extra::Terminal => in_a_session(&link, extra).await,
            }
        };
        match tokio::time::timeout(ANSWERS, asked).await {
            Ok(given) => given,
            Err(_) => Err(SshError::Lost { why: "no answer came".into() }),
        }
    }
}

/// What only a session is given. Where there is none, there is none of it either.
async fn in_a_session(link: &Arc<Link>, extra: Extra) -> Result<bool, SshError> {
    let ends = match link.session().await {
        Ok(ends) => ends,
        Err(SshError::Refused { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let half = ends.writer();
    let asked = match extra {
        Extra::Agent => half.agent_forward(true).await,
        // A cookie of the form that xauth takes; no window is ever shown.
        Extra::X11 => half.request_x11(true, true, "MIT-MAGIC-COOKIE-1", "0".repeat(32), 0).await,
        Extra::Remote | Extra::Sockets | Extra::Terminal => {
            half.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await
        }
    };
    asked.map_err(|error| SshError::Lost { why: super::watcher::words(&error) })?;
    match agreed(&ends, "it").await {
        Ok(()) => Ok(true),
        Err(SshError::Refused { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Link {
    async fn gives_a_port(&self) -> Result<bool, SshError> {
        let handle = self.handle();
        match handle.tcpip_forward("127.0.0.1", 0).await {
            Ok(port) => {
                // The connection's end takes it back, too.
                let _ = handle.cancel_tcpip_forward("127.0.0.1", port).await;
                Ok(true)
            }
            Err(russh::Error::RequestDenied) => Ok(false),
            Err(error) => Err(SshError::Lost { why: super::watcher::words(&error) }),
        }
    }

    /// A refusal does not say whether it is one or whether there is no such socket, so several are tried. A socket that
    /// leads back to the client is not: sshd would leave its file behind.
    async fn gives_sockets(&self) -> Result<bool, SshError> {
        let handle = self.handle();
        for path in SOCKETS {
            match handle.channel_open_direct_streamlocal(path).await {
                Ok(channel) => {
                    let _ = channel.close().await;
                    return Ok(true);
                }
                Err(russh::Error::ChannelOpenFailure(_)) => {}
                Err(error) => return Err(SshError::Lost { why: super::watcher::words(&error) }),
            }
        }
        Ok(false)
    }
}
