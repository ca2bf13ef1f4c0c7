//! Load balancers: their listeners, their targets, and the path through them.

use std::net::IpAddr;

use crate::inventory::{Direction, Listener, LoadBalancer, LoadBalancerKind, Target, TargetGroup};
use crate::net::ranges::{self};
use crate::net::{Family, Flow, Ports};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::address_space::Outside;
use crate::reach::network::interfaces::{Named, PacketEnd};
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::round_trip::{self, RoundTrip};
use crate::reach::trace::steps::{Detail, Step, StepKind, StepText, Trace};
use crate::reach::trace::{filters, path_text};

/// A target with the port that it is sent to, and the listener that sends there.
pub(crate) struct Sent<'a> {
    pub(crate) target: &'a Target,
    pub(crate) group: &'a TargetGroup,
    pub(crate) listener: &'a Listener,
    /// What the balancer sends to it.
    pub(crate) flows: Flows,
}

pub(crate) fn of<'a>(cx: Context<'a>, index: InterfaceIx) -> Option<&'a LoadBalancer> {
    let key = cx.network.interfaces.at(index).balancer.as_ref()?;
    let by_key = cx.inventory.load_balancers.get(key);
    by_key.or_else(|| cx.inventory.load_balancers.values().find(|balancer| balancer.arn == *key))
}

/// As what a load balancer is asked: the name of one that is internet-facing resolves to public addresses only, also
/// inside (Elastic Load Balancing API, `CreateLoadBalancer`, `Scheme`).
pub(crate) fn named(balancer: &LoadBalancer) -> Named {
    if balancer.public { Named::Public } else { Named::Interface }
}

/// Meets the listeners of a load balancer, if the interface is a node of one.
pub(crate) fn listen(cx: Context<'_>, trace: &mut Trace, index: InterfaceIx) {
    let Some(balancer) = of(cx, index) else { return };
    let code =
        if balancer.kind == LoadBalancerKind::Classic { Code::ClassicListener } else { Code::Listener };
    let plain = |because: String, why: String, lift: String| StepText {
        resource: balancer.resource(),
        name: None,
        because,
        code,
        why,
        lift,
    };
    let Some(listeners) = &balancer.listeners else {
        trace.doubt(None, || {
            plain(String::new(), "its listeners were not seen".into(), "let its listeners be seen".into())
        });
        return;
    };
    let flows = listeners.iter().fold(Flows::NONE, |sum, listener| sum.union(&heard(listener)));
    let words = flows.to_string();
    trace.meet(Bounds::exact(flows), None, || {
        let lift = "add a listener, or ask for a port that it listens to".to_owned();
        StepKind::Text(plain(format!("it listens to {words}"), format!("it listens to {words}"), lift))
    });
}

/// Meets what a load balancer sends to, if the sender is a node of one: only its targets, at their ports.
pub(crate) fn dispatch(
    cx: Context<'_>,
    trace: &mut Trace,
    from: InterfaceIx,
    to: InterfaceIx,
    address: IpAddr,
) {
    let Some(balancer) = of(cx, from) else { return };
    let plain = |code: Code, because: String, why: String| StepText {
        resource: balancer.resource(),
        name: None,
        because,
        code,
        why,
        lift: "register it as a target".into(),
    };
    let Some(sent) = sent(cx, balancer) else {
        trace.doubt(None, || plain(Code::NotATarget, String::new(), "its targets were not seen".into()));
        return;
    };
    let to_it = sent.iter().filter(|sent| is_target(cx, sent.target, to, address));
    let flows = to_it.fold(Flows::NONE, |sum, sent| sum.union(&sent.flows));
    let code = if flows.is_empty() { Code::NotATarget } else { Code::TargetPort };
    let words = flows.to_string();
    trace.meet(Bounds::exact(flows), None, || {
        StepKind::Text(plain(
            code,
            format!("it sends {words} to this target"),
            format!("it sends {words} there"),
        ))
    });
}

/// What load balancers at either end of a pair leave of what passes; none where neither end is one.
pub(crate) fn limits(cx: Context<'_>, from: InterfaceIx, to: InterfaceIx, address: IpAddr) -> Option<Bounds> {
    let is_one = |interface: InterfaceIx| cx.network.interfaces.at(interface).balancer.is_some();
    if !is_one(from) && !is_one(to) {
        return None;
    }
    let mut trace = Trace::new(Detail::Sum);
    dispatch(cx, &mut trace, from, to, address);
    listen(cx, &mut trace, to);
    Some(trace.forward)
}

