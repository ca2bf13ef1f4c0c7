//! Who can write the files that decide who gets access: write access makes somebody an operator, whatever the policy
//! says.
//!
//! The rule is OpenSSH's (`safe_path`): a file and every folder above it belong to root or to the user who reads them,
//! and nobody else can write them.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The bits of a mode (inode(7)).
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Who reads files here: the effective user, the user who called sudo, and the user of the server, whose files they are.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    uid: u32,
    sudo: Option<u32>,
    server: Option<u32>,
}

impl Reader {
    /// This process.
    pub fn of_process() -> Self {
        let sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
        let uid = rustix::process::geteuid().as_raw();
        // Root looks at files that a server of less rights may read: then that they are the server's own is right.
        Self { uid, sudo, server: (uid != 0).then_some(uid) }
    }

    /// The same, where the owner of the store is the user of the server.
    pub fn beside(self, store: &Path) -> Self {
        let owner = || fs::metadata(store).ok().map(|file| file.uid());
        Self { server: self.server.or_else(owner), ..self }
    }

    /// Whether a file of this user decides for us.
    fn trusts(self, uid: u32) -> bool {
        uid == 0 || uid == self.uid || (self.uid == 0 && self.sudo == Some(uid))
    }

    /// Whether a file of this user decides for the server, as far as it is known whose that is.
    fn trusts_as_server(self, uid: u32) -> bool {
        self.trusts(uid) || self.server.is_none_or(|server| server == uid)
    }
}

/// Who else may write a file, or put another in its place, in words; none where nobody may, or where there is no file.
pub fn others(path: &Path, reader: Reader) -> Option<String> {
    let real = fs::canonicalize(path).ok()?;
    let kind = fs::metadata(&real).ok()?;
    if let Some(why) = of_one(&kind, reader) {
        return Some(why);
    }
    real.ancestors().skip(1).find_map(|folder| {
        let kind = fs::metadata(folder).ok()?;
        // In a sticky folder, like /tmp, nobody takes another's file away.
        let sticky = kind.mode() & STICKY != 0;
        let why = of_one(&kind, reader).filter(|_| !sticky)?;
        Some(format!("of its folder `{}`: {why}", folder.display()))
    })
}

fn of_one(kind: &Metadata, reader: Reader) -> Option<String> {
    let mode = kind.mode();
    if mode & OTHERS_WRITE != 0 {
        return Some("every user of this machine can write it".into());
    }
    // A user's private group has the user's own number, and root's is root's.
    if mode & GROUP_WRITES != 0 && kind.gid() != 0 && kind.gid() != kind.uid() {
        return Some(format!("members of the group {} can write it", kind.gid()));
    }
    if !reader.trusts_as_server(kind.uid()) {
        return Some(format!("the user {} owns it and can write it", kind.uid()));
    }
    None
}

/// Whose a file is, if it is neither root's nor ours, nor that of the user who called sudo.
pub fn stranger(path: &Path, reader: Reader) -> Option<u32> {
    let owners = [fs::symlink_metadata(path), fs::metadata(path)];
    owners.into_iter().flatten().map(|kind| kind.uid()).find(|uid| !reader.trusts(*uid))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn who_else_may_write_a_file_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("doorward.toml");
        fs::write(&file, "").expect("written");
        let mode = |path: &Path, mode: u32| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
        };
        let reader = Reader::of_process();
        mode(&file, 0o640);
        assert_eq!(others(&file, reader), None);
        mode(&file, 0o646);
        assert_eq!(others(&file, reader).as_deref(), Some("every user of this machine can write it"));
        mode(&file, 0o640);
        let below = folder.path().join("below");
        fs::create_dir(&below).expect("a folder");
        let link = below.join("link");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        assert_eq!(others(&link, reader), None, "it is the file itself that counts");
        mode(folder.path(), 0o777);
        let real = fs::canonicalize(folder.path()).expect("a path");
        let told = format!("of its folder `{}`: every user of this machine can write it", real.display());
        assert_eq!(others(&file, reader), Some(told));
        mode(folder.path(), 0o1777);
        assert_eq!(others(&file, reader), None);
        assert_eq!(others(&folder.path().join("nowhere"), reader), None);
    }

    #[test]
    fn for_root_the_owner_of_the_store_is_the_server() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, "").expect("written");
            path
        };
        let (policy, store) = (file("doorward.toml"), file("doorward.db"));
        let root = Reader { uid: 0, sudo: None, server: None };
        assert_eq!(others(&policy, root.beside(&store)), None);
        let chown = |path: &Path, uid| std::os::unix::fs::chown(path, Some(uid), None).is_ok();
        // Only root gives a file away.
        if chown(&policy, 65534) {
            let told = "the user 65534 owns it and can write it";
            assert_eq!(others(&policy, root), None, "nobody knows whose the server is");
            assert_eq!(others(&policy, root.beside(&folder.path().join("nowhere"))), None);
            assert_eq!(others(&policy, root.beside(&store)).as_deref(), Some(told));
            assert!(chown(&store, 65534));
            assert_eq!(others(&policy, root.beside(&store)), None, "it is the server's own");
        }
    }

    #[test]
    fn a_file_of_a_stranger_is_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("doorward.toml");
        fs::write(&file, "").expect("written");
        let owner = fs::metadata(&file).expect("there").uid();
        let reader = |uid, sudo| Reader { uid, sudo, server: (uid != 0).then_some(uid) };
        assert_eq!(stranger(&file, reader(owner, None)), None);
        assert_eq!(stranger(&folder.path().join("nowhere"), reader(owner + 1, None)), None);
        // Whoever runs the tests as root has no file of a stranger at hand.
        if owner != 0 {
            assert_eq!(stranger(&file, reader(owner + 1, None)), Some(owner));
            assert_eq!(stranger(&file, reader(0, None)), Some(owner));
            assert_eq!(stranger(&file, reader(0, Some(owner))), None);
            assert!(others(&file, reader(owner + 1, None)).is_some());
        }
    }
}
