//! Starts and stops the program's parts: store, requests, reconciler and firewalls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::app::App;
use crate::budget::{Budget, TooFew};
use crate::clock::{Clock, random};
use crate::cloud::{Cloud, groups};
use crate::firewall::{Local, RelayTurn};
use crate::intents::{Rhythm, keep_proving};
use crate::policy_file::PolicyFile;
use crate::reconciler::Reconciler;
use crate::requests::{Requests, look_up};
use crate::status::{Nudge, Nudged};
use crate::store::{self, AuditFiles, Store, WhenLost};

/// How long a step of the reconciler that has begun may go on once the program was told to stop: of a command, as long as
/// AWS may take; of a server that was told to be gone by a certain time, so long. It is safe to cut it off: every rule
/// carries its own end, and the next start does what is left.
const STEP_ENDS: Duration = Duration::from_secs(20);
const STEP_ENDS_SOON: Duration = Duration::from_millis(1500);
/// How long the relays may take to stop, and then the store.
const RELAYS_END: Duration = Duration::from_secs(4);
const STORE_ENDS: Duration = Duration::from_millis(500);

/// Why the program could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The operating system had no random bytes.
    #[error("the operating system provided no random bytes")]
    Random(#[source] getrandom::Error),
    /// The operating system had no thread.
    #[error("the operating system could not start the reconciler thread")]
    Thread(#[source] std::io::Error),
    /// Too few files may be open.
    #[error(transparent)]
    TooFewFiles(#[from] TooFew),
}

impl Error {
    /// What to do about it, where somebody at the machine can.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::TooFewFiles(error) => Some(error.hint()),
            Self::Random(_) | Self::Thread(_) => None,
        }
    }
}

/// A Doorward at work.
#[derive(Debug)]
pub struct Running {
    requests: Arc<Requests>,
    stop: oneshot::Sender<()>,
    reconciler: oneshot::Receiver<Local>,
    reconciles: watch::Receiver<()>,
    looking_up: JoinHandle<()>,
    verifying: JoinHandle<()>,
    /// Of a server.
    proving: Option<JoinHandle<()>>,
    relaying: Relaying,
}

impl Running {
    /// Opens the store of a policy and begins to reconcile, within the files that this process may open.
    pub async fn start(policy: Arc<PolicyFile>, cloud: Cloud, clock: Clock) -> Result<Self, Error> {
        let budget = Budget::of_this_process(groups(policy.current().policy.firewalls.values()).len())?;
        let requests = requests(Arc::clone(&policy), clock).await?;
        Self::begin(budget, policy, cloud, requests, |reconciler| reconciler).await
    }

    /// Likewise for a server, within a budget: before its first grant it tries whether all could be revoked.
    pub async fn serving(
        budget: Budget,
        policy: Arc<PolicyFile>,
        cloud: Cloud,
        clock: Clock,
    ) -> Result<Self, Error> {
        let requests = requests_over(Arc::clone(&policy), clock, WhenLost::Distrust).await?;
        // By connections of its own, as below.
        let own = cloud.clone();
        let connect = move || match &own {
            Cloud::Live(_) => Cloud::live(),
            Cloud::Simulated(_) => own.clone(),
        };
        let proving = tokio::spawn(keep_proving(Arc::clone(&requests.0), connect, Rhythm::default()));
        let running = Self::begin(budget, policy, cloud, requests, Reconciler::trying_permissions).await;
        match running {
            Ok(running) => Ok(Self { proving: Some(proving), ..running }),
            Err(error) => {
                proving.abort();
                Err(error)
            }
        }
    }

