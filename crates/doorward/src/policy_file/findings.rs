//! What is said of the files beside what stands in them: who may write them, what a password costs, what is not there.

use std::fs;
use std::path::Path;
use std::time::Duration;

use doorward_core::policy::people::{self, People};
use doorward_core::policy::{FilesAt, FolderAt, HashKind, Mistake, PasswordHash, Person, Policy, Spot};

use super::{PeoplePaths, beside};
use crate::people::cost;
use crate::writers::{self, Reader};

/// A warning for each file that decides who gets access and that somebody else may write.
pub(super) fn written_by_others(
    path: &Path,
    files: &PeoplePaths,
    policy: Option<&Policy>,
    name: &str,
) -> Vec<Mistake> {
    let tls = policy.and_then(|policy| policy.server.tls.as_ref());
    let tls = tls.into_iter().flat_map(|tls| [Path::new(&tls.certificate), Path::new(&tls.key)]);
    let key = policy.and_then(|policy| policy.audit.key.as_deref()).map(Path::new);
    let ssh = policy.and_then(|policy| policy.ssh.as_ref());
    let hosts = ssh.and_then(|ssh| ssh.known_hosts.as_deref()).map(Path::new);
    let all = [path, &files.passwords, &files.groups].into_iter().chain(tls).chain(key).chain(hosts);
    let reader = Reader::of_process();
    let reader = policy.map_or(reader, |policy| reader.beside(Path::new(&policy.server.store)));
    let told = all.filter_map(|file| {
        let who = writers::others(file, reader)?;
        let what =
            format!("`{}` decides who gets access, and can be written by others: {who}", file.display());
        let hint = "it and the folders above it should be writable by root and its user alone: `chmod go-w`";
        Some(Mistake::warning(name, Spot::START, what, Some(hint.to_owned())))
    });
    told.collect()
}

/// People whose hash takes longer to compute than anybody waits. Nobody else is concerned, so the file is used.
pub(super) fn too_costly(people: &People, passwords: &[u8], file: &Path) -> Vec<Mistake> {
    let costly = |(person, hash)| Some((person, hash, cost::too_costly(hash, cost::USUAL)?));
    let costly: Vec<(&Person, &PasswordHash, Duration)> =
        people.passwords.iter().filter_map(costly).collect();
    if costly.is_empty() {
        return Vec::new();
    }
    // As a rule there are none, and where their lines are need not be known.
    let file = file.display().to_string();
    let named = people::passwords::read(passwords, &file).named;
    let told = costly.into_iter().filter_map(|(person, hash, takes)| {
        let at = Spot { line: *named.get(person)?, column: 1 };
        let (takes, most) = (cost::in_words(takes), cost::LONGEST.as_secs());
        let what = format!(
            "the password of `{person}` would take {takes} to try on this machine ({}), so it is never tried and \
             `{person}` cannot sign in; {most} seconds are the most",
            written(hash)
        );
        Some(Mistake::error(&file, at, what, Some(format!("`doorward user passwd {person}` sets a new password"))))
    });
    let mut told: Vec<Mistake> = told.collect();
    told.sort_by_key(|mistake| mistake.line);
    told
}

/// The cost as it is in the hash.
fn written(hash: &PasswordHash) -> String {
    match hash.kind() {
        HashKind::Bcrypt => format!("bcrypt, cost {}", hash.cost()),
        kind => format!("{kind}, {} rounds", hash.cost()),
    }
}

pub(super) fn missing_hint(at: Spot, files: &FilesAt) -> String {
    if at == files.passwords_at {
        "`doorward user add NAME` creates it".into()
    } else {
        "`doorward group add --new GROUP NAME` creates it".into()
    }
}

/// The page about who can reach what says that nothing can be read there; nobody gains or loses access by that.
pub(super) fn no_account(policy: &Path, named: &FolderAt, file: &str) -> Option<Mistake> {
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
        Some(format!("`doorward inventory save {folder}` creates one")),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn each_file_that_decides_and_that_others_may_write_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let text = format!(
            "[people]\npasswords = \"p\"\ngroups = \"g\"\n[server]\ntls = {{ certificate = {:?}, key = {:?} }}\n\
             [audit]\nkey = {:?}\n[ssh]\njump-host = \"jump.example.org\"\nover = \"direct\"\nknown-hosts = {:?}\n",
            at("certificate"),
            at("tls-key"),
            at("audit-key"),
            at("known-hosts")
        );
        let policy = doorward_core::policy::parse(&text, "p").expect("a policy");
        let files = PeoplePaths { passwords: at("p"), groups: at("g"), least_length: 12 };
        let path = at("doorward.toml");
        let names = ["doorward.toml", "p", "g", "certificate", "tls-key", "audit-key", "known-hosts"];
        let set = |name: &str, mode: u32| {
            std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).expect("a mode");
        };
        for name in names {
            std::fs::write(at(name), "").expect("a file");
            set(name, 0o600);
        }
        let told = || written_by_others(&path, &files, Some(&policy), "p");
        assert_eq!(told().len(), 0, "{:?}", told());
        for name in names {
            set(name, 0o666);
            let told = told();
            assert_eq!(told.len(), 1, "{name}");
            assert!(told[0].to_string().contains(&format!("{name}` decides who gets access")), "{}", told[0]);
            set(name, 0o600);
        }
    }
}
