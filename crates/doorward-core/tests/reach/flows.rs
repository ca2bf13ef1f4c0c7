//! Sets of flows against plain sets of points.

use std::collections::BTreeSet;

use doorward_core::net::{Family, Flow, Icmp, Ports};
use doorward_core::reach::Flows;
use proptest::prelude::*;
use proptest::sample::select;

use crate::naive::Packet;

/// Points that tell every two of the drawn sets apart: both sides of every edge that is ever drawn.
fn points() -> Vec<Packet> {
    let mut points = Vec::new();
    for port in edges() {
        points.extend([Packet::Tcp(port), Packet::Udp(port)]);
    }
    for kind in [0, 1, 7, 8, 9, 127, 128, 129, 254, 255] {
        for code in [0, 1, 2, 254, 255] {
            points.extend([Packet::Icmp(kind, code), Packet::Icmpv6(kind, code)]);
        }
    }
    points.extend((0..=255).filter(|number| ![1, 6, 17, 58].contains(number)).map(Packet::Other));
    points
}

const EDGES: [u16; 9] = [0, 1, 22, 80, 443, 1024, 32768, 65534, 65535];

fn edges() -> BTreeSet<u16> {
    EDGES.iter().flat_map(|&port| [port.saturating_sub(1), port, port.saturating_add(1)]).collect()
}

fn holds(flow: Flow, point: Packet) -> bool {
    let icmp = |icmp: Icmp, kind: u8, code: u8| match icmp {
        Icmp::All => true,
        Icmp::Type(only) => only == kind,
        Icmp::Code(only, of) => (only, of) == (kind, code),
    };
    match (flow, point) {
        (Flow::All, _) => true,
        (Flow::Tcp(ports), Packet::Tcp(port)) | (Flow::Udp(ports), Packet::Udp(port)) => ports.contains(port),
        (Flow::Icmp(which), Packet::Icmp(kind, code)) => icmp(which, kind, code),
        (Flow::Icmpv6(which), Packet::Icmpv6(kind, code)) => icmp(which, kind, code),
        (Flow::Protocol(number), Packet::Other(other)) => number == other,
        _ => false,
    }
}

fn flow() -> impl Strategy<Value = Flow> {
    let ports = || {
        (select(EDGES.to_vec()), select(EDGES.to_vec()))
            .prop_map(|(a, b)| Ports::range(a.min(b), a.max(b)).expect("in order"))
    };
    let icmp = || {
        let (kinds, codes) = (select(vec![0_u8, 8, 128, 255]), select(vec![0_u8, 1, 255]));
        prop_oneof![
            1 => Just(Icmp::All),
            3 => kinds.clone().prop_map(Icmp::Type),
            3 => (kinds, codes).prop_map(|(kind, code)| Icmp::Code(kind, code)),
        ]
    };
    prop_oneof![
        6 => ports().prop_map(Flow::Tcp),
        4 => ports().prop_map(Flow::Udp),
        3 => icmp().prop_map(Flow::Icmp),
        3 => icmp().prop_map(Flow::Icmpv6),
        3 => select(vec![0_u8, 2, 47, 50, 255]).prop_map(Flow::Protocol),
        1 => Just(Flow::All),
    ]
}

/// Flows put together and taken away, and the points that this leaves.
fn sets() -> impl Strategy<Value = (Flows, BTreeSet<Packet>)> {
    prop::collection::vec((any::<bool>(), flow()), 0..6).prop_map(|steps| {
        let mut set = Flows::NONE;
        let mut left = BTreeSet::new();
        for (add, flow) in steps {
            let of = points().into_iter().filter(|&point| holds(flow, point));
            if add {
                set = set.union(&flow.into());
                left.extend(of);
            } else {
                set = set.minus(&flow.into());
                of.for_each(|point| {
                    left.remove(&point);
                });
            }
        }
        (set, left)
    })
}

