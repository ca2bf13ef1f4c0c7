//! An open grant and its tunnel, which every verb that connects to a target uses.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use doorward_aws::Located;
use doorward_core::grant::GrantId;
use doorward_core::net::{Cidr, Flow, Ports};
use doorward_core::policy::{TargetName, Transport};
use doorward_tunnel::dial::{Destination, Host};
use doorward_tunnel::news::Tell;
use jiff::{SignedDuration, Timestamp};

use super::backend::{self, BackendOptions};
use super::desk::{Desk, Wish};
use super::{Code, Failure};
use crate::connect::{self, Accounts, Carrier, Granted, Places, TransportContext, Within};
use crate::requests::{Carried, ClosedView, GrantView, Offer, OpenedView, State, Through};

/// How long somebody may think about the reason.
const THINKS: Duration = Duration::from_secs(300);

/// How often a request that waits for approval is read.
const LOOK: Duration = Duration::from_secs(3);

/// How long closing the session at the remote end may take.
const FAREWELL: Duration = Duration::from_secs(15);

/// How a grant is asked for.
#[derive(Debug, Args)]
pub struct Asking {
    /// The transport: ssm, ssh or direct; by default the cheapest that the policy allows
    #[arg(long, value_parser = super::transport)]
    pub via: Option<Transport>,
    /// How long from now, like `90m` or `2h`; by default an open grant is used as it is, or a new one is opened for
    /// the usual duration of the target
    #[arg(long = "for", value_name = "DURATION", value_parser = backend::duration, allow_hyphen_values = true)]
    pub lasts: Option<SignedDuration>,
    /// Why you need access; written to the audit log
    #[arg(long)]
    pub reason: Option<String>,
    /// Leave the grant open at the end; by default a grant that this command opened is revoked
    #[arg(long)]
    pub keep: bool,
    /// The profile of your AWS credentials; by default that of the policy, or of the environment
    #[arg(long)]
    pub profile: Option<String>,
    #[command(flatten)]
    pub backend: BackendOptions,
}

/// An open grant and its tunnel.
pub struct Access {
    pub target: TargetName,
    pub grant: GrantId,
    pub until: Timestamp,
    pub transport: Transport,
    /// The transport settings, as the policy has them.
    pub through: Through,
    /// By whose credentials AWS is asked.
    pub accounts: Arc<Accounts>,
    pub carrier: Carrier,
    /// Whether it is closed with the command that opened it.
    closes: bool,
}

impl Access {
    /// Requests the grant, waits for its approval, and opens the tunnel.
    ///
    /// `marked` keeps our own sockets out of a range.
    pub async fn open(
        asking: &Asking,
        desk: &Desk,
        target: &TargetName,
        offers: &[Offer],
        tell: Tell,
        marked: bool,
    ) -> Result<Self, Failure> {
        let opened = granted(asking, desk, target, offers, None).await?;
        let (id, closes) = (opened.grant.id.clone(), !opened.extended && !asking.keep);
        let built = Self::built(asking, desk, opened, closes, tell, marked).await;
        match built {
            Ok(access) => Ok(access),
            Err(failure) => {
                if closes {
                    // It ends by itself if it cannot be closed now.
                    let _ = desk.close(&id).await;
                }
                Err(failure.context(format!("cannot connect to `{target}`")))
            }
        }
    }

    /// Opens the access, uses it, and closes it, however the use ends; `work` returns the bytes sent and received.
    pub async fn used<T>(
        asking: &Asking,
        desk: &Desk,
        target: &TargetName,
        tell: Tell,
        work: impl AsyncFnOnce(&Self) -> Result<(T, (u64, u64)), Failure>,
    ) -> Result<T, Failure> {
        let offers = desk.offers().await?;
        let access = Self::open(asking, desk, target, &offers, tell, false).await?;
        let done = work(&access).await;
        let (why, carried) = match &done {
            Ok((_, carried)) => ("it ended", *carried),
            Err(_) => ("it failed", (0, 0)),
        };
        access.close(desk, carried, why, false).await;
        done.map(|(value, _)| value)
    }

