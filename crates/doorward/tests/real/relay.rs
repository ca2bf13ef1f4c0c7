//! The relay: a real database and real sockets through it, admitted, refused and cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use doorward_core::grant::Grant;
use doorward_core::policy::{Enforcement, Policy};
use doorward_tunnel::relay::{Clock, Limits, Relay, Upstream, wall_clock};
use jiff::{SignedDuration, Timestamp};
use libtest_mimic::Trial;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::need::{Need, find, timed};
use crate::policies::{grant, policy, ruleset};
use crate::postgres::{Postgres, psql, said};

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let database = ("psql is refused, served and cut in its sleep", database as fn());
    let sockets: [(&str, fn()); 12] = [
        ("without descriptors it waits and does not spin", starved),
        ("who is refused is reset and the upstream never hears of it", refused),
        ("a thousand connections are carried and cut", thousand),
        ("a hundred megabytes arrive whole, both ways", integrity),
        ("a connection is cut at its end though nobody acts", cut_at_the_end),
        ("an extended grant keeps its connections", extended),
        ("a clock set forward closes", clock_forward),
        ("limits turn away and places are freed", limits),
        ("an upstream that is down resets the client", upstream_down),
        ("a slow upstream slows the client", back_pressure),
        ("IPv4 over an IPv6 listener is IPv4", mapped),
        ("the listener outlives its upstream, and stops when told", retarget_and_stop),
    ];
    let trial = |(name, test): (&str, fn()), needs: &[Need]| {
        let run = move || {
            test();
            Ok(())
        };
        timed(&format!("relay: {name}"), needs, run)
    };
    let sockets = sockets.map(|named| trial(named, &[]));
    sockets.into_iter().chain([trial(database, &[Need::Postgres])]).collect()
}

const HERE: &str = "127.0.0.1";

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn doors(statics: &[&str]) -> Policy {
    let kind = Enforcement::Relay { listen: ([127, 0, 0, 1], 0).into() };
    policy(kind, statics, &[("orders-db", "db.example.org", &["tcp/5432"])])
}

fn hour(policy: &Policy) -> Grant {
    grant(policy, HERE, "orders-db", SignedDuration::from_hours(1))
}

fn upstream(port: u16) -> Upstream {
    Upstream { host: HERE.into(), port }
}

fn relay_to(port: u16) -> Relay {
    bind("127.0.0.1:0", port, Limits::default(), wall_clock())
}

fn bind(listen: &str, port: u16, limits: Limits, clock: Clock) -> Relay {
    let listen = listen.parse().expect("an address");
    Relay::bind(listen, upstream(port), "tcp/5432".parse().expect("a flow"), limits, clock)
        .expect("it listens")
}

/// A server that sends back what it gets; how many connections it accepted.
async fn echo() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
    let port = listener.local_addr().expect("an address").port();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
                let _ = writer.shutdown().await;
            });
        }
    });
    (port, accepted)
}

/// Says a word and hears it back.
async fn talks(stream: &mut TcpStream) -> bool {
    let mut heard = [0; 4];
    let talk = async {
        stream.write_all(b"ping").await?;
        stream.read_exact(&mut heard).await
    };
    tokio::time::timeout(Duration::from_secs(5), talk).await.is_ok_and(|result| result.is_ok())
        && &heard == b"ping"
}

/// How a connection ends on which nothing is to come: `reset`, `closed`, or `lives` after that time.
async fn ends(stream: &mut TcpStream, within: Duration) -> &'static str {
    match tokio::time::timeout(within, stream.read(&mut [0; 16])).await {
        Err(_) => "lives",
        Ok(Ok(0)) => "closed",
        Ok(Ok(_)) => "speaks",
        Ok(Err(_)) => "reset",
    }
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("a listener accepts")
}

/// How a connection ends on which nobody speaks; a reset may come before the connection is reported as made.
async fn arrives(address: SocketAddr) -> &'static str {
    match TcpStream::connect(address).await {
        Ok(mut stream) => ends(&mut stream, Duration::from_secs(2)).await,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => "reset",
        Err(_) => "no listener",
    }
}

