//! Guessing is slowed down whoever guesses, and nobody is locked out: with time that a test lets pass.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::turns::TURN;
use super::*;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Addresses far apart, so that each is a network, a neighbourhood and a provider of its own.
pub(super) fn stranger(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(
        (number % 200 + 11) << 24 | (number / 200 % 250) << 16 | (number / 50_000) << 8 | 1,
    ))
}

fn asked(account: &str, address: IpAddr) -> SignInAttempt<'_> {
    SignInAttempt { account, address, device: None, known: false, fingerprint: 0 }
}

pub(super) fn attempt(
    guard: &mut Guard,
    account: &str,
    address: IpAddr,
    now: Duration,
) -> Result<(), Duration> {
    guard.attempt(&asked(account, address), now).map(drop).map_err(|refused| refused.too_many().wait)
}

/// Tries as soon as it is worth it and returns when the password would have been looked at.
fn admitted(guard: &mut Guard, account: &str, address: IpAddr, from: Duration) -> Duration {
    let mut now = from;
    for _ in 0..1000 {
        match attempt(guard, account, address, now) {
            Ok(()) => return now,
            Err(wait) => now += wait,
        }
    }
    panic!("never admitted");
}

#[test]
fn the_delay_doubles_and_has_an_end() {
    let mut guard = Guard::keyed(&[7; 32]);
    let mut now = seconds(1);
    let mut waits = Vec::new();
    for _ in 0..12 {
        let next = admitted(&mut guard, "jon", HOME, now);
        waits.push((next - now).as_secs());
        now = next;
    }
    assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 120, 120]);
}

#[test]
fn trying_too_early_costs_nothing() {
    let mut guard = Guard::keyed(&[7; 32]);
    for _ in 0..4 {
        admitted(&mut guard, "jon", HOME, seconds(1));
    }
    let wait = attempt(&mut guard, "jon", HOME, seconds(2)).expect_err("too early");
    for _ in 0..100 {
        assert_eq!(attempt(&mut guard, "jon", HOME, seconds(2)), Err(wait));
    }
}

#[test]
fn a_right_password_does_not_count() {
    let mut guard = Guard::keyed(&[7; 32]);
    for _ in 0..100 {
        let pass = guard.attempt(&asked("jon", HOME), seconds(1)).expect("a try");
        guard.succeeded(&pass, seconds(1));
        let pass = guard.attempt(&asked("jon", HOME), seconds(1)).expect("a try");
        guard.not_tried(&pass, seconds(1));
    }
}

#[test]
fn tries_at_once_are_counted_before_they_fail() {
    let mut guard = Guard::keyed(&[7; 32]);
    let let_through = (0..100).filter(|_| attempt(&mut guard, "jon", HOME, seconds(1)).is_ok()).count();
    assert_eq!(let_through, 3);
}

#[test]
fn one_address_cannot_walk_through_all_accounts() {
    let mut guard = Guard::keyed(&[7; 32]);
    let mut tries = 0;
    for second in 0..60 {
        for account in 0..5 {
            tries += u32::from(
                attempt(&mut guard, &format!("p{second}-{account}"), HOME, seconds(second)).is_ok(),
            );
        }
    }
    assert_eq!(tries, 30 + 5);
}

#[test]
fn an_ipv6_network_is_one_address() {
    let mut guard = Guard::keyed(&[7; 32]);
    let host = |host: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host));
    let let_through =
        (0..100).filter(|number| attempt(&mut guard, "jon", host(*number), seconds(1)).is_ok()).count();
    assert_eq!(let_through, 3);
}

/// Whoever has a /32 has 65,536 networks of the kind that a household has, and whoever has a /16 as many addresses.
#[test]
fn many_networks_of_one_provider_are_no_more_tries() {
    let guess = |address: &dyn Fn(u32) -> IpAddr| {
        let mut guard = Guard::keyed(&[7; 32]);
        let mut tries = 0;
        for second in 0..600_u32 {
            for one in 0..50 {
                let number = second * 50 + one;
                let name = format!("p{}", number % 5_000);
                tries +=
                    u32::from(attempt(&mut guard, &name, address(number), seconds(second.into())).is_ok());
            }
        }
        tries
    };
    let of_a_32 = |number: u32| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, number as u16, 1, 0, 0, 0, 1));
    let of_a_16 = |number: u32| IpAddr::V4(Ipv4Addr::from(0xc633_0000 | number & 0xffff));
    for tries in [guess(&of_a_32), guess(&of_a_16)] {
        // What the budget of the provider gives in ten minutes; and a turn of each neighbourhood, of which there are 256.
        assert!(tries <= 600 + 600 + 2 * 256 * 4, "{tries}");
    }
}

