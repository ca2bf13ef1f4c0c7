//! Rules that overlap, cut into flows that fare alike, each with the exact union of its addresses.

use std::collections::BTreeMap;

use super::addresses::Addresses;
use crate::net::{Cidr, Family};
use crate::reach::Flows;

/// For every flow of a family that some rule admits: whom all rules together admit on it.
///
/// Flows that the same addresses are admitted on are one; they are in the order of the flows.
pub(super) fn by_flow(family: Family, rules: &[(Flows, Vec<Cidr>)]) -> Vec<(Flows, Addresses)> {
    let mut atoms: Vec<(Flows, Vec<Cidr>)> = Vec::new();
    for (flows, cidrs) in rules {
        let own: Vec<Cidr> = cidrs.iter().copied().filter(|cidr| cidr.family() == family).collect();
        if own.is_empty() {
            continue;
        }
        let mut rest = flows.and(&Flows::of_family(family));
        let mut cut = Vec::with_capacity(atoms.len() + 2);
        for (atom, admitted) in atoms {
            let both = atom.and(&rest);
            let only = atom.minus(&both);
            if !only.is_empty() {
                cut.push((only, admitted.clone()));
            }
            if !both.is_empty() {
                rest = rest.minus(&both);
                cut.push((both, admitted.into_iter().chain(own.iter().copied()).collect()));
            }
        }
        if !rest.is_empty() {
            cut.push((rest, own));
        }
        atoms = cut;
    }
    let mut alike: BTreeMap<Addresses, Flows> = BTreeMap::new();
    for (flows, cidrs) in atoms {
        let union = alike.entry(Addresses::of(family, cidrs)).or_default();
        *union = union.union(&flows);
    }
    let mut split: Vec<(Flows, Addresses)> = alike.into_iter().map(|(union, flows)| (flows, union)).collect();
    split.sort();
    split
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Flow;
    use proptest::prelude::*;

    fn check(rules: &[(&str, &str)], expected: &[(&str, &str)]) {
        let rules: Vec<(Flows, Vec<Cidr>)> = rules
            .iter()
            .map(|(flow, cidr)| {
                let flow: Flow = flow.parse().expect("a flow");
                (Flows::from(flow), vec![cidr.parse().expect("a prefix")])
            })
            .collect();
        let split: Vec<(String, String)> = by_flow(Family::V4, &rules)
            .iter()
            .map(|(flows, union)| (flows.to_string(), union.to_string()))
            .collect();
        let split: Vec<(&str, &str)> =
            split.iter().map(|(flows, union)| (flows.as_str(), union.as_str())).collect();
        assert_eq!(split, expected);
    }

    #[test]
    fn halves_on_overlapping_ports_meet_where_they_overlap() {
        check(
            &[("tcp/5432", "0.0.0.0/1"), ("tcp/5000-6000", "128.0.0.0/1")],
            &[("tcp/5000-5431, tcp/5433-6000", "128.0.0.0/1"), ("tcp/5432", "everyone on IPv4")],
        );
    }

    #[test]
    fn what_the_same_people_may_is_one() {
        check(
            &[("tcp/80", "10.0.0.0/8"), ("tcp/443", "10.0.0.0/8"), ("tcp/81", "10.0.0.0/9")],
            &[("tcp/80, tcp/443", "10.0.0.0/8"), ("tcp/81", "10.0.0.0/9")],
        );
        check(&[], &[]);
    }

    proptest! {
        /// Against asking every rule for every port of a few and every address of a few.
        #[test]
        fn a_split_says_what_its_rules_say(
            picks in prop::collection::vec((0_u16..12, 0_u16..12, 0_u32..16, 28_u8..=32), 0..10),
        ) {
            let rules: Vec<(Flows, Vec<Cidr>)> = picks
                .iter()
                .map(|(a, b, at, bits)| {
                    let ports = crate::net::Ports::range(*a.min(b), *a.max(b)).expect("in order");
                    let cidr = Cidr::around(std::net::Ipv4Addr::from(*at).into(), *bits);
                    (Flows::from(Flow::Tcp(ports)), vec![cidr])
                })
                .collect();
            let split = by_flow(Family::V4, &rules);
            for port in 0..13 {
                let flow = Flows::from(Flow::Tcp(crate::net::Ports::one(port)));
                for at in 0..16_u32 {
                    let address = std::net::IpAddr::from(std::net::Ipv4Addr::from(at));
                    let holds = |flows: &Flows, cidrs: &[Cidr]| {
                        flows.covers(&flow) && cidrs.iter().any(|cidr| cidr.contains(address))
                    };
                    let naive = rules.iter().any(|(flows, cidrs)| holds(flows, cidrs));
                    let found = split.iter().filter(|(flows, union)| holds(flows, &union.cidrs())).count();
                    prop_assert_eq!(usize::from(naive), found);
                }
            }
        }
    }
}
