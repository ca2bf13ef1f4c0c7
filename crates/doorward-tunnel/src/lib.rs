//! Packets in motion.

pub mod dial;
pub mod news;
pub mod relay;
pub mod ssm;
pub mod websocket;