    async fn begin(
        budget: Budget,
        policy: Arc<PolicyFile>,
        cloud: Cloud,
        (requests, nudged): (Arc<Requests>, Nudged),
        with: impl FnOnce(Reconciler) -> Reconciler,
    ) -> Result<Self, Error> {
        let loaded = policy.current();
        requests.keep_closes().await;
        let (stop, stopped) = oneshot::channel();
        // By connections of its own: what the reconciler has to do waits for none of this runtime's.
        let beside = match &cloud {
            Cloud::Live(_) => Cloud::live(),
            Cloud::Simulated(_) => cloud.clone(),
        };
        let looking_up = tokio::spawn(look_up(Arc::clone(&requests), beside));
        let verifying = tokio::spawn(keep_verifying(Arc::clone(&requests)));
        let relaying = Relaying::start()?;
        let turn = RelayTurn::beside(&AuditFiles::of(&loaded.policy, policy.path()).head);
        let turn = turn.noting(requests.app().store().seals());
        let local = Local::new(budget.relays(), relaying.handle(), turn);
        let reconciler = Reconciler::new(Arc::clone(&requests), cloud, local, nudged);
        let reconciler = with(reconciler.reserving_for(budget.places));
        let (reconciler, reconciles) = apart(move || {
            reconciler.run(async {
                // A sender that is gone stops it as well.
                let _ = stopped.await;
            })
        })
        .map_err(Error::Thread)?;
        Ok(Self { requests, stop, reconciler, reconciles, looking_up, verifying, proving: None, relaying })
    }

    /// Where everything is asked.
    pub fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }

    /// Ready when the reconciler has ended, which it does unasked only where it broke off: then nothing is revoked any more.
    pub fn broke(&self) -> impl Future<Output = ()> + use<> {
        let mut reconciles = self.reconciles.clone();
        async move { while reconciles.changed().await.is_ok() {} }
    }

    /// Stops: the relay's connections end, the store is closed. Rules stay to their ends.
    pub async fn stop(self) {
        self.stop_within(STEP_ENDS, RELAYS_END).await;
    }

    /// Likewise, and what is not done by then is left.
    pub async fn stop_by(self, by: Instant) {
        let step = by.saturating_duration_since(Instant::now()).min(STEP_ENDS_SOON);
        let relays = by.saturating_duration_since(Instant::now() + step).min(RELAYS_END);
        self.stop_within(step, relays).await;
    }

    async fn stop_within(self, step: Duration, relays: Duration) {
        // Relays run until this ends.
        let Self { requests, stop, reconciler, looking_up, verifying, proving, relaying: _relaying, .. } =
            self;
        looking_up.abort();
        verifying.abort();
        proving.iter().for_each(JoinHandle::abort);
        // It may have ended by itself.
        let _ = stop.send(());
        match tokio::time::timeout(step, reconciler).await {
            Ok(Ok(local)) => {
                if tokio::time::timeout(relays, local.stop()).await.is_err() {
                    tracing::warn!("cut relay connections");
                }
            }
            Ok(Err(_)) => tracing::error!("reconciler ended unexpectedly"),
            Err(_) => tracing::warn!("reconciler stopped during a pass, the next start completes it"),
        }
        if tokio::time::timeout(STORE_ENDS, requests.app().store().close()).await.is_err() {
            tracing::warn!("store not closed in time, no data is lost");
        }
    }
}

/// Checks the store again and again in addition to all else.
async fn keep_verifying(requests: Arc<Requests>) {
    let clock = requests.app().clock();
    requests.app().store().keep_verifying(|| clock.now()).await;
}

/// The reconciler on a thread and a runtime of its own: requests that keep every other thread busy, or that wait in
/// every blocking one, hold up none of its steps. What it leaves to stop comes back when it was stopped; the second of what
/// is returned closes when it has ended, however that came.
fn apart<F>(
    run: impl FnOnce() -> F + Send + 'static,
) -> Result<(oneshot::Receiver<Local>, watch::Receiver<()>), std::io::Error>
where
    F: Future<Output = Local>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(16)
        .thread_name("reconciler")
        .build()?;
    let (done, reconciled) = oneshot::channel();
    let (lives, reconciles) = watch::channel(());
    std::thread::Builder::new().name("reconciler".into()).spawn(move || {
        let _lives = lives;
        let local = runtime.block_on(run());
        // Who asked may have given up.
        let _ = done.send(local);
        runtime.shutdown_background();
    })?;
    Ok((reconciled, reconciles))
}

/// The threads that relays run on: whatever the pages have to do, a connection whose grant ended is cut in time.
#[derive(Debug)]
struct Relaying(Option<Box<tokio::runtime::Runtime>>);

