//! What a test needs of the machine, and what becomes of the test where it is missing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

/// Something that not every machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To be root, for network namespaces and nftables.
    Root,
    /// `nft`, from Debian's nftables.
    Nft,
    /// `ip`, from Debian's iproute2.
    Ip,
    /// `psql`, `initdb` and `pg_ctl`, from Debian's postgresql.
    Postgres,
    /// `moto_server`, from PyPI's `moto[server]`, in the virtual environment that `./test` makes.
    Moto,
    /// `parliament`, from PyPI, likewise.
    Parliament,
    /// `cfn-lint`, from PyPI, likewise.
    CfnLint,
    /// `chromium` and `chromedriver`, from Debian.
    Chromium,
    /// `htpasswd`, from Debian's apache2-utils.
    Htpasswd,
    /// `apache2` with its modules, from Debian's apache2-bin.
    Apache,
    /// `python3`, whose library edits an SQLite file behind our back.
    Python,
    /// `script`, from Debian's bsdutils, which gives a program a terminal.
    Script,
    /// `sshd` and `ssh-keygen`, from Debian's openssh-server.
    Sshd,
    /// `curl`, from Debian.
    Curl,
    /// `nginx`, from Debian's nginx-light.
    Nginx,
    /// `haproxy`, from Debian.
    Haproxy,
    /// `schemathesis`, from PyPI, in the virtual environment that `./test` makes.
    Schemathesis,
    /// `systemd-analyze`, from Debian's systemd.
    Systemd,
    /// `setpriv`, from Debian's util-linux.
    Setpriv,
    /// `unshare`, `nsenter` and `mount`, from Debian's util-linux and mount, for mount namespaces.
    Mounts,
    /// `systemd-resolved` and `resolvectl`, unpacked from Debian's systemd-resolved into the folder that `./test` names in
    /// `DOORWARD_RESOLVED` (its installation takes over the machine's names), with a bus.
    Resolved,
}

impl Need {
    fn missing(self) -> Option<String> {
        let absent = |programs: &[&str]| {
            let absent = programs.iter().find(|program| find(program).is_none())?;
            Some(format!("needs {absent}"))
        };
        match self {
            Self::Root => (output("id", &["-u"]).trim() != "0").then(|| "needs root".to_owned()),
            Self::Nft => absent(&["nft"]),
            Self::Ip => absent(&["ip"]),
            Self::Postgres => absent(&["psql", "initdb", "pg_ctl"]),
            Self::Moto => absent(&["moto_server"]),
            Self::Parliament => absent(&["parliament"]),
            Self::CfnLint => absent(&["cfn-lint"]),
            Self::Chromium => absent(&["chromium", "chromedriver"]),
            Self::Htpasswd => absent(&["htpasswd"]),
            Self::Apache => absent(&["apache2"]),
            Self::Python => absent(&["python3"]),
            Self::Script => absent(&["script"]),
            Self::Sshd => absent(&["sshd", "ssh-keygen", "ssh-agent"]),
            Self::Curl => absent(&["curl"]),
            Self::Nginx => absent(&["nginx"]),
            Self::Haproxy => absent(&["haproxy"]),
            Self::Schemathesis => absent(&["schemathesis"]),
            Self::Systemd => absent(&["systemd-analyze"]),
            Self::Setpriv => absent(&["setpriv"]),
            Self::Mounts => absent(&["unshare", "nsenter", "mount"]),
            Self::Resolved => {
                absent(&["systemd-resolved", "resolvectl", "dbus-daemon", "unshare", "nsenter"])
            }
        }
    }
}

/// A program's path: in the virtual environment that `./test` names in `DOORWARD_VENV`, on the `PATH`, in the
/// system's folders, among PostgreSQL's, or in the folder that `./test` names in `DOORWARD_RESOLVED`.
pub fn find(program: &str) -> Option<PathBuf> {
    let venv = std::env::var_os("DOORWARD_VENV").map(|venv| Path::new(&venv).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let postgres = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|dir| dir.path().join("bin"));
    let fixed = ["/usr/sbin", "/sbin", "/lib/systemd"].map(PathBuf::from);
    let resolved = std::env::var_os("DOORWARD_RESOLVED").map(PathBuf::from);
    let resolved =
        resolved.iter().flat_map(|root| ["usr/bin", "lib/systemd"].map(|folder| root.join(folder)));
    venv.into_iter()
        .chain(std::env::split_paths(&path).filter(|dir| dir.is_absolute()))
        .chain(fixed)
        .chain(postgres)
        .chain(resolved)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// From when on a trial prints how long it took, so that it is seen what the suite waits for.
const LONG: Duration = Duration::from_secs(5);

/// A test that runs where all that it needs is there.
pub fn trial(
    name: &str,
    needs: &[Need],
    test: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let missing: Vec<String> = needs.iter().filter_map(|need| need.missing()).collect();
    if missing.is_empty() {
        let label = name.to_owned();
        return Trial::test(name, move || {
            let begun = Instant::now();
            let result = test();
            if begun.elapsed() > LONG {
                println!("\n{label}: {:.0} s", begun.elapsed().as_secs_f64());
            }
            result
        });
    }
    let why = missing.join(", ");
    if std::env::var_os("CI").is_some() {
        return Trial::test(name, move || Err(format!("not run: {why}").into()));
    }
    Trial::test(format!("{name} ({why})"), || Ok(())).with_ignored_flag(true)
}

/// The kind of a trial that bounds how long something takes.
#[allow(dead_code, reason = "each part of the suite uses its own")]
pub const TIMED: &str = "timed";

/// A trial that bounds how long something takes, and therefore runs beside no other.
#[allow(dead_code, reason = "each part of the suite uses its own")]
pub fn timed(
    name: &str,
    needs: &[Need],
    test: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    trial(name, needs, test).with_kind(TIMED)
}

/// Tests of one area, each by its name, that all need the same.
pub fn named<const N: usize>(area: &str, needs: &[Need], tests: [(&str, fn()); N]) -> Vec<Trial> {
    let of_one = |(name, test): (&str, fn())| {
        let run = move || {
            test();
            Ok(())
        };
        trial(&format!("{area}: {name}"), needs, run)
    };
    tests.into_iter().map(of_one).collect()
}

/// How much the environment says, of what takes too long to be done each time.
pub fn wanted<N: std::str::FromStr>(name: &str, usual: N) -> N {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
