//! Doorward.

pub mod firewall;
