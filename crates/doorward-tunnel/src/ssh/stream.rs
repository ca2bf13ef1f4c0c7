//! One channel as a stream, and what is held for it until somebody reads.

use std::collections::HashMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use std::{io, mem};

use bytes::{Buf as _, Bytes};
use russh::client::Msg;
use russh::{ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, watch};

use super::link::Link;
use crate::dial::{Answer, Stream};

/// What a message costs besides its bytes.
const MESSAGE: usize = 256;

/// Bytes that are taken at once from a writer that keeps its own.
const WRITE: usize = 64 * 1024;

/// How long the far side may take to close a channel that both sides have ended.
const GOODBYE: Duration = Duration::from_secs(10);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What waits for the reader of one channel.
#[derive(Default)]
pub(super) struct Inlet {
    half: Mutex<Option<ChannelReadHalf>>,
    /// Signed, because a message may be taken before it is noted that it came.
    held: AtomicI64,
    /// Messages that were taken since it was opened.
    taken: AtomicU64,
    stalled: AtomicBool,
}

/// What waits for all readers of a connection.
#[derive(Default)]
pub(super) struct Held {
    total: AtomicI64,
    inlets: Mutex<HashMap<ChannelId, Entry>>,
    room: Notify,
}

/// An inlet is listed from when either the connection's task or the one who opened it knows of it first, until both
/// have known and it is gone.
#[derive(Default)]
struct Entry {
    inlet: Arc<Inlet>,
    confirmed: bool,
    gone: bool,
}

impl Held {
    /// The connection's task knows of a channel.
    pub(super) fn confirmed(&self, id: ChannelId) {
        let mut inlets = lock(&self.inlets);
        let entry = inlets.entry(id).or_default();
        entry.confirmed = true;
        if entry.gone {
            inlets.remove(&id);
        }
    }

    fn inlet(&self, id: ChannelId) -> Arc<Inlet> {
        Arc::clone(&lock(&self.inlets).entry(id).or_default().inlet)
    }

    /// How many channels are open.
    pub(super) fn channels(&self) -> usize {
        lock(&self.inlets).len()
    }

    /// Bytes that wait.
    pub(super) fn total(&self) -> usize {
        usize::try_from(self.total.load(Ordering::Relaxed)).unwrap_or(0)
    }

    fn forget(&self, id: ChannelId) {
        let inlet = {
            let mut inlets = lock(&self.inlets);
            let Some(entry) = inlets.get_mut(&id) else { return };
            entry.gone = true;
            let inlet = Arc::clone(&entry.inlet);
            if entry.confirmed {
                inlets.remove(&id);
            }
            inlet
        };
        self.release(inlet.held.swap(0, Ordering::Relaxed));
    }

    fn release(&self, size: i64) {
        self.total.fetch_sub(size, Ordering::Relaxed);
        self.room.notify_one();
    }

    /// Notes what came for a channel, and waits while more is held than may be. A reader who takes nothing at all for
    /// so long, while others wait for it, is given up: its channel.
    pub(super) async fn received(
        &self,
        id: ChannelId,
        size: usize,
        limit: usize,
        patience: Duration,
        cut: &watch::Sender<bool>,
    ) -> Option<ChannelId> {
        {
            let inlets = lock(&self.inlets);
            // Nobody reads it any more, so that nothing is kept.
            let entry = inlets.get(&id).filter(|entry| !entry.gone)?;
            let size = counted(size);
            entry.inlet.held.fetch_add(size, Ordering::Relaxed);
            self.total.fetch_add(size, Ordering::Relaxed);
        }
        if self.total() <= limit {
            return None;
        }
        let mut cut = cut.subscribe();
        while self.total() > limit {
            let before = self.largest()?;
            let room = async {
                while self.total() > limit {
                    self.room.notified().await;
                }
            };
            tokio::select! {
                () = room => return None,
                _ = cut.wait_for(|cut| *cut) => return None,
                () = tokio::time::sleep(patience) => {}
            }
            let others = self.channels() > 1;
            if let Some((largest, _)) = self.largest().filter(|after| others && *after == before) {
                self.give_up(largest);
                return Some(largest);
            }
        }
        None
    }

    /// The channel for which most is held, and how much its reader has taken.
    fn largest(&self) -> Option<(ChannelId, u64)> {
        let inlets = lock(&self.inlets);
        let largest = inlets.iter().max_by_key(|(_, entry)| entry.inlet.held.load(Ordering::Relaxed));
        largest.map(|(id, entry)| (*id, entry.inlet.taken.load(Ordering::Relaxed)))
    }