#[test]
fn the_budget_of_an_account_cannot_be_washed_away() {
    let mut guard = Guard::keyed(&[7; 32]);
    let guesses = |guard: &mut Guard, now: Duration| {
        (0..60).filter(|number| attempt(guard, "jon", stranger(*number), now).is_ok()).count()
    };
    assert_eq!(guesses(&mut guard, seconds(1)), 20);
    let size = guard.pairs.size() + guard.networks.size() + guard.accounts.size();
    // 17,000 made-up names from one address that is itself refused; then as many from as many addresses.
    for number in 0..17_000 {
        let _ = attempt(&mut guard, &format!("made-up-{number}"), HOME, seconds(2));
    }
    assert_eq!(guesses(&mut guard, seconds(2)), 0);
    for number in 0..17_000 {
        let _ = attempt(&mut guard, "jon", stranger(1000 + number), seconds(3));
    }
    assert_eq!(guesses(&mut guard, seconds(3)), 0);
    assert_eq!(guard.pairs.size() + guard.networks.size() + guard.accounts.size(), size);
    assert!(guard.devices.buckets.is_empty() && guard.known_pairs.buckets.is_empty());
}

#[test]
fn a_turn_outlives_a_flood() {
    let mut guard = Guard::keyed(&[7; 32]);
    for number in 0..60 {
        let _ = attempt(&mut guard, "jon", stranger(number), seconds(0));
    }
    let mut strangers = 0;
    for second in 0..300_u64 {
        // Strangers take whatever the account's budget gives.
        strangers += 1;
        let _ = attempt(&mut guard, "jon", stranger(100 + strangers), seconds(second));
        if second == 10 {
            attempt(&mut guard, "jon", HOME, seconds(second)).expect_err("held up by strangers");
        }
        for number in 0..100 {
            let _ = attempt(&mut guard, &format!("p{second}-{number}"), stranger(0), seconds(second));
        }
    }
    let _ = attempt(&mut guard, "jon", stranger(0), seconds(310));
    assert_eq!(attempt(&mut guard, "jon", HOME, seconds(310)), Ok(()));
}

#[test]
fn strangers_hold_up_a_new_address_for_some_minutes_at_most() {
    let mut guard = Guard::keyed(&[7; 32]);
    let mut tries = 0;
    for second in 0..7200_u32 {
        // Ten tries a second from ever new addresses.
        for one in 0..10 {
            let address = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + second * 10 + one));
            tries += u32::from(attempt(&mut guard, "jon", address, seconds(second.into())).is_ok());
        }
        if second == 3000 {
            let refused = attempt(&mut guard, "jon", HOME, seconds(second.into()));
            assert!(refused.is_err_and(|wait| wait <= TURN), "{refused:?}");
        }
        if second == 3300 {
            assert_eq!(attempt(&mut guard, "jon", HOME, seconds(second.into())), Ok(()));
        }
    }
    // 72,000 strangers that never come back got what the budget gives, and no more.
    assert!(tries < 20 + 7200 / 15 + 2, "{tries}");
}

#[test]
fn a_neighbour_cannot_keep_a_device_out() {
    let mut guard = Guard::keyed(&[7; 32]);
    for tenth in 0..3300_u64 {
        let now = Duration::from_millis(tenth * 100);
        let _ =
            guard.attempt(&SignInAttempt { known: true, fingerprint: tenth + 1, ..asked("lee", HOME) }, now);
        if tenth % 100 == 0 {
            let pass =
                guard.attempt(&SignInAttempt { device: Some(7), known: true, ..asked("lee", HOME) }, now);
            guard.succeeded(&pass.expect("lee's own device"), now);
        }
    }
    // And a device that was stolen is no way to guess.
    let guesses = |guard: &mut Guard| {
        let thief = |number| SignInAttempt { device: Some(7), ..asked("lee", stranger(number)) };
        (0..100).filter(|number| guard.attempt(&thief(*number), seconds(400)).is_ok()).count()
    };
    assert!(guesses(&mut guard) <= 10 + 20);
}

