//! Whoever opens connections and does nothing with them, in a program of its own.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

/// The environment variable that names the server's certificate.
pub const PEM: &str = "DOORWARD_PROBE_PEM";
/// How long the first wave may take.
const WAVE: Duration = Duration::from_secs(20);
/// How many connections are being made at once.
const AT_ONCE: usize = 512;
/// How long an attacker that was put out waits before it comes again.
const COMES_AGAIN: Duration = Duration::from_secs(15);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const POST: &[u8] =
    b"POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{";

/// Opens `count` connections from so many addresses, each of that kind, and keeps at it until its input ends.
pub fn attack(kind: &str, address: &str, count: &str, addresses: &str) {
    let (address, count): (SocketAddr, u32) =
        (address.parse().expect("an address"), count.parse().expect("a count"));
    let addresses: u32 = addresses.parse().expect("a count");
    let tls = (kind == "tls").then(connector);
    let kind: Arc<str> = kind.into();
    runtime().block_on(async {
        let window = Arc::new(Semaphore::new(AT_ONCE));
        let made = Arc::new(AtomicU32::new(0));
        let begun = Instant::now();
        for number in 0..count {
            let source = Ipv4Addr::new(9, 1, 0, u8::try_from(number % addresses + 1).expect("an address"));
            let (kind, tls, window, made) =
                (Arc::clone(&kind), tls.clone(), Arc::clone(&window), Arc::clone(&made));
            tokio::spawn(async move {
                loop {
                    let turn = window.acquire().await.expect("a turn");
                    let stream = connect(source, address).await;
                    made.fetch_add(1, Ordering::Relaxed);
                    if let Ok(stream) = stream {
                        // A handshake may be cut short: that is the server's good right.
                        let _ = hold(&kind, tls.as_ref(), stream, turn).await;
                    }
                    tokio::time::sleep(COMES_AGAIN).await;
                }
            });
        }
        while made.load(Ordering::Relaxed) < count && begun.elapsed() < WAVE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("{} connections tried in {:?}", made.load(Ordering::Relaxed), begun.elapsed());
        let _ = io::stdout().flush();
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()))
            .await
            .expect("a thread")
            .ok();
        std::process::exit(0);
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
        while held.is_empty() {
            let stream = connect(Ipv4Addr::new(9, 2, 0, 1), relay).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            if let Ok(stream) = stream
                && stays(&stream).await
            {
                held.push(stream);
            }
        }
        while refused < 20 {
            let mut batch = Vec::new();
            for number in 1..=50 {
                match connect(Ipv4Addr::new(9, 2, 0, number), relay).await {
                    Ok(stream) => batch.push(stream),
                    Err(_) => refused += 1,
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            for stream in batch {
                match stays(&stream).await {
                    true => held.push(stream),
                    false => refused += 1,
                }
            }
        }
        println!("full with {}", held.len());
        let _ = io::stdout().flush();
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()))
            .await
            .expect("a thread")
            .ok();
        std::process::exit(0);
    });
}

/// Whether a connection is not reset at once.
async fn stays(stream: &TcpStream) -> bool {
    let mut byte = [0; 1];
    tokio::time::timeout(Duration::from_millis(3), stream.peek(&mut byte)).await.is_err()
}

async fn connect(source: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    tokio::time::timeout(Duration::from_secs(3), socket.connect(address)).await?
}

async fn hold<T>(kind: &str, tls: Option<&TlsConnector>, stream: TcpStream, turn: T) -> io::Result<()> {
    if let Some(tls) = tls {
        let name = "localhost".try_into().expect("a name");
        let stream = tokio::time::timeout(Duration::from_secs(10), tls.connect(name, stream)).await??;
        drop(turn);
        return wait(stream, &[]).await;
    }
    drop(turn);
    match kind {
        "silent" => wait(stream, &[]).await,
        "byte" => wait(stream, b"P").await,
        "h2" => wait(stream, PREFACE).await,
        "body" => wait(stream, POST).await,
        _ => Err(io::Error::other("no such kind")),
    }
}

/// Says something, goes on with a byte every second where that was the beginning of a body, and waits to be put out.
async fn wait(mut stream: impl AsyncRead + AsyncWrite + Unpin, says: &[u8]) -> io::Result<()> {
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

fn connector() -> TlsConnector {
    let pem = std::fs::read(std::env::var_os(PEM).expect("a path")).expect("a certificate");
    TlsConnector::from(super::person::trusting(&pem))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