    fn give_up(&self, id: ChannelId) {
        let inlet = self.inlet(id);
        inlet.stalled.store(true, Ordering::Relaxed);
        let half = lock(&inlet.half).take();
        drop(half);
        self.forget(id);
    }
}

fn counted(size: usize) -> i64 {
    i64::try_from(size.saturating_add(MESSAGE)).unwrap_or(i64::MAX)
}

impl Inlet {
    /// The next message; none: the connection is gone, or the reader was given up.
    fn poll_next(&self, held: &Held, context: &mut Context<'_>) -> Poll<Option<ChannelMsg>> {
        let mut half = lock(&self.half);
        let Some(reading) = half.as_mut() else { return Poll::Ready(None) };
        // A receiver remembers whom to wake although what waited on it is dropped.
        let message = ready!(pin!(reading.wait()).poll(context));
        if let Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) = &message {
            self.taken.fetch_add(1, Ordering::Relaxed);
            let size = counted(data.len());
            self.held.fetch_sub(size, Ordering::Relaxed);
            held.release(size);
        }
        Poll::Ready(message)
    }
}

/// The reading and the writing side of a channel; closes it when dropped.
pub(super) struct Ends {
    link: Arc<Link>,
    inlet: Arc<Inlet>,
    half: Arc<ChannelWriteHalf<Msg>>,
    id: ChannelId,
    /// Both sides have said that no more comes, so that the far side closes it by itself.
    pub(super) over: bool,
}

impl Ends {
    pub(super) fn new(link: Arc<Link>, channel: russh::Channel<Msg>) -> Self {
        let id = channel.id();
        let (read, write) = channel.split();
        let inlet = link.held().inlet(id);
        *lock(&inlet.half) = Some(read);
        Self { link, inlet, half: Arc::new(write), id, over: false }
    }

    pub(super) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<ChannelMsg>> {
        self.inlet.poll_next(self.link.held(), context)
    }

    pub(super) async fn next(&self) -> Option<ChannelMsg> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    pub(super) fn writer(&self) -> &Arc<ChannelWriteHalf<Msg>> {
        &self.half
    }

    fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }

    /// Why there is nothing more.
    pub(super) fn why(&self) -> String {
        if self.inlet.stalled.load(Ordering::Relaxed) {
            return "its reader blocked other channels of the same SSH connection".to_owned();
        }
        self.link.why().unwrap_or_else(|| "the SSH connection was lost".to_owned())
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.link.held().forget(self.id);
        if self.link.why().is_some() {
            return;
        }
        let reading = lock(&self.inlet.half).take();
        let (link, half, over) = (Arc::clone(&self.link), Arc::clone(&self.half), self.over);
        self.link.runtime().spawn(async move {
            // What we close first the library never forgets quite, so that an end is left to the far side where it
            // comes by itself.
            if let Some(mut reading) = reading.filter(|_| over) {
                let closed =
                    async { while !matches!(reading.wait().await, None | Some(ChannelMsg::Close)) {} };
                if tokio::time::timeout(GOODBYE, closed).await.is_ok() {
                    return;
                }
            }
            link.leave_behind();
            let _ = half.close().await;
        });
    }
}

/// What still comes from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ReadHalf {
    #[default]
    Open,
    /// No more bytes: it said so, and may still take ours.
    Ended,
    /// It has closed the channel: it takes nothing more either.
    Closed,
}

/// What still goes to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum WriteHalf {
    #[default]
    Open,
    /// The end was given to the connection's task, which has not taken it yet.
    Ending,
    Ended,
}

/// A direct-tcpip channel as a stream.
pub(super) struct ChannelStream {
    ends: Ends,
    /// Comes when what was last given to the connection's task was taken by it.
    sending: Option<Answer<'static, Result<(), russh::Error>>>,
    /// Bytes of it that a write waits for.
    writing: usize,
    /// Comes when the connection is gone, which who waits for room would not learn. There while one waits.
    gone: Option<Answer<'static, ()>>,
    /// Who waits for room, and from the far side's end on listens for its close, after which there is none.
    waits: Option<Waker>,
    chunk: Bytes,
    read: ReadHalf,
    write: WriteHalf,
}

impl ChannelStream {
    pub(super) fn new(ends: Ends) -> Self {
        Self {
            ends,
            sending: None,
            writing: 0,
            gone: None,
            waits: None,
            chunk: Bytes::new(),
            read: ReadHalf::Open,
            write: WriteHalf::Open,
        }
    }

