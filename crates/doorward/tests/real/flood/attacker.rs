//! Whoever opens connections and does nothing with them, or never pauses, in a program of its own.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::field::ATTACKERS;
use super::person::{certificate_of_server, trusting};
use super::talk::{self, talk};

/// Bytes both ways.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How long an attacker that was put out waits before it comes again; with a handshake, which takes ten times as long in a
/// build for tests, both sides of them on this machine.
const COMES_AGAIN: Duration = Duration::from_secs(15);
const COMES_AGAIN_BY_TLS: Duration = Duration::from_secs(60);
const COMES_AGAIN_TO_TALK: Duration = Duration::from_millis(100);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const POST: &[u8] =
    b"POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{";

/// Opens `count` connections of a kind, so many of them at once, and keeps at it until its input ends. When each has been
/// tried once it says how many that were, and how many of them were refused or came to nothing.
pub fn attack(kind: &str, address: &str, count: &str, at_once: &str) {
    let (address, count): (SocketAddr, u32) =
        (address.parse().expect("an address"), count.parse().expect("a count"));
    // Attackers are elsewhere: the processors that they need are not the server's.
    let _ = rustix::process::nice(10);
    let tls = (kind == "tls").then(connector);
    let comes_again = match kind {
        "tls" => COMES_AGAIN_BY_TLS,
        kind if talk::KINDS.contains(&kind) => COMES_AGAIN_TO_TALK,
        _ => COMES_AGAIN,
    };
    let kind: Arc<str> = kind.into();
    runtime().block_on(async {
        let window = Arc::new(Semaphore::new(at_once.parse().expect("a count")));
        let (tried, unanswered) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        if let Some(tls) = &tls {
            // The session of this handshake is what the others resume.
            let _ = speaks(connect(None, address).await, Some(tls)).await;
        }
        for _ in 0..count {
            let (kind, tls, window) = (Arc::clone(&kind), tls.clone(), Arc::clone(&window));
            let (tried, unanswered) = (Arc::clone(&tried), Arc::clone(&unanswered));
            tokio::spawn(async move {
                loop {
                    let turn = window.acquire().await.expect("a turn");
                    let stream = speaks(connect(None, address).await, tls.as_ref()).await;
                    drop(turn);
                    tried.fetch_add(1, Ordering::Relaxed);
                    match stream {
                        // However it is put out, it comes again.
                        Ok(stream) => drop(hold(&kind, stream).await),
                        Err(_) => {
                            unanswered.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    tokio::time::sleep(comes_again).await;
                }
            });
        }
        while tried.load(Ordering::Relaxed) < count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("{count} {}", unanswered.load(Ordering::Relaxed));
        until_told().await;
    });
}

/// Fills a relay: its upstream is here as well. Says with how many, when twenty more were turned away.
pub fn fill(relay: &str, upstream: &str) {
    let relay: SocketAddr = relay.parse().expect("an address");
    runtime().block_on(async {
        let upstream = TcpListener::bind(upstream).await.expect("it listens");
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = upstream.accept().await {
                held.push(stream);
            }
        });
        // Its first ruleset may still be on its way; until then it admits nobody.
        let (mut held, mut refused) = (Vec::new(), 0);
        while held.is_empty() || refused < 20 {
            let each = if held.is_empty() { 1 } else { 4 };
            let mut batch = Vec::new();
            for number in (1..=ATTACKERS).cycle().take(each * usize::from(ATTACKERS)) {
                let source = Ipv4Addr::new(9, 2, 0, number);
                batch.push(tokio::spawn(async move { stays(connect(Some(source), relay).await?).await }));
            }
            for stays in batch {
                match stays.await.expect("a task") {
                    Ok(stream) => held.push(stream),
                    Err(_) if held.is_empty() => {}
                    Err(_) => refused += 1,
                }
            }
        }
        println!("full with {}", held.len());
        until_told().await;
    });
}

/// A connection that is not ended soon.
async fn stays(stream: TcpStream) -> io::Result<TcpStream> {
    let ends = tokio::time::timeout(Duration::from_millis(150), stream.readable()).await;
    if ends.is_ok() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(stream) }
}

/// Goes on until its input ends, and then no longer.
async fn until_told() {
    let _ = io::stdout().flush();
    let told = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
    let _ = told.await;
    std::process::exit(0);
}

async fn connect(source: Option<Ipv4Addr>, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(source) = source {
        socket.bind((source, 0).into())?;
    }
    tokio::time::timeout(Duration::from_secs(3), socket.connect(address)).await?
}

/// A connection after the handshake of TLS, where there is TLS.
async fn speaks(stream: io::Result<TcpStream>, tls: Option<&TlsConnector>) -> io::Result<Box<dyn Stream>> {
    let stream = stream?;
    let Some(tls) = tls else { return Ok(Box::new(stream)) };
    let name = "localhost".try_into().expect("a name");
    let stream = tokio::time::timeout(Duration::from_secs(10), tls.connect(name, stream)).await??;
    Ok(Box::new(stream))
}

async fn hold(kind: &str, stream: Box<dyn Stream>) -> io::Result<()> {
    match kind {
        "silent" | "tls" => wait(stream, &[]).await,
        "byte" => wait(stream, b"P").await,
        "h2" => wait(stream, PREFACE).await,
        "body" => wait(stream, POST).await,
        kind => talk(kind, stream).await,
    }
}

/// Says something, goes on with a byte every second where that was the beginning of a body, and waits to be put out.
async fn wait(mut stream: Box<dyn Stream>, says: &[u8]) -> io::Result<()> {
    stream.write_all(says).await?;
    let mut bytes = [0; 1024];
    loop {
        match tokio::time::timeout(Duration::from_secs(1), stream.read(&mut bytes)).await {
            Ok(Ok(0) | Err(_)) => return Ok(()),
            Err(_) if says == POST => stream.write_all(b" ").await?,
            Ok(Ok(_)) | Err(_) => {}
        }
    }
}

/// Of TLS 1.2, whose sessions are resumed without a signature: a flood is to be done with handshakes, and this machine's
/// processors are the server's as well.
fn connector() -> TlsConnector {
    let pem = certificate_of_server().expect("a certificate");
    TlsConnector::from(trusting(&pem, &[&rustls::version::TLS12]))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
