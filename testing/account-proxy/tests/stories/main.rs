//! The behaviour that the proxy adds to moto, seen by a client that speaks forms and XML over a socket.
//!
//! The tests share one moto server, which each of them resets, so they run one after the other. Without `moto_server` they
//! are listed as ignored, with the reason in their names; under `CI=true` they fail instead.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod aws;
mod balancers;
mod control;
mod databases;
mod dependencies;
mod endpoints;
mod faults;
mod functions;
mod gateways;
mod instances;
mod parameters;
mod proxies;
mod quotas;
mod references;
mod refreshes;
mod restores;
mod tokens;
mod visibility;

use std::process::ExitCode;

use aws::{Aws, moto_server};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let areas = [
        ("balancers", balancers::tests()),
        ("control", control::tests()),
        ("databases", databases::tests()),
        ("dependencies", dependencies::tests()),
        ("endpoints", endpoints::tests()),
        ("faults", faults::tests()),
        ("functions", functions::tests()),
        ("gateways", gateways::tests()),
        ("instances", instances::tests()),
        ("parameters", parameters::tests()),
        ("proxies", proxies::tests()),
        ("quotas", quotas::tests()),
        ("references", references::tests()),
        ("refreshes", refreshes::tests()),
        ("restores", restores::tests()),
        ("tokens", tokens::tests()),
        ("visibility", visibility::tests()),
    ];
    let trials =
        areas.into_iter().flat_map(|(area, tests)| tests.into_iter().map(move |test| trial(area, test)));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    aws::end();
    conclusion.exit_code()
}

/// A test and its name.
type Test = (&'static str, fn(&Aws));

fn trial(area: &str, (name, test): Test) -> Trial {
    let name = format!("{area}: {name}");
    if moto_server().is_some() {
        return Trial::test(name, move || {
            test(&Aws::new());
            Ok(())
        });
    }
    let why = "needs moto_server";
    if std::env::var_os("CI").is_some() {
        return Trial::test(name, move || Err(format!("not run: {why}").into()));
    }
    Trial::test(format!("{name} ({why})"), || Ok(())).with_ignored_flag(true)
}
