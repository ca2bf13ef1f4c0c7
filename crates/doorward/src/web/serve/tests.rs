//! Listening for real: on loopback, plain and with certificates made for the moment.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use doorward_core::policy::{Server, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

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
    let (_, mut contents, config) = listener.tls.clone().expect("a certificate");
    let url = listener.url().replace("127.0.0.1", "localhost") + "/api/v1/healthz";
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(listener.serve(house.web(), async {
        let _ = stopped.await;
    }));
    assert_eq!(health(url.clone(), first.clone()).await.expect("an answer").0, 200);

    fs::write(&files.certificate, "nonsense").expect("a file");
    read_again(&files, &mut contents, &config).expect_err("nonsense");
    assert_eq!(health(url.clone(), first.clone()).await.expect("an answer").0, 200);

    let (_, second) = write_pair(house.folder());
    read_again(&files, &mut contents, &config).expect("a new one");
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
    assert!(refused(&server(Some(mixed))).await.ends_with("do not go together"));
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let first = Listener::bind(&server(None)).await.expect("a listener");
    let listen = first.url().trim_start_matches("http://").parse().expect("an address");
    let second = Server { listen, ..server(None) };
    let Err(Error::Taken { address }) = Listener::bind(&second).await else { panic!("not taken") };
    assert_eq!(address, listen);
    assert_eq!(refused(&second).await, format!("{listen} is taken: another program listens there"));
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
