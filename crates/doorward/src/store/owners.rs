//! Whose the files of a store are: root may run a command before the server's first start, and the server is another user.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use doorward_core::policy::people::shell_word;
use rustix::fs::{Access, access};

use super::outside::{AuditFiles, folder_of};
use crate::state_file;

/// A user and a group, by their numbers.
type Owner = (u32, u32);

fn owner(file: &Metadata) -> Owner {
    (file.uid(), file.gid())
}

/// Files that the server's user cannot use, because they belong to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    files: Vec<PathBuf>,
    /// Whose the first of them is.
    owner: u32,
    server: Owner,
}

impl Foreign {
    /// Compared with the owner of the folder, who is the server's user unless that is root: any user can check this.
    pub fn in_folder(store: Option<&Path>, files: &AuditFiles) -> Option<Self> {
        let server = owner(&fs::metadata(folder_of(store.unwrap_or(&files.head))).ok()?);
        if server.0 == 0 { None } else { Self::of(store, files, server) }
    }

    fn of(store: Option<&Path>, files: &AuditFiles, server: Owner) -> Option<Self> {
        Self::among(store, files, server, |_, file, write| {
            let (group, others) = if write { (0o020, 0o002) } else { (0o040, 0o004) };
            // Whether the server is a member of another group is not known here, so that a key of such a group is not
            // reported.
            let by_group = file.mode() & group != 0 && (!write || file.gid() == server.1);
            file.uid() != server.0 && !by_group && file.mode() & others == 0
        })
    }

    /// What this process is denied.
    pub(super) fn to_this_process(store: Option<&Path>, files: &AuditFiles) -> Option<Self> {
        let server = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self::among(store, files, server, |path, file, write| {
            let wanted = if write { Access::READ_OK | Access::WRITE_OK } else { Access::READ_OK };
            file.uid() != server.0 && access(path, wanted).is_err()
        })
    }

    /// `denied` is asked of each file that exists, and whether the server has to write it.
    fn among(
        store: Option<&Path>,
        files: &AuditFiles,
        server: Owner,
        denied: impl Fn(&Path, &Metadata, bool) -> bool,
    ) -> Option<Self> {
        // SQLite's side files have the store's name (sqlite.org/tempfiles.html). The head and its neighbours are replaced as a
        // whole, which takes no right to write them.
        let of_store = store.into_iter().flat_map(|store| {
            [store.to_owned(), state_file::beside(store, "-wal"), state_file::beside(store, "-shm")]
        });
        let beside_head = [".closes", ".relays"].map(|ending| state_file::beside(&files.head, ending));
        let written = of_store.chain(beside_head).map(|path| (path, true));
        let replaced = [".checkpoint", ".attempts"].map(|ending| state_file::beside(&files.head, ending));
        let read =
            [files.key.clone(), files.head.clone()].into_iter().chain(replaced).map(|path| (path, false));
        let mut first = None;
        let found = read.chain(written).filter_map(|(path, write)| {
            let file = fs::metadata(&path).ok()?;
            if !denied(&path, &file, write) {
                return None;
            }
            first.get_or_insert(file.uid());
            Some(path)
        });
        let files: Vec<PathBuf> = found.collect();
        Some(Self { owner: first?, files, server })
    }

    /// What to type.
    pub fn hint(&self) -> String {
        let (user, group) = self.server;
        if self.owner != 0 {
            return format!("run this as the user {}, who owns these files, or as root", self.owner);
        }
        let files: Vec<String> = self.files.iter().map(|file| shell_word(&file.to_string_lossy())).collect();
        format!(
            "`sudo chown {user}:{group} {}` gives them to the server; root creates them if it runs a command before the \
             server's first start",
            files.join(" ")
        )
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.files.iter().map(|file| format!("`{}`", file.display())).collect();
        let (belong, them) = if names.len() == 1 { ("belongs", "it") } else { ("belong", "them") };
        let owner = if self.owner == 0 { "root".to_owned() } else { format!("the user {}", self.owner) };
        write!(
            f,
            "{} {belong} to {owner}, and the server's user {} may not use {them}",
            names.join(", "),
            self.server.0
        )
    }
}

/// Gives a file that root has just created to the owner of its folder: the server, which is not root, has to use it.
///
/// The file is the open one, and one that this process created: a path in a folder of somebody else may be a link to any other
/// file by now.
pub(super) fn give_to_folders_owner(created: &File, path: &Path) {
    let Ok(folder) = fs::metadata(folder_of(path)) else { return };
    if folder.uid() != 0 && rustix::process::geteuid().is_root() {
        // Otherwise `check` and `serve` report it.
        let _ = fchown(created, Some(folder.uid()), Some(folder.gid()));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_of_another_user_than_the_servers_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (store, files) = (path("d.db"), AuditFiles::beside(&path("d.db").to_string_lossy()));
        let (me, group) = owner(&fs::metadata(folder.path()).expect("a folder"));
        let server = (me + 1, group + 1);
        let found = |server| Foreign::of(Some(&store), &files, server);
        assert_eq!(found(server), None, "nothing is there");
        for file in [&store, &files.key, &files.head] {
            fs::write(file, "").expect("a file");
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
        assert_eq!(found((me, group)), None, "they are the server's");
        let all = vec![files.key.clone(), files.head.clone(), store.clone()];
        assert_eq!(found(server), Some(Foreign { files: all, owner: me, server }));
        // A key that a group reads may be meant for the server; a store that a group only reads is no use to it.
        for file in [&store, &files.key, &files.head] {
            fs::set_permissions(file, fs::Permissions::from_mode(0o640)).expect("a mode");
        }
        assert_eq!(found(server).map(|foreign| foreign.files), Some(vec![store.clone()]));
        fs::set_permissions(&store, fs::Permissions::from_mode(0o660)).expect("a mode");
        assert!(found(server).is_some());
        assert_eq!(found((me + 1, group)), None, "the server's group writes it");
    }

    #[test]
    fn who_owns_them_decides_what_there_is_to_do() {
        let files: Vec<PathBuf> = vec!["/var/lib/d w/d.db".into(), "/var/lib/d w/d.db.audit-key".into()];
        let of = |owner| Foreign { files: files.clone(), owner, server: (998, 997) };
        assert_eq!(
            of(0).to_string(),
            "`/var/lib/d w/d.db`, `/var/lib/d w/d.db.audit-key` belong to root, and the server's user 998 may not use them"
        );
        let command =
            "`sudo chown 998:997 '/var/lib/d w/d.db' '/var/lib/d w/d.db.audit-key'` gives them to the server";
        assert!(of(0).hint().starts_with(command), "{}", of(0).hint());
        assert_eq!(of(7).hint(), "run this as the user 7, who owns these files, or as root");
    }
}
