//! What it costs to know who can reach what, in accounts of up to 10,000 interfaces: `./bench reach`.
//!
//! Figures stand beside their limits and never fail the bench, for a machine may be busy. Answers that contradict each
//! other do: the exit code is not zero then.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that goes wrong is none"
)]

mod account;
mod agreement;
mod asking;
mod disk;
mod growth;
mod limit;
mod memory;
mod peer;
mod size;

#[path = "../grants/cost.rs"]
#[allow(dead_code, reason = "the other bench measures other processes")]
mod cost;
#[path = "../../../doorward-core/tests/reach/naive/mod.rs"]
#[allow(dead_code, clippy::wrong_self_convention, reason = "read where it is at home")]
mod naive;
#[path = "../../../doorward-core/tests/reach/questions.rs"]
#[allow(dead_code, reason = "tests ask of more")]
mod questions;
#[path = "../grants/table.rs"]
mod table;

use std::process::ExitCode;

use size::Size;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// How many interfaces.
const SIZES: [usize; 3] = [100, 1_000, 10_000];

/// How many contradictions are said; one fault makes hundreds.
const SHOWN: usize = 20;

fn main() -> ExitCode {
    println!("Doorward on {}.\n", cost::machine());
    let mut wrong = Vec::new();
    let sizes: Vec<Size> = SIZES.iter().map(|interfaces| Size::measure(*interfaces, &mut wrong)).collect();
    size::print(&sizes);
    growth::measure(&mut wrong);
    peer::measure(&mut wrong);
    for wrong in wrong.iter().take(SHOWN) {
        eprintln!("inconsistent: {wrong}");
    }
    if wrong.len() > SHOWN {
        eprintln!("and {} more", wrong.len() - SHOWN);
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
