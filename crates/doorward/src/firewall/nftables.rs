//! This machine's nftables: one table of our own, replaced as a whole by the `nft` program.
//!
//! The table stays when the server stops: its ports stay protected, and every grant in it expires by the kernel's own
//! timer. [`Nftables::remove`] is for an operator who no longer wants a firewall.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use doorward_core::firewall::Ruleset;
use doorward_core::firewall::nftables::{Difference, ExistingTable, NotNft, NotOurs, Table, TableName};
use jiff::{SignedDuration, Timestamp};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::Mutex;

/// How long one run of `nft` may take. Ten thousand elements take a third of a second.
const LIMIT: Duration = Duration::from_secs(10);

/// Why the firewall could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// No such program.
    #[error("`{0}` is not on the PATH, in /usr/sbin or in /sbin")]
    Missing(&'static str),
    /// Not root.
    #[error("the kernel does not permit this program to use nftables")]
    NotPermitted,
    /// The program could not be run.
    #[error("cannot run `{}`", program.display())]
    Run { program: PathBuf, source: io::Error },
    /// It did not come to an end.
    #[error("`nft` did not answer within {} s", LIMIT.as_secs())]
    TooLong,
    /// It refused.
    #[error("`nft` failed to {what}: {said}")]
    Refused {
        /// What it was asked.
        what: String,
        /// What it said, in one line.
        said: String,
    },
    /// It answered something else.
    #[error("cannot read back table `inet {table}`")]
    Answer { table: TableName, source: NotNft },
    /// A table of that name is somebody else's, and is left as it is.
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    /// It took the table and shows another.
    #[error("table `inet {table}` differs from what was written: {differs}")]
    NotAsWritten {
        table: TableName,
        /// In what they differ, in words.
        differs: String,
    },
}

impl NftError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing("nft") => Some("apt install nftables"),
            Self::Missing(_) => Some("apt install iproute2"),
            Self::NotPermitted => Some(
                "run it as root, or give it CAP_NET_ADMIN (AmbientCapabilities=CAP_NET_ADMIN in its unit)",
            ),
            Self::NotOurs(NotOurs::Foreign { .. }) => {
                Some("name another table in the policy: `nftables = \"inet doorward\"`")
            }
            Self::NotOurs(NotOurs::Another { .. }) => Some(
                "name another table in the policy; or, if that installation is gone, delete its table with nft",
            ),
            _ => None,
        }
    }
}

/// What a replacement did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Whether anything was written: not, when the table already stood as wanted.
    pub wrote: bool,
    /// In what the table differed from what is wanted.
    pub differed: Vec<Difference>,
    /// In what the table differed from how we had left it: what somebody else did. Empty on the first call.
    pub drift: Vec<Difference>,
}

/// How we left a table.
#[derive(Debug)]
struct Left {
    table: Table,
    ruleset: Ruleset,
    rules: Vec<(String, String)>,
}

/// The `nft` program, and how it left our tables.
#[derive(Debug)]
pub struct Nftables {
    program: PathBuf,
    arguments: Vec<OsString>,
    left: Mutex<BTreeMap<TableName, Left>>,
}

impl Nftables {
    /// With `nft` from the PATH, /usr/sbin or /sbin.
    pub fn find() -> Result<Self, NftError> {
        Ok(Self { program: program("nft")?, arguments: Vec::new(), left: Mutex::default() })
    }

    /// With that program for `nft`.
    #[cfg(test)]
    pub(super) fn by(program: PathBuf) -> Self {
        Self { program, arguments: Vec::new(), left: Mutex::default() }
    }

    /// In the network namespace of that name (`ip netns`) instead of our own.
    pub fn in_namespace(self, namespace: &str) -> Result<Self, NftError> {
        let mut arguments: Vec<OsString> = ["netns", "exec", namespace].map(OsString::from).into();
        arguments.push(self.program.into());
        arguments.extend(self.arguments);
        Ok(Self { program: program("ip")?, arguments, left: self.left })
    }

    /// Brings the table to exactly what the ruleset admits at `now`. A table that already is so is not written.
    ///
    /// The kernel counts what is left to a grant from the moment in which it takes the table, so an element
    /// outlives its grant by as long as `nft` took, some hundredths of a second, if nobody replaces the table.
    pub async fn replace(
        &self,
        table: &Table,
        ruleset: &Ruleset,
        now: Timestamp,
    ) -> Result<Replaced, NftError> {
        let began = Instant::now();
        let mut left = self.left.lock().await;
        let existing = self.read_back(table).await?;
        if let Some(existing) = &existing {
            existing.owned(table)?;
        }
        let differed = table.difference(ruleset, existing.as_ref(), now);
        let drift = left.get(table.name()).map_or_else(Vec::new, |left| drift(left, existing.as_ref(), now));
        if let (true, true, Some(existing)) = (differed.is_empty(), drift.is_empty(), &existing) {
            let remembered =
                || Left { table: table.clone(), ruleset: ruleset.clone(), rules: existing.rules() };
            left.insert(table.name().clone(), remembered());
            return Ok(Replaced::default());
        }
        // Until the new table was seen to stand we know nothing of how we left it.
        left.remove(table.name());
        self.nft(&["-f", "-"], &table.transaction(ruleset, now), "replace the table").await?;
        let existing = self.read_back(table).await?;
        let later = SignedDuration::try_from(began.elapsed()).unwrap_or(SignedDuration::MAX);
        let mut differs =
            table.difference(ruleset, existing.as_ref(), now.saturating_add(later).unwrap_or(now));
        differs.retain(|difference| !matches!(difference, Difference::End { .. } | Difference::Extra { .. }));
        let Some(existing) = existing.filter(|_| differs.is_empty()) else {
            let differs = differs.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return Err(NftError::NotAsWritten { table: table.name().clone(), differs });
        };
        let now = Left { table: table.clone(), ruleset: ruleset.clone(), rules: existing.rules() };
        left.insert(table.name().clone(), now);
        Ok(Replaced { wrote: true, differed, drift })
    }

