//! What it costs to know who can reach what, in accounts of up to 10,000 interfaces and in an organisation of 100,000:
//! `./bench reach`.
//!
//! Times stand beside their limits and do not fail the bench, for a machine may be busy. What fails it, so that the exit
//! code is not zero: answers that contradict each other, too much memory, and ratios of times of one run that are above
//! their limits. `--organisation` measures the organisation alone; `--beside PROGRAM` compares the built program with an
//! earlier one.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that goes wrong is none"
)]

mod agreement;
mod asking;
mod beside;
mod disk;
mod growth;
mod limit;
mod memory;
mod organisation;
mod peer;
mod scale;
mod size;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use parts::{cost, table};
use reach_model::{account, naive, questions};
use size::Size;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// How many interfaces.
const SIZES: [usize; 3] = [100, 1_000, 10_000];

/// How many contradictions are said; one fault makes hundreds.
const SHOWN: usize = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some(folder) = following(&arguments, scale::ARGUMENT) {
        scale::run(Path::new(folder));
        return ExitCode::SUCCESS;
    }
    println!("Doorward on {}.\n", cost::machine());
    let (mut wrong, mut missed) = (Vec::new(), Vec::new());
    match following(&arguments, "--beside") {
        Some(program) => beside::measure(Path::new(program), &mut missed),
        None => {
            if !arguments.iter().any(|argument| argument == "--organisation") {
                let sizes: Vec<Size> =
                    SIZES.iter().map(|interfaces| Size::measure(*interfaces, &mut wrong)).collect();
                size::print(&sizes);
                growth::measure(&mut wrong);
                peer::measure(&mut wrong);
            }
            scale::measure(&mut missed);
        }
    }
    for wrong in wrong.iter().take(SHOWN) {
        eprintln!("inconsistent: {wrong}");
    }
    if wrong.len() > SHOWN {
        eprintln!("and {} more", wrong.len() - SHOWN);
    }
    for missed in &missed {
        eprintln!("missed: {missed}");
    }
    if wrong.is_empty() && missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What follows an argument.
fn following<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).map(String::as_str)
}
