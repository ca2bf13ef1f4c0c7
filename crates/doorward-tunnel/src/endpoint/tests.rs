//! An Instance Connect Endpoint, played.

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;

use super::*;
use crate::websocket::Proxies;

struct Signed(String);

impl Tunnels for Signed {
    fn open_url<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<String, String>> {
        Box::pin(async move {
            if to.port == 5432 {
                return Err("only the ports 22 and 3389 can be reached".to_owned());
            }
            Ok(format!("{}/openTunnel?remotePort={}&X-Amz-Signature=secret", self.0, to.port))
        })
    }
}

fn connector() -> Connector {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    Connector::new(tls, Proxies::default())
}

fn to(port: u16) -> Destination {
    Destination { host: "10.0.0.7".parse().unwrap(), port }
}

/// An endpoint that does this with one websocket.
async fn endpoint<A: Future<Output = ()> + Send + 'static>(
    each: impl FnOnce(WebSocketStream<TcpStream>) -> A + Send + 'static,
) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        each(tokio_tungstenite::accept_async(stream).await.unwrap()).await;
    });
    Endpoint::new(Arc::new(Signed(url)), connector())
}

async fn dialled(endpoint: Endpoint) -> BoxedStream {
    endpoint.dial(&to(22)).await.unwrap_or_else(|error| panic!("{}", in_words(&error)))
}

#[tokio::test]
async fn binary_frames_are_a_stream() {
    let endpoint = endpoint(|mut socket| async move {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Binary(data) = message {
                socket.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
                socket.send(Message::Binary(data)).await.unwrap();
            }
        }
    });
    let mut stream = dialled(endpoint.await).await;
    let sent: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut back = vec![0; sent.len()];
    let (mut read, mut write) = tokio::io::split(&mut stream);
    let sending = async {
        write.write_all(&sent).await.unwrap();
        write.flush().await.unwrap();
    };
    tokio::join!(sending, async { read.read_exact(&mut back).await.unwrap() });
    assert_eq!(sent, back);
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut back).await.unwrap(), 0);
}

/// What is read when the endpoint sends this and goes.
async fn check(last: Option<Message>, expected: Result<(), &str>) {
    let endpoint = endpoint(|mut socket| async move {
        socket.send(Message::Binary(Bytes::from_static(b"SSH-2.0"))).await.unwrap();
        if let Some(last) = last {
            socket.send(last).await.unwrap();
        }
    });
    let mut stream = dialled(endpoint.await).await;
    let mut read = Vec::new();
    let ended = stream.read_to_end(&mut read).await.map(drop);
    assert_eq!(read, b"SSH-2.0");
    match (ended, expected) {
        (Ok(()), Ok(())) => {}
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
        (ended, expected) => panic!("{ended:?} and not {expected:?}"),
    }
}

#[tokio::test]
async fn every_end_but_the_normal_one_is_an_error_in_words() {
    let close = |code: u16, reason: &'static str| {
        Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
    };
    check(Some(close(1000, "bye")), Ok(())).await;
    check(Some(Message::Close(None)), Ok(())).await;
    check(Some(close(1008, "Tunnel duration exceeded")), Err("Tunnel duration exceeded (code 1008)")).await;
    check(Some(Message::text("hello")), Err("sent a text message")).await;
    check(None, Err("")).await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_said_without_the_signature() {
    let endpoint = Endpoint::new(Arc::new(Signed("ws://127.0.0.1:1".to_owned())), connector());
    let refused = in_words(&endpoint.dial(&to(5432)).await.err().unwrap());
    assert!(refused.contains("only the ports"), "{refused}");
    let nobody = in_words(&endpoint.dial(&to(22)).await.err().unwrap());
    assert!(!nobody.contains("secret"), "{nobody}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 2048]).await;
        let answer = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 9\r\n\r\nexpired\r\n";
        stream.write_all(answer).await.unwrap();
    });
    let forbidden = Endpoint::new(Arc::new(Signed(url)), connector()).dial(&to(22)).await.err().unwrap();
    let forbidden = in_words(&forbidden);
    assert!(forbidden.contains("403") && !forbidden.contains("secret"), "{forbidden}");
}
