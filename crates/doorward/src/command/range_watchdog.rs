//! `doorward range-watchdog`: what `connect --range` starts beside itself, so that nothing of it outlives it.

use clap::Args;

use super::{Code, Failure};

/// Remove what a range put into the kernel once its owner is gone
#[derive(Debug, Args)]
pub struct RangeWatchdog {
    /// The table's name
    name: String,
}

impl RangeWatchdog {
    /// Waits for the owner's end.
    pub fn run(self) -> Result<(), Failure> {
        doorward_tunnel::transparent::watch(&self.name).map_err(Failure::with(Code::Unavailable))
    }
}
