//! The constructs of AWS that a packet passes through, a file for each.
//!
//! To add a hop:
//!
//! 1. Add its resource to the inventory (`inventory/`), its calls to `inventory::Call`, and a `RouteTarget` where routes
//!    can name it.
//! 2. Add a file here. `egress` takes a packet that a route hands to it, `ingress` one that comes in by it from outside,
//!    `reply` the answer to what went out by it; each has what it needs of the three. Each records a step for whatever
//!    it decides: `trace.pass`, `trace.block` with the explanation code and the fix, or `trace.unknown` with the gap.
//!    The file has the texts of its steps.
//! 3. Call `egress` in the match of `Tracer::follow` (`trace/mod.rs`), `ingress` in `trace/round_trip.rs`, and `reply` in
//!    `trace/replies.rs`.
//! 4. Write its rules and the page of AWS's that states them into `SEMANTICS.md`, teach them to the naive engine
//!    (`testing/reach-model`), and add cases written by hand (`tests/reach/by_hand`).

pub(crate) mod appliance;
pub(crate) mod block_public_access;
pub(crate) mod egress_only_gateway;
pub(crate) mod gateway_route_table;
pub(crate) mod internet_gateway;
pub(crate) mod load_balancer;
pub(crate) mod local_service;
pub(crate) mod nat_gateway;
pub(crate) mod other_gateway;
pub(crate) mod transit_gateway;
pub(crate) mod vpc_endpoint;
pub(crate) mod vpc_peering;
pub(crate) mod vpn_connection;
pub(crate) mod vpn_gateway;

use crate::inventory::{Call, ResourceRef};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::table::VpcIx;
use crate::reach::trace::steps::{self, StepText, Trace};

/// Meets a gateway that has to be attached to the VPC. `there` is none where it was not described.
pub(crate) fn attached(
    cx: Context<'_>,
    trace: &mut Trace,
    vpc: VpcIx,
    call: Call,
    gateway: &ResourceRef,
    there: Option<bool>,
) -> bool {
    let node = cx.network.vpcs.at(vpc);
    let because = || format!("attached to {}", node.id);
    let blocked = |why: &str, advice: String| {
        StepText::blocked(gateway.clone(), Code::BadStateAttachment, why, advice).because(because())
    };
    match (there, cx.gap(call, vpc)) {
        (Some(true), _) => {
            trace.pass(|| StepText::allowed(gateway.clone(), because()));
            true
        }
        (Some(false), _) => {
            trace.block(|| {
                blocked("it is not attached to the VPC", format!("attach {gateway} to {}", node.id))
            });
            false
        }
        (None, Some(gap)) => {
            trace.unknown(Some(gap), || blocked("it was not seen", steps::collect(call)));
            true
        }
        (None, None) => {
            trace.block(|| blocked("it is not there", "point the route at an existing gateway".into()));
            false
        }
    }
}

/// The fix of a state that carries nothing, as EC2 writes it: with and without hyphens and capital letters.
pub(crate) fn fix_of_state(state: &str) -> String {
    let plain: String = state.chars().filter(char::is_ascii_alphabetic).collect();
    match plain.to_ascii_lowercase().as_str() {
        "pendingacceptance" => "accept it",
        "pending" | "provisioning" | "initiatingrequest" | "modifying" => "wait until it is available",
        _ => "create another: this one will not forward packets again",
    }
    .to_owned()
}