    /// Takes messages until there are bytes, or an end.
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.chunk.is_empty() && self.read != ReadHalf::Closed {
            match ready!(self.ends.poll_next(context)) {
                Some(ChannelMsg::Data { data }) => self.chunk = data,
                Some(ChannelMsg::Eof) => {
                    self.set_read(ReadHalf::Ended);
                    return Poll::Ready(Ok(()));
                }
                Some(ChannelMsg::Close) => self.set_read(ReadHalf::Closed),
                Some(_) => {}
                // Not an end: what was still to come is lost.
                None => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, self.ends.why())));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn set_read(&mut self, read: ReadHalf) {
        self.read = read;
        self.note_both_ended();
        if let Some(waits) = self.waits.take() {
            waits.wake();
        }
    }

    fn set_write(&mut self, write: WriteHalf) {
        self.write = write;
        self.note_both_ended();
    }

    fn note_both_ended(&mut self) {
        self.ends.over = match self.read {
            ReadHalf::Open => false,
            ReadHalf::Ended => self.write == WriteHalf::Ended,
            ReadHalf::Closed => true,
        };
    }

    /// Waits until what was given was taken; fails when the connection is gone.
    fn poll_sent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(sending) = self.sending.as_mut() else { return Poll::Ready(Ok(())) };
        let sent = sending.as_mut().poll(context);
        if sent.is_pending() {
            self.waits = Some(context.waker().clone());
            if let Err(error) = self.hear_close(context) {
                self.sending = None;
                return Poll::Ready(Err(error));
            }
            let link = self.ends.link();
            let gone = self.gone.get_or_insert_with(|| {
                Box::pin(async move {
                    link.closed().await;
                })
            });
            ready!(gone.as_mut().poll(context));
        }
        (self.sending, self.gone, self.waits) = (None, None, None);
        if let Poll::Ready(Ok(())) = sent {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, self.ends.why())))
    }

    /// Gives bytes to the connection's task, which `poll_sent` waits for.
    fn send(&mut self, bytes: Bytes) {
        let half = Arc::clone(self.ends.writer());
        self.sending = Some(Box::pin(async move { half.data_bytes(bytes).await }));
    }

    /// Whether more may be given.
    fn poll_may_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_sent(context))?;
        Poll::Ready(self.hear_close(context))
    }

    /// Fails once the far side has closed: what is written then goes nowhere. After its end nobody reads here any more,
    /// and a close that follows must not be missed.
    fn hear_close(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.read == ReadHalf::Ended
            && self.chunk.is_empty()
            && let Poll::Ready(Err(error)) = self.poll_chunk(context)
        {
            return Err(error);
        }
        if self.read == ReadHalf::Closed {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the server closed the connection"));
        }
        Ok(())
    }
}

impl Stream for ChannelStream {
    fn poll_send(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut Bytes,
    ) -> Poll<io::Result<()>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_may_send(context))?;
        self.send(mem::take(bytes));
        match self.poll_sent(context) {
            Poll::Ready(sent) => Poll::Ready(sent),
            // They are ours now; whoever flushes waits for them.
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncRead for ChannelStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let empty = buffer.filled().len();
        while buffer.remaining() > 0 {
            if self.chunk.is_empty() && self.read == ReadHalf::Open {
                match self.poll_chunk(context) {
                    Poll::Ready(Ok(())) => {}
                    // What came before is taken first; the end of it comes again.
                    _ if buffer.filled().len() > empty => break,
                    waits_or_broke => return waits_or_broke,
                }
            }
            let size = self.chunk.len().min(buffer.remaining());
            if size == 0 {
                break;
            }
            buffer.put_slice(self.chunk.get(..size).unwrap_or_default());
            self.chunk.advance(size);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ChannelStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.writing == 0 {
            ready!(self.poll_may_send(context))?;
            let bytes = bytes.get(..WRITE).unwrap_or(bytes);
            self.send(Bytes::copy_from_slice(bytes));
            self.writing = bytes.len();
        }
        let sent = ready!(self.poll_sent(context));
        let written = mem::take(&mut self.writing);
        Poll::Ready(sent.map(|()| written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_sent(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.write == WriteHalf::Ended || self.read == ReadHalf::Closed {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_sent(context))?;
        if self.write == WriteHalf::Open {
            self.set_write(WriteHalf::Ending);
            let half = Arc::clone(self.ends.writer());
            self.sending = Some(Box::pin(async move { half.eof().await }));
            ready!(self.poll_sent(context))?;
        }
        self.set_write(WriteHalf::Ended);
        Poll::Ready(Ok(()))
    }
}
