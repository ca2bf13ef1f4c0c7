//! `doorward proxy-command` and `doorward ssh-config`: targets for the person's own OpenSSH, scp and rsync.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use doorward_core::policy::{SshUser, TargetName};
use doorward_tunnel::dial::{Destination, Dial as _, Host};
use tokio::io::{AsyncWriteExt as _, copy};

use super::access::{Access, Asking};
use super::desk::Desk;
use super::{Code, Failure};
use crate::bounded_file;
use crate::connect;
use crate::requests::Offer;

/// Connect OpenSSH's ProxyCommand to a target
///
/// Standard input and output are connected to a TCP port of the target.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ssh -o 'ProxyCommand doorward proxy-command web-1 --port %p' ec2-user@web-1
  doorward ssh-config > ~/.ssh/config.d/doorward

With --push-key, EC2 Instance Connect accepts the public key for one minute, in which OpenSSH logs in.")]
pub struct ProxyCommand {
    /// The target, by its name in the policy
    pub target: TargetName,
    /// The port
    #[arg(long, default_value_t = 22)]
    pub port: u16,
    /// The public key to push to the instance
    #[arg(long, value_name = "FILE", requires = "user")]
    pub push_key: Option<PathBuf>,
    /// The user who logs in with it
    #[arg(long)]
    pub user: Option<SshUser>,
    #[command(flatten)]
    pub(super) asking: Asking,
}

impl ProxyCommand {
    /// Carries until either side ends.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        Desk::work(&self.asking.backend, policy, async |desk| {
            Access::used(&self.asking, desk, &self.target, super::ssh::events(), async |access| {
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
        let text = bounded_file::input_text(path, bounded_file::SMALL).map_err(|error| {
            Failure::of(Code::of_io(&error), &error).context(format!("cannot read `{}`", path.display()))
        })?;
        if !text.starts_with("ssh-") && !text.starts_with("ecdsa-") {
            let what = format!("`{}` is not a public key", path.display());
            return Err(Failure::new(Code::Data, what).hint("name the file that ends in `.pub`"));
        }
        let address = access.through.address.as_deref().unwrap_or_default();
        let admit = connect::instance_connect(&access.accounts, address, user.as_str()).await;
        let admit = admit.map_err(super::access::failure)?;
        let pushed = doorward_tunnel::ssh::login::Admit::admit(&admit, text.trim()).await;
        pushed.map_err(|why| Failure::new(Code::Unavailable, format!("the key is not accepted: {why}")))
    }
}

/// Print the ~/.ssh/config block for the targets
///
/// With this block `ssh`, `scp` and `rsync` reach the targets as TARGET.doorward.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward ssh-config > ~/.ssh/config.d/doorward
  ssh web-1.doorward")]
pub struct SshConfig {
    /// Only these targets; by default all whose ports include tcp/22
    pub targets: Vec<TargetName>,
    /// The user to log in as
    #[arg(long, default_value = "ec2-user")]
    pub user: SshUser,
    /// Your private key; EC2 Instance Connect accepts its public half
    #[arg(long, value_name = "FILE", default_value = "~/.ssh/id_ed25519")]
    pub identity: String,
    #[command(flatten)]
    pub(super) backend: super::backend::BackendOptions,
}

impl SshConfig {
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        let offers = Desk::work(&self.backend, policy, Desk::offers)?;
        let chosen = self.chosen(&offers)?;
        if chosen.is_empty() {
            super::note("none of the targets that you may open has tcp/22");
        }
        super::print(&chosen.iter().map(|offer| self.block(offer)).collect::<String>())
    }

    fn chosen<'o>(&self, offers: &'o [Offer]) -> Result<Vec<&'o Offer>, Failure> {
        for name in &self.targets {
            let offer = offers.iter().find(|offer| offer.target == *name);
            if !offer.is_some_and(lets_ssh_through) {
                let what = format!("`{name}` is not a target with tcp/22 that you may open");
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
