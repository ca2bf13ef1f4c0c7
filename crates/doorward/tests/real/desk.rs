//! A person at a command line: a configuration, a folder and a name of their own.

use std::fs;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::server::{House, PASSWORD, Server, free_address};

/// Somebody who types commands, and knows nothing of the policy file.
pub struct Desk<'h> {
    house: &'h House,
    person: &'h str,
    folder: PathBuf,
}

impl<'h> Desk<'h> {
    /// Somebody's desk, empty.
    pub fn new(house: &'h House, person: &'h str) -> Self {
        let folder = house.folder().join(format!("desk-of-{person}"));
        fs::create_dir_all(&folder).expect("a folder");
        Self { house, person, folder }
    }

    /// The file that keeps the session.
    pub fn session(&self) -> PathBuf {
        self.folder.join("doorward").join("login.json")
    }

    /// A command of the program, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.house.doorward(arguments);
        command
            .env_remove("DOORWARD_POLICY")
            .env("XDG_CONFIG_HOME", &self.folder)
            .env("USER", self.person)
            .current_dir(&self.folder);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments).output().expect("doorward runs"))
    }

    /// Runs a command that reads a line.
    pub fn type_in(&self, arguments: &[&str], line: &str) -> Said {
        let mut started = start(self.command(arguments).stdin(Stdio::piped()));
        writeln!(started.0.stdin.take().expect("a pipe"), "{line}").expect("it reads");
        started.ends()
    }

    /// Signs in.
    pub fn signs_in(&self, server: &Server) {
        let said = self.type_in(&["login", &server.url, "--stdin"], PASSWORD);
        said.is(0, &[&format!("You are signed in to {} as {} until ", server.url, self.person)], &[]);
    }
}

/// Starts a command with pipes to what it says.
pub fn start(command: &mut Command) -> Started {
    Started(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("doorward runs"))
}

/// A command that runs; killed when dropped.
pub struct Started(pub Child);

impl Started {
    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(done.is_ok_and(|status| status.success()), "kill -{name}");
    }

    /// How it ended, within twenty seconds, and what of it was not read yet.
    pub fn ends(mut self) -> Said {
        drop(self.0.stdin.take());
        let (out, err) = (read(self.0.stdout.take()), read(self.0.stderr.take()));
        let begun = Instant::now();
        let status = loop {
            match self.0.try_wait().expect("a child") {
                Some(status) => break status,
                None => assert!(begun.elapsed() < Duration::from_secs(20), "it does not end"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let text = |reader: JoinHandle<String>| reader.join().expect("a reader");
        Said { code: status.code().unwrap_or(-1), out: text(out), err: text(err) }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).expect("a pipe");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// To standard output.
    pub out: String,
    /// To standard error.
    pub err: String,
}

/// What a command that ended said.
pub fn said(output: Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

impl Said {
    /// Ended with that code, and said all of this on each of the two; where nothing is named there is nothing.
    #[track_caller]
    pub fn is(&self, code: i32, out: &[&str], err: &[&str]) {
        assert_eq!(self.code, code, "{self:#?}");
        for (text, words) in [(&self.out, out), (&self.err, err)] {
            assert!(!words.is_empty() || text.is_empty(), "nothing was expected there: {self:#?}");
            for word in words {
                assert!(text.contains(word), "no {word:?} in {self:#?}");
            }
        }
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A private service that says nothing, and the policy of a relay before it.
pub struct Wiki {
    /// Where the relay listens.
    pub door: SocketAddr,
    /// The policy behind `[server]`.
    pub policy: String,
}

impl Wiki {
    /// `more` are further lines of `[target.wiki]`.
    pub fn new(more: &str) -> Self {
        let service = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = service.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            for client in service.incoming().map_while(Result::ok) {
                // Holds on for as long as the other side does.
                std::thread::spawn(move || std::io::copy(&mut &client, &mut std::io::sink()).ok());
            }
        });
        let door = free_address();
        let policy = format!(
            "[firewall.door]\nabout = \"before the wiki\"\nrelay = \"{door}\"\n\n\
             [target.wiki]\nabout = \"The wiki\"\naddress = \"127.0.0.1\"\nports = [\"tcp/{port}\"]\n\
             groups = [\"staff\"]\ntransports = [\"direct\"]\nfirewall = \"door\"\n{more}\n"
        );
        Self { door, policy }
    }

    /// Whether the relay lets this machine in: it hangs up at once on whom it does not.
    pub fn lets_in(&self) -> bool {
        let Ok(mut stream) = std::net::TcpStream::connect(self.door) else { return false };
        let limit = Some(Duration::from_millis(300));
        stream.set_read_timeout(limit).expect("a limit");
        // Nothing is said, and nobody hangs up: the service has it.
        stream.read(&mut [0; 1]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}
