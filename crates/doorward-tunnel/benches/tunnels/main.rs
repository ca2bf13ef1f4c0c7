//! What it costs to carry packets, beside what others need for it: `./bench tunnels`.
//!
//! Three namespaces with cables between: client, gateway (sshd) and destination (iperf3). Everything runs in the same
//! rounds, so that a figure is a ratio to raw TCP of the same moment; the middle round counts. Figures stand beside their
//! aims and never fail the bench, for a machine may be busy.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that goes wrong is none"
)]

mod aim;
mod carrier;
mod load;
mod ours;
mod process;
mod round;
mod sessions;
mod world;

use std::process::ExitCode;

use carrier::Carrier;
use parts::{cost, need, netns, table};
use round::Rounds;
use world::World;

/// How often everything is measured.
const ROUNDS: usize = 7;

/// Connections whose memory is counted.
const FLOWS: usize = 1000;

fn main() -> ExitCode {
    if let Some(code) = ours::watches() {
        return code;
    }
    if load::run() {
        return ExitCode::SUCCESS;
    }
    let absent: Vec<&str> = ["ip", "iperf3", "nft", "ssh", "sshd", "sshuttle"]
        .into_iter()
        .filter(|name| need::find(name).is_none())
        .collect();
    if !absent.is_empty() {
        eprintln!(
            "not here: {}; run `./bench tunnels` as root on Debian, which installs it",
            absent.join(", ")
        );
        return ExitCode::FAILURE;
    }
    println!("Doorward on {}.", cost::machine());
    println!("{} Congestion control: {}.\n", process::load(), process::congestion_control());
    let world = World::new();
    let carriers = Carrier::all(&world);
    let rounds = Rounds::measure(&world, &carriers, ROUNDS);
    rounds.print(&carriers);
    let held: Vec<_> = carriers.iter().map(|carrier| carrier.held(&world, FLOWS)).collect();
    aim::print(&rounds, &carriers, &held, FLOWS);
    ExitCode::SUCCESS
}
