//! `doorward ssh-server-config`: what confines people on the jump host to the targets.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use doorward_aws::Account;
use doorward_core::export::{SshdOf, by_ssh, sshd_block};
use doorward_core::policy::{Address, Policy, Ssh, SshUser, TargetName};

use super::{Code, Failure, access};
use crate::policy_file;

/// Print the sshd_config block that confines a jump host
///
/// A grant by `ssh` is a login on the jump host. With this block that login has no shell and no terminal, and can
/// connect only to the targets of the policy. The block is for a separate user (`user` under `[ssh]`), not for the
/// login of the machine's operators. `doorward doctor TARGET` checks whether it is in effect. Print it again when
/// the targets change.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward ssh-server-config
  doorward ssh-server-config --user doorward
  doorward ssh-server-config | ssh jump 'sudo tee -a /etc/ssh/sshd_config'
  ssh jump 'sudo sshd -t && sudo systemctl reload sshd'

AWS is asked for the address of targets that are `rds:`, `proxy:`, `cache:`, `instance:` or `tag:`. That user can no \
longer open a shell on the jump host itself (`doorward ssh`).")]
pub struct SshServerConfig {
    /// The user that people log in as; by default the user in the policy
    #[arg(long)]
    user: Option<SshUser>,
    /// Print the block of the second jump host (`then` in the policy)
    #[arg(long)]
    then: bool,
}

impl SshServerConfig {
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        let loaded = policy_file::load(policy)?;
        let policy = &loaded.policy;
        let ssh = policy.ssh.as_ref().ok_or_else(|| {
            Failure::new(Code::No, "the policy has no `[ssh]`, so there is no jump host for SSH")
        })?;
        if by_ssh(policy).next().is_none() {
            super::note("no target of the policy has the transport `ssh`: the block allows no connection");
        }
        let hosts = super::runtime()?.block_on(hosts(policy, ssh))?;
        let of = if self.then { SshdOf::Then } else { SshdOf::JumpHost };
        let block = sshd_block(policy, ssh, of, self.user.as_ref(), &hosts).ok_or_else(|| {
            Failure::new(Code::Usage, "the policy names no second machine (`then` under `[ssh]`)")
        })?;
        if block.confines_operators() {
            let user = &block.user;
            if self.user.is_none() {
                let what = format!(
                    "`{user}` is the login of the machine's operators: this block would lock them out of it"
                );
                let field = if self.then { "`then`" } else { "`user`" };
                return Err(Failure::new(Code::No, what).hint(format!(
                    "name a separate user, such as `doorward`, with {field} under `[ssh]`; or use `--user {user}` if nobody \
                     else logs in as that user"
                )));
            }
            super::note(&format!("warning: everybody who logs in as `{user}` is confined, also operators"));
        }
        for note in &block.notes {
            super::note(&format!("warning: {note}"));
        }
        super::print(&block.text)
    }
}

/// Where each target is, as clients ask for it. AWS is asked only for those that it knows by another name.
async fn hosts(policy: &Policy, ssh: &Ssh) -> Result<BTreeMap<TargetName, String>, Failure> {
    let mut hosts = BTreeMap::new();
    let mut account = None;
    for target in by_ssh(policy) {
        let host = match &target.address {
            Address::Network(_) => continue,
            Address::Host(host) => host.clone(),
            address => {
                if account.is_none() {
                    account =
                        Some(Account::connect(&ssh.at).await.map_err(Failure::with(Code::Unavailable))?);
                }
                let Some(account) = &account else { continue };
                let located = account.locate(address).await.map_err(|error| {
                    access::failure(error.into())
                        .context(format!("cannot find the address of `{}`", target.name))
                })?;
                located.host
            }
        };
        hosts.insert(target.name.clone(), host);
    }
    Ok(hosts)
}
