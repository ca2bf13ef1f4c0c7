//! What must hold between the parts of a policy: firewalls that exist, are not shared where they cannot be, and
//! do not fight.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use toml::de::DeValue;

use super::firewall::FirewallAt;
use super::target::TargetAt;
use super::walk::{Section, Span, Walk};
use crate::net::Flow;
use crate::policy::mistake::did_you_mean;
use crate::policy::{Address, Enforcement, FirewallName, Server, Transport};

/// Checks targets against firewalls, firewalls against each other and relays against the server.
///
/// `named` has the names of all firewalls, also of those with a mistake of their own. Both lists are in the
/// order of the file, so that it is the second of two that is blamed.
pub(super) fn check<'t>(
    walk: &mut Walk<'t>,
    root: &Section<'t, '_>,
    server: &Server,
    firewalls: &[FirewallAt],
    targets: &[TargetAt],
    named: &BTreeSet<FirewallName>,
) {
    for target in targets {
        direct_has_a_firewall(walk, target, named);
    }
    for at in firewalls {
        behind(walk, at, targets);
    }
    for (index, at) in firewalls.iter().enumerate() {
        for before in firewalls.iter().take(index) {
            if let Some(what) = fight(&before.firewall.kind, &at.firewall.kind) {
                let name = &before.firewall.name;
                let place = walk.place(&before.kind_at);
                let what = format!("{what} `[firewall.{name}]`, at {place}");
                walk.error(&at.kind_at, what, Some("make them one firewall".into()));
            }
        }
        if let Enforcement::Relay { listen } = at.firewall.kind
            && same_port(listen, server.listen)
        {
            let written = listens_at(root).map(|span| format!(", at {}", walk.place(&span)));
            let what =
                format!("the server itself listens on {}{}", server.listen, written.unwrap_or_default());
            walk.error(&at.kind_at, what, Some("choose another port".into()));
        }
    }
}

