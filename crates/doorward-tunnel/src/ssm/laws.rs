//! What must hold whatever the network does: not a byte is lost, none comes twice.

pub mod model;

use std::time::Duration;

use proptest::prelude::*;

use super::channel::Limits;
use super::core::Core as _;
use super::message::Flag;
use model::{AtLarger, Faults, Habits, World};

/// Bytes that nobody should change: each by its place, with a line feed where the stock client stumbles.
fn bytes(stream: u32, length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| if at % 1017 == 1016 { b'\n' } else { (at as u32 * 31 + stream * 7 + 1) as u8 })
        .collect()
}

/// Both sides write on every stream, in pieces, and must read what the other one wrote.
fn check(faults: Faults, habits: Habits, lengths: &[(usize, usize)], piece: usize) {
    // Of a trial whose acknowledgement is lost nobody can say whether it arrived, if the agent is silent about what it has
    // had: such a session ends. It is the only thing that it does not get over.
    let payload = if habits.acknowledges_once { 1024 } else { Limits::default().payload };
    let mut world = World::new(faults, habits, Limits { payload, ..Limits::default() });
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
    (any::<u64>(), chance.clone(), chance, 0..300u64, prop_oneof![Just(0.0), closes()], any::<bool>())
        .prop_map(|(seed, drops, doubles, delay, closes, pauses)| Faults {
            seed,
            drops,
            doubles,
            delay,
            closes,
            pauses,
        })
}

/// Each second, at most once in twelve: of a gateway that closes more often it may be believed that a payload is too big.
fn closes() -> impl Strategy<Value = f64> {
    0.0..0.08
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
        seed: u64, delay in 0..300u64, closes in closes(), lengths in lengths(), piece in 1..5000usize,
    ) {
        let faults = Faults { seed, delay, closes, ..Faults::none() };
        check(faults, Habits { acknowledges_once: true, ..Habits::default() }, &lengths, piece);
    }

    /// A gateway that says which message is too big costs nothing.
    #[test]
    fn a_gateway_that_takes_no_large_messages_costs_no_byte(
        seed: u64, most in 1024..70_000usize, up in 0..400_000usize, closes in 0.0..0.1,
    ) {
        let habits = Habits { takes: most, ..Habits::default() };
        check(Faults { seed, delay: 20, closes, ..Faults::none() }, habits, &[(up, 0), (1000, 10)], 8192);
    }
}

