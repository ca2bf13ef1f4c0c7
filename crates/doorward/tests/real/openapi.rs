//! The description of the API against the server that it describes, by a tool that others wrote.

use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::desk::Wiki;
use crate::need::{Need, find, trial};
use crate::server::House;

pub fn trials() -> Vec<Trial> {
    vec![trial("openapi: the server is as its document says", &[Need::Schemathesis], as_described)]
}

const GROUPS: [(&str, &[&str]); 2] = [("staff", &["jon"]), ("ops", &["maria"])];

fn as_described() -> Result<(), Failed> {
    let wiki = Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }");
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    // Somebody who may do everything, and somebody who signs out and whose guesses are slowed down.
    let (maria, jon) = (server.sign_in("maria"), server.sign_in("jon"));
    let whole =
        ["--exclude-operation-id", "signIn", "--exclude-operation-id", "signOut", "--max-examples", "10"];
    let signing_in = ["--include-operation-id", "signIn", "--max-examples", "5"];
    let signing_out = ["--include-operation-id", "signOut", "--max-examples", "5"];
    let runs: [(&str, &[&str]); 3] = [(&maria, &whole), (&jon, &signing_in), (&jon, &signing_out)];
    let (house, url) = (&house, &server.url);
    std::thread::scope(|scope| {
        let started = runs.map(|(token, which)| scope.spawn(move || examine(house, url, token, which)));
        started.into_iter().try_for_each(|run| run.join().map_err(|_| Failed::from("it panicked"))?)
    })
}

/// Runs every check over some operations, always with the same cases.
fn examine(house: &House, url: &str, token: &str, more: &[&str]) -> Result<(), Failed> {
    let configuration = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/schemathesis.toml");
    let output = Command::new(find("schemathesis").expect("schemathesis"))
        .args(["--config-file", configuration, "run"])
        .arg(format!("{url}/api/v1/openapi.json"))
        .args(["--header", &format!("Authorization: Bearer {token}"), "--checks", "all", "--seed", "1"])
        .args(["--generation-database", "none", "--no-color", "--request-timeout", "20"])
        .args(more)
        .current_dir(house.folder())
        .env("NO_PROXY", "*")
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{said}\n{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(())
}
