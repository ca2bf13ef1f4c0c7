//! Where a relay leads: to another machine, and not back to this one's own listeners or to what only this machine may ask.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::across::{listens_at, same_port};
use super::firewall::FirewallAt;
use super::target::TargetAt;
use super::walk::{Section, Walk};
use crate::net::{Flow, hands_out_credentials, special};
use crate::policy::{Address, Enforcement, Server, Target};

/// Reports every relay whose target is the relay itself, another listener of this policy, or an address that means this
/// machine or its link to whoever connects.
pub(super) fn check<'t>(
    walk: &mut Walk<'t>,
    root: &Section<'t, '_>,
    server: &Server,
    firewalls: &[FirewallAt],
    targets: &[TargetAt],
) {
    for at in targets {
        let relay = firewalls.iter().find(|firewall| {
            Some(&firewall.firewall.name) == at.target.firewall.as_ref()
                && matches!(firewall.firewall.kind, Enforcement::Relay { .. })
        });
        let Some((relay, host)) = relay.zip(Host::of(&at.target)) else { continue };
        if let Some(to) = host.destination(&at.target)
            && leads_to_a_listener(walk, root, server, firewalls, (relay, at, to))
        {
            continue;
        }
        leads_to_this_machine(walk, relay, at, host);
    }
}

/// What a relay dials, as far as the policy alone says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Host(IpAddr);

impl Host {
    fn of(target: &Target) -> Option<Self> {
        let Address::Host(host) = &target.address else { return None };
        // RFC 6761, section 6.3: `localhost` and all names below it are the loopback address.
        let is_localhost = host == "localhost" || host.ends_with(".localhost");
        let localhost = is_localhost.then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        target.address.ip().or(localhost).map(Self)
    }

    /// With the port, where there is one alone.
    fn destination(self, target: &Target) -> Option<SocketAddr> {
        let mut ports = target.ports.iter().filter_map(|flow| match flow {
            Flow::Tcp(ports) if ports.from() == ports.to() => Some(ports.from()),
            _ => None,
        });
        ports.next().map(|port| SocketAddr::new(self.0, port))
    }

    /// Whether a connection to it stays on this machine; Linux connects to loopback where the address is unspecified.
    fn is_this_machine(self) -> bool {
        self.0.is_loopback() || self.0.is_unspecified()
    }
}

/// Whether a connection to `to` arrives where `listen` listens.
fn arrives(to: SocketAddr, listen: SocketAddr) -> bool {
    let (host, listener) = (Host(to.ip()), Host(listen.ip().to_canonical()));
    let loops = host.is_this_machine() && listener.is_this_machine() && to.port() == listen.port();
    // A wildcard address serves every address of this machine, which the policy does not know; those that it names
    // elsewhere are not taken for its own.
    loops || (!listener.0.is_unspecified() && same_port(to, listen))
}

fn leads_to_a_listener<'t>(
    walk: &mut Walk<'t>,
    root: &Section<'t, '_>,
    server: &Server,
    firewalls: &[FirewallAt],
    (relay, at, to): (&FirewallAt, &TargetAt, SocketAddr),
) -> bool {
    let name = &relay.firewall.name;
    let hint = "write the address and the port of the target itself".to_owned();
    for other in firewalls {
        let Enforcement::Relay { listen } = other.firewall.kind else { continue };
        if !arrives(to, listen) {
            continue;
        }
        let place = walk.place(&other.kind_at);
        let what = if other.firewall.name == *name {
            format!("the relay `{name}` forwards to itself: it listens on {listen}, at {place}")
        } else {
            format!(
                "the relay `{name}` forwards to the relay `{}`, which listens on {listen}, at {place}, and would see the \
                 server's own address instead of the client's",
                other.firewall.name
            )
        };
        walk.error(&at.address_at, what, Some(hint));
        return true;
    }
    if !arrives(to, server.listen) {
        return false;
    }
    let written = listens_at(root).map(|span| format!(", at {}", walk.place(&span)));
    let what = format!(
        "the relay `{name}` forwards to the server itself, which listens on {}{}, and would see the server's own address \
         instead of the client's",
        server.listen,
        written.unwrap_or_default()
    );
    walk.error(&at.address_at, what, Some(hint));
    true
}

fn leads_to_this_machine(walk: &mut Walk<'_>, relay: &FirewallAt, at: &TargetAt, host: Host) {
    let name = &relay.firewall.name;
    let Host(address) = host;
    let place = walk.place(&relay.kind_at);
    let leads = format!("the relay `{name}`, at {place}, forwards to `{}`", at.target.address);
    if hands_out_credentials(address) {
        let what = format!("{leads}: every grant would admit to the credentials of the server's own role");
        return walk.error(&at.address_at, what, Some("write the address of the target".to_owned()));
    }
    match special(address) {
        _ if host.is_this_machine() => {
            // Who reaches a listener on loopback is on this machine already.
            let Enforcement::Relay { listen } = relay.firewall.kind else { return };
            if at.shared || listen.ip().to_canonical().is_loopback() {
                return;
            }
            let what = format!(
                "{leads}, which is the server's own machine: a service there sees every client as local, and may trust it \
                 for that"
            );
            let hint = "set `shared = true` in the target if this is intended".to_owned();
            walk.warning(&at.address_at, what, Some(hint));
        }
        Some(kind) if kind.is_no_target() => {
            let what = format!("{leads}, which is {kind} and not the address of a target");
            walk.error(&at.address_at, what, Some("write the address of the target".to_owned()));
        }
        _ => {}
    }
}
