//! Port sessions: smux, basic and raw, as the versions agree.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use session_agent::message::{flag, payload};
use session_agent::smux::{Command, Decoder, Frame};
use session_agent::{AgentSettings, Mode, Settings, Stand, What};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::client::{Client, Manner, open, open_as};
use crate::{bytes, echo};

pub const REMOTE: &str = "AWS-StartPortForwardingSessionToRemoteHost";

pub fn to(host: &str, port: u16) -> Value {
    json!({"host": [host], "portNumber": [port.to_string()], "localPortNumber": ["0"]})
}

pub async fn stand(agent: AgentSettings) -> Stand {
    Stand::start(Settings { agent, ..Settings::default() }).await.unwrap()
}

/// smux on a client's side, enough to try the agent's.
pub struct Mux {
    pub client: Client,
    decoder: Decoder,
    pub said: BTreeMap<u32, Vec<u8>>,
    pub closed: Vec<u32>,
    pub refusals: usize,
}

impl Mux {
    pub fn new(client: Client) -> Self {
        Self { client, decoder: Decoder::default(), said: BTreeMap::new(), closed: Vec::new(), refusals: 0 }
    }

    pub async fn send(&self, frame: Frame) {
        self.client.say.send((payload::OUTPUT, frame.encode())).await.unwrap();
    }

    pub async fn syn(&self, stream: u32) {
        self.send(Frame::bare(Command::Syn, stream)).await;
    }

    pub async fn push(&self, stream: u32, body: impl Into<Bytes>) {
        self.send(Frame { command: Command::Push, stream, body: body.into() }).await;
    }

    /// Reads one payload.
    pub async fn read(&mut self) {
        let heard = timeout(Duration::from_secs(20), self.client.hear.recv()).await;
        match heard.expect("nothing in 20 s").expect("the channel is closed") {
            (payload::OUTPUT, bytes) => self.decoder.push(&bytes),
            (payload::FLAG, bytes) => {
                assert_eq!(bytes.as_ref(), flag::CONNECT_TO_PORT_ERROR.to_be_bytes());
                self.refusals += 1;
            }
            other => panic!("{other:?}"),
        }
        while let Some(frame) = self.decoder.frame().unwrap() {
            match frame.command {
                Command::Push => self.said.entry(frame.stream).or_default().extend_from_slice(&frame.body),
                Command::Fin => self.closed.push(frame.stream),
                Command::Nop => {}
                Command::Syn => panic!("an agent opens no stream"),
            }
        }
    }

    pub async fn until_said(&mut self, stream: u32, length: usize) -> Vec<u8> {
        while self.said.get(&stream).map_or(0, Vec::len) < length {
            self.read().await;
        }
        self.said.remove(&stream).unwrap()
    }

    pub async fn until_closed(&mut self, stream: u32) {
        while !self.closed.contains(&stream) {
            self.read().await;
        }
    }
}

fn modes(stand: &Stand) -> Vec<Mode> {
    let mode = |what| if let What::Ready { mode, .. } = what { Some(mode) } else { None };
    stand.events().into_iter().filter_map(|event| mode(event.what)).collect()
}

