//! To what a load balancer sends: the registered targets behind its listeners.

use std::net::IpAddr;

use crate::inventory::{Call, Direction, Listener, LoadBalancer, LoadBalancerKind, Target, TargetGroup};
use crate::net::{Flow, Ports, ranges};
use crate::reach::code::Code;
use crate::reach::compare::change::Change;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::filters;
use crate::reach::trace::hop::load_balancer::listener;
use crate::reach::trace::hop::load_balancer::zones::{self, Zones};
use crate::reach::trace::steps::{self, StepKind, StepText, Trace};

/// What a listener sends to one target, or may: one transport at one port.
#[derive(Debug, Clone)]
pub(super) struct Sent<'a> {
    /// None where the listeners were not read.
    pub(super) listener: Option<&'a Listener>,
    /// None where the target group was not described.
    pub(super) group: Option<&'a TargetGroup>,
    /// None where the targets were not read: then anything in the VPC may be one.
    pub(super) target: Option<&'a Target>,
    /// What the client sends to the listener.
    pub(super) heard: Flows,
    /// What the balancer sends to the target.
    pub(super) flows: Flows,
    /// The call that would tell what is not known of it.
    pub(super) lacking: Option<Call>,
}

impl<'a> Sent<'a> {
    /// Whether it is, or may be, sent to an address of an interface.
    pub(super) fn is_for(
        &self,
        cx: Context<'_>,
        balancer: &LoadBalancer,
        to: InterfaceIx,
        own: IpAddr,
    ) -> bool {
        let node = cx.network.interfaces.at(to);
        match self.target {
            Some(target) => is_target(cx, self.group, target, to, own),
            None => {
                let vpc = self.group.map_or(balancer.vpc.as_ref(), |group| group.vpc.as_ref());
                node.balancer.is_none() && vpc == Some(&cx.network.vpcs.at(node.vpc).id)
            }
        }
    }
}

/// All that a load balancer sends, or may.
pub(super) fn sent<'a>(cx: Context<'a>, balancer: &'a LoadBalancer) -> Vec<Sent<'a>> {
    let mut all = Vec::new();
    let anything = || Flows::from_iter([Flow::Tcp(Ports::ALL), Flow::Udp(Ports::ALL)]);
    let Some(listeners) = &balancer.listeners else {
        return vec![Sent {
            listener: None,
            group: None,
            target: None,
            heard: anything(),
            flows: anything(),
            lacking: Some(Call::Listeners),
        }];
    };
    for listener in listeners {
        let (listener, heard) = (Some(listener), listener::transports(listener));
        for arn in listener.iter().flat_map(|listener| &listener.target_groups) {
            let Some(group) = cx.inventory.target_groups.get(arn) else {
                let lacking = Some(Call::TargetGroups);
                for heard in &heard {
                    let (heard, flows) = (heard.clone(), anything().and(&of_transport(heard)));
                    all.push(Sent { listener, group: None, target: None, heard, flows, lacking });
                }
                continue;
            };
            let targets: Vec<Option<&Target>> = match &group.targets {
                Some(targets) => targets.iter().map(Some).collect(),
                None => vec![None],
            };
            for target in targets {
                let port = listener.and_then(|listener| listener.instance_port);
                let port = port.or(target.and_then(|target| target.port)).or(group.port);
                // A function has no port: it is invoked by the Lambda service.
                let Some(port) = port.filter(|_| group.kind != "lambda") else { continue };
                for flows in listener::spoken(&group.protocol, port) {
                    let Some(heard) = heard.iter().find(|heard| of_transport(heard).meets(&flows)) else {
                        continue;
                    };
                    let lacking = target.is_none().then_some(Call::TargetHealth);
                    let (group, heard) = (Some(group), heard.clone());
                    all.push(Sent { listener, group, target, heard, flows, lacking });
                }
            }
        }
    }
    all
}

/// Every port of a transport that a flow has.
fn of_transport(flows: &Flows) -> Flows {
    let tcp = Flows::from(Flow::Tcp(Ports::ALL));
    if tcp.meets(flows) { tcp } else { Flow::Udp(Ports::ALL).into() }
}

/// Whether a target is an address of an interface. An instance is its first address: "traffic is routed to instances
/// using the primary private IP address" (network load balancer guide, Request routing and IP addresses).
fn is_target(
    cx: Context<'_>,
    group: Option<&TargetGroup>,
    target: &Target,
    to: InterfaceIx,
    own: IpAddr,
) -> bool {
    let node = cx.network.interfaces.at(to);
    let vpc = &cx.network.vpcs.at(node.vpc).id;
    if let Ok(address) = target.id.parse::<IpAddr>() {
        // Another VPC may have the same address, and one that is peered is reached by it.
        let here = group.and_then(|group| group.vpc.as_ref()).is_none_or(|home| home == vpc);
        return address == own && (here || !group_vpc_has(cx, group, address));
    }
    if node.balancer.as_deref() == Some(target.id.as_str()) {
        return true;
    }
    let first = node.addresses.iter().find(|it| ranges::family(it.address) == ranges::family(own));
    let owned = node.owner.as_ref().is_some_and(|owner| owner.resource.id() == target.id);
    owned && first.is_some_and(|first| first.address == own)
}