/// Checks the firewall that a target names, also of a target with mistakes of its own.
pub(super) fn firewall_is_there(
    walk: &mut Walk<'_>,
    firewall: &FirewallName,
    at: &Span,
    named: &BTreeSet<FirewallName>,
) {
    if named.contains(firewall) {
        return;
    }
    let hint = match did_you_mean(firewall.as_str(), named.iter().map(FirewallName::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("add `[firewall.{firewall}]`"),
    };
    walk.missing(at, format!("there is no `[firewall.{firewall}]`"), Some(hint));
}

/// A direct grant has to be enforced somewhere.
fn direct_has_a_firewall(walk: &mut Walk<'_>, at: &TargetAt, named: &BTreeSet<FirewallName>) {
    if at.target.firewall.is_none() && at.target.transports.contains(&Transport::Direct) {
        let what = "`direct` needs a `firewall` that admits the address";
        let like = named.iter().next().map_or("orders-clients", FirewallName::as_str);
        walk.missing(&at.transports_at, what, Some(format!("add `firewall = \"{like}\"`")));
    }
}

/// The targets of one firewall.
fn behind(walk: &mut Walk<'_>, at: &FirewallAt, targets: &[TargetAt]) {
    let name = &at.firewall.name;
    let behind: Vec<&TargetAt> =
        targets.iter().filter(|target| target.target.firewall.as_ref() == Some(name)).collect();
    if behind.is_empty() && walk.unreadable.is_empty() && !walk.mistakes.iter().any(|it| it.is_error()) {
        let what = format!("no target uses `[firewall.{name}]`, so it admits nobody");
        walk.warning(&at.name_at, what, Some(format!("add `firewall = \"{name}\"` to a target")));
    }
    match at.firewall.kind {
        Enforcement::Relay { .. } => behind_relay(walk, name, &behind),
        Enforcement::Nftables { .. } => behind.iter().for_each(|target| behind_table(walk, name, target)),
        Enforcement::SecurityGroup { .. } => {}
    }
}

/// A table compares a packet's destination with the target's address.
fn behind_table(walk: &mut Walk<'_>, name: &FirewallName, target: &TargetAt) {
    let Some(address) = target.target.address.ip().filter(|address| !comes_from_elsewhere(*address)) else {
        return;
    };
    let what = format!("no packet comes here for `{address}`, so the table of `{name}` would guard nothing");
    let hint = "write an address that people dial: the target's own, or one of this machine's if the target runs here";
    walk.error(&target.address_at, what, Some(hint.to_owned()));
}

/// Whether a packet that another machine sends to one may bear this destination (RFC 6890, section 2.2.2 and 2.2.3; RFC 1122,
/// section 3.2.1.3).
fn comes_from_elsewhere(destination: IpAddr) -> bool {
    let broadcast = match destination {
        // 0.0.0.0/8 is "this network".
        IpAddr::V4(address) => address.is_broadcast() || address.to_bits() >> 24 == 0,
        IpAddr::V6(_) => false,
    };
    !(broadcast || destination.is_unspecified() || destination.is_loopback() || destination.is_multicast())
}

fn behind_relay(walk: &mut Walk<'_>, name: &FirewallName, behind: &[&TargetAt]) {
    for (index, target) in behind.iter().enumerate() {
        if let Some(first) = behind.first().filter(|_| index > 0) {
            let what = format!(
                "the relay `{name}` forwards to one target, which already is `[target.{}]`",
                first.target.name
            );
            let hint = "give this target its own relay, with another port".to_owned();
            walk.error(&target.firewall_at, what, Some(hint));
        }
        if !matches!(target.target.address, Address::Host(_)) {
            let what = format!("the relay `{name}` cannot dial `{}`", target.target.address);
            let hint = "write its address or its host name, like `db.internal.example.org`".to_owned();
            walk.error(&target.address_at, what, Some(hint));
        }
        let ports: Vec<Flow> = target.target.ports.iter().copied().collect();
        let single =
            matches!(ports.as_slice(), [Flow::Tcp(ports)] if ports.from() == ports.to() && ports.from() > 0);
        if !single && !ports.is_empty() {
            let what = format!("the relay `{name}` forwards to exactly one TCP port");
            walk.error(&target.ports_at, what, Some("write it as `ports = [\"tcp/5432\"]`".into()));
        }
    }
}

/// Why two firewalls cannot both be, if so.
fn fight(one: &Enforcement, other: &Enforcement) -> Option<String> {
    match (one, other) {
        (Enforcement::SecurityGroup { group: one, .. }, Enforcement::SecurityGroup { group: other, .. })
            if one == other =>
        {
            Some(format!("`{other}` already belongs to another firewall, and the two would conflict:"))
        }
        (Enforcement::Nftables { table: one }, Enforcement::Nftables { table: other }) if one == other => {
            Some(format!(
                "the table `inet {other}` already belongs to another firewall, and the two would conflict:"
            ))
        }
        (Enforcement::Relay { listen: one }, Enforcement::Relay { listen: other })
            if same_port(*one, *other) =>
        {
            Some(format!("{other} already belongs to another relay:"))
        }
        _ => None,
    }
}

/// Where the policy says on which address the server listens; none where it has the default.
pub(super) fn listens_at(root: &Section<'_, '_>) -> Option<Span> {
    let DeValue::Table(server) = root.get("server")?.get_ref() else { return None };
    server.get("listen").map(|value| value.span())
}

/// Whether only one of two can listen; `[::]` is taken to serve IPv4 too, as it does on Linux.
pub(super) fn same_port(one: SocketAddr, other: SocketAddr) -> bool {
    // A socket of `[::ffff:127.0.0.1]` is one of 127.0.0.1 (RFC 3493, section 3.7).
    let plain = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
    let (one, other) = (plain(one), plain(other));
    let wild = one.ip().is_unspecified() || other.ip().is_unspecified();
    let reach = |wide: SocketAddr, narrow: SocketAddr| {
        wide.ip().is_unspecified() && (wide.is_ipv6() || narrow.is_ipv4())
    };
    one.port() == other.port()
        && one.port() != 0
        && (one.ip() == other.ip() || (wild && (reach(one, other) || reach(other, one))))
}
