//! Sessions to an agent and a gateway that somebody else wrote from the same protocol, and that watch how we behave.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod aws;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward_tunnel::dial::{BoxedStream, Destination, Dial};
use doorward_tunnel::news::nobody;
use doorward_tunnel::ssm::shell::{Shell, Size, Terminal};
use doorward_tunnel::ssm::{Ending, Limits, Pool, Raw, Sessions, Ssm};
use doorward_tunnel::websocket::Connector;
use session_agent::{AgentSettings, Faults, Mode, Road, Settings, Stand, What};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use aws::Calls;
use parts::need::wanted;

const REMOTE: &str = "AWS-StartPortForwardingSessionToRemoteHost";

/// Sends back what comes, and ends when it ends.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = tcp.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    });
    address
}

/// Bytes that repeat late, with a line feed where the stock client stumbles.
fn bytes(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = move |at: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if at % 1017 == 1016 { b'\n' } else { (state >> 24) as u8 }
    };
    (0..length).map(&mut next).collect()
}

async fn echoes(stream: BoxedStream, bytes: &[u8]) -> BoxedStream {
    let (mut read, mut write) = tokio::io::split(stream);
    let mut came = vec![0; bytes.len()];
    let (sent, received) = tokio::join!(write.write_all(bytes), read.read_exact(&mut came));
    sent.unwrap();
    received.unwrap();
    assert!(came == bytes, "what came back is not what was sent");
    read.unsplit(write)
}

fn database() -> Destination {
    Destination { host: "db.internal".parse().unwrap(), port: 5432 }
}

async fn stand(agent: AgentSettings, faults: Faults) -> Stand {
    let agent = agent.place("db.internal", 5432, echo().await);
    let settings = Settings { agent, faults, require_signatures: false, ..Settings::default() };
    Stand::start(settings).await.unwrap()
}

fn calls(stand: &Stand, document: Option<&'static str>) -> Arc<dyn Sessions> {
    Arc::new(Calls { url: stand.api_url.clone(), document })
}

fn ssm(stand: &Stand, pool: Pool) -> Ssm {
    Ssm::new(calls(stand, Some(REMOTE)), Connector::of_this_machine().unwrap(), pool, nobody())
}

fn modes(stand: &Stand) -> Vec<Mode> {
    let mode = |what| if let What::Ready { mode, .. } = what { Some(mode) } else { None };
    stand.events().into_iter().filter_map(|event| mode(event.what)).collect()
}

#[tokio::test]
async fn connections_share_a_session_and_behave() {
    let stand = stand(AgentSettings::default(), Faults::default()).await;
    let ssm = ssm(&stand, Pool { sessions: 1, ..Pool::default() });
    let all = (0..20).map(|at| {
        let ssm = &ssm;
        async move { drop(echoes(ssm.dial(&database()).await.unwrap(), &bytes(200_000, at)).await) }
    });
    futures_util::future::join_all(all).await;
    for length in [1, 1016, 1017, 1018, 2034] {
        let written = [vec![b'x'; length - 1], vec![b'\n']].concat();
        let stream = echoes(ssm.dial(&database()).await.unwrap(), &written).await;
        drop(echoes(stream, b"\n").await);
    }
    ssm.close().await;
    assert_eq!(modes(&stand), [Mode::Smux]);
    assert_eq!(stand.violations(), []);
}

/// Two hundred at once, and then so many in a row that `DOORWARD_MANY` says.
#[tokio::test]
async fn none_of_many_is_lost() {
    let stand = stand(AgentSettings::default(), Faults::default()).await;
    let ssm = ssm(&stand, Pool::default());
    let all = (0..200).map(|at| {
        let ssm = &ssm;
        async move { echoes(ssm.dial(&database()).await.unwrap(), &bytes(10_000, at)).await }
    });
    drop(futures_util::future::join_all(all).await);
    for number in 0..wanted("DOORWARD_MANY", 300) {
        let length = usize::try_from(number % 3000).unwrap() + 1;
        drop(echoes(ssm.dial(&database()).await.unwrap(), &bytes(length, 7)).await);
    }
    assert!(ssm.sessions(&database()) <= 4);
    ssm.close().await;
    assert_eq!(stand.violations(), []);
}

