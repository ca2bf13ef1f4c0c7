//! Packets in motion.

pub mod dial;
pub mod relay;
#[cfg(target_os = "linux")]
pub mod transparent;
