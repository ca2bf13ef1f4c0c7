//! A websocket from this machine to a gateway of AWS: dialled, through a proxy if the environment names one, and upgraded.

mod proxy;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HOST, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{Request, StatusCode, Uri};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, error::CapacityError};

use crate::dial::{BoxedStream, Stream};
pub use proxy::{Proxies, Proxy};

/// A websocket over whatever carries it.
pub type Socket = WebSocketStream<BoxedStream>;

/// How long dialling, TLS and the upgrade may take together.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why there is no websocket.
#[derive(Debug, thiserror::Error)]
pub enum WebSocketError {
    /// The address cannot be used.
    #[error("`{url}` is not a websocket URL: it needs `ws://` or `wss://` and a host")]
    Address {
        /// The address, without its query, which may be a secret.
        url: String,
    },
    /// The proxy that the environment names cannot be used.
    #[error("the proxy in `{variable}` cannot be used: {why}")]
    Proxy { variable: &'static str, why: String },
    /// Nobody there.
    #[error("cannot connect to `{host}`")]
    Connect { host: String, source: io::Error },
    /// The proxy does not let us through.
    #[error("the proxy `{proxy}` does not connect to `{host}`: {why}")]
    Tunnel {
        proxy: String,
        host: String,
        /// What it answered.
        why: String,
    },
    /// No TLS.
    #[error("TLS with `{host}` failed")]
    Tls {
        /// With whom.
        host: String,
        source: io::Error,
    },
    /// An answer, but no websocket.
    #[error("`{host}` responded {status} instead of opening a websocket{}", said(body))]
    Refused {
        host: String,
        /// What it answered.
        status: StatusCode,
        /// And what it said, in part.
        body: String,
    },
    /// Something else.
    #[error("the websocket handshake with `{host}` failed")]
    Upgrade {
        /// With whom.
        host: String,
        source: Box<tungstenite::Error>,
    },
    /// All of it took too long.
    #[error("`{host}` did not respond within {} s", PATIENCE.as_secs())]
    TimedOut { host: String },
    /// This machine's authorities cannot be used.
    #[error("the certificate authorities of this machine cannot be used")]
    Authorities { source: rustls::Error },
}

fn said(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(": {body}") }
}

/// How this machine gets to a gateway: whose certificates it believes, and through which proxy it goes.
#[derive(Clone)]
pub struct Connector {
    tls: Arc<ClientConfig>,
    proxies: Proxies,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("proxies", &self.proxies).finish_non_exhaustive()
    }
}

impl Connector {
    /// As this machine is set up: its own authorities, and the proxy that its environment names.
    pub fn of_this_machine() -> Result<Self, WebSocketError> {
        let cannot = |source| WebSocketError::Authorities { source };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map_err(cannot)?
            .with_no_client_auth();
        Ok(Self::new(tls, Proxies::of_environment()?))
    }

    /// With these certificates and proxies.
    pub fn new(tls: ClientConfig, proxies: Proxies) -> Self {
        Self { tls: Arc::new(tls), proxies }
    }

    /// Dials, and upgrades by `request`: a GET of an absolute `ws` or `wss` address, with the headers that were signed.
    pub async fn connect(&self, request: Request<()>) -> Result<Socket, WebSocketError> {
        let to = Address::of(request.uri())?;
        let host = to.host.clone();
        let connected = tokio::time::timeout(PATIENCE, self.connect_to(&to, request)).await;
        connected.unwrap_or(Err(WebSocketError::TimedOut { host }))
    }

    async fn connect_to(&self, to: &Address, request: Request<()>) -> Result<Socket, WebSocketError> {
        let tcp = match self.proxies.to(&to.host, to.is_secure) {
            Some(proxy) => proxy.connect(&to.host, to.port).await?,
            None => {
                let connected = TcpStream::connect((to.host.as_str(), to.port)).await;
                connected.map_err(|source| WebSocketError::Connect { host: to.host.clone(), source })?
            }
        };
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY on a websocket");
        }
        let stream: BoxedStream =
            if to.is_secure { Box::new(self.secure(to, tcp).await?) } else { Box::new(tcp) };
        upgrade(stream, to, request).await
    }

    async fn secure(&self, to: &Address, tcp: TcpStream) -> Result<TlsStream<TcpStream>, WebSocketError> {
        let failed = |source| WebSocketError::Tls { host: to.host.clone(), source };
        let name = ServerName::try_from(to.host.clone())
            .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await.map_err(failed)
    }
}

