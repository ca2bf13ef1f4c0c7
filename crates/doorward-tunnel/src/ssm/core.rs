//! What every kind of session is to the task that drives it.

use std::time::Instant;

use bytes::Bytes;

use super::channel::Channel;

/// Who has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Who reads from a connection.
    Reader(u32),
    /// Who writes to a connection, or waits for all to be sent.
    Writer(u32),
}

/// A session without clock and socket.
pub trait Core: Send + 'static {
    /// Its channel.
    fn channel(&self) -> &Channel;
    /// Its channel.
    fn channel_mut(&mut self) -> &mut Channel;
    /// Takes one binary frame.
    fn receive(&mut self, frame: Bytes, now: Instant);
    /// More frames should be received. If not, something must be read or sent before.
    fn has_room(&self) -> bool;
    /// The next frame to be sent now.
    fn poll_transmit(&mut self, now: Instant) -> Option<Bytes>;
    /// Looks whether something was waited for long enough.
    fn tick(&mut self, now: Instant);
    /// When to tick, or to ask for something to send, at the latest.
    fn next_deadline(&self) -> Option<Instant>;
    /// Who is to be woken.
    fn poll_wake(&mut self) -> Option<Wake>;
}
