//! One connected target: its grant, its tunnel and its local listeners.

use std::net::SocketAddr;
use std::sync::Arc;

use doorward_core::grant::GrantId;
use doorward_core::net::Cidr;
use doorward_core::policy::{TargetName, Transport};
use doorward_tunnel::bound::Bound;
use doorward_tunnel::dial::{Destination, Host};
use doorward_tunnel::forward::{self, Counts, Forward};
use doorward_tunnel::http_proxy::HttpProxy;
use doorward_tunnel::news::Tell;
use doorward_tunnel::socks::Socks;
use doorward_tunnel::transparent::{self, MARK, Range, Settings, Watchdog};
use jiff::Timestamp;
use serde::Serialize;

use super::super::access::{self, Access};
use super::super::desk::Desk;
use super::super::{Code, Failure};
use super::{Connect, Target, range, show};
use crate::connect::{self, Line, Within, granted_networks};
use crate::requests::Through;

/// The most ports of one target that get a local port each.
const MOST_PORTS: usize = 32;

/// A target that is connected.
pub struct Held {
    /// The grant and its tunnel.
    pub access: Access,
    pub lines: Vec<Line>,
    /// Listeners that are no line: SOCKS, an HTTP proxy, a range.
    fronts: Vec<(String, String)>,
    forwards: Vec<Forward>,
    range: Option<Range>,
    /// How often the tunnel was lost and reconnected.
    pub reconnects: u64,
}

