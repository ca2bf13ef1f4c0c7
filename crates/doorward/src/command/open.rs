//! `doorward open`: admits your address to a target, until its time is up.

use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use doorward_core::grant::Grant;
use doorward_core::policy::{Enforcement, TargetName, Transport};
use jiff::{SignedDuration, Timestamp};

use super::backend::{self, Backend, BackendOptions};
use super::{Code, Failure};
use crate::firewall::{RelayTurn, Runs};
use crate::policy_file::PolicyFile;
use crate::requests::{Ask, Caller, Opened, OpenedView, Requests, State, Through};
use crate::status::SyncState;
use crate::store::AuditFiles;

/// Open a target for your address for a limited time
///
/// The request goes to the server that you are signed in to, or else to the policy file of this machine. If the
/// target is open already, its grant is extended. If the policy requires an approval, the request waits for it and
/// the exit code is 2.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward open orders-db
  doorward open orders-db --for 2h --reason 'ticket 4711'
  doorward open orders-db --local --as jon --address 93.184.215.14 --detach

With a local policy the command keeps running, and revokes the grant when it expires or when you press Ctrl-C. With \
--detach it returns at once; then `doorward serve`, or `doorward sweep` run every minute, has to revoke the expired rule.")]
pub struct Open {
    /// The target, by its name in the policy
    pub target: TargetName,
    /// How long from now, like `90m` or `2h`; by default the usual duration of the target
    #[arg(long = "for", value_name = "DURATION", value_parser = backend::duration, allow_hyphen_values = true)]
    pub lasts: Option<SignedDuration>,
    /// Why you need access; written to the audit log
    #[arg(long)]
    pub reason: Option<String>,
    /// The transport: direct, ssm or ssh; by default the first that the policy allows
    #[arg(long, value_parser = super::transport)]
    pub via: Option<Transport>,
    /// The address to admit. Only with a local policy: a server admits the address that it sees
    #[arg(long)]
    pub address: Option<IpAddr>,
    /// Return as soon as the rule exists. Only with a local policy
    #[arg(long)]
    pub detach: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(super) backend: BackendOptions,
}

impl Open {
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        match self.backend.find(policy)? {
            Backend::Server(client) => {
                if self.address.is_some() || self.detach {
                    let failure =
                        Failure::new(Code::Usage, "`--address` and `--detach` are for a local policy");
                    return Err(failure.hint("leave them out, or add `--local`"));
                }
                let answer = client
                    .open(&self.target, self.lasts, self.via, self.reason.as_deref())
                    .map_err(super::server_failure)?;
                self.print_opened(&answer)
            }
            Backend::Local(file, caller) => {
                let runtime = super::runtime()?;
                runtime.block_on(self.local(*file, &caller))
            }
        }
    }

    async fn local(self, file: PolicyFile, caller: &Caller) -> Result<ExitCode, Failure> {
        let address = match self.address {
            Some(address) => address,
            None => tokio::task::spawn_blocking(|| {
                backend::outside_address("name the address to admit with `--address`")
            })
            .await
            .map_err(Failure::with(Code::Internal))??,
        };
        if self.detach {
            self.outlives_the_command(&file)?;
        }
        let running = backend::start(file).await?;
        let ask = Ask {
            target: self.target.clone(),
            address,
            transport: self.via,
            lasts: self.lasts,
            reason: self.reason.clone(),
        };
        let done = self.here(running.requests(), caller, ask).await;
        running.stop().await;
        done
    }

    /// That what is opened stays open once the command has returned: a relay listens only while a process carries it.
    fn outlives_the_command(&self, file: &PolicyFile) -> Result<(), Failure> {
        let policy = &file.current().policy;
        let relay = policy.targets.get(&self.target).and_then(|target| {
            let transport = self.via.or(target.transports.first().copied());
            let firewall = policy.firewalls.get(target.firewall.as_ref()?)?;
            let is_relay = matches!(firewall.kind, Enforcement::Relay { .. });
            (is_relay && transport == Some(Transport::Direct)).then_some(&firewall.name)
        });
        let Some(relay) = relay else { return Ok(()) };
        if RelayTurn::beside(&AuditFiles::of(policy, file.path()).head).take() == Runs::Elsewhere {
            return Ok(());
        }
        let what = format!(
            "`{}` is behind the relay `{relay}`, and no server runs it: it would listen only while this command runs",
            self.target
        );
        Err(Failure::new(Code::Usage, what).hint(
            "leave out `--detach`, so that the command runs the relay until the grant ends, or start `doorward serve` with this policy",
        ))
    }

    async fn here(&self, requests: &Requests, caller: &Caller, ask: Ask) -> Result<ExitCode, Failure> {
        // From here on Ctrl-C revokes the grant instead of ending the program at once.
        let mut stopped = std::pin::pin!(super::interrupted_or_left());
        let mut opening = std::pin::pin!(requests.open(caller, ask));
        let (opened, early) = tokio::select! {
            opened = &mut opening => (opened, false),
            () = &mut stopped => (opening.await, true),
        };
        let opened = opened.map_err(super::request_failure)?;
        let grant = match &opened {
            Opened::Granted { grant, .. } => Some(grant.clone()),
            Opened::Waiting { .. } => None,
        };
        let view = requests.views().opened(opened).await;
        match grant {
            Some(grant) if early => {
                close(requests, caller, &grant).await?;
                Err(Failure::new(Code::Interrupted, "interrupted while it was being opened"))
            }
            Some(grant) if !self.detach => {
                // Although it is not let in yet: it may be at the next try, and then somebody has to close it.
                if let Err(failure) = self.print_opened(&view) {
                    failure.report();
                }
                self.hold(requests, &grant, stopped).await;
                close(requests, caller, &grant).await.map(|()| ExitCode::SUCCESS)
            }
            _ => self.print_opened(&view),
        }
    }

    /// Waits for the grant's end, and for who wants to stop.
    async fn hold(&self, requests: &Requests, grant: &Grant, mut stopped: impl Future<Output = ()> + Unpin) {
        let live = super::printer::is_watched() && !self.json;
        let mut every = tokio::time::interval(Duration::from_secs(1));
        let mut known = grant.clone();
        loop {
            tokio::select! {
                () = &mut stopped => break,
                _ = every.tick() => {}
            }
            // A store that does not answer ends nothing: it is as it was last known.
            if let Ok(Some(grant)) = requests.app().store().grant(grant.id()).await {
                known = grant;
            }
            let now = requests.app().clock().now();
            let Some(until) = known.until().filter(|_| known.live(now).is_some()) else {
                // A pass ends it, and says by which cause.
                requests.app().nudge().settled(None, Duration::from_secs(5)).await;
                break;
            };
            if live {
                let left = super::left(until, now);
                super::printer::overwrite(&format!(
                    "{} open for {left} more; Ctrl-C revokes it",
                    self.target
                ));
            }
        }
        if live {
            super::printer::overwrite("");
        }
    }

    fn print_opened(&self, answer: &OpenedView) -> Result<ExitCode, Failure> {
        let grant = &answer.grant;
        if self.json {
            super::print(&super::json(answer)?)?;
        } else {
            super::print(&opened(answer, Timestamp::now()))?;
        }
        if grant.state == State::Waiting {
            return Ok(Code::Waiting.into());
        }
        let Some(not_yet) = not_yet(answer) else { return Ok(ExitCode::SUCCESS) };
        Err(Failure::new(Code::Unavailable, format!("{} is not open yet: {not_yet}", grant.target))
            .hint("Doorward retries until the grant expires; `doorward list` shows when it is open"))
    }
}

