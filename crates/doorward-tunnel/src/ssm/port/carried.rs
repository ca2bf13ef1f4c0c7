//! What a port session carries: nothing yet, connections told apart by smux, or the only one.

use crate::ssm::plain::Plain;
use crate::ssm::smux::Smux;

/// What a session carries.
#[derive(Debug)]
pub(super) enum Carried {
    /// It has not begun.
    Nothing,
    /// Any number of connections.
    Smux(Smux),
    /// One.
    Plain(Plain),
}

impl Carried {
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Smux(smux) => smux.is_full(),
            Self::Plain(plain) => plain.is_full(),
        }
    }

    /// How many bytes came for a connection in all.
    pub(super) fn came(&self, id: u32) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Smux(smux) => smux.came(id),
            Self::Plain(plain) => plain.came(),
        }
    }

    pub(super) fn is_sent(&self, id: u32) -> bool {
        match self {
            Self::Nothing => true,
            Self::Smux(smux) => smux.is_sent(id),
            Self::Plain(plain) => plain.is_sent(),
        }
    }

    /// Ends a connection of which nothing more is expected; true: somebody waits for that. Smux tells by itself.
    pub(super) fn finish(&mut self, id: u32) -> bool {
        match self {
            Self::Nothing => false,
            Self::Smux(smux) => {
                smux.finish(id);
                false
            }
            Self::Plain(plain) => plain.finish(),
        }
    }

    pub(super) fn unanswered(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Smux(smux) => smux.unanswered(),
            Self::Plain(plain) => plain.unanswered(),
        }
    }

    pub(super) fn has_more(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Smux(smux) => smux.has_more(),
            Self::Plain(plain) => plain.has_more(),
        }
    }
}
