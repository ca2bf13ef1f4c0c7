//! Doorward on real parts: the built program against moto, nftables, PostgreSQL and Chromium.
//!
//! A test names what it needs. Where that is missing the test is listed as ignored, with the reason in its
//! name; under `CI=true` it fails instead, so that nothing is skipped unseen.

mod need;
mod people;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = [people::trials()].into_iter().flatten().collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
