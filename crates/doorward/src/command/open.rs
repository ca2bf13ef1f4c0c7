//! `doorward open`: admits your address to a target, until its time is up.

use std::io::{IsTerminal, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use doorward_core::grant::{Grant, GrantId};
use doorward_core::policy::{Closing, TargetName, Transport};
use jiff::{SignedDuration, Timestamp};

use super::ways::{self, Found, Way};
use super::{Code, Failure};
use crate::client::Answer;
use crate::policy_file::PolicyFile;
use crate::reconciler::Standing;
use crate::requests::{Ask, GrantView, Opened, State};

/// Open a target for your address, until its time is up
///
/// Through the server that you are signed in to, or else on this machine's policy file. Asking again extends.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward open orders-db
  doorward open orders-db --for 2h --reason 'ticket 4711'
  doorward open orders-db --local --as jon --address 203.0.113.7 --detach

On a local policy the command stays and closes when it ends (Ctrl-C closes at once). With --detach it
returns, and `doorward serve` or a `doorward sweep` run every minute has to close.")]
pub struct Open {
    /// What to open, as the policy names it
    pub target: TargetName,
    /// For how long from now, like `90m` or `2h`; as long as is usual otherwise
    #[arg(long = "for", value_name = "DURATION", value_parser = ways::duration)]
    pub lasts: Option<SignedDuration>,
    /// Why; it is recorded
    #[arg(long)]
    pub reason: Option<String>,
    /// By which way: direct
    #[arg(long, value_parser = super::transport)]
    pub via: Option<Transport>,
    /// The address to admit. Only with a local policy: a server admits the address that it sees
    #[arg(long)]
    pub address: Option<IpAddr>,
    /// Return once the rule stands. Only with a local policy
    #[arg(long)]
    pub detach: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    way: Way,
}

impl Open {
    /// Opens.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        match self.way.find(policy)? {
            Found::Server(client) => {
                if self.address.is_some() || self.detach {
                    let failure =
                        Failure::new(Code::Usage, "`--address` and `--detach` are for a local policy");
                    return Err(failure.hint("leave them out, or add `--local`"));
                }
                let answer = client
                    .open(&self.target, self.lasts, self.via, self.reason.as_deref())
                    .map_err(super::server_failure)?;
                self.tell(&answer)
            }
            Found::Local(file, person) => {
                let runtime = super::runtime()?;
                runtime.block_on(self.local(*file, person))
            }
        }
    }

    async fn local(
        self,
        file: PolicyFile,
        person: doorward_core::policy::Person,
    ) -> Result<ExitCode, Failure> {
        let address = match self.address {
            Some(address) => address,
            None => tokio::task::spawn_blocking(ways::outside_address)
                .await
                .map_err(Failure::with(Code::Internal))??,
        };
        let running = ways::start(file).await?;
        let caller = ways::caller(person);
        let ask = Ask {
            target: self.target.clone(),
            address,
            transport: self.via,
            lasts: self.lasts,
            reason: self.reason.clone(),
        };
        let opened = running.requests().open(&caller, ask).await;
        let result = match opened {
            Err(error) => Err(super::request_failure(error)),
            Ok(opened) => {
                let requests = running.requests();
                let (grant, extended, reasons) = match &opened {
                    Opened::Granted { grant, extended, reasons, .. } => (grant, *extended, reasons),
                    Opened::Waiting { grant, reasons } => (grant, false, reasons),
                };
                let answer = Answer {
                    grant: requests.view(grant),
                    extended,
                    reasons: reasons.iter().map(ToString::to_string).collect(),
                    cut: 0,
                    still: None,
                };
                let told = self.tell(&answer);
                match opened {
                    Opened::Granted { grant, closing, .. } if told.is_ok() && !self.detach => {
                        self.hold(&running, &caller, &grant, closing).await.map(|()| ExitCode::SUCCESS)
                    }
                    _ => told,
                }
            }
        };
        running.stop().await;
        result
    }

    /// Keeps the grant open until its end, or until Ctrl-C.
    async fn hold(
        &self,
        running: &crate::running::Running,
        caller: &crate::requests::Caller,
        grant: &Grant,
        closing: Closing,
    ) -> Result<(), Failure> {
        let requests = running.requests();
        let live = std::io::stderr().is_terminal() && !self.json;
        let mut interrupted = std::pin::pin!(super::interrupted());
        let mut every = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = &mut interrupted => break,
                _ = every.tick() => {}
            }
            let now = requests.clock().now();
            let seen = requests.store().grant(grant.id()).await.map_err(Failure::with(Code::Io))?;
            match seen.filter(|grant| grant.live(now).is_some()).and_then(|grant| grant.until()) {
                None => {
                    clear(live);
                    requests.nudge().settled(None, Duration::from_secs(5)).await;
                    eprintln!("{} is over: {}", grant.id(), ended(requests, grant.id()).await);
                    return Ok(());
                }
                Some(until) if live => {
                    let left = super::in_words(until.duration_since(now));
                    eprint!("\r\x1b[2K{} open for {} more; Ctrl-C closes", self.target, left);
                    std::io::stderr().flush().map_err(Failure::with(Code::Io))?;
                }
                Some(_) => {}
            }
        }
        clear(live);
        let closed = requests.close(caller, grant.id()).await.map_err(super::request_failure)?;
        match closed.standing {
            Standing::AsWanted => eprintln!("closed: {closing}"),
            Standing::Failing { why } => {
                let failure = Failure::new(
                    Code::Unavailable,
                    format!("the grant is over, but its rule may stand: {why}"),
                );
                return Err(failure.hint("run `doorward sweep` after its end, or take the rule away by hand"));
            }
            Standing::Unknown => eprintln!("closed; the firewall had not answered yet"),
        }
        Ok(())
    }

    fn tell(&self, answer: &Answer) -> Result<ExitCode, Failure> {
        let grant = &answer.grant;
        if self.json {
            super::print(&super::json(answer)?)?;
        } else {
            super::print(&opened(grant, answer, Timestamp::now()))?;
        }
        match &grant.standing {
            _ if grant.state == State::Waiting => Ok(Code::Waiting.into()),
            Some(Standing::Failing { why }) => Err(Failure::new(
                Code::Unavailable,
                format!("the grant is open, but its firewall does not let it in yet: {why}"),
            )
            .hint("it is tried again until the grant's end; `doorward list` shows when it stands")),
            _ => Ok(ExitCode::SUCCESS),
        }
    }
}

fn clear(live: bool) {
    if live {
        eprint!("\r\x1b[2K");
    }
}

async fn ended(requests: &crate::requests::Requests, id: &GrantId) -> String {
    let grant = requests.store().grant(id).await.ok().flatten();
    grant.and_then(|grant| requests.view(&grant).ended).unwrap_or_else(|| "its time was up".into())
}

fn opened(grant: &GrantView, answer: &Answer, now: Timestamp) -> String {
    let mut text = String::new();
    if grant.state == State::Waiting {
        text.push_str(&format!("{} waits: {}\n", grant.id, answer.reasons.join("; ")));
        return text;
    }
    let until = grant.until.unwrap_or(now);
    let how = if answer.extended { "is extended" } else { "is open" };
    let left = super::in_words(until.duration_since(now));
    text.push_str(&format!(
        "{} {how} for {} until {} ({left})\n",
        grant.target,
        grant.source,
        super::instant(until)
    ));
    text.push_str(&format!("  grant    {}\n", grant.id));
    text.push_str(&format!("  because  {}\n", answer.reasons.join("; ")));
    text.push_str(&format!("  at its end {}\n", grant.closing));
    text
}
