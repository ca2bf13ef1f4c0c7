//! Floods of the house, without sockets.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const LIMITS: Limits = Limits {
    connections: 100,
    per_network: 40,
    arriving: 75,
    arriving_per_network: 20,
    proxies: 75,
    leaving: usize::MAX,
};

fn network(text: &str) -> Network {
    Network::of(text.parse().expect("an address"))
}

fn attacker(number: u32) -> Network {
    Network::of(Ipv4Addr::from_bits(0x0a00_0000 + number * 0x0001_0003).into())
}

/// Lets in so many of each of `networks` attackers in turn, in a phase, and keeps the tickets.
fn flood(house: &Arc<Admission>, networks: u32, each: u32, phase: Phase) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    for _ in 0..each {
        for number in 0..networks {
            if let Ok(ticket) = house.admit(attacker(number)) {
                ticket.seat().turn(phase);
                tickets.push(ticket);
            }
        }
    }
    tickets
}

fn gave_way(ticket: &Ticket) -> bool {
    !ticket.house.lock().seats.contains_key(&ticket.id)
}

#[test]
fn an_address_is_counted_with_those_that_whoever_has_it_has_as_well() {
    assert_eq!(network("203.0.113.7"), network("::ffff:203.0.113.7"));
    assert_ne!(network("203.0.113.7"), network("203.0.113.8"));
    assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::1"));
    assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    let around = |text: &str, width| Crowd::around(network(text), width);
    for (one, site, provider) in [
        ("2001:db8:1:2::1", "2001:db8:1:ffff::1", "2001:db8:ffff::1"),
        ("203.0.113.7", "203.0.113.250", "203.0.250.7"),
    ] {
        assert_eq!(around(one, Width::Site), around(site, Width::Site));
        assert_ne!(around(one, Width::Site), around(provider, Width::Site));
        assert_eq!(around(one, Width::Provider), around(provider, Width::Provider));
    }
}

#[test]
fn nobody_has_more_than_the_limits_say() {
    for (networks, phase, most) in [
        (1, Phase::Arriving, 20),
        (1, Phase::Idle, 40),
        (1, Phase::Answering, 40),
        (50, Phase::Arriving, 75),
        (50, Phase::Receiving, 100),
        (50, Phase::Answering, 100),
    ] {
        let house = Admission::new(LIMITS);
        let tickets = flood(&house, networks, 400, phase);
        let state = house.lock();
        assert_eq!(state.seats.len(), most, "{networks} {phase:?}");
        assert_eq!(state.all.len(), state.seats.len());
        drop(state);
        drop(tickets);
        let state = house.lock();
        assert_eq!((state.seats.len(), state.leaving, state.crowds.len()), (0, 0, 0));
        assert_eq!((state.all.len(), state.arriving.len()), (0, 0));
    }
}

#[test]
fn a_stranger_gets_in_and_stays_whatever_floods() {
    for networks in [1, 2, 50, 90] {
        for phase in [Phase::Arriving, Phase::Idle, Phase::Receiving, Phase::Sending] {
            let house = Admission::new(LIMITS);
            let mut tickets = flood(&house, networks, 200 / networks + 1, phase);
            let person = house.admit(network("198.51.100.7")).expect("a seat");
            // It may be slow to begin: so many arrive meanwhile of each, where that is not more than may arrive at all.
            tickets.extend(flood(&house, networks, if networks > 60 { 0 } else { 30 }, phase));
            assert!(!gave_way(&person), "{networks} {phase:?}");
            person.seat().turn(Phase::Answering);
            tickets.extend(flood(&house, networks, 60, phase));
            assert!(!gave_way(&person), "{networks} {phase:?}");
        }
    }
}

#[test]
fn who_is_at_work_is_interrupted_only_for_those_who_have_much_less() {
    let house = Admission::new(LIMITS);
    let _tickets = flood(&house, 4, 100, Phase::Answering);
    assert_eq!(house.open(), 100);
    assert!(house.admit(network("198.51.100.7")).is_ok());
    let house = Admission::new(LIMITS);
    let _tickets = flood(&house, 50, 100, Phase::Answering);
    assert_eq!(house.admit(network("198.51.100.7")).err(), Some(NotNow::Full));
}

#[test]
fn where_all_hold_little_the_wider_network_that_holds_the_most_gives_way() {
    let house = Admission::new(LIMITS);
    let crowd: Vec<Ticket> = (0..200_u128)
        .filter_map(|number| {
            let address = Ipv6Addr::from_bits(0x2001_0db8_0666_u128 << 80 | number << 64);
            let ticket = house.admit(Network::of(address.into())).ok()?;
            ticket.seat().turn(Phase::Idle);
            Some(ticket)
        })
        .collect();
    let people: Vec<Ticket> = (0..30).map(|number| house.admit(attacker(number)).expect("a seat")).collect();
    assert!(people.iter().all(|person| !gave_way(person)));
    assert_eq!(crowd.iter().filter(|one| !gave_way(one)).count(), 70);
}

