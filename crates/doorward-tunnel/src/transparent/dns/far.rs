//! The far side's resolver, asked over one connection that is opened when it is needed.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};

use super::exchange::Exchange;
use super::message::Query;
use crate::dial::{BoxedStream, Destination, Dial};

/// How long a question waits for its answer; clients ask again after five seconds.
const PATIENCE: Duration = Duration::from_millis(4500);
/// How long the way to the resolver may take.
const DIAL: Duration = Duration::from_secs(2);
/// How long it is not tried again after it failed.
const HOLD: Duration = Duration::from_millis(500);
/// Questions that wait for a connection.
const QUEUE: usize = 512;
/// Bytes that may wait to be sent before no more questions are taken.
const UNSENT: usize = 64 * 1024;

type Tell = oneshot::Sender<Option<Vec<u8>>>;

/// One question, on its way.
struct Asked {
    query: Query,
    message: Bytes,
    tell: Tell,
    until: Instant,
    /// Whether it was sent before, on a connection that broke.
    again: bool,
}

/// The far side's resolver. Its connection ends with it.
#[derive(Clone)]
pub(in super::super) struct Far {
    questions: mpsc::Sender<Asked>,
}

impl Far {
    /// Asked through that dial.
    pub fn new(dial: Arc<dyn Dial>, resolver: Destination) -> Self {
        let (questions, asked) = mpsc::channel(QUEUE);
        tokio::spawn(work(dial, resolver, asked));
        Self { questions }
    }

    /// Its answer; none when the way is down or it does not answer in time.
    pub async fn ask(&self, query: Query, message: Bytes) -> Option<Vec<u8>> {
        let (tell, told) = oneshot::channel();
        let asked = Asked { query, message, tell, until: Instant::now() + PATIENCE, again: false };
        // A full queue is a resolver that does not keep up; waiting longer helps nobody.
        self.questions.try_send(asked).ok()?;
        told.await.ok().flatten()
    }
}

/// Opens connections as they are needed, until nobody can ask any more.
///
/// Who asks first waits for the way to be opened. Once that failed, whoever asks is told so at once, and the way is
/// tried again meanwhile.
async fn work(dial: Arc<dyn Dial>, resolver: Destination, mut asked: mpsc::Receiver<Asked>) {
    let mut again: Vec<Asked> = Vec::new();
    let mut is_down = false;
    loop {
        if again.is_empty() {
            let Some(first) = asked.recv().await else { return };
            again.push(first);
        }
        if is_down {
            fail(again.drain(..));
        }
        let dialling = async {
            match tokio::time::timeout(DIAL, dial.dial(&resolver)).await {
                Ok(Ok(stream)) => return Some(stream),
                Ok(Err(error)) => tracing::debug!(%error, "the remote resolver cannot be reached"),
                Err(_) => tracing::debug!(%resolver, "the remote resolver timed out"),
            }
            None
        };
        let stream = if is_down {
            let Some(stream) = refusing(&mut asked, dialling).await else { return };
            stream
        } else {
            dialling.await
        };
        is_down = stream.is_none();
        match stream {
            Some(stream) => {
                let Some(left) = converse(stream, std::mem::take(&mut again), &mut asked).await else {
                    return;
                };
                again = left;
            }
            None => {
                fail(again.drain(..));
                let Some(()) = refusing(&mut asked, tokio::time::sleep(HOLD)).await else { return };
            }
        }
    }
}

/// Tells whoever asks that there is no answer, until something else is done; none when nobody can ask any more.
async fn refusing<T>(asked: &mut mpsc::Receiver<Asked>, until: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(until);
    loop {
        tokio::select! {
            done = &mut until => return Some(done),
            one = asked.recv() => fail([one?]),
        }
    }
}

fn fail(all: impl IntoIterator<Item = Asked>) {
    for one in all {
        // Who does not wait any more need not be told.
        let _ = one.tell.send(None);
    }
}

/// What woke a conversation.
enum Woken {
    Asked(Option<Asked>),
    Sent(usize),
    Came(usize),
    Late,
    Broken,
}

/// Asks and answers on one connection until it ends; what has to be asked again. None when nobody asks any more.
async fn converse(
    stream: BoxedStream,
    first: Vec<Asked>,
    asked: &mut mpsc::Receiver<Asked>,
) -> Option<Vec<Asked>> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut exchange: Exchange<(Tell, bool)> = Exchange::default();
    let put = |exchange: &mut Exchange<(Tell, bool)>, one: Asked| {
        if let Err(((tell, _), _)) = exchange.ask(one.query, one.message, (one.tell, one.again), one.until) {
            let _ = tell.send(None);
        }
    };
    for one in first {
        put(&mut exchange, one);
    }
    loop {
        // The two halves borrow from the exchange by turns.
        let mut output = exchange.output().split();
        let mut input = exchange.input().split();
        let late = exchange.until().map(tokio::time::Instant::from_std);
        input.reserve(4096);
        let woken = tokio::select! {
            sent = writer.write(&output), if !output.is_empty() => sent.map_or(Woken::Broken, Woken::Sent),
            came = reader.read_buf(&mut input) => came.map_or(Woken::Broken, Woken::Came),
            one = asked.recv(), if output.len() < UNSENT => Woken::Asked(one),
            () = until(late) => Woken::Late,
        };
        if let Woken::Sent(sent) = woken {
            output.advance(sent);
        }
        exchange.output().unsplit(output);
        exchange.input().unsplit(input);
        match woken {
            Woken::Asked(None) => return None,
            Woken::Asked(Some(one)) => put(&mut exchange, one),
            Woken::Sent(0) | Woken::Came(0) | Woken::Broken => return Some(left(exchange)),
            Woken::Sent(_) => {
                if writer.flush().await.is_err() {
                    return Some(left(exchange));
                }
            }
            Woken::Came(_) => {
                while let Some(answered) = exchange.answered() {
                    let _ = answered.who.0.send(Some(answered.message));
                }
            }
            Woken::Late => {
                for (tell, _) in exchange.expired(Instant::now()) {
                    let _ = tell.send(None);
                }
            }
        }
    }
}

async fn until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// What waited on a connection that is gone: a resolver closes idle ones, maybe in this moment, so each is asked
/// once more.
fn left(exchange: Exchange<(Tell, bool)>) -> Vec<Asked> {
    let mut again = Vec::new();
    for (query, message, (tell, was_again), until) in exchange.abandoned() {
        let one = Asked { query, message, tell, until, again: true };
        if was_again || one.until <= Instant::now() {
            fail([one]);
        } else {
            again.push(one);
        }
    }
    again
}
