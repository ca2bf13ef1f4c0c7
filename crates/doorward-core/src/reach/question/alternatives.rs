//! Which steps block a question: of several paths, those of the path that lacks the least.

use crate::net::Family;
use crate::reach::flows::Flows;
use crate::reach::question::pairs::{PairGroup, PathEnd};
use crate::reach::trace::round_trip::RoundTrip;
use crate::reach::trace::steps::Step;

/// The steps that block some flows, each with what it blocks.
///
/// A receiver that is the target of a load balancer is reached straight, or through each node of the balancer. It is no
/// help to read what blocks every one of these paths, since one path is enough: of what a balancer sends to the receiver,
/// the path with the fewest blockers is told, and straight ones are told of the rest.
pub(super) fn blocking<'c>(case: &'c PairGroup<'_>, wanting: &Flows) -> Vec<(&'c Step, Flows)> {
    let of_balancers = |one: &&(Family, RoundTrip)| one.1.handed_on.is_some();
    let served = case.round_trips.iter().filter(of_balancers).fold(Flows::NONE, |sum, (_, round_trip)| {
        sum.union(round_trip.handed_on.as_ref().unwrap_or(&Flows::NONE))
    });
    let straight = |flows: &Flows| -> Vec<(&'c Step, Flows)> {
        let direct = case.round_trips.iter().filter(|one| !of_balancers(one));
        direct.flat_map(|(family, round_trip)| stopping(*family, round_trip, flows)).collect()
    };
    let mut blocking = straight(&wanting.minus(&served));
    let shared = wanting.and(&served);
    if shared.is_empty() {
        return blocking;
    }
    let mut paths = vec![straight(&shared)];
    for (family, round_trip) in case.round_trips.iter().filter(of_balancers) {
        if round_trip.handed_on.as_ref().is_some_and(|sent| sent.meets(&shared)) {
            paths.push(stopping(*family, round_trip, &shared));
        }
    }
    // From outside a balancer is what people reach a target by; from inside it is as likely that they do not mean it.
    if matches!(case.tips.0, PathEnd::Outside(_)) {
        paths.rotate_left(1);
    }
    blocking.extend(paths.into_iter().min_by_key(Vec::len).into_iter().flatten());
    blocking
}

/// The steps of one path that stop some flows, or replies to them.
fn stopping<'c>(family: Family, round_trip: &'c RoundTrip, flows: &Flows) -> Vec<(&'c Step, Flows)> {
    let wanted = flows.and(&Flows::of_family(family));
    let stopped = round_trip.steps.iter().map(|step| {
        let allowed = if step.replies { step.allow.may.requests().1 } else { step.allow.may.clone() };
        (step, step.about.as_ref().unwrap_or(&wanted).minus(&allowed))
    });
    stopped.filter(|(_, stopped)| !stopped.is_empty()).collect()
}
