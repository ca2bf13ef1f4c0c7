//! The policy file and the two people files: read together, and read again when one of them changes.
//!
//! A mistake in one file holds back nothing that another takes away. While the policy has a mistake, the last good one
//! holds without what the new one no longer names, and the people's files count as they are. While a people's file
//! cannot be read at all, the last content of it holds: an editor may be putting a new one in its place, and who wants
//! to shut everybody out empties it. A mistake within a people's file concerns its line.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use doorward_core::policy::people::{self, People};
use doorward_core::policy::{
    self, FilesAt, Firewall, FolderAt, HashKind, Mistake, PasswordHash, Policy, Remains, Spot, utf8,
};
use sha2::{Digest as _, Sha256};

use crate::people::cost;
use crate::writers::{self, Reader};

/// A policy, the people, and what was told of them.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The policy; its paths are resolved beside the policy file.
    pub policy: Arc<Policy>,
    /// Who there is.
    pub people: Arc<People>,
    /// SHA-256 of the three files, in hexadecimal digits.
    pub digest: String,
    /// What is no reason to refuse them. A line of the people's files that counts for nothing and a group that nobody is
    /// in are among these, and errors to `doorward check`.
    pub warnings: Vec<Mistake>,
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The policy file cannot be read.
    #[error("cannot read the policy `{}`", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It, or a people file, has mistakes.
    #[error("the policy `{}` has mistakes", path.display())]
    Mistakes {
        /// The policy file.
        path: PathBuf,
        /// Every mistake of all three files, warnings too.
        mistakes: Vec<Mistake>,
    },
}

/// Everything there is to say of a policy file and of the people files that it names.
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
    /// What the people's files are, as far as they can be read.
    passwords: Option<Vec<u8>>,
    groups: Option<Vec<u8>>,
}

/// Where the people files are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeoplePaths {
    /// The password file.
    pub passwords: PathBuf,
    /// The group file.
    pub groups: PathBuf,
    /// The least characters of a password that is set.
    pub least_length: usize,
}

/// Reads a policy file and the people files beside it. A line of the people's files that counts for nothing is told of in
/// the warnings.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let Examined { loaded, mistakes, .. } = examine(path)?;
    loaded.ok_or(LoadError::Mistakes { path: path.into(), mistakes })
}

/// Where a policy's people files are, also when something else in it is wrong.
pub fn people_paths(path: &Path) -> Result<PeoplePaths, LoadError> {
    let bytes = read(path).map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
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

/// The people's files of a policy that is still to be written: beside it, by the names that the example has.
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
    let bytes = read(path).map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
    let name = path.display().to_string();
    Ok(match utf8(&bytes, &name) {
        Ok(text) => {
            let reading = policy::read(text, &name);
            (reading.firewalls, reading.mistakes)
        }
        Err(mistake) => (Vec::new(), vec![mistake]),
    })
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
    let bytes = read(path).map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
    Ok(examine_bytes(path, &bytes))
}

fn examine_bytes(path: &Path, bytes: &[u8]) -> Examined {
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
    let mut people_file = |path: &Path, at: Spot| match read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let hint = (error.kind() == io::ErrorKind::NotFound).then(|| missing_hint(at, files));
            let what = format!("cannot read `{}`: {error}", path.display());
            mistakes.push(Mistake::error(&name, at, what, hint));
            None
        }
    };
    let passwords = people_file(&paths.passwords, files.passwords_at);
    let groups = people_file(&paths.groups, files.groups_at);
    // Where one of the two cannot be read, what is wrong in the other is said all the same.
    let (people, mut told) = people_of(&paths, passwords.as_deref(), groups.as_deref());
    told.extend(too_costly(passwords.as_deref().unwrap_or_default(), &paths.passwords.display().to_string()));
    if groups.is_some() {
        mistakes.extend(policy::check(&named_in(&reading, &people, passwords.is_some()), &people, &name));
    }
    mistakes.extend(written_by_others(path, &paths, policy.as_deref(), &name));
    mistakes.extend(reading.inventory.as_ref().and_then(|folder| no_account(path, folder, &name)));
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    mistakes.append(&mut told);
    let loaded = match (&policy, &passwords, &groups) {
        (Some(policy), Some(passwords), Some(groups)) => Some(Loaded {
            policy: Arc::clone(policy),
            people: Arc::new(people),
            digest: digest([bytes, passwords, groups]),
            warnings: mistakes.clone(),
        }),
        _ => None,
    };
    Examined { loaded, mistakes, files: Some(paths), policy, remains, passwords, groups }
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

