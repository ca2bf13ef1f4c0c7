//! The policy file, the password file and the group file: read together, and reloaded when one of them changes.
//!
//! An error in one file does not delay a revocation that another causes. While the policy has an error, the last valid
//! one is in force without the entries that the new one no longer has, and the password and group files count as they
//! are. While one of these cannot be read at all, its last content counts: an editor may be replacing it, and an
//! operator who wants to lock everybody out empties it. An error within them affects only its line.

mod findings;
mod following;
mod stamps;
mod watched;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use doorward_core::inventory::AccountRegion;
use doorward_core::policy::people::{self, People};
use doorward_core::policy::{self, Enforcement, FilesAt, Firewall, Mistake, Policy, Remains, Spot, utf8};
use sha2::{Digest as _, Sha256};

use findings::{missing_hint, no_account, too_costly, written_by_others};
pub use following::{PolicyFile, Refreshed};

use crate::bounded_file::read;
use crate::people::PEOPLE_AT_MOST;

/// A policy, the people, and what was told of them.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The policy; its paths are resolved next to the policy file.
    pub policy: Arc<Policy>,
    /// Who there is.
    pub people: Arc<People>,
    /// SHA-256 of the three files, in hexadecimal digits.
    pub digest: String,
    /// What is no reason to refuse them. A line of the password and group files that counts for nothing and a group that
    /// nobody is in are among these, and errors to `doorward check`.
    pub warnings: Vec<Mistake>,
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The policy file cannot be read.
    #[error("cannot read the policy `{}`", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// It, or a people file, has mistakes.
    #[error("the policy `{}` has errors", path.display())]
    Mistakes {
        /// The policy file.
        path: PathBuf,
        /// Every mistake of all three files, warnings too.
        mistakes: Vec<Mistake>,
    },
}

/// Everything there is to say of a policy file and of the password and group files that it names.
#[derive(Debug, Clone, Default)]
pub struct Examined {
    /// The policy and the people, unless a mistake makes them useless.
    pub loaded: Option<Loaded>,
    /// Every mistake of all three files, by file and line.
    pub mistakes: Vec<Mistake>,
    /// The people files, where the policy names them.
    pub files: Option<PeoplePaths>,
    /// The policy, unless it has a mistake itself.
    policy: Option<Arc<Policy>>,
    /// What the policy still names where it has one.
    remains: Option<Remains>,
    /// What the password and group files are, as far as they can be read.
    passwords: Option<Arc<Vec<u8>>>,
    groups: Option<Arc<Vec<u8>>>,
}

/// How the password and group files are read.
type ReadPeople<'r> = dyn FnMut(&Path) -> io::Result<Arc<Vec<u8>>> + 'r;

/// Where the password and group files are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeoplePaths {
    pub passwords: PathBuf,
    pub groups: PathBuf,
    /// The least characters of a password that is set.
    pub least_length: usize,
}

impl PeoplePaths {
    fn names(&self, path: &Path) -> bool {
        self.passwords == path || self.groups == path
    }
}

/// Reads a policy file and the password and group files next to it. A line of the password and group files that counts for
/// nothing is told of in the warnings.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let Examined { loaded, mistakes, .. } = examine(path)?;
    loaded.ok_or(LoadError::Mistakes { path: path.into(), mistakes })
}

/// Where a policy's people files are, also when something else in it is wrong.
pub fn people_paths(path: &Path) -> Result<PeoplePaths, LoadError> {
    let bytes =
        read(path, POLICY_AT_MOST).map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
    let name = path.display().to_string();
    let mistakes = match utf8(&bytes, &name) {
        Ok(text) => {
            let reading = policy::read(text, &name);
            if let Some(files) = reading.people {
                return Ok(paths(path, &files));
            }
            reading.mistakes
        }
        Err(mistake) => vec![mistake],
    };
    Err(LoadError::Mistakes { path: path.into(), mistakes })
}

/// The password and group files of a policy that is still to be written: next to it, by the names that the example has.
pub fn usual_people_paths(policy: &Path) -> PeoplePaths {
    let beside = |name: &str| policy.with_file_name(name);
    PeoplePaths {
        passwords: beside("people.htpasswd"),
        groups: beside("people.groups"),
        least_length: policy::LEAST_LENGTH,
    }
}