/// The road loses, doubles and delays; the gateway says bye, breaks, and pauses.
#[tokio::test]
async fn a_bad_road_costs_time_and_no_byte() {
    let faults = Faults {
        seed: 7,
        to_agent: Road::bad(0.03),
        to_client: Road::bad(0.03),
        bye: Some(Duration::from_secs(1)..Duration::from_secs(3)),
        cut: Some(Duration::from_secs(2)..Duration::from_secs(6)),
        pause: Some(Duration::from_secs(1)..Duration::from_secs(4)),
        ..Faults::default()
    };
    let stand = stand(AgentSettings::default(), faults).await;
    let ssm = ssm(&stand, Pool { sessions: 2, ..Pool::default() });
    // Twenty seconds take long enough; `DOORWARD_SECONDS` says for how long it is bad.
    let end = Instant::now() + Duration::from_secs(wanted("DOORWARD_SECONDS", 20));
    let all = (0..6).map(|at| {
        let ssm = &ssm;
        async move {
            let mut stream = ssm.dial(&database()).await.unwrap();
            let mut seed = at;
            while Instant::now() < end {
                seed += 100;
                stream = echoes(stream, &bytes(50_000, seed)).await;
            }
        }
    });
    futures_util::future::join_all(all).await;
    ssm.close().await;
    let joined = |what: &What| matches!(what, What::Joined { times } if *times > 3);
    assert!(stand.events().iter().any(|event| joined(&event.what)), "it was never resumed");
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn a_gateway_that_takes_small_messages_gets_small_ones() {
    for limit in [1024, 20_000, 40_000] {
        let stand =
            stand(AgentSettings::default(), Faults { payload_limit: Some(limit), ..Faults::default() }).await;
        let ssm = ssm(&stand, Pool::default());
        drop(echoes(ssm.dial(&database()).await.unwrap(), &bytes(2_000_000, 7)).await);
        ssm.close().await;
        assert_eq!(stand.violations(), [], "{limit}");
    }
}

#[tokio::test]
async fn a_killed_agent_is_told_within_ten_seconds() {
    let stand = stand(AgentSettings::default(), Faults::default()).await;
    let ssm = ssm(&stand, Pool { sessions: 1, ..Pool::default() });
    let mut stream = echoes(ssm.dial(&database()).await.unwrap(), &bytes(6_000_000, 1)).await;
    stand.kill_agent();
    let start = Instant::now();
    stream.write_all(b"anybody there?").await.unwrap();
    let error = stream.read_u8().await.unwrap_err().to_string();
    assert!(error.starts_with("the agent stopped responding"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let refused = ssm.dial(&database()).await.err().unwrap().to_string();
    assert!(refused.contains("is closed"), "{refused}");
    stand.revive_agent();
    drop(echoes(ssm.dial(&database()).await.unwrap(), b"hello again").await);
    ssm.close().await;
    assert_eq!(stand.violations(), []);
}

/// What is silent may be the far side, which reads nothing, and AWS knows which.
#[tokio::test]
async fn a_killed_agent_is_told_within_ten_seconds_though_the_far_side_may_be_slow() {
    let stand = stand(AgentSettings::default(), Faults::default()).await;
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    stand.place("db.internal", 5432, deaf.local_addr().unwrap());
    let ssm = ssm(&stand, Pool { sessions: 1, ..Pool::default() });
    let mut stream = ssm.dial(&database()).await.unwrap();
    let (_reads_nothing, _) = deaf.accept().await.unwrap();
    let more = [7; 1 << 16];
    // Until nothing more is taken: the far side is slow, and that is no death.
    while tokio::time::timeout(Duration::from_secs(2), stream.write_all(&more)).await.is_ok() {}
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(!stand.open_sessions().is_empty(), "a far side that reads nothing is waited for");
    stand.kill_agent();
    let start = Instant::now();
    let error = stream.read_u8().await.unwrap_err().to_string();
    assert!(error.starts_with("the agent stopped responding"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[tokio::test]
async fn after_a_failover_a_new_session_finds_the_new_place() {
    let stand = stand(AgentSettings::default(), Faults::default()).await;
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    stand.place("db.internal", 5432, nowhere);
    let ssm = ssm(&stand, Pool { stale: Duration::from_millis(100), ..Pool::default() });
    let mut stream = ssm.dial(&database()).await.unwrap();
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    drop(stream);
    stand.place("db.internal", 5432, echo().await);
    tokio::time::sleep(Duration::from_millis(200)).await;
    // The old session is not asked again: one connection shows that it fails, the next one has another.
    let mut stream = ssm.dial(&database()).await.unwrap();
    if stream.write_all(b"x").await.is_err() || stream.read_u8().await.is_err() {
        stream = ssm.dial(&database()).await.unwrap();
    }
    drop(echoes(stream, b"hello").await);
    ssm.close().await;
    assert_eq!(stand.violations(), []);
}

/// Bytes in a second that come back over so many connections at once, each in a session of its own.
async fn rate(sessions: usize) -> f64 {
    let stand = stand(AgentSettings { slow: true, ..AgentSettings::default() }, Faults::default()).await;
    let ssm = ssm(&stand, Pool { sessions, ..Pool::default() });
    let to = database();
    let streams = futures_util::future::join_all((0..sessions).map(|_| ssm.dial(&to))).await;
    let (start, each) = (Instant::now(), 600_000);
    let all = streams.into_iter().map(|stream| async move {
        drop(echoes(stream.unwrap(), &bytes(each, 7)).await);
    });
    futures_util::future::join_all(all).await;
    let rate = (sessions * each) as f64 / start.elapsed().as_secs_f64();
    ssm.close().await;
    assert_eq!(stand.violations(), []);
    rate
}

/// How fast that is, the bench says; here a machine may be busy with other things.
#[tokio::test]
async fn slow_sessions_are_faster_together() {
    let (one, four) = (rate(1).await, rate(4).await);
    assert!(four > 2.0 * one, "one session {one:.0} bytes a second, four {four:.0}");
}

#[tokio::test]
async fn ssh_has_a_session_of_its_own_that_ends_with_it() {
    let sshd = Some(echo().await);
    let stand = stand(AgentSettings { sshd, ..AgentSettings::default() }, Faults::default()).await;
    let sessions = calls(&stand, Some("AWS-StartSSHSession"));
    let raw = Raw::new(sessions, Connector::of_this_machine().unwrap(), Limits::default(), nobody());
    let to = Destination { host: "localhost".parse().unwrap(), port: 22 };
    let stream = echoes(raw.dial(&to).await.unwrap(), b"SSH-2.0-doorward\r\n").await;
    drop(echoes(stream, &bytes(1_000_000, 3)).await);
    let start = Instant::now();
    while !stand.open_sessions().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(modes(&stand), [Mode::Raw]);
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn old_agents_carry_what_they_can() {
    for (version, expected) in
        [("3.1.1511.0", Mode::Smux), ("3.0.196.0", Mode::Basic), ("2.3.700.0", Mode::Basic)]
    {
        let agent = AgentSettings { version: version.to_owned(), ..AgentSettings::default() };
        let stand = stand(agent, Faults::default()).await;
        let ssm = ssm(&stand, Pool::default());
        let stream = echoes(ssm.dial(&database()).await.unwrap(), &bytes(100_000, 7)).await;
        let other = echoes(ssm.dial(&database()).await.unwrap(), b"\n").await;
        drop((stream, other));
        ssm.close().await;
        assert!(modes(&stand).iter().all(|mode| *mode == expected), "{version}: {:?}", modes(&stand));
        assert_eq!(stand.violations(), [], "{version}");
    }
}

/// An old agent does not say that the far side has closed: each connection leaves its session after a moment of quiet,
/// and makes room for the next.
#[tokio::test]
async fn many_one_after_the_other_though_each_has_its_session() {
    let agent = AgentSettings { version: "3.0.196.0".to_owned(), ..AgentSettings::default() };
    let stand = stand(agent, Faults::default()).await;
    let ssm = ssm(&stand, Pool { alone: 3, patience: Duration::from_secs(30), ..Pool::default() });
    for number in 0..7 {
        let mut stream = echoes(ssm.dial(&database()).await.unwrap(), &bytes(1000, number)).await;
        stream.shutdown().await.unwrap();
        tokio::spawn(async move {
            let mut rest = Vec::new();
            // What is copied ends when both sides have.
            assert_eq!(stream.read_to_end(&mut rest).await.unwrap(), 0);
        });
    }
    assert!(ssm.sessions(&database()) <= 3);
    ssm.close().await;
    assert_eq!(stand.violations(), []);
}

/// Reads until the terminal has shown it.
async fn shows(screen: &mut (impl AsyncRead + Unpin), shown: &mut String, expected: &str) {
    while !shown.contains(expected) {
        let mut some = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(30), screen.read(&mut some)).await;
        let count = read.unwrap_or_else(|_| panic!("{shown}")).unwrap();
        shown.push_str(&String::from_utf8_lossy(&some[..count]));
    }
}

async fn shell_says(agent: AgentSettings) {
    let stand = stand(agent, Faults::default()).await;
    let sessions = calls(&stand, None);
    let opened = sessions.start(&database()).await.unwrap();
    let shell = Shell::new(sessions, Connector::of_this_machine().unwrap(), Limits::default(), nobody());
    let (resize, sizes) = tokio::sync::watch::channel(Size { columns: 80, rows: 24 });
    let (mut keys, input) = tokio::io::duplex(1000);
    let (output, mut screen) = tokio::io::duplex(1 << 20);
    let run = tokio::spawn(async move { shell.run(opened, Terminal { input, output, sizes }).await });
    resize.send(Size { columns: 132, rows: 50 }).unwrap();
    keys.write_all(b"stty size; echo sum=$((40+2))\n").await.unwrap();
    let mut shown = String::new();
    shows(&mut screen, &mut shown, "sum=42").await;
    // Ctrl-C ends what runs, and not the shell.
    keys.write_all(b"sh -c \"echo be''gun; exec sleep 100\"\n").await.unwrap();
    shows(&mut screen, &mut shown, "begun").await;
    keys.write_all(b"\x03").await.unwrap();
    keys.write_all(b"exit\n").await.unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(30), run).await.unwrap().unwrap().unwrap();
    assert!(matches!(outcome.ending, Ending::Closed { .. }), "{outcome:?}");
    assert!(shown.contains("50 132"), "{shown}");
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn a_shell_is_typed_in_and_resized() {
    shell_says(AgentSettings::default()).await;
}

#[tokio::test]
async fn a_shell_is_encrypted_if_the_agent_wants_that() {
    shell_says(AgentSettings { kms_key: Some("alias/shells".to_owned()), ..AgentSettings::default() }).await;
}