#[tokio::test]
async fn many_streams_share_a_session_and_none_loses_a_byte() {
    let stand = stand(AgentSettings::default().place("db.internal", 5432, echo().await)).await;
    let mut mux = Mux::new(open(&stand, REMOTE, to("db.internal", 5432)).await);
    let all = bytes(300_000);
    let streams: Vec<u32> = (0..8).map(|it| 3 + 2 * it).collect();
    for stream in &streams {
        mux.syn(*stream).await;
    }
    for (piece, stream) in all.chunks(10_000).zip(streams.iter().cycle()) {
        mux.push(*stream, piece.to_vec()).await;
    }
    for (at, stream) in streams.iter().enumerate() {
        let expected: Vec<u8> = all.chunks(10_000).skip(at).step_by(8).flatten().copied().collect();
        assert_eq!(mux.until_said(*stream, expected.len()).await, expected, "stream {stream}");
        mux.send(Frame::bare(Command::Fin, *stream)).await;
        mux.until_closed(*stream).await;
    }
    assert_eq!(modes(&stand), [Mode::Smux]);
    let terminate = Bytes::copy_from_slice(&flag::TERMINATE_SESSION.to_be_bytes());
    mux.client.say.send((payload::FLAG, terminate)).await.unwrap();
    assert_eq!(mux.client.closed.await.unwrap(), "terminated by the client's flag");
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn a_line_feed_stays_a_line_feed_at_every_boundary() {
    let stand = stand(AgentSettings::default().place("db.internal", 5432, echo().await)).await;
    let mut mux = Mux::new(open(&stand, REMOTE, to("db.internal", 5432)).await);
    mux.syn(3).await;
    for length in [1, 1016, 1017, 1018, 1023, 1024, 1025] {
        let mut body = bytes(length - 1);
        body.push(b'\n');
        mux.push(3, body.clone()).await;
        assert_eq!(mux.until_said(3, length).await, body, "{length}");
    }
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn what_cannot_be_reached_is_said_and_the_session_lives() {
    let settings = AgentSettings::default().place("db.internal", 5432, SocketAddr::from(([127, 0, 0, 1], 1)));
    let stand = stand(settings).await;
    let mut mux = Mux::new(open(&stand, REMOTE, to("db.internal", 5432)).await);
    mux.syn(3).await;
    mux.until_closed(3).await;
    mux.syn(5).await;
    mux.until_closed(5).await;
    assert_eq!(mux.refusals, 2);
    let unknown = open(&stand, REMOTE, to("nowhere.internal", 5432)).await;
    let mut unknown = Mux::new(unknown);
    unknown.syn(3).await;
    unknown.until_closed(3).await;
    let metadata = open(&stand, REMOTE, to("169.254.169.254", 80)).await;
    assert_eq!(metadata.closed.await.unwrap(), "Forwarding to IP address 169.254.169.254 is forbidden.");
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn a_name_is_looked_up_once_a_session() {
    let first = echo().await;
    let stand = stand(AgentSettings::default().place("db.internal", 5432, first)).await;
    let mut old = Mux::new(open(&stand, REMOTE, to("db.internal", 5432)).await);
    stand.place("db.internal", 5432, SocketAddr::from(([127, 0, 0, 1], 1)));
    old.syn(3).await;
    old.push(3, "still there").await;
    assert_eq!(old.until_said(3, 11).await, b"still there");
    let mut new = Mux::new(open(&stand, REMOTE, to("db.internal", 5432)).await);
    new.syn(3).await;
    new.until_closed(3).await;
}

/// A port that says a byte and closes, and one that never reads.
async fn odd_ports() -> (SocketAddr, SocketAddr) {
    let (brief, deaf) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let addresses = (brief.local_addr().unwrap(), deaf.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = brief.accept().await {
            let _ = tcp.write_all(b"!").await;
        }
    });
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok(accepted) = deaf.accept().await {
            kept.push(accepted);
        }
    });
    addresses
}

#[tokio::test]
async fn a_port_that_closes_closes_its_stream() {
    let (brief, _) = odd_ports().await;
    let stand = stand(AgentSettings::default().place("db.internal", 1, brief)).await;
    let mut mux = Mux::new(open(&stand, REMOTE, to("db.internal", 1)).await);
    mux.syn(3).await;
    mux.until_closed(3).await;
    assert_eq!(mux.said[&3], b"!");
}

