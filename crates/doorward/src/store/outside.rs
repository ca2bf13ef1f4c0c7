//! The last head of the audit log, stored outside the store: it reveals a truncated audit log.

use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use doorward_core::audit::Head;
use serde::{Deserialize, Serialize};

use super::alarm::Alarm;
use super::key::{Key, sync_folder};
use crate::state_file;
use crate::writers::{self, Reader};

/// Where the key and the head of a store's record are. A checkpoint is next to the head, which has a folder that is written
/// to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFiles {
    /// The key, in 64 hexadecimal digits.
    pub key: PathBuf,
    /// The last head.
    pub head: PathBuf,
}

impl AuditFiles {
    /// Those of a policy: as it names them, else next to an SQLite store, else next to the policy itself.
    pub fn of(policy: &doorward_core::policy::Policy, path: &Path) -> Self {
        let store = &policy.server.store;
        let beside = if store.contains("://") { path.with_extension("") } else { PathBuf::from(store) };
        Self::named(policy.audit.key.as_deref(), policy.audit.head.as_deref(), &beside)
    }

    /// Beside an SQLite store; of a store on a server, in the folder where the program stands.
    pub fn beside(store: &str) -> Self {
        let beside = if store.contains("://") { "doorward" } else { store };
        Self::named(None, None, Path::new(beside))
    }

    fn named(key: Option<&str>, head: Option<&str>, beside: &Path) -> Self {
        let default = |ending: &str| state_file::beside(beside, ending);
        let head = match (key, head) {
            (_, Some(head)) => PathBuf::from(head),
            (Some(key), None) => Path::new(key).with_extension("head"),
            (None, None) => default(".audit-head"),
        };
        Self { key: key.map_or_else(|| default(".audit-key"), PathBuf::from), head }
    }

