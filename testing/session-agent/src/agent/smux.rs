//! Many connections over one session: the agent's smux server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep_until};

use super::ports::{Pace, PortAddress, connect, error_flag, find};
use super::work::{Input, Job, Output, Task};
use crate::message::payload;
use crate::session::Session;
use crate::smux::{Command, Decoder, Frame, LONGEST, Streams};
use crate::stand::World;

/// What may wait for the ports in the whole session, in bytes: there is no window per stream.
const BUCKET: usize = 4 << 20;
/// Streams that wait to be dialled.
const BACKLOG: usize = 1024;
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const DEAD: Duration = Duration::from_secs(30);

/// Bytes that came and were not yet written to a port.
#[derive(Debug, Default)]
struct Bucket {
    filled: AtomicUsize,
    emptied: Notify,
}

impl Bucket {
    fn put(&self, bytes: usize) {
        self.filled.fetch_add(bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) {
        self.filled.fetch_sub(bytes, Ordering::Relaxed);
        self.emptied.notify_one();
    }

    async fn room(&self) {
        while self.filled.load(Ordering::Relaxed) >= BUCKET {
            self.emptied.notified().await;
        }
    }
}

/// Bytes for a port, in the bucket as long as they live.
struct Held {
    bytes: Bytes,
    bucket: Arc<Bucket>,
}

impl Held {
    fn new(bytes: Bytes, bucket: &Arc<Bucket>) -> Self {
        bucket.put(bytes.len());
        Self { bytes, bucket: Arc::clone(bucket) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bucket.take(self.bytes.len());
    }
}

/// What a stream still has for its port.
type Queue = mpsc::UnboundedReceiver<Held>;

/// What the streams of a session share.
#[derive(Clone)]
struct Shared {
    world: Arc<World>,
    session: Arc<Session>,
    wire: mpsc::Sender<Bytes>,
    output: mpsc::Sender<Output>,
}

/// Serves the client's streams until the session ends.
pub(super) async fn serve(mut job: Job, host: Option<String>, port: u16) {
    let place = match find(&job, host.as_deref(), port) {
        Ok(place) => place,
        Err(why) => return job.ends(&why).await,
    };
    job.is_ready().await;
    let (wire, cut) = mpsc::channel(64);
    let settings = &job.world.settings.agent;
    let _cutter =
        Task(tokio::spawn(cuts(cut, job.output.clone(), Pace::new(settings.slow), settings.payload)));
    let shared = Shared {
        world: job.world.clone(),
        session: job.session.clone(),
        wire: wire.clone(),
        output: job.output.clone(),
    };
    let (accept, accepted) = mpsc::channel(BACKLOG);
    let _dialler = Task(tokio::spawn(dials(accepted, shared, place)));
    let bucket = Arc::new(Bucket::default());
    let mut decoder = Decoder::default();
    let mut streams = Streams::new(job.agreed.client_keeps_alive);
    let mut open: BTreeMap<u32, mpsc::UnboundedSender<Held>> = BTreeMap::new();
    let mut heard = Instant::now();
    let mut beats = interval(KEEP_ALIVE);
    loop {
        let input = tokio::select! {
            input = job.input.recv() => input,
            _ = beats.tick(), if job.agreed.agent_keeps_alive => {
                if wire.send(Frame::bare(Command::Nop, 0).encode()).await.is_err() {
                    return;
                }
                continue;
            }
            () = sleep_until((heard + DEAD).into()), if job.agreed.agent_keeps_alive => {
                return job.ends("smux: keep-alive timed out").await;
            }
        };
        let bytes = match input {
            Some(Input::Bytes(bytes)) => bytes,
            Some(_) => continue,
            None => return,
        };
        heard = Instant::now();
        decoder.push(&bytes);
        loop {
            let frame = match decoder.frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    job.world.record.violation(&job.session.id, format!("smux: {error}"));
                    return job.ends(&format!("smux: {error}")).await;
                }
            };
            let (acts, wrong) = streams.look(&frame);
            if let Some(wrong) = wrong {
                job.world.record.violation(&job.session.id, wrong);
            }
            if !acts {
                continue;
            }
            match frame.command {
                Command::Syn => {
                    // Bounded by the bucket.
                    let (bytes, queue) = mpsc::unbounded_channel();
                    open.insert(frame.stream, bytes);
                    if accept.send((frame.stream, queue)).await.is_err() {
                        return;
                    }
                }
                Command::Push => {
                    bucket.room().await;
                    // A stream that the agent has closed takes nothing more.
                    if let Some(stream) = open.get(&frame.stream) {
                        let _ = stream.send(Held::new(frame.body, &bucket));
                    }
                }
                Command::Fin => drop(open.remove(&frame.stream)),
                Command::Nop => {}
            }
        }
    }
}

