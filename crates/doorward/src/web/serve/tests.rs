//! Listening for real: on loopback, plain and with certificates made for the moment.

mod bare;
mod faults;
mod http2;
mod proxied;
mod smuggled;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use doorward_core::policy::{Server, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::life::Times;
use super::{Error, Listener, read_again};
use crate::web::testing::{House, policy};

fn server(tls: Option<Tls>) -> Server {
    Server { listen: (Ipv4Addr::LOCALHOST, 0).into(), url: None, tls, ..policy().server }
}

/// Writes a new certificate and its key, and returns the certificate's PEM.
fn write_pair(folder: &Path) -> (Tls, String) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
    fs::write(&certificate, pair.cert.pem()).expect("a certificate");
    fs::write(&key, pair.signing_key.serialize_pem()).expect("a key");
    let text = |path: PathBuf| path.to_str().expect("a path").to_owned();
    (Tls { certificate: text(certificate), key: text(key) }, pair.cert.pem())
}

/// Asks for health over TLS, trusting that certificate alone: the status and the security header.
async fn health(url: String, trusted: String) -> Result<(u16, String), ureq::Error> {
    let asked = tokio::task::spawn_blocking(move || {
        let root = Certificate::from_pem(trusted.as_bytes()).expect("a certificate");
        let roots = RootCerts::new_with_certs(&[root.to_owned()]);
        let config = ureq::Agent::config_builder().tls_config(TlsConfig::builder().root_certs(roots).build());
        let answer = config.build().new_agent().get(url).call()?;
        let secure = answer.headers().get("strict-transport-security");
        let secure = secure.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        Ok((answer.status().as_u16(), secure))
    });
    asked.await.expect("a thread")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
    let house = House::new("").await;
    let (files, first) = write_pair(house.folder());
    let listener = Listener::bind(&server(Some(files.clone()))).await.expect("a listener");
    assert!(listener.url().starts_with("https://127.0.0.1:"), "{}", listener.url());
    let (_, mut contents, certificate) = listener.tls.clone().expect("a certificate");
    let url = listener.url().replace("127.0.0.1", "localhost") + "/api/v1/healthz";
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(listener.serve(house.web(), async {
        let _ = stopped.await;
    }));
    assert_eq!(health(url.clone(), first.clone()).await.expect("an answer").0, 200);

    fs::write(&files.certificate, "nonsense").expect("a file");
    read_again(&files, &mut contents, &certificate).expect_err("nonsense");
    assert_eq!(health(url.clone(), first.clone()).await.expect("an answer").0, 200);

    let (_, second) = write_pair(house.folder());
    read_again(&files, &mut contents, &certificate).expect("a new one");
    assert_eq!(health(url.clone(), second).await.expect("an answer").0, 200);
    assert!(health(url, first).await.is_err(), "the old one is gone");
    stop.send(()).expect("a server");
    assert!(serving.await.expect("a task").is_ok());
}

