//! Floods: tens of thousands of connections that do nothing, while people sign in and open, and rules end in time.
//!
//! The whole trial runs in a network namespace of its own, in which the attackers' addresses are: one or fifty of them. Each
//! of its cases is a server with another limit of open files; a case with a full relay has no seat left there either.

mod attacker;
mod person;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::json;

use self::person::Visitor;
use crate::desk::{Started, start};
use crate::grants::{descriptions, eventually, new_groups};
use crate::moto::{Moto, free_port};
use crate::need::{Need, find, trial};
use crate::netns::{Netns, Probe};
use crate::probe;
use crate::server::{House, PASSWORD};

pub use attacker::{attack, fill};

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Root, Need::Ip, Need::Moto];
    vec![trial(
        "flood: 20,000 connections that do nothing keep nobody out, and no rule standing",
        &needs,
        flooded,
    )]
}

/// The verb under which this program does the trial, inside the namespace.
pub const VERB: &str = "flooded";
const REGION: &str = "us-east-1";
/// How many connections are tried in each case, by how many programs: each may open 20,000 files, a few of which it has.
const CONNECTIONS: u32 = 20_000;
const PROGRAMS: u32 = 2;
/// The addresses from which a flood comes, and those from which the relay is filled.
const ATTACKERS: u8 = 50;

/// A flood, and what it finds.
struct Case {
    kind: &'static str,
    addresses: u8,
    files: u32,
    relay_full: bool,
}

const CASES: [Case; 6] = [
    Case { kind: "silent", addresses: 1, files: 1024, relay_full: true },
    Case { kind: "byte", addresses: 50, files: 1024, relay_full: false },
    Case { kind: "h2", addresses: 50, files: 16384, relay_full: true },
    Case { kind: "body", addresses: 1, files: 16384, relay_full: false },
    Case { kind: "body", addresses: 50, files: 1024, relay_full: true },
    Case { kind: "tls", addresses: 50, files: 16384, relay_full: false },
];

fn flooded() -> Result<(), Failed> {
    let netns = Netns::new();
    for number in 1..=ATTACKERS {
        netns.ip(&["address", "add", &format!("9.1.0.{number}/32"), "dev", "lo"]);
        netns.ip(&["address", "add", &format!("9.2.0.{number}/32"), "dev", "lo"]);
    }
    netns.ip(&["address", "add", &format!("{}/32", person::ADDRESS), "dev", "lo"]);
    let output = Command::new(find("ip").expect("ip"))
        .args(["netns", "exec", netns.name()])
        .arg(std::env::current_exe()?)
        .env(probe::VERB, VERB)
        .stdin(Stdio::null())
        .output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
}

/// The trial, inside the namespace.
pub fn inside() {
    let moto = Moto::shared();
    for case in CASES {
        case.run(&moto);
    }
}

