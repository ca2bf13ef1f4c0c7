//! SIGTERM and Ctrl-C: the server ends within five seconds, whatever it is doing.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::json;

use crate::desk::{Started, Wiki, start};
use crate::faulty::{Fault, Faulty};
use crate::grants::{HOURS, eventually, new_groups, policy};
use crate::moto::Moto;
use crate::need::{Need, find, timed};
use crate::server::{House, PASSWORD, Server};

pub fn trials() -> Vec<Trial> {
    vec![
        timed("stopping: while AWS does not answer", &[Need::Moto], silent_aws),
        timed("stopping: while a password is verified that takes minutes", &[], costly_password),
        timed("stopping: while somebody else holds the store", &[Need::Python], locked_store),
        timed("stopping: while the relay carries and clients hold on", &[], busy_relay),
        timed("stopping: a second Ctrl-C ends it at once", &[Need::Moto], twice),
        timed("stopping: a limit of open files that is too low is said at the start", &[], too_few_files),
    ]
}

const LIMIT: Duration = Duration::from_secs(5);

fn ends_in_time(server: Server) {
    let begun = Instant::now();
    let code = server.terminate();
    println!("ended within {:?}", begun.elapsed());
    assert!(code == Some(0) && begun.elapsed() < LIMIT, "{code:?} after {:?}", begun.elapsed());
}

fn silent_aws() -> Result<(), Failed> {
    let moto = Moto::shared();
    let group = new_groups(&moto, 1, "stopping").remove(0);
    let faulty = Faulty::before(moto.port());
    let house = House::new(&[("dbs", &["jon"])], &policy(&[group], HOURS)).with_aws(&faulty.url());
    let server = house.serve();
    let token = server.sign_in("jon");
    faulty.breaks("", usize::MAX, Fault::Silence);
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| {
            let body = json!({ "target": "db-0", "address": "203.0.113.7" });
            server.call(Some(&token), "POST", "/api/v1/grants", Some(body))
        });
        std::thread::sleep(Duration::from_millis(500));
        let begun = Instant::now();
        assert!(
            Command::new("kill").arg(server.pid().to_string()).status().is_ok_and(|status| status.success())
        );
        // It broke off, or was told before.
        let _ = opening.join();
        assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    });
    ends_in_time(server);
    Ok(())
}

/// Sends a sign-in that is not answered soon, and gives the server the time to begin with it.
fn waits_to_sign_in(house: &House) -> Result<TcpStream, Failed> {
    let body = json!({ "name": "jon", "password": PASSWORD }).to_string();
    let mut trying = TcpStream::connect(house.listen)?;
    write!(
        trying,
        "POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    std::thread::sleep(Duration::from_millis(500));
    Ok(trying)
}

fn costly_password() -> Result<(), Failed> {
    let wiki = Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }");
    let house = House::new(&[("staff", &["jon"])], &wiki.policy);
    // A hash of cost 17: half a minute in a build that is not optimised.
    let path = house.folder().join("people.htpasswd");
    let text = fs::read_to_string(&path)?;
    fs::write(&path, text.replace("$2y$04$", "$2y$17$"))?;
    let server = house.serve();
    let _trying = waits_to_sign_in(&house)?;
    ends_in_time(server);
    Ok(())
}

fn locked_store() -> Result<(), Failed> {
    let wiki = Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }");
    let house = House::new(&[("staff", &["jon"])], &wiki.policy);
    let server = house.serve();
    let script = "import sqlite3, sys\n\
                  db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)\n\
                  db.execute('BEGIN IMMEDIATE')\n\
                  print('held', flush=True)\n\
                  sys.stdin.read()\n";
    let mut holder = Started(
        Command::new(find("python3").ok_or("no python3")?)
            .args(["-c", script])
            .arg(house.folder().join("doorward.db"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let mut said = [0; 5];
    std::io::Read::read_exact(holder.0.stdout.as_mut().ok_or("a pipe")?, &mut said)?;
    // Somebody waits for the store, too.
    let _trying = waits_to_sign_in(&house)?;
    ends_in_time(server);
    Ok(())
}

fn busy_relay() -> Result<(), Failed> {
    let wiki = Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }");
    let house = House::new(&[("staff", &["jon"])], &wiki.policy);
    let server = house.serve();
    let token = server.sign_in("jon");
    let (status, answer) =
        server.call(Some(&token), "POST", "/api/v1/grants", Some(json!({ "target": "wiki" })))?;
    assert!(status < 300, "{answer}");
    eventually("the relay lets in", || wiki.lets_in());
    let carried: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(wiki.door)).collect::<Result<_, _>>()?;
    let silent: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(house.listen)).collect::<Result<_, _>>()?;
    ends_in_time(server);
    drop((carried, silent));
    Ok(())
}

fn twice() -> Result<(), Failed> {
    let moto = Moto::shared();
    let group = new_groups(&moto, 1, "twice").remove(0);
    let faulty = Faulty::before(moto.port());
    faulty.breaks("", usize::MAX, Fault::Silence);
    let house = House::new(&[("dbs", &["jon"])], &policy(&[group], HOURS)).with_aws(&faulty.url());
    let server = start(&mut house.doorward(&["serve"]));
    eventually("it answers", || ureq::get(format!("http://{}/healthz", house.listen)).call().is_ok());
    let begun = Instant::now();
    server.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    server.signal("INT");
    let said = server.ends();
    assert!(
        said.code == 130 && begun.elapsed() < Duration::from_millis(1400),
        "{:?} {said:?}",
        begun.elapsed()
    );
    Ok(())
}

fn too_few_files() -> Result<(), Failed> {
    let wiki = Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }");
    let house = House::new(&[("staff", &["jon"])], &wiki.policy);
    let inner = house.doorward(&["serve"]);
    let mut command = Command::new(find("prlimit").ok_or("no prlimit")?);
    command.args(["--nofile=200:200", "--"]).arg(inner.get_program()).args(inner.get_args());
    command.env("DOORWARD_POLICY", house.policy()).current_dir(house.folder()).stdin(Stdio::null());
    let said = start(&mut command).ends();
    said.is(
        69,
        &[],
        &[
            "error: this process may open 200 files but needs 288, so that connections cannot prevent a revocation",
            "hint: set `LimitNOFILE=16384` in its systemd unit",
        ],
    );
    assert!(!house.folder().join("doorward.db").exists(), "nothing was begun");
    Ok(())
}
