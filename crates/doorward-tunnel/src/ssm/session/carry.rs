//! A session while it is connected: frames out, frames in, a sign of life now and then.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::{Sink as _, Stream as _};
use tokio::time::Sleep;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

use super::Driver;
use crate::ssm::core::Core;
use crate::websocket::{Socket, in_words};

/// How often the gateway is asked for a sign of life, and how often when the agent is suspiciously silent.
const PING: Duration = Duration::from_secs(25);
const SUSPICIOUS_PING: Duration = Duration::from_secs(2);

/// After so many that were not answered the connection is dead.
const MISSES: u32 = 2;

/// How many frames are sent or received before others on this machine have a turn.
const TURN: usize = 64;

/// How often AWS is asked whether the agent is there, when it has been silent for long and may be.
const DOUBT: Duration = Duration::from_secs(5);

/// How soon it is looked again whether there is reason to.
const LOOK: Duration = Duration::from_secs(1);

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// How a connection ended.
pub(super) enum Left {
    /// With the session.
    Over,
    /// Without it.
    Lost {
        why: String,
        /// The gateway said that a message was too big.
        too_big: bool,
    },
}

impl Left {
    fn lost(why: String) -> Self {
        Self::Lost { why, too_big: false }
    }
}

struct Pings {
    last: Instant,
    unanswered: u32,
}

/// What one look at the connection found.
enum Step {
    /// There may be more to do.
    More,
    /// Nothing now.
    Waits,
    /// The end of the connection.
    Left(Left),
}

