//! `doorward token`: the password of a database user who signs in by IAM.

use std::path::Path;

use clap::Args;
use doorward_core::net::Flow;
use doorward_core::policy::{Address, TargetName, did_you_mean};
use jiff::Timestamp;

use super::access;
use super::desk::Desk;
use super::{Code, Failure};
use crate::connect::Accounts;

/// Print an IAM database password, valid for 15 minutes
///
/// The password is made on this machine. It is for the name and the port of the database itself, also when the
/// connection goes through a local port.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  PGPASSWORD=\"$(doorward token orders-db --user jon)\" \\
    psql --host=127.0.0.1 --port=28738 --username=jon orders
  doorward connect orders-db --iam jon --exec psql orders")]
pub struct Token {
    /// The target, by its name in the policy
    pub target: TargetName,
    /// The database user
    #[arg(long)]
    pub user: String,
    /// The profile of your AWS credentials; by default that of the policy, or of the environment
    #[arg(long)]
    pub profile: Option<String>,
    #[command(flatten)]
    pub(super) backend: super::backend::BackendOptions,
}

impl Token {
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        let token = Desk::work(&self.backend, policy, async |desk| self.token(desk).await)?;
        super::print(&format!("{token}\n"))
    }

    async fn token(&self, desk: &Desk) -> Result<String, Failure> {
        let offers = desk.offers().await?;
        let offer = offers.iter().find(|offer| offer.target == self.target).ok_or_else(|| {
            let known = offers.iter().map(|offer| offer.target.as_str());
            let meant =
                did_you_mean(self.target.as_str(), known).map(|meant| format!("did you mean `{meant}`?"));
            Failure::new(Code::No, format!("you may not open `{}`", self.target))
                .hint(meant.unwrap_or_else(|| "`doorward list` shows what you may open".into()))
        })?;
        let address: Address = offer.address.parse().map_err(Failure::with(Code::Data))?;
        let profile = self.profile.clone().or_else(|| desk.profile());
        let accounts = Accounts::new(profile, offer.region.clone(), None);
        let account = accounts.get().await.map_err(|error| access::failure(error.into()))?;
        let located = account.locate(&address).await.map_err(|error| access::failure(error.into()))?;
        let port = located.port.or_else(|| {
            offer.ports.iter().find_map(|flow| match flow {
                Flow::Tcp(ports) if ports.from() == ports.to() => Some(ports.from()),
                _ => None,
            })
        });
        let port =
            port.ok_or_else(|| Failure::new(Code::No, format!("the port of `{}` is unknown", self.target)))?;
        let token = account.database_token(&located.host, port, &self.user, Timestamp::now()).await;
        token.map_err(|error| access::failure(error.into()))
    }
}
