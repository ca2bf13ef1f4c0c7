//! A text as a file of known hosts and as a console's output: never a panic, and a line means the same wherever it
//! stands.
#![no_main]

use doorward_tunnel::ssh::console::host_keys;
use doorward_tunnel::ssh::known_hosts::{KnownHosts, key};
use libfuzzer_sys::fuzz_target;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

fuzz_target!(|text: &str| {
    let file = KnownHosts::parse(text);
    let lines: usize = text.lines().map(|line| KnownHosts::parse(line).len()).sum();
    assert_eq!(file.len(), lines);
    let name = text.split_whitespace().next().unwrap_or_default().to_owned();
    let names = ["jump.example.com".to_owned(), "[10.0.0.1]:2222".to_owned(), name];
    let known = file.of(&names).count();
    let ours = key(KEY).expect("a key");
    let more = KnownHosts::parse(&format!("{text}\njump.example.com {KEY}\n@revoked * {KEY}\n"));
    assert_eq!(more.of(&names).count(), known + 1);
    assert!(more.is_revoked(&names, &ours));

    let keys = host_keys(text);
    let block = format!("-----BEGIN SSH HOST KEY KEYS-----\n{KEY}\n-----END SSH HOST KEY KEYS-----\n");
    assert_eq!(host_keys(&format!("{text}\n{block}")), [ours]);
    assert!(keys.len() <= text.lines().count());
});