/// The firewalls of a policy, as far as they can be read, and what is wrong with it. The people files are not
/// looked at: what has ended is closed whatever they say.
pub fn firewalls(path: &Path) -> Result<(Vec<Firewall>, Vec<Mistake>), LoadError> {
    let bytes =
        read(path, POLICY_AT_MOST).map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
    let name = path.display().to_string();
    Ok(match utf8(&bytes, &name) {
        Ok(text) => {
            let reading = policy::read(text, &name);
            (reading.firewalls, reading.mistakes)
        }
        Err(mistake) => (Vec::new(), vec![mistake]),
    })
}

/// The accounts and Regions that a policy names: of its firewalls, and of its networks, which are not known while it has an
/// error. The errors come with them.
pub fn account_regions(path: &Path) -> Result<(BTreeSet<AccountRegion>, Vec<Mistake>), LoadError> {
    let bytes =
        read(path, POLICY_AT_MOST).map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
    let name = path.display().to_string();
    Ok(match utf8(&bytes, &name) {
        Ok(text) => {
            let reading = policy::read(text, &name);
            let networks = reading.policy.iter().flat_map(|policy| policy.topology.networks.values());
            let groups = reading.firewalls.iter().filter_map(|firewall| match &firewall.kind {
                Enforcement::SecurityGroup { at, .. } => Some(at),
                _ => None,
            });
            let account_regions = networks.map(|network| &network.at).chain(groups).cloned().collect();
            (account_regions, if reading.policy.is_some() { Vec::new() } else { reading.mistakes })
        }
        Err(mistake) => (BTreeSet::new(), vec![mistake]),
    })
}

/// The policy alone, with its paths resolved: who may sign in does not matter to what only the networks, the intents and
/// the prices of it are asked.
pub fn policy_alone(path: &Path) -> Result<Policy, LoadError> {
    let bytes =
        read(path, POLICY_AT_MOST).map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
    let name = path.display().to_string();
    let refused = |mistakes| LoadError::Mistakes { path: path.into(), mistakes };
    let reading = policy::read(utf8(&bytes, &name).map_err(|mistake| refused(vec![mistake]))?, &name);
    reading.policy.map(|policy| resolved(policy, path)).ok_or_else(|| refused(reading.mistakes))
}

fn paths(policy: &Path, files: &FilesAt) -> PeoplePaths {
    PeoplePaths {
        passwords: beside(policy, &files.passwords),
        groups: beside(policy, &files.groups),
        least_length: files.least_length,
    }
}

/// Reads everything and says everything. An error only where the policy file itself cannot be read.
pub fn examine(path: &Path) -> Result<Examined, LoadError> {
    let bytes =
        read(path, POLICY_AT_MOST).map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
    Ok(examine_bytes(path, &bytes, true, &mut from_disk))
}

fn from_disk(path: &Path) -> io::Result<Arc<Vec<u8>>> {
    read(path, PEOPLE_AT_MOST).map(Arc::new)
}

/// Examines a policy of these bytes. Where it does not `answer` any more, nor is anything else asked about its file.
fn examine_bytes(path: &Path, bytes: &[u8], answers: bool, read: &mut ReadPeople<'_>) -> Examined {
    let name = path.display().to_string();
    let nothing = |mistake| Examined { mistakes: vec![mistake], ..Examined::default() };
    let text = match utf8(bytes, &name) {
        Ok(text) => text,
        Err(mistake) => return nothing(mistake),
    };
    let reading = policy::read(text, &name);
    let policy = reading.policy.clone().map(|policy| Arc::new(resolved(policy, path)));
    let remains = reading.remains.clone();
    let Some(files) = &reading.people else {
        return Examined { mistakes: reading.mistakes, remains, ..Examined::default() };
    };
    let mut mistakes = reading.mistakes.clone();
    let paths = paths(path, files);
    let mut answers = answers;
    let mut people_file = |path: &Path, at: Spot| match read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            answers &= error.kind() != io::ErrorKind::TimedOut;
            let hint = (error.kind() == io::ErrorKind::NotFound).then(|| missing_hint(at, files));
            let what = format!("cannot read `{}`: {error}", path.display());
            mistakes.push(Mistake::error(&name, at, what, hint));
            None
        }
    };
    let passwords = people_file(&paths.passwords, files.passwords_at);
    let groups = people_file(&paths.groups, files.groups_at);
    // Where one of the two cannot be read, what is wrong in the other is said all the same.
    let (of_passwords, of_groups) = (bytes_of(passwords.as_ref()), bytes_of(groups.as_ref()));
    let (people, mut told) = people_of(&paths, of_passwords, of_groups);
    told.extend(too_costly(&people, of_passwords.unwrap_or_default(), &paths.passwords));
    if groups.is_some() {
        mistakes.extend(policy::check(&named_in(&reading, &people, passwords.is_some()), &people, &name));
    }
    if answers {
        mistakes.extend(written_by_others(path, &paths, policy.as_deref(), &name));
        mistakes.extend(reading.inventory.as_ref().and_then(|folder| no_account(path, folder, &name)));
    }
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    mistakes.append(&mut told);
    let loaded = match (&policy, &passwords, &groups) {
        (Some(policy), Some(passwords), Some(groups)) => Some(Loaded {
            policy: Arc::clone(policy),
            people: Arc::new(people),
            digest: digest([bytes, passwords.as_slice(), groups.as_slice()]),
            warnings: mistakes.clone(),
        }),
        _ => None,
    };
    Examined { loaded, mistakes, files: Some(paths), policy, remains, passwords, groups }
}

