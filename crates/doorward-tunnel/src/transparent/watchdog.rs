//! Leaves nothing behind: a small process that outlives ours, and a sweep of what earlier ones left.
//!
//! What is ours bears our name: the table, and the link. The link is the kernel's to remove, for it ends with the
//! descriptor that made it. Whether an owner lives is told by a socket of that name, which the kernel closes however
//! its process ends, and which is seen in exactly the network that the table stands in.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::nft_list::tables;
use super::program::{ProgramError, run};
use super::table::{PREFIX, removal};

/// What it says when it holds on to us.
const WATCHES: &str = "watches";
/// What it is told when nothing is left to remove.
const DONE: &[u8] = b"done\n";
/// How long it may take to begin or to end.
const LIMIT: Duration = Duration::from_secs(5);
/// When it looks, after what was before: the owner's sockets are closed in the same moment, and what the kernel tells
/// their clients passes through the table; and an `nft` that the owner had started may come to its end after it.
const LOOKS: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_millis(800),
];

/// How the program starts itself as a watchdog. The owner's name is the last argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watchdog {
    pub program: PathBuf,
    /// Its arguments before the name.
    pub arguments: Vec<OsString>,
}

/// Why nobody would clean up after us.
#[derive(Debug, thiserror::Error)]
pub enum WatchdogError {
    /// It did not start.
    #[error("the watchdog `{}` could not be started", program.display())]
    Start {
        /// What was to be started.
        program: PathBuf,
        source: io::Error,
    },
    /// It started and did not say that it watches.
    #[error("the watchdog `{}` failed to start", .0.display())]
    Silent(PathBuf),
    /// A name that is none of ours.
    #[error("`{0}` is not the name of a range")]
    Name(String),
    /// What it removes could not be removed.
    #[error("removing the nftables table of the range failed")]
    Remove(#[source] ProgramError),
    /// Its own parts.
    #[error("the watchdog cannot read its input")]
    Input(#[source] io::Error),
}

/// That we live, under a name; for as long as it is held.
pub(super) struct Alive(UnixListener);

impl Alive {
    /// Fails where another process of that name lives.
    pub fn new(name: &str) -> io::Result<Self> {
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?).map(Self)
    }
}

/// Removes what owners left that are no more; their names.
pub(super) async fn sweep() -> Result<Vec<String>, ProgramError> {
    let mut removed = Vec::new();
    for name in tables().await? {
        // Held until the table is gone, so that nobody of that name begins meanwhile.
        let Ok(dead) = Alive::new(&name) else { continue };
        run("nft", &["-f", "-"], &removal(&name), "delete a table").await?;
        tracing::info!(table = name, "removed the nftables table of an earlier range");
        removed.push(name);
        drop(dead.0);
    }
    Ok(removed)
}

/// What the program's hidden verb does: waits until its owner is gone, however that came, and removes what it left.
///
/// Standard input is the owner's life: a pipe that the owner holds open.
pub fn watch(name: &str) -> Result<(), WatchdogError> {
    if !name.starts_with(PREFIX) || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(WatchdogError::Name(name.into()));
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(WatchdogError::Input)?;
    runtime.block_on(async {
        // Before it is said that we watch: what ends the owner must not end us.
        let mut ignored = Vec::new();
        for kind in [
            tokio::signal::unix::SignalKind::hangup(),
            tokio::signal::unix::SignalKind::interrupt(),
            tokio::signal::unix::SignalKind::terminate(),
        ] {
            ignored.push(tokio::signal::unix::signal(kind).map_err(WatchdogError::Input)?);
        }
        // An owner that is gone already does not hear it, and there may still be something to remove.
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "{WATCHES}").and_then(|()| stdout.flush());
        let mut told = Vec::new();
        std::io::stdin().lock().take(64).read_to_end(&mut told).map_err(WatchdogError::Input)?;
        let mut result = Ok(String::new());
        for wait in if told == DONE { &LOOKS[..1] } else { &LOOKS } {
            tokio::time::sleep(*wait).await;
            result = run("nft", &["-f", "-"], &removal(name), "delete the table").await;
        }
        drop(ignored);
        result.map(drop).map_err(WatchdogError::Remove)
    })
}

/// A watchdog that runs. When this is dropped it removes what there is.
pub(super) struct Guard {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Guard {
    /// Starts one, and another when somebody ends it.
    pub async fn start(watchdog: Watchdog, name: String) -> Result<Self, WatchdogError> {
        let (stop, stopped) = oneshot::channel();
        let running = start(&watchdog, &name).await?;
        let task = tokio::spawn(keep(watchdog, name, running, stopped));
        Ok(Self { stop: Some(stop), task })
    }

    /// Tells it that nothing is left, and waits until it has gone.
    pub async fn done(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if tokio::time::timeout(LIMIT, &mut self.task).await.is_err() {
            tracing::warn!("the watchdog does not stop");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(
    watchdog: Watchdog,
    name: String,
    mut running: (Child, ChildStdin),
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        let (child, stdin) = &mut running;
        tokio::select! {
            told = &mut stopped => {
                if told.is_ok() {
                    // If it does not read this it removes what is not there.
                    let _ = stdin.write_all(DONE).await;
                }
                drop(running.1);
                let _ = running.0.wait().await;
                return;
            }
            ended = child.wait() => {
                tracing::warn!(?ended, "the watchdog was stopped; starting another");
                loop {
                    match start(&watchdog, &name).await {
                        Ok(another) => {
                            running = another;
                            break;
                        }
                        Err(error) => {
                            tracing::error!(%error, "the watchdog is not running");
                            tokio::time::sleep(Duration::from_secs(1)).await;
                        }
                    }
                }
            }
        }
    }
}

async fn start(watchdog: &Watchdog, name: &str) -> Result<(Child, ChildStdin), WatchdogError> {
    let program = &watchdog.program;
    let mut child = Command::new(program)
        .args(&watchdog.arguments)
        .arg(name)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C is for us; the watchdog learns of our end by the pipe.
        .process_group(0)
        .spawn()
        .map_err(|source| WatchdogError::Start { program: program.clone(), source })?;
    let silent = || WatchdogError::Silent(program.clone());
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else { return Err(silent()) };
    let mut lines = BufReader::new(stdout.take(64)).lines();
    let line = tokio::time::timeout(LIMIT, lines.next_line()).await;
    match line {
        Ok(Ok(Some(line))) if line == WATCHES => Ok((child, stdin)),
        _ => {
            // It watches over nothing yet, and is not ours to wait for long.
            let _ = child.start_kill();
            Err(silent())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_ours_is_never_removed() {
        for name in ["doorward", "filter", "doorward-range-1; flush ruleset", "doorward-range-1\n"] {
            let error = watch(name).expect_err("it is refused");
            assert_eq!(error.to_string(), format!("`{name}` is not the name of a range"));
        }
    }

    #[test]
    fn one_of_a_name_lives_at_a_time() {
        let name = format!("{PREFIX}test-{}", std::process::id());
        let first = Alive::new(&name).expect("nobody of that name");
        assert!(Alive::new(&name).is_err());
        drop(first);
        assert!(Alive::new(&name).is_ok());
    }
}
