//! `doorward ssh`: a shell or a command on an instance, by a transport that the policy allows.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use doorward_core::policy::{SshUser, TargetName};
use doorward_tunnel::dial::{Destination, Dial, Host};
use doorward_tunnel::news::{News, Tell};
use doorward_tunnel::ssh::Ssh as Connection;
use doorward_tunnel::ssh::shell::{Exit, Input, Output, ProgramOutput, Size, Terminal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::signal::unix::{SignalKind, signal};

use super::access::{self, Access, Asking};
use super::desk::Desk;
use super::raw_terminal::{self, RawTerminal};
use super::{Code, Failure};
use crate::connect;
use crate::requests::By;

/// Where a target's sshd listens.
const PORT: u16 = 22;

/// The user where nobody names one.
const USER: &str = "ec2-user";

/// Open a shell or run a command on an instance over SSH
///
/// EC2 Instance Connect accepts a new key for one minute; the key is not stored. The connection uses the transport
/// of the target: a Session Manager session, a jump host, or a direct connection.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward ssh web-1
  doorward ssh web-1 --user ubuntu uptime
  doorward ssh web-1 'tar c /var/log' > log.tar

The exit code is that of the command. The ports of the target must include tcp/22.")]
pub struct Ssh {
    /// The target, by its name in the policy
    pub target: TargetName,
    /// The user to log in as
    #[arg(long)]
    pub user: Option<SshUser>,
    #[command(flatten)]
    pub(super) asking: Asking,
    /// The command to run; by default a shell
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

/// Prints the events that a person should see while a remote program has the terminal.
pub fn events() -> Tell {
    Arc::new(|news| match news {
        News::Connecting { .. } | News::Connected { .. } | News::Ended { .. } => {}
        // A raw terminal goes down a line without going back.
        news => super::printer::note_raw(&news.to_string()),
    })
}

impl Ssh {
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        Desk::work(&self.asking.backend, policy, async |desk| {
            Access::used(&self.asking, desk, &self.target, events(), async |access| {
                Ok((self.through(desk, access).await?, (0, 0)))
            })
            .await
        })
    }

    async fn through(&self, desk: &Desk, access: &Access) -> Result<ExitCode, Failure> {
        let own;
        // The jump host itself needs no second connection inside the first.
        let jump = match (&access.through.by, access.carrier.ssh()) {
            (By::Ssh(machine), Some(ssh))
                if Some(&machine.jump_host) == access.through.address.as_ref()
                    && machine.then.is_none()
                    && self.user.as_ref().is_none_or(|user| user.as_str() == machine.user) =>
            {
                Some(ssh)
            }
            _ => None,
        };
        let ssh: &Connection = match jump {
            Some(ssh) => ssh,
            None => {
                own = onto(access, self.user.as_ref().map(SshUser::as_str)).await?;
                &own
            }
        };
        let connected = ssh.connect().await;
        connected.map_err(|error| access::failure(connect::Error::Ssh(error)))?;
        access.connect(desk, None).await?;
        let command = self.command.join(" ");
        let (columns, rows) = raw_terminal::size();
        let wanted = std::io::stdin().is_terminal() && command.is_empty();
        let terminal = wanted.then(|| Terminal { kind: raw_terminal::kind(), size: Size { columns, rows } });
        let started = match command.as_str() {
            "" => ssh.shell(terminal.as_ref()).await,
            command => ssh.exec(command, None).await,
        };
        let (input, output) = started.map_err(Failure::with(Code::Unavailable))?;
        let raw = if wanted { RawTerminal::take().map_err(Failure::with(Code::Io))? } else { None };
        let done = carry(input, output).await;
        drop(raw);
        if jump.is_none() {
            // Before the tunnel is closed, which would be printed as an event.
            ssh.close().await;
        }
        done
    }
}

/// SSH to the target itself, over what the grant permits.
async fn onto(access: &Access, user: Option<&str>) -> Result<Connection, Failure> {
    let located = access.located().await?;
    let Ok(host) = located.host.parse::<Host>();
    let granted = access.granted(&host);
    let at = Destination { host, port: PORT };
    // Before a key is looked for, which is of no use for a port that the grant does not include.
    granted.lets(&at).map_err(|why| not_granted(access, why))?;
    let within = Arc::new(access.within(granted)) as Arc<dyn Dial>;
    let user = user.map(str::to_owned).unwrap_or_else(|| match &access.through.by {
        By::Ssh(machine) => machine.user.clone(),
        By::Ssm(_) | By::Direct => USER.into(),
    });
    let address = access.through.address.as_deref().unwrap_or_default();
    let ssh = connect::ssh_onto(within, &access.accounts, events(), at, address, &user).await;
    ssh.map_err(access::failure)
}

fn not_granted(access: &Access, why: String) -> Failure {
    let target = &access.target;
    Failure::new(Code::No, why)
        .context(format!("no SSH to `{target}`"))
        .hint(format!("`doorward connect {target}` forwards the ports of the grant"))
}

async fn carry(input: Input, mut output: Output) -> Result<ExitCode, Failure> {
    let typing = tokio::spawn(type_in(input.clone()));
    let resizing = tokio::spawn(resize(input));
    let (mut out, mut err) = (tokio::io::stdout(), tokio::io::stderr());
    let done = loop {
        match output.next().await {
            Ok(Some(ProgramOutput::Out(bytes))) => {
                if out.write_all(&bytes).await.is_err() || out.flush().await.is_err() {
                    break Ok(());
                }
            }
            Ok(Some(ProgramOutput::Err(bytes))) => {
                let _ = err.write_all(&bytes).await;
                let _ = err.flush().await;
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(Failure::of(Code::Unavailable, &error)),
        }
    };
    typing.abort();
    resizing.abort();
    done?;
    Ok(match output.exit() {
        Exit::Status(status) => ExitCode::from(u8::try_from(*status).unwrap_or(255)),
        Exit::Signal(name) => {
            super::note(&format!("ended by the signal {name}"));
            ExitCode::from(255)
        }
        Exit::Unknown => ExitCode::SUCCESS,
    })
}

async fn type_in(input: Input) {
    let mut stdin = tokio::io::stdin();
    let mut buffer = vec![0; 32 * 1024];
    loop {
        match stdin.read(&mut buffer).await {
            Ok(0) | Err(_) => {
                let _ = input.end().await;
                return;
            }
            Ok(read) => {
                let bytes = Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default());
                if input.write(bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn resize(input: Input) {
    let Ok(mut resized) = signal(SignalKind::window_change()) else { return };
    while resized.recv().await.is_some() {
        let (columns, rows) = raw_terminal::size();
        if input.resize(Size { columns, rows }).await.is_err() {
            return;
        }
    }
}
