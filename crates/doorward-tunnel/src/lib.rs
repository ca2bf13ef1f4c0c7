//! Packets in motion.

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
