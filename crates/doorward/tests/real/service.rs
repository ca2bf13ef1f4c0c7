//! The unit of systemd that the README has: what it is rated, that systemd understands it, and that the program does its
//! work with the files and the rights that it gives.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

use crate::grants::eventually;
use crate::need::{Need, find, trial};
use crate::server::free_address;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("service: the unit is rated under 2, with nftables too", &[Need::Systemd], rated),
        trial("service: systemd understands the unit", &[Need::Systemd], understood),
        trial("service: the program works with what the unit gives it", &[Need::Root, Need::Setpriv], works),
        trial(
            "service: files that root made before the server are the server's, or are reported",
            &[Need::Root, Need::Setpriv],
            owned,
        ),
    ]
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The unit as the README has it.
fn unit() -> String {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let block = readme.split("```ini\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a unit");
    block.lines().map(|line| line.strip_prefix("   ").unwrap_or(line).to_owned() + "\n").collect()
}

/// What systemd makes of the unit, with drop-ins: whether it is content, and what it says.
fn analyze(unit: &str, drop_ins: &[&str], arguments: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doorward.service");
    fs::write(&path, unit).expect("a unit");
    let drop = folder.path().join("doorward.service.d");
    fs::create_dir(&drop).expect("a folder");
    for name in drop_ins {
        fs::copy(root().join("packaging").join(name), drop.join(name)).expect("a drop-in");
    }
    let output = Command::new(find("systemd-analyze").expect("systemd-analyze"))
        .args(arguments)
        .arg(&path)
        .env("SYSTEMD_LOG_LEVEL", "warning")
        .env("NO_COLOR", "1")
        .output()
        .expect("systemd-analyze runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn rated() -> Result<(), Failed> {
    let packaged = fs::read_to_string(root().join("packaging/doorward.service")).expect("the unit");
    assert!(
        packaged.trim_end().ends_with(unit().trim()),
        "README.md and packaging/doorward.service have the same unit"
    );
    for drop_ins in [&[][..], &["nftables.conf"]] {
        // The threshold is in tenths.
        let (good, said) =
            analyze(&unit(), drop_ins, &["security", "--offline=true", "--threshold=20", "--no-pager"]);
        assert!(good && said.contains("Overall exposure level"), "{drop_ins:?}: {said}");
    }
    let (good, _) =
        analyze("[Service]\nExecStart=/bin/true\n", &[], &["security", "--offline=true", "--threshold=20"]);
    assert!(!good, "a unit without any protection is rated worse");
    Ok(())
}

fn understood() -> Result<(), Failed> {
    // Where the program is not installed, another stands for it.
    let unit = unit().replace("/usr/local/bin/doorward", "/bin/true");
    let (good, said) = analyze(&unit, &["nftables.conf"], &["verify"]);
    assert!(good && !said.contains("Unknown") && !said.contains("Failed to parse"), "{said}");
    Ok(())
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const NOBODY: u32 = 65_534;

/// What the unit has: a user without rights, the policy readable by its group in a folder that is not to be written to, and
/// the state in a folder of its own that systemd names.
struct Installed {
    folder: tempfile::TempDir,
    listen: std::net::SocketAddr,
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

impl Installed {
    fn new() -> Self {
        let installed = Self { folder: tempfile::tempdir().expect("a folder"), listen: free_address() };
        mode(installed.folder.path(), 0o755);
        let program = installed.path("doorward");
        fs::copy(env!("CARGO_BIN_EXE_doorward"), &program).expect("the program");
        mode(&program, 0o755);
        // Another thread may be starting a process that still has the copy open for writing (`ETXTBSY`).
        eventually("it can be executed", || Command::new(&program).arg("--version").output().is_ok());
        let (etc, state) = (installed.path("etc"), installed.path("state"));
        fs::create_dir(&etc).expect("a folder");
        fs::create_dir(&state).expect("a folder");
        let policy = format!(
            "[people]\npasswords = \"people.htpasswd\"\ngroups = \"people.groups\"\n\n[server]\nlisten = \"{}\"\n\
             store = \"{}\"\n\n\
             [firewall.door]\nabout = \"a door\"\nrelay = \"127.0.0.1:0\"\n\n[target.wiki]\nabout = \"Wiki\"\n\
             address = \"127.0.0.1\"\nports = [\"tcp/9\"]\ngroups = [\"dbs\"]\ntransports = [\"direct\"]\n\
             firewall = \"door\"\nlasts = {{ usually = \"1h\", at-most = \"8h\" }}\n",
            installed.listen,
            state.join("doorward.db").display()
        );
        fs::write(etc.join("doorward.toml"), policy).expect("a policy");
        // Made as root, by the program itself, in a folder that had none.
        let said =
            installed.as_root(&["user", "add", "jon", "--group", "dbs", "--stdin"], "open-sesame-4711\n");
        assert!(said.contains("created ") && said.contains("people.groups"), "{said}");
        for name in ["doorward.toml", "people.htpasswd", "people.groups"] {
            mode(&etc.join(name), 0o640);
            chown(etc.join(name), Some(0), Some(NOBODY)).expect("an owner");
        }
        mode(&etc, 0o750);
        chown(&etc, Some(0), Some(NOBODY)).expect("an owner");
        mode(&state, 0o700);
        chown(&state, Some(NOBODY), Some(NOBODY)).expect("an owner");
        installed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of the store.
    fn state(&self, name: &str) -> PathBuf {
        self.path("state").join(name)
    }

    /// What a command of root says, which has to succeed.
    fn as_root(&self, arguments: &[&str], input: &str) -> String {
        let output = Command::new(self.path("doorward"))
            .args(arguments)
            .env("DOORWARD_POLICY", self.path("etc/doorward.toml"))
            .current_dir(self.path("etc"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .and_then(|mut child| {
                use std::io::Write as _;
                child.stdin.take().expect("a pipe").write_all(input.as_bytes())?;
                child.wait_with_output()
            })
            .expect("doorward runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The server, as the unit's user; what it logs is in the file `log`.
    fn serve(&self) -> Ended {
        let log = fs::File::create(self.path("log")).expect("a log");
        let child = Command::new(find("setpriv").expect("setpriv"))
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"])
            .args(["--bounding-set=-all", "--inh-caps=-all"])
            .arg(self.path("doorward"))
            .arg("--policy")
            .arg(self.path("etc/doorward.toml"))
            .arg("serve")
            .env_clear()
            .env("STATE_DIRECTORY", self.path("state"))
            .env("HOME", self.path("state"))
            .current_dir(self.path("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("doorward serves");
        Ended(child)
    }

    fn said(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn is_ready(&self, server: &mut Ended) {
        let begun = Instant::now();
        let ready = || {
            ureq::get(format!("http://{}/readyz", self.listen))
                .call()
                .is_ok_and(|answer| answer.status() == 200)
        };
        while !ready() {
            let ended = server.0.try_wait().expect("a child");
            assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(30), "{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn works() -> Result<(), Failed> {
    let installed = Installed::new();
    let mut server = installed.serve();
    installed.is_ready(&mut server);
    let body = serde_json::json!({ "name": "jon", "password": "open-sesame-4711" });
    let answer = ureq::post(format!("http://{}/api/v1/sessions", installed.listen))
        .send_json(body)
        .expect("an answer");
    assert_eq!(answer.status(), 201, "{}", installed.said());
    let etc = installed.path("etc/doorward.db");
    assert!(installed.state("doorward.db").exists() && !etc.exists(), "{}", installed.said());
    Ok(())
}

/// A command that root runs before the first start makes the store for the server; a store that is root's all the same is
/// reported by both, with the command that gives it to the server.
fn owned() -> Result<(), Failed> {
    let installed = Installed::new();
    installed.as_root(&["list", "--local", "--as", "jon"], "");
    let names = ["doorward.db", "doorward.db.audit-key", "doorward.db.audit-head"];
    for name in names {
        let file = fs::metadata(installed.state(name)).expect("root's command made it");
        assert_eq!(file.uid(), NOBODY, "{name}");
    }
    installed.is_ready(&mut installed.serve());

    for entry in fs::read_dir(installed.path("state")).expect("a folder").flatten() {
        chown(entry.path(), Some(0), Some(0)).expect("root's");
    }
    let checked = installed.as_root(&["check"], "");
    let command = format!("sudo chown {NOBODY}:{NOBODY} {}", installed.state(names[1]).display());
    assert!(checked.contains("belong to root") && checked.contains(&command), "{checked}");
    let mut server = installed.serve();
    let status = server.0.wait().expect("it ends");
    let said = installed.said();
    assert!(!status.success() && said.contains("belong to root") && said.contains(&command), "{said}");

    // The command as it was printed, `sudo` aside.
    let line =
        said.lines().find_map(|line| line.split("`sudo ").nth(1)?.split('`').next()).expect("a command");
    assert!(Command::new("sh").args(["-c", line]).status()?.success(), "{line}");
    let checked = installed.as_root(&["check"], "");
    assert!(!checked.contains("belong"), "{checked}");
    installed.is_ready(&mut installed.serve());
    Ok(())
}
