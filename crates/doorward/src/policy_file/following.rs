//! A policy that follows its files: read again when one of them changes, and what is in force meanwhile.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use doorward_core::policy::{Mistake, Policy, Spot};

use super::stamps::Stamps;
use super::{
    Examined, LoadError, Loaded, POLICY_AT_MOST, PeoplePaths, digest, examine_bytes, people_of, people_paths,
    read,
};
use crate::people::PEOPLE_AT_MOST;

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
    /// SHA-256 of the files as they were last taken in, whatever they said.
    taken: Option<String>,
    /// The last policy without a mistake, and the bytes of its people's files when they could last be read.
    last: Last,
    stamps: Stamps,
    /// How often they were taken in.
    taken_in: u64,
}

impl Files {
    /// SHA-256 of what the files hold now; none where one of them cannot be read.
    fn raw(&self, policy: &Path) -> Option<String> {
        let people = self.stamps.people.iter().flat_map(|people| [&people.passwords, &people.groups]);
        let people = people.map(|path| (path.as_path(), PEOPLE_AT_MOST));
        let all = std::iter::once((policy, POLICY_AT_MOST)).chain(people);
        let all: Vec<Vec<u8>> = all.map(|(path, most)| read(path, most).ok()).collect::<Option<_>>()?;
        Some(digest(all.iter().map(Vec::as_slice)))
    }
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
        let bytes = read(path, POLICY_AT_MOST)
            .map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
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
        Ok(Self {
            path: path.into(),
            state,
            files: Mutex::new(Files { taken: None, last, stamps, taken_in: 1 }),
        })
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
        // A change of a moment ago is read again, since a further one may bear the same time; as a rule there is none, and
        // what a large file says need not be found out twice.
        let raw = files.raw(&self.path);
        let is_same = stamps.files == files.stamps.files && stamps.people == files.stamps.people;
        if is_same && raw.is_some() && raw == files.taken {
            files.stamps = stamps;
            return Refreshed::Unchanged;
        }
        files.taken = raw;
        files.taken_in += 1;
        // The stamps are older than what is read below: what changes in between is read at the next refresh.
        files.stamps = stamps;
        let (examined, bytes) = match read(&self.path, POLICY_AT_MOST) {
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
        {
            let mut files = self.files();
            (files.stamps.settled, files.taken) = (false, None);
        }
        self.refresh()
    }

    /// How often the files were taken in since they were opened.
    #[cfg(test)]
    pub(super) fn taken_in(&self) -> u64 {
        self.files().taken_in
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
        let mut again = |path: &Path, last: &mut Vec<u8>| match read(path, PEOPLE_AT_MOST) {
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
