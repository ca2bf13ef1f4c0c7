//! Floods: tens of thousands of connections that do nothing, or a hundred that never pause, while people sign in and open, and
//! rules end in time.
//!
//! The server is in a network namespace of its own, each attacker's address in another, and the person who signs in in one
//! more. Each case is a server with another limit of open files; a case with a full relay has no seat left there either.
//! `DOORWARD_FLOOD=all` runs every case there is, `DOORWARD_FLOOD=tls` those with that in their name; else it is a few in which
//! every part of one occurs.

mod attacker;
mod field;
mod person;
mod talk;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use self::field::Field;
use self::person::Person;
use crate::desk::{Started, start};
use crate::grants::{descriptions, eventually, new_groups};
use crate::moto::{Moto, free_port};
use crate::need::{Need, find, timed, wanted};
use crate::netns::{Probe, probe_in};
use crate::probe;
use crate::server::{House, PASSWORD};

pub use attacker::{attack, fill};
pub use person::visit;

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Root, Need::Ip, Need::Moto];
    vec![timed(
        "flood: 20,000 connections that do nothing, or 100 that never pause, keep nobody out, and no rule standing",
        &needs,
        flooded,
    )]
}

/// The verb under which this program does the trial, inside the namespace of the server.
pub const VERB: &str = "flooded";
const REGION: &str = "us-east-1";
/// How many connections are tried in each case, and by how many programs at least: each may open 20,000 files, a few of
/// which it has.
const CONNECTIONS: u32 = 20_000;
const THAT_TALK: u32 = 100;
/// How long those talk before anybody signs in.
const TALK: Duration = Duration::from_secs(1);
const PROGRAMS: u32 = 2;
/// How many connections are being made at once.
const AT_ONCE: u32 = 1_000;

/// A flood, and what it finds.
#[derive(Clone, Copy)]
struct Case {
    kind: &'static str,
    addresses: u8,
    files: u32,
    relay_full: bool,
}

/// How long signing in and opening took, and the session's token. The shortest is the least.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Visit {
    took: Duration,
    token: String,
}

/// How soon somebody has signed in and opened, on a machine with two processors that does nothing else.
const WITHIN: Duration = Duration::from_secs(1);

const KINDS: [&str; 5] = ["silent", "byte", "tls", "h2", "body"];

const FEW: [Case; 10] = [
    Case { kind: "silent", addresses: 1, files: 1024, relay_full: true },
    Case { kind: "byte", addresses: 50, files: 1024, relay_full: false },
    Case { kind: "h2", addresses: 50, files: 16384, relay_full: true },
    Case { kind: "body", addresses: 1, files: 16384, relay_full: false },
    Case { kind: "tls", addresses: 50, files: 16384, relay_full: false },
    Case { kind: "settings", addresses: 50, files: 1024, relay_full: false },
    Case { kind: "window-updates", addresses: 50, files: 1024, relay_full: false },
    Case { kind: "priorities", addresses: 50, files: 1024, relay_full: false },
    Case { kind: "unknown-frames", addresses: 50, files: 1024, relay_full: false },
    Case { kind: "empty-data", addresses: 50, files: 1024, relay_full: false },
];

fn cases() -> Vec<Case> {
    let wanted = wanted("DOORWARD_FLOOD", String::new());
    if wanted.is_empty() {
        return FEW.to_vec();
    }
    let of_kind = |kind| {
        [(1, 1024), (1, 16384), (field::ATTACKERS, 1024), (field::ATTACKERS, 16384)].into_iter().flat_map(
            move |(addresses, files)| {
                [false, true].map(|relay_full| Case { kind, addresses, files, relay_full })
            },
        )
    };
    let talk =
        talk::KINDS.map(|kind| Case { kind, addresses: field::ATTACKERS, files: 1024, relay_full: false });
    KINDS
        .into_iter()
        .flat_map(of_kind)
        .chain(talk)
        .filter(|case| wanted == "all" || case.name().contains(&wanted))
        .collect()
}

fn flooded() -> Result<(), Failed> {
    let field = Field::new();
    let output = Command::new(find("ip").expect("ip"))
        .args(["netns", "exec", field.house.name()])
        .arg(std::env::current_exe()?)
        .env(probe::VERB, format!("{VERB} {}", field.others().join(" ")))
        .stdin(Stdio::null())
        .output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
}

/// The trial, inside the namespace of the server; the others are named.
pub fn inside(person: &str, attackers: &[&str]) {
    let moto = Moto::shared();
    for case in cases() {
        case.run(&moto, person, attackers);
    }
}

impl Case {
    fn name(&self) -> String {
        let Self { kind, addresses, files, relay_full } = self;
        format!("{kind} from {addresses}, {files} files, relay {}", if *relay_full { "full" } else { "free" })
    }

    fn talks(&self) -> bool {
        talk::KINDS.contains(&self.kind)
    }

