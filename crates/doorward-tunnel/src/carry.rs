//! Bytes between two streams, both ways, counted.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::dial::Stream;

/// The buffer of a direction that has not shown that it needs more, in bytes.
const SMALL: usize = 8 * 1024;

/// Bytes that came between two rests of the thread and show that more are on their way: one full packet of SSH.
const MUCH: usize = 32 * 1024;

/// How long the thread then looks away.
const REST: Duration = Duration::from_micros(100);

/// So many reads in a row that would have fitted into a quarter of a buffer make it smaller.
const PATIENCE: u8 = 100;

/// What was carried.
#[derive(Debug, Default)]
pub struct Bytes {
    /// From the near side to the far side.
    pub up: AtomicU64,
    /// From the far side to the near side.
    pub down: AtomicU64,
}

/// Why bytes were no longer carried.
#[derive(Debug)]
pub struct Broken {
    /// Whether it was the far side; else the near one.
    pub far: bool,
    /// What it said.
    pub error: io::Error,
}

/// Carries until both sides said that no more comes, or one of them broke.
///
/// A side that ends is passed on as such: the other direction goes on. At most `buffer` bytes wait in each direction,
/// and as many in a stream that keeps what it was given; a direction through which little goes takes a small part of that.
pub async fn both_ways<N, F>(near: &mut N, far: &mut F, bytes: &Bytes, buffer: usize) -> Result<(), Broken>
where
    N: Stream,
    F: Stream,
{
    let (mut up, mut down) = (Direction::new(buffer), Direction::new(buffer));
    let count = |counter: &AtomicU64, read| {
        counter.fetch_add(u64::try_from(read).unwrap_or(u64::MAX), Ordering::Relaxed);
    };
    let went = |read| count(&bytes.up, read);
    let came = |read| {
        count(&bytes.down, read);
        COME.set(COME.get().saturating_add(read));
    };
    poll_fn(|context| {
        let broken = |far| move |error| Broken { far, error };
        let up = match up.poll(context, near, far, went) {
            Poll::Ready(Err(Fault::Reading(error))) => return Poll::Ready(Err(broken(false)(error))),
            Poll::Ready(Err(Fault::Writing(error))) => return Poll::Ready(Err(broken(true)(error))),
            polled => polled.is_ready(),
        };
        let down = match down.poll(context, far, near, came) {
            Poll::Ready(Err(Fault::Reading(error))) => return Poll::Ready(Err(broken(true)(error))),
            Poll::Ready(Err(Fault::Writing(error))) => return Poll::Ready(Err(broken(false)(error))),
            polled => polled.is_ready(),
        };
        if up && down { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

/// What is dropped afterwards is reset: unsent bytes are discarded, and both sides learn at once.
pub fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a connection could not be reset");
    }
}

/// A runtime for whoever carries for one person: one thread, besides the one that waits.
///
/// A packet passes through several tasks, and waking another thread for each costs more than a second one gives: in
/// `./bench tunnels` one thread carries 4 to 13 % more, with less of the processor's time.
///
/// When it has carried all that there was, and much of that came from the far side, it looks away for a moment before
/// it waits for more, as network cards do with their interrupts: whoever sends need not wake it for every packet. What
/// wakes a sleeper is the sender's time, and an sshd that is busy with one processor sends a fifth more to a reader that
/// it need not wake. A client that sends is not made to wait: it has little under way (see `forward`).
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().on_thread_park(rest).build()
}

thread_local! {
    /// Bytes that came from the far side since this thread last had nothing to do.
    static COME: Cell<usize> = const { Cell::new(0) };
}

fn rest() {
    if COME.take() >= MUCH {
        std::thread::sleep(REST);
    }
}

enum Fault {
    Reading(io::Error),
    Writing(io::Error),
}

/// Bytes from one side to the other.
struct Direction {
    /// Where they are read to; empty, but for the room that it has.
    buffer: BytesMut,
    /// Bytes that the buffer should have room for.
    room: usize,
    /// What was read and not taken by the other side.
    waiting: bytes::Bytes,
    most: usize,
    fitting: u8,
    unflushed: bool,
    stage: Stage,
}

enum Stage {
    Carrying,
    Ending,
    Ended,
}

impl Direction {
    fn new(most: usize) -> Self {
        let most = most.max(1);
        Self {
            buffer: BytesMut::new(),
            room: SMALL.min(most),
            waiting: bytes::Bytes::new(),
            most,
            fitting: 0,
            unflushed: false,
            stage: Stage::Carrying,
        }
    }

    /// Carries as much as it can, and notes how many bytes each read brought; ready when the end was passed on.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        from: &mut impl Stream,
        to: &mut impl Stream,
        note: impl Fn(usize),
    ) -> Poll<Result<(), Fault>> {
        loop {
            match self.stage {
                Stage::Ended => return Poll::Ready(Ok(())),
                Stage::Ending => {
                    ready!(Pin::new(&mut *to).poll_shutdown(context)).map_err(Fault::Writing)?;
                    self.buffer = BytesMut::new();
                    self.stage = Stage::Ended;
                }
                Stage::Carrying if self.waiting.is_empty() => {
                    let Poll::Ready(read) = self.poll_read(context, from) else {
                        if self.unflushed {
                            ready!(Pin::new(&mut *to).poll_flush(context)).map_err(Fault::Writing)?;
                            self.unflushed = false;
                        }
                        return Poll::Pending;
                    };
                    let read = read.map_err(Fault::Reading)?;
                    note(read);
                    if read == 0 {
                        self.stage = Stage::Ending;
                    }
                }
                Stage::Carrying => {
                    ready!(Pin::new(&mut *to).poll_send(context, &mut self.waiting))
                        .map_err(Fault::Writing)?;
                    self.unflushed = true;
                }
            }
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>, from: &mut impl Stream) -> Poll<io::Result<usize>> {
        // What was taken and is sent by now makes room again without another allocation.
        self.waiting = bytes::Bytes::new();
        self.buffer.reserve(self.room);
        let mut room = (&mut self.buffer).limit(self.room);
        let read = ready!(pin!(from.read_buf(&mut room)).poll(context))?;
        self.waiting = self.buffer.split().freeze();
        self.fit(read);
        Poll::Ready(Ok(read))
    }

    /// Has the buffer grow with what comes, and shrink again.
    fn fit(&mut self, read: usize) {
        if read == self.room && self.room < self.most {
            self.room = self.room.saturating_mul(4).min(self.most);
            self.fitting = 0;
        } else if self.room > SMALL && read <= self.room / 4 {
            self.fitting += 1;
            if self.fitting >= PATIENCE {
                self.room = (self.room / 4).max(SMALL);
                self.buffer = BytesMut::new();
                self.fitting = 0;
            }
        } else {
            self.fitting = 0;
        }
    }
}

#[cfg(test)]
mod tests;
