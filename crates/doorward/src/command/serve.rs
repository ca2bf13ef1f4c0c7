//! `doorward serve`: the pages, the API and the reconciler.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use doorward_core::audit::{Event, What, Who};
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::stopping::{ENDS, LAST_STEPS};
use super::sweep::revoke_expired;
use super::{Code, Failure};
use crate::budget::Budget;
use crate::clock::Clock;
use crate::cloud::{Cloud, groups};
use crate::logging::{self, Form, Log};
use crate::policy_file::Loaded;
use crate::program_pages;
use crate::requests::Requests;
use crate::running::Running;
use crate::web::{self, Web};

/// Run the server: web pages, API and reconciler
///
/// The server handles requests for access, and keeps every firewall in sync with the grants.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward serve
  doorward --policy /etc/doorward/doorward.toml serve

The server reloads the policy, the password file and the group file when they change, and at SIGHUP, which also \
reloads the TLS certificate. SIGTERM and Ctrl-C stop it within five seconds; a second Ctrl-C stops it at once. Rules \
stay until they expire, and nftables removes expired rules by itself.

`/healthz` reports whether the server is alive, `/readyz` whether it also reconciles every firewall.")]
pub struct Serve {
    /// The format of the log, which is written to standard error
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    log: Form,
    /// The log level: `error`, `warn`, `info`, `debug` or `trace`, or directives like
    /// `doorward=debug,doorward::web=trace`
    #[arg(long, env = "DOORWARD_LOG", hide_env_values = true, value_name = "LEVEL", value_parser = logging::level)]
    log_level: Option<String>,
}

impl Serve {
    pub fn log(&self) -> Log {
        Log { form: self.log, level: self.log_level.clone(), events: true }
    }

    /// Serves until SIGTERM or Ctrl-C.
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        let file = Arc::new(super::open_policy(policy)?);
        let runtime = super::runtime()?;
        let served = runtime.block_on(serve(file, Cloud::live(), |url| {
            tracing::info!(%url, "serving");
        }));
        // A password that is being verified is waited for by nobody.
        runtime.shutdown_background();
        served
    }
}

/// Serves a policy over an account until SIGTERM or Ctrl-C; `ready` gets the URL.
pub async fn serve(
    file: Arc<crate::policy_file::PolicyFile>,
    cloud: Cloud,
    ready: impl FnOnce(&str),
) -> Result<(), Failure> {
    let clock = Clock::system();
    // Before anything else: without a handler SIGHUP ends the program.
    let hangups = signal(SignalKind::hangup()).map_err(Failure::with(Code::Internal))?;
    // The port first: two servers on one machine must not both reconcile.
    let policy = Arc::clone(&file.current());
    let listener = web::Listener::bind(&policy.policy.server).await.map_err(not_listening)?;
    let places = groups(policy.policy.firewalls.values()).len();
    let budget = Budget::of_this_process(places)
        .map_err(|error| Failure::of(Code::Unavailable, &error).hint(error.hint()))?;
    tracing::info!("{budget}");
    let sweeping = tokio::spawn(sweep_meanwhile(Arc::clone(&policy), cloud.clone()));
    let running = Running::serving(budget, file, cloud.clone(), clock.clone()).await;
    sweeping.abort();
    let running = match running {
        Ok(running) => running,
        // Whatever is wrong with the store, rules say themselves when they expire.
        Err(error) => {
            let _ = tokio::time::timeout(SWEEPS, sweep_expired(&policy, &cloud)).await;
            return Err(error.into());
        }
    };
    let stop = super::stopping::begin().map_err(Failure::with(Code::Internal))?;
    let (stopped, mut stopped_at) = tokio::sync::watch::channel(None);
    let (broke, broken) = (running.broke(), AtomicBool::new(false));
    let stop = async {
        tokio::select! {
            () = stop => {}
            () = broke => {
                tracing::error!("the reconciler failed; the server stops, because nothing would be revoked");
                broken.store(true, Ordering::Relaxed);
            }
        }
        stopped.send_replace(Some(Instant::now()));
    };
    let requests = Arc::clone(running.requests());
    record_the_start(Arc::clone(&requests), clock.now()).await;
    for warning in &requests.app().loaded().warnings {
        tracing::warn!(hint = warning.hint, "{}", warning.without_hint());
    }
    if requests.app().loaded().policy.server.insecure {
        tracing::warn!("`insecure = true`: passwords and sessions may cross the network without TLS");
    }
    ready(listener.url());
    tokio::spawn(async {
        tokio::time::sleep(STARTED).await;
        program_pages::give_back();
    });
    let served = match Web::new(Arc::clone(&requests)) {
        Ok(web) => {
            let reloading = tokio::spawn(reload_at_hangup(hangups, requests, Arc::clone(&web)));
            let served = listener.within(budget.web).serve(web, stop).await;
            let served = served.map_err(Failure::with(Code::Io));
            reloading.abort();
            served
        }
        Err(error) => Err(Failure::of(Code::Internal, &error)),
    };
    let began = stopped_at.borrow_and_update().unwrap_or_else(Instant::now);
    running.stop_by(began + ENDS - LAST_STEPS).await;
    if broken.load(Ordering::Relaxed) {
        return Err(Failure::of(Code::Internal, &ReconcilerBroke)
            .hint("start it again: it then finishes what is left; the log says where it failed"));
    }
    served
}

