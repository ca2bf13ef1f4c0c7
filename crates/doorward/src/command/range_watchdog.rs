//! `doorward range-watchdog`: the process that `connect --range` starts, which removes its rules when it ends.

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
