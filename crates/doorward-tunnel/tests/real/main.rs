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

mod far;
#[path = "../../../doorward/tests/real/need.rs"]
mod need;
mod ssh;
mod sshd;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Vec::new();
    trials.extend(ssh::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}
