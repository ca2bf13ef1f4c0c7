//! The terminal in raw mode for a remote program: every key is sent as it is typed, and the mode is restored at the end.

use std::io::IsTerminal as _;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// A terminal that hands every key on; dropped, it is as it was.
pub struct RawTerminal {
    before: Termios,
}

impl RawTerminal {
    /// Takes the standard input over, where that is a terminal.
    pub fn take() -> std::io::Result<Option<Self>> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no putting right.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// How large the terminal is, in columns and rows; a size that most programs can live with where there is none.
pub fn size() -> (u16, u16) {
    let seen = tcgetwinsize(std::io::stdout()).or_else(|_| tcgetwinsize(std::io::stdin()));
    match seen {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}

/// The kind of the terminal, as in `TERM`.
pub fn kind() -> String {
    std::env::var("TERM").ok().filter(|kind| !kind.is_empty()).unwrap_or_else(|| "dumb".into())
}
