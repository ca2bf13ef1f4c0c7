//! Packets in motion.

pub mod relay;