/// A warning for each file that decides who is let in and that somebody else may write.
fn written_by_others(path: &Path, files: &PeoplePaths, policy: Option<&Policy>, name: &str) -> Vec<Mistake> {
    let tls = policy.and_then(|policy| policy.server.tls.as_ref());
    let tls = tls.into_iter().flat_map(|tls| [Path::new(&tls.certificate), Path::new(&tls.key)]);
    let key = policy.and_then(|policy| policy.audit.key.as_deref()).map(Path::new);
    let all = [path, &files.passwords, &files.groups].into_iter().chain(tls).chain(key);
    let reader = Reader::of_process();
    let told = all.filter_map(|file| {
        let who = writers::others(file, reader)?;
        let what = format!("whoever may write `{}` decides who is let in: {who}", file.display());
        let hint = "it and the folders above it should be writable by root and its user alone: `chmod go-w`";
        Some(Mistake::warning(name, Spot::START, what, Some(hint.to_owned())))
    });
    told.collect()
}

/// People whose hash takes longer to compute than anybody waits. Nobody else is concerned, so the file is used.
fn too_costly(passwords: &[u8], file: &str) -> Vec<Mistake> {
    let read = people::passwords::read(passwords, file);
    let costly = read.hashes.iter().filter_map(|(person, hash)| {
        let takes = cost::too_costly(hash, cost::USUAL)?;
        let at = Spot { line: *read.named.get(person)?, column: 1 };
        let (takes, most) = (cost::in_words(takes), cost::LONGEST.as_secs());
        let what = format!(
            "the password of `{person}` would take {takes} to try on this machine ({}), so it is never tried and \
             `{person}` cannot sign in; {most} seconds are the most",
            written(hash)
        );
        Some(Mistake::error(file, at, what, Some(format!("`doorward user passwd {person}` sets a new password"))))
    });
    let mut costly: Vec<Mistake> = costly.collect();
    costly.sort_by_key(|mistake| mistake.line);
    costly
}

/// The cost as it stands in the hash.
fn written(hash: &PasswordHash) -> String {
    match hash.kind() {
        HashKind::Bcrypt => format!("bcrypt, cost {}", hash.cost()),
        kind => format!("{kind}, {} rounds", hash.cost()),
    }
}

fn missing_hint(at: Spot, files: &FilesAt) -> String {
    if at == files.passwords_at {
        "`doorward user add NAME` makes it".into()
    } else {
        "`doorward group add --new GROUP NAME` makes it".into()
    }
}

/// The page about who can reach what says that nothing can be read there; nobody is let in or out by that.
fn no_account(policy: &Path, named: &FolderAt, file: &str) -> Option<Mistake> {
    let folder = beside(policy, &named.folder);
    let why = match fs::metadata(&folder) {
        Ok(kind) if kind.is_dir() => return None,
        Ok(_) => "it is not a folder".to_owned(),
        Err(error) => error.to_string(),
    };
    let folder = folder.display();
    let what = format!("there is no recorded account in `{folder}`: {why}");
    Some(Mistake::warning(
        file,
        named.at,
        what,
        Some(format!("`doorward inventory save {folder}` makes one")),
    ))
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
    if let Some(folder) = &mut policy.inventory {
        resolve(folder);
    }
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

/// The bytes of a regular file: a pipe would wait, and a device would never end.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    if !kind.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    fs::read(path)
}

fn digest<'b>(files: impl IntoIterator<Item = &'b [u8]>) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update((file.len() as u64).to_be_bytes());
        hash.update(file);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`PolicyFile::refresh`] found.
