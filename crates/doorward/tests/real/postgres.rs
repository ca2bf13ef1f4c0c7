//! A PostgreSQL of the test's own: in a temporary folder, on a free port of the loopback, gone when it ends.

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::need::find;
use crate::netns::run;

/// A cluster that runs.
pub struct Postgres {
    folder: TempDir,
    port: u16,
}

impl Postgres {
    /// Makes one and starts it.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("doorward-postgres").tempdir().expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let postgres = Self { folder, port: free.expect("a free port").port() };
        if root() {
            run("chown", &["postgres", postgres.path("")], "");
        }
        let data = postgres.path("data");
        postgres.own("initdb", &["-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"]);
        postgres.again();
        postgres
    }

    /// Starts it, at first or after it was stopped.
    pub fn again(&self) {
        let (postgres, data) = (self, self.path("data"));
        let sockets = postgres.path("");
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={sockets} -c fsync=off",
            postgres.port
        );
        postgres.own("pg_ctl", &["-D", data, "-o", &options, "-l", postgres.path("log"), "-w", "start"]);
    }

    /// Stops it, and with it every connection.
    pub fn stop(&self) {
        self.own("pg_ctl", &["-D", self.path("data"), "-m", "immediate", "-w", "stop"]);
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn path(&self, name: &str) -> &'static str {
        let path = self.folder.path().join(name);
        // The names of a few folders are needed for as long as the test runs.
        Box::leak(path.to_str().expect("a path").to_owned().into_boxed_str())
    }

    /// Runs one of PostgreSQL's programs as its own user, since it refuses to be root.
    fn own(&self, program: &str, arguments: &[&str]) {
        let program = find(program).expect("PostgreSQL's programs");
        let program = program.to_str().expect("a path");
        if root() {
            let before = ["-u", "postgres", "--", program];
            run("runuser", &before.iter().chain(arguments).copied().collect::<Vec<_>>(), "");
        } else {
            run(program, arguments, "");
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let arguments = ["-D", self.path("data"), "-m", "immediate", "-w", "stop"];
        let program = find("pg_ctl").map(|program| program.display().to_string()).unwrap_or_default();
        let _ = if root() {
            Command::new("runuser").args(["-u", "postgres", "--", &program]).args(arguments).output()
        } else {
            Command::new(program).args(arguments).output()
        };
    }
}

fn root() -> bool {
    run("id", &["-u"], "").trim() == "0"
}

/// Starts `psql` with one statement, over TCP to a port of the loopback.
pub fn psql(port: u16, statement: &str) -> Child {
    let port = port.to_string();
    let arguments =
        ["-X", "-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-d", "postgres", "-At", "-c", statement];
    Command::new(find("psql").expect("psql"))
        .args(arguments)
        .env("PGCONNECT_TIMEOUT", "5")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql starts")
}

/// What a `psql` that has ended printed, or what it complained of.
pub fn said(output: Output) -> Result<String, String> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}
