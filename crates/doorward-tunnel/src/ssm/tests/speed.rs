//! How fast one session takes bytes, to an agent that does nothing but acknowledge. Asked for by name, in a release build.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::*;
use crate::ssm::message::{Draft, HEADER, Header, Kind, Message, PayloadType, Uuid};

struct Sink(std::net::SocketAddr);

impl Sessions for Sink {
    fn start<'a>(&'a self, _: &'a Destination) -> Answer<'a, Result<Opened, SessionError>> {
        let url = format!("ws://{}/", self.0);
        Box::pin(async move { Ok(Opened { session: "jon-0".to_owned(), token: "token".to_owned(), url }) })
    }
    fn resume<'a>(&'a self, _: &'a str) -> Answer<'a, Result<Opened, SessionError>> {
        Box::pin(async { Err(SessionError::TimedOut) })
    }
    fn terminate<'a>(&'a self, _: &'a str) -> Answer<'a, Result<(), SessionError>> {
        Box::pin(async { Ok(()) })
    }
    fn upgrade<'a>(&'a self, url: &'a str) -> Answer<'a, Result<http::Request<()>, SessionError>> {
        Box::pin(async move { Ok(http::Request::get(url).body(()).unwrap()) })
    }
    fn data_key<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Result<DataKey, SessionError>> {
        Box::pin(async { Err(SessionError::TimedOut) })
    }
}

fn sealed(kind: Kind, sequence: i64, payload: PayloadType, text: &str) -> Frame {
    let header = Header { kind, created: 1, sequence, flags: 3, id: Uuid([1; 16]), payload };
    Frame::Binary(Draft::of(text.as_bytes()).seal(&header))
}

/// Bytes that came, when all have come.
async fn swallow(listener: TcpListener, kind: &'static str) {
    let (stream, _) = listener.accept().await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    socket.next().await.unwrap().unwrap();
    let request = format!(
        r#"{{"AgentVersion":"3.3.0.0","RequestedClientActions":[{{"ActionType":"SessionType","ActionParameters":{{"SessionType":"Port","Properties":{{"type":"{kind}"}}}}}}]}}"#
    );
    socket.send(sealed(Kind::Output, 0, PayloadType::HandshakeRequest, &request)).await.unwrap();
    while let Some(Ok(frame)) = socket.next().await {
        let Frame::Binary(frame) = frame else { continue };
        let mut place = frame.slice(48..56);
        let sequence = place.get_i64();
        if frame.slice(4..16) == Bytes::from_static(b"acknowledge ") {
            continue;
        }
        let acknowledgement = format!(
            r#"{{"AcknowledgedMessageType":"input_stream_data","AcknowledgedMessageId":"00000000-0000-0000-0000-000000000000","AcknowledgedMessageSequenceNumber":{sequence},"IsSequentialMessage":true}}"#
        );
        socket.feed(sealed(Kind::Acknowledge, 0, PayloadType::None, &acknowledgement)).await.unwrap();
        if sequence == 0 {
            socket.feed(sealed(Kind::Output, 1, PayloadType::HandshakeComplete, "{}")).await.unwrap();
            assert_eq!(Message::decode(frame.clone()).unwrap().payload.len(), frame.len() - HEADER);
        }
        socket.flush().await.unwrap();
    }
}

async fn measure(kind: &'static str, most: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink: Arc<dyn Sessions> = Arc::new(Sink(listener.local_addr().unwrap()));
    tokio::spawn(swallow(listener, kind));
    let limits = Limits { payload: most, ..Limits::default() };
    let raw = Raw::new(sink, connector(), limits, crate::news::nobody());
    let mut stream = raw.dial(&database()).await.unwrap();
    let piece = vec![7; 64 << 10];
    let (start, mut sent) = (Instant::now(), 0_usize);
    while start.elapsed() < Duration::from_secs(4) {
        stream.write_all(&piece).await.unwrap();
        sent += piece.len();
    }
    stream.flush().await.unwrap();
    let rate = sent as f64 / start.elapsed().as_secs_f64() / 1e6;
    println!("{kind}, payloads to {most}: {rate:.0} MB/s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: cargo test --release -p doorward-tunnel --lib speed -- --ignored --nocapture"]
async fn how_fast_a_session_takes_bytes() {
    for most in [1 << 10, 16 << 10, 64 << 10] {
        measure("LocalPortForwarding", most).await;
        measure("raw", most).await;
    }
}