fn database() {
    let postgres = Postgres::start();
    let runtime = runtime();
    let _inside = runtime.enter();
    let policy = doors(&[]);
    let relay = relay_to(postgres.port());
    let port = relay.address().port();
    let ask = |statement: &str| said(psql(port, statement).wait_with_output().expect("psql ends"));

    let refused = ask("select 1").expect_err("before");
    assert!(
        refused.contains("server closed the connection") || refused.contains("reset by peer"),
        "{refused}"
    );
    assert_eq!(relay.replace(ruleset(&policy, &[&hour(&policy)])), 0);
    assert_eq!(ask("select 6 * 7"), Ok("42".into()));
    assert_eq!(ask("select sum(n) from generate_series(1, 200000) n"), Ok("20000100000".into()));

    let sleeping = psql(port, "select pg_sleep(30)");
    let began = Instant::now();
    while relay.counts().open == 0 && began.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(relay.connections().len(), 1);
    let closed = Instant::now();
    assert_eq!(relay.replace(ruleset(&policy, &[])), 1);
    let cut = said(sleeping.wait_with_output().expect("psql ends")).expect_err("it is cut in its sleep");
    assert!(closed.elapsed() < Duration::from_secs(1), "{:?}", closed.elapsed());
    assert!(cut.contains("server closed the connection") || cut.contains("reset by peer"), "{cut}");
    assert!(ask("select 1").is_err(), "afterwards");
    let counts = relay.counts();
    assert_eq!((counts.accepted, counts.refused, counts.cut, counts.open), (3, 2, 1, 0), "{counts:?}");
    drop(relay);
}

fn refused() {
    runtime().block_on(async {
        let (port, accepted) = echo().await;
        let relay = relay_to(port);
        for _ in 0..3 {
            assert_eq!(arrives(relay.address()).await, "reset");
        }
        // Somebody else's grant is not ours.
        let policy = doors(&["203.0.113.0/24"]);
        let other = grant(&policy, "198.51.100.7", "orders-db", SignedDuration::from_hours(1));
        relay.replace(ruleset(&policy, &[&other]));
        assert_eq!(arrives(relay.address()).await, "reset");
        assert_eq!(accepted.load(Ordering::Relaxed), 0);
        assert_eq!((relay.counts().refused, relay.counts().accepted), (4, 0));
    });
}

fn thousand() {
    runtime().block_on(async {
        let (port, _) = echo().await;
        let policy = doors(&[]);
        let relay = relay_to(port);
        relay.replace(ruleset(&policy, &[&hour(&policy)]));
        let mut streams = Vec::new();
        for _ in 0..1000 {
            streams.push(connect(relay.address()).await);
        }
        for stream in &mut streams {
            assert!(talks(stream).await);
        }
        let counts = relay.counts();
        assert_eq!((counts.open, counts.accepted, counts.up, counts.down), (1000, 1000, 4000, 4000));
        assert!(
            relay.connections().iter().all(|each| each.peer.ip().is_ipv4() && (each.up, each.down) == (4, 4))
        );

        let closed = Instant::now();
        assert_eq!(relay.replace(ruleset(&policy, &[])), 1000);
        assert_eq!(relay.replace(ruleset(&policy, &[])), 0, "nobody is cut twice");
        for stream in &mut streams {
            assert_eq!(ends(stream, Duration::from_secs(2)).await, "reset");
        }
        assert!(closed.elapsed() < Duration::from_secs(1), "{:?}", closed.elapsed());
        let counts = relay.counts();
        assert_eq!((counts.open, counts.cut, counts.up, counts.down), (0, 1000, 4000, 4000));
    });
}