#[test]
fn a_neighbour_cannot_keep_a_known_pair_out_and_gets_few_guesses() {
    let mut guard = Guard::keyed(&[7; 32]);
    let (mut looked_at, mut waits) = (0, 0);
    for tenth in 0..36_000_u64 {
        let now = Duration::from_millis(tenth * 100);
        let guess = SignInAttempt { known: true, fingerprint: tenth + 1, ..asked("lee", HOME) };
        match guard.attempt(&guess, now) {
            Ok(pass) => {
                // Wrong, and answered as if it had not been looked at once the usual tries are used up.
                assert!(looked_at < 3 || pass.answered().is_some() || tenth > 10);
                guard.failed(guess.fingerprint);
                looked_at += 1;
            }
            Err(Refused::Soon(_)) => waits += 1,
            Err(Refused::Later(_)) => panic!("a known pair is never sent away for long"),
        }
    }
    // An hour: the burst, one each four seconds, and the usual ones.
    assert!(waits > 0 && looked_at < 10 + 3600 / 4 + 40, "{looked_at}");
}

#[test]
fn an_old_client_with_a_wrong_password_costs_the_known_pair_nothing() {
    let mut guard = Guard::keyed(&[7; 32]);
    let same = SignInAttempt { known: true, fingerprint: 42, ..asked("lee", HOME) };
    let mut looked_at = 0;
    for second in 0..600 {
        if guard.attempt(&same, seconds(second)).is_ok() {
            guard.failed(42);
            looked_at += 1;
        }
    }
    assert!(looked_at < 20, "{looked_at}");
    let right = SignInAttempt { fingerprint: 43, ..same };
    assert!(guard.attempt(&right, seconds(600)).is_ok());
}

#[test]
fn who_exists_is_not_told_by_a_refusal() {
    let mut guard = Guard::keyed(&[7; 32]);
    for second in 0..300 {
        let answers = |result: Result<Pass, Refused>| match result {
            Ok(pass) => pass.answered(),
            Err(refused) => Some(refused.too_many()),
        };
        let known = SignInAttempt { known: true, fingerprint: second + 1, ..asked("jon", HOME) };
        let known = answers(guard.attempt(&known, seconds(second)));
        let unknown = answers(guard.attempt(&asked("nobody", HOME), seconds(second)));
        assert_eq!(known, unknown, "at {second} s");
    }
}

#[test]
fn memory_is_bounded() {
    let mut exact: Exact<u32> = Exact::default();
    for key in 0..17_000 {
        let _ = exact.take(key, PER_DEVICE, seconds(1));
    }
    assert_eq!(exact.buckets.len(), EXACT);
    assert_eq!(exact.take(60_000, PER_DEVICE, seconds(1)), Err(PER_DEVICE.each));
    assert_eq!(exact.take(60_000, PER_DEVICE, seconds(100)), Ok(()), "those at rest made room");
}

#[test]
fn a_person_changes_things_at_a_human_pace() {
    let mut guard = Guard::keyed(&[7; 32]);
    let changes = (0..200).filter(|_| guard.change("jon", seconds(1)).is_ok()).count();
    assert_eq!(changes, 60);
    assert_eq!(guard.change("jon", seconds(3)), Ok(()));
    assert_eq!(guard.change("richard", seconds(1)), Ok(()));
    let proofs = (0..20).filter(|_| guard.proof("jon", seconds(1)).is_ok()).count();
    assert_eq!(proofs, 5);
}

#[test]
fn text_is_cut_between_letters() {
    assert_eq!(shortened("rené", 4), "ren");
    assert_eq!(shortened("rené", 5), "rené");
    assert_eq!(shortened("", 5), "");
}
