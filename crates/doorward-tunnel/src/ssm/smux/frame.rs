//! One frame of smux: its form, and what is none.

use bytes::{BufMut as _, BytesMut};

/// Bytes before a frame's content.
pub const HEADER: usize = 8;

/// The longest content of a frame that we send, in bytes.
pub const FRAME: usize = 32_768;

pub(super) const VERSION: u8 = 1;

/// Why the far side's bytes are no smux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SmuxError {
    /// Another version.
    #[error("the remote end uses version {version} of smux")]
    Version { version: u8 },
    /// No command of this version.
    #[error("the remote end sent the command {command}, which smux does not have")]
    Command { command: u8 },
}

/// What a frame does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Open,
    Finish,
    Push,
    Nothing,
}

impl Command {
    pub(super) fn of(number: u8) -> Result<Self, SmuxError> {
        match number {
            0 => Ok(Self::Open),
            1 => Ok(Self::Finish),
            2 => Ok(Self::Push),
            3 => Ok(Self::Nothing),
            command => Err(SmuxError::Command { command }),
        }
    }
}

pub(super) fn put_frame(payload: &mut BytesMut, command: Command, id: u32, content: &[u8]) {
    payload.put_u8(VERSION);
    payload.put_u8(match command {
        Command::Open => 0,
        Command::Finish => 1,
        Command::Push => 2,
        Command::Nothing => 3,
    });
    payload.put_u16_le(u16::try_from(content.len()).unwrap_or(u16::MAX));
    payload.put_u32_le(id);
    payload.put_slice(content);
}
