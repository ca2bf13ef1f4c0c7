//! Packets in motion.

pub mod dial;
pub mod relay;
