//! A folder with a policy, and the built program serving it.

use std::fs::{self, File};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::nat::Nat;
use crate::need::find;

/// The password of everybody in a [`House`], and its hash at bcrypt's least cost, so that tests do not wait.
pub const PASSWORD: &str = "open-sesame";
const HASH: &str = "$2y$04$jJ/WporsmEoDRE2e/WABxO0LceGeskU4GolGQywMqjrYT0Gfi4ExS";

/// A folder with a policy and people, removed at its end.
pub struct House {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
    /// The process in whose mount namespace the program runs, if it is not this one's.
    mounts: Option<u32>,
    nat: Option<Nat>,
    /// Where it will listen.
    pub listen: SocketAddr,
}

impl House {
    /// People are in groups as given; `policy` is the part of the file behind `[people]` and `[server]`.
    pub fn new(groups: &[(&str, &[&str])], policy: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listen = free_address();
        let house = Self { folder, environment: Vec::new(), mounts: None, nat: None, listen };
        house.write_people(groups);
        house.write_policy(policy);
        house
    }

    /// Listens at another address of this machine, on the same port.
    pub fn at(mut self, address: IpAddr) -> Self {
        let text = fs::read_to_string(self.policy()).expect("a policy");
        let listens = |at: SocketAddr| format!("listen = \"{at}\"");
        let to = SocketAddr::new(address, self.listen.port());
        // Its clients come without TLS and without a proxy.
        let insecure = if address.is_loopback() { "" } else { "\ninsecure = true" };
        let text = text.replace(&listens(self.listen), &format!("{}{insecure}", listens(to)));
        fs::write(self.policy(), text).expect("a policy");
        self.listen = to;
        self
    }

    /// AWS is at that address, and takes any credentials.
    pub fn with_aws(self, endpoint: &str) -> Self {
        self.with_aws_of(endpoint, "us-east-1", &("testing".into(), "testing".into()))
    }

    /// AWS is at that address, in a Region, and takes a key.
    pub fn with_aws_of(mut self, endpoint: &str, region: &str, (key, secret): &(String, String)) -> Self {
        for (name, value) in [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_REGION", region),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ] {
            self.environment.push((name.into(), value.into()));
        }
        self.behind_nat()
    }

    /// Its clients come from an address of the internet, since a security group admits no loopback address.
    fn behind_nat(mut self) -> Self {
        self.nat = Some(Nat::before(self.listen));
        self.trust_proxies();
        self
    }

    /// Runs the program in the mount namespace of a process.
    pub fn in_mounts_of(mut self, pid: u32) -> Self {
        self.mounts = Some(pid);
        self
    }

    /// With a variable in the environment of the program.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// AWS is at these addresses, each behind a profile.
    pub fn with_profiles(mut self, profiles: &[(&str, &str)]) -> Self {
        let path = self.folder().join("aws-config");
        let profile = |(name, url): &(&str, &str)| {
            format!(
                "[profile {name}]\nregion = us-east-1\nendpoint_url = {url}\naws_access_key_id = test\naws_secret_access_key = test\n"
            )
        };
        fs::write(&path, profiles.iter().map(profile).collect::<String>()).expect("a configuration");
        for (name, value) in [
            ("AWS_CONFIG_FILE", path.to_str().expect("UTF-8")),
            ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ] {
            self.environment.push((name.into(), value.into()));
        }
        self.behind_nat()
    }