    fn run(&self, moto: &Moto, person: &str, attackers: &[&str]) {
        let Self { kind, addresses, files, relay_full } = *self;
        let name = self.name();
        let group = new_groups(moto, 1, &format!("flood-{kind}-{addresses}-{files}-{relay_full}")).remove(0);
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
        let house = House::new(&[("dbs", &["jon"])], &policy).at(field::SERVER.into()).with_aws(&moto.url());
        let pem = house.folder().join("server.pem");
        if kind == "tls" {
            person::certificate(&house);
        }
        let server = serve(&house, files);
        let (at, pem) = (house.listen.to_string(), pem.display().to_string());
        let environment = [(person::PEM, pem.as_str())];
        let mut jon = Person::new(probe_in(person, &["visit", &at], &environment));
        eventually("it answers", || jon.call("GET", "/api/v1/healthz", None, &Value::Null).0 == 200);

        // How fast this machine is today: before the flood, and before the relay is full.
        let sign_in = json!({ "name": "jon", "password": PASSWORD });
        let ask = |target: &str| json!({ "target": target });
        let undisturbed = (0..2).filter_map(|_| visit_once(&mut jon, &sign_in, &ask("wiki"), &name)).min();
        let undisturbed = undisturbed.expect("it opens without a flood").took;

        let full = relay_full.then(|| full_relay(relay, behind));
        let connections = if self.talks() { THAT_TALK } else { CONNECTIONS };
        let programs = PROGRAMS.max(addresses.into());
        let (each, at_once) = ((connections / programs).to_string(), (AT_ONCE / programs).to_string());
        let begun = Instant::now();
        let floods: Vec<Probe> = attackers
            .iter()
            .take(addresses.into())
            .cycle()
            .take(programs as usize)
            .map(|netns| probe_in(netns, &["attack", kind, &at, &each, &at_once], &environment))
            .collect();
        let (mut tried, mut unanswered) = (0, 0);
        for flood in &floods {
            let said = flood.within(Duration::from_secs(120)).expect("the flood has begun");
            let (all, not) = said.split_once(' ').expect("two numbers");
            tried += all.parse::<u32>().expect("a number");
            unanswered += not.parse::<u32>().expect("a number");
        }
        println!("{name}: {tried} tried in {:?}, {unanswered} of them without an answer", begun.elapsed());
        assert_eq!(tried, connections, "{name}");
        if self.talks() {
            std::thread::sleep(TALK);
        }

        // What else this machine does is not what is looked at: the best of three, and longer where it is slow by itself.
        let limit = WITHIN.max(undisturbed * 4);
        let mut fastest: Option<Visit> = None;
        for _ in 0..3 {
            let visit = visit_once(&mut jon, &sign_in, &ask("wiki"), &name);
            fastest = fastest.into_iter().chain(visit).min();
            if fastest.as_ref().is_some_and(|visit| visit.took < WITHIN) {
                break;
            }
        }
        let Some(Visit { took, token }) = fastest else { panic!("{name}: nobody could open") };
        println!("{name}: signed in and opened within {took:?}, {undisturbed:?} without the flood");
        assert!(took < limit, "{name}: {took:?}, {undisturbed:?} without the flood");

        // A rule that ends meanwhile is taken away in time.
        let (status, opened) = jon.call("POST", "/api/v1/grants", Some(&token), &ask("orders"));
        let stands = || descriptions(moto, REGION, &group).iter().any(|rule| rule.contains("jon"));
        assert!(is_good(status) && stands(), "{name}: {status} {opened}");
        // It was opened before, so this is later than its end.
        let ends = Instant::now() + Duration::from_secs(4);
        while stands() {
            assert!(ends.elapsed() < Duration::from_secs(2), "{name}: the rule stands past its end");
            std::thread::sleep(Duration::from_millis(20));
        }
        println!("{name}: the rule gone at most {:?} after its end", ends.elapsed());

        let process = format!("/proc/{}", server.0.id());
        let count = std::fs::read_dir(format!("{process}/fd")).expect("it runs").count();
        assert!(count < files as usize, "{name}: {count} files");
        println!("{name}: the server holds {count} files and {}", memory(&process));
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

/// Signs in and opens a target; none if one of the two is refused.
fn visit_once(jon: &mut Person, sign_in: &Value, target: &Value, name: &str) -> Option<Visit> {
    let begun = Instant::now();
    let (status, session) = jon.call("POST", "/api/v1/sessions", None, sign_in);
    println!("{name}: {status} after {:?}", begun.elapsed());
    let token = session["token"].as_str().filter(|_| is_good(status))?.to_owned();
    let (status, opened) = jon.call("POST", "/api/v1/grants", Some(&token), target);
    println!("{name}: {status} after {:?}", begun.elapsed());
    if !is_good(status) {
        println!("{opened}");
        return None;
    }
    Some(Visit { took: begun.elapsed(), token })
}

fn is_good(status: u16) -> bool {
    (200..300).contains(&status)
}

/// The most memory that a process has had.
fn memory(process: &str) -> String {
    let status = std::fs::read_to_string(format!("{process}/status")).expect("it runs");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    most.expect("a line").trim().to_owned()
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

/// Fills the relay with connections that it admits, until it turns more away.
fn full_relay(relay: u16, behind: u16) -> Probe {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(probe::VERB, format!("fill 127.0.0.1:{relay} 127.0.0.1:{behind}"));
    let filled = Probe::start(command);
    let said = filled.within(Duration::from_secs(60)).expect("the relay is full");
    println!("{said}");
    let held = said.strip_prefix("full with ").and_then(|held| held.parse::<u32>().ok());
    assert!(held.is_some_and(|held| held >= 100), "{said}");
    filled
}
