//! What a load balancer takes: its listeners, and the state that it is in.

use crate::inventory::{Call, Listener, LoadBalancer, LoadBalancerKind};
use crate::net::{Flow, Ports};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::steps::{self, StepKind, StepText, Trace};

/// Meets the listeners of a load balancer, if the interface is a node of one.
pub(crate) fn listen(cx: Context<'_>, trace: &mut Trace, index: InterfaceIx) {
    let Some(balancer) = super::of(cx, index) else { return };
    let code =
        if balancer.kind == LoadBalancerKind::Classic { Code::ClassicListener } else { Code::Listener };
    if let Some(state) = not_serving(balancer) {
        trace.block(|| {
            let why = format!("its state is {state}");
            let advice = "wait until it is active, or create it again";
            StepText::blocked(balancer.resource(), Code::BadState, why, advice)
        });
    }
    // "The Gateway Load Balancer endpoint … route traffic" (guide for Gateway Load Balancers, Getting started): what
    // addresses a node itself is not taken.
    if balancer.kind == LoadBalancerKind::Gateway {
        let why = "a Gateway Load Balancer takes packets only by its endpoints";
        let advice = "route by a Gateway Load Balancer endpoint";
        trace.block(|| StepText::blocked(balancer.resource(), code, why, advice));
        return;
    }
    let Some(listeners) = &balancer.listeners else {
        let gap = cx.gap(Call::Listeners, cx.network.interfaces.at(index).vpc);
        trace.unknown(gap, || {
            let (why, advice) = ("its listeners were not read", steps::collect(Call::Listeners));
            StepText::blocked(balancer.resource(), code, why, advice)
        });
        return;
    };
    let flows = listeners.iter().flat_map(transports).fold(Flows::NONE, |sum, flow| sum.union(&flow));
    let words =
        if listeners.is_empty() { "it has no listener".to_owned() } else { format!("it listens to {flows}") };
    trace.meet(Bounds::exact(flows), None, || {
        let advice = "add a listener, or ask for a port that it listens to";
        StepKind::Text(StepText::blocked(balancer.resource(), code, words.clone(), advice).because(words))
    });
}

/// The state of a load balancer that serves nobody yet, or no longer.
///
/// Source: network load balancer guide, "Load balancer state".
fn not_serving(balancer: &LoadBalancer) -> Option<&str> {
    balancer.state.as_deref().filter(|state| matches!(*state, "provisioning" | "failed"))
}

/// What a listener takes, a member for each transport.
pub(super) fn transports(listener: &Listener) -> Vec<Flows> {
    spoken(&listener.protocol, listener.port)
}

/// What a protocol of load balancers is on the wire, at a port; a member for each transport.
pub(super) fn spoken(protocol: &str, port: u16) -> Vec<Flows> {
    let ports = Ports::one(port);
    let (tcp, udp) = (Flows::from(Flow::Tcp(ports)), Flows::from(Flow::Udp(ports)));
    match protocol {
        "UDP" | "QUIC" | "GENEVE" => vec![udp],
        "TCP_UDP" | "TCP_QUIC" => vec![tcp, udp],
        _ => vec![tcp],
    }
}