fn group_vpc_has(cx: Context<'_>, group: Option<&TargetGroup>, address: IpAddr) -> bool {
    let vpc = group.and_then(|group| group.vpc.as_ref()).and_then(|vpc| cx.network.vpc_of.get(vpc));
    vpc.is_some_and(|vpc| cx.network.vpcs.at(*vpc).contains(address))
}

/// Meets what a load balancer sends to, if the sender is a node of one: only its targets, at their ports.
pub(crate) fn dispatch(
    cx: Context<'_>,
    trace: &mut Trace,
    from: InterfaceIx,
    to: InterfaceIx,
    address: IpAddr,
) {
    let Some(balancer) = super::of(cx, from) else { return };
    let all = sent(cx, balancer);
    let some: Vec<&Sent<'_>> = all.iter().filter(|sent| sent.is_for(cx, balancer, to, address)).collect();
    let targets = all.iter().any(|sent| sent.target.is_some());
    send(cx, trace, balancer, from, to, address, &some, targets);
}

/// Meets what a load balancer sends to one of its targets.
#[expect(clippy::too_many_arguments, reason = "both ends, and what is sent between them")]
pub(super) fn send(
    cx: Context<'_>,
    trace: &mut Trace,
    balancer: &LoadBalancer,
    from: InterfaceIx,
    to: InterfaceIx,
    address: IpAddr,
    sent: &[&Sent<'_>],
    has_targets: bool,
) {
    let text = Text { balancer };
    let vpc = cx.network.interfaces.at(to).vpc;
    let (kept, leaving): (Vec<&Sent<'_>>, Vec<&Sent<'_>>) =
        sent.iter().copied().partition(|sent| sent.target.is_none_or(|target| leaves(target).is_none()));
    let flows = |some: &[&Sent<'_>]| some.iter().fold(Flows::NONE, |sum, sent| sum.union(&sent.flows));
    let (known, guessed): (Vec<_>, Vec<_>) = kept.iter().copied().partition(|sent| sent.lacking.is_none());
    let registered = Bounds { must: flows(&known), may: flows(&kept) };
    let gap = guessed.iter().find_map(|sent| cx.gap(sent.lacking?, vpc));
    trace.meet(registered.clone(), gap, || text.registered(&registered, &kept, &leaving, has_targets));
    let mut allowed = Bounds::none();
    let mut refused: Vec<(Zones, Flows, Option<&TargetGroup>)> = Vec::new();
    for sent in &kept {
        let zones = zones::ask(cx, balancer, sent.group, sent.target, from, to);
        match zones {
            Zones::Allow => allowed = allowed.union(&Bounds::exact(sent.flows.clone())),
            Zones::Unknown => allowed.may = allowed.may.union(&sent.flows),
            Zones::NotEnabled { .. } | Zones::NotAcross { .. } => {
                refused.push((zones, sent.flows.clone(), sent.group));
            }
        }
    }
    for (zones, flows, group) in refused {
        let stopped = flows.minus(&allowed.may);
        if !stopped.is_empty() {
            trace.meet(Bounds::exact(Flows::all().minus(&stopped)), None, || text.zones(&zones));
            trace.fix(|| text.changes(cx, &zones, group, to));
        }
    }
    let doubted = allowed.may.minus(&allowed.must);
    if !doubted.is_empty() {
        let allow = Bounds { must: Flows::all().minus(&doubted), may: Flows::all() };
        let calls = [Call::TargetGroupAttributes, Call::LoadBalancerAttributes];
        let gap = calls.into_iter().find_map(|call| cx.gap(call, vpc));
        trace.meet(allow, gap, || text.unknown_zones());
    }
    let (near, far) = (cx.network.interfaces.at(from).subnet, cx.network.interfaces.at(to).subnet);
    // "Classic Load Balancers apply network ACLs to outbound traffic, even if it's destined for a target in the same
    // subnet as the load balancer" (Reachability Analyzer, explanation codes, ELB_ACL_RESTRICTION).
    if balancer.kind == LoadBalancerKind::Classic && near == far {
        filters::network_acl(cx, trace, near, Direction::Out, address);
    }
}

/// Why a target gets no new connection: it is being deregistered, or it is not registered.
///
/// Source: API, TargetHealth.
fn leaves(target: &Target) -> Option<&'static str> {
    match (target.health.as_deref(), target.reason.as_deref()) {
        (Some("draining"), _) => Some("the target is draining: it is being deregistered"),
        (Some("unused"), Some("Target.NotRegistered")) => Some("the target is not registered"),
        _ => None,
    }
}

/// What the steps of a load balancer say.
struct Text<'a> {
    balancer: &'a LoadBalancer,
}

