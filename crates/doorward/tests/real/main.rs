//! Doorward on real parts: the built program against moto, nftables, PostgreSQL and Chromium.
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

mod altered;
mod apache;
mod aws;
mod bad_days;
mod bad_stores;
mod browser;
mod command_line;
mod connect;
mod crash;
mod demo;
mod descriptors;
mod desk;
mod faulty;
mod flood;
mod full_disk;
mod grants;
mod hung;
mod inside;
mod intents;
mod inventory;
mod limits;
mod local;
mod login;
mod manual;
mod misled;
mod networks;
mod newcomer;
mod nftables;
mod openapi;
mod pages;
mod people;
mod policies;
mod probe;
mod proxied;
mod reach_page;
mod record;
mod relay;
mod runs;
mod server;
mod service;
mod sign_ins;
mod stopping;
mod stores;
mod tls;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use parts::{moto, nat, need, netns, postgres, profiles, sshd};

fn main() -> ExitCode {
    if probe::run() {
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    if let Some(code) = profiles::hermetic() {
        return code;
    }
    let mut trials: Vec<Trial> = Vec::new();
    trials.extend(apache::trials());
    trials.extend(altered::trials());
    trials.extend(aws::trials());
    trials.extend(bad_days::trials());
    trials.extend(bad_stores::trials());
    trials.extend(command_line::trials());
    trials.extend(connect::trials());
    trials.extend(crash::trials());
    trials.extend(demo::trials());
    trials.extend(descriptors::trials());
    trials.extend(flood::trials());
    trials.extend(full_disk::trials());
    trials.extend(grants::trials());
    trials.extend(hung::trials());
    trials.extend(intents::trials());
    trials.extend(inventory::trials());
    trials.extend(limits::trials());
    trials.extend(local::trials());
    trials.extend(login::trials());
    trials.extend(manual::trials());
    trials.extend(misled::trials());
    trials.extend(networks::trials());
    trials.extend(newcomer::trials());
    trials.extend(nftables::trials());
    trials.extend(openapi::trials());
    trials.extend(pages::trials());
    trials.extend(people::trials());
    trials.extend(proxied::trials());
    trials.extend(reach_page::trials());
    trials.extend(record::trials());
    trials.extend(relay::trials());
    trials.extend(runs::trials());
    trials.extend(service::trials());
    trials.extend(sign_ins::trials());
    trials.extend(stopping::trials());
    trials.extend(stores::trials());
    trials.extend(tls::trials());
    // Those whose times count have the machine to themselves, one after another; then come all others, side by side.
    let (timed, others): (Vec<Trial>, Vec<Trial>) =
        trials.into_iter().partition(|trial| trial.kind() == need::TIMED);
    let alone = Arguments { test_threads: Some(1), ..arguments.clone() };
    let ended = [libtest_mimic::run(&alone, timed), libtest_mimic::run(&arguments, others)];
    match ended.iter().any(libtest_mimic::Conclusion::has_failed) {
        true => ExitCode::from(101),
        false => ExitCode::SUCCESS,
    }
}