fn bytes_of(file: Option<&Arc<Vec<u8>>>) -> Option<&[u8]> {
    file.map(|bytes| bytes.as_slice())
}

/// The people of two files, as far as they can be read, and what is wrong in them.
fn people_of(paths: &PeoplePaths, passwords: Option<&[u8]>, groups: Option<&[u8]>) -> (People, Vec<Mistake>) {
    let display = |path: &Path| path.display().to_string();
    let (people, mut told) = people::read(
        passwords.unwrap_or_default(),
        &display(&paths.passwords),
        groups.unwrap_or_default(),
        &display(&paths.groups),
    );
    // Of a file that cannot be read nobody knows who is missing in it.
    if passwords.is_none() {
        told.retain(Mistake::is_error);
    }
    (people, told)
}

/// What a policy names, for a look at its groups. Without a password file nobody knows whether somebody is in a group,
/// and only those that are not there at all are told of.
fn named_in(reading: &policy::Reading, people: &People, passwords: bool) -> policy::Reading {
    let mut reading = reading.clone();
    reading.groups.retain(|at| passwords || !people.groups.contains_key(&at.group));
    reading
}

/// A path as it is written in a policy, from where the program stands.
fn beside(policy: &Path, written: &str) -> PathBuf {
    policy.parent().unwrap_or(Path::new("")).join(written)
}

fn resolved(mut policy: Policy, path: &Path) -> Policy {
    let resolve = |written: &mut String| {
        // A folder whose name is not UTF-8 leaves the path as it is written, which opens from within that folder.
        if let Some(path) = beside(path, written).to_str() {
            *written = path.to_owned();
        }
    };
    resolve(&mut policy.people.passwords);
    resolve(&mut policy.people.groups);
    if let Some(tls) = &mut policy.server.tls {
        resolve(&mut tls.certificate);
        resolve(&mut tls.key);
    }
    if let Some(known_hosts) = policy.ssh.as_mut().and_then(|ssh| ssh.known_hosts.as_mut()) {
        resolve(known_hosts);
    }
    [&mut policy.inventory, &mut policy.prices].into_iter().flatten().for_each(resolve);
    if !policy.server.store.contains("://") {
        // As a service of systemd: the folder of the policy is not to be written to, and StateDirectory= is.
        match std::env::var_os("STATE_DIRECTORY").filter(|folder| !folder.is_empty()) {
            Some(folder) => policy.server.store = in_state(&folder, &policy.server.store),
            None => resolve(&mut policy.server.store),
        }
    }
    let audit = &mut policy.audit;
    audit.key.iter_mut().chain(&mut audit.head).for_each(resolve);
    policy
}

/// The most bytes of a policy that are read: a larger one is a mistake, and would delay what the others take away.
pub(crate) const POLICY_AT_MOST: u64 = 4 << 20;

fn digest<'b>(files: impl IntoIterator<Item = &'b [u8]>) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update((file.len() as u64).to_be_bytes());
        hash.update(file);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A store's path in the first of the folders that systemd names in STATE_DIRECTORY, a colon between them.
fn in_state(folders: &OsStr, store: &str) -> String {
    let folders = folders.to_string_lossy();
    let first = folders.split(':').next().unwrap_or_default();
    Path::new(first).join(store).display().to_string()
}
