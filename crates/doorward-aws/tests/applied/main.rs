//! Plans for networks and roles, performed on an account of moto behind the proxy that adds what AWS does and moto does not.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod checked;
mod declared;
mod destroyed;
mod environments;
mod faulty;
mod killed;
mod lifecycle;
mod lost;
mod prod;
mod services;
mod whole;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use parts::need::{Need, trial};
use parts::{moto, profiles};

/// A story and its name.
type Story = (&'static str, fn());

fn main() -> ExitCode {
    if let Some(code) = profiles::hermetic() {
        return code;
    }
    let images =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../testing/account-proxy/tests/stories/images.json");
    moto::IMAGES.get_or_init(|| images);
    let mut arguments = Arguments::from_args();
    // moto is one process and answers one call at a time, so each thread has one of its own.
    arguments.test_threads = Some(world::MOTOS);
    let areas: [(&str, Vec<Story>); 9] = [
        ("whole", whole::stories()),
        ("killed", killed::stories()),
        ("faulty", faulty::stories()),
        ("lost", lost::stories()),
        ("services", services::stories()),
        ("destroyed", destroyed::stories()),
        ("environments", environments::stories()),
        ("lifecycle", lifecycle::stories()),
        ("prod", prod::stories()),
    ];
    let named = areas.into_iter().flat_map(|(area, stories)| {
        stories.into_iter().map(move |(name, story)| (format!("{area}: {name}"), story))
    });
    let named = named.map(|(name, story)| (name, Need::Moto, story));
    let checked =
        checked::stories().into_iter().map(|(name, need, story)| (format!("checked: {name}"), need, story));
    let trials: Vec<Trial> = named
        .chain(checked)
        .map(|(name, need, story)| {
            trial(&name, &[need], move || {
                story();
                Ok(())
            })
        })
        .collect();
    let code = libtest_mimic::run(&arguments, trials).exit_code();
    world::end();
    code
}