    /// With a variable in the environment of every command.
    pub fn with_variable(mut self, name: &str, value: String) -> Self {
        self.environment.push((name.into(), value));
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The policy file.
    pub fn policy(&self) -> PathBuf {
        self.folder().join("doorward.toml")
    }

    /// Writes the people's files anew.
    pub fn write_people(&self, groups: &[(&str, &[&str])]) {
        let mut people: Vec<&str> = groups.iter().flat_map(|(_, members)| members.iter().copied()).collect();
        people.sort_unstable();
        people.dedup();
        let passwords: String = people.iter().map(|person| format!("{person}:{HASH}\n")).collect();
        let groups: String =
            groups.iter().map(|(name, members)| format!("{name}: {}\n", members.join(" "))).collect();
        fs::write(self.folder().join("people.htpasswd"), passwords).expect("passwords");
        fs::write(self.folder().join("people.groups"), groups).expect("groups");
    }

    /// Writes the policy anew.
    pub fn write_policy(&self, policy: &str) {
        // Tests have no other addresses than those for documentation, and those of networks of their own.
        const SPECIAL: &str = "special-networks = [\"10.0.0.0/8\", \"192.168.0.0/16\", \"192.0.2.0/24\", \"198.51.100.0/24\", \"203.0.113.0/24\"]\n";
        let policy = match policy.contains("[grants]\n") {
            true => policy.replace("[grants]\n", &format!("[grants]\n{SPECIAL}")),
            false => format!("[grants]\n{SPECIAL}\n{policy}"),
        };
        let text = format!(
            "[people]\npasswords = \"people.htpasswd\"\ngroups = \"people.groups\"\noperators = [\"ops\"]\n\n\
             [server]\nlisten = \"{}\"\nstore = \"doorward.db\"\n\n{policy}",
            self.listen
        );
        fs::write(self.policy(), text).expect("a policy");
        if self.nat.is_some() {
            self.trust_proxies();
        }
    }

    /// Has the store be elsewhere than in `doorward.db`.
    pub fn keep_store_at(&self, store: &str) {
        let text = fs::read_to_string(self.policy()).expect("a policy");
        let line = text.lines().find(|line| line.starts_with("store = ")).expect("a store");
        fs::write(self.policy(), text.replace(line, &format!("store = \"{store}\""))).expect("a policy");
    }

    /// Puts further lines into `[server]`.
    pub fn set_server(&self, lines: &str) {
        let text = fs::read_to_string(self.policy()).expect("a policy");
        fs::write(self.policy(), text.replacen("store = ", &format!("{lines}\nstore = "), 1))
            .expect("a policy");
    }

    /// Has the server believe what a proxy on this machine says of a client's address.
    pub fn trust_proxies(&self) {
        let text = fs::read_to_string(self.policy()).expect("a policy");
        if text.contains("\nproxies = ") {
            return;
        }
        fs::write(self.policy(), text.replace("store = ", "proxies = [\"127.0.0.0/8\"]\nstore = "))
            .expect("a policy");
    }

    /// The built program on this policy.
    pub fn doorward(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_doorward");
        let mut command = match self.mounts {
            None => Command::new(program),
            Some(pid) => {
                // Entered, the working folder is the root.
                let mut command = Command::new(find("nsenter").expect("nsenter"));
                let inside = ["-m", "--", "/bin/sh", "-c", "cd \"$0\" && exec \"$@\""];
                command.args(["-t", &pid.to_string()]).args(inside).arg(self.folder()).arg(program);
                command
            }
        };
        command
            .args(arguments)
            .env("DOORWARD_POLICY", self.policy())
            .env("XDG_CONFIG_HOME", self.folder().join("config"))
            .env_remove("AWS_PROFILE")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command of the program to its end: exit code, standard output, standard error.
    pub fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.doorward(arguments).output().expect("doorward runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// Where its clients reach it.
    pub fn url(&self) -> String {
        self.nat.as_ref().map_or_else(|| format!("http://{}", self.listen), Nat::url)
    }

    /// Starts the server and waits until it answers.
    pub fn serve(&self) -> Server {
        let log =
            File::options().create(true).append(true).open(self.folder().join("serve.log")).expect("a log");
        let child =
            self.doorward(&["serve"]).stdout(Stdio::null()).stderr(log).spawn().expect("doorward serves");
        let mut server = Server { child, url: self.url(), folder: self.folder().to_owned() };
        let begun = Instant::now();
        while !server.answers() {
            let ended = server.child.try_wait().expect("a child");
            assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(30), "{}", server.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }
}

/// An address of this machine that was free a moment ago.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// The program, serving; killed at its end.
pub struct Server {
    child: Child,
    /// Where it is.
    pub url: String,
    folder: PathBuf,
}

impl Server {
    fn answers(&self) -> bool {
        agent().get(format!("{}/api/v1/healthz", self.url)).call().is_ok()
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("serve.log")).unwrap_or_default()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().expect("a kill");
        self.child.wait().expect("an end");
    }

    /// SIGTERM: the exit code, within half a minute.
    pub fn terminate(mut self) -> Option<i32> {
        let done = Command::new("kill").arg(self.pid().to_string()).status();
        assert!(done.is_ok_and(|status| status.success()), "kill");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not end")
    }

    /// Signs in and returns the token.
    pub fn sign_in(&self, person: &str) -> String {
        self.sign_in_from(person, "")
    }

    /// Signs in through a proxy on this machine, from an address.
    pub fn sign_in_from(&self, person: &str, from: &str) -> String {
        let body = serde_json::json!({ "name": person, "password": PASSWORD });
        let (status, answer) =
            self.call_from(from, None, "POST", "/api/v1/sessions", Some(body)).expect("an answer");
        assert!(status < 300, "{answer}");
        answer["token"].as_str().expect("a token").to_owned()
    }

    /// Calls the API: the status and the JSON, or an error when the connection broke.
    pub fn call(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), ureq::Error> {
        self.call_from("", token, method, path, body)
    }

    /// The same through a proxy on this machine, from an address.
    pub fn call_from(
        &self,
        from: &str,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        if !from.is_empty() {
            request = request.header("x-forwarded-for", from);
        }
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = match body {
            Some(body) => {
                agent().run(request.header("content-type", "application/json").body(body.to_string())?)?
            }
            None => agent().run(request.body(())?)?,
        };
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string()?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(20)))
        .http_status_as_error(false);
    config.build().new_agent()
}
