//! What a plan costs beside the analysis that it rests on: `./bench plan`.
//!
//! Times are those on a processor, and only ratios of one run have limits. A limit that was missed is said at the end, and the
//! exit code is not zero then.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that goes wrong is none"
)]

mod program;
mod roles;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use parts::{cost, table};

/// How many roles.
const SIZES: [usize; 2] = [50, 500];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [argument, folder, roles] = arguments.as_slice()
        && argument == roles::ARGUMENT
    {
        roles::save(Path::new(folder), roles.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    println!("Doorward on {}.\n", cost::machine());
    let mut missed = Vec::new();
    program::measure(&mut missed);
    for missed in &missed {
        eprintln!("missed: {missed}");
    }
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
