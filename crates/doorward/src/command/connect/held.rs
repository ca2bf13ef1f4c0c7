//! One target that is connected: its grant, what carries it, and where it answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use doorward_core::grant::GrantId;
use doorward_core::policy::{Person, TargetName, Transport};
use doorward_tunnel::bound::Bound;
use doorward_tunnel::dial::{Destination, Host};
use doorward_tunnel::forward::{self, Counts, Forward};
use doorward_tunnel::http_proxy::HttpProxy;
use doorward_tunnel::socks::Socks;
use doorward_tunnel::transparent::{self, MARK, Range, Settings, Watchdog};
use jiff::Timestamp;
use serde::Serialize;

use super::super::desk::Desk;
use super::super::{Code, Failure};
use super::show::Teller;
use super::{Connect, Target, range};
use crate::connect::{self, Accounts, Carrier, Granted, Line, Place, Places, Within, granted_networks};
use crate::requests::{By, Carried, OpenedView, Through};

/// The most ports of one target that get a local port each.
const MOST_PORTS: usize = 32;

/// How long the far side may take to hear that it is over.
const FAREWELL: Duration = Duration::from_secs(15);

/// What opening one target needs to know.
pub struct Setting<'c> {
    /// The command.
    pub connect: &'c Connect,
    /// Where the grant is from.
    pub desk: &'c Desk,
    /// Which of the targets it is, counted from 0.
    pub number: usize,
    /// Who is told what happens.
    pub tell: &'c Teller,
}

/// A target that is connected.
pub struct Held {
    /// Its name.
    pub target: TargetName,
    /// Its grant.
    pub grant: GrantId,
    /// Whose.
    pub person: Person,
    /// The grant's end.
    pub until: Timestamp,
    /// By which way.
    pub transport: Transport,
    /// Whether this command opened the grant, and so closes it.
    pub own: bool,
    /// Where it answers.
    pub lines: Vec<Line>,
    /// Listeners that are no line: SOCKS, an HTTP proxy, a range.
    fronts: Vec<(String, String)>,
    forwards: Vec<Forward>,
    range: Option<Range>,
    carrier: Carrier,
    accounts: Arc<Accounts>,
    /// How often what carries it was lost and came back.
    pub reconnects: u64,
    /// Why it is over, once it is.
    pub over: Option<String>,
}

/// What `--json` says of one.
#[derive(Debug, Serialize)]
pub struct Told<'h> {
    target: &'h TargetName,
    grant: &'h GrantId,
    transport: Transport,
    until: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    ports: &'h [Line],
    #[serde(skip_serializing_if = "Option::is_none")]
    socks: Option<&'h str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_proxy: Option<&'h str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<&'h str>,
}

impl Held {
    /// Connects; what this command opened is closed again when that fails.
    pub async fn open(setting: &Setting<'_>, target: &Target, opened: OpenedView) -> Result<Self, Failure> {
        let (id, own) = (opened.grant.id.clone(), !opened.extended);
        match Self::connected(setting, target, opened).await {
            Ok(held) => Ok(held),
            Err(failure) => {
                if own && !setting.connect.keep {
                    // It ends by itself if it cannot be closed now.
                    let _ = setting.desk.close(&id).await;
                }
                Err(failure.context(format!("`{}` cannot be connected", target.name)))
            }
        }
    }

