//! The policy file and the two people files: read together, and read again when one of them changes.
//!
//! While what is there is broken, the last that was good holds. A group that lost its last member is not broken:
//! refusing that would keep in whoever was just taken out.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use doorward_core::policy::people::{self, People};
use doorward_core::policy::{self, FilesAt, Mistake, Policy, Spot, utf8};
use sha2::{Digest as _, Sha256};

/// A policy, the people, and what was told of them.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The policy; its paths are resolved beside the policy file.
    pub policy: Arc<Policy>,
    /// Who there is.
    pub people: Arc<People>,
    /// SHA-256 of the three files, in hexadecimal digits.
    pub digest: String,
    /// What is no reason to refuse them. A group that nobody is in is among these, and an error to `doorward check`.
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
#[derive(Debug, Clone)]
pub struct Examined {
    /// The policy and the people, unless a mistake makes them useless.
    pub loaded: Option<Loaded>,
    /// Every mistake of all three files, by file and line.
    pub mistakes: Vec<Mistake>,
    /// The people files, where the policy names them.
    pub files: Option<PeoplePaths>,
}

/// Where the people files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeoplePaths {
    /// The password file.
    pub passwords: PathBuf,
    /// The group file.
    pub groups: PathBuf,
}

/// Reads a policy file and the people files beside it.
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

fn paths(policy: &Path, files: &FilesAt) -> PeoplePaths {
    PeoplePaths { passwords: beside(policy, &files.passwords), groups: beside(policy, &files.groups) }
}

/// Reads everything and says everything. An error only where the policy file itself cannot be read.
pub fn examine(path: &Path) -> Result<Examined, LoadError> {
    let bytes = read(path).map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
    Ok(examine_bytes(path, &bytes))
}

