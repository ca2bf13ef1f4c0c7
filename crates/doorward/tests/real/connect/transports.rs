//! The same traffic by each transport: `pgbench`, and a COPY each way of which both sides have the same digest.

use std::net::SocketAddr;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use session_agent::{ConnectEndpoint, Settings};

use super::{World, connect, pgbench, policy, port_of, psql, target, user};
use crate::desk::{Said, said};
use crate::moto::free_port;
use crate::need::{Need, find, trial, wanted};
use crate::netns::{self, Netns};
use crate::postgres::Postgres;
use crate::server::House;
use crate::sshd::{Sshd, keygen};

/// Addresses for documentation: the far machine's, this side of the cable to it, and one behind it.
const FAR: &str = "198.51.100.2";
const NEAR: &str = "198.51.100.1/30";
const BEHIND: &str = "203.0.113.7";

pub fn trials() -> Vec<Trial> {
    let sessions = [Need::Moto, Need::Postgres];
    let ssh = [Need::Moto, Need::Postgres, Need::Sshd];
    let namespaces = [Need::Moto, Need::Postgres, Need::Sshd, Need::Root, Need::Nft, Need::Ip];
    vec![
        trial("transports: Session Manager", &sessions, || by_sessions("jump-smux", |_| {})),
        trial("transports: Session Manager, of an agent that knows no smux", &sessions, || {
            by_sessions("jump-basic", |settings| settings.agent.version = "3.0.196.0".into())
        }),
        trial("transports: SSH over Session Manager", &ssh, over_sessions),
        trial("transports: SSH over an Instance Connect Endpoint", &ssh, over_an_endpoint),
        trial("transports: SSH straight, and a second machine behind", &ssh, straight),
        trial("transports: a range", &namespaces, by_range),
    ]
}

/// Megabytes each way. A gigabyte takes a while in a debug build; `DOORWARD_BULK` says how many.
fn megabytes() -> u64 {
    wanted("DOORWARD_BULK", 16)
}

/// Carries it all to a database through a place, and says what was carried.
fn traffic(database: &Postgres, host: &str, port: u16) {
    let bench = |arguments: &[&str]| pgbench(host, port, arguments);
    assert_eq!(bench(&["-i", "-q", "-s", "1"]).code, 0);
    bench(&["-c", "8", "-t", "25", "-n"]).is(0, &["transactions actually processed: 200/200"], &[]);
    // A new connection for each transaction.
    bench(&["-C", "-S", "-n", "-c", "4", "-t", "10"]).is(0, &["transactions actually processed: 40/40"], &[]);

    // A line is 32 digits and its end.
    let lines = megabytes() * 1_000_000 / 33;
    let rows = format!("select md5(i::text) from generate_series(1, {lines}) i");
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().display();
    let shell = |script: String| said(Command::new("sh").args(["-c", &script]).output().expect("sh"));
    let psql = find("psql").expect("psql");
    let psql = format!("{} -X -q -U postgres", psql.display());
    let through = format!("{psql} -h {host} -p {port}");
    let beside = format!("{psql} -h {} -p {}", database.sockets().display(), database.port());
    let digest = |said: Said| {
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
        said.out
    };
    let begun = std::time::Instant::now();
    let down =
        digest(shell(format!("{through} -c \"copy ({rows}) to stdout\" > {path} && sha256sum < {path}")));
    let took_down = begun.elapsed();
    assert_eq!(down, digest(shell(format!("{beside} -c \"copy ({rows}) to stdout\" | sha256sum"))));
    let begun = std::time::Instant::now();
    let taken = "create unlogged table if not exists taken (line text); truncate taken";
    assert_eq!(shell(format!("{beside} -c '{taken}'")).code, 0);
    assert_eq!(shell(format!("{through} -c 'copy taken from stdin' < {path}")).code, 0);
    let took_up = begun.elapsed();
    assert_eq!(down, digest(shell(format!("{beside} -c 'copy taken to stdout' | sha256sum"))));
    println!("{} MB down in {took_down:.1?} and up in {took_up:.1?}: {}", megabytes(), down.trim());
}

/// Connects to a target that is one place, and carries the traffic through its local port.
fn through_a_port(house: &House, database: &Postgres) {
    let (held, told) = connect(house, &[&format!("orders-db={}", free_port())]);
    let port = port_of(&told, "orders-db");
    psql(port, "select 6*7").is(0, &["42\n"], &[]);
    traffic(database, "127.0.0.1", port);
    held.signal("INT");
    held.ends().is(0, &[], &["orders-db is disconnected: you stopped it"]);
}

fn by_sessions(name: &str, settings: impl FnOnce(&mut Settings)) -> Result<(), Failed> {
    let postgres = Postgres::start();
    let world = World::new(name, settings);
    world.stand.place("orders.internal", 5432, ([127, 0, 0, 1], postgres.port()).into());
    let house = world.house(&policy(name, &target("orders-db", "orders.internal", "tcp/5432", "\"ssm\"")));
    through_a_port(&house, &postgres);
    world.clean();
    Ok(())
}

