//! Packets in motion.
#![expect(
    missing_docs,
    reason = "a field or variant whose name says it needs no comment; a house test looks after the other items"
)]

pub mod bound;
pub mod carry;
pub mod dial;
pub mod endpoint;
pub mod forward;
pub mod http_proxy;
pub mod news;
mod peer_text;
pub mod relay;
pub mod socks;
pub mod ssh;
pub mod ssm;
pub mod transparent;
pub mod websocket;