fn examine_bytes(path: &Path, bytes: &[u8]) -> Examined {
    let name = path.display().to_string();
    let text = match utf8(bytes, &name) {
        Ok(text) => text,
        Err(mistake) => return Examined { loaded: None, mistakes: vec![mistake], files: None },
    };
    let reading = policy::read(text, &name);
    let Some(files) = &reading.people else {
        return Examined { loaded: None, mistakes: reading.mistakes, files: None };
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
    let display = |path: &Path| path.display().to_string();
    // Where one of the two cannot be read, what is wrong in the other is said all the same.
    let (people, mut told) = people::read(
        passwords.as_deref().unwrap_or_default(),
        &display(&paths.passwords),
        groups.as_deref().unwrap_or_default(),
        &display(&paths.groups),
    );
    if passwords.is_none() {
        told.retain(Mistake::is_error);
    }
    let both = passwords.zip(groups);
    let people = people.filter(|_| both.is_some());
    if let Some(people) = &people {
        mistakes.extend(policy::check(&reading, people, &name));
    }
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    mistakes.append(&mut told);
    let loaded = match (reading.policy, people, both) {
        (Some(policy), Some(people), Some((passwords, groups))) => Some(Loaded {
            policy: Arc::new(resolved(policy, path)),
            people: Arc::new(people),
            digest: digest([bytes, &passwords, &groups]),
            warnings: mistakes.clone(),
        }),
        _ => None,
    };
    Examined { loaded, mistakes, files: Some(paths) }
}

fn missing_hint(at: Spot, files: &FilesAt) -> String {
    if at == files.passwords_at {
        "`doorward user add NAME` makes it".into()
    } else {
        "`doorward group add --new GROUP NAME` makes it".into()
    }
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
    if !policy.server.store.contains("://") {
        resolve(&mut policy.server.store);
    }
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

fn digest(files: [&[u8]; 3]) -> String {
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
    /// What is there now cannot be used, for these mistakes; what was good holds. Said once for each state of the
    /// files.
    Broken(Vec<Mistake>),
}

/// A policy that follows its files. Cheap to ask, from any thread.
#[derive(Debug)]
pub struct PolicyFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    good: Arc<Loaded>,
    /// What makes the files as they are now useless; empty while `good` is what they say.
    broken: Vec<Mistake>,
    stamps: Stamps,
}

impl PolicyFile {
    /// Reads the files for the first time.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let people = people_paths(path).ok();
        let stamps = Stamps::of(path, people);
        let good = Arc::new(load(path)?);
        Ok(Self { path: path.into(), state: Mutex::new(State { good, broken: Vec::new(), stamps }) })
    }

    /// Where the policy is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last that was good.
    pub fn current(&self) -> Arc<Loaded> {
        self.state().good.clone()
    }

    /// Why the files as they are now are not what [`Self::current`] says; nothing while they are.
    pub fn mistakes(&self) -> Vec<Mistake> {
        self.state().broken.clone()
    }

    /// Looks whether a file changed, and reads all three if so.
    pub fn refresh(&self) -> Refreshed {
        let mut state = self.state();
        let stamps = Stamps::of(&self.path, state.stamps.people.clone());
        if stamps == state.stamps && state.stamps.settled {
            return Refreshed::Unchanged;
        }
        // The stamps are older than what is read below: what changes in between is read at the next refresh.
        state.stamps = stamps;
        let examined = match examine(&self.path) {
            Ok(examined) => examined,
            Err(LoadError::Unreadable { path, source }) => {
                let what = format!("cannot read the policy: {source}");
                let mistake = Mistake::error(&path.display().to_string(), Spot::START, what, None);
                Examined { loaded: None, mistakes: vec![mistake], files: None }
            }
            Err(LoadError::Mistakes { mistakes, .. }) => Examined { loaded: None, mistakes, files: None },
        };
        if examined.files.is_some() && examined.files != state.stamps.people {
            // Other files from now on, which have no stamp yet, so that the next refresh reads them again.
            state.stamps = Stamps { people: examined.files, settled: false, ..Stamps::default() };
        }
        match examined.loaded {
            Some(loaded) => {
                let was_broken = !std::mem::take(&mut state.broken).is_empty();
                if loaded.digest == state.good.digest && !was_broken {
                    return Refreshed::Unchanged;
                }
                state.good = Arc::new(loaded);
                Refreshed::Changed(state.good.clone())
            }
            None if examined.mistakes == state.broken => Refreshed::Unchanged,
            None => {
                state.broken.clone_from(&examined.mistakes);
                Refreshed::Broken(examined.mistakes)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of the state is one assignment, so a thread that panicked left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What three files looked like at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Stamps {
    people: Option<PeoplePaths>,
    files: [Option<Stamp>; 3],
    /// Whether all changes are so old that a further one has another time. A clock's tick is some milliseconds, and
    /// two seconds on the coarsest of file systems.
    settled: bool,
}

impl Stamps {
    fn of(policy: &Path, people: Option<PeoplePaths>) -> Self {
        let metadata = |path: &Path| fs::metadata(path).ok();
        let people_file = |which: fn(&PeoplePaths) -> &PathBuf| people.as_ref().map(which);
        let files = [
            metadata(policy),
            people_file(|people| &people.passwords).and_then(|path| metadata(path)),
            people_file(|people| &people.groups).and_then(|path| metadata(path)),
        ];
        let now = SystemTime::now();
        let settled = files.iter().flatten().all(|file| {
            let age = file.modified().ok().and_then(|modified| now.duration_since(modified).ok());
            age.is_some_and(|age| age > Duration::from_secs(2))
        });
        Self { people, files: files.map(|file| file.as_ref().map(Stamp::of)), settled }
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
mod tests {
    use std::time::Instant;

    use super::*;

    const POLICY: &str = "[people]\npasswords = \"h\"\ngroups = \"g\"\n[firewall.f]\nnftables = \"inet doorward\"\n\
        [target.t]\naddress = \"a\"\nports = [\"tcp/1\"]\ngroups = [\"dbs\"]\ntransports = [\"direct\"]\nfirewall = \"f\"\n";
    const PASSWORDS: &str = "jon:abl0JrMf6tlhw\nmaria:abl0JrMf6tlhw\n";

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().expect("a folder"));
            folder.write("p.toml", POLICY);
            folder.write("h", PASSWORDS);
            folder.write("g", "dbs: jon\n");
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).expect("written");
        }

        fn open(&self) -> PolicyFile {
            PolicyFile::open(&self.path("p.toml")).expect("a policy")
        }
    }

    fn changed(file: &PolicyFile) -> Arc<Loaded> {
        match file.refresh() {
            Refreshed::Changed(loaded) => loaded,
            other => panic!("{other:?}"),
        }
    }

    fn broken(file: &PolicyFile) -> Vec<String> {
        match file.refresh() {
            Refreshed::Broken(mistakes) => mistakes.into_iter().map(|mistake| mistake.what).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn unchanged(file: &PolicyFile) {
        let refreshed = file.refresh();
        assert!(matches!(refreshed, Refreshed::Unchanged), "{refreshed:?}");
    }

    #[test]
    fn the_example_is_right() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/doorward.toml");
        let loaded = load(&path).expect("a policy");
        assert_eq!(loaded.warnings, Vec::new());
        assert!(loaded.policy.people.passwords.ends_with("examples/people.htpasswd"));
        for (person, hash) in &loaded.people.passwords {
            assert!(crate::people::password::verify(hash, &format!("{person}-example")), "{person}");
        }
    }

    #[test]
    fn paths_are_beside_the_policy() {
        let folder = Folder::new();
        let tls = "[server]\nstore = \"/var/lib/d.db\"\ntls = { certificate = \"c\", key = \"k\" }\n";
        folder.write("p.toml", &format!("{POLICY}{tls}"));
        let policy = load(&folder.path("p.toml")).expect("a policy").policy;
        assert_eq!(Path::new(&policy.people.groups), folder.path("g"));
        assert_eq!(policy.server.store, "/var/lib/d.db");
        assert_eq!(Path::new(&policy.server.tls.as_ref().expect("tls").key), folder.path("k"));
        folder.write("p.toml", POLICY);
        let policy = load(&folder.path("p.toml")).expect("a policy").policy;
        assert_eq!(Path::new(&policy.server.store), folder.path("doorward.db"));
        folder.write("p.toml", &format!("{POLICY}[server]\nstore = \"postgres://db/x\"\n"));
        assert_eq!(load(&folder.path("p.toml")).expect("a policy").policy.server.store, "postgres://db/x");
    }

    #[test]
    fn each_file_is_followed() {
        let folder = Folder::new();
        let file = folder.open();
        unchanged(&file);
        // As long as before, and within the same tick of the clock.
        folder.write("g", "dbs: zoe\n");
        let loaded = changed(&file);
        assert!(loaded.people.groups.values().any(|members| members.iter().any(|it| it.as_str() == "zoe")));
        folder.write("p.toml", &POLICY.replace("tcp/1", "tcp/2"));
        assert_ne!(changed(&file).digest, loaded.digest);
        folder.write("h", &PASSWORDS.replace("jon", "joe"));
        assert_eq!(changed(&file).people.passwords.len(), 2);
        unchanged(&file);
        folder.write("h", &PASSWORDS.replace("jon", "joe"));
        unchanged(&file);
    }

    #[test]
    fn what_is_broken_does_not_hold_and_is_said_once() {
        let folder = Folder::new();
        let file = folder.open();
        folder.write("g", "dbs jon\n");
        assert_eq!(broken(&file), ["there is no `:` behind the group's name"]);
        unchanged(&file);
        assert_eq!(file.mistakes().len(), 1);
        assert_eq!(file.current().people.groups.len(), 1);
        folder.write("g", "dbs: jon\n");
        changed(&file);
        assert!(file.mistakes().is_empty());
        fs::remove_file(folder.path("h")).expect("removed");
        assert!(broken(&file).concat().starts_with("cannot read `"));
        fs::create_dir(folder.path("h")).expect("a folder");
        assert!(broken(&file).concat().ends_with("it is a folder"));
        fs::remove_dir(folder.path("h")).expect("removed");
        folder.write("h", PASSWORDS);
        changed(&file);
        fs::remove_file(folder.path("p.toml")).expect("removed");
        assert_eq!(broken(&file), ["cannot read the policy: No such file or directory (os error 2)"]);
        unchanged(&file);
        assert_eq!(file.current().policy.targets.len(), 1);
        folder.write("p.toml", POLICY);
        changed(&file);
    }

    #[test]
    fn a_group_that_lost_its_last_member_is_not_broken() {
        let folder = Folder::new();
        let file = folder.open();
        folder.write("g", "dbs:\n");
        let loaded = changed(&file);
        assert!(loaded.people.groups.values().all(std::collections::BTreeSet::is_empty));
        assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    }

    #[test]
    fn other_people_files_are_followed() {
        let folder = Folder::new();
        let file = folder.open();
        folder.write("other", "maria:abl0JrMf6tlhw\n");
        folder.write("p.toml", &POLICY.replace("\"h\"", "\"other\""));
        assert_eq!(changed(&file).people.passwords.len(), 1);
        folder.write("other", PASSWORDS);
        assert_eq!(changed(&file).people.passwords.len(), 2);
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let folder = Folder::new();
        fs::remove_file(folder.path("h")).expect("removed");
        let made = std::process::Command::new("mkfifo").arg(folder.path("h")).status().expect("mkfifo");
        assert!(made.success());
        let begun = Instant::now();
        let error = load(&folder.path("p.toml")).expect_err("no policy");
        assert!(
            matches!(&error, LoadError::Mistakes { mistakes, .. } if mistakes.iter().any(|it| it.what.ends_with("it is not a regular file"))),
            "{error:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}
