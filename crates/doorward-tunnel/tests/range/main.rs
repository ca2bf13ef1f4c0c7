//! A range on real parts: namespaces for client, gateway and destination, nftables, OpenSSH's sshd.
//!
//! A test names what it needs. Where that is missing the test is listed as ignored, with the reason in its name; under
//! `CI=true` it fails instead, so that nothing is skipped unseen.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod flows;
mod leaves;
mod names;
mod owner;
mod probe;
mod resolved;
mod resolver;
mod secure;
mod world;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use parts::{need, netns};

fn main() -> ExitCode {
    if let Some(code) = owner::watches() {
        return code;
    }
    if probe::run() {
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    let trials = [flows::trials(), names::trials(), resolved::trials(), leaves::trials(), secure::trials()];
    let trials = trials.into_iter().flatten().collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
