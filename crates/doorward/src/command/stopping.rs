//! Stopping a server: at SIGTERM or Ctrl-C, within five seconds whatever it is doing.
//!
//! The signals are heard by a thread of its own, which nothing can keep busy: neither a password that is being verified, nor
//! a disk or an AWS that hangs. What is not done in time is cut off. That is safe, since every rule carries its own end and
//! the next start does what is left.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// How long an orderly stop may take; then the process ends all the same. Supervisors that are in a hurry wait for ten
/// seconds (Docker), and nobody should wait for five.
pub(super) const ENDS: Duration = Duration::from_secs(4);
/// How much of that is left for the last steps, whatever the ones before took.
pub(super) const LAST_STEPS: Duration = Duration::from_millis(400);
/// The exit code of a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Begins to listen; what it returns is ready at the first signal. A second Ctrl-C ends the process at once.
pub(super) fn begin() -> io::Result<impl Future<Output = ()> + Send> {
    let (finished, done) = oneshot::channel::<()>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let signals = {
        let _entered = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let (mut terminate, mut interrupt) = signals;
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping; relays cut their connections, all other rules stay until they expire");
            // Where nobody waits for it any more, the process is about to end.
            let _ = finished.send(());
            tokio::select! {
                _ = interrupt.recv() => std::process::exit(INTERRUPTED),
                () = tokio::time::sleep(ENDS) => {
                    tracing::warn!("stopping took too long; the remaining work is cut off");
                    std::process::exit(0);
                }
            }
        });
    })?;
    Ok(async {
        // A thread that is gone cannot hear, and SIGTERM would be lost: then it is time to stop as well.
        let _ = done.await;
    })
}
