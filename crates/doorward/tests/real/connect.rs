//! No open port: the built program reaches PostgreSQL and machines by Session Manager and by SSH, and lets go of them.

mod confined;
mod databases;
mod endings;
mod machines;
mod networks;
mod outlived;
mod secrets;
mod transports;
mod vended;

use std::process::Command;
use std::sync::Arc;

use libtest_mimic::Trial;
use serde_json::Value;
use session_agent::{Settings, Stand};

use crate::desk::{Said, Started, said, start};
use crate::grants::eventually;
use crate::moto::{Moto, between};
use crate::need::find;
use crate::server::House;
use crate::sshd::Sshd;

const GROUPS: [(&str, &[&str]); 2] = [("dbs", &["jon"]), ("ops", &["maria"])];
const REGION: &str = "eu-west-1";

pub fn trials() -> Vec<Trial> {
    let all = [
        confined::trials(),
        databases::trials(),
        endings::trials(),
        machines::trials(),
        networks::trials(),
        outlived::trials(),
        secrets::trials(),
        transports::trials(),
        vended::trials(),
    ];
    all.into_iter().flatten().collect()
}

/// AWS with an instance that is tagged as the jump host: moto, and the stand in front of it.
struct World {
    stand: Stand,
    runtime: tokio::runtime::Runtime,
    instance: Instance,
    moto: Arc<Moto>,
}

/// What EC2 says of the instance.
struct Instance {
    id: String,
    address: String,
    vpc: String,
    subnet: String,
}

impl World {
    fn new(name: &str, settings: impl FnOnce(&mut Settings)) -> Self {
        Self::beside(name, |all, _| settings(all))
    }

    /// Likewise, with settings that depend on the instance.
    fn beside(name: &str, settings: impl FnOnce(&mut Settings, &Instance)) -> Self {
        let moto = Moto::shared();
        let ran = moto.instance(REGION, name);
        let instance = Instance {
            id: between(&ran, "<instanceId>", "</instanceId>"),
            address: between(&ran, "<privateIpAddress>", "</privateIpAddress>"),
            vpc: between(&ran, "<vpcId>", "</vpcId>"),
            subnet: between(&ran, "<subnetId>", "</subnetId>"),
        };
        let mut all = Settings {
            region: REGION.into(),
            moto: Some(moto.url()),
            instances: vec![instance.id.clone()],
            ..Settings::default()
        };
        settings(&mut all, &instance);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let stand = runtime.block_on(Stand::start(all)).expect("a stand");
        Self { stand, runtime, instance, moto }
    }

    /// An agent that has an sshd, into which Instance Connect lets keys.
    fn with_sshd(name: &str, sshd: &Sshd) -> Self {
        Self::new(name, |settings| {
            settings.agent.sshd = Some(sshd.address());
            settings.authorized_keys = Some(sshd.path("authorized_keys"));
        })
    }

    fn house(&self, policy: &str) -> House {
        House::new(&GROUPS, policy).with_aws_of(&self.stand.api_url, REGION, &self.keys())
    }

    fn keys(&self) -> (String, String) {
        let settings = Settings::default();
        let key = settings.credentials.first().expect("a key");
        (key.access_key.clone(), key.secret.clone())
    }

    /// Nothing that the client did was against the protocol, and no session is left.
    fn clean(&self) {
        let violations = self.stand.violations();
        assert!(violations.is_empty(), "{violations:#?}");
        eventually("no session is left", || self.stand.open_sessions().is_empty());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The stand's tasks end with their runtime.
        let _guard = self.runtime.enter();
    }
}

/// A policy whose targets go through the machine that is tagged `name`.
fn policy(name: &str, targets: &str) -> String {
    format!(
        "[aws]\nregion = \"{REGION}\"\n\n[ssm]\njump-host = \"tag:Name={name}\"\n\n\
         [ssh]\njump-host = \"tag:Name={name}\"\nuser = \"{}\"\n\n{targets}",
        user()
    )
}

fn target(name: &str, address: &str, ports: &str, transports: &str) -> String {
    format!(
        "[target.{name}]\nabout = \"for a test\"\naddress = \"{address}\"\nports = [\"{ports}\"]\n\
         groups = [\"dbs\"]\ntransports = [{transports}]\n\n"
    )
}

/// Who the tests are on this machine, where the sshd of a test lets them in.
fn user() -> String {
    String::from_utf8(Command::new("id").arg("-un").output().expect("id").stdout)
        .expect("a name")
        .trim()
        .to_owned()
}

fn run(house: &House, arguments: &[&str]) -> Said {
    said(house.doorward(arguments).output().expect("doorward runs"))
}

/// Starts `connect … --json` and returns what it says once it stands.
fn connect(house: &House, arguments: &[&str]) -> (Started, Value) {
    stands(start(&mut house.doorward(&[&["connect", "--as", "jon", "--json"], arguments].concat())))
}

/// Waits until a `connect … --json` stands; what it said then.
fn stands(mut held: Started) -> (Started, Value) {
    use std::io::{BufRead as _, BufReader};
    let mut out = BufReader::new(held.0.stdout.take().expect("a pipe"));
    let mut text = String::new();
    while !text.ends_with("]\n") || serde_json::from_str::<Value>(&text).is_err() {
        if out.read_line(&mut text).expect("a line") == 0 {
            panic!("{text}{:?}", held.ends());
        }
    }
    (held, serde_json::from_str(&text).expect("JSON"))
}

fn port_of(told: &Value, target: &str) -> u16 {
    let one =
        told.as_array().expect("a list").iter().find(|one| one["target"] == target).expect("the target");
    let listen = one["ports"][0]["listen"].as_str().expect("an address");
    listen.rsplit(':').next().expect("a port").parse().expect("a port")
}

/// The arguments of a command that asks the database through PGHOST and PGPORT.
const ASKS: [&str; 6] = ["psql", "-U", "postgres", "-At", "-c", "select 6*7"];

fn pgbench(host: &str, port: u16, arguments: &[&str]) -> Said {
    let program = find("pgbench").expect("pgbench");
    let port = port.to_string();
    let before = ["-U", "postgres", "-h", host, "-p", &port];
    said(Command::new(program).args(before).args(arguments).arg("postgres").output().expect("pgbench"))
}

fn psql(port: u16, statement: &str) -> Said {
    let program = find("psql").expect("psql");
    let port = port.to_string();
    let arguments = ["-X", "-A", "-t", "-U", "postgres", "-h", "127.0.0.1", "-p", &port, "-c", statement];
    said(Command::new(program).args(arguments).env("PGCONNECT_TIMEOUT", "10").output().expect("psql"))
}

/// A service of this machine that says back what it is told, until the test ends.
fn echo() -> (std::net::SocketAddr, std::thread::JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut from, mut to) = (stream.try_clone().expect("a socket"), stream);
                // It ends with its client.
                let _ = std::io::copy(&mut from, &mut to);
            });
        }
    });
    (address, served)
}