impl<C: Core> Driver<C> {
    /// Carries until the connection or the session is over.
    pub(super) async fn carry(&self, mut socket: Socket) -> Left {
        let now = Instant::now();
        self.shared.with(|locked| locked.core.channel_mut().connected(now));
        let mut pings = Pings { last: now, unanswered: 0 };
        let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
        let mut doubt = pin!(self.doubt());
        let left = std::future::poll_fn(|context| {
            self.shared.driver.register(context.waker());
            // It never ends; what it finds out ends the session.
            let _ = doubt.as_mut().poll(context);
            for _ in 0..4 {
                match self.step(Pin::new(&mut socket), &mut pings, sleep.as_mut(), context) {
                    Step::More => {}
                    Step::Waits => return Poll::Pending,
                    Step::Left(left) => return Poll::Ready(left),
                }
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let too_big = matches!(left, Left::Lost { too_big: true, .. });
        self.shared.with(|locked| locked.core.channel_mut().disconnected(too_big, Instant::now()));
        // A gateway that does not listen any more is left alone.
        let _ = tokio::time::timeout(FAREWELL, socket.close(None)).await;
        let is_over = self.shared.with(|locked| locked.core.channel().ending().is_some());
        if is_over { Left::Over } else { left }
    }

    /// Asks AWS about an agent that has been silent for so long that it may be dead, where it may as well be that the far
    /// side reads nothing.
    async fn doubt(&self) {
        loop {
            let now = Instant::now();
            let due = self.shared.with(|locked| locked.core.channel().doubt_due(now));
            tokio::time::sleep_until(due.max(now + LOOK).into()).await;
            if !self.shared.with(|locked| locked.core.channel().is_doubtful(Instant::now())) {
                continue;
            }
            if let Ok(Some(false)) = tokio::time::timeout(DOUBT, self.around.sessions.is_there()).await {
                self.shared.with(|locked| {
                    let (channel, now) = (locked.core.channel_mut(), Instant::now());
                    if channel.is_doubtful(now) {
                        channel.agent_is_gone(now);
                    }
                });
            }
            tokio::time::sleep(DOUBT).await;
        }
    }

    fn step(
        &self,
        mut socket: Pin<&mut Socket>,
        pings: &mut Pings,
        mut sleep: Pin<&mut Sleep>,
        context: &mut Context<'_>,
    ) -> Step {
        let now = Instant::now();
        let (is_over, is_suspicious) = self.shared.with(|locked| {
            locked.core.tick(now);
            let channel = locked.core.channel();
            if channel.is_unread() {
                (pings.last, pings.unanswered) = (now, 0);
            }
            (channel.ending().is_some(), channel.is_suspicious(now))
        });
        if is_over {
            return Step::Left(Left::Over);
        }
        let interval = if is_suspicious { SUSPICIOUS_PING } else { PING };
        let mut ping = now >= pings.last + interval;
        if ping && pings.unanswered >= MISSES {
            return Step::Left(Left::lost("the gateway stopped responding".to_owned()));
        }

        let sent = match self.transmit(socket.as_mut(), &mut ping, now, context) {
            Ok(sent) => sent,
            Err(error) => return Step::Left(Left::lost(in_words(&error))),
        };
        if now >= pings.last + interval && !ping {
            pings.last = now;
            pings.unanswered += 1;
        }
        let received = match self.receive(socket, now, context) {
            Ok(received) => received,
            Err(left) => return Step::Left(left),
        };
        if received > 0 {
            pings.unanswered = 0;
        }
        if sent + received > 0 {
            return Step::More;
        }

        let next = self.shared.with(|locked| {
            let suspicion = locked.core.channel().suspicious_from();
            [locked.core.next_deadline(), suspicion.filter(|from| *from > now)].into_iter().flatten().min()
        });
        // What is due now waits for the socket and not for the time.
        let next = next.map_or(pings.last + interval, |next| next.min(pings.last + interval));
        let next = next.max(now + Duration::from_millis(1));
        sleep.as_mut().reset(next.into());
        match sleep.poll(context) {
            Poll::Ready(()) => Step::More,
            Poll::Pending => Step::Waits,
        }
    }

    /// Sends what there is, as long as it is taken; how many frames.
    fn transmit(
        &self,
        mut socket: Pin<&mut Socket>,
        ping: &mut bool,
        now: Instant,
        context: &mut Context<'_>,
    ) -> Result<usize, tungstenite::Error> {
        let mut sent = 0;
        while sent < TURN {
            if socket.as_mut().poll_ready(context)?.is_pending() {
                return Ok(sent);
            }
            let message = if std::mem::take(ping) {
                Message::Ping(bytes::Bytes::new())
            } else {
                match self.shared.with(|locked| locked.core.poll_transmit(now)) {
                    Some(frame) => Message::Binary(frame),
                    None => break,
                }
            };
            socket.as_mut().start_send(message)?;
            sent += 1;
        }
        // Pending: the socket wakes us when it takes more.
        let _ = socket.poll_flush(context)?;
        Ok(sent)
    }

    /// Receives what there is, as long as there is room for it; how many frames, or why it is the end.
    fn receive(
        &self,
        mut socket: Pin<&mut Socket>,
        now: Instant,
        context: &mut Context<'_>,
    ) -> Result<usize, Left> {
        let mut received = 0;
        while received < TURN && self.shared.with(|locked| locked.core.has_room()) {
            let message = match socket.as_mut().poll_next(context) {
                Poll::Pending => break,
                Poll::Ready(None) => return Err(Left::lost("the gateway closed the connection".to_owned())),
                Poll::Ready(Some(message)) => message.map_err(|error| Left::lost(in_words(&error)))?,
            };
            received += 1;
            match message {
                Message::Binary(frame) => self.shared.with(|locked| locked.core.receive(frame, now)),
                Message::Close(frame) => {
                    let too_big = frame.as_ref().is_some_and(|frame| frame.code == CloseCode::Size);
                    let said = frame.map(|frame| format!(" ({} {})", u16::from(frame.code), frame.reason));
                    let said = crate::peer_text::peer_text(&said.unwrap_or_default());
                    return Err(Left::Lost {
                        why: format!("the gateway closed the connection{said}"),
                        too_big,
                    });
                }
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        Ok(received)
    }
}