    async fn connected(setting: &Setting<'_>, target: &Target, opened: OpenedView) -> Result<Self, Failure> {
        let connect = setting.connect;
        let through = opened.through.ok_or_else(|| {
            Failure::new(Code::Unavailable, "the server does not say what carries the grant")
                .hint("is the server as new as this doorward?")
        })?;
        let until = opened.grant.until.unwrap_or_else(Timestamp::now);
        let tell = setting.tell.of(setting.number);
        let accounts = accounts(setting, &through, &opened.grant.id);
        let place = Place {
            grant: opened.grant.id.clone(),
            until: Some(until),
            accounts: Arc::clone(&accounts),
            tell: Arc::clone(&tell),
            marked: !connect.range.is_empty(),
        };
        let carrier = connect::build(&through, &place).await.map_err(carrier_failure)?;
        let options = forward::Options { tell, bound: Bound::Until(until), ..forward::Options::default() };
        let mut held = Self {
            target: opened.grant.target,
            grant: opened.grant.id,
            person: opened.grant.person,
            until,
            transport: opened.grant.transport,
            own: !opened.extended,
            lines: Vec::new(),
            fronts: Vec::new(),
            forwards: Vec::new(),
            range: None,
            carrier,
            accounts,
            reconnects: 0,
            over: None,
        };
        let stands = if through.networks.is_empty() {
            held.ports(setting, target, &through, options).await
        } else {
            held.network(connect, &through, options).await
        };
        if let Err(failure) = stands {
            held.cut().await;
            return Err(failure);
        }
        // What was opened and could not be recorded stands all the same; the grant itself is in the record.
        let session = held.carrier.session();
        if let Err(failure) = setting.desk.carried(&held.grant, Carried::Opened { session }).await {
            failure.context("what carries the grant was not recorded").tell();
        }
        Ok(held)
    }

    /// A local port for each port of a target that is one place.
    async fn ports(
        &mut self,
        setting: &Setting<'_>,
        target: &Target,
        through: &Through,
        options: forward::Options,
    ) -> Result<(), Failure> {
        let connect = setting.connect;
        if !connect.range.is_empty() || connect.socks.is_some() || connect.http_proxy.is_some() {
            let what = format!("`{}` is one place, and no network", self.target);
            return Err(Failure::new(Code::Usage, what)
                .hint("--range, --socks and --http-proxy are for a target whose address is a network"));
        }
        let located = connect::locate(through, &self.accounts).await.map_err(carrier_failure)?;
        let Ok(host) = located.host.parse::<Host>();
        let granted = Granted::new(Places::One(host.clone()), &through.ports);
        let ports = granted.each(MOST_PORTS).ok_or_else(|| {
            let what = format!("`{}` has more than {MOST_PORTS} ports", self.target);
            Failure::new(Code::Usage, what).hint("make it a network in the policy, and use --socks")
        })?;
        if ports.is_empty() {
            let what = format!("`{}` has no TCP port, and nothing else can be carried", self.target);
            return Err(Failure::new(Code::No, what));
        }
        if target.port.is_some() && ports.len() > 1 {
            let what = format!("`{}` has {} ports, and one local port was named", self.target, ports.len());
            return Err(Failure::new(Code::Usage, what).hint("leave the local port out"));
        }
        if let Some(first) = ports.first() {
            let first = Destination { host: host.clone(), port: *first };
            self.carrier.open(Some(&first)).await.map_err(carrier_failure)?;
        }
        let within: Arc<Within> = Arc::new(Within::new(Arc::clone(&self.carrier.dial), granted));
        for port in ports {
            let local = target.port.unwrap_or_else(|| connect::usual(self.target.as_str(), port));
            let listen = SocketAddr::new(connect.bind, local);
            let to = Destination { host: host.clone(), port };
            let forward = Forward::to(listen, to, Arc::clone(&within) as _, options.clone());
            let forward = forward.map_err(|error| {
                Failure::of(Code::Unavailable, &error)
                    .hint(format!("choose another with `{}=PORT`", self.target))
            })?;
            self.lines.push(connect::lines(self.target.as_str(), forward.address(), &located.host, port));
            self.forwards.push(forward);
        }
        Ok(())
    }

