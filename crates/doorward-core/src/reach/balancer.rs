//! Load balancers: what they listen to, and what they send to.

use std::net::IpAddr;

use super::passage::{Outside, Passage, Spot};
use super::span::Span;
use super::stage::{Detail, Note, Plain, Stage, Track};
use super::table::HostIx;
use super::walk::Walk;
use super::{Code, Flows};
use crate::inventory::{Direction, Listener, LoadBalancer, LoadBalancerKind, Target, TargetGroup};
use crate::net::ranges;
use crate::net::{Family, Flow, Ports};

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

    /// What load balancers at either end of a pair leave of what passes; none where neither end is one.
    pub(super) fn balanced(self, from: HostIx, to: HostIx, address: IpAddr) -> Option<Span> {
        let is_one = |host: HostIx| self.network.hosts.at(host).balancer.is_some();
        if !is_one(from) && !is_one(to) {
            return None;
        }
        let mut track = Track::new(Detail::Sum);
        self.sends(&mut track, from, to, address);
        self.listens(&mut track, to);
        Some(track.forward)
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

/// Who asks a load balancer.
#[derive(Debug, Clone)]
pub(super) enum Client<'c> {
    Host(Spot),
    Outside(&'c Outside, IpAddr),
}

impl Walk<'_> {
    /// The ways to a target by load balancers: the client's connection to one of its listeners, and the balancer's own
    /// to the target. What passes is what the target gets.
    pub(super) fn handed_on(self, client: &Client<'_>, to: Spot) -> Vec<Passage> {
        let mut passages = Vec::new();
        for balancer in self.inventory.load_balancers.values() {
            let sent = self.sent(balancer).unwrap_or_default();
            for sent in sent.iter().filter(|sent| self.is_target(sent.target, to.host, to.point.address)) {
                for (index, node) in self.network.hosts.enumerate() {
                    if node.balancer.as_deref() == Some(balancer.arn.as_str()) && index != to.host {
                        passages.extend(self.by_node(client, index, balancer, sent, to));
                    }
                }
            }
        }
        passages
    }

    fn by_node(
        self,
        client: &Client<'_>,
        index: HostIx,
        balancer: &LoadBalancer,
        sent: &Sent<'_>,
        to: Spot,
    ) -> Option<Passage> {
        let node = self.network.hosts.at(index);
        let family = ranges::family(to.point.address);
        let heard = heard(sent.listener);
        let mut asked = node.points.iter().filter_map(|point| {
            let point = Spot { host: index, point: *point };
            let passage = match client {
                Client::Host(from) if from.host == index => return None,
                Client::Host(from)
                    if ranges::family(from.point.address) == ranges::family(point.point.address) =>
                {
                    self.between(*from, point, Detail::All)
                }
                Client::Outside(outside, address) if address.is_ipv4() == point.point.address.is_ipv4() => {
                    self.inward(outside, *address, point, Detail::All)
                }
                _ => return None,
            };
            passage.span.maybe.meets(&heard).then_some(passage)
        });
        let first = asked.next()?;
        let own = node.points.iter().find(|point| ranges::family(point.address) == family)?;
        let own = Spot { host: index, point: *own };
        let second = self.between(own, to, Detail::All);
        let mut second_span = second.span.within(&sent.flows);
        let mut stages = self.in_words(&first.stages, &heard);
        stages.push(Stage {
            note: Note::Plain(Plain {
                resource: balancer.name.clone(),
                name: None,
                kind: "load balancer",
                because: format!("its listener {heard} sends {} to {}", sent.flows, sent.group.name),
                code: Code::Listener,
                why: String::new(),
                lift: String::new(),
            }),
            allow: Span::all(),
            gap: None,
            replies: false,
        });
        if preserves(balancer, sent)
            && let Some(address) = client.address(family)
        {
            // The target sees the client; a rule that names the balancer's group admits it all the same (network load
            // balancer guide, security groups).
            let mut admits = Track::new(Detail::Sum);
            self.groups(&mut admits, to.host, Direction::In, address, Some(index), true);
            let mut on_the_way = Track::new(Detail::Sum);
            self.way(&mut on_the_way, self.sender(own), to.host, to.point.address);
            second_span = on_the_way.passes().0.and(&admits.forward).within(&sent.flows);
        }
        stages.extend(self.in_words(&second.stages, &sent.flows));
        let reached =
            |one: &Flows, passes: &Flows| if passes.meets(&heard) { one.clone() } else { Flows::NONE };
        let span = Span {
            sure: reached(&second_span.sure, &first.span.sure),
            maybe: reached(&second_span.maybe, &first.span.maybe),
        };
        (!span.maybe.is_empty()).then(|| Passage {
            whole: if first.whole.meets(&heard) { span.sure.clone() } else { Flows::NONE },
            span,
            back: first.back,
            stages,
            handed_on: true,
        })
    }

    /// Stages as they let one flow through.
    fn in_words(self, stages: &[Stage], flows: &Flows) -> Vec<Stage> {
        let forward = stages.iter().filter(|stage| !stage.replies && stage.allow.maybe.meets(flows));
        forward
            .map(|stage| {
                let hop = self.hop(stage, &stage.allow.maybe.and(flows));
                Stage {
                    note: Note::Plain(Plain {
                        resource: hop.resource,
                        name: hop.name,
                        kind: hop.kind,
                        because: hop.because,
                        code: Code::Listener,
                        why: String::new(),
                        lift: String::new(),
                    }),
                    allow: Span::all(),
                    gap: None,
                    replies: false,
                }
            })
            .collect()
    }
}

impl Client<'_> {
    fn address(&self, family: Family) -> Option<IpAddr> {
        let address = match self {
            Self::Host(spot) => spot.point.address,
            Self::Outside(_, address) => *address,
        };
        (ranges::family(address) == family).then_some(address)
    }
}

/// Whether the target sees the client's own address: of network load balancers by default for targets that are
/// instances, and always for UDP (network load balancer guide, client IP preservation).
fn preserves(balancer: &LoadBalancer, sent: &Sent<'_>) -> bool {
    let udp = sent.group.protocol.contains("UDP") || sent.group.protocol.contains("QUIC");
    balancer.kind == LoadBalancerKind::Network
        && (udp || sent.group.preserves_client.unwrap_or(sent.group.kind == "instance"))
}