/// Bytes that repeat only after 2^61.
fn noise(from: u64, bytes: &mut [u8]) {
    for (index, chunk) in (from / 8..).zip(bytes.chunks_mut(8)) {
        let word = (index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23).to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

fn integrity() {
    const WHOLE: u64 = 100 * 1024 * 1024;
    const PIECE: usize = 64 * 1024;
    runtime().block_on(async {
        let (port, _) = echo().await;
        let policy = doors(&[]);
        let relay = relay_to(port);
        relay.replace(ruleset(&policy, &[&hour(&policy)]));
        let (mut reader, mut writer) = connect(relay.address()).await.into_split();
        let write = tokio::spawn(async move {
            let mut bytes = vec![0; PIECE];
            for at in (0..WHOLE).step_by(PIECE) {
                noise(at, &mut bytes);
                writer.write_all(&bytes).await.expect("it takes them");
            }
            // Half of the connection is closed, and the other half goes on.
            writer.shutdown().await.expect("it closes");
            writer
        });
        let (mut bytes, mut expected) = (vec![0; PIECE], vec![0; PIECE]);
        for at in (0..WHOLE).step_by(PIECE) {
            reader.read_exact(&mut bytes).await.expect("it gives them");
            noise(at, &mut expected);
            assert!(bytes == expected, "at {at}");
        }
        assert_eq!(reader.read(&mut bytes).await.expect("an end"), 0);
        drop(write.await.expect("it wrote"));
        let began = Instant::now();
        while relay.counts().open > 0 && began.elapsed() < Duration::from_secs(2) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let counts = relay.counts();
        assert_eq!((counts.open, counts.cut, counts.up, counts.down), (0, 0, WHOLE, WHOLE));
    });
}

fn cut_at_the_end() {
    runtime().block_on(async {
        let (port, _) = echo().await;
        let policy = doors(&[]);
        let relay = relay_to(port);
        let short = grant(&policy, HERE, "orders-db", SignedDuration::from_millis(1300));
        relay.replace(ruleset(&policy, &[&short]));
        let mut streams = [connect(relay.address()).await, connect(relay.address()).await];
        assert!(talks(&mut streams[0]).await && talks(&mut streams[1]).await);
        assert_eq!(relay.connections()[0].until, short.until());
        for stream in &mut streams {
            assert_eq!(ends(stream, Duration::from_secs(3)).await, "reset");
        }
        let late = Timestamp::now().duration_since(short.until().expect("an end"));
        assert!(late >= SignedDuration::ZERO && late < SignedDuration::from_millis(100), "{late}");
        assert_eq!(arrives(relay.address()).await, "reset");
        assert_eq!((relay.counts().cut, relay.counts().open, relay.counts().refused), (2, 0, 1));
    });
}

fn extended() {
    runtime().block_on(async {
        let (port, _) = echo().await;
        let policy = doors(&[]);
        let relay = relay_to(port);
        let short = grant(&policy, HERE, "orders-db", SignedDuration::from_secs(1));
        relay.replace(ruleset(&policy, &[&short]));
        let mut stream = connect(relay.address()).await;
        assert!(talks(&mut stream).await);
        assert_eq!(relay.replace(ruleset(&policy, &[&short, &hour(&policy)])), 0);
        assert_eq!(ends(&mut stream, Duration::from_millis(1500)).await, "lives");
        assert!(talks(&mut stream).await);
        // The static list speaks for an address longer than any grant.
        let office = doors(&["127.0.0.0/8"]);
        assert_eq!(relay.replace(ruleset(&office, &[&short])), 0);
        assert_eq!(relay.connections()[0].until, None);
        assert!(talks(&mut stream).await);
        assert_eq!(relay.replace(ruleset(&policy, &[])), 1);
        assert_eq!(ends(&mut stream, Duration::from_secs(1)).await, "reset");
    });
}

fn clock_forward() {
    runtime().block_on(async {
        let (port, _) = echo().await;
        let policy = doors(&[]);
        let ahead = Arc::new(AtomicI64::new(0));
        let seconds = Arc::clone(&ahead);
        let clock: Clock =
            Arc::new(move || Timestamp::now() + SignedDuration::from_secs(seconds.load(Ordering::Relaxed)));
        let relay = bind("127.0.0.1:0", port, Limits::default(), clock);
        relay.replace(ruleset(&policy, &[&hour(&policy)]));
        let mut stream = connect(relay.address()).await;
        assert!(talks(&mut stream).await);
        ahead.store(-7200, Ordering::Relaxed);
        assert_eq!(ends(&mut stream, Duration::from_millis(1200)).await, "lives", "a clock set back");
        ahead.store(3601, Ordering::Relaxed);
        assert_eq!(ends(&mut stream, Duration::from_millis(1200)).await, "reset");
        assert_eq!(arrives(relay.address()).await, "reset");
        assert_eq!((relay.counts().cut, relay.counts().refused), (1, 1));
    });
}

fn limits() {
    runtime().block_on(async {
        let (port, _) = echo().await;
        let policy = doors(&["127.0.0.0/8"]);
        let few = Limits { connections: 3, per_network: 2, ..Limits::default() };
        let relay = bind("127.0.0.1:0", port, few, wall_clock());
        relay.replace(ruleset(&policy, &[]));
        let from = async |source: [u8; 4]| {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.bind((source, 0).into()).expect("an address of the loopback");
            socket.connect(relay.address()).await
        };
        let admitted = async |source: [u8; 4]| from(source).await.expect("a listener accepts");
        let turned_away = async |source: [u8; 4]| match from(source).await {
            Ok(mut stream) => ends(&mut stream, Duration::from_secs(2)).await == "reset",
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        };
        let (mut first, mut second) = (admitted([127, 0, 0, 1]).await, admitted([127, 0, 0, 1]).await);
        assert!(talks(&mut first).await && talks(&mut second).await);
        assert!(turned_away([127, 0, 0, 1]).await, "per address");
        let mut third = admitted([127, 0, 0, 2]).await;
        assert!(talks(&mut third).await);
        assert!(turned_away([127, 0, 0, 3]).await, "in all");
        assert_eq!((relay.counts().turned_away, relay.counts().refused), (2, 0));
        drop(first);
        let began = Instant::now();
        while relay.counts().open > 2 && began.elapsed() < Duration::from_secs(2) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(talks(&mut admitted([127, 0, 0, 1]).await).await);
    });
}

/// A relay in a program of its own, to `port`; says where it listens.
pub fn alone(port: u16) {
    runtime().block_on(async {
        let relay = relay_to(port);
        relay.replace(ruleset(&doors(&["127.0.0.0/8"]), &[]));
        println!("{}", relay.address());
        std::future::pending::<()>().await;
    });
}

fn starved() {
    // With an odd one left over a connection is accepted and cannot be dialled; with none it cannot be accepted.
    starved_with("24:24");
    starved_with("25:25");
}

fn starved_with(descriptors: &str) {
    runtime().block_on(async {
        let (port, accepted) = echo().await;
        let this = std::env::current_exe().expect("this program");
        let mut child = tokio::process::Command::new(find("prlimit").expect("prlimit"))
            .args([&format!("--nofile={descriptors}"), "--"])
            .arg(this)
            .env(crate::probe::VERB, format!("relay {port}"))
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let mut said = String::new();
        let mut stdout = tokio::io::BufReader::new(child.stdout.take().expect("a pipe"));
        tokio::io::AsyncBufReadExt::read_line(&mut stdout, &mut said).await.expect("it says where");
        let address: SocketAddr = said.trim().parse().expect("an address");

        let mut streams = Vec::new();
        for _ in 0..40 {
            // One that cannot be dialled is reset at once.
            streams.extend(TcpStream::connect(address).await);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(accepted.load(Ordering::Relaxed) < 12, "no two descriptors for each of forty");
        let spent = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id().expect("it runs")));
            let stat = stat.expect("it runs");
            let fields: Vec<u64> = stat.split(' ').map(|field| field.parse().unwrap_or(0)).collect();
            // User and system time in hundredths of a second (proc(5), fields 14 and 15).
            fields[13] + fields[14]
        };
        let before = spent();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(spent() - before <= 10, "it spins: {} ms of a second", (spent() - before) * 10);
        drop(streams);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(talks(&mut connect(address).await).await, "and goes on afterwards");
    });
}