    /// A range, SOCKS or an HTTP proxy for a target that is a network.
    async fn network(
        &mut self,
        connect: &Connect,
        through: &Through,
        options: forward::Options,
    ) -> Result<(), Failure> {
        if connect.range.is_empty() && connect.socks.is_none() && connect.http_proxy.is_none() {
            let what = format!("`{}` is a network", self.target);
            return Err(Failure::new(Code::Usage, what).hint(
                "add `--range auto` (as root), or `--socks 127.0.0.1:1080`, or `--http-proxy 127.0.0.1:3128`",
            ));
        }
        self.carrier.open(None).await.map_err(carrier_failure)?;
        let granted = granted_networks(through);
        let within = Within::new(Arc::clone(&self.carrier.dial), granted);
        let allowed = within.allowed();
        let dial: Arc<Within> = Arc::new(within);
        let cannot = |error: forward::CannotListen| {
            Failure::of(Code::Unavailable, &error).hint("another port is free, perhaps")
        };
        if let Some(listen) = connect.socks {
            let ask = Arc::new(Socks::new(Arc::clone(&allowed)));
            let forward =
                Forward::asking(listen, ask, Arc::clone(&dial) as _, options.clone()).map_err(cannot)?;
            self.fronts.push(("SOCKS 5".into(), forward.address().to_string()));
            self.forwards.push(forward);
        }
        if let Some(listen) = connect.http_proxy {
            let ask = Arc::new(HttpProxy::new(Arc::clone(&allowed)));
            let forward =
                Forward::asking(listen, ask, Arc::clone(&dial) as _, options.clone()).map_err(cannot)?;
            self.fronts.push(("HTTP proxy".into(), forward.address().to_string()));
            self.forwards.push(forward);
        }
        if connect.range.is_empty() {
            return Ok(());
        }
        let ranges = range::carried(through, &connect.range)?;
        let words: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        let settings = Settings {
            ranges,
            carriers: self.carrier.carriers.clone(),
            names: names(through)?,
            mark: MARK,
            watchdog: watchdog()?,
        };
        let range = Range::open(settings, dial as _, options).await.map_err(|error| {
            let hint = error.hint();
            let failure = Failure::of(Code::Unavailable, &error);
            match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
        self.fronts.push(("range".into(), words.join(", ")));
        self.range = Some(range);
        Ok(())
    }

    /// The lines that a person reads.
    pub fn ready(&self) -> String {
        let left = super::super::left(self.until, Timestamp::now());
        let mut text = format!("{} by {} for {left}\n", self.target, self.transport);
        let mut line = |title: &str, what: &str| text.push_str(&format!("  {title:10} {what}\n"));
        for answer in &self.lines {
            line("connect", answer.command.as_deref().unwrap_or(&answer.listen.to_string()));
            if let Some(verified) = &answer.verified {
                line("verified", verified);
            }
            if let Some(jdbc) = &answer.jdbc {
                line("JDBC", jdbc);
            }
        }
        for (what, place) in &self.fronts {
            line(what, place);
        }
        text
    }

    /// The same for programs.
    pub fn told(&self) -> Told<'_> {
        let front = |title: &str| {
            self.fronts.iter().find(|(known, _)| known == title).map(|(_, place)| place.as_str())
        };
        Told {
            target: &self.target,
            grant: &self.grant,
            transport: self.transport,
            until: self.until,
            session: self.carrier.session(),
            ports: &self.lines,
            socks: front("SOCKS 5"),
            http_proxy: front("HTTP proxy"),
            range: front("range"),
        }
    }

    /// What it carried, and carries.
    pub async fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        let mut add = |counts: Counts| {
            sum.open += counts.open;
            sum.total += counts.total;
            sum.failed += counts.failed;
            sum.cut += counts.cut;
            sum.up += counts.up;
            sum.down += counts.down;
        };
        self.forwards.iter().for_each(|forward| add(forward.counts()));
        if let Some(range) = &self.range {
            add(range.counts().await.flows);
        }
        sum
    }

    /// The session, by the name that AWS gave it.
    pub fn session(&self) -> Option<String> {
        self.carrier.session()
    }

