//! Agents that die, several targets at once, and what is wrong.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

use super::{World, connect, echo, policy, port_of, run, target};
use crate::moto::free_port;
use crate::need::{Need, trial};

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Moto];
    vec![
        trial("connect: an agent that dies is an end with a reason", &needs, agent_dies),
        trial("connect: many at once, lines for programs, a port that is taken", &needs, several),
        trial("connect: what is wrong is said, and leaves no grant behind", &needs, wrong),
    ]
}

fn agent_dies() -> Result<(), Failed> {
    let (echo, served) = echo();
    let world = World::new("jump-dies", |_| {});
    world.stand.place("echo.internal", 7, echo);
    let house = world.house(&policy("jump-dies", &target("echo", "echo.internal", "tcp/7", "\"ssm\"")));
    let (held, told) = connect(&house, &["echo"]);
    let mut stream = TcpStream::connect(("127.0.0.1", port_of(&told, "echo")))?;
    use std::io::{Read as _, Write as _};
    stream.write_all(b"hello\n")?;
    let mut back = [0; 6];
    stream.read_exact(&mut back)?;
    assert_eq!(&back, b"hello\n");
    world.stand.kill_agent();
    stream.set_read_timeout(Some(Duration::from_secs(12)))?;
    let begun = Instant::now();
    stream.write_all(b"anybody there?\n")?;
    // Cut, and not left waiting.
    let ended = stream.read(&mut [0; 64]);
    assert!(!matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    // The connection is cut a moment before that is reported.
    std::thread::sleep(Duration::from_secs(1));
    held.signal("INT");
    let said = held.ends();
    assert!(said.err.contains("the agent stopped responding"), "{said:?}");
    drop(served);
    Ok(())
}

fn several() -> Result<(), Failed> {
    let (echo, _served) = echo();
    let world = World::new("jump-several", |_| {});
    for host in ["one.internal", "two.internal"] {
        world.stand.place(host, 7, echo);
    }
    let targets = target("one", "one.internal", "tcp/7", "\"ssm\"")
        + &target("two", "two.internal", "tcp/7", "\"ssm\"");
    let house = world.house(&policy("jump-several", &targets));
    let chosen = free_port();
    let (held, told) = connect(&house, &["one", &format!("two={chosen}")]);
    assert_eq!(port_of(&told, "two"), chosen);
    let usual = port_of(&told, "one");
    assert!((20_000..32_000).contains(&usual));
    for port in [usual, chosen] {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    }
    // The usual port is taken now, which is said with what to do about it; the grant of the second is not left open.
    let taken = run(&house, &["connect", "one", "--as", "jon", "--exec", "true"]);
    assert_eq!(taken.code, 69);
    assert!(taken.err.contains("cannot listen on") && taken.err.contains("one=PORT"), "{taken:?}");
    held.signal("INT");
    held.ends().is(0, &[], &["one is disconnected", "two is disconnected"]);
    let left = run(&house, &["list", "--as", "jon"]);
    assert!(!left.out.contains("g-"), "{}", left.out);
    Ok(())
}

fn wrong() -> Result<(), Failed> {
    let world = World::new("jump-wrong", |_| {});
    let targets = target("db", "db.internal", "tcp/5432", "\"ssm\"")
        + &target("web", "tag:Name=nobody", "tcp/22", "\"ssh\"");
    let house = world.house(&policy("jump-wrong", &targets));
    let check = |arguments: &[&str], code: i32, words: &[&str]| {
        let said = run(&house, arguments);
        assert_eq!(said.code, code, "{said:?}");
        for word in words {
            assert!(said.err.contains(word), "no {word:?} in {}", said.err);
        }
        let left = run(&house, &["list", "--as", "jon"]);
        assert!(!left.out.contains("g-"), "a grant is left: {}", left.out);
    };
    check(&["connect", "nothing", "--as", "jon"], 1, &["nothing"]);
    check(&["connect", "db", "--as", "maria"], 1, &["maria"]);
    check(&["connect", "db", "--as", "jon", "--via", "direct"], 1, &["direct"]);
    check(
        &["connect", "db", "--as", "jon", "--socks", "127.0.0.1:0"],
        64,
        &["is a single address, not a network"],
    );
    check(&["connect", "db=0", "--as", "jon"], 64, &["is not a port"]);
    world.stand.deny(&["StartSession"]);
    check(&["connect", "db", "--as", "jon"], 69, &["StartSession"]);
    world.stand.deny(&[]);
    check(&["ssh", "web", "--as", "jon"], 69, &["the instance `tag:Name=nobody`", "hint:"]);
    Ok(())
}
