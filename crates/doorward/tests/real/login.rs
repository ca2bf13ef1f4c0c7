//! The command line's session: it goes to the server that was typed, under TLS or on this machine, and is its owner's alone.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Failed, Trial};

use crate::desk::{Desk, Wiki};
use crate::need::trial;
use crate::server::{House, PASSWORD};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("login: no password crosses a network in clear unasked", &[], in_clear),
        trial("login: redirects are not followed", &[], redirects),
        trial("login: a session that others may read or write", &[], exposed),
        trial(
            "login: `whoami` says who is signed in, and else who a local policy takes them for",
            &[],
            identity,
        ),
    ]
}

const GROUPS: [(&str, &[&str]); 1] = [("staff", &["jon"])];

fn house() -> House {
    House::new(&GROUPS, &Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }").policy)
}

fn identity() -> Result<(), Failed> {
    let house = house();
    let jon = Desk::new(&house, "jon");
    jon.run(&["whoami"]).is(77, &[], &["error: you are not signed in to a server\n", "doorward login URL"]);
    let server = house.serve();
    jon.signs_in(&server);
    let text = [
        "as jon until 20",
        " UTC, or until 1h after the last use.\n",
        "  groups     staff\n",
        "  address    127.0.0.1\n",
    ];
    let signed_in = jon.run(&["whoami"]);
    signed_in.is(0, &text, &[]);
    signed_in.is(0, &[&format!("You are signed in to {} as jon", server.url)], &[]);
    let json = jon.run(&["whoami", "--json"]).json();
    assert_eq!(
        (&json["person"], &json["groups"][0], &json["operator"], &json["server"], &json["address"]),
        (&"jon".into(), &"staff".into(), &false.into(), &server.url.as_str().into(), &"127.0.0.1".into())
    );
    assert!(json["ends"].is_string() && json["policy"].is_null(), "{json}");
    assert_eq!(json["idle_seconds"], 3600);
    // With the policy of this machine.
    let (code, out, err) = house.run(&["whoami", "--as", "jon"]);
    assert!(code == 0 && out.starts_with("You are not signed in to a server. In `"), "{out}{err}");
    assert!(out.ends_with("` you are jon.\n  groups     staff\n"), "{out}");
    let (code, out, err) = house.run(&["whoami", "--as", "jon", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out)?;
    assert!(code == 0 && json["server"].is_null() && json["ends"].is_null(), "{out}{err}");
    assert_eq!((&json["person"], &json["groups"][0]), (&"jon".into(), &"staff".into()));
    let (code, _, err) = house.run(&["whoami", "--as", "maria"]);
    assert!(code == 1 && err.contains("`maria` is not in the password file"), "{code}: {err}");
    Ok(())
}

fn in_clear() -> Result<(), Failed> {
    let house = house();
    let jon = Desk::new(&house, "jon");
    for url in ["http://192.0.2.1:8080", "http://door.example", "HTTP://door.example/door"] {
        // Without a password to read: it is not even asked for.
        let refused = jon.run(&["login", url]);
        refused.is(
            64,
            &[],
            &[
                &format!("error: `{url}` has no TLS, so your password would cross the network in clear text"),
                "hint: write `https://…`",
                "--insecure",
            ],
        );
    }
    // Who accepts it is let, and the session remembers that: nobody listens there, so it is only not reached.
    let tried = jon.type_in(&["login", "http://localhost.invalid:1", "--insecure", "--stdin"], PASSWORD);
    tried.is(69, &[], &["error: cannot reach `http://localhost.invalid:1`"]);
    let server = house.serve();
    jon.signs_in(&server);
    let text = fs::read_to_string(jon.session())?;
    assert!(!text.contains("insecure"), "{text}");
    let elsewhere = |more: &str| text.replace(&server.url, "http://door.invalid").replacen('{', more, 1);
    fs::write(jon.session(), elsewhere("{"))?;
    jon.run(&["list"]).is(64, &[], &["so your session would cross the network in clear text"]);
    fs::write(jon.session(), elsewhere("{\"insecure\": true,"))?;
    jon.run(&["list"]).is(69, &[], &["error: cannot reach `http://door.invalid`"]);
    Ok(())
}

/// Answers everything with a redirect, and counts what comes.
fn redirecting(to: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = client.read(&mut [0; 4096]);
            let _ = client.write_all(
                format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes(),
            );
        }
    });
    (url, came)
}

fn redirects() -> Result<(), Failed> {
    let house = house();
    let (elsewhere, followed) = redirecting("http://127.0.0.1:1/".into());
    for to in [format!("{elsewhere}/api/v1/sessions"), "/api/v1/sessions".to_owned()] {
        let (server, came) = redirecting(to.clone());
        let jon = Desk::new(&house, "jon");
        let said = jon.type_in(&["login", &server, "--stdin"], PASSWORD);
        let error = format!("error: `{server}` redirects its clients to `{to}`");
        said.is(69, &[], &[&error, "hint: nothing was sent there"]);
        assert_eq!((came.load(Ordering::SeqCst), followed.load(Ordering::SeqCst)), (1, 0));
        assert!(!jon.session().exists());
    }
    Ok(())
}

fn exposed() -> Result<(), Failed> {
    let house = house();
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    let mode = |mode| fs::set_permissions(jon.session(), fs::Permissions::from_mode(mode)).expect("a mode");
    let found = || fs::metadata(jon.session()).expect("a file").permissions().mode() & 0o777;
    for bits in [0o644, 0o640, 0o604] {
        mode(bits);
        let mended = jon.run(&["list"]);
        mended.is(
            0,
            &["wiki"],
            &["warning: other users could read `", "they no longer can", "run `doorward logout`"],
        );
        assert_eq!(found(), 0o600);
        jon.run(&["list"]).is(0, &["wiki"], &[]);
    }
    // What others could write may be theirs.
    for bits in [0o620, 0o666, 0o602] {
        mode(bits);
        let refused = jon.run(&["list"]);
        refused.is(
            77,
            &[],
            &["has your session, and other users can write it", "hint: `doorward logout`", "chmod 600"],
        );
        assert_eq!(found(), bits);
    }
    // It is ended also while it is exposed, and a new one is the owner's alone whatever was left behind.
    mode(0o644);
    jon.run(&["logout"]).is(0, &["You are signed out of"], &[]);
    fs::write(jon.session().with_extension("new"), "{}")?;
    fs::set_permissions(jon.session().with_extension("new"), fs::Permissions::from_mode(0o666))?;
    jon.signs_in(&server);
    assert_eq!(found(), 0o600);
    Ok(())
}