/// Revokes expired security group rules again and again while the store takes long to open.
async fn sweep_meanwhile(policy: Arc<Loaded>, cloud: Cloud) {
    loop {
        tokio::time::sleep(SWEEPS).await;
        tracing::error!("the store takes long to open, revoking meanwhile what has expired");
        sweep_expired(&policy, &cloud).await;
    }
}

/// Revokes the security group rules whose descriptions say that they have expired, without the store.
async fn sweep_expired(policy: &Loaded, cloud: &Cloud) {
    let asked = groups(policy.policy.firewalls.values());
    if asked.is_empty() {
        return;
    }
    let seen = cloud.observe(&asked).await;
    match revoke_expired(cloud, &seen, false).await {
        Ok(revoked) => {
            for (step, done) in revoked {
                let group = step.group();
                match done {
                    Ok(()) => tracing::info!(%group, "revoked expired rules without the store"),
                    Err(error) => tracing::error!(%group, %error, "could not revoke expired rules"),
                }
            }
        }
        Err(error) => tracing::error!(%error, "could not revoke expired rules"),
    }
    for gap in &seen.gaps {
        tracing::error!("{gap}");
    }
}

/// How long a start waits for the store before it revokes what has expired without it, and how long that may take.
const SWEEPS: Duration = Duration::from_secs(15);

/// Records that the server starts. Rules must be removed when they expire, and persons answered who close, even if nothing
/// can be written or that takes for ever; requests report why they fail.
async fn record_the_start(requests: Arc<Requests>, now: Timestamp) {
    let started = What::Started { version: env!("CARGO_PKG_VERSION").into() };
    let event = Event::new(now, Who::Doorward, started);
    let recording = tokio::spawn(async move {
        if let Err(error) = requests.record(vec![event]).await {
            tracing::error!(%error, "recording the start in the audit log failed");
        }
    });
    if tokio::time::timeout(RECORDS, recording).await.is_err() {
        tracing::error!("the store takes long to record the start, serving meanwhile");
    }
}

/// How long the start is held up by its entry in the audit log.
const RECORDS: Duration = Duration::from_secs(1);

/// When a server has started and done its first pass, or most of it.
const STARTED: Duration = Duration::from_secs(3);

/// Without a reconciler no grant would ever end, so that the server does not go on.
#[derive(Debug, thiserror::Error)]
#[error("the reconciler failed")]
struct ReconcilerBroke;

/// Reads the policy, the people and the certificate again at each SIGHUP, and logs what came of it.
async fn reload_at_hangup(mut hangups: Signal, requests: Arc<Requests>, web: Arc<Web>) {
    while hangups.recv().await.is_some() {
        let file = Arc::clone(&requests);
        let read = tokio::task::spawn_blocking(move || {
            file.app().policy_file().reread();
            (file.app().policy_file().mistakes(), file.app().loaded().digest.clone())
        });
        match read.await {
            Ok((mistakes, digest)) if mistakes.is_empty() => {
                tracing::info!(digest, "reloaded the policy, password and group files at SIGHUP");
            }
            Ok((mistakes, _)) => {
                for mistake in &mistakes {
                    tracing::error!(hint = mistake.hint, "{}", mistake.without_hint());
                }
                let mistakes = mistakes.len();
                tracing::error!(mistakes, "the policy has errors; the last valid policy stays in effect");
            }
            Err(error) => tracing::error!(%error, "reloading the policy failed"),
        }
        requests.app().nudge().wake();
        web.reload();
    }
}

fn not_listening(error: web::Error) -> Failure {
    match &error {
        web::Error::Unreadable { source, .. } => Failure::of(Code::of_io(source), &error),
        web::Error::NotPem { .. } | web::Error::Pair { .. } => Failure::of(Code::Data, &error).hint(
            "`tls` in `[server]` names a file with the certificate and its chain, and one with its key",
        ),
        web::Error::Taken { .. } | web::Error::Listen { .. } | web::Error::Stopped(_) => {
            Failure::of(Code::Unavailable, &error)
                .hint("choose another address with `listen` in `[server]`, or stop the program that uses it")
        }
    }
}