fn points_in(set: &Flows) -> BTreeSet<Packet> {
    points().into_iter().filter(|point| set.covers(&point.flow().into())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Cut to a family as answers are, it is still the one value that it can be.
    #[test]
    fn a_set_cut_to_a_family_is_one_value((set, _) in sets()) {
        for family in [Family::V4, Family::V6] {
            let cut = set.and(&Flows::of_family(family));
            prop_assert_eq!(&cut, &Flows::NONE.union(&cut).minus(&Flows::NONE));
            let again = cut.list().into_iter().filter(|flow| *flow != Flow::All).collect::<Flows>();
            prop_assert!(cut.is_all() || again == cut, "{}", cut);
        }
    }

    #[test]
    fn a_set_holds_its_points((set, left) in sets()) {
        prop_assert_eq!(points_in(&set), left);
    }

    #[test]
    fn combining_sets_combines_points((a, left) in sets(), (b, right) in sets()) {
        prop_assert_eq!(points_in(&a.union(&b)), &left | &right);
        prop_assert_eq!(points_in(&a.and(&b)), &left & &right);
        prop_assert_eq!(points_in(&a.minus(&b)), &left - &right);
        prop_assert_eq!(a.covers(&b), right.is_subset(&left));
        prop_assert_eq!(a.meets(&b), !left.is_disjoint(&right));
        prop_assert_eq!(a.is_empty(), left.is_empty());
    }

    /// Whatever way led to it, one set is one value.
    #[test]
    fn equal_sets_are_equal_values((a, _) in sets(), (b, _) in sets()) {
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.and(&b), b.and(&a));
        prop_assert_eq!(a.union(&b).minus(&b).union(&a.and(&b)), a.clone());
        prop_assert_eq!(a.minus(&a.minus(&b)), a.and(&b));
        prop_assert_eq!(a.covers(&b) && b.covers(&a), a == b);
    }

    /// What it is written as gives it back, sorted and in words that do not meet.
    #[test]
    fn a_list_gives_the_set_back((set, _) in sets()) {
        let list = set.list();
        // `all` is said of one family too, where nothing else is meant.
        prop_assume!(!list.contains(&Flow::All));
        let back: Flows =
            list.iter().map(|flow| flow.to_string().parse::<Flow>().expect("a flow")).collect();
        prop_assert_eq!(&back, &set);
        let mut before = Flows::NONE;
        for &flow in &list {
            prop_assert!(!before.meets(&flow.into()), "{} twice", flow);
            before = before.union(&flow.into());
        }
        let places: Vec<Flows> = list.iter().map(|&flow| flow.into()).collect();
        prop_assert!(places.is_sorted());
    }
}

#[test]
fn all_is_both_families_and_a_family_lacks_the_other_icmp() {
    let of = |family| points_in(&Flows::of_family(family));
    let every: BTreeSet<Packet> = points().into_iter().collect();
    let icmp = |point: &Packet| matches!(point, Packet::Icmp(..));
    let icmpv6 = |point: &Packet| matches!(point, Packet::Icmpv6(..));
    assert_eq!(points_in(&Flows::all()), every);
    assert_eq!(of(Family::V4), every.iter().copied().filter(|point| !icmpv6(point)).collect());
    assert_eq!(of(Family::V6), every.iter().copied().filter(|point| !icmp(point)).collect());
    assert_eq!(Flows::all(), Flows::of_family(Family::V4).union(&Flows::of_family(Family::V6)));
    assert_eq!(Flows::all(), Flow::All.into());
    for (family, other) in
        [(Family::V4, Icmp::All.flow(Family::V6)), (Family::V6, Icmp::All.flow(Family::V4))]
    {
        // The same value, not only the same points, whatever way led to it.
        assert_eq!(Flows::of_family(family), Flows::all().minus(&other.into()), "{family}");
    }
    for set in [Flows::all(), Flows::of_family(Family::V4), Flows::of_family(Family::V6)] {
        assert_eq!(set.list(), [Flow::All]);
    }
    assert!(Flows::NONE.list().is_empty());
}

#[test]
fn a_protocol_by_its_number_is_the_named_one() {
    for (number, named) in [(1, "icmp"), (6, "tcp/0-65535"), (17, "udp/0-65535"), (58, "icmpv6")] {
        let named: Flow = named.parse().expect("a flow");
        assert_eq!(Flows::from(Flow::Protocol(number)), named.into(), "{number}");
    }
}