    /// Takes away what a process that was killed left half written.
    pub(super) fn clear(&self) {
        let Ok(entries) = std::fs::read_dir(folder_of(&self.head)) else { return };
        for entry in entries.flatten() {
            let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(HALF_WRITTEN));
            let age = entry
                .metadata()
                .ok()
                .filter(std::fs::Metadata::is_file)
                .and_then(|file| file.modified().ok());
            let age = age.and_then(|modified| modified.elapsed().ok());
            // Another process may be writing one now.
            if is_ours && age.is_some_and(|age| age > LEFT_BEHIND) {
                // Nothing reads it, and the next start tries again.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Says in the log who else may read the key, and who may write the key or the head. `store` is where it is a file.
    pub(super) fn tell_of_others(&self, store: Option<&Path>) {
        if std::fs::metadata(&self.key).is_ok_and(|file| file.mode() & 0o077 != 0) {
            tracing::warn!(key = %self.key.display(), "audit key can be read by others on this machine: `chmod 600` it");
        }
        for file in [&self.key, &self.head] {
            if let Some(who) = self.others(file, store, Reader::of_process()) {
                tracing::warn!(
                    "`{}` authenticates the store, and can be written by others: {who}",
                    file.display()
                );
            }
        }
    }

    fn others(&self, file: &Path, store: Option<&Path>, reader: Reader) -> Option<String> {
        let who = writers::others(file, reader);
        who.or_else(|| {
            // Root may be looking at the files of a server of less rights: then all of them are the server's.
            let owner = writers::stranger(file, reader)?;
            let beside = [Some(self.key.as_path()), Some(&self.head), store].into_iter().flatten();
            let is_alone =
                beside.filter_map(|other| std::fs::metadata(other).ok()).any(|other| other.uid() != owner);
            is_alone.then(|| format!("the user {owner} owns it, but not the other files"))
        })
    }
}

/// How the name of a file begins that is put in the place of another once it is whole.
const HALF_WRITTEN: &str = ".doorward-audit-";

/// After that long such a file is nobody's.
const LEFT_BEHIND: Duration = Duration::from_secs(600);

/// The most bytes of a key or a head that are read.
pub(super) const AT_MOST: u64 = 1 << 16;

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What is noted: one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Noted {
    /// The name of the store's installation.
    pub installation: String,
    /// `NUMBER:HASH`.
    head: String,
    /// What was found altered and no operator has accepted since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alarm: Option<NotedAlarm>,
    mac: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct NotedAlarm {
    found: String,
    after: u64,
}

/// Why what is noted says nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unnoted {
    /// The file cannot be read.
    #[error("cannot read `{}`", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// Somebody else wrote it, or it is damaged.
    #[error("`{}` was not written with the audit key", .0.display())]
    Forged(PathBuf),
}

const PURPOSE: &str = "audit head";
/// Of one with an alarm.
const PURPOSE_OF_ALARM: &str = "audit head with an alarm";

impl Noted {
    pub fn new(installation: &str, head: Head, alarm: Option<&Alarm>, key: &Key) -> Self {
        let alarm = alarm.map(|alarm| NotedAlarm { found: alarm.why.clone(), after: alarm.after });
        let noted =
            Self { installation: installation.into(), head: head.to_string(), alarm, mac: String::new() };
        let mac = noted.sealed(|purpose, fields| key.seal(purpose, fields));
        Self { mac, ..noted }
    }

    /// What the MAC covers.
    fn sealed<T>(&self, seal: impl FnOnce(&str, &[&str]) -> T) -> T {
        match &self.alarm {
            None => seal(PURPOSE, &[&self.installation, &self.head]),
            Some(NotedAlarm { found, after }) => {
                seal(PURPOSE_OF_ALARM, &[&self.installation, &self.head, found, &after.to_string()])
            }
        }
    }

    /// The alarm, where the head is this one.
    pub fn alarm(&self, since: Head) -> Option<Alarm> {
        let noted = self.alarm.as_ref()?;
        Some(Alarm { why: noted.found.clone(), since, after: noted.after })
    }

    /// Reads a file; none where there is no file.
    pub fn read(path: &Path, key: &Key) -> Result<Option<(Self, Head)>, Unnoted> {
        let bytes = match crate::bounded_file::read(path, AT_MOST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Unnoted::Unreadable(path.into(), error)),
        };
        let forged = || Unnoted::Forged(path.into());
        let noted: Self = serde_json::from_slice(&bytes).map_err(|_| forged())?;
        if !noted.sealed(|purpose, fields| key.is_seal(&noted.mac, purpose, fields)) {
            return Err(forged());
        }
        let head = noted.head.parse().map_err(|_| forged())?;
        Ok(Some((noted, head)))
    }

    /// Puts it in the place of what was noted before.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        replace(path, path, format!("{}\n", serde_json::to_string(self)?).as_bytes())
    }
}

