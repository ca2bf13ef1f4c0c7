//! Listening: plain behind a proxy, or TLS from two files that are read again when they change.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use doorward_core::policy::{Server, Tls};
use hyper_util::rt::TokioTimer;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Web, router};

/// How often the certificate's files are looked at, and after how many of these the record's summaries are written.
const LOOKS: Duration = Duration::from_secs(5);
const SUMMARY: u32 = 12;
/// How long requests may go on once the server was asked to stop.
const ENDS: Duration = Duration::from_secs(10);
/// How long a client may take for the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// The most bytes of a request's head, and the most headers.
const HEAD_BYTES: usize = 32 * 1024;
const HEADERS: usize = 64;

/// Why the server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program listens there.
    #[error("{address} is taken: another program listens there")]
    Taken {
        /// Where.
        address: SocketAddr,
    },
    /// It cannot be listened there.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A file of the certificate cannot be read.
    #[error("`{file}` cannot be read")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A file has no certificate or key in it.
    #[error("`{file}` has no {what} in PEM form")]
    NotPem {
        /// Which.
        file: String,
        /// What it should have.
        what: &'static str,
    },
    /// The certificate and the key do not go together.
    #[error("the certificate in `{certificate}` and the key in `{key}` do not go together")]
    Pair {
        /// The certificate's file.
        certificate: String,
        /// The key's.
        key: String,
        /// Why.
        source: rustls::Error,
    },
    /// It stopped by itself.
    #[error("the server stopped")]
    Stopped(#[source] io::Error),
}

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    url: String,
    tls: Option<(Tls, Contents, RustlsConfig)>,
}

impl Listener {
    /// Takes the address, and reads the certificate.
    pub async fn bind(server: &Server) -> Result<Self, Error> {
        let tls = match &server.tls {
            Some(files) => {
                let contents = Contents::read(files)?;
                let config = RustlsConfig::from_config(contents.config(files)?);
                Some((files.clone(), contents, config))
            }
            None => None,
        };
        let address = server.listen;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => Error::Taken { address },
            _ => Error::Listen { address, source },
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let here = format!("{scheme}://{}", listener.local_addr().map_err(failed)?);
        Ok(Self { listener, url: server.url.clone().unwrap_or(here), tls })
    }

    /// What people type to come here.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers until `stop`; then ends what has begun, within ten seconds.
    pub async fn serve(self, web: Arc<Web>, stop: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let handle = Handle::new();
        let service = router(Arc::clone(&web)).into_make_service_with_connect_info::<SocketAddr>();
        let mut server = axum_server::from_tcp(self.listener).map_err(Error::Stopped)?.handle(handle.clone());
        let builder = server.http_builder();
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEADERS);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(HEAD_BYTES as u32)
            .max_concurrent_streams(64);
        let answering = async {
            match &self.tls {
                Some((.., config)) => {
                    server
                        .acceptor(RustlsAcceptor::new(config.clone()).handshake_timeout(HEAD))
                        .serve(service)
                        .await
                }
                None => server.serve(service).await,
            }
        };
        let housekeeping = async {
            let (mut tls, mut told) = (self.tls.clone(), None);
            loop {
                for _ in 0..SUMMARY {
                    let asked = tokio::time::timeout(LOOKS, web.reload.notified()).await.is_ok();
                    let Some((files, contents, config)) = &mut tls else { continue };
                    let read = read_again(files, contents, config);
                    if asked && matches!(read, Ok(false)) {
                        tracing::info!(certificate = files.certificate, "certificate unchanged");
                    }
                    let wrong = read.err().map(|error| error.to_string());
                    if let Some(error) = wrong.as_ref().filter(|wrong| asked || told.as_ref() != Some(*wrong))
                    {
                        tracing::warn!(error, "the new certificate cannot be used; the one in use stays");
                    }
                    told = wrong;
                }
                web.keep_house(false).await;
            }
        };
        let stopping = async {
            stop.await;
            handle.graceful_shutdown(Some(ENDS));
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            ended = answering => ended,
            () = housekeeping => Ok(()),
            () = stopping => Ok(()),
        };
        web.keep_house(true).await;
        ended.map_err(Error::Stopped)
    }
}

/// What the two files have in them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    fn read(files: &Tls) -> Result<Self, Error> {
        let read = |file: &String| {
            std::fs::read(file).map_err(|source| Error::Unreadable { file: file.clone(), source })
        };
        Ok(Self { certificate: read(&files.certificate)?, key: read(&files.key)? })
    }

    fn config(&self, files: &Tls) -> Result<Arc<ServerConfig>, Error> {
        let not_pem = |file: &String, what| Error::NotPem { file: file.clone(), what };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .ok()
            .filter(|chain: &Vec<_>| !chain.is_empty())
            .ok_or_else(|| not_pem(&files.certificate, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| not_pem(&files.key, "private key"))?;
        let pair =
            |source| Error::Pair { certificate: files.certificate.clone(), key: files.key.clone(), source };
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(pair)?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(pair)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// Takes a renewed certificate, and says whether it was one; while what is there cannot be used, the one in use stays.
fn read_again(files: &Tls, contents: &mut Contents, config: &RustlsConfig) -> Result<bool, Error> {
    let new = Contents::read(files)?;
    let is_new = new != *contents;
    if is_new {
        config.reload_from_config(new.config(files)?);
        *contents = new;
        tracing::info!(certificate = files.certificate, "took the new certificate");
    }
    Ok(is_new)
}

#[cfg(test)]
mod tests;