    /// Opens the tunnel of a grant.
    pub async fn built(
        asking: &Asking,
        desk: &Desk,
        opened: OpenedView,
        closes: bool,
        tell: Tell,
        marked: bool,
    ) -> Result<Self, Failure> {
        let mut through = opened.through.ok_or_else(|| {
            Failure::new(Code::Unavailable, "the server does not report the transport of the grant")
                .hint("the server may be older than this client: update it")
        })?;
        if let Some(relay) = through.relay.as_mut().filter(|relay| relay.host.is_none()) {
            // It listens on every address of the machine that was asked.
            relay.host = desk.host();
        }
        let until = opened.grant.until.unwrap_or_else(Timestamp::now);
        let accounts = accounts(asking, desk, &through, &opened.grant.id);
        let context = TransportContext {
            grant: opened.grant.id.clone(),
            until: Some(until),
            accounts: Arc::clone(&accounts),
            tell,
            marked,
        };
        let carrier = connect::build(&through, &context).await.map_err(failure)?;
        Ok(Self {
            target: opened.grant.target,
            grant: opened.grant.id,
            until,
            transport: opened.grant.transport,
            through,
            accounts,
            carrier,
            closes,
        })
    }

    /// The address of a target that has a single one.
    pub async fn located(&self) -> Result<Located, Failure> {
        connect::locate(&self.through, &self.accounts).await.map_err(failure)
    }

    /// The prefixes of the VPC that it connects to, if that VPC can be read.
    pub async fn vpc_networks(&self) -> Result<Option<Vec<Cidr>>, Failure> {
        self.carrier.vpc_networks(&self.accounts).await.map_err(failure)
    }

    /// The granted destinations at an address: for a relay that is the relay's port.
    pub fn granted(&self, host: &Host) -> Granted {
        let host = Places::One(host.clone());
        match &self.through.relay {
            Some(relay) => Granted::new(host, &[Flow::Tcp(Ports::one(relay.port))]),
            None => Granted::new(host, &self.through.ports),
        }
    }

    /// The port that identifies the service: that of the target, also behind a relay.
    pub fn service(&self, port: u16) -> u16 {
        let behind = self.through.relay.as_ref().and_then(|_| self.through.ports.first()?.ports());
        behind.map_or(port, |ports| ports.from())
    }

    /// The transport, of which only what was granted is used.
    pub fn within(&self, granted: Granted) -> Within {
        Within::new(Arc::clone(&self.carrier.dial), granted)
    }

    /// Connects now, so that what is wrong is said before anybody uses it, and has it recorded.
    pub async fn connect(&self, desk: &Desk, to: Option<&Destination>) -> Result<(), Failure> {
        self.carrier.open(to).await.map_err(failure)?;
        // A tunnel that could not be recorded stays open; the grant itself is in the audit log.
        let session = self.carrier.session();
        if let Err(failure) = desk.carried(&self.grant, Carried::Opened { session }).await {
            failure.context("the transport of the grant was not recorded").report();
        }
        Ok(())
    }

    /// Closes the session at the remote end, records that, and revokes the grant if this command opened it.
    ///
    /// `over` is a grant that has ended by itself. What came of closing the grant, where it was closed.
    pub async fn close(
        self,
        desk: &Desk,
        (up, down): (u64, u64),
        why: &str,
        over: bool,
    ) -> Option<ClosedView> {
        let session = self.carrier.session();
        // Who does not hear the farewell learns of it by the silence.
        let _ = tokio::time::timeout(FAREWELL, self.carrier.close()).await;
        let closed = Carried::Closed { session, up, down, why: why.to_owned() };
        if let Err(failure) = desk.carried(&self.grant, closed).await {
            failure.context(format!("the end of `{}` was not recorded", self.target)).report();
        }
        if !self.closes || over {
            return None;
        }
        let closed = desk.close(&self.grant).await.map_err(|failure| {
            failure
                .context(format!("{} could not be revoked", self.grant))
                .hint("it expires by itself")
                .report();
        });
        closed.ok()
    }
}

/// By whose credentials AWS is asked for a grant.
pub fn accounts(asking: &Asking, desk: &Desk, through: &Through, grant: &GrantId) -> Arc<Accounts> {
    let vend = desk.vending(grant).filter(|_| through.vended);
    let profile = asking.profile.clone().or_else(|| through.profile.clone());
    Arc::new(Accounts::new(profile, through.region.clone(), vend))
}

