//! `doorward shell`: a shell on an instance by Session Manager, with no sshd and no key.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use doorward_core::policy::{TargetName, Transport};
use doorward_tunnel::dial::{Destination, Host};
use doorward_tunnel::ssm::shell::{Shell as Session, Size, Terminal};
use doorward_tunnel::ssm::{Ending, Limits, Sessions as _};
use doorward_tunnel::websocket::Connector;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::access::{self, Access, Asking};
use super::desk::Desk;
use super::raw_terminal::{self, RawTerminal};
use super::{Code, Failure};
use crate::connect;

/// Open a shell on an instance with Session Manager
///
/// The instance needs no SSH server, no key and no open port.
///
/// Every key goes to the instance, also Ctrl-C; `exit` ends the shell. If the account encrypts sessions with a KMS
/// key, the shell is encrypted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward shell web-1
  echo uptime | doorward shell web-1

The target must be an instance (`instance:` or `tag:`) whose ports include tcp/22 and whose transports include ssm.")]
pub struct Shell {
    /// The target, by its name in the policy
    pub target: TargetName,
    #[command(flatten)]
    pub(super) asking: Asking,
}

impl Shell {
    pub fn run(mut self, policy: &Path) -> Result<ExitCode, Failure> {
        self.asking.via = Some(Transport::Ssm);
        Desk::work(&self.asking.backend, policy, async |desk| {
            Access::used(&self.asking, desk, &self.target, super::ssh::events(), async |access| {
                Ok((self.through(desk, access).await?, (0, 0)))
            })
            .await
        })
    }

    async fn through(&self, desk: &Desk, access: &Access) -> Result<ExitCode, Failure> {
        let here = Destination { host: Host::Name("localhost".into()), port: 22 };
        if access.granted(&here.host).lets(&here).is_err() {
            let what = format!("`{}` does not have tcp/22 among its ports, which a shell needs", self.target);
            return Err(Failure::new(Code::No, what));
        }
        let address = access.through.address.as_deref().unwrap_or_default();
        let sessions = connect::shells(access.grant.clone(), &access.accounts, address).await;
        let sessions = Arc::new(sessions.map_err(access::failure)?);
        let opened = sessions.start(&here).await.map_err(Failure::with(Code::Unavailable))?;
        access.carrier.note_session(&opened.session);
        access.connect(desk, None).await?;
        let connector = Connector::of_this_machine().map_err(Failure::with(Code::Unavailable))?;
        let shell = Session::new(sessions, connector, Limits::default(), super::ssh::events());
        let (size, sizes) = watch::channel(seen());
        let resizing = tokio::spawn(resize(size));
        let raw = RawTerminal::take().map_err(Failure::with(Code::Io))?;
        let terminal = Terminal { input: tokio::io::stdin(), output: tokio::io::stdout(), sizes };
        let outcome = shell.run(opened, terminal).await;
        resizing.abort();
        drop(raw);
        let outcome = outcome.map_err(Failure::with(Code::Io))?;
        if !matches!(outcome.ending, Ending::Closed { .. } | Ending::Finished) {
            return Err(Failure::new(Code::Unavailable, outcome.ending.to_string()));
        }
        Ok(ExitCode::from(outcome.exit.map_or(0, |exit| u8::try_from(exit).unwrap_or(255))))
    }
}

fn seen() -> Size {
    let (columns, rows) = raw_terminal::size();
    Size { columns, rows }
}

async fn resize(size: watch::Sender<Size>) {
    let Ok(mut resized) = signal(SignalKind::window_change()) else { return };
    while resized.recv().await.is_some() {
        size.send_replace(seen());
    }
}