/// Puts a file in the place of the one before, as a whole: also after a power cut it is the one or the other. It belongs to
/// whom the file `like` belongs to.
pub(super) fn replace(path: &Path, like: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(HALF_WRITTEN).tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_data()?;
    if let Ok(like) = std::fs::metadata(like) {
        // An operator who is root must not take it away from the server, which could not read it again. Nobody else
        // can give it away.
        let _ = fchown(file.as_file(), Some(like.uid()), Some(like.gid()));
    } else {
        super::owners::give_to_folders_owner(file.as_file(), path);
    }
    file.persist(path)?;
    sync_folder(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_beside_the_store_unless_they_are_named() {
        let files = |key, head, beside: &str| {
            let files = AuditFiles::named(key, head, Path::new(beside));
            (files.key.display().to_string(), files.head.display().to_string())
        };
        let pair = |key: &str, head: &str| (key.to_owned(), head.to_owned());
        assert_eq!(files(None, None, "/var/d.db"), pair("/var/d.db.audit-key", "/var/d.db.audit-head"));
        assert_eq!(files(Some("/k/audit.key"), None, "d.db"), pair("/k/audit.key", "/k/audit.head"));
        assert_eq!(files(Some("/k/a.key"), Some("/h"), "d.db"), pair("/k/a.key", "/h"));
        assert_eq!(files(None, Some("/h"), "d.db"), pair("d.db.audit-key", "/h"));
    }

    #[test]
    fn what_was_left_half_written_is_taken_away_once_it_is_old() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = AuditFiles::named(None, None, &folder.path().join("d.db"));
        let [old, new, other] = [".doorward-audit-abc123", ".doorward-audit-def456", ".doorward-x"]
            .map(|name| folder.path().join(name));
        for path in [&old, &new, &other] {
            std::fs::write(path, "half").expect("a file");
        }
        for path in [&old, &other] {
            let file = std::fs::File::options().write(true).open(path).expect("a file");
            file.set_modified(std::time::SystemTime::now() - LEFT_BEHIND * 2).expect("an old file");
        }
        files.clear();
        assert_eq!([old, new, other].map(|path| path.exists()), [false, true, true]);
    }

    #[test]
    fn who_else_may_write_the_head_or_the_key_is_told() {
        use std::os::unix::fs::{PermissionsExt as _, chown};
        let folder = tempfile::tempdir().expect("a folder");
        let files = AuditFiles::named(None, None, &folder.path().join("d.db"));
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        };
        for path in [&files.key, &files.head] {
            std::fs::write(path, "").expect("a file");
            mode(path, 0o600);
            assert_eq!(files.others(path, None, Reader::of_process()), None);
            mode(path, 0o666);
            let told = files.others(path, None, Reader::of_process());
            assert_eq!(told.as_deref(), Some("every user of this machine can write it"));
            mode(path, 0o600);
        }
        // Only root gives a file away.
        if chown(&files.key, Some(65534), None).is_ok() {
            let told = files.others(&files.key, None, Reader::of_process());
            assert!(told.is_some_and(|told| told.contains("65534")));
            assert_eq!(files.others(&files.head, None, Reader::of_process()), None);
            chown(&files.head, Some(65534), None).expect("given away");
            assert_eq!(files.others(&files.key, None, Reader::of_process()), None, "a server's own");
        }
    }

    #[test]
    fn what_is_noted_is_read_again_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, key) = (folder.path().join("head"), Key::new(&[1; 32]));
        assert!(Noted::read(&path, &key).expect("nothing").is_none());
        let head = Head { seq: 3, hash: doorward_core::audit::Hash::of(b"x") };
        Noted::new("0a1b2c3d", head, None, &key).write(&path).expect("a file");
        let (noted, read) = Noted::read(&path, &key).expect("a head").expect("a head");
        assert_eq!((noted.installation.as_str(), read), ("0a1b2c3d", head));
        let text = std::fs::read_to_string(&path).expect("text");
        for (from, to) in [("3:", "2:"), ("0a1b2c3d", "0a1b2c3e"), ("{", ""), ("\"mac\":\"", "\"mac\":\"0")] {
            std::fs::write(&path, text.replacen(from, to, 1)).expect("a file");
            assert!(matches!(Noted::read(&path, &key), Err(Unnoted::Forged(_))), "{from} to {to}");
        }
        std::fs::write(&path, text).expect("a file");
        assert!(Noted::read(&path, &Key::new(&[2; 32])).is_err(), "another key");
        // An alarm is as authentic, and nobody takes it away.
        let alarm = Alarm { why: "entry 2 was changed".into(), since: head, after: 1 };
        Noted::new("0a1b2c3d", head, Some(&alarm), &key).write(&path).expect("a file");
        let (noted, read) = Noted::read(&path, &key).expect("a head").expect("a head");
        assert_eq!((noted.alarm(read), read), (Some(alarm), head));
        let text = std::fs::read_to_string(&path).expect("text");
        let without = text.split_once(",\"alarm\"").expect("an alarm").0.to_owned()
            + text.split_once('}').expect("its end").1;
        for wrong in [without, text.replace("entry 2", "entry 3"), text.replace("\"after\":1", "\"after\":0")]
        {
            assert_ne!(wrong, text);
            std::fs::write(&path, &wrong).expect("a file");
            assert!(matches!(Noted::read(&path, &key), Err(Unnoted::Forged(_))), "{wrong}");
        }
    }
}
