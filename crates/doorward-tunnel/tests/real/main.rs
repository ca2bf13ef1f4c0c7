//! Transports on real parts: OpenSSH's sshd, PostgreSQL, curl.
//!
//! A test names what it needs. Where that is missing the test is listed as ignored, with the reason in its
//! name; under `CI=true` it fails instead, so that nothing is skipped unseen.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod database;
mod endpoint;
mod far;
mod fronts;
mod hostile;
mod keys;
mod shell;
mod ssh;
mod stalled;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use parts::{need, postgres, sshd};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Vec::new();
    trials.extend(database::trials());
    trials.extend(endpoint::trials());
    trials.extend(fronts::trials());
    trials.extend(hostile::trials());
    trials.extend(keys::trials());
    trials.extend(shell::trials());
    trials.extend(ssh::trials());
    trials.extend(stalled::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}
