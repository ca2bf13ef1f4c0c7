//! What a session does between handshake and end: bytes in, bytes out, whatever it is.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::{Agreed, command, ports, smux};
use crate::conduct::Size;
use crate::documents::Purpose;
use crate::record::Mode;
use crate::session::Session;
use crate::stand::World;

/// What comes from the client.
#[derive(Debug)]
pub(super) enum Input {
    Bytes(Bytes),
    Size(Size),
    Disconnect,
}

/// What goes to the client.
#[derive(Debug)]
pub(super) enum Output {
    Payload(u32, Bytes),
    /// The session is over.
    End(String),
}

/// The work, underway. Dropping it ends it.
pub(super) struct Work {
    input: mpsc::Sender<Input>,
    output: mpsc::Receiver<Output>,
    ready: watch::Receiver<bool>,
    _task: Task,
}

/// Ends with its owner.
pub(super) struct Task(pub(super) JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a work has to go on.
pub(super) struct Job {
    pub(super) world: Arc<World>,
    pub(super) session: Arc<Session>,
    pub(super) agreed: Agreed,
    pub(super) input: mpsc::Receiver<Input>,
    pub(super) output: mpsc::Sender<Output>,
    pub(super) ready: watch::Sender<bool>,
}

impl Job {
    /// Says a payload. False when nobody listens any more.
    pub(super) async fn says(&self, payload_type: u32, payload: Bytes) -> bool {
        self.output.send(Output::Payload(payload_type, payload)).await.is_ok()
    }

    /// Says why the session is over.
    pub(super) async fn ends(&self, why: &str) {
        let _ = self.output.send(Output::End(why.to_owned())).await;
    }

    /// The port is open.
    pub(super) async fn is_ready(&self) {
        tokio::time::sleep(self.world.settings.agent.port_opens_after).await;
        let _ = self.ready.send(true);
    }
}

impl Work {
    pub(super) fn start(world: &Arc<World>, session: &Arc<Session>, mode: Mode, agreed: Agreed) -> Self {
        let (to_work, input) = mpsc::channel(8);
        let (output, from_work) = mpsc::channel(16);
        let (ready, is_ready) = watch::channel(false);
        let (world, session) = (Arc::clone(world), Arc::clone(session));
        let job = Job { world, session, agreed, input, output, ready };
        let task = tokio::spawn(async move {
            let purpose = job.session.resolved.purpose.clone();
            match (mode, purpose) {
                (Mode::Smux, Purpose::Port { host, port, .. }) => smux::serve(job, host, port).await,
                (Mode::Basic, Purpose::Port { host, port, .. }) => ports::basic(job, host, port).await,
                (_, Purpose::Port { host, port, .. }) => ports::raw(job, host, port).await,
                (_, Purpose::Shell) => command::shell(job, None).await,
                (_, Purpose::Command { line, pipes: false }) => command::shell(job, Some(line)).await,
                (_, Purpose::Command { line, pipes: true }) => command::piped(job, &line).await,
            }
        });
        Self { input: to_work, output: from_work, ready: is_ready, _task: Task(task) }
    }

    pub(super) fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    pub(super) fn input(&self) -> mpsc::Sender<Input> {
        self.input.clone()
    }
}

/// Room for one more input; `None` when the work takes none any more.
pub(super) async fn room(input: Option<mpsc::Sender<Input>>) -> Option<mpsc::OwnedPermit<Input>> {
    input?.reserve_owned().await.ok()
}

/// The next output; never, without a work.
pub(super) async fn output(work: &mut Option<Work>) -> Option<Output> {
    match work {
        Some(work) => work.output.recv().await,
        None => std::future::pending().await,
    }
}