fn upstream_down() {
    runtime().block_on(async {
        let nobody = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
        let port = nobody.local_addr().expect("an address").port();
        drop(nobody);
        let policy = doors(&[]);
        let relay = relay_to(port);
        relay.replace(ruleset(&policy, &[&hour(&policy)]));
        assert_eq!(arrives(relay.address()).await, "reset");
        let counts = relay.counts();
        assert_eq!((counts.accepted, counts.undialled, counts.cut), (1, 1, 0));
    });
}

fn back_pressure() {
    runtime().block_on(async {
        let slow = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
        let policy = doors(&[]);
        let relay = relay_to(slow.local_addr().expect("an address").port());
        relay.replace(ruleset(&policy, &[&hour(&policy)]));
        let mut stream = connect(relay.address()).await;
        let (_silent, _) = slow.accept().await.expect("the relay dials");
        let piece = vec![0; 1024 * 1024];
        let mut written = 0_u64;
        let pour = async {
            while written < 256 * 1024 * 1024 {
                written += u64::try_from(stream.write(&piece).await.expect("it takes some")).expect("fits");
            }
        };
        assert!(tokio::time::timeout(Duration::from_millis(1500), pour).await.is_err(), "it took everything");
        let up = relay.counts().up;
        assert!(up > 0 && up < 32 * 1024 * 1024, "{up}");
        // A connection that is stuck is cut like any other.
        assert_eq!(relay.replace(ruleset(&policy, &[])), 1);
        assert_eq!(ends(&mut stream, Duration::from_secs(1)).await, "reset");
    });
}

