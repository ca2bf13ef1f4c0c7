//! What is typed into a terminal unseen, or comes over the standard input instead.

use std::io::{BufRead as _, ErrorKind, IsTerminal as _, Read as _};

use tokio::signal::unix::{SignalKind, signal};

use super::{Code, Failure};

/// Far more than any password has, in bytes.
const LONGEST: u64 = 8_192;

/// A password that is typed unseen behind a prompt.
pub(super) fn password(prompt: &str) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        let failure = Failure::new(Code::Usage, "there is no terminal to type a password into");
        return Err(failure.hint("pass it on the first line of standard input with `--stdin`"));
    }
    let cannot = |error: &std::io::Error| {
        Failure::new(Code::Io, "cannot read a password from the terminal").because(error)
    };
    // At Ctrl-C the reader raises the signal before it puts the terminal right, so the signal must not end us:
    // the terminal would go on showing nothing. With somebody listening to it, it does not.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(|error| cannot(&error))?;
    let _inside = runtime.enter();
    let _listening = signal(SignalKind::interrupt()).map_err(|error| cannot(&error))?;
    rpassword::prompt_password(prompt).map_err(|error| match error.kind() {
        ErrorKind::Interrupted => Failure::new(Code::Interrupted, "interrupted, so nothing was done"),
        _ => cannot(&error),
    })
}

/// The first line of the standard input.
pub(super) fn first_line() -> Result<String, Failure> {
    line()
}

/// The next line of the standard input.
pub(super) fn line() -> Result<String, Failure> {
    let mut line = Vec::new();
    let read = std::io::stdin().lock().take(LONGEST).read_until(b'\n', &mut line);
    read.map_err(|error| Failure::new(Code::Io, "cannot read standard input").because(&error))?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(line) => Ok(line.to_owned()),
        Err(_) => Err(Failure::new(Code::Data, "the password on standard input is not UTF-8")),
    }
}
