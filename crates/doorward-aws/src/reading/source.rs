//! Where in a recording something stands that cannot be read.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A place in a file as editors count, from one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    /// In bytes.
    pub(crate) column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

/// A place in a file of a recording.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: Arc<Path>,
    pub(crate) at: Position,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.path.display(), self.at)
    }
}