impl Stream for TlsStream<TcpStream> {}

/// Where to.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    /// Without brackets.
    host: String,
    port: u16,
    is_secure: bool,
}

impl Address {
    fn of(uri: &Uri) -> Result<Self, WebSocketError> {
        let cannot = || WebSocketError::Address {
            url: uri.to_string().split('?').next().unwrap_or_default().to_owned(),
        };
        let (is_secure, usual) = match uri.scheme_str() {
            Some("wss" | "https") => (true, 443),
            Some("ws" | "http") => (false, 80),
            _ => return Err(cannot()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(cannot)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: uri.port_u16().unwrap_or(usual), is_secure })
    }
}

/// Makes a websocket of a stream that somebody dialled.
async fn upgrade(
    stream: BoxedStream,
    to: &Address,
    mut request: Request<()>,
) -> Result<Socket, WebSocketError> {
    let authority =
        request.uri().authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
    let headers = request.headers_mut();
    if !headers.contains_key(HOST) {
        let host = HeaderValue::from_str(&authority);
        headers.insert(HOST, host.map_err(|_| WebSocketError::Address { url: authority })?);
    }
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::from_str(&generate_key()) {
        headers.insert(SEC_WEBSOCKET_KEY, key);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(64 << 10)
        .write_buffer_size(128 << 10)
        .max_write_buffer_size(1 << 20)
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST));
    match tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let body = crate::peer_text::peer_text(&body).chars().take(300).collect();
            Err(WebSocketError::Refused { host: to.host.clone(), status: response.status(), body })
        }
        Err(source) => Err(WebSocketError::Upgrade { host: to.host.clone(), source: Box::new(source) }),
    }
}

/// The longest message that is taken, in bytes.
const LONGEST: usize = 1 << 20;

/// Why a websocket ended, in words.
pub fn in_words(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            "it was closed".to_owned()
        }
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            "the connection broke".to_owned()
        }
        tungstenite::Error::Capacity(CapacityError::MessageTooLong { size, .. }) => {
            format!("a received message of {size} bytes is too long")
        }
        tungstenite::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_meant() {
        fn check(url: &str, expected: Option<(&str, u16, bool)>) {
            let address = Address::of(&url.parse().unwrap()).ok();
            let expected =
                expected.map(|(host, port, is_secure)| Address { host: host.to_owned(), port, is_secure });
            assert_eq!(address, expected);
        }
        check(
            "wss://ssmmessages.eu-west-1.amazonaws.com/v1/data-channel/s?role=x",
            Some(("ssmmessages.eu-west-1.amazonaws.com", 443, true)),
        );
        check("ws://127.0.0.1:8080/", Some(("127.0.0.1", 8080, false)));
        check("ws://[::1]:8080/", Some(("::1", 8080, false)));
        check("ftp://host/", None);
        check("/path", None);
    }

    #[test]
    fn what_cannot_be_used_does_not_show_its_query() {
        let error = Address::of(&"ftp://host/path?X-Amz-Signature=secret".parse().unwrap()).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    fn connector() -> Connector {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Connector::new(tls, Proxies::default())
    }

    #[tokio::test]
    async fn signed_headers_arrive_and_a_refusal_is_told() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gateway = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let answer = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 12\r\n\r\nbad\ntoken \x1b[0";
            stream.write_all(answer).await.unwrap();
            String::from_utf8(head).unwrap()
        });
        let request = Request::get(format!("ws://{address}/v1?role=x"))
            .header("authorization", "AWS4")
            .body(())
            .unwrap();
        let refused = connector().connect(request).await.err().unwrap();
        let expected = "`127.0.0.1` responded 403 Forbidden instead of opening a websocket: bad token  [0";
        assert_eq!(refused.to_string(), expected);
        let head = gateway.await.unwrap();
        assert!(head.starts_with("GET /v1?role=x HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("authorization: AWS4\r\n"), "{head}");
    }
}
