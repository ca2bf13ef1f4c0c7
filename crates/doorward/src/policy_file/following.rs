//! A policy that follows its files: read again when one of them changes, and what is in force meanwhile.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use doorward_core::policy::{Mistake, Policy, Spot};

use super::watched::{READS, Watched};
use super::{
    Examined, LoadError, Loaded, POLICY_AT_MOST, PeoplePaths, ReadPeople, digest, examine_bytes, from_disk,
    people_of,
};
use crate::bounded_file::read;
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
    /// Held while the files are read; the state is held only to look at it or to change it.
    files: Mutex<Files>,
}

/// The files as they were last read.
#[derive(Debug)]
struct Files {
    policy: Watched,
    people: BTreeMap<PathBuf, Watched>,
    /// The last policy without a mistake, and the bytes of its password and group files when they could last be read.
    last: Last,
    /// Whether they are taken in although none of them changed.
    forced: bool,
    /// How often they were taken in.
    taken_in: u64,
}

impl Files {
    /// Looks at all of them at once. Whether one is another than before, or answers now and did not, or the other way round.
    fn look(&mut self) -> bool {
        self.policy.begin();
        self.people.values_mut().for_each(Watched::begin);
        let until = Instant::now() + READS;
        let all = std::iter::once(&mut self.policy).chain(self.people.values_mut());
        all.fold(false, |changed, file| file.take(until) | changed)
    }

    /// The password and group files, each as it is now; one that nobody named before is read first.
    fn person_file(&mut self, path: &Path) -> io::Result<Arc<Vec<u8>>> {
        let file = self.people.entry(path.to_owned()).or_insert_with(|| {
            let mut file = Watched::unread(path, PEOPLE_AT_MOST);
            file.begin();
            file.take(Instant::now() + READS);
            file
        });
        file.content()
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
    policy: Arc<Vec<u8>>,
    whole: Arc<Policy>,
    files: PeoplePaths,
    passwords: Arc<Vec<u8>>,
    groups: Arc<Vec<u8>>,
}

impl PolicyFile {
    /// Reads the files for the first time.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let bytes = read(path, POLICY_AT_MOST)
            .map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
        let examined = examine_bytes(path, &bytes, true, &mut from_disk);
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
        let bytes = Arc::new(bytes);
        let watched = |path: &PathBuf, bytes: &Arc<Vec<u8>>| {
            (path.clone(), Watched::new(path, PEOPLE_AT_MOST, Arc::clone(bytes)))
        };
        let people = [watched(&files.passwords, &passwords), watched(&files.groups, &groups)].into();
        let policy = Watched::new(path, POLICY_AT_MOST, Arc::clone(&bytes));
        let last = Last { policy: bytes, whole: Arc::clone(&good.policy), files, passwords, groups };
        let state = Mutex::new(State { good: Arc::new(good), broken: Vec::new() });
        let files = Mutex::new(Files { policy, people, last, forced: false, taken_in: 1 });
        Ok(Self { path: path.into(), state, files })
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

    /// Looks whether a file changed, and takes all three in if so. One that does not answer is as it was.
    pub fn refresh(&self) -> Refreshed {
        let mut guard = self.files();
        let files = &mut *guard;
        if !files.look() && !std::mem::take(&mut files.forced) {
            return Refreshed::Unchanged;
        }
        files.forced = false;
        files.taken_in += 1;
        let (bytes, unread) = (files.policy.last(), files.policy.content().err());
        let answers = unread.as_ref().is_none_or(|error| error.kind() != io::ErrorKind::TimedOut);
        let mut last = files.last.clone();
        let examined = examine_bytes(&self.path, &bytes, answers, &mut |path| files.person_file(path));
        last.note(&examined, &bytes);
        let unread = unread.map(|error| {
            let what = format!("cannot read the policy: {error}");
            Mistake::error(&self.path.display().to_string(), Spot::START, what, None)
        });
        let named = examined.files.clone();
        let (loaded, mut broken) = match examined.loaded {
            Some(loaded) => (loaded, Vec::new()),
            None => last.without(&examined, &bytes, &mut |path| files.person_file(path)),
        };
        broken.splice(0..0, unread);
        let follows = |path: &PathBuf| {
            [Some(&last.files), named.as_ref()].into_iter().flatten().any(|files| files.names(path))
        };
        files.people.retain(|path, _| follows(path));
        files.last = last;
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
            files.forced = true;
        }
        self.refresh()
    }

    /// Reads the policy otherwise than from the disk.
    #[cfg(test)]
    pub(super) fn read_policy_by(&self, by: super::watched::Read) {
        self.files().policy.read_by(by);
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
    fn note(&mut self, examined: &Examined, policy: &Arc<Vec<u8>>) {
        let whole = examined.policy.as_ref().zip(examined.files.as_ref());
        // A policy whose password and group files were never readable would be a policy of nobody.
        let Some((whole, files)) = whole.filter(|(_, files)| {
            **files == self.files || (examined.passwords.is_some() && examined.groups.is_some())
        }) else {
            return;
        };
        self.policy = Arc::clone(policy);
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
    fn without(
        &mut self,
        examined: &Examined,
        newest: &[u8],
        read: &mut ReadPeople<'_>,
    ) -> (Loaded, Vec<Mistake>) {
        let mut broken = examined.mistakes.clone();
        let mut again = |path: &Path, last: &mut Arc<Vec<u8>>| match read(path) {
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
