//! Host keys that were remembered, and what a change of one says.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::ssh::known_hosts::key;

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

fn instance(id: &str) -> Host {
    Host { names: vec!["10.0.0.7".to_owned()], port: 22, instance: Some(id.to_owned()) }
}

#[tokio::test]
async fn the_first_key_is_remembered_and_another_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/host-keys");
    let pins = Pins::new(path.clone());
    let host = instance("i-0a");
    assert_eq!(pins.verdict(&host, &key(ED25519).unwrap()).await.unwrap(), Verdict::Pinned);
    assert_eq!(pins.verdict(&host, &key(ED25519).unwrap()).await.unwrap(), Verdict::Known);
    let refused = pins.verdict(&host, &key(OTHER).unwrap()).await.unwrap_err();
    for part in
        [fingerprint(&key(ED25519).unwrap()), fingerprint(&key(OTHER).unwrap()), path.display().to_string()]
    {
        assert!(refused.to_string().contains(&part), "{refused}");
    }
    assert!(refused.is_final());
    // The same address may be another instance tomorrow.
    assert_eq!(pins.verdict(&instance("i-0b"), &key(OTHER).unwrap()).await.unwrap(), Verdict::Pinned);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let expected = format!("i-0a {ED25519}\ni-0b {OTHER}\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_lose_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host-keys");
    let seen = (0..40).map(|number| {
        let pins = Pins::new(path.clone());
        tokio::spawn(async move {
            pins.verdict(&instance(&format!("i-{}", number / 2)), &key(ED25519).unwrap()).await.unwrap()
        })
    });
    let mut pinned = 0;
    for task in seen.collect::<Vec<_>>() {
        pinned += usize::from(task.await.unwrap() == Verdict::Pinned);
    }
    assert_eq!(pinned, 20);
    assert_eq!(read(&path).unwrap().len(), 20);
}

#[tokio::test]
async fn a_name_that_would_mean_more_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let pins = Pins::new(folder.path().join("host-keys"));
    for name in ["", "*", "a,b", "a b", "!a", "|1|a|b", "a\nb"] {
        let host = Host { names: vec![name.to_owned()], port: 22, instance: None };
        assert!(pins.verdict(&host, &key(ED25519).unwrap()).await.is_err(), "{name}");
    }
}

struct Console(&'static str);

impl Consoles for Console {
    fn output<'a>(&'a self, _: &'a str) -> Answer<'a, Result<String, String>> {
        Box::pin(async {
            if self.0.is_empty() {
                return Err("access denied".to_owned());
            }
            Ok(format!("-----BEGIN SSH HOST KEY KEYS-----\n{}\n-----END SSH HOST KEY KEYS-----\n", self.0))
        })
    }
}

#[tokio::test]
async fn a_console_vouches_for_the_first_key_or_against_it() {
    async fn check(console: &'static str, expected: Result<Verdict, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let pins = Pins::new(folder.path().join("host-keys")).compared_with(Arc::new(Console(console)));
        match (pins.verdict(&instance("i-0a"), &key(ED25519).unwrap()).await, expected) {
            (Ok(verdict), Ok(expected)) => assert_eq!(verdict, expected),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (said, expected) => panic!("{said:?} and not {expected:?}"),
        }
    }
    check(ED25519, Ok(Verdict::Known)).await;
    check(OTHER, Err("the known key is")).await;
    check("", Ok(Verdict::Pinned)).await;
}
