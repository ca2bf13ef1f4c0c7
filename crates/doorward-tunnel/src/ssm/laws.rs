//! What must hold whatever the network does: not a byte is lost, none comes twice.

mod model;

use std::time::Duration;

use proptest::prelude::*;

use super::channel::Limits;
use model::{Faults, Habits, World};

/// Bytes that nobody should change: each by its place, with a line feed where the stock client stumbles.
fn bytes(stream: u32, length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| if at % 1017 == 1016 { b'\n' } else { (at as u32 * 31 + stream * 7 + 1) as u8 })
        .collect()
}

/// Both sides write on every stream, in pieces, and must read what the other one wrote.
fn check(faults: Faults, habits: Habits, lengths: &[(usize, usize)], piece: usize) {
    let mut world = World::new(faults, habits, Limits::default());
    world.until(Duration::from_secs(30), World::is_ready);
    let streams: Vec<u32> = lengths.iter().map(|_| world.port.open().unwrap()).collect();
    for (id, (up, down)) in streams.iter().zip(lengths) {
        world.write(*id, bytes(*id, *up), piece);
        world.agent.write(*id, bytes(id + 1, *down));
    }
    let wanted = |world: &World| {
        streams
            .iter()
            .zip(lengths)
            .all(|(id, (up, down))| world.agent.read(*id).len() >= *up && world.read(*id).len() >= *down)
    };
    world.until(Duration::from_secs(1800), wanted);
    // What would come twice comes now.
    world.run(Duration::from_secs(20));
    for (id, (up, down)) in streams.iter().zip(lengths) {
        assert!(
            world.agent.read(*id) == bytes(*id, *up),
            "what the agent got of {id} is not what was written"
        );
        assert!(world.read(*id) == bytes(id + 1, *down), "what came of {id} is not what the agent wrote");
    }
}

fn faults() -> impl Strategy<Value = Faults> {
    let chance = prop_oneof![Just(0.0), 0.0..0.15];
    (any::<u64>(), chance.clone(), chance, 0..300u64, prop_oneof![Just(0.0), 0.0..0.3], any::<bool>())
        .prop_map(|(seed, drops, doubles, delay, closes, pauses)| Faults {
            seed,
            drops,
            doubles,
            delay,
            closes,
            pauses,
        })
}

fn lengths() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..60_000usize, 0..20_000usize), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_byte_is_lost_or_doubled(faults in faults(), lengths in lengths(), piece in 1..5000usize) {
        check(faults, Habits::default(), &lengths, piece);
    }

    /// As the stock agent does it: what comes again is passed over in silence, so a lost acknowledgement stays lost.
    #[test]
    fn an_agent_that_acknowledges_once_is_no_obstacle(
        seed: u64, delay in 0..300u64, closes in 0.0..0.3f64, lengths in lengths(), piece in 1..5000usize,
    ) {
        let faults = Faults { seed, delay, closes, ..Faults::none() };
        check(faults, Habits { acknowledges_once: true, ..Habits::default() }, &lengths, piece);
    }

    /// The gateway passes over large messages, or breaks the connection at them.
    #[test]
    fn a_gateway_that_takes_no_large_messages_costs_no_byte(
        seed: u64, breaks: bool, most in 1024..70_000usize, up in 0..400_000usize,
    ) {
        let habits = Habits { takes: most, breaks_at_larger: breaks, ..Habits::default() };
        check(Faults { seed, delay: 20, ..Faults::none() }, habits, &[(up, 0), (1000, 10)], 8192);
    }
}

#[test]
fn a_line_feed_at_the_end_is_a_line_feed() {
    for length in [1, 1016, 1017, 1018, 1024, 2034, 16_384 - 8, 16_384, 65_536] {
        let mut world = World::new(Faults::none(), Habits::default(), Limits::default());
        world.until(Duration::from_secs(30), World::is_ready);
        let id = world.port.open().unwrap();
        let mut written = vec![b'x'; length - 1];
        written.push(b'\n');
        for _ in 0..3 {
            world.write(id, written.clone(), usize::MAX);
            world.write(id, b"\n".to_vec(), usize::MAX);
        }
        world.run(Duration::from_secs(5));
        let expected = [written, b"\n".to_vec()].concat().repeat(3);
        assert!(world.agent.read(id) == expected, "{length}");
    }
}

#[test]
fn what_was_sent_before_the_port_was_open_arrives_once() {
    let habits = Habits { opens_after: Duration::from_secs(6), carries_smux: false, ..Habits::default() };
    let mut world = World::new(Faults { delay: 20, ..Faults::none() }, habits, Limits::default());
    world.until(Duration::from_secs(30), World::is_ready);
    let id = world.port.open().unwrap();
    world.write(id, bytes(id, 50_000), 1000);
    world.run(Duration::from_secs(20));
    assert!(world.agent.read(id) == bytes(id, 50_000));
}

#[test]
fn a_fast_way_is_used_with_large_messages() {
    let mut world = World::new(Faults { delay: 2, ..Faults::none() }, Habits::default(), Limits::default());
    world.until(Duration::from_secs(30), World::is_ready);
    let id = world.port.open().unwrap();
    world.write(id, bytes(id, 4 << 20), 64 << 10);
    world.until(Duration::from_secs(60), |world| world.agent.read(id).len() == 4 << 20);
    assert_eq!(world.largest, 65_536);
    assert!(world.agent.read(id) == bytes(id, 4 << 20));
}
