//! Load balancers: what they listen to, and what they send to.

use std::net::IpAddr;

use super::Code;
use super::Flows;
use super::span::Span;
use super::stage::{Note, Plain, Track};
use super::table::HostIx;
use super::walk::Walk;
use crate::inventory::{Listener, LoadBalancer, LoadBalancerKind, Target, TargetGroup};
use crate::net::{Flow, Ports};

/// A target with the port that it is sent to, and the listener that sends there.
pub(super) struct Sent<'a> {
    pub(super) target: &'a Target,
    pub(super) group: &'a TargetGroup,
    pub(super) listener: &'a Listener,
    /// What the balancer sends to it.
    pub(super) flows: Flows,
}

impl<'a> Walk<'a> {
    pub(super) fn balancer(self, index: HostIx) -> Option<&'a LoadBalancer> {
        let key = self.network.hosts.at(index).balancer.as_ref()?;
        let by_key = self.inventory.load_balancers.get(key);
        by_key.or_else(|| self.inventory.load_balancers.values().find(|balancer| balancer.arn == *key))
    }

    /// Meets the listeners of a load balancer, if the host is a node of one.
    pub(super) fn listens(self, track: &mut Track, index: HostIx) {
        let Some(balancer) = self.balancer(index) else { return };
        let code =
            if balancer.kind == LoadBalancerKind::Classic { Code::ClassicListener } else { Code::Listener };
        let plain = |because: String, why: String, lift: String| Plain {
            resource: balancer.name.clone(),
            name: None,
            kind: "load balancer",
            because,
            code,
            why,
            lift,
        };
        let Some(listeners) = &balancer.listeners else {
            track.doubt(None, || {
                plain(String::new(), "its listeners were not seen".into(), "let its listeners be seen".into())
            });
            return;
        };
        let flows = listeners.iter().fold(Flows::NONE, |sum, listener| sum.union(&heard(listener)));
        let words = flows.to_string();
        track.meet(Span::exact(flows), None, || {
            let lift = "add a listener, or ask for a port that it listens to".to_owned();
            Note::Plain(plain(format!("it listens to {words}"), format!("it listens to {words}"), lift))
        });
    }

    /// Meets what a load balancer sends to, if the sender is a node of one: only its targets, at their ports.
    pub(super) fn sends(self, track: &mut Track, from: HostIx, to: HostIx, address: IpAddr) {
        let Some(balancer) = self.balancer(from) else { return };
        let plain = |code: Code, because: String, why: String| Plain {
            resource: balancer.name.clone(),
            name: None,
            kind: "load balancer",
            because,
            code,
            why,
            lift: "register it as a target".into(),
        };
        let Some(sent) = self.sent(balancer) else {
            track.doubt(None, || plain(Code::NotATarget, String::new(), "its targets were not seen".into()));
            return;
        };
        let to_it = sent.iter().filter(|sent| self.is_target(sent.target, to, address));
        let flows = to_it.fold(Flows::NONE, |sum, sent| sum.union(&sent.flows));
        let code = if flows.is_empty() { Code::NotATarget } else { Code::TargetPort };
        let words = flows.to_string();
        track.meet(Span::exact(flows), None, || {
            Note::Plain(plain(
                code,
                format!("it sends {words} to this target"),
                format!("it sends {words} there"),
            ))
        });
    }

    /// What a load balancer sends, and to whom; nothing where some of it was not seen.
    pub(super) fn sent(self, balancer: &'a LoadBalancer) -> Option<Vec<Sent<'a>>> {
        let mut all = Vec::new();
        for listener in balancer.listeners.as_ref()? {
            let named: Vec<&String> = match balancer.kind {
                LoadBalancerKind::Classic => vec![&balancer.name],
                _ => listener.target_groups.iter().collect(),
            };
            for arn in named {
                let group = self.inventory.target_groups.get(arn)?;
                for target in group.targets.as_ref()? {
                    let port = listener.instance_port.or(target.port).or(group.port);
                    let Some(port) = port else { continue };
                    let flows = spoken(&group.protocol, port);
                    all.push(Sent { target, group, listener, flows });
                }
            }
        }
        Some(all)
    }

    pub(super) fn is_target(self, target: &Target, host: HostIx, address: IpAddr) -> bool {
        let host = self.network.hosts.at(host);
        let owned = host.owner.as_ref().is_some_and(|owner| owner.id == target.id);
        owned || target.id.parse() == Ok(address) || host.balancer.as_deref() == Some(target.id.as_str())
    }
}

/// What a listener takes.
pub(super) fn heard(listener: &Listener) -> Flows {
    spoken(&listener.protocol, listener.port)
}

/// What a protocol of load balancers is on the wire, at a port.
fn spoken(protocol: &str, port: u16) -> Flows {
    let ports = Ports::one(port);
    match protocol {
        "UDP" | "QUIC" => Flow::Udp(ports).into(),
        "TCP_UDP" | "TCP_QUIC" => Flows::from_iter([Flow::Tcp(ports), Flow::Udp(ports)]),
        _ => Flow::Tcp(ports).into(),
    }
}
