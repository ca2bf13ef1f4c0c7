//! A shell on an instance: what is typed goes there, what it answers is shown. The terminal itself is the caller's.

mod cipher;
mod screen;

#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;

use super::channel::{Ending, Limits};
use super::core::Core as _;
use super::session::{Around, Session, birth};
use super::{Opened, Sessions};
use crate::news::{News, Tell};
use crate::websocket::Connector;
use screen::{ONLY, Screen};

/// How large a terminal is, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

impl Size {
    fn json(self) -> Vec<u8> {
        format!(r#"{{"cols":{},"rows":{}}}"#, self.columns, self.rows).into_bytes()
    }
}

/// How a shell ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What a command ended with, if the agent said so.
    pub exit: Option<i32>,
    /// Why the session is over.
    pub ending: Ending,
}

/// Where what is typed comes from, where what is shown goes to, and how large that is.
pub struct Terminal<I, O> {
    /// What is typed, every key as its bytes: Ctrl-C is one of them. At its end the shell is sent Ctrl-D.
    pub input: I,
    /// What is shown.
    pub output: O,
    /// How large it is, now and after each change.
    pub sizes: watch::Receiver<Size>,
}

/// A shell session that was started, and what it needs of AWS and of this machine.
pub struct Shell {
    around: Around,
    limits: Limits,
}

/// End of transmission: what Ctrl-D sends.
const END: &[u8] = &[4];

impl Shell {
    /// Shells that `sessions` knows, over connections that `connector` makes.
    pub fn new(sessions: Arc<dyn Sessions>, connector: Connector, limits: Limits, tell: Tell) -> Self {
        Self { around: Around::new(sessions, connector, tell), limits }
    }

    /// Has a shell until it is over. An error is one of the terminal's own. Dropped, it ends the session.
    pub async fn run<I, O>(&self, opened: Opened, terminal: Terminal<I, O>) -> io::Result<Outcome>
    where
        I: AsyncRead + Unpin,
        O: AsyncWrite + Unpin,
    {
        let Terminal { input, output, sizes } = terminal;
        let session = Session::drive(Screen::new(birth(), self.limits), opened, self.around.clone());
        let type_in = async {
            type_in(&session, input).await?;
            std::future::pending::<io::Result<()>>().await
        };
        tokio::select! {
            shown = self.show(&session, output) => shown?,
            failed = type_in => failed?,
            () = resize(&session, sizes) => {}
        }
        let ending = session.ended().await;
        // AWS is told that it is over before the program may end.
        session.done().await;
        Ok(Outcome { exit: session.shared.with(|locked| locked.core.exit()), ending })
    }

    /// Shows what comes, until it is over and all is shown; answers the wish for a key.
    async fn show<O: AsyncWrite + Unpin>(&self, session: &Session<Screen>, mut output: O) -> io::Result<()> {
        loop {
            match next(session).await {
                Next::Over => return Ok(()),
                Next::Show(bytes) => {
                    output.write_all(&bytes).await?;
                    output.flush().await?;
                }
                Next::Message(text) => (self.around.tell)(News::Banner { text }),
                Next::Key(key) => {
                    let answer = self.around.sessions.data_key(&session.id, &key).await;
                    let answer = answer.map_err(|error| error.to_string());
                    session.shared.poke(|locked| locked.core.answer_key(answer));
                }
            }
        }
    }
}

enum Next {
    Show(Bytes),
    Message(String),
    Key(String),
    Over,
}

async fn next(session: &Session<Screen>) -> Next {
    poll_fn(|context| {
        session.shared.poke(|locked| {
            let bytes = locked.core.show(Instant::now());
            if !bytes.is_empty() {
                return Poll::Ready(Next::Show(bytes));
            }
            if let Some(message) = locked.core.take_message() {
                return Poll::Ready(Next::Message(message));
            }
            if locked.core.channel().ending().is_some() {
                return Poll::Ready(Next::Over);
            }
            if let Some(key) = locked.core.wanted_key() {
                return Poll::Ready(Next::Key(key.to_owned()));
            }
            locked.waits_to_read(ONLY, context);
            Poll::Pending
        })
    })
    .await
}

async fn type_in<I: AsyncRead + Unpin>(session: &Session<Screen>, mut input: I) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let count = input.read(&mut buffer).await?;
        let bytes = buffer.get(..count).unwrap_or_default();
        let mut rest = if bytes.is_empty() { END } else { bytes };
        while !rest.is_empty() {
            let typed = poll_fn(|context| {
                session.shared.poke(|locked| match locked.core.type_in(rest) {
                    0 => {
                        locked.waits_to_write(ONLY, context);
                        Poll::Pending
                    }
                    typed => Poll::Ready(typed),
                })
            });
            rest = rest.get(typed.await..).unwrap_or_default();
        }
        if count == 0 {
            return Ok(());
        }
    }
}

/// Never returns: a terminal whose size nobody knows any more keeps the last one.
async fn resize(session: &Session<Screen>, mut sizes: watch::Receiver<Size>) {
    loop {
        let size = *sizes.borrow_and_update();
        session.shared.poke(|locked| locked.core.resize(size));
        if sizes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
