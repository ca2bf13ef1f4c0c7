//! A shell or a command in a terminal, or a command with pipes.

use std::process::{ExitStatus, Stdio};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::ports::Pace;
use super::pty;
use super::work::{Input, Job};
use crate::conduct::Size;
use crate::message::payload;

const MOST: usize = 1024;
const CTRL_C: u8 = 3;

/// As the shell says it: the code, or 128 and the signal.
fn code(status: &std::io::Result<ExitStatus>) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    let Ok(status) = status else { return -1 };
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// A shell, or a command, in a terminal. What it exits with is said as well.
pub(super) async fn shell(mut job: Job, line: Option<String>) {
    let settings = &job.world.settings.agent;
    let mut command = Command::new(&settings.shell);
    command.env("TERM", "xterm-256color");
    if let Some(line) = line {
        command.arg("-c").arg(line);
    }
    let (terminal, mut child) = match pty::start(&mut command) {
        Ok(started) => started,
        Err(error) => return job.ends(&format!("Unable to start the shell: {error}")).await,
    };
    terminal.resize(80, 24);
    job.is_ready().await;
    let mut pace = Pace::new(settings.slow);
    let mut shown = [0; MOST];
    loop {
        tokio::select! {
            input = job.input.recv() => match input {
                None => return,
                // What a shell that is gone does not take shows in its end.
                Some(Input::Bytes(bytes)) => drop(terminal.write(&bytes).await),
                Some(Input::Size(Size { cols, rows })) => terminal.resize(cols, rows),
                Some(Input::Disconnect) => {}
            },
            length = terminal.read(&mut shown) => {
                if length == 0 {
                    break;
                }
                pace.wait().await;
                if !job.says(payload::OUTPUT, Bytes::copy_from_slice(shown.get(..length).unwrap_or_default())).await {
                    return;
                }
            }
        }
    }
    let code = code(&child.wait().await);
    job.says(payload::EXIT_CODE, Bytes::from(code.to_string())).await;
    job.ends("the shell exited").await;
}

/// A command with pipes: its two outputs apart, and what it exits with.
pub(super) async fn piped(mut job: Job, line: &str) {
    let shell = &job.world.settings.agent.shell;
    let started = Command::new(shell)
        .arg("-c")
        .arg(line)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return job.ends(&format!("Unable to start the command: {error}")).await,
    };
    job.is_ready().await;
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    while out.is_some() || err.is_some() {
        let (kind, said) = tokio::select! {
            input = job.input.recv() => match input {
                None => return,
                Some(Input::Bytes(bytes)) if bytes.contains(&CTRL_C) => {
                    let _ = child.start_kill();
                    continue;
                }
                Some(_) => continue,
            },
            said = next(&mut out) => (payload::OUTPUT, said),
            said = next(&mut err) => (payload::STDERR, said),
        };
        match said {
            Some(bytes) => {
                if !job.says(kind, bytes).await {
                    return;
                }
            }
            None if kind == payload::OUTPUT => out = None,
            None => err = None,
        }
    }
    let code = code(&child.wait().await);
    job.says(payload::EXIT_CODE, Bytes::from(code.to_string())).await;
    job.ends("the command exited").await;
}

async fn next(pipe: &mut Option<impl AsyncRead + Unpin>) -> Option<Bytes> {
    let Some(pipe) = pipe else { return std::future::pending().await };
    let mut read = BytesMut::with_capacity(MOST);
    match pipe.take(MOST as u64).read_buf(&mut read).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(read.freeze()),
    }
}
