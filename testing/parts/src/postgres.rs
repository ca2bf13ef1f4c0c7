//! A PostgreSQL of the test's own: in a temporary folder, on a free port, gone when it ends.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::need::find;
use crate::netns::run;

/// A cluster that runs.
pub struct Postgres {
    folder: TempDir,
    port: u16,
    address: String,
    netns: Option<String>,
}

impl Postgres {
    /// Makes one on the loopback, and starts it.
    pub fn start() -> Self {
        Self::at("127.0.0.1", None)
    }

    /// Makes one in a namespace, at an address that it has there, and starts it.
    pub fn inside(netns: &str, address: &str) -> Self {
        Self::at(address, Some(netns.to_owned()))
    }

    fn at(address: &str, netns: Option<String>) -> Self {
        let folder = tempfile::Builder::new().prefix("doorward-postgres").tempdir().expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let postgres = Self { folder, port, address: address.to_owned(), netns };
        if root() {
            run("chown", &["postgres", postgres.path("")], "");
        }
        let data = postgres.path("data");
        postgres.own("initdb", &["-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"]);
        let hba = postgres.folder.path().join("data/pg_hba.conf");
        let everybody = "local all all trust\nhost all all all trust\n";
        std::fs::write(hba, everybody).expect("a file");
        postgres.again();
        postgres
    }

    /// Starts it, at first or after it was stopped.
    pub fn again(&self) {
        let (postgres, data) = (self, self.path("data"));
        let sockets = postgres.path("");
        let options = format!(
            "-p {} -c listen_addresses={} -c unix_socket_directories={sockets} -c fsync=off",
            postgres.port, postgres.address
        );
        postgres.own("pg_ctl", &["-D", data, "-o", &options, "-l", postgres.path("log"), "-w", "start"]);
    }

    /// Stops it, and with it every connection.
    pub fn stop(&self) {
        self.own("pg_ctl", &["-D", self.path("data"), "-m", "immediate", "-w", "stop"]);
    }

    /// Where it listens, on its address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its socket is, for who is on the machine itself.
    pub fn sockets(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> &'static str {
        let path = self.folder.path().join(name);
        // The names of a few folders are needed for as long as the test runs.
        Box::leak(path.to_str().expect("a path").to_owned().into_boxed_str())
    }

    /// Runs one of PostgreSQL's programs as its own user, since it refuses to be root.
    fn own(&self, program: &str, arguments: &[&str]) {
        let words = self.command(program, arguments);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (program, arguments) = words.split_first().expect("a program");
        run(program, arguments, "");
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Vec<String> {
        let path = find(program).map(|program| program.display().to_string());
        let netns = self.netns.iter().flat_map(|name| ["ip", "netns", "exec", name]);
        let user: &[&str] = if root() { &["runuser", "-u", "postgres", "--"] } else { &[] };
        let before = netns.chain(user.iter().copied()).map(str::to_owned);
        before.chain(path).chain(arguments.iter().map(|word| (*word).to_owned())).collect()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let words = self.command("pg_ctl", &["-D", self.path("data"), "-m", "immediate", "-w", "stop"]);
        if let Some((program, arguments)) = words.split_first() {
            let _ = Command::new(program).args(arguments).output();
        }
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