    /// Carries until another time from now on.
    pub fn bind(&mut self, until: Timestamp) {
        self.until = until;
        self.forwards.iter().for_each(|forward| forward.bind(Bound::Until(until)));
        if let Some(range) = &self.range {
            range.bind(Bound::Until(until));
        }
    }

    /// The password of a database user who signs in by IAM.
    pub async fn database_token(&self, line: &Line, user: &str) -> Result<String, Failure> {
        let account = self.accounts.get().await.map_err(Failure::with(Code::NoPermission))?;
        let token = account.database_token(&line.host, line.port, user, Timestamp::now()).await;
        token.map_err(Failure::with(Code::NoPermission))
    }

    /// Cuts all of it; how many connections that were, and what it had carried.
    pub async fn cut(self) -> Counts {
        let mut counts = self.counts().await;
        for forward in self.forwards {
            counts.cut += forward.close().await;
        }
        if let Some(range) = self.range {
            let (closed, removed) = range.close().await;
            counts.cut += closed.flows.cut;
            if let Err(error) = removed {
                Failure::of(Code::Unavailable, &error)
                    .context("the range's table could not be removed")
                    .hint("its watchdog tries again; `nft list tables` shows whether it is gone")
                    .tell();
            }
        }
        // Who does not hear the farewell learns of it by the silence.
        let _ = tokio::time::timeout(FAREWELL, self.carrier.close()).await;
        counts
    }
}

/// Cuts them all, has it recorded, and says what was cut.
pub async fn end(desk: &Desk, held: Vec<Held>, why: &str, keep: bool) {
    for held in held {
        let (target, grant, own) = (held.target.clone(), held.grant.clone(), held.own);
        let (why, session) = (held.over.clone().unwrap_or_else(|| why.to_owned()), held.session());
        let over = held.over.is_some();
        let counts = held.cut().await;
        let closed = Carried::Closed { session, up: counts.up, down: counts.down, why: why.clone() };
        if let Err(failure) = desk.carried(&grant, closed).await {
            failure.context(format!("the end of `{target}` was not recorded")).tell();
        }
        let cut = match counts.cut {
            0 => "nothing was cut".to_owned(),
            cut => format!(
                "{} cut",
                super::super::count(
                    usize::try_from(cut).unwrap_or(usize::MAX),
                    "connection was",
                    "connections were"
                )
            ),
        };
        let carried =
            format!("{} up, {} down", super::show::bytes(counts.up), super::show::bytes(counts.down));
        super::super::note(&format!("{target} is disconnected: {why}; {cut}; {carried}"));
        if own
            && !keep
            && !over
            && let Err(failure) = desk.close(&grant).await
        {
            failure.context(format!("{grant} could not be closed")).hint("it ends by itself").tell();
        }
    }
}

fn accounts(setting: &Setting<'_>, through: &Through, grant: &GrantId) -> Arc<Accounts> {
    let profile = setting.connect.profile.clone().or_else(|| through.profile.clone());
    let vended = matches!(&through.by, By::Ssm(sessions) if sessions.vended);
    let vend = setting.desk.vending(grant).filter(|_| vended);
    Arc::new(Accounts::new(profile, through.region.clone(), vend))
}

/// A failure of what carries, with what to do about it.
pub fn carrier_failure(error: connect::Error) -> Failure {
    let hint = error.hint();
    let failure = Failure::of(Code::Unavailable, &error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn names(through: &Through) -> Result<Option<transparent::Names>, Failure> {
    let Some(names) = &through.names else { return Ok(None) };
    let domains: Result<Vec<_>, _> = names.below.iter().map(|domain| domain.parse()).collect();
    let domains = domains.map_err(|error: transparent::NotADomain| Failure::of(Code::Data, &error))?;
    Ok(Some(transparent::Names { resolver: names.resolver, domains }))
}

fn watchdog() -> Result<Watchdog, Failure> {
    let program = std::env::current_exe().map_err(Failure::with(Code::Internal))?;
    Ok(Watchdog { program, arguments: vec!["range-watchdog".into()] })
}