/// What `--json` says of one.
#[derive(Debug, Serialize)]
pub struct HeldView<'h> {
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
    /// Opens its fronts; what this command opened is closed again when that fails.
    pub async fn open(
        connect: &Connect,
        desk: &Desk,
        target: &Target,
        access: Access,
        tell: Tell,
    ) -> Result<Self, Failure> {
        let options =
            forward::Options { tell, bound: Bound::Until(access.until), ..forward::Options::default() };
        let name = access.target.clone();
        let mut held = Self {
            access,
            lines: Vec::new(),
            fronts: Vec::new(),
            forwards: Vec::new(),
            range: None,
            reconnects: 0,
        };
        let stands = if held.access.through.networks.is_empty() {
            held.ports(connect, desk, target, options).await
        } else {
            held.network(connect, desk, options).await
        };
        match stands {
            Ok(()) => Ok(held),
            Err(failure) => {
                super::super::note(&held.end(desk, "the connection failed", false).await);
                Err(failure.context(format!("cannot connect to `{name}`")))
            }
        }
    }

    /// A local port for each port of a target with a single address.
    async fn ports(
        &mut self,
        connect: &Connect,
        desk: &Desk,
        target: &Target,
        options: forward::Options,
    ) -> Result<(), Failure> {
        if !connect.range.is_empty() || connect.socks.is_some() || connect.http_proxy.is_some() {
            let what = format!("`{}` is a single address, not a network", self.access.target);
            return Err(Failure::new(Code::Usage, what)
                .hint("--range, --socks and --http-proxy need a target whose address is a network"));
        }
        let located = self.access.located().await?;
        let Ok(host) = located.host.parse::<Host>();
        let granted = self.access.granted(&host);
        let ports = granted.each(MOST_PORTS).ok_or_else(|| {
            let what = format!("`{}` has more than {MOST_PORTS} ports", self.access.target);
            Failure::new(Code::Usage, what).hint("declare it as a network in the policy, and use --socks")
        })?;
        if ports.is_empty() {
            let what = format!("`{}` has no TCP port, and a tunnel forwards only TCP", self.access.target);
            return Err(Failure::new(Code::No, what));
        }
        if target.port.is_some() && ports.len() > 1 {
            let what =
                format!("`{}` has {} ports, but you named one local port", self.access.target, ports.len());
            return Err(Failure::new(Code::Usage, what).hint("leave out the local port"));
        }
        let first = ports.first().map(|port| Destination { host: host.clone(), port: *port });
        self.access.connect(desk, first.as_ref()).await?;
        let within = Arc::new(self.access.within(granted));
        for port in ports {
            let service = self.access.service(port);
            let local = target.port.unwrap_or_else(|| connect::usual(self.access.target.as_str(), service));
            let listen = SocketAddr::new(connect.bind, local);
            let to = Destination { host: host.clone(), port };
            let forward = Forward::to(listen, to, Arc::clone(&within) as _, options.clone());
            let forward = forward.map_err(|error| {
                Failure::of(Code::Unavailable, &error)
                    .hint(format!("choose another with `{}=PORT`", self.access.target))
            })?;
            self.lines.push(connect::lines(
                self.access.target.as_str(),
                forward.address(),
                &located.host,
                port,
                service,
            ));
            self.forwards.push(forward);
        }
        Ok(())
    }

    /// A range, SOCKS or an HTTP proxy for a target that is a network.
    async fn network(
        &mut self,
        connect: &Connect,
        desk: &Desk,
        options: forward::Options,
    ) -> Result<(), Failure> {
        if connect.range.is_empty() && connect.socks.is_none() && connect.http_proxy.is_none() {
            let what = format!("`{}` is a network", self.access.target);
            return Err(Failure::new(Code::Usage, what).hint(
                "add `--range auto` (as root), or `--socks 127.0.0.1:1080`, or `--http-proxy 127.0.0.1:3128`",
            ));
        }
        self.access.connect(desk, None).await?;
        let within = self.access.within(granted_networks(&self.access.through));
        let allowed = within.allowed();
        let dial: Arc<Within> = Arc::new(within);
        let cannot =
            |error: forward::CannotListen| Failure::of(Code::Unavailable, &error).hint("try another port");
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
        let vpc = match self.vpc_networks(connect).await {
            Ok(vpc) => vpc,
            Err(failure) => {
                failure.context("the VPC could not be read, so the whole granted range is routed").report();
                None
            }
        };
        let ranges = range::carried(&self.access.through, &connect.range, vpc.as_deref())?;
        let words: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        let settings = Settings {
            ranges,
            carriers: self.access.carrier.carriers.clone(),
            names: names(&self.access.through)?,
            mark: MARK,
            watchdog: watchdog()?,
        };
        let range = Range::open(settings, dial as _, options)
            .await
            .map_err(|error| Failure::of(Code::Unavailable, &error).hint_of(error.hint()))?;
        self.fronts.push(("range".into(), words.join(", ")));
        self.range = Some(range);
        Ok(())
    }

    /// The VPC's prefixes, where `auto` was wanted.
    async fn vpc_networks(&self, connect: &Connect) -> Result<Option<Vec<Cidr>>, Failure> {
        if connect.range.contains(&range::RangeRequest::Auto) {
            self.access.vpc_networks().await
        } else {
            Ok(None)
        }
    }

    /// The lines that a person reads.
    pub fn ready(&self) -> String {
        let left = super::super::left(self.access.until, Timestamp::now());
        let mut text = format!("{} by {} for {left}\n", self.access.target, self.access.transport);
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
    pub fn view(&self) -> HeldView<'_> {
        let front = |title: &str| {
            self.fronts.iter().find(|(known, _)| known == title).map(|(_, place)| place.as_str())
        };
        HeldView {
            target: &self.access.target,
            grant: &self.access.grant,
            transport: self.access.transport,
            until: self.access.until,
            session: self.access.carrier.session(),
            ports: &self.lines,
            socks: front("SOCKS 5"),
            http_proxy: front("HTTP proxy"),
            range: front("range"),
        }
    }

    /// The bytes and connections that it has transferred.
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

    /// Carries until another time from now on.
    pub fn bind(&mut self, until: Timestamp) {
        self.access.until = until;
        self.forwards.iter().for_each(|forward| forward.bind(Bound::Until(until)));
        if let Some(range) = &self.range {
            range.bind(Bound::Until(until));
        }
    }

    /// The password of a database user who signs in by IAM.
    pub async fn database_token(&self, line: &Line, user: &str) -> Result<String, Failure> {
        let account = self.access.accounts.get().await.map_err(|error| access::failure(error.into()))?;
        let token = account.database_token(&line.host, line.port, user, Timestamp::now()).await;
        token.map_err(|error| access::failure(error.into()))
    }

    /// Cuts all of it, and has the end recorded; what was cut, in words. `over` is a grant that has ended by itself.
    pub async fn end(self, desk: &Desk, why: &str, over: bool) -> String {
        let mut counts = self.counts().await;
        for forward in self.forwards {
            counts.cut += forward.close().await;
        }
        if let Some(range) = self.range {
            let (closed, removed) = range.close().await;
            counts.cut += closed.flows.cut;
            if let Err(error) = removed {
                Failure::of(Code::Unavailable, &error)
                    .context("the nftables table of the range could not be removed")
                    .hint("its watchdog retries; `nft list tables` shows whether it is gone")
                    .report();
            }
        }
        let target = self.access.target.clone();
        self.access.close(desk, (counts.up, counts.down), why, over).await;
        let connections = usize::try_from(counts.cut).unwrap_or(usize::MAX);
        let cut = match connections {
            0 => "no connection was cut".to_owned(),
            cut => super::super::count(cut, "connection was cut", "connections were cut"),
        };
        let (up, down) = (show::bytes(counts.up), show::bytes(counts.down));
        format!("{target} is disconnected: {why}; {cut}; {up} up, {down} down")
    }
}

pub async fn end(desk: &Desk, held: Vec<Held>, why: &str) {
    for held in held {
        super::super::note(&held.end(desk, why, false).await);
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