#[derive(Debug, Clone)]
pub enum Refreshed {
    /// Nothing is new.
    Unchanged,
    /// Something is, and it holds from now on.
    Changed(Arc<Loaded>),
    /// What is there now cannot be used, for these mistakes; what was good holds, and nothing was taken away from it
    /// either. Said once for each state of the files.
    Broken(Vec<Mistake>),
}

/// A store's path in the first of the folders that systemd names in STATE_DIRECTORY, a colon between them.
fn in_state(folders: &OsStr, store: &str) -> String {
    let folders = folders.to_string_lossy();
    let first = folders.split(':').next().unwrap_or_default();
    Path::new(first).join(store).display().to_string()
}

/// A policy that follows its files. Cheap to ask, from any thread.
#[derive(Debug)]
pub struct PolicyFile {
    path: PathBuf,
    state: Mutex<State>,
    /// Held while the files are read, which may take long on a network; the state is held only to look at it or to
    /// change it.
    files: Mutex<Files>,
}

/// The files as they were last read.
#[derive(Debug)]
struct Files {
    /// The last policy without a mistake, and the bytes of its people's files when they could last be read.
    last: Last,
    stamps: Stamps,
}

#[derive(Debug)]
struct State {
    /// What is in force.
    good: Arc<Loaded>,
    /// What makes the files as they are now useless; empty while `good` is what they say.
    broken: Vec<Mistake>,
}

/// The last that was good, of each file.
#[derive(Debug, Clone)]
struct Last {
    policy: Vec<u8>,
    whole: Arc<Policy>,
    files: PeoplePaths,
    passwords: Vec<u8>,
    groups: Vec<u8>,
}

