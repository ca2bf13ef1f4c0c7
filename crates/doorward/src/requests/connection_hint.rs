//! The endpoint to connect to once a target is open.

use std::fmt;

use doorward_core::net::Flow;
use doorward_core::policy::{Address, TargetName, Transport};
use serde::{Deserialize, Serialize};

use super::Requests;
use super::through::relay;

/// Where a program connects to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionHint {
    /// The host: a name or an address; or, where only AWS knows it, the policy's word for it.
    pub host: String,
    /// Whether a client can connect to `host` as given.
    pub known: bool,
    /// The protocol and the ports.
    pub flow: Flow,
    /// A command that would use it, for services that everybody knows by their engine or their port.
    pub command: Option<String>,
    /// Why only the policy's word for the host is known, where it was looked up in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

impl ConnectionHint {
    /// The port, where there is exactly one.
    pub fn port(&self) -> Option<u16> {
        self.flow.ports().filter(|ports| ports.from() == ports.to()).map(|ports| ports.from())
    }

    /// `service` is the port that tells what listens there: the target's own, also behind a relay's port.
    fn new(host: String, known: bool, flow: Flow, service: Option<u16>) -> Self {
        let mut hint = Self { host, known, flow, command: None, why_not: None };
        let (host, port) = (&hint.host, hint.port());
        hint.command = match (known, flow, service, port) {
            (true, Flow::Tcp(_), Some(service), Some(port)) => command(service, host, port),
            _ => None,
        };
        hint
    }
}

/// The port that a service of an engine usually has: what a port of somebody's own choosing does not tell.
fn usual_port(engine: &str) -> Option<u16> {
    let engine = engine.to_ascii_lowercase();
    [
        ("postgres", 5432),
        ("mysql", 3306),
        ("mariadb", 3306),
        ("redis", 6379),
        ("valkey", 6379),
        ("sqlserver", 1433),
    ]
    .into_iter()
    .find_map(|(name, port)| engine.contains(name).then_some(port))
}

/// What everybody uses for a service, which its own port tells, where it answers.
pub fn command(service: u16, host: &str, port: u16) -> Option<String> {
    Some(match service {
        22 if port == 22 => format!("ssh {host}"),
        22 => format!("ssh -p {port} {host}"),
        3306 => format!("mysql --host={host} --port={port}"),
        5432 => format!("psql --host={host} --port={port}"),
        6379 => format!("redis-cli -h {host} -p {port}"),
        1433 => format!("sqlcmd -S {host},{port}"),
        _ => return None,
    })
}

impl fmt::Display for ConnectionHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port() {
            Some(port) if self.host.contains(':') && self.known => write!(f, "[{}]:{port}", self.host),
            Some(port) if self.known => write!(f, "{}:{port}", self.host),
            _ => write!(f, "{}, {}", self.host, self.flow),
        }
    }
}

impl Requests {
    /// The endpoint of an open target; a relay's own address if there is one in front of it.
    ///
    /// A tunnelled target is reached on the person's own machine, at a port that `doorward connect` prints.
    pub fn connection_hints(&self, target: &TargetName, transport: Transport) -> Vec<ConnectionHint> {
        let loaded = self.app.loaded();
        let policy = &loaded.policy;
        let Some(target) = policy.targets.get(target) else { return Vec::new() };
        if transport != Transport::Direct {
            let command = Some(format!("doorward connect {}", target.name));
            let host = target.address.to_string();
            let hint = |flow: &Flow| ConnectionHint {
                host: host.clone(),
                known: false,
                flow: *flow,
                command: command.clone(),
                why_not: None,
            };
            return target.ports.iter().take(1).map(hint).collect();
        }
        if let Some(relay) = relay(policy, target) {
            let known = relay.host.is_some();
            let host = relay.host.unwrap_or_else(|| "the server".into());
            let flow = Flow::Tcp(doorward_core::net::Ports::one(relay.port));
            let mut services = target.ports.iter().filter_map(|flow| flow.ports()).map(|ports| ports.from());
            return vec![ConnectionHint::new(host, known, flow, services.next())];
        }
        let endpoint = self.endpoints.of(&target.address);
        let known = endpoint.is_some() || matches!(target.address, Address::Host(_));
        let engine = endpoint.as_ref().and_then(|endpoint| endpoint.engine.as_deref()).and_then(usual_port);
        let why_not = self.endpoints.why_not(&target.address);
        let host = endpoint.map_or_else(|| target.address.to_string(), |endpoint| endpoint.host);
        let service = |flow: &Flow| engine.or_else(|| flow.ports().map(|ports| ports.from()));
        let hint = |flow: &Flow| ConnectionHint {
            why_not: why_not.clone(),
            ..ConnectionHint::new(host.clone(), known, *flow, service(flow))
        };
        target.ports.iter().map(hint).collect()
    }

    /// The same, once it was looked up where the target answers, or for want of patience.
    pub async fn connection_hints_looked_up(
        &self,
        target: &TargetName,
        transport: Transport,
    ) -> Vec<ConnectionHint> {
        if transport == Transport::Direct
            && let Some(target) = self.app.loaded().policy.targets.get(target)
        {
            self.endpoints.wait(&target.address).await;
        }
        self.connection_hints(target, transport)
    }
}

/// The host of a URL, without brackets.
pub(super) fn host_of(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next();
    }
    authority.split(':').next().filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, known: bool, flow: &str, service: u16, expected: (&str, Option<&str>)) {
        let hint = ConnectionHint::new(host.into(), known, flow.parse().expect("a flow"), Some(service));
        assert_eq!((hint.to_string().as_str(), hint.command.as_deref()), expected);
    }

    #[test]
    fn a_way_is_said_as_it_is_typed() {
        check("db", true, "tcp/5432", 5432, ("db:5432", Some("psql --host=db --port=5432")));
        check(
            "127.0.0.1",
            true,
            "tcp/15432",
            5432,
            ("127.0.0.1:15432", Some("psql --host=127.0.0.1 --port=15432")),
        );
        check("2001:db8::1", true, "tcp/22", 22, ("[2001:db8::1]:22", Some("ssh 2001:db8::1")));
        check("jump", true, "tcp/2222", 22, ("jump:2222", Some("ssh -p 2222 jump")));
        check("rds:orders", false, "tcp/5432", 5432, ("rds:orders, tcp/5432", None));
        check("db", true, "tcp/1000-2000", 1000, ("db, tcp/1000-2000", None));
        check("db", true, "udp/53", 53, ("db:53", None));
        // A port of somebody's own choosing, of which the engine is known.
        check("db", true, "tcp/6000", 5432, ("db:6000", Some("psql --host=db --port=6000")));
        let engines = ["postgres", "aurora-postgresql", "aurora-mysql", "mariadb", "valkey", "memcached"];
        let ports = [Some(5432), Some(5432), Some(3306), Some(3306), Some(6379), None];
        assert_eq!(engines.map(usual_port), ports);
    }

    #[test]
    fn a_host_is_found_in_a_url() {
        assert_eq!(host_of("https://door.example:8443/x"), Some("door.example"));
        assert_eq!(host_of("http://[::1]:80"), Some("::1"));
        assert_eq!(host_of("door"), None);
    }
}