#[tokio::test]
async fn a_stalled_reader_stalls_all_once_the_bucket_is_full() {
    let (_, deaf) = odd_ports().await;
    let stand = stand(AgentSettings::default().place("db.internal", 1, deaf)).await;
    let mux = Mux::new(open(&stand, REMOTE, to("db.internal", 1)).await);
    mux.syn(3).await;
    let mut sent = 0_usize;
    let body = Bytes::from(bytes(32_000));
    // The bucket, the sockets' own buffers and the client's window are finite.
    while timeout(Duration::from_secs(2), mux.push(3, body.clone())).await.is_ok() {
        sent += body.len();
        assert!(sent < 64 << 20, "nothing holds the client back");
    }
    assert!(sent > 4 << 20, "{sent}");
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn an_old_agent_has_one_connection_and_opens_it_again() {
    let settings = AgentSettings { version: "3.0.196.0".into(), ..AgentSettings::default() };
    let stand = stand(settings.place("db.internal", 5432, echo().await)).await;
    let mut client = open(&stand, REMOTE, to("db.internal", 5432)).await;
    for round in 0..3 {
        client.say.send((payload::OUTPUT, Bytes::from_static(b"hello"))).await.unwrap();
        assert_eq!(
            client.hear.recv().await.unwrap(),
            (payload::OUTPUT, Bytes::from_static(b"hello")),
            "{round}"
        );
        let disconnect = Bytes::copy_from_slice(&flag::DISCONNECT_TO_PORT.to_be_bytes());
        client.say.send((payload::FLAG, disconnect)).await.unwrap();
    }
    let connected = stand.events().into_iter().filter(|it| matches!(it.what, What::Connected { .. })).count();
    assert_eq!((connected, modes(&stand)), (3, vec![Mode::Basic]));
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn an_old_client_gets_basic_mode_too() {
    let stand = stand(AgentSettings::default().place("db.internal", 5432, echo().await)).await;
    let manner = Manner { version: "1.1.61.0", ..Manner::default() };
    let mut client = open_as(&stand, manner, REMOTE, to("db.internal", 5432)).await;
    client.say.send((payload::OUTPUT, Bytes::from_static(b"hello"))).await.unwrap();
    assert_eq!(client.hear.recv().await.unwrap().1.as_ref(), b"hello");
    assert_eq!(modes(&stand), [Mode::Basic]);
}

#[tokio::test]
async fn ssh_goes_raw_to_the_instance_and_ends_with_its_connection() {
    let (brief, _) = odd_ports().await;
    let stand = stand(AgentSettings { sshd: Some(brief), ..AgentSettings::default() }).await;
    let mut client = open(&stand, "AWS-StartSSHSession", json!({"portNumber": ["22"]})).await;
    assert_eq!(client.hear.recv().await.unwrap(), (payload::OUTPUT, Bytes::from_static(b"!")));
    assert_eq!(client.closed.await.unwrap(), "Connection to destination port closed");
    assert_eq!((modes(&stand), stand.violations()), (vec![Mode::Raw], vec![]));
}

#[tokio::test]
async fn until_the_port_is_open_nothing_is_acknowledged() {
    let opens = Duration::from_millis(700);
    let settings = AgentSettings { port_opens_after: opens, ..AgentSettings::default() };
    let stand = stand(settings.place("db.internal", 5432, echo().await)).await;
    let start = Instant::now();
    let mut mux = Mux::new(open(&stand, REMOTE, to("db.internal", 5432)).await);
    mux.syn(3).await;
    mux.push(3, "hello").await;
    assert_eq!(mux.until_said(3, 5).await, b"hello");
    assert!(start.elapsed() >= opens);
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn a_client_that_does_not_shake_hands_is_told() {
    let settings = AgentSettings { handshake_waits: Duration::from_millis(300), ..AgentSettings::default() };
    let stand = stand(settings).await;
    let manner = Manner::default();
    let (_, token, url) = crate::client::start(&stand, &manner.who, REMOTE, to("db.internal", 1)).await;
    let mut socket = crate::client::join(&manner, &url, &token).await;
    let mut last = None;
    while let Ok(Some(Ok(frame))) =
        timeout(Duration::from_secs(2), futures_util::StreamExt::next(&mut socket)).await
    {
        if let tokio_tungstenite::tungstenite::Message::Binary(frame) = frame {
            last = Some(session_agent::message::Message::decode(&frame).unwrap());
        }
    }
    let last = last.unwrap();
    assert_eq!(last.kind, session_agent::message::Kind::ChannelClosed);
    assert!(String::from_utf8_lossy(&last.payload).contains("Handshake timed out"), "{last:?}");
}

#[tokio::test]
async fn a_slow_agent_is_as_slow_as_the_stock_one() {
    let settings = AgentSettings { slow: true, ..AgentSettings::default() };
    let source = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stand = stand(settings.place("db.internal", 1, source.local_addr().unwrap())).await;
    tokio::spawn(async move {
        let (mut tcp, _) = source.accept().await.unwrap();
        tcp.write_all(&bytes(600_000)).await.unwrap();
        let _ = tcp.read(&mut [0]).await;
    });
    let mut mux = Mux::new(open(&stand, REMOTE, to("db.internal", 1)).await);
    let start = Instant::now();
    mux.syn(3).await;
    assert_eq!(mux.until_said(3, 600_000).await, bytes(600_000));
    let rate = 0.6 / start.elapsed().as_secs_f64();
    // A busy machine makes it slower; nothing makes it faster.
    assert!((0.05..0.70).contains(&rate), "{rate} MB/s");
}

#[tokio::test]
async fn a_killed_agent_says_nothing_more() {
    let stand = stand(AgentSettings::default().place("db.internal", 5432, echo().await)).await;
    let mut mux = Mux::new(open(&stand, REMOTE, to("db.internal", 5432)).await);
    mux.syn(3).await;
    mux.push(3, "hello").await;
    mux.until_said(3, 5).await;
    stand.kill_agent();
    mux.push(3, "hello?").await;
    assert!(timeout(Duration::from_secs(1), mux.client.hear.recv()).await.is_err());
    assert!(timeout(Duration::from_millis(1), mux.client.closed).await.is_err());
}
