//! PostgreSQL at the far end of an SSH connection.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use doorward_tunnel::forward::{Forward, Options};
use doorward_tunnel::ssh::{self, Limits};
use libtest_mimic::{Failed, Trial};

use crate::need::{Need, find, trial};
use crate::postgres::{Postgres, psql, said};
use crate::ssh::{SeenEvents, on_tokio, options};
use crate::sshd::Sshd;

pub fn trials() -> Vec<Trial> {
    let needs = &[Need::Sshd, Need::Postgres];
    vec![
        trial("database: psql and pgbench through a forwarded port", needs, || with(used)),
        trial("database: a large COPY is the same on both sides", needs, || with(copied)),
    ]
}

/// Starts a database and a forwarded port to it.
fn with(test: fn(u16, &Forward)) -> Result<(), Failed> {
    let postgres = Postgres::start();
    on_tokio(async move {
        let sshd = Arc::new(Sshd::start());
        let limits = Limits::default();
        let dial = ssh::Options { limits, ..options(&sshd, &SeenEvents::default()) };
        let to = SocketAddr::from(([127, 0, 0, 1], postgres.port()));
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let dial = Arc::new(crate::ssh::ssh(dial));
        let forward = Forward::to(listen, to.into(), dial, Options::default()).expect("it listens");
        tokio::task::block_in_place(|| test(forward.address().port(), &forward));
        let open = async {
            while forward.counts().open > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), open).await.expect("none is left open");
        assert_eq!(forward.counts().failed, 0);
    })
}

fn ask(port: u16, statement: &str) -> String {
    said(psql(port, statement).wait_with_output().expect("psql ends")).expect("it is answered")
}

fn used(port: u16, forward: &Forward) {
    assert_eq!(ask(port, "select 6 * 7"), "42");
    let pgbench = |arguments: &[&str]| {
        let port = port.to_string();
        let output = Command::new(find("pgbench").expect("pgbench"))
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres"])
            .args(arguments)
            .arg("postgres")
            .output()
            .expect("pgbench runs");
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}");
        said
    };
    pgbench(&["-i", "-q"]);
    let said = pgbench(&["-c", "20", "-j", "2", "-t", "50"]);
    assert!(said.contains("number of transactions actually processed: 1000/1000"), "{said}");
    // A new connection for each transaction.
    let said = pgbench(&["-C", "-S", "-c", "4", "-t", "25"]);
    assert!(said.contains("number of transactions actually processed: 100/100"), "{said}");
    println!("{said}");
    assert!(forward.counts().total > 100);
}

fn copied(port: u16, _: &Forward) {
    // 20 million bytes of text that differ from line to line, made on the far side, brought here, and digested there.
    let lines = "select md5(i::text) from generate_series(1, 600000) i";
    let here = ask(port, &format!("copy ({lines}) to stdout"));
    let there = ask(
        port,
        &format!(
            "select encode(sha256(convert_to(string_agg(md5, E'\\n'), 'UTF8')), 'hex') from ({lines}) l"
        ),
    );
    let digest = ring::digest::digest(&ring::digest::SHA256, here.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, there);
}