impl PolicyFile {
    /// Reads the files for the first time.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let people = people_paths(path).ok();
        let stamps = Stamps::of(path, people.into_iter().collect());
        let bytes = read(path).map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
        let examined = examine_bytes(path, &bytes);
        let Examined {
            loaded: Some(good),
            files: Some(files),
            passwords: Some(passwords),
            groups: Some(groups),
            ..
        } = examined
        else {
            return Err(LoadError::Mistakes { path: path.into(), mistakes: examined.mistakes });
        };
        let last = Last { policy: bytes, whole: Arc::clone(&good.policy), files, passwords, groups };
        let state = Mutex::new(State { good: Arc::new(good), broken: Vec::new() });
        Ok(Self { path: path.into(), state, files: Mutex::new(Files { last, stamps }) })
    }

    /// Where the policy is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in force: the last that was good, without what was taken away since.
    pub fn current(&self) -> Arc<Loaded> {
        self.state().good.clone()
    }

    /// Why the files as they are now are not what [`Self::current`] says; nothing while they are.
    pub fn mistakes(&self) -> Vec<Mistake> {
        self.state().broken.clone()
    }

    /// Looks whether a file changed, and reads all three if so.
    pub fn refresh(&self) -> Refreshed {
        let mut files = self.files();
        let stamps = Stamps::of(&self.path, files.stamps.people.clone());
        if stamps == files.stamps && files.stamps.settled {
            return Refreshed::Unchanged;
        }
        // The stamps are older than what is read below: what changes in between is read at the next refresh.
        files.stamps = stamps;
        let (examined, bytes) = match read(&self.path) {
            Ok(bytes) => (examine_bytes(&self.path, &bytes), bytes),
            Err(error) => {
                let what = format!("cannot read the policy: {error}");
                let mistake = Mistake::error(&self.path.display().to_string(), Spot::START, what, None);
                (Examined { mistakes: vec![mistake], ..Examined::default() }, Vec::new())
            }
        };
        files.last.note(&examined, bytes.clone());
        let (loaded, broken) = match examined.loaded {
            Some(loaded) => (loaded, Vec::new()),
            None => files.last.without(&examined, &bytes),
        };
        let people: Vec<PeoplePaths> = match (&examined.files, &files.last.files) {
            (Some(newest), last) if newest != last => vec![last.clone(), newest.clone()],
            (_, last) => vec![last.clone()],
        };
        if people != files.stamps.people {
            // Other files from now on, which have no stamp yet, so that the next refresh reads them again.
            files.stamps = Stamps { people, settled: false, ..Stamps::default() };
        }
        let mut state = self.state();
        let mended = broken.is_empty() && !state.broken.is_empty();
        let told = broken == state.broken;
        state.broken.clone_from(&broken);
        if loaded.digest != state.good.digest || mended {
            state.good = Arc::new(loaded);
            return Refreshed::Changed(state.good.clone());
        }
        if told { Refreshed::Unchanged } else { Refreshed::Broken(broken) }
    }

    /// Reads all three again although none looks changed: what a SIGHUP asks for.
    pub fn reread(&self) -> Refreshed {
        self.files().stamps.settled = false;
        self.refresh()
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of the state is one assignment, so a thread that panicked left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Last {
    /// Takes what is good in what was read.
    fn note(&mut self, examined: &Examined, policy: Vec<u8>) {
        let whole = examined.policy.as_ref().zip(examined.files.as_ref());
        // A policy whose people's files were never readable would be a policy of nobody.
        let Some((whole, files)) = whole.filter(|(_, files)| {
            **files == self.files || (examined.passwords.is_some() && examined.groups.is_some())
        }) else {
            return;
        };
        self.policy = policy;
        self.whole = Arc::clone(whole);
        self.files.clone_from(files);
        if let Some(passwords) = &examined.passwords {
            self.passwords.clone_from(passwords);
        }
        if let Some(groups) = &examined.groups {
            self.groups.clone_from(groups);
        }
    }

    /// What is in force while the files cannot be used as they are, and why they cannot: the last good policy without
    /// what the newest no longer names, and of each people's file what could last be read.
    fn without(&mut self, examined: &Examined, newest: &[u8]) -> (Loaded, Vec<Mistake>) {
        let mut broken = examined.mistakes.clone();
        let mut again = |path: &Path, last: &mut Vec<u8>| match read(path) {
            Ok(bytes) => *last = bytes,
            Err(error) => {
                let what = format!("cannot read it: {error}");
                let mistake = Mistake::error(&path.display().to_string(), Spot::START, what, None);
                if examined.files.is_none() {
                    broken.push(mistake);
                }
            }
        };
        again(&self.files.passwords, &mut self.passwords);
        again(&self.files.groups, &mut self.groups);
        let (people, told) = people_of(&self.files, Some(&self.passwords), Some(&self.groups));
        if examined.files.as_ref() != Some(&self.files) {
            broken.extend(told.iter().cloned());
        }
        let mut policy = Arc::clone(&self.whole);
        let mut files: Vec<&[u8]> = vec![&self.policy, &self.passwords, &self.groups];
        if let Some(remains) = &examined.remains {
            let narrowed = Policy::clone(&policy).narrowed(remains);
            if narrowed != *policy {
                files.push(newest);
                policy = Arc::new(narrowed);
            }
        }
        let digest = digest(files);
        (Loaded { policy, people: Arc::new(people), digest, warnings: told }, broken)
    }
}

/// What the files looked like at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Stamps {
    people: Vec<PeoplePaths>,
    files: Vec<Option<Stamp>>,
    /// Whether all changes are so old that a further one has another time. A clock's tick is some milliseconds, and
    /// two seconds on the coarsest of file systems.
    settled: bool,
}

impl Stamps {
    fn of(policy: &Path, people: Vec<PeoplePaths>) -> Self {
        let metadata = |path: &Path| fs::metadata(path).ok();
        let people_files = people.iter().flat_map(|people| [&people.passwords, &people.groups]);
        let files: Vec<Option<Metadata>> =
            std::iter::once(policy).chain(people_files.map(PathBuf::as_path)).map(metadata).collect();
        let now = SystemTime::now();
        let settled = files.iter().flatten().all(|file| {
            let age = file.modified().ok().and_then(|modified| now.duration_since(modified).ok());
            age.is_some_and(|age| age > Duration::from_secs(2))
        });
        Self { people, files: files.iter().map(|file| file.as_ref().map(Stamp::of)).collect(), settled }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            place: (file.dev(), file.ino()),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests;
