//! `aws-ssm-bridge` 0.6, which others wrote without ours, against the stand-in for Session Manager.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_ssm_bridge::documents::{NonInteractiveCommand, PortForwardingToRemoteHost, ShellSession};
use aws_ssm_bridge::{
    EndpointPolicy, PortForwardConfig, PortForwarder, ReconnectConfig, ReconnectingSession, Session,
    SessionBuilder, SessionManager, ShutdownSignal, SsmDocument,
};
use futures_util::StreamExt as _;
use session_agent::{AgentSettings, Faults, Mode, Road, Settings, Stand, What};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const INSTANCE: &str = "i-0123456789abcdef0";

async fn echo() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = tcp.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x1234_5678_u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

/// The stand with an echo at `db.internal:5432`.
async fn stand(agent: AgentSettings, faults: Faults) -> Stand {
    let agent = agent.place("db.internal", 5432, echo().await);
    Stand::start(Settings { agent, faults, ..Settings::default() }).await.unwrap()
}

fn configured(stand: &Stand) -> SdkConfig {
    let key = Settings::default().credentials.remove(0);
    let credentials = Credentials::new(key.access_key, key.secret, None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(&stand.api_url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

async fn session(stand: &Stand, document: impl SsmDocument) -> Session {
    let manager = SessionManager::from_conf(&configured(stand));
    let builder = SessionBuilder::new(INSTANCE).document(document).reason("interop");
    let session = builder.endpoint_policy(EndpointPolicy::AllowAny).start_with(&manager).await.unwrap();
    timeout(Duration::from_secs(10), session.wait_ready()).await.unwrap().unwrap();
    session
}

/// Sends all of it through a forwarded port, and reads it back.
async fn round_trip(port: std::net::SocketAddr, all: &[u8]) {
    let (mut from, mut to) = TcpStream::connect(port).await.unwrap().into_split();
    let sent = all.to_vec();
    let writing = tokio::spawn(async move {
        to.write_all(&sent).await.unwrap();
        // Dropping it would close both ways: there is no half-close.
        to
    });
    let mut back = vec![0; all.len()];
    timeout(Duration::from_secs(120), from.read_exact(&mut back)).await.unwrap().unwrap();
    assert!(back == all, "not the same bytes");
    drop(writing.await.unwrap());
}

/// Forwards a port of the session, tries it, and ends the session.
async fn forwards(stand: &Stand, connections: usize, length: usize) {
    let session = Arc::new(session(stand, PortForwardingToRemoteHost::new("db.internal", 5432)).await);
    let forwarder = PortForwarder::bind(PortForwardConfig::default()).await.unwrap();
    let port = forwarder.local_addr();
    let shutdown = ShutdownSignal::new();
    let forwarding = tokio::spawn(forwarder.forward(Arc::clone(&session), shutdown.clone()));
    let all = Arc::new(bytes(length));
    let trips: Vec<_> = (0..connections)
        .map(|_| {
            let all = Arc::clone(&all);
            tokio::spawn(async move { round_trip(port, &all).await })
        })
        .collect();
    for trip in trips {
        trip.await.unwrap();
    }
    let mut feed = bytes(1016);
    feed.push(b'\n');
    round_trip(port, &feed).await;
    round_trip(port, b"\n").await;
    session.terminate().await.unwrap();
    shutdown.shutdown();
    let _ = forwarding.await.unwrap();
}

/// It numbers its streams from 1, where smux's own client begins at 3; an agent takes either.
const MISNUMBERED: &str = "smux: SYN of stream 1 where 3 is the next";

/// Nor does it say of what came early that it is sequential; AWS's own client always says so.
const NOT_SEQUENTIAL: &str = "sequential false";

/// It violated nothing but what is known of it.
fn behaved(stand: &Stand, known: &[&str]) {
    for violation in stand.violations() {
        assert!(known.iter().any(|it| violation.what.ends_with(it)), "{violation:?}");
    }
}

fn modes(stand: &Stand) -> Vec<Mode> {
    let mode = |what| if let What::Ready { mode, .. } = what { Some(mode) } else { None };
    stand.events().into_iter().filter_map(|event| mode(event.what)).collect()
}

#[tokio::test]
async fn bytes_through_a_forwarded_port_are_the_same() {
    let stand = stand(AgentSettings::default(), Faults::default()).await;
    forwards(&stand, 8, 500_000).await;
    assert_eq!(modes(&stand), [Mode::Smux]);
    behaved(&stand, &[MISNUMBERED]);
}

#[tokio::test]
async fn also_through_a_slow_agent() {
    let stand = stand(AgentSettings { slow: true, ..AgentSettings::default() }, Faults::default()).await;
    forwards(&stand, 2, 300_000).await;
    behaved(&stand, &[MISNUMBERED]);
}

#[tokio::test]
async fn also_on_a_bad_road() {
    let road = Road { drop: 0.01, duplicate: 0.05, reorder: 0.1, ..Road::default() };
    let faults = Faults { seed: 1, to_agent: road.clone(), to_client: road, ..Faults::default() };
    let stand = stand(AgentSettings::default(), faults).await;
    forwards(&stand, 2, 100_000).await;
    behaved(&stand, &[MISNUMBERED, NOT_SEQUENTIAL]);
}

#[tokio::test]
async fn a_shell_answers_and_says_how_it_ended() {
    let stand = stand(AgentSettings::default(), Faults::default()).await;
    let session = session(&stand, ShellSession).await;
    let mut output = session.output();
    session.send_terminal_size(132, 43).await.unwrap();
    session.send(&b"stty size; echo $((6 * 7)); exit 7\r"[..]).await.unwrap();
    let mut shown = Vec::new();
    while let Ok(Some(chunk)) = timeout(Duration::from_secs(10), output.next()).await {
        shown.extend_from_slice(&chunk);
    }
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("43 132\r\n42\r\n"), "{shown}");
    timeout(Duration::from_secs(10), session.closed()).await.unwrap();
    assert_eq!(session.exit_code(), Some(7));
    behaved(&stand, &[]);
}

#[tokio::test]
async fn a_command_says_how_it_ended() {
    let stand = stand(AgentSettings::default(), Faults::default()).await;
    let session = session(&stand, NonInteractiveCommand::new("exit 3")).await;
    timeout(Duration::from_secs(10), session.closed()).await.unwrap();
    assert_eq!(session.exit_code(), Some(3));
    behaved(&stand, &[]);
}

#[tokio::test]
async fn a_session_is_resumed_when_its_connection_is_cut() {
    // It takes a close with 1000 for the session's end, so the gateway's hourly goodbye is not for it.
    let cut = Duration::from_secs(1)..Duration::from_secs(1);
    let stand = stand(AgentSettings::default(), Faults { cut: Some(cut), ..Faults::default() }).await;
    let manager = SessionManager::from_conf(&configured(&stand));
    let template =
        SessionBuilder::new(INSTANCE).document(ShellSession).endpoint_policy(EndpointPolicy::AllowAny);
    let config = ReconnectConfig {
        initial_delay: Duration::from_millis(50),
        session: template.into_config(),
        ..ReconnectConfig::default()
    };
    let session = ReconnectingSession::connect_with(INSTANCE, config, manager).await.unwrap();
    let mut output = session.output();
    session
        .send(&b"for i in 1 2 3 4 5 6 7 8; do echo step-$i; sleep 0.4; done; echo all-done\r"[..])
        .await
        .unwrap();
    let mut shown = String::new();
    while !shown.contains("\nall-done\r\n") {
        let chunk = timeout(Duration::from_secs(20), output.next()).await.unwrap().unwrap();
        shown.push_str(&String::from_utf8_lossy(&chunk));
    }
    for step in 1..=8 {
        assert_eq!(shown.matches(&format!("step-{step}\r\n")).count(), 1, "{shown}");
    }
    let joined = stand.events().into_iter().filter(|it| matches!(it.what, What::Joined { .. })).count();
    assert!(joined >= 3, "{joined}");
    behaved(&stand, &[]);
}
