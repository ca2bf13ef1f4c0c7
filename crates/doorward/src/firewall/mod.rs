//! Drivers that bring a ruleset to where it is enforced.

mod local;
pub mod nftables;

pub use local::{Local, Tables};