impl Relaying {
    fn start() -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("relays")
            .build()
            .map_err(Error::Thread)?;
        Ok(Self(Some(Box::new(runtime))))
    }

    fn handle(&self) -> Handle {
        self.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for Relaying {
    fn drop(&mut self) {
        // It is dropped on another runtime's thread, which must not wait for it.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Requests over the store that a policy names, without anybody who reconciles: of a command, which creates no store where
/// one was.
pub async fn requests(policy: Arc<PolicyFile>, clock: Clock) -> Result<(Arc<Requests>, Nudged), Error> {
    requests_over(policy, clock, WhenLost::Refuse).await
}

async fn requests_over(
    policy: Arc<PolicyFile>,
    clock: Clock,
    lost: WhenLost,
) -> Result<(Arc<Requests>, Nudged), Error> {
    let random = random().map_err(Error::Random)?;
    let loaded = policy.current();
    let files = AuditFiles::of(&loaded.policy, policy.path());
    let store = Store::open_for(&loaded.policy.server.store, &files, random, lost).await?;
    let (nudge, nudged) = Nudge::pair();
    Ok((Arc::new(Requests::new(App::new(store, policy, clock, nudge))), nudged))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use doorward_aws::Simulated;
    use doorward_core::inventory::Inventory;
    use jiff::SignedDuration;

    use super::*;
    use crate::requests::{Ask, Caller, Opened};

    #[tokio::test]
    async fn a_reconciler_that_broke_off_is_noticed() {
        let (reconciled, mut reconciles) =
            apart(|| async { panic!("a fault of the reconciler") }).expect("a thread");
        let noticed = tokio::time::timeout(Duration::from_secs(10), reconciles.changed()).await;
        assert!(noticed.expect("in time").is_err());
        assert!(reconciled.await.is_err());
    }

    const HASH: &str = "$2y$04$jJ/WporsmEoDRE2e/WABxO0LceGeskU4GolGQywMqjrYT0Gfi4ExS";

    /// The one thread of this runtime is that of the pages, and busy from the moment that the grant is open: nothing is
    /// awaited until its connection was cut.
    #[tokio::test]
    async fn a_relay_carries_and_cuts_although_the_pages_have_no_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let service = TcpListener::bind("127.0.0.1:0").expect("a port");
        let door = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let behind = service.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            let (mut stream, _) = service.accept().expect("a connection");
            let mut echoed = stream.try_clone().expect("a socket");
            // It ends by a reset when the relay cuts it.
            let _ = std::io::copy(&mut stream, &mut echoed);
        });
        let policy = format!(
            "[people]\npasswords = \"p\"\ngroups = \"g\"\n\n[server]\nstore = \"doorward.db\"\n\n\
             [firewall.wiki]\nrelay = \"{door}\"\n\n\
             [target.wiki]\naddress = \"127.0.0.1\"\nports = [\"tcp/{behind}\"]\ngroups = [\"dbs\"]\n\
             transports = [\"direct\"]\nfirewall = \"wiki\"\n"
        );
        for (name, text) in
            [("p", format!("jon:{HASH}\n")), ("g", "dbs: jon\n".into()), ("doorward.toml", policy)]
        {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        let file = Arc::new(PolicyFile::open(&folder.path().join("doorward.toml")).expect("a policy"));
        let cloud = Cloud::Simulated(Simulated::new(Inventory::default()));
        let running = Running::start(file, cloud, Clock::system()).await.expect("a store");
        let ask = Ask {
            target: "wiki".parse().expect("a name"),
            address: [127, 0, 0, 1].into(),
            transport: None,
            lasts: Some(SignedDuration::from_secs(3)),
            reason: None,
        };
        let jon = Caller::known("jon".parse().expect("a name"), None);
        let opened = running.requests().open(&jon, ask).await.expect("open");
        assert!(matches!(opened, Opened::Granted { .. }), "{opened:?}");

        let mut client = TcpStream::connect(door).expect("a connection");
        client.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        client.write_all(b"carried").expect("written");
        let mut read = [0; 7];
        client.read_exact(&mut read).expect("carried");
        assert_eq!(&read, b"carried");
        match client.read(&mut read) {
            Ok(read) => assert_eq!(read, 0),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
        running.stop().await;
    }
}
