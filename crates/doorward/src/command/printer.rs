//! The printer: the one place where text leaves a command, and where characters that do not show are escaped.
//!
//! What is printed may come of a tag of AWS, a person's reason or a server that lies, and must not move the cursor, set the
//! title of a terminal or turn a line around. What `ssh`, `shell` and `proxy-command` carry is bytes of somebody else's and
//! passes by; so does the exact text of the audit log, whose hash covers each byte.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};

use doorward_core::text::{shown, shown_json, shown_lines};
use serde::Serialize;

use super::wrapped::wrapped;
use super::{Code, Failure, raw_terminal};

/// Prints text of one or more lines on the standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    print_exactly(&shown_lines(text))
}

/// Prints text on the standard output, wrapped between words if that is a terminal, and unchanged otherwise.
pub(super) fn print_wrapped(text: &str) -> Result<(), Failure> {
    if !io::stdout().is_terminal() {
        return print(text);
    }
    print(&wrapped(text, usize::from(raw_terminal::size().0)))
}

/// Prints text byte for byte, because a hash covers it.
pub(super) fn print_exactly(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has read enough, as in `doorward list | head -1`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(Failure::with(Code::Io)),
    }
}

/// A line on standard error, which is no part of the output.
pub(super) fn note(text: &str) {
    // Nobody reads it when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{}", shown_lines(text));
}

/// A line to a terminal in raw mode, where a line feed alone does not go back to the first column.
pub(super) fn note_raw(text: &str) {
    // As above.
    let _ = write!(io::stderr().lock(), "{}\r\n", shown(text));
}

/// Text to the standard error with no line's end: a prompt.
pub(super) fn prompt(text: &str) -> io::Result<()> {
    let mut terminal = io::stderr().lock();
    terminal.write_all(shown(text).as_bytes()).and_then(|()| terminal.flush())
}

/// Writes over the terminal's last line again; an empty text leaves it empty.
pub(super) fn overwrite(text: &str) {
    let mut terminal = io::stderr().lock();
    // Whoever watched may have left, and the grant goes on to its end.
    let _ = write!(terminal, "\r\x1b[2K{}", shown(text)).and_then(|()| terminal.flush());
}

/// What a bar of progress shows: one line.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    shown(text)
}

/// Whether a person sees the standard error.
pub(super) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// The value as indented JSON, with a line's end.
pub(super) fn json(value: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(value).map_err(Failure::with(Code::Internal))?;
    Ok(shown_json(&json).into_owned() + "\n")
}

/// Standard output, a line at a time, until the reader closes the pipe.
pub(super) struct Lines {
    out: io::StdoutLock<'static>,
}

impl Lines {
    /// Holds the standard output.
    pub fn new() -> Self {
        Self { out: io::stdout().lock() }
    }

    /// Text of one or more lines.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(shown_lines(text).as_bytes())
    }

    /// A value as one line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string(value)?;
        self.out.write_all((shown_json(&json).into_owned() + "\n").as_bytes())
    }

    /// Hands on what is still held.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
