//! Somebody elsewhere, who comes from an address of her own: a program that makes the calls that it is told of.

use std::io::{self, BufRead as _, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use serde_json::{Value, json};

use crate::netns::Probe;
use crate::server::House;

/// The environment variable that names the server's certificate; where that file is not, there is no TLS.
pub const PEM: &str = "DOORWARD_PROBE_PEM";
/// How long she waits for a connection, and for each part of an answer.
const WAITS: Duration = Duration::from_secs(5);

/// The person, as whoever tells her what to call sees her.
pub struct Person(Probe);

impl Person {
    /// By her program, that of the verb `visit`.
    pub fn new(program: Probe) -> Self {
        Self(program)
    }

    /// One call, by a connection of its own: the status and the JSON, or no status and the error.
    pub fn call(&mut self, method: &str, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
        self.0.tell(&json!([method, path, token, body]).to_string());
        let said = self.0.within(4 * WAITS).expect("an answer");
        serde_json::from_str(&said).expect("a status and a value")
    }
}

/// The person's program: makes each call that a line of its input names, and says what came.
pub fn visit(server: &str) {
    let server = server.parse().expect("an address");
    let tls = certificate_of_server().map(|pem| trusting(&pem, rustls::ALL_VERSIONS));
    for line in io::stdin().lock().lines() {
        let line = line.expect("a line");
        let (method, path, token, body): (String, String, Option<String>, Value) =
            serde_json::from_str(&line).expect("a call");
        let visitor = Visitor { server, tls: tls.clone() };
        let said = match visitor.call(&method, &path, token.as_deref(), &body) {
            Ok((status, value)) => json!([status, value]),
            Err(error) => json!([0, error.to_string()]),
        };
        println!("{said}");
    }
}

/// The certificate that [`PEM`] names, if there is one.
pub fn certificate_of_server() -> Option<Vec<u8>> {
    std::fs::read(std::env::var_os(PEM)?).ok()
}

/// Gives a house a certificate.
pub fn certificate(house: &House) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let write = |name: &str, text: String| std::fs::write(house.folder().join(name), text).expect("a file");
    write("server.pem", pair.cert.pem());
    write("server.key", pair.signing_key.serialize_pem());
    let policy = std::fs::read_to_string(house.policy()).expect("a policy");
    let tls = "tls = { certificate = \"server.pem\", key = \"server.key\" }\nstore = ";
    std::fs::write(house.policy(), policy.replace("store = ", tls)).expect("a policy");
}

/// A client that trusts one certificate, by one of these versions of TLS.
pub fn trusting(pem: &[u8], versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    Arc::new(config.expect("versions").with_root_certificates(roots).with_no_client_auth())
}

struct Visitor {
    server: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

impl Visitor {
    fn call(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> io::Result<(u16, Value)> {
        let stream = TcpStream::connect_timeout(&self.server, WAITS)?;
        stream.set_read_timeout(Some(WAITS))?;
        stream.set_write_timeout(Some(WAITS))?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
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