/// A policy whose only target is the database as the machine knows it, over SSH.
fn by_ssh(name: &str, ssh: &str, postgres: &Postgres) -> String {
    let port = format!("tcp/{}", postgres.port());
    let policy = policy(name, &target("orders-db", "127.0.0.1", &port, "\"ssh\""));
    let (before, after) = policy.split_once("[ssh]\n").expect("a section");
    let (_, after) = after.split_once("\n\n").expect("its end");
    format!("{before}[ssh]\nuser = \"{}\"\n{ssh}\n\n{after}", user())
}

fn over_sessions() -> Result<(), Failed> {
    let (postgres, sshd) = (Postgres::start(), Sshd::start());
    let world = World::with_sshd("jump-over", &sshd);
    through_a_port(
        &world.house(&by_ssh("jump-over", "jump-host = \"tag:Name=jump-over\"", &postgres)),
        &postgres,
    );
    world.clean();
    Ok(())
}

fn over_an_endpoint() -> Result<(), Failed> {
    let (postgres, sshd) = (Postgres::start(), Sshd::start());
    let world = World::beside("jump-endpoint", |settings, instance| {
        settings.authorized_keys = Some(sshd.path("authorized_keys"));
        settings.endpoints = vec![ConnectEndpoint {
            id: "eice-0123456789abcdef0".into(),
            vpc: instance.vpc.clone(),
            subnet: instance.subnet.clone(),
            places: [((instance.address.clone(), 22), sshd.address())].into(),
        }];
    });
    let ssh = "jump-host = \"tag:Name=jump-endpoint\"\nover = \"endpoint\"";
    through_a_port(&world.house(&by_ssh("jump-endpoint", ssh, &postgres)), &postgres);
    let violations = world.stand.violations();
    assert!(violations.is_empty(), "{violations:#?}");
    Ok(())
}

/// A key of a file, which the machine lets in.
fn key_for(house_of: &std::path::Path, sshds: &[&Sshd]) -> String {
    let path = house_of.join("jump-key");
    keygen(&path, "ed25519");
    let public = std::fs::read_to_string(path.with_extension("pub")).expect("a key");
    sshds.iter().for_each(|sshd| sshd.authorize(public.trim()));
    path.display().to_string()
}

fn straight() -> Result<(), Failed> {
    let (postgres, sshd, second) = (Postgres::start(), Sshd::start(), Sshd::start());
    let folder = tempfile::tempdir()?;
    let key = key_for(folder.path(), &[&sshd, &second]);
    let world = World::new("jump-straight", |_| {});
    let first = format!(
        "jump-host = \"127.0.0.1\"\nover = \"direct\"\nport = {}\nkey = \"{key}\"",
        sshd.address().port()
    );
    through_a_port(&world.house(&by_ssh("jump-straight", &first, &postgres)), &postgres);
    let then = format!("{first}\nthen = \"{}@127.0.0.1:{}\"", user(), second.address().port());
    through_a_port(&world.house(&by_ssh("jump-straight", &then, &postgres)), &postgres);
    assert!(
        !second.children().is_empty() || std::fs::read_to_string(second.path("log"))?.contains("Accepted")
    );
    Ok(())
}

fn by_range() -> Result<(), Failed> {
    let far = Netns::new();
    let link = format!("dwf{}", std::process::id() % 100_000);
    netns::run("ip", &["link", "add", &link, "type", "veth", "peer", "name", "far", "netns", far.name()], "");
    netns::run("ip", &["address", "add", NEAR, "dev", &link], "");
    netns::run("ip", &["link", "set", &link, "up"], "");
    far.ip(&["address", "add", &format!("{FAR}/30"), "dev", "far"]);
    far.ip(&["link", "set", "far", "up"]);
    far.ip(&["address", "add", &format!("{BEHIND}/32"), "dev", "lo"]);
    let postgres = Postgres::inside(far.name(), BEHIND);
    let sshd = Sshd::inside(far.name(), SocketAddr::new(FAR.parse()?, 22));
    let folder = tempfile::tempdir()?;
    let key = key_for(folder.path(), &[&sshd]);
    let world = World::new("jump-range-traffic", |_| {});
    let ssh = format!("jump-host = \"{FAR}\"\nover = \"direct\"\nkey = \"{key}\"");
    let policy = by_ssh("jump-range-traffic", &ssh, &postgres)
        .replace("\"127.0.0.1\"\nports", "\"203.0.113.0/24\"\nports");
    let (held, told) = connect(&world.house(&policy), &["orders-db", "--range", "auto"]);
    assert_eq!(told[0]["range"], "203.0.113.0/24");
    traffic(&postgres, BEHIND, postgres.port());
    held.signal("INT");
    held.ends().is(0, &[], &["orders-db is disconnected: you stopped it"]);
    Ok(())
}
