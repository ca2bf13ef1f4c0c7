//! Somebody elsewhere, who comes from an address of her own.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::server::House;

/// Where she is.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 9);
/// How long she waits for a connection, and for each part of an answer.
const WAITS: Duration = Duration::from_secs(5);

/// A client of the API that makes a connection for each call.
pub struct Visitor {
    server: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

/// Gives a house a certificate: its text.
pub fn certificate(house: &House) -> Vec<u8> {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let write = |name: &str, text: String| std::fs::write(house.folder().join(name), text).expect("a file");
    write("server.pem", pair.cert.pem());
    write("server.key", pair.signing_key.serialize_pem());
    let policy = std::fs::read_to_string(house.policy()).expect("a policy");
    let tls = "tls = { certificate = \"server.pem\", key = \"server.key\" }\nstore = ";
    std::fs::write(house.policy(), policy.replace("store = ", tls)).expect("a policy");
    pair.cert.pem().into_bytes()
}

/// A client that trusts one certificate.
pub fn trusting(pem: &[u8]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(config.expect("versions").with_root_certificates(roots).with_no_client_auth())
}

impl Visitor {
    pub fn new(server: SocketAddr, pem: Option<&[u8]>) -> Self {
        Self { server, tls: pem.map(trusting) }
    }

    /// One call: the status and the JSON.
    pub fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> io::Result<(u16, Value)> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((ADDRESS, 0)).into())?;
        socket.connect_timeout(&self.server.into(), WAITS)?;
        let stream = std::net::TcpStream::from(socket);
        stream.set_read_timeout(Some(WAITS))?;
        stream.set_write_timeout(Some(WAITS))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{token}\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = match &self.tls {
            Some(config) => {
                let name = "localhost".try_into().expect("a name");
                let client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                ask(StreamOwned::new(client, stream), &request)?
            }
            None => ask(stream, &request)?,
        };
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no answer: {answer:?}")))?;
        Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }
}

fn ask(mut stream: impl Read + Write, request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // The end of TLS is not said by everybody.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        done => {
            done?;
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
