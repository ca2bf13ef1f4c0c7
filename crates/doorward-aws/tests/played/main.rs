//! AWS as it is played for tests: Session Manager and its neighbours by our own stand, which verifies every signature, and
//! the databases and instances by moto.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod found;
mod profile;
mod stand;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use parts::{moto, need, profiles};

fn main() -> ExitCode {
    if let Some(code) = profiles::hermetic() {
        return code;
    }
    let trials = stand::trials().into_iter().chain(found::trials()).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