/// A /64 of an attacker who has a /32: most of its /48 hold one connection.
fn scattered(number: u128) -> Network {
    let site = number.wrapping_mul(0x9e37) & 0xffff;
    Network::of(Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | site << 80 | number << 64).into())
}

#[test]
fn a_browser_that_opens_some_at_once_outlasts_a_flood_of_single_connections() {
    for person in ["198.51.100.7", "2001:470:1:2::7"] {
        for stays in [Phase::Arriving, Phase::Idle] {
            let house = Admission::new(LIMITS);
            let mut tickets = Vec::new();
            let mut arrive = |numbers: std::ops::Range<u128>| {
                for number in numbers {
                    let ticket = house.admit(scattered(number)).expect("a seat");
                    ticket.seat().turn(stays);
                    tickets.push(ticket);
                }
            };
            arrive(0..200);
            let browser: Vec<Ticket> =
                (0..6).map(|_| house.admit(network(person)).expect("a seat")).collect();
            // During its handshakes.
            arrive(200..1000);
            assert!(browser.iter().all(|ticket| !gave_way(ticket)), "{person} {stays:?}");
            browser.iter().for_each(|ticket| ticket.seat().turn(Phase::Idle));
            arrive(1000..2000);
            assert!(browser.iter().all(|ticket| !gave_way(ticket)), "{person} {stays:?}");
        }
    }
}

#[test]
fn in_a_crowd_who_has_waited_for_the_longest_gives_way() {
    let house = Admission::new(LIMITS);
    let mut tickets: Vec<Ticket> =
        (0..200).map(|number| house.admit(scattered(number)).expect("a seat")).collect();
    // A neighbour of the attacker: the same provider.
    let neighbour: Vec<Ticket> =
        (0..6).map(|_| house.admit(network("2001:db8:abcd:1::7")).expect("a seat")).collect();
    tickets.extend((200..260).map(|number| house.admit(scattered(number)).expect("a seat")));
    assert!(neighbour.iter().all(|ticket| !gave_way(ticket)));
}

#[test]
fn proxies_that_are_named_give_way_to_no_stranger_and_leave_room() {
    let house = Admission::new(LIMITS);
    let proxy = Network::of_proxy("10.0.0.9".parse().expect("an address"));
    let theirs: Vec<Ticket> = (0..50).map(|_| house.admit(proxy).expect("a seat")).collect();
    theirs.iter().for_each(|ticket| ticket.seat().turn(Phase::Idle));
    let flooding = flood(&house, 50, 50, Phase::Idle);
    assert!(theirs.iter().all(|ticket| !gave_way(ticket)));
    let more: Vec<Ticket> = (0..40)
        .map(|_| {
            let ticket = house.admit(proxy).expect("a seat");
            ticket.seat().turn(Phase::Answering);
            ticket
        })
        .collect();
    assert!(more.iter().all(|ticket| !gave_way(ticket)), "its own idle ones gave way");
    assert_eq!(theirs.iter().filter(|ticket| !gave_way(ticket)).count(), 35);
    assert_eq!(flooding.iter().filter(|ticket| !gave_way(ticket)).count(), 25);
    assert!(house.admit(network("198.51.100.7")).is_ok());
}

#[test]
fn a_client_that_a_proxy_names_is_counted_for_its_own_network() {
    let house = Admission::new(LIMITS);
    let proxy = Network::of_proxy("10.0.0.9".parse().expect("an address"));
    let tickets: Vec<Ticket> = (0..60)
        .map(|_| {
            let mut ticket = house.admit(proxy).expect("a seat");
            assert!(ticket.belongs_to(network("203.0.113.7")));
            ticket.seat().turn(Phase::Idle);
            ticket
        })
        .collect();
    assert_eq!(house.lock().proxies, 0);
    assert_eq!(tickets.iter().filter(|ticket| !gave_way(ticket)).count(), 40);
}

#[test]
fn a_descriptor_that_is_still_being_closed_counts() {
    let house = Admission::new(Limits { leaving: 3, ..LIMITS });
    let tickets = flood(&house, 1, 23, Phase::Arriving);
    assert_eq!(house.open(), 23);
    assert_eq!(house.admit(network("198.51.100.7")).err(), Some(NotNow::InAMoment));
    drop(tickets);
    assert!(house.admit(network("198.51.100.7")).is_ok());
    assert_eq!(house.taken(), (0, 3));
}
