//! What somebody runs into who uses the program for the first time: what is open stays as it is, and what is told is so.

use std::net::SocketAddr;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::desk::{Desk, Wiki};
use crate::need::trial;
use crate::server::House;

pub fn trials() -> Vec<Trial> {
    let plain = |name: &str, test: fn() -> Result<(), Failed>| trial(&format!("newcomer: {name}"), &[], test);
    vec![
        plain("who diagnoses or connects lengthens nothing", as_it_stands),
        plain("a relay is reached where it listens", by_the_relay),
        plain("who is nobody here is told so before anything is looked up", nobody_here),
    ]
}

const GROUPS: [(&str, &[&str]); 2] = [("staff", &["jon", "maria"]), ("ops", &["maria"])];
const LASTS: &str = "lasts = { usually = \"30m\", at-most = \"1h\" }";

fn ends(desk: &Desk<'_>) -> Vec<Value> {
    let listed = desk.run(&["list", "--json"]).json();
    listed["grants"].as_array().expect("grants").iter().map(|grant| grant["until"].clone()).collect()
}

fn as_it_stands() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    jon.run(&["open", "wiki", "--for", "10m"]).is(0, &["wiki is open"], &[]);
    let open = ends(&jon);
    assert_eq!(open.len(), 1);
    jon.run(&["doctor", "wiki"]).is(0, &["which was open already", "the path to wiki works"], &[]);
    assert_eq!(ends(&jon), open, "a diagnosis lengthens nothing");
    let connected = jon.run(&["connect", "wiki", "--exec", "true"]);
    assert_eq!(connected.code, 0, "{connected:?}");
    assert_eq!(ends(&jon), open, "nor does a connection");
    assert_eq!(jon.run(&["connect", "wiki", "--for", "20m", "--exec", "true"]).code, 0);
    assert_ne!(ends(&jon), open, "unless it is asked for");
    jon.run(&["close", "wiki"]).is(0, &["is revoked"], &[]);

    // What it opens itself is short, and closed when it leaves.
    jon.run(&["doctor", "wiki"]).is(0, &["the path to wiki works"], &[]);
    assert!(ends(&jon).is_empty());
    let (_, out, _) = house.run(&["audit", "list", "--json"]);
    let mut lasts = Vec::new();
    for line in out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let event = if line["event"].is_object() { &line["event"] } else { &line };
        if event["what"] != "opened" {
            continue;
        }
        let at = |name: &str| -> Result<jiff::Timestamp, Failed> {
            Ok(event[name].as_str().ok_or_else(|| format!("no {name} in {line}"))?.parse()?)
        };
        lasts.push(at("until")?.duration_since(at("at")?).as_secs());
    }
    lasts.sort_unstable();
    assert!(lasts.len() == 2 && lasts[0] <= 300, "{lasts:?}: {out}");
    Ok(())
}

fn by_the_relay() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    let doctor = jon.run(&["doctor", "wiki", "--json"]);
    let links = doctor.json();
    let target = links.as_array().ok_or("no links")?.iter().find(|link| link["link"] == "target");
    let found = target.and_then(|link| link["found"].as_str()).unwrap_or_default().to_owned();
    assert!(found.contains(&format!("the relay `{}`", wiki.door)), "{doctor:?}");
    // Who uses what is connected has a connection to the relay.
    let used = "exec 3<>/dev/tcp/127.0.0.1/$DOORWARD_WIKI_PORT; sleep 1; cat /proc/net/tcp";
    let connected = jon.run(&["connect", "wiki", "--exec", "bash", "-c", used]);
    assert_eq!(connected.code, 0, "{connected:?}");
    assert!(is_connected_to(&connected.out, wiki.door), "{connected:?}");
    Ok(())
}

/// Whether a table of the kernel's has an established connection to an address (proc(5): `rem_address`, `st`).
fn is_connected_to(table: &str, to: SocketAddr) -> bool {
    let port = format!(":{:04X}", to.port());
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(2).is_some_and(|remote| remote.ends_with(&port)) && fields.get(3) == Some(&"01")
    })
}

fn nobody_here() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let name = Command::new("id").args(["-un"]).output()?.stdout;
    let name = String::from_utf8(name)?.trim().to_owned();
    for words in [&["list"] as &[&str], &["open", "wiki"], &["doctor", "wiki"]] {
        let (code, out, err) = house.run(words);
        assert_eq!((code, out.as_str()), (1, ""), "{words:?}: {err}");
        assert!(
            err.contains(&format!(
                "`{name}`, your login name on this machine, is not in the password file of `"
            )) && err.contains("hint: name yourself with `--as PERSON`"),
            "{err}"
        );
        assert!(!err.contains("checkip"), "{err}");
    }
    let (code, out, err) = house.run(&["list", "--as", "jon"]);
    assert!(code == 0 && out.contains("wiki"), "{out}{err}");
    Ok(())
}