/// What a load balancer sends, and to whom; nothing where some of it was not seen.
pub(crate) fn sent<'a>(cx: Context<'a>, balancer: &'a LoadBalancer) -> Option<Vec<Sent<'a>>> {
    let mut all = Vec::new();
    for listener in balancer.listeners.as_ref()? {
        let named: Vec<&String> = match balancer.kind {
            LoadBalancerKind::Classic => vec![&balancer.name],
            _ => listener.target_groups.iter().collect(),
        };
        for arn in named {
            let group = cx.inventory.target_groups.get(arn)?;
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

pub(crate) fn is_target(cx: Context<'_>, target: &Target, interface: InterfaceIx, address: IpAddr) -> bool {
    let interface = cx.network.interfaces.at(interface);
    let owned = interface.owner.as_ref().is_some_and(|owner| owner.resource.id() == target.id);
    owned || target.id.parse() == Ok(address) || interface.balancer.as_deref() == Some(target.id.as_str())
}

/// What a listener takes.
pub(crate) fn heard(listener: &Listener) -> Flows {
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
pub(crate) enum Client<'c> {
    Interface(PacketEnd),
    Outside(&'c Outside, IpAddr),
}

/// The ways to a target by load balancers: the client's connection to one of its listeners, and the balancer's own
/// to the target. What passes is what the target gets.
pub(crate) fn paths_through(cx: Context<'_>, client: &Client<'_>, to: PacketEnd) -> Vec<RoundTrip> {
    let mut round_trips = Vec::new();
    for balancer in cx.inventory.load_balancers.values() {
        let sent = sent(cx, balancer).unwrap_or_default();
        for sent in sent.iter().filter(|sent| is_target(cx, sent.target, to.interface, to.own.address)) {
            for (index, node) in cx.network.interfaces.enumerate() {
                if node.balancer.as_deref() == Some(balancer.arn.as_str()) && index != to.interface {
                    round_trips.extend(by_node(cx, client, index, balancer, sent, to));
                }
            }
        }
    }
    round_trips
}

fn by_node(
    cx: Context<'_>,
    client: &Client<'_>,
    index: InterfaceIx,
    balancer: &LoadBalancer,
    sent: &Sent<'_>,
    to: PacketEnd,
) -> Option<RoundTrip> {
    let node = cx.network.interfaces.at(index);
    let family = ranges::family(to.own.address);
    let heard = heard(sent.listener);
    let mut asked = node.addresses.iter().filter_map(|own| {
        let own = PacketEnd::of(index, *own).named(named(balancer));
        let round_trip = match client {
            Client::Interface(from) if from.interface == index => return None,
            Client::Interface(from)
                if ranges::family(from.own.address) == ranges::family(own.own.address) =>
            {
                round_trip::between(cx, *from, own, Detail::All)
            }
            Client::Outside(outside, address) if address.is_ipv4() == own.own.address.is_ipv4() => {
                round_trip::inward(cx, outside, *address, own, Detail::All)
            }
            _ => return None,
        };
        round_trip.bounds.may.meets(&heard).then_some(round_trip)
    });
    let first = asked.next()?;
    let own = node.addresses.iter().find(|own| ranges::family(own.address) == family)?;
    let own = PacketEnd::of(index, *own);
    let second = round_trip::between(cx, own, to, Detail::All);
    let mut second_bounds = second.bounds.within(&sent.flows);
    let mut steps = in_words(cx, &first.steps, &heard);
    steps.push(Step {
        note: StepKind::Text(StepText {
            resource: balancer.resource(),
            name: None,
            because: format!("its listener {heard} sends {} to {}", sent.flows, sent.group.name),
            code: Code::Listener,
            why: String::new(),
            lift: String::new(),
        }),
        allow: Bounds::all(),
        gap: None,
        replies: false,
    });
    if preserves(balancer, sent)
        && let Some(address) = client.address(family)
    {
        // The target sees the client; a rule that names the balancer's group admits it all the same (network load
        // balancer guide, security groups).
        let mut admits = Trace::new(Detail::Sum);
        filters::security_groups(cx, &mut admits, to.interface, Direction::In, address, Some(index), true);
        let mut on_the_way = Trace::new(Detail::Sum);
        round_trip::path(cx, &mut on_the_way, round_trip::sender(cx, own), to.interface, to.own.address);
        second_bounds = on_the_way.passes().0.and(&admits.forward).within(&sent.flows);
    }
    steps.extend(in_words(cx, &second.steps, &sent.flows));
    let reached = |one: &Flows, passes: &Flows| if passes.meets(&heard) { one.clone() } else { Flows::NONE };
    let bounds = Bounds {
        must: reached(&second_bounds.must, &first.bounds.must),
        may: reached(&second_bounds.may, &first.bounds.may),
    };
    (!bounds.may.is_empty()).then(|| RoundTrip {
        whole: if first.whole.meets(&heard) { bounds.must.clone() } else { Flows::NONE },
        bounds,
        back: first.back,
        steps,
        end: None,
        handed_on: true,
    })
}

/// Stages as they let one flow through.
fn in_words(cx: Context<'_>, steps: &[Step], flows: &Flows) -> Vec<Step> {
    let forward = steps.iter().filter(|step| !step.replies && step.allow.may.meets(flows));
    forward
        .map(|step| {
            let hop = path_text::hop(cx, step, &step.allow.may.and(flows));
            Step {
                note: StepKind::Text(StepText {
                    resource: hop.resource,
                    name: hop.name,
                    because: hop.because,
                    code: Code::Listener,
                    why: String::new(),
                    lift: String::new(),
                }),
                allow: Bounds::all(),
                gap: None,
                replies: false,
            }
        })
        .collect()
}

impl Client<'_> {
    fn address(&self, family: Family) -> Option<IpAddr> {
        let address = match self {
            Self::Interface(packet_end) => packet_end.own.address,
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