/// Revokes the grant, or reports how it ended in the meantime.
async fn close(requests: &Requests, caller: &Caller, grant: &Grant) -> Result<(), Failure> {
    let by_itself = "run `doorward sweep` after it has expired, or remove the rule manually";
    let closed = requests.close(caller, grant.id()).await.map_err(|error| {
        super::request_failure(error).context(format!("{} could not be revoked", grant.id())).hint(by_itself)
    })?;
    let closed = requests.views().closed(closed);
    super::note(super::close::line(&closed).trim_end());
    super::close::failure(&closed).map_or(Ok(()), |failure| Err(failure.hint(by_itself)))
}

/// Why what was granted is not let in, if so.
fn not_yet(answer: &OpenedView) -> Option<String> {
    match &answer.sync_state {
        Some(SyncState::Failing { why }) => Some(format!("its firewall does not admit it yet: {why}")),
        Some(SyncState::Unknown) => Some("its firewall has not responded yet".into()),
        Some(SyncState::InSync) | None => None,
    }
}

fn opened(answer: &OpenedView, now: Timestamp) -> String {
    let grant = &answer.grant;
    if grant.state == State::Waiting {
        let how = if answer.changed { "is changed and waits for approval" } else { "waits for approval" };
        let waits = format!("{} {how}: {}\n", grant.id, answer.reasons.join("; "));
        let approve = format!(
            "  Approvers see it in `doorward list` and on the web page; Doorward sends no notification. To send them:\n    doorward approve {}\n",
            grant.id
        );
        return waits + &approve + &collateral_access(answer);
    }
    let until = grant.until.unwrap_or(now);
    let stands = not_yet(answer).is_none();
    let how = match (stands, answer.extended) {
        (true, false) => "is open",
        (true, true) => "stays open",
        (false, _) => "is granted, but not open yet,",
    };
    let left = super::left(until, now);
    let mut text =
        format!("{} {how} for {} until {} ({left})\n", grant.target, grant.source, super::instant(until));
    let mut line = |title: &str, what: String| text.push_str(&format!("  {title:10} {what}\n"));
    line("grant", grant.id.to_string());
    for hint in answer.connect.iter().filter(|_| stands) {
        line("connect", hint.command.clone().unwrap_or_else(|| hint.to_string()));
        if let Some(why) = &hint.why_not {
            line("", format!("its host name is unknown: {why}"));
        }
    }
    if let Some(login) = answer.through.as_ref().and_then(Through::login) {
        line("also allows", login);
    }
    line("because", answer.reasons.join("; "));
    line("at its end", grant.closing.to_string());
    text + &collateral_access(answer)
}

/// What else the grant lets in; nothing when it is only the target.
fn collateral_access(answer: &OpenedView) -> String {
    let grant = &answer.grant;
    if let Some(why) = &answer.beside_unknown {
        return format!("  additional access for {} is unknown: {why}\n", grant.source);
    }
    if answer.beside.is_empty() {
        return String::new();
    }
    let allows = if grant.state == State::Waiting { "would also allow" } else { "also allows" };
    let mut text = format!("  {allows} {} to reach:\n", grant.source);
    for one in &answer.beside {
        let flows = |flows: &[doorward_core::net::Flow]| {
            flows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let perhaps = match one.perhaps.as_slice() {
            [] => String::new(),
            some => format!("{}possibly {}", if one.flows.is_empty() { "" } else { ", " }, flows(some)),
        };
        text.push_str(&format!("    {}  {}{perhaps}\n", one.what, flows(&one.flows)));
    }
    text
}
