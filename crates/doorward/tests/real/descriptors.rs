//! A server that may open nothing more: somebody lowered its limit, or the whole machine is out of descriptors.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::json;

use crate::desk::Wiki;
use crate::grants::eventually;
use crate::need::{Need, find, trial};
use crate::server::{House, Server};

pub fn trials() -> Vec<Trial> {
    // `prlimit` comes in the same package as `setpriv`.
    vec![trial("descriptors: without any left rules end in time, and nobody is lost", &[Need::Setpriv], none)]
}

fn none() -> Result<(), Failed> {
    let wiki = Wiki::new("lasts = { usually = \"4s\", at-most = \"1h\" }");
    let house = House::new(&[("staff", &["jon"])], &wiki.policy);
    let server = house.serve();
    let token = server.sign_in("jon");
    let (status, answer) =
        server.call(Some(&token), "POST", "/api/v1/grants", Some(json!({ "target": "wiki" })))?;
    let opened = Instant::now();
    assert!(status < 300, "{answer}");
    let mut carried = TcpStream::connect(wiki.door)?;
    may_open(&server, 3);

    let mut asked: Vec<TcpStream> =
        (0..5).map(|_| TcpStream::connect(house.listen)).collect::<Result<_, _>>()?;
    for stream in &mut asked {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    }
    carried.set_read_timeout(Some(Duration::from_secs(10)))?;
    match carried.read(&mut [0; 1]) {
        Ok(read) => assert_eq!(read, 0, "it is cut"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "it is cut"),
    }
    let took = opened.elapsed();
    println!("cut {took:?} after it was opened for 4 s");
    assert!(took < Duration::from_secs(6), "{took:?}");
    let log = server.log();
    assert_eq!(log.matches("cannot accept connections").count(), 1, "{log}");
    // It waits between two tries, and does not spin.
    let spent = ticks_of(&server, "door");
    assert!(spent < 50, "{spent} hundredths of a second");

    may_open(&server, 1024);
    for stream in &mut asked {
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    eventually("it is whole again", || {
        server.call(None, "GET", "/readyz", None).is_ok_and(|(status, _)| status == 200)
    });
    Ok(())
}

/// Lowers or raises how many files a server may open.
fn may_open(server: &Server, files: u32) {
    let status = Command::new(find("prlimit").expect("prlimit"))
        .args([format!("--pid={}", server.pid()), format!("--nofile={files}:")])
        .status();
    assert!(status.expect("it runs").success(), "prlimit");
}

/// What a thread of the server has spent of the processors, in hundredths of a second.
fn ticks_of(server: &Server, thread: &str) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("it runs").flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    let rest =
        stats.filter_map(|stat| stat.split_once(&format!("({thread}) ")).map(|(_, rest)| rest.to_owned()));
    let spent = |rest: String| rest.split(' ').skip(11).take(2).flat_map(str::parse::<u64>).sum::<u64>();
    rest.map(spent).sum()
}