fn mapped() {
    runtime().block_on(async {
        let (port, _) = echo().await;
        let policy = doors(&[]);
        let relay = bind("[::]:0", port, Limits::default(), wall_clock());
        relay.replace(ruleset(&policy, &[&hour(&policy)]));
        let mut stream =
            connect((HERE.parse::<std::net::IpAddr>().expect("v4"), relay.address().port()).into()).await;
        assert!(talks(&mut stream).await);
        assert_eq!(relay.connections()[0].peer.ip().to_string(), HERE);
        let six = ("::1".parse::<std::net::IpAddr>().expect("v6"), relay.address().port());
        assert_eq!(arrives(six.into()).await, "reset");
    });
}

fn retarget_and_stop() {
    runtime().block_on(async {
        let ((first, heard), (second, anew)) = (echo().await, echo().await);
        let policy = doors(&[]);
        let relay = relay_to(first);
        let address = relay.address();
        relay.replace(ruleset(&policy, &[&hour(&policy)]));
        let mut stream = connect(address).await;
        assert!(talks(&mut stream).await);
        let flow = "tcp/5432".parse().expect("a flow");
        assert_eq!(relay.retarget(upstream(first), flow), 0, "nothing changed");
        assert!(talks(&mut stream).await);
        assert_eq!(relay.retarget(upstream(second), flow), 1);
        assert_eq!(ends(&mut stream, Duration::from_secs(1)).await, "reset");
        let mut stream = connect(address).await;
        assert!(talks(&mut stream).await);
        assert_eq!((heard.load(Ordering::Relaxed), anew.load(Ordering::Relaxed)), (1, 1));
        assert_eq!(
            relay.retarget(upstream(second), "tcp/5433".parse().expect("a flow")),
            1,
            "not admitted to that"
        );
        relay.retarget(upstream(second), flow);

        let mut polite = connect(address).await;
        let mut stubborn = connect(address).await;
        assert!(talks(&mut polite).await && talks(&mut stubborn).await);
        let stopping = tokio::spawn(relay.stop(Duration::from_millis(500)));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(TcpStream::connect(address).await.is_err(), "it accepts no more");
        assert!(talks(&mut polite).await, "and carries what is there");
        drop(polite);
        assert_eq!(stopping.await.expect("it stops"), 1);
        assert_eq!(ends(&mut stubborn, Duration::from_secs(1)).await, "reset");
        // The address is free at once.
        drop(TcpListener::bind(address).await.expect("the address is free"));
    });
}