/// The agent reads its own smux session through a socket, some bytes at a time, wherever frames begin and end.
async fn cuts(mut wire: mpsc::Receiver<Bytes>, output: mpsc::Sender<Output>, mut pace: Pace, payload: usize) {
    let most = pace.payload(payload);
    let mut waiting = BytesMut::new();
    loop {
        if waiting.is_empty() {
            match wire.recv().await {
                Some(bytes) => waiting.extend_from_slice(&bytes),
                None => return,
            }
            pace.was_idle();
        }
        while waiting.len() < most {
            match wire.try_recv() {
                Ok(bytes) => waiting.extend_from_slice(&bytes),
                Err(_) => break,
            }
        }
        let piece = waiting.split_to(waiting.len().min(most)).freeze();
        pace.wait().await;
        if output.send(Output::Payload(payload::OUTPUT, piece)).await.is_err() {
            return;
        }
    }
}

/// Connects one stream after the other.
async fn dials(mut accepted: mpsc::Receiver<(u32, Queue)>, shared: Shared, place: PortAddress) {
    let mut carried = JoinSet::new();
    while let Some((stream, queue)) = accepted.recv().await {
        while carried.try_join_next().is_some() {}
        match connect(&shared.world, &shared.session.id, &place).await {
            Some(tcp) => drop(carried.spawn(carry(stream, queue, tcp, shared.wire.clone()))),
            None => {
                drop(queue);
                let refused = Output::Payload(payload::FLAG, error_flag());
                let fin = Frame::bare(Command::Fin, stream).encode();
                if shared.output.send(refused).await.is_err() || shared.wire.send(fin).await.is_err() {
                    return;
                }
            }
        }
    }
    // The accepting side is gone with the session; so is this.
}

/// Carries one stream until either side closes; there is no half-close.
async fn carry(stream: u32, mut queue: Queue, mut tcp: TcpStream, wire: mpsc::Sender<Bytes>) {
    let (mut from, mut to) = tcp.split();
    let up = async {
        while let Some(held) = queue.recv().await {
            if to.write_all(&held.bytes).await.is_err() {
                break;
            }
        }
    };
    let down = async {
        let mut read = BytesMut::new();
        loop {
            read.reserve(LONGEST);
            match (&mut from).take(LONGEST as u64).read_buf(&mut read).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {
                    let body = read.split().freeze();
                    if wire.send(Frame { command: Command::Push, stream, body }.encode()).await.is_err() {
                        break;
                    }
                }
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
    let _ = wire.send(Frame::bare(Command::Fin, stream).encode()).await;
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::super::Agreed;
    use super::*;
    use crate::documents::{Document, built_in};
    use crate::settings::Settings;

    #[tokio::test(start_paused = true)]
    async fn where_the_agent_keeps_alive_it_says_so_and_dies_of_silence() {
        let world = World::new(Settings::default(), ([127, 0, 0, 1], 1).into());
        let document = Document::read(&built_in()["AWS-StartPortForwardingSession"]).unwrap();
        let resolved = document.resolve(&BTreeMap::new()).unwrap();
        let (session, _ends) =
            Session::new("jon-1".into(), "i-1".into(), "document".into(), resolved, None, "arn".into());
        let (_input, input) = mpsc::channel(1);
        let (output, mut said) = mpsc::channel(8);
        let agreed = Agreed {
            multiplexes: true,
            agent_keeps_alive: true,
            client_keeps_alive: true,
            terminates_by_flag: true,
        };
        let ready = watch::Sender::new(false);
        let job = Job { world: Arc::new(world), session: Arc::new(session), agreed, input, output, ready };
        tokio::spawn(serve(job, None, 80));
        let mut beats = 0;
        loop {
            match said.recv().await.unwrap() {
                Output::Payload(payload::OUTPUT, bytes) => {
                    assert_eq!(bytes, Frame::bare(Command::Nop, 0).encode());
                    beats += 1;
                }
                Output::End(why) => {
                    assert_eq!(why, "smux: keep-alive timed out");
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!((3..=4).contains(&beats), "{beats}");
    }
}
