//! The program's parts put together: store, requests, reconciler and firewalls, running until stopped.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::clock::{Clock, random};
use crate::cloud::Cloud;
use crate::firewall::Local;
use crate::policy_file::PolicyFile;
use crate::reconciler::{Nudge, Reconciler};
use crate::requests::{Requests, look_up};
use crate::store::{self, AuditFiles, Store};

/// Why the program could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The operating system had no random bytes.
    #[error("the operating system gave no random bytes")]
    Random(#[source] getrandom::Error),
}

/// A Doorward at work.
#[derive(Debug)]
pub struct Running {
    requests: Arc<Requests>,
    stop: oneshot::Sender<()>,
    reconciler: JoinHandle<Local>,
    looking_up: JoinHandle<()>,
}

impl Running {
    /// Opens the store of a policy and begins to reconcile.
    pub async fn start(policy: Arc<PolicyFile>, cloud: Cloud, clock: Clock) -> Result<Self, Error> {
        let (requests, nudged) = requests(policy, clock).await?;
        let (stop, stopped) = oneshot::channel();
        let looking_up = tokio::spawn(look_up(Arc::clone(&requests), cloud.clone()));
        let reconciler = Reconciler::new(Arc::clone(&requests), cloud, Local::default(), nudged);
        let reconciler = tokio::spawn(reconciler.run(async {
            // A sender that is gone stops it as well.
            let _ = stopped.await;
        }));
        Ok(Self { requests, stop, reconciler, looking_up })
    }

    /// Where everything is asked.
    pub fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }

    /// Stops: the relay's connections end, the store is closed. Rules stay to their ends.
    pub async fn stop(self) {
        let Self { requests, stop, reconciler, looking_up } = self;
        looking_up.abort();
        // It may have ended by itself.
        let _ = stop.send(());
        match reconciler.await {
            Ok(local) => local.stop().await,
            Err(error) => tracing::error!(%error, "the reconciler broke off"),
        }
        requests.store().close().await;
    }
}

/// Requests over the store that a policy names, without anybody who reconciles.
pub async fn requests(
    policy: Arc<PolicyFile>,
    clock: Clock,
) -> Result<(Arc<Requests>, crate::reconciler::Nudged), Error> {
    let random = random().map_err(Error::Random)?;
    let loaded = policy.current();
    let files = AuditFiles::of(&loaded.policy, policy.path());
    let store = Store::open_with(&loaded.policy.server.store, &files, random).await?;
    let (nudge, nudged) = Nudge::pair();
    Ok((Arc::new(Requests::new(store, policy, clock, nudge)), nudged))
}
