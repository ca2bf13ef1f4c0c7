//! Drivers that apply a ruleset to a firewall.

mod local;
pub mod nftables;
mod turn;

pub use local::{Local, Tables};
pub use turn::{RelayTurn, Runs};

/// What was done to one firewall.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rules that were added, in words.
    pub added: Vec<String>,
    /// Rules that were taken away, in words.
    pub removed: Vec<String>,
    /// What was not as it had been left, in words.
    pub drift: Vec<String>,
    /// Live connections that were cut.
    pub cut: u64,
    /// Why it is not as wanted, if it is not.
    pub failed: Option<String>,
    /// Whether another process has to make it so, and has not come to it yet.
    pub awaited: bool,
}