impl Case {
    fn run(&self, moto: &Moto) {
        let Self { kind, addresses, files, relay_full } = *self;
        let name = format!(
            "{kind} from {addresses}, {files} files, relay {}",
            if relay_full { "full" } else { "free" }
        );
        let group = new_groups(moto, 1, &format!("flood-{kind}-{addresses}-{files}")).remove(0);
        let (relay, behind) = (free_port(), free_port());
        let policy = format!(
            "[aws]\nregion = \"us-east-1\"\n\n\
             [firewall.clients]\nabout = \"clients\"\nsecurity-group = \"{group}\"\n\n\
             [target.orders]\nabout = \"orders\"\naddress = \"rds:orders\"\nports = [\"tcp/5432\"]\ngroups = [\"dbs\"]\n\
             transports = [\"direct\"]\nfirewall = \"clients\"\nlasts = {{ usually = \"4s\", at-most = \"1h\" }}\n\n\
             [firewall.door]\nabout = \"door\"\nrelay = \"127.0.0.1:{relay}\"\nstatic = [\"9.2.0.0/24\"]\n\n\
             [target.wiki]\nabout = \"wiki\"\naddress = \"127.0.0.1\"\nports = [\"tcp/{behind}\"]\ngroups = [\"dbs\"]\n\
             transports = [\"direct\"]\nfirewall = \"door\"\nlasts = {{ usually = \"1h\", at-most = \"8h\" }}\n"
        );
        let house = House::new(&[("dbs", &["jon"])], &policy).with_aws(&moto.url());
        let tls = (kind == "tls").then(|| person::certificate(&house));
        let server = serve(&house, files);
        let jon = Visitor::new(house.listen, tls.as_deref());
        eventually("it answers", || jon.call("GET", "/api/v1/healthz", None, None).is_ok());

        let full = relay_full.then(|| full_relay(relay, behind));
        let pem = house.folder().join("server.pem");
        let floods: Vec<Probe> = (0..PROGRAMS)
            .map(|_| {
                let each = (CONNECTIONS / PROGRAMS).to_string();
                let verb =
                    ["attack", kind, &house.listen.to_string(), &each, &addresses.to_string()].join(" ");
                Probe::start(this_program(&verb, &pem))
            })
            .collect();
        for flood in &floods {
            let said = flood.within(Duration::from_secs(60)).expect("the flood has begun");
            println!("{name}: {said}");
        }

        // Somebody elsewhere signs in and opens. What else this machine does is not what is looked at: the best of three.
        let sign_in = json!({ "name": "jon", "password": PASSWORD });
        let ask = |target: &str| json!({ "target": target });
        let mut fastest = Duration::MAX;
        let mut token = String::new();
        for _ in 0..3 {
            let begun = Instant::now();
            let (status, session) =
                jon.call("POST", "/api/v1/sessions", None, Some(&sign_in)).expect("an answer");
            assert!(status < 300, "{name}: {status} {session}");
            token = session["token"].as_str().expect("a token").to_owned();
            let (status, opened) =
                jon.call("POST", "/api/v1/grants", Some(&token), Some(&ask("wiki"))).expect("an answer");
            assert!(status < 300, "{name}: {status} {opened}");
            fastest = fastest.min(begun.elapsed());
            if fastest < Duration::from_secs(1) {
                break;
            }
        }
        println!("{name}: signed in and opened within {fastest:?}");
        assert!(fastest < Duration::from_secs(1), "{name}: {fastest:?}");

        // A rule that ends meanwhile is taken away in time.
        let begun = Instant::now();
        let (status, opened) =
            jon.call("POST", "/api/v1/grants", Some(&token), Some(&ask("orders"))).expect("an answer");
        let stands = || descriptions(moto, REGION, &group).iter().any(|rule| rule.contains("jon"));
        assert!(status < 300 && stands(), "{name}: {status} {opened}");
        // It was opened after `begun`, so this is later than two seconds after its end.
        let ends = Instant::now() + Duration::from_secs(4);
        while stands() {
            assert!(ends.elapsed() < Duration::from_secs(2), "{name}: the rule stands past its end");
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("{name}: gone {:?} after it was asked for, for 4 s", begun.elapsed());

        let count = std::fs::read_dir(format!("/proc/{}/fd", server.0.id())).expect("it runs").count();
        assert!(count < files as usize, "{name}: {count} files");
        println!("{name}: the server holds {count} files");
        // Told to stop in the midst of it, it does.
        let begun = Instant::now();
        server.signal("TERM");
        let said = server.ends();
        println!("{name}: ended within {:?}", begun.elapsed());
        assert!(said.code == 0 && begun.elapsed() < Duration::from_secs(5), "{name}: {said:?}");
        assert!(said.err.contains(&format!("{files} file descriptors: ")), "{said:?}");
        assert!(!said.err.contains("Too many open files"), "{said:?}");
        drop((floods, full));
    }
}

/// The server, which may open so many files.
fn serve(house: &House, files: u32) -> Started {
    let inner = house.doorward(&["serve"]);
    let mut command = Command::new(find("prlimit").expect("prlimit"));
    command
        .arg(format!("--nofile={files}:{files}"))
        .arg("--")
        .arg(inner.get_program())
        .args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(house.folder()).stdin(Stdio::null());
    start(&mut command)
}

fn this_program(verb: &str, pem: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(probe::VERB, verb).env(attacker::PEM, pem);
    command
}

/// Fills the relay with connections that it admits, until it turns more away.
fn full_relay(relay: u16, behind: u16) -> Probe {
    let verb = format!("fill 127.0.0.1:{relay} 127.0.0.1:{behind}");
    let filled = Probe::start(this_program(&verb, std::path::Path::new("/nonexistent")));
    let said = filled.within(Duration::from_secs(30)).expect("the relay is full");
    println!("{said}");
    let held = said.strip_prefix("full with ").and_then(|held| held.parse::<u32>().ok());
    assert!(held.is_some_and(|held| held >= 100), "{said}");
    filled
}