impl Text<'_> {
    fn blocked(&self, code: Code, why: impl Into<String>, advice: impl Into<String>) -> StepText {
        StepText::blocked(self.balancer.resource(), code, why, advice)
    }

    fn registered(
        &self,
        registered: &Bounds,
        kept: &[&Sent<'_>],
        leaving: &[&Sent<'_>],
        has_targets: bool,
    ) -> StepKind {
        let words = registered.may.to_string();
        let health = kept.iter().find_map(|sent| health_words(sent.target?)).unwrap_or_default();
        let because = format!("it sends {words} to this target{health}");
        let unread = kept.iter().find_map(|sent| sent.lacking);
        let text = if let Some(call) = unread.filter(|_| registered.must.is_empty()) {
            let what = match call {
                Call::Listeners => "its listeners were",
                Call::TargetGroups => "a target group of it was",
                _ => "its targets were",
            };
            self.blocked(Code::NotATarget, format!("{what} not read"), steps::collect(call))
        } else if !registered.may.is_empty() {
            let why = format!("it sends this target only {words}");
            self.blocked(Code::TargetPort, why, "register the target at that port")
        } else if let Some(why) = leaving.iter().find_map(|sent| leaves(sent.target?)) {
            self.blocked(Code::NotATarget, why, "register the target again")
        } else if has_targets {
            let advice = "register it with a target group of one of the listeners";
            self.blocked(Code::NotATarget, "this is not a target of it", advice)
        } else {
            let advice = "register targets with the target groups of its listeners";
            self.blocked(Code::ListenerNoTargets, "no listener of it has a target", advice)
        };
        StepKind::Text(text.because(because))
    }

    fn zones(&self, zones: &Zones) -> StepKind {
        StepKind::Text(match zones {
            Zones::NotEnabled { zone } => self.blocked(
                Code::ZoneNotEnabled,
                format!("the target is in {zone}, which is not enabled for the load balancer"),
                format!("enable {zone} for the load balancer"),
            ),
            Zones::NotAcross { node, target } => self.blocked(
                Code::NotCrossZone,
                format!(
                    "its node is in {node} and the target in {target}, and cross-zone load balancing is off"
                ),
                "turn cross-zone load balancing on, or register a target in the zone of the node",
            ),
            Zones::Allow | Zones::Unknown => return self.unknown_zones(),
        })
    }

    /// The changes by which zones would allow it.
    fn changes(
        &self,
        cx: Context<'_>,
        zones: &Zones,
        group: Option<&TargetGroup>,
        to: InterfaceIx,
    ) -> Vec<Change> {
        let subnet = cx.network.subnets.at(cx.network.interfaces.at(to).subnet).id.clone();
        match (zones, group) {
            (Zones::NotEnabled { .. }, _) if cx.inventory.subnets.contains_key(&subnet) => {
                vec![Change::EnableZone { balancer: self.balancer.arn.clone(), subnet }]
            }
            (Zones::NotAcross { .. }, Some(group)) => {
                vec![Change::EnableCrossZone { target_group: group.arn.clone() }]
            }
            _ => Vec::new(),
        }
    }

    fn unknown_zones(&self) -> StepKind {
        let unread = "whether it sends across Availability Zones was not read";
        let advice = "allow elasticloadbalancing:DescribeLoadBalancerAttributes and elasticloadbalancing:DescribeTargetGroupAttributes, and collect the inventory again";
        StepKind::Text(self.blocked(Code::NotCrossZone, unread, advice).because(unread))
    }
}

/// What a reader should know of a target that is registered and does not answer its health checks.
///
/// "If a target group contains only unhealthy registered targets, the load balancer routes requests to all those targets"
/// (application load balancer guide, Target group health; the network load balancer's guide says the same of zones).
fn health_words(target: &Target) -> Option<String> {
    match target.health.as_deref()? {
        "unhealthy" => {
            Some(", which is unhealthy: it gets requests only while no target of the group is healthy".into())
        }
        "initial" => Some(" (its first health checks are not finished)".into()),
        "unused" => match target.reason.as_deref() {
            Some("Target.InvalidState") => Some(", which is stopped".into()),
            _ => Some(", which was reported as unused".into()),
        },
        _ => None,
    }
}
