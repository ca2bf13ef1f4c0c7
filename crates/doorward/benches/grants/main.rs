//! What a pass costs, what an idle server holds and what a page costs, measured on real parts: `./bench grants`.
//!
//! A limit that was missed is said at the end, and the exit code is not zero then.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that goes wrong is none"
)]

mod front;
mod idle;
mod load;
mod opening;
mod pages;
mod passes;
mod shop;

#[path = "../../tests/real/server.rs"]
#[allow(dead_code, reason = "tests ask more of it")]
mod server;

use std::process::ExitCode;

use front::Front;
use parts::moto::Moto;
use parts::{cost, moto, nat, need, profiles, table};
use shop::Shop;

fn main() -> ExitCode {
    if let Some(code) = front::serve_if_asked() {
        return code;
    }
    if need::find("moto_server").is_none() {
        eprintln!("moto_server is not there: run `./bench grants`, which installs it");
        return ExitCode::FAILURE;
    }
    if let Some(code) = profiles::hermetic() {
        return code;
    }
    println!("Doorward on {}.\n", cost::machine());
    let missed = tokio::runtime::Runtime::new().expect("a runtime").block_on(measure());
    if missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    for missed in missed {
        eprintln!("missed: {missed}");
    }
    ExitCode::FAILURE
}

/// Every part; the limits that were missed.
async fn measure() -> Vec<String> {
    let moto = Moto::shared();
    let front = Front::before(&moto);
    let shop = Shop::new(&moto, &front);
    let mut missed = idle::small(&shop);
    let requests = passes::measure(&shop, &mut missed).await;
    pages::measure(&requests).await;
    requests.app().store().close().await;
    drop(requests);
    idle::full(&shop);
    opening::measure().await;
    missed
}