async fn refused(server: &Server) -> String {
    let Err(error) = Listener::bind(server).await else { panic!("it listens") };
    error.to_string()
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let (good, _) = write_pair(folder.path());
    let other = tempfile::tempdir().expect("a folder");
    let (another, _) = write_pair(other.path());
    let absent = Tls { certificate: "/nonexistent.pem".into(), ..good.clone() };
    assert_eq!(refused(&server(Some(absent))).await, "`/nonexistent.pem` cannot be read");
    let swapped = Tls { certificate: good.key.clone(), key: good.key.clone() };
    let said = refused(&server(Some(swapped))).await;
    assert_eq!(said, format!("`{}` has no certificate in PEM form", good.key));
    let no_key = Tls { key: good.certificate.clone(), ..good.clone() };
    let said = refused(&server(Some(no_key))).await;
    assert_eq!(said, format!("`{}` has no private key in PEM form", good.certificate));
    let mixed = Tls { key: another.key, ..good };
    assert!(refused(&server(Some(mixed))).await.ends_with("do not match"));
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let first = Listener::bind(&server(None)).await.expect("a listener");
    let listen = first.url().trim_start_matches("http://").parse().expect("an address");
    let second = Server { listen, ..server(None) };
    let Err(Error::Taken { address }) = Listener::bind(&second).await else { panic!("not taken") };
    assert_eq!(address, listen);
    assert_eq!(refused(&second).await, format!("{listen} is in use by another program"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_without_end_is_refused() {
    let house = House::new("").await;
    let listener = Listener::bind(&server(None)).await.expect("a listener");
    let address = listener.url().trim_start_matches("http://").to_owned();
    let (_stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(listener.serve(house.web(), async {
        let _ = stopped.await;
    }));
    for head in [
        format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000)),
        format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(200)),
    ] {
        let mut connection = TcpStream::connect(&address).await.expect("a connection");
        // It may hang up before all is sent.
        let _ = connection.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    serving.abort();
}

/// A server with short times, which ends with the test.
struct Short {
    house: House,
    address: std::net::SocketAddr,
    _stop: oneshot::Sender<()>,
}

const FILES: usize = 200;
const HEAD: Duration = Duration::from_millis(400);
const BODY: Duration = Duration::from_millis(400);
const WHOLE: Duration = Duration::from_millis(1200);
const IDLE: Duration = Duration::from_millis(800);

impl Short {
    async fn start(more: &str, tls: bool) -> Self {
        Self::answering(more, tls, |router| router).await
    }

    /// With other pages.
    async fn answering(more: &str, tls: bool, with: impl FnOnce(Router) -> Router) -> Self {
        let house = House::new(more).await;
        let tls = tls.then(|| write_pair(house.folder()).0);
        let listener = Listener::bind(&server(tls)).await.expect("a listener");
        let listener = Listener {
            times: Times { head: HEAD, body: BODY, whole: WHOLE, idle: IDLE },
            ..listener.within(FILES)
        };
        let address = listener.url().split_once("://").expect("a URL").1.parse().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let web = house.web();
        let router = with(super::router(Arc::clone(&web)));
        tokio::spawn(listener.answer(router, web, async {
            let _ = stopped.await;
        }));
        Self { house, address, _stop: stop }
    }

    fn certificate(&self) -> Vec<u8> {
        fs::read(self.house.folder().join("server.pem")).expect("a certificate")
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }
}

/// The handshake of a client that trusts a certificate and speaks one protocol.
async fn handshake(
    pem: &[u8],
    protocol: &str,
    stream: TcpStream,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(rustls::pki_types::pem::PemObject::from_pem_slice(pem).expect("a certificate"))
        .expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let name = "localhost".try_into().expect("a name");
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Sends pieces with a pause before each, and reads until the server ends it: what came, and after how long.
async fn until_it_ends(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    pieces: &[&[u8]],
) -> (Vec<u8>, Duration) {
    let (begun, mut read, mut pieces) = (Instant::now(), Vec::new(), pieces.iter());
    loop {
        let piece = pieces.next().copied().unwrap_or_default();
        // It may have hung up.
        let _ = stream.write_all(piece).await;
        let mut bytes = [0; 4096];
        match tokio::time::timeout(Duration::from_millis(50), stream.read(&mut bytes)).await {
            Ok(Ok(0) | Err(_)) => return (read, begun.elapsed()),
            Ok(Ok(count)) => read.extend(&bytes[..count]),
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(20), "it is never ended"),
        }
    }
}

fn is_about(took: Duration, limit: Duration) {
    assert!(
        took >= limit.mul_f32(0.8) && took < limit * 8 + Duration::from_secs(2),
        "{took:?}, and not {limit:?}"
    );
}

/// What a client of HTTP/2 begins with: the preface, and settings that say nothing (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_come_to_a_request_is_ended() {
    let short = Short::start("", false).await;
    let slowly: Vec<&[u8]> =
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: 0123456789012345678901234567890123456789"
            .chunks(1)
            .collect();
    let pieces: [&[&[u8]]; 5] = [&[], &[b"P"], &[b"GET / HTTP/1.1\r\n"], &slowly, &[PREFACE]];
    for pieces in pieces {
        let (read, took) = until_it_ends(short.connect().await, pieces).await;
        assert!(!read.starts_with(b"HTTP/1.1 200"), "{read:?}");
        is_about(took, HEAD);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_in_the_handshake_of_tls_and_after_it_is_one() {
    let short = Short::start("", true).await;
    for pieces in [&[][..], &[&b"\x16"[..]], &[&b"\x16\x03\x01\x02\x00\x01"[..]]] {
        is_about(until_it_ends(short.connect().await, pieces).await.1, HEAD);
    }
    let pem = short.certificate();
    for (protocol, said) in [("http/1.1", &b""[..]), ("http/1.1", b"G"), ("h2", b""), ("h2", PREFACE)] {
        let begun = Instant::now();
        let stream = handshake(&pem, protocol, short.connect().await).await.expect("a handshake");
        until_it_ends(stream, &[said]).await;
        is_about(begun.elapsed(), HEAD);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies_slow_readers_and_idle_clients_are_ended() {
    let short = Short::start("", false).await;
    // A body that does not come: the request is answered as one that is not whole, and the connection ends.
    let post = b"POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{";
    let slowly: Vec<&[u8]> = std::iter::once(&post[..]).chain(std::iter::repeat_n(&b" "[..], 400)).collect();
    for pieces in [&[&post[..]][..], &slowly] {
        let (read, took) = until_it_ends(short.connect().await, pieces).await;
        let answer = String::from_utf8_lossy(&read).into_owned();
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(took < BODY * 10 + Duration::from_secs(2), "{took:?}");
    }
    // Idle after an answer.
    let get = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let (read, took) = until_it_ends(short.connect().await, &[get]).await;
    assert!(read.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&read));
    assert!(took < IDLE * 10, "{took:?}");
    // Answers that are asked for and not read, more than the buffers hold.
    let mut deaf = short.connect().await;
    let begun = Instant::now();
    while deaf.write_all(&b"GET /sign-in HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(50)).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is never ended");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_stops_while_clients_hold_on() {
    let house = House::new("").await;
    let listener = Listener::bind(&server(None)).await.expect("a listener");
    let address = listener.url().trim_start_matches("http://").to_owned();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(listener.serve(house.web(), async {
        let _ = stopped.await;
    }));
    let mut held = Vec::new();
    for said in [
        &b""[..],
        b"G",
        PREFACE,
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        stream.write_all(said).await.expect("it is heard");
        held.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.send(()).expect("a server");
    let ended = tokio::time::timeout(Duration::from_secs(3), serving).await;
    assert!(ended.expect("it ends").expect("a task").is_ok());
    std::net::TcpListener::bind(&address).expect("its address is free");
    for mut stream in held {
        let mut rest = Vec::new();
        // An end or a reset: either way it is over.
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest))
            .await
            .expect("it is closed");
    }
}
