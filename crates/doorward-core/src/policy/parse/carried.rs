//! What must hold for transports that carry their own packets: `[ssm]` and `[ssh]` are there, and can carry it.

use super::target::TargetAt;
use super::walk::{Section, Walk};
use crate::net::Flow;
use crate::policy::{Address, Transport};

/// Checks each target against the sections that its transports need.
pub(super) fn check<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>, targets: &[TargetAt]) {
    for at in targets {
        for (transport, span) in &at.ways_at {
            let (section, like) = match transport {
                Transport::Direct => continue,
                Transport::Wireguard => {
                    let name = &at.target.name;
                    let what = format!(
                        "this version does not support `wireguard`, so nobody can open `{name}` with it"
                    );
                    let hint = "write `\"direct\"`, `\"ssm\"` or `\"ssh\"`".to_owned();
                    walk.warning(span, what, Some(hint));
                    continue;
                }
                Transport::Ssm => ("ssm", "jump-host = \"tag:Name=jump\""),
                Transport::Ssh => ("ssh", "jump-host = \"tag:Name=jump\""),
            };
            if root.get(section).is_none() {
                let what =
                    format!("`{transport}` goes through a jump host, and the policy has no `[{section}]`");
                walk.missing(span, what, Some(format!("add `[{section}]`, with `{like}`")));
            }
            let tcp = |flow: &Flow| matches!(flow, Flow::Tcp(_) | Flow::All);
            if !at.target.ports.is_empty() && !at.target.ports.iter().any(tcp) {
                let what = format!("`{transport}` supports only TCP, and none of `ports` is TCP");
                walk.error(span, what, Some("write `ports = [\"tcp/5432\"]`".into()));
            }
        }
        match at.target.address {
            Address::Network(_) => network(walk, at),
            _ if at.target.names.is_some() => {
                let what = "`names` are resolved in a network, and this target is a single address";
                walk.error(&at.names_at, what, Some("remove `names` and `resolver`".into()));
            }
            _ => {}
        }
    }
}

/// A network is carried whole: by SSH, or by WireGuard.
fn network(walk: &mut Walk<'_>, at: &TargetAt) {
    for (transport, span) in &at.ways_at {
        let why = match transport {
            Transport::Direct => "`direct` admits a client to one address",
            Transport::Ssm => "a session of `ssm` connects to one host",
            Transport::Wireguard | Transport::Ssh => continue,
        };
        let what = format!("{why}, and `{}` is a network", at.target.address);
        walk.error(span, what, Some("write `transports = [\"ssh\"]`".into()));
    }
    if at.target.firewall.is_some() {
        let what =
            format!("a firewall admits clients to one address, and `{}` is a network", at.target.address);
        walk.error(&at.firewall_at, what, Some("remove `firewall`".into()));
    }
}
