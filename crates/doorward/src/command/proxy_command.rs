//! `doorward proxy-command` and `doorward ssh-config`: the way to a target for the person's own OpenSSH, scp and rsync.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use doorward_core::policy::{SshUser, TargetName};
use doorward_tunnel::dial::{Destination, Dial as _, Host};
use tokio::io::{AsyncWriteExt as _, copy};

use super::access::{Access, Asking};
use super::desk::Desk;
use super::{Code, Failure};
use crate::connect;
use crate::requests::Offer;

/// Carry the standard input and output to a target's sshd, for OpenSSH's ProxyCommand
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ssh -o 'ProxyCommand doorward proxy-command web-1 --port %p' ec2-user@web-1
  doorward ssh-config > ~/.ssh/config.d/doorward

With --push-key the public key is let in by EC2 Instance Connect for a minute, before OpenSSH logs in.")]
pub struct ProxyCommand {
    /// The target, as the policy names it
    pub target: TargetName,
    /// The port
    #[arg(long, default_value_t = 22)]
    pub port: u16,
    /// The public key to let in
    #[arg(long, value_name = "FILE", requires = "user")]
    pub push_key: Option<PathBuf>,
    /// Who logs in with it
    #[arg(long)]
    pub user: Option<SshUser>,
    #[command(flatten)]
    pub(super) asking: Asking,
}

impl ProxyCommand {
    /// Carries until either side ends.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        Desk::work(&self.asking.way, policy, async |desk| {
            Access::used(&self.asking, desk, &self.target, super::ssh::tell(), async |access| {
                tokio::select! {
                    carried = self.through(desk, access) => Ok((ExitCode::SUCCESS, carried?)),
                    // OpenSSH hangs up on it once it is done.
                    () = super::interrupted_or_left() => Ok((ExitCode::SUCCESS, (0, 0))),
                }
            })
            .await
        })
    }

    async fn through(&self, desk: &Desk, access: &Access) -> Result<(u64, u64), Failure> {
        let located = access.located().await?;
        let Ok(host) = located.host.parse::<Host>();
        let to = Destination { host: host.clone(), port: self.port };
        if let (Some(path), Some(user)) = (&self.push_key, &self.user) {
            self.push(access, path, user).await?;
        }
        access.connect(desk, Some(&to)).await?;
        let within = access.within(access.granted(&host));
        let stream = within.dial(&to).await.map_err(Failure::with(Code::Unavailable))?;
        let (mut from, mut into) = tokio::io::split(stream);
        let up = tokio::spawn(async move {
            let sent = copy(&mut tokio::io::stdin(), &mut into).await.unwrap_or_default();
            let _ = into.shutdown().await;
            sent
        });
        // OpenSSH ends when its server does, and takes its standard output with it.
        let mut stdout = tokio::io::stdout();
        let down = copy(&mut from, &mut stdout).await.unwrap_or_default();
        let _ = stdout.flush().await;
        let sent = if up.is_finished() { up.await.unwrap_or_default() } else { 0 };
        Ok((sent, down))
    }

    async fn push(&self, access: &Access, path: &Path, user: &SshUser) -> Result<(), Failure> {
        let text = tokio::fs::read_to_string(path).await.map_err(|error| {
            Failure::of(Code::of_io(&error), &error).context(format!("cannot read `{}`", path.display()))
        })?;
        if !text.starts_with("ssh-") && !text.starts_with("ecdsa-") {
            let what = format!("`{}` is not a public key", path.display());
            return Err(Failure::new(Code::Data, what).hint("it is the file whose name ends in `.pub`"));
        }
        let address = access.through.address.as_deref().unwrap_or_default();
        let admit = connect::instance_connect(&access.accounts, address, user.as_str()).await;
        let admit = admit.map_err(super::access::failure)?;
        let pushed = doorward_tunnel::ssh::login::Admit::admit(&admit, text.trim()).await;
        pushed.map_err(|why| Failure::new(Code::Unavailable, format!("the key is not let in: {why}")))
    }
}

/// Print the block for ~/.ssh/config through which ssh, scp and rsync reach the targets
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward ssh-config > ~/.ssh/config.d/doorward
  ssh web-1.doorward")]
pub struct SshConfig {
    /// Only these targets; otherwise all that let tcp/22 through
    pub targets: Vec<TargetName>,
    /// Who to be on them
    #[arg(long, default_value = "ec2-user")]
    pub user: SshUser,
    /// Your key; its public half is let in by EC2 Instance Connect
    #[arg(long, value_name = "FILE", default_value = "~/.ssh/id_ed25519")]
    pub identity: String,
    #[command(flatten)]
    pub(super) way: super::ways::Way,
}

impl SshConfig {
    /// Prints it.
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        let offers = Desk::work(&self.way, policy, Desk::offers)?;
        let chosen = self.chosen(&offers)?;
        if chosen.is_empty() {
            super::note("none of the targets that you may open lets tcp/22 through");
        }
        super::print(&chosen.iter().map(|offer| self.block(offer)).collect::<String>())
    }

    fn chosen<'o>(&self, offers: &'o [Offer]) -> Result<Vec<&'o Offer>, Failure> {
        for name in &self.targets {
            let offer = offers.iter().find(|offer| offer.target == *name);
            if !offer.is_some_and(lets_ssh_through) {
                let what = format!("`{name}` is no target that you may open and that lets tcp/22 through");
                return Err(Failure::new(Code::No, what).hint("`doorward list` shows what you may open"));
            }
        }
        let wanted = |offer: &&Offer| self.targets.is_empty() || self.targets.contains(&offer.target);
        Ok(offers.iter().filter(|offer| lets_ssh_through(offer)).filter(wanted).collect())
    }

    fn block(&self, offer: &Offer) -> String {
        let Self { user, identity, .. } = self;
        let name = &offer.target;
        // Instance Connect takes keys for instances alone.
        let instance = offer.address.starts_with("instance:") || offer.address.starts_with("tag:");
        let push = if instance { format!(" --push-key {identity}.pub --user %r") } else { String::new() };
        format!(
            "Host {name}.doorward\n  User {user}\n  IdentityFile {identity}\n  IdentitiesOnly yes\n  HostKeyAlias {name}.doorward\n  ProxyCommand doorward proxy-command {name} --port %p{push}\n\n"
        )
    }
}

fn lets_ssh_through(offer: &Offer) -> bool {
    offer.ports.iter().any(|flow| match flow {
        doorward_core::net::Flow::Tcp(ports) => (ports.from()..=ports.to()).contains(&22),
        doorward_core::net::Flow::All => true,
        _ => false,
    })
}
