//! Listens: plain HTTP behind a proxy, or TLS from two files that are reloaded when they change.
//!
//! Everything here is limited, because it serves strangers: the number of connections, in total and per network
//! ([`admission`]), and their time from the first packet to the first request, for a body, for a response and between
//! two requests ([`connection`], [`life`]). When the CPUs are saturated, networks take turns ([`turns`]). Connections
//! are accepted by a separate thread ([`accept`]), so that the kernel's queue never fills up.

mod accept;
mod admission;
mod body;
mod connection;
mod life;
mod portions;
mod tls;
mod turns;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use doorward_core::policy::{Server, Tls};
use tokio::sync::watch;

use self::accept::Acceptor;
use self::admission::{Admission, Limits};
use self::connection::{Serving, Stopping};
use self::life::{TIMES, Times};
use self::tls::{Certificate, Contents, read_again};
use super::{Web, router};
use crate::budget::Budget;

pub use self::admission::Network;
pub use self::connection::Arrival;
pub use self::tls::usable as usable_certificate;

/// How often the certificate's files are checked, and after how many of these the audit log's summaries are written.
const LOOKS: Duration = Duration::from_secs(5);
const SUMMARY: u32 = 12;
/// How long requests may go on once the server was asked to stop, and how long their connections may take to close then.
const ENDS: Duration = Duration::from_millis(1000);
const CLOSES: Duration = Duration::from_millis(200);
/// How long the last summary may take to be written.
const SUMMARY_TAKES: Duration = Duration::from_millis(300);
/// Connections that wait in the kernel to be taken; what is more is asked to come again after a second.
const BACKLOG: i32 = 4096;

/// Why the server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program listens there.
    #[error("{address} is in use by another program")]
    Taken { address: SocketAddr },
    /// It cannot be listened there.
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    /// A file of the certificate cannot be read.
    #[error("`{file}` cannot be read")]
    Unreadable { file: String, source: io::Error },
    /// A file has no certificate or key in it.
    #[error("`{file}` has no {what} in PEM form")]
    NotPem {
        file: String,
        /// What it should have.
        what: &'static str,
    },
    /// The certificate and the key do not match.
    #[error("the certificate in `{certificate}` and the key in `{key}` do not match")]
    Pair {
        /// The certificate's file.
        certificate: String,
        /// The key's.
        key: String,
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
    tls: Option<(Tls, Contents, Certificate)>,
    limits: Limits,
    times: Times,
}

impl Listener {
    /// Takes the address, and reads the certificate.
    pub async fn bind(server: &Server) -> Result<Self, Error> {
        let tls = match &server.tls {
            Some(files) => {
                let contents = Contents::read(files)?;
                let certificate = Certificate::new(contents.config(files)?);
                Some((files.clone(), contents, certificate))
            }
            None => None,
        };
        let address = server.listen;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => Error::Taken { address },
            _ => Error::Listen { address, source },
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        socket2::SockRef::from(&listener).listen(BACKLOG).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let here = format!("{scheme}://{}", listener.local_addr().map_err(failed)?);
        let descriptors = Budget::of_this_process(0).map_or(64, |budget| budget.web);
        let url = server.url.clone().unwrap_or(here);
        Ok(Self { listener, url, tls, limits: Limits::of(descriptors), times: TIMES })
    }

    /// Within so many file descriptors.
    pub fn within(self, descriptors: usize) -> Self {
        Self { limits: Limits::of(descriptors), ..self }
    }

    /// What people type to come here.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers until `stop`; then ends what has begun, within two seconds.
    pub async fn serve(self, web: Arc<Web>, stop: impl Future<Output = ()> + Send) -> Result<(), Error> {
        self.answer(router(Arc::clone(&web)), web, stop).await
    }

    async fn answer(
        self,
        router: Router,
        web: Arc<Web>,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        let house = Admission::new(self.limits);
        let (stopping, told) = watch::channel(Stopping::No);
        let certificate = self.tls.as_ref().map(|(.., certificate)| certificate.clone());
        let serving = Serving::new(router, certificate, self.times, told);
        let mut door = Acceptor::open(self.listener, Arc::clone(&house), Arc::clone(&web), serving)
            .map_err(Error::Stopped)?;
        let housekeeping = async {
            let (mut tls, mut told) = (self.tls.clone(), None);
            loop {
                for _ in 0..SUMMARY {
                    let asked = tokio::time::timeout(LOOKS, web.reload.notified()).await.is_ok();
                    tell_of(&house);
                    let Some((files, contents, certificate)) = &mut tls else { continue };
                    let read = read_again(files, contents, certificate);
                    if asked && matches!(read, Ok(false)) {
                        tracing::info!(certificate = files.certificate, "certificate unchanged");
                    }
                    let wrong = read.err().map(|error| error.to_string());
                    if let Some(error) = wrong.as_ref().filter(|wrong| asked || told.as_ref() != Some(*wrong))
                    {
                        tracing::warn!(error, "cannot use the new certificate, keeping the current one");
                    }
                    told = wrong;
                }
                web.keep_house(false).await;
            }
        };
        let ended = tokio::select! {
            () = stop => Ok(()),
            () = housekeeping => Ok(()),
            error = door.broke() => Err(Error::Stopped(error)),
        };
        door.close().await;
        stopping.send_replace(Stopping::Gently);
        if !is_empty(&house, ENDS).await {
            stopping.send_replace(Stopping::Now);
            is_empty(&house, CLOSES).await;
        }
        if tokio::time::timeout(SUMMARY_TAKES, web.keep_house(true)).await.is_err() {
            tracing::warn!("could not record the last summary of refused sign-ins in time");
        }
        ended
    }
}

/// Logs that the limits of connections were reached, if they were.
fn tell_of(house: &Admission) {
    let (turned_away, gave_way) = house.taken();
    if turned_away + gave_way > 0 {
        let open = house.open();
        tracing::warn!(open, gave_way, turned_away, "connection limit reached, closed idle connections");
    }
}

/// Whether every connection has ended, within that time.
async fn is_empty(house: &Admission, limit: Duration) -> bool {
    let empty = async {
        while house.open() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(limit, empty).await.is_ok()
}

#[cfg(test)]
mod tests;