#[test]
fn a_gateway_that_does_not_say_what_is_too_big_costs_the_session_and_no_other() {
    for at_larger in [AtLarger::Breaks, AtLarger::Silent] {
        let habits = Habits { takes: 5000, at_larger, ..Habits::default() };
        let mut world = World::new(Faults::none(), habits.clone(), Limits::default());
        world.until(Duration::from_secs(30), World::is_ready);
        let id = world.port.open().unwrap();
        world.write(id, bytes(id, 100_000), 10_000);
        world.run(Duration::from_secs(20));
        eprintln!("{:?}", world.port);
        let (why, seconds) = ends(&mut world);
        assert!(seconds < 10, "{at_larger:?}: {why} after {seconds} s");
        let written = bytes(id, 100_000);
        assert!(written.starts_with(world.agent.read(id)), "{at_larger:?}");

        let limits = Limits { payload: world.port.channel().largest_payload(), ..Limits::default() };
        let mut world = World::new(Faults::none(), habits, limits);
        world.until(Duration::from_secs(30), World::is_ready);
        let id = world.port.open().unwrap();
        world.write(id, written.clone(), 10_000);
        world.until(Duration::from_secs(30), |world| world.agent.read(id) == written);
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
    let habits = Habits { opens_after: Duration::from_secs(6), ..Habits::plain("3.3.0.0", model::SSH) };
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

/// A session that carries, and one stream of it.
fn carrying(faults: Faults) -> (World, u32) {
    let mut world = World::new(faults, Habits::default(), Limits::default());
    world.until(Duration::from_secs(30), World::is_ready);
    let id = world.port.open().unwrap();
    world.write(id, b"hello".to_vec(), 10);
    world.until(Duration::from_secs(5), |world| world.agent.read(id) == b"hello");
    world.run(Duration::from_secs(1));
    (world, id)
}

/// How the session ends, and after how many seconds.
fn ends(world: &mut World) -> (String, u64) {
    let start = world.now;
    while world.ending().is_none() {
        assert!(world.now.duration_since(start) < Duration::from_secs(600), "it never ends");
        world.step();
    }
    (world.ending().unwrap().to_string(), world.now.duration_since(start).as_secs())
}

#[test]
fn a_dead_agent_is_told_within_ten_seconds() {
    let (mut world, id) = carrying(Faults::none());
    world.agent.is_dead = true;
    world.write(id, b"anybody there?".to_vec(), 100);
    let (why, seconds) = ends(&mut world);
    assert!(why.starts_with("the agent stopped responding: it sent nothing for 8 s"), "{why}");
    assert!(seconds < 10, "{seconds}");
    let mut nothing = Vec::new();
    let read = world.port.read(id, &mut nothing, world.now).unwrap_err();
    assert_eq!((read.kind(), read.to_string()), (std::io::ErrorKind::ConnectionReset, why));
}

#[test]
fn a_far_side_that_reads_nothing_for_a_while_is_not_a_dead_agent() {
    let (mut world, id) = carrying(Faults::none());
    world.write(id, bytes(id, 9 << 20), 1 << 20);
    world.until(Duration::from_secs(60), |world| world.agent.read(id).len() > 6 << 20);
    world.agent.is_dead = true;
    world.run(Duration::from_secs(50));
    world.agent.is_dead = false;
    world.until(Duration::from_secs(60), |world| world.agent.read(id).len() == (9 << 20) + 5);
    assert!(world.agent.read(id)[5..] == bytes(id, 9 << 20));
}

#[test]
fn an_agent_that_is_away_is_waited_for_a_little() {
    let (mut world, id) = carrying(Faults::none());
    world.pause(true);
    world.run(Duration::from_millis(900));
    assert!(world.ending().is_none());
    world.pause(false);
    let (mut world, other) = (world, id);
    world.keeps_paused = true;
    world.pause(true);
    world.write(other, b"anybody there?".to_vec(), 100);
    let (why, seconds) = ends(&mut world);
    assert_eq!(why, "the agent lost its connection to Session Manager and did not reconnect within 8 s");
    assert!(seconds < 10, "{seconds}");
}

#[test]
fn an_idle_session_says_nothing_and_lives() {
    let (mut world, id) = carrying(Faults::none());
    let sent = world.sent;
    world.run(Duration::from_secs(3600));
    assert_eq!((world.ending(), world.sent), (None, sent));
    world.write(id, b" again".to_vec(), 10);
    world.until(Duration::from_secs(5), |world| world.agent.read(id) == b"hello again");
}

#[test]
fn an_end_is_a_flag_that_the_agent_acknowledges() {
    let (mut world, _) = carrying(Faults { delay: 20, ..Faults::none() });
    world.port.channel_mut().terminate(world.now);
    let (why, seconds) = ends(&mut world);
    assert_eq!((why.as_str(), seconds), ("the session was closed here", 0));
    assert_eq!(world.agent.flags, [Flag::TerminateSession]);
}

#[test]
fn nobody_who_shuts_down_loses_the_answer() {
    let (mut world, id) = carrying(Faults { delay: 50, ..Faults::none() });
    world.write(id, b"; what is all of it?".to_vec(), 100);
    world.run(Duration::from_millis(10));
    world.port.shut(id, world.now);
    // It answers slowly, and then no more.
    for _ in 0..4 {
        world.run(Duration::from_millis(1500));
        assert!(!world.agent.has_ended(id), "cut while it was answering");
        world.agent.write(id, b"this ".to_vec());
    }
    world.until(Duration::from_secs(5), |world| world.agent.has_ended(id));
    assert_eq!(world.read(id), b"this this this this ");
}

#[test]
fn a_stalled_reader_stops_the_session_and_loses_nothing() {
    let (mut world, id) = carrying(Faults::none());
    world.stalled.push(id);
    world.agent.write(id, bytes(id, 5 << 20));
    let full = |world: &World| !world.port.has_room();
    world.until(Duration::from_secs(60), full);
    // The connection is not read any more: nobody is declared dead for that.
    world.reads = false;
    world.write(id, b"late".to_vec(), 10);
    world.run(Duration::from_secs(120));
    assert_eq!(world.ending(), None);
    world.reads = true;
    world.stalled.clear();
    world.until(Duration::from_secs(120), |world| world.read(id).len() == 5 << 20);
    assert!(world.read(id) == bytes(id, 5 << 20));
    world.until(Duration::from_secs(5), |world| world.agent.read(id) == b"hellolate");
}

#[test]
fn a_closed_channel_says_why() {
    let (mut world, _) = carrying(Faults::none());
    world.port.receive(model::closed("Your session timed out."), world.now);
    let (why, _) = ends(&mut world);
    assert_eq!(why, "Session Manager closed the session: Your session timed out.");
}

#[test]
fn nobody_begins_a_session() {
    let mut world = World::new(Faults::none(), Habits::default(), Limits::default());
    world.agent.is_dead = true;
    let (why, seconds) = ends(&mut world);
    assert!(why.starts_with("the agent did not begin the session within 30 s"), "{why}");
    assert!(seconds <= 30, "{seconds}");
}
