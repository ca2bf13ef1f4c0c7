//! A program on the far side: a command, or the account's own shell, with or without a terminal.

use std::sync::Arc;

use bytes::Bytes;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelWriteHalf, Sig};

use super::stream::Ends;
use super::{Ssh, SshError};

/// The terminal that a program is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// Its kind, as in `TERM`.
    pub kind: String,
    /// How large it is.
    pub size: Size,
}

/// In letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Letters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// What a program writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramOutput {
    /// On its standard output.
    Out(Bytes),
    /// On its standard error; with a terminal that is its output too.
    Err(Bytes),
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Status(u32),
    /// By a signal, `TERM` for example.
    Signal(String),
    /// The far side did not say.
    Unknown,
}

/// A signal that can be sent to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// To end.
    Terminate,
    /// The terminal is gone.
    Hangup,
    /// Ctrl-\.
    Quit,
    /// At once.
    Kill,
}

/// What a program is given.
#[derive(Clone)]
pub struct Input {
    half: Arc<ChannelWriteHalf<Msg>>,
}

/// What comes from a program. Dropped, the program's channel is closed.
pub struct Output {
    ends: Ends,
    exit: Exit,
    over: bool,
}

impl Ssh {
    /// Runs a command, which the account's shell reads.
    pub async fn exec(
        &self,
        command: &str,
        terminal: Option<&Terminal>,
    ) -> Result<(Input, Output), SshError> {
        self.run(Some(command), terminal).await
    }

    /// Runs the account's shell.
    pub async fn shell(&self, terminal: Option<&Terminal>) -> Result<(Input, Output), SshError> {
        self.run(None, terminal).await
    }

    async fn run(
        &self,
        command: Option<&str>,
        terminal: Option<&Terminal>,
    ) -> Result<(Input, Output), SshError> {
        let lost = |error: russh::Error| SshError::Lost { why: super::watcher::words(&error) };
        let link =
            self.pool.link().await.map_err(|error| SshError::Lost { why: crate::news::in_words(&*error) })?;
        let ends = link.session().await?;
        let half = Arc::clone(ends.writer());
        if let Some(Terminal { kind, size }) = terminal {
            let (columns, rows) = (u32::from(size.columns), u32::from(size.rows));
            half.request_pty(true, kind, columns, rows, 0, 0, &[]).await.map_err(lost)?;
            agreed(&ends, "a terminal").await?;
        }
        match command {
            Some(command) => half.exec(true, command).await.map_err(lost)?,
            None => half.request_shell(true).await.map_err(lost)?,
        }
        agreed(&ends, if command.is_some() { "the command" } else { "a shell" }).await?;
        Ok((Input { half }, Output { ends, exit: Exit::Unknown, over: false }))
    }
}

/// Waits until the far side says that it does what was asked for.
pub(super) async fn agreed(ends: &Ends, what: &str) -> Result<(), SshError> {
    loop {
        match ends.next().await {
            Some(ChannelMsg::Success) => return Ok(()),
            Some(ChannelMsg::Failure | ChannelMsg::Close) => {
                return Err(SshError::Refused { what: what.to_owned() });
            }
            // Nothing that counts comes before the answer: RFC 4254, 5.4.
            Some(_) => {}
            None => return Err(SshError::Lost { why: ends.why() }),
        }
    }
}

impl Input {
    /// Sends bytes to the program's standard input; waits while it takes none.
    pub async fn write(&self, bytes: Bytes) -> Result<(), SshError> {
        self.half.data_bytes(bytes).await.map_err(gone)
    }

    /// No more comes.
    pub async fn end(&self) -> Result<(), SshError> {
        self.half.eof().await.map_err(gone)
    }

    /// The terminal has another size.
    pub async fn resize(&self, size: Size) -> Result<(), SshError> {
        self.half.window_change(size.columns.into(), size.rows.into(), 0, 0).await.map_err(gone)
    }

    /// Sends a signal. An sshd before OpenSSH 8.1 takes none; with a terminal the key itself does it.
    pub async fn signal(&self, signal: Signal) -> Result<(), SshError> {
        let signal = match signal {
            Signal::Interrupt => Sig::INT,
            Signal::Terminate => Sig::TERM,
            Signal::Hangup => Sig::HUP,
            Signal::Quit => Sig::QUIT,
            Signal::Kill => Sig::KILL,
        };
        self.half.signal(signal).await.map_err(gone)
    }
}

fn gone(error: russh::Error) -> SshError {
    SshError::Lost { why: super::watcher::words(&error) }
}

impl Output {
    /// The next that comes; none: the program has ended.
    pub async fn next(&mut self) -> Result<Option<ProgramOutput>, SshError> {
        while !self.over {
            match self.ends.next().await {
                Some(ChannelMsg::Data { data }) => return Ok(Some(ProgramOutput::Out(data))),
                Some(ChannelMsg::ExtendedData { data, .. }) => return Ok(Some(ProgramOutput::Err(data))),
                Some(ChannelMsg::ExitStatus { exit_status }) => self.exit = Exit::Status(exit_status),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    self.exit = Exit::Signal(name(&signal_name));
                }
                Some(ChannelMsg::Close) => {
                    self.ends.over = true;
                    self.over = true;
                }
                Some(_) => {}
                None => return Err(SshError::Lost { why: self.ends.why() }),
            }
        }
        Ok(None)
    }

    /// How the program ended, once nothing more comes.
    pub fn exit(&self) -> &Exit {
        &self.exit
    }
}

fn name(signal: &Sig) -> String {
    match signal {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name,
    }
    .to_owned()
}