/// What is open already and is used as it stands, with the end that it has: who connects asks for no longer end.
async fn held(asking: &Asking, desk: &Desk, target: &TargetName) -> Result<Option<OpenedView>, Failure> {
    let wanted = |grant: &GrantView| {
        grant.target == *target
            && grant.state == State::Open
            && grant.overdue.is_none()
            && asking.via.is_none_or(|via| grant.transport == via)
    };
    let mine: Vec<GrantView> = desk.mine().await?.into_iter().filter(wanted).collect();
    let direct = mine.iter().any(|grant| grant.transport == Transport::Direct);
    let here = if direct { desk.address().await? } else { None };
    let reached = |grant: &GrantView| {
        grant.transport != Transport::Direct || here.is_some_and(|here| grant.source.contains(here))
    };
    let Some(grant) = mine.into_iter().filter(reached).max_by_key(|grant| grant.until) else {
        return Ok(None);
    };
    let through = Some(desk.through(&grant.id).await?);
    Ok(Some(OpenedView {
        extended: true,
        changed: false,
        moved_from: None,
        reasons: Vec::new(),
        closing: grant.closing,
        sync_state: grant.sync_state.clone(),
        connect: Vec::new(),
        through,
        beside: Vec::new(),
        beside_unknown: None,
        grant,
    }))
}

/// Gets the grant, and waits for whoever has to agree. `lasts` is for how long it is asked where nobody says so.
pub async fn granted(
    asking: &Asking,
    desk: &Desk,
    target: &TargetName,
    offers: &[Offer],
    lasts: Option<SignedDuration>,
) -> Result<OpenedView, Failure> {
    let offer = offers.iter().find(|offer| offer.target == *target);
    let permitted = offer.map(|offer| offer.transports.as_slice()).unwrap_or_default();
    let chosen = asking.via.or(permitted.first().copied());
    let directly = chosen == Some(Transport::Direct) && permitted.contains(&Transport::Direct);
    if asking.lasts.is_none()
        && let Some(held) = held(asking, desk, target).await?
    {
        return Ok(held);
    }
    let reason = match (&asking.reason, offer) {
        (None, Some(offer)) if offer.reason_required => ask_reason(target).await?,
        (reason, _) => reason.clone(),
    };
    let wish = Wish { target: target.clone(), via: asking.via, lasts: asking.lasts.or(lasts), reason };
    let opened = desk.open(&wish, directly).await?;
    if opened.grant.state != State::Waiting {
        return Ok(opened);
    }
    let id = opened.grant.id.clone();
    super::note(&format!("{id} waits for approval: {}", opened.reasons.join("; ")));
    loop {
        tokio::time::sleep(LOOK).await;
        let grant = desk.grant(&id).await?;
        match grant.state {
            State::Waiting => {}
            State::Open => {
                let through = Some(desk.through(&id).await?);
                return Ok(OpenedView { grant, through, ..opened });
            }
            State::Ended => {
                let how = grant.ended.unwrap_or_else(|| "it has ended".into());
                return Err(Failure::new(Code::No, format!("`{target}` was not opened: {how}")));
            }
        }
    }
}

/// Asks for the reason that the policy wants, where there is somebody to ask.
async fn ask_reason(target: &TargetName) -> Result<Option<String>, Failure> {
    if !std::io::stdin().is_terminal() || !super::printer::is_watched() {
        return Ok(None);
    }
    let prompt = format!("Why do you need {target}? ");
    let asked = tokio::task::spawn_blocking(move || {
        super::printer::prompt(&prompt)?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line.trim().to_owned())
    });
    match tokio::time::timeout(THINKS, asked).await {
        Ok(asked) => {
            let asked = asked.map_err(Failure::with(Code::Internal))?;
            let reason = asked.map_err(Failure::with(Code::Io))?;
            Ok(Some(reason).filter(|reason| !reason.is_empty()))
        }
        Err(_) => Err(Failure::new(Code::Usage, "no reason was given").hint("give it with `--reason`")),
    }
}

/// A failure of a tunnel, with its fix.
pub fn failure(error: connect::Error) -> Failure {
    Failure::of(Code::Unavailable, &error).hint_of(error.hint())
}
