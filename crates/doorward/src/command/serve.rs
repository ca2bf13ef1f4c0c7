//! `doorward serve`: the pages, the API and the reconciler.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use doorward_core::audit::{Event, What, Who};

use super::{Code, Failure};
use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::running::Running;
use crate::web::{self, Web};

/// Serve the pages and the API, and keep every firewall as the grants want it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward serve
  doorward --policy /etc/doorward/doorward.toml serve

The policy and the people's files are read again when they change. SIGTERM and Ctrl-C stop; rules stay to
their ends, and nftables closes by itself.")]
pub struct Serve {}

impl Serve {
    /// Serves until it is told to stop.
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        let file = Arc::new(super::open_policy(policy)?);
        super::runtime()?.block_on(serve(file, Cloud::live(), |url| {
            tracing::info!(%url, "serving");
        }))
    }
}

/// Serves a policy over an account until SIGTERM or Ctrl-C; `ready` is told the address.
pub async fn serve(
    file: Arc<crate::policy_file::PolicyFile>,
    cloud: Cloud,
    ready: impl FnOnce(&str),
) -> Result<(), Failure> {
    let clock = Clock::system();
    // The port first: a second server must not reconcile beside the first.
    let listener = web::Listener::bind(&file.current().policy.server).await.map_err(not_listening)?;
    let running = Running::start(file, cloud, clock.clone()).await.map_err(Failure::with(Code::Io))?;
    let requests = Arc::clone(running.requests());
    let started = What::Started { version: env!("CARGO_PKG_VERSION").into() };
    if let Err(error) = requests.record(vec![Event::new(clock.now(), Who::Doorward, started)]).await {
        // Rules must go at their ends also while nothing can be written; requests are told why they fail.
        tracing::error!(%error, "the start could not be recorded");
    }
    if requests.loaded().policy.server.insecure {
        tracing::warn!("`insecure = true`: passwords and sessions may cross the network without TLS");
    }
    ready(listener.url());
    let served = match Web::new(requests) {
        Ok(web) => listener.serve(web, super::interrupted()).await.map_err(Failure::with(Code::Io)),
        Err(error) => Err(Failure::of(Code::Internal, &error)),
    };
    running.stop().await;
    served
}

fn not_listening(error: web::Error) -> Failure {
    match &error {
        web::Error::Unreadable { source, .. } => Failure::of(Code::of_io(source), &error),
        web::Error::NotPem { .. } | web::Error::Pair { .. } => Failure::of(Code::Data, &error).hint(
            "`tls` in `[server]` names a file with the certificate and its chain, and one with its key",
        ),
        web::Error::Taken { .. } | web::Error::Listen { .. } | web::Error::Stopped(_) => {
            Failure::of(Code::Unavailable, &error)
                .hint("choose another address with `listen` in `[server]`, or end what has it")
        }
    }
}