    /// The table as it is; none where there is no such table. It may be somebody else's.
    pub async fn read_back(&self, table: &Table) -> Result<Option<ExistingTable>, NftError> {
        let name = table.name();
        let answer = self.nft(&["-j", "list", "table", "inet", name.as_str()], "", "list the table").await;
        let answer = match answer {
            Err(NftError::Refused { said, .. })
                if said.starts_with("Error: No such file or directory")
                    && said.contains("list table inet") =>
            {
                return Ok(None);
            }
            answer => answer?,
        };
        let existing = ExistingTable::read(&answer);
        existing.map(Some).map_err(|source| NftError::Answer { table: name.clone(), source })
    }

    /// Takes the table away, and with it every guard: afterwards nothing is refused. Not for a server that
    /// stops. Whether there was one.
    pub async fn remove(&self, table: &Table) -> Result<bool, NftError> {
        let mut left = self.left.lock().await;
        let Some(existing) = self.read_back(table).await? else { return Ok(false) };
        existing.owned(table)?;
        self.nft(&["-f", "-"], &table.removal(), "delete the table").await?;
        left.remove(table.name());
        Ok(true)
    }

    async fn nft(&self, arguments: &[&str], input: &str, what: &str) -> Result<String, NftError> {
        let run = |source| NftError::Run { program: self.program.clone(), source };
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .args(arguments)
            .env_clear()
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(run)?;
        let mut stdin = child.stdin.take();
        let feed = async move {
            if let Some(stdin) = &mut stdin {
                // What it did not read it will complain of itself.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let both = async { tokio::join!(feed, child.wait_with_output()).1 };
        let output = tokio::time::timeout(LIMIT, both).await.map_err(|_| NftError::TooLong)?.map_err(run)?;
        answer(output, what)
    }
}

fn answer(output: Output, what: &str) -> Result<String, NftError> {
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    if said.contains("Operation not permitted") {
        return Err(NftError::NotPermitted);
    }
    // It repeats the line that it did not like and underlines it.
    let lines =
        said.lines().map(str::trim).filter(|line| line.contains(|letter| !matches!(letter, '^' | '~' | ' ')));
    let mut said = lines.take(4).collect::<Vec<_>>().join("; ");
    if said.is_empty() {
        said = output.status.to_string();
    }
    Err(NftError::Refused { what: what.into(), said })
}

/// What others did to a table since we left it.
fn drift(left: &Left, existing: Option<&ExistingTable>, now: Timestamp) -> Vec<Difference> {
    let mut drift = left.table.difference(&left.ruleset, existing, now);
    // The kernel may take an element a moment after its grant's end.
    drift.retain(|difference| !difference.is_ending());
    if let (true, Some(existing)) = (drift.is_empty(), existing) {
        drift.extend(existing.edited(&left.rules));
    }
    drift
}

/// Whether an address is this machine's own: the kernel binds a socket to no other. A link-local address counts as one, since
/// routers do not forward packets to it (RFC 4291, section 2.5.6).
pub(super) fn is_local(address: IpAddr) -> bool {
    let link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    link_local || std::net::UdpSocket::bind((address, 0)).is_ok()
}

fn program(name: &'static str) -> Result<PathBuf, NftError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .chain(["/usr/sbin", "/sbin"].map(|folder| Path::new(folder).to_owned()))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or(NftError::Missing(name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    fn check(code: i32, stderr: &str, expected: &str, hint: bool) {
        let (status, stdout) = (ExitStatus::from_raw(code << 8), Vec::new());
        let error = answer(Output { status, stdout, stderr: stderr.into() }, "list the table")
            .expect_err("it failed");
        assert_eq!((error.to_string().as_str(), error.hint().is_some()), (expected, hint));
    }

    #[test]
    fn what_nft_complains_of_is_said_in_a_line() {
        check(
            1,
            "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation not permitted\n",
            "the kernel does not permit this program to use nftables",
            true,
        );
        check(
            1,
            "/dev/stdin:3:3-3: Error: syntax error, unexpected '}'\n  } }\n    ^\n",
            "`nft` failed to list the table: /dev/stdin:3:3-3: Error: syntax error, unexpected '}'; } }",
            false,
        );
        check(3, "", "`nft` failed to list the table: exit status: 3", false);
    }

    #[test]
    fn an_address_is_this_machines_or_not() {
        for (address, expected) in
            [("127.0.0.9", true), ("192.0.2.1", false), ("2001:db8::1", false), ("fe80::1", true)]
        {
            assert_eq!(is_local(address.parse().expect("an address")), expected, "{address}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = program("no-such-program").expect_err("there is none");
        assert_eq!(error.to_string(), "`no-such-program` is not on the PATH, in /usr/sbin or in /sbin");
    }
}
