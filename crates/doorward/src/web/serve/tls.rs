//! The TLS certificate: two files, reloaded when they change.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use doorward_core::policy::Tls;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Error;

/// The certificate in use. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Certificate(Arc<RwLock<Arc<ServerConfig>>>);

impl Certificate {
    pub(super) fn new(config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }

    /// For a connection that begins now.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, config: Arc<ServerConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }
}

/// The most bytes of a certificate with its chain, and of a key.
const AT_MOST: u64 = 1 << 20;

/// What the two files have in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    pub(super) fn read(files: &Tls) -> Result<Self, Error> {
        let read = |file: &String| {
            crate::bounded_file::read(Path::new(file), AT_MOST)
                .map_err(|source| Error::Unreadable { file: file.clone(), source })
        };
        Ok(Self { certificate: read(&files.certificate)?, key: read(&files.key)? })
    }

    pub(super) fn config(&self, files: &Tls) -> Result<Arc<ServerConfig>, Error> {
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

/// Whether a server can use these two files.
pub fn usable(files: &Tls) -> Result<(), Error> {
    Contents::read(files)?.config(files).map(drop)
}

/// Takes a renewed certificate; while what is there cannot be used, the one in use stays. Whether it is another.
pub(super) fn read_again(
    files: &Tls,
    contents: &mut Contents,
    certificate: &Certificate,
) -> Result<bool, Error> {
    let new = Contents::read(files)?;
    let is_new = new != *contents;
    if is_new {
        certificate.replace(new.config(files)?);
        *contents = new;
        tracing::info!(certificate = files.certificate, "certificate reloaded");
    }
    Ok(is_new)
}
