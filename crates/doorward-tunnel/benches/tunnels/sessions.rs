//! Session Manager, played in the gateway by the stand that the tests have, its agent as slow as the stock one.

use std::net::SocketAddr;
use std::sync::Arc;

use doorward_tunnel::dial::{Answer, Destination, Dial};
use doorward_tunnel::news::nobody;
use doorward_tunnel::ssm::{DataKey, Opened, Pool, SessionError, Sessions, Ssm};
use doorward_tunnel::websocket::{Connector, Proxies};
use serde_json::{Value, json};
use session_agent::{AgentSettings, Settings, Stand};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::load::say;
use crate::world::{GATEWAY, PORT, ROUTED};

/// How many sessions the pool has.
pub const SESSIONS: usize = 4;

/// Plays API, gateway and agent until its input ends; says where the API is.
pub fn agent() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let there = SocketAddr::new(ROUTED.parse().expect("an address"), PORT);
        let agent = AgentSettings { slow: true, ..AgentSettings::default() }.place(ROUTED, PORT, there);
        let listen = SocketAddr::new(GATEWAY.parse().expect("an address"), 0);
        let settings = Settings { listen, require_signatures: false, agent, ..Settings::default() };
        let stand = Stand::start(settings).await.expect("a stand");
        say(stand.api_url.trim_start_matches("http://"));
        let input = tokio::task::spawn_blocking(|| {
            std::io::Read::read_to_end(&mut std::io::stdin(), &mut Vec::new())
        });
        let _ = input.await;
        stand.shutdown().await;
    });
}

/// The API, asked without signatures.
struct Api(String);

impl Api {
    async fn call(&self, operation: &str, body: Value) -> Result<Value, SessionError> {
        let failed = |why: String| SessionError::Failed { why };
        let body = body.to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nX-Amz-Target: AmazonSSM.{operation}\r\n\
             Content-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.0,
            body.len(),
        );
        let asked = async {
            let mut stream = TcpStream::connect(&self.0).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok(answer)
        };
        let answer = asked.await.map_err(|error: std::io::Error| failed(error.to_string()))?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        if !head.starts_with("HTTP/1.1 200") {
            return Err(failed(answer));
        }
        serde_json::from_str(body).map_err(|error| failed(error.to_string()))
    }

    async fn opened(&self, operation: &str, body: Value) -> Result<Opened, SessionError> {
        let answer = self.call(operation, body).await?;
        let word = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Ok(Opened { session: word("SessionId"), token: word("TokenValue"), url: word("StreamUrl") })
    }
}

impl Sessions for Api {
    fn start<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<Opened, SessionError>> {
        let body = json!({
            "Target": "i-0123456789abcdef0",
            "DocumentName": "AWS-StartPortForwardingSessionToRemoteHost",
            "Parameters": { "host": [to.host.to_string()], "portNumber": [to.port.to_string()] },
        });
        Box::pin(self.opened("StartSession", body))
    }

    fn resume<'a>(&'a self, session: &'a str) -> Answer<'a, Result<Opened, SessionError>> {
        Box::pin(self.opened("ResumeSession", json!({ "SessionId": session })))
    }

    fn terminate<'a>(&'a self, session: &'a str) -> Answer<'a, Result<(), SessionError>> {
        Box::pin(
            async move { self.call("TerminateSession", json!({ "SessionId": session })).await.map(drop) },
        )
    }

    fn upgrade<'a>(&'a self, url: &'a str) -> Answer<'a, Result<http::Request<()>, SessionError>> {
        let request = http::Request::get(url).body(());
        Box::pin(async { request.map_err(|error| SessionError::Failed { why: error.to_string() }) })
    }

    fn data_key<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Result<DataKey, SessionError>> {
        Box::pin(async { Err(SessionError::Refused { why: "no shell here".into() }) })
    }
}

/// The transport through that API.
pub fn dial(api: &str) -> Arc<dyn Dial> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let pool = Pool { sessions: SESSIONS, ..Pool::default() };
    Arc::new(Ssm::new(Arc::new(Api(api.into())), Connector::new(tls, Proxies::default()), pool, nobody()))
}
