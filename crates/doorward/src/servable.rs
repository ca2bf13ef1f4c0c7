//! Finds before the start what would stop a server: checks the files that a policy names, one by one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use doorward_core::policy::{FileAt, Mistake, Policy, Reading, Role, Spot, Tls};

use crate::store::{self, AuditFiles, Foreign};
use crate::web::{Error, usable_certificate};

/// What is wrong with the files that a policy names, as far as whoever asks may read them. `file` is what the policy is
/// called in mistakes.
pub fn mistakes(policy: &Path, reading: &Reading, file: &str) -> Vec<Mistake> {
    let of = |role: Role| reading.files.iter().find(|at| at.role == role);
    // Where both are named, whoever reads the people looks at them.
    let people =
        [Role::Passwords, Role::Groups].into_iter().filter_map(of).filter(|_| reading.people.is_none());
    let people = people.filter_map(|at| unreadable(at, &beside(policy, &at.path), file));
    let pair = of(Role::Certificate).zip(of(Role::Key));
    let tls = pair.and_then(|(certificate, key)| tls(policy, certificate, key, file));
    let store = of(Role::Store).and_then(|at| store_of(policy, at, file));
    people.chain(tls).chain(store).collect()
}

/// Files of the store that belong to another user than the server's, if there are any.
pub fn foreign(path: &Path, policy: &Policy, reading: &Reading, file: &str) -> Option<Mistake> {
    let store = (!policy.server.store.contains("://")).then(|| Path::new(&policy.server.store));
    let foreign = Foreign::in_folder(store, &AuditFiles::of(policy, path))?;
    let at = reading.files.iter().find(|at| at.role == Role::Store).map_or(Spot::START, |at| at.at);
    Some(Mistake::warning(file, at, foreign.to_string(), Some(foreign.hint())))
}

fn beside(policy: &Path, written: &str) -> PathBuf {
    policy.parent().unwrap_or(Path::new("")).join(written)
}

fn unreadable(at: &FileAt, path: &Path, file: &str) -> Option<Mistake> {
    let error = std::fs::File::open(path).err()?;
    let hint = match at.role {
        Role::Passwords => "`doorward user add NAME` creates it",
        _ => "`doorward group add --new GROUP NAME` creates it",
    };
    let hint = (error.kind() == ErrorKind::NotFound).then(|| hint.to_owned());
    Some(Mistake::error(file, at.at, format!("cannot read `{}`: {error}", path.display()), hint))
}

fn tls(policy: &Path, certificate: &FileAt, key: &FileAt, file: &str) -> Option<Mistake> {
    let path = |at: &FileAt| beside(policy, &at.path).to_string_lossy().into_owned();
    let files = Tls { certificate: path(certificate), key: path(key) };
    let error = usable_certificate(&files).err()?;
    // Of the two, the one that it is about.
    let of = |named: &str| if named == files.certificate { certificate.at } else { key.at };
    let hint =
        Some("`tls` takes PEM files: the chain, the server's own certificate first, and its key".to_owned());
    Some(match &error {
        Error::Unreadable { file: named, source } if source.kind() == ErrorKind::PermissionDenied => {
            let what = format!("the current user cannot read `{named}`, so it was not checked");
            Mistake::warning(file, of(named), what, Some("run this as the server's user, or as root".into()))
        }
        Error::Unreadable { file: named, source } => {
            Mistake::error(file, of(named), format!("cannot read `{named}`: {source}"), hint)
        }
        Error::NotPem { file: named, .. } => Mistake::error(file, of(named), error.to_string(), hint),
        _ => Mistake::error(file, certificate.at, error.to_string(), hint),
    })
}

fn store_of(policy: &Path, at: &FileAt, file: &str) -> Option<Mistake> {
    if at.path.contains("://") {
        return None;
    }
    let path = beside(policy, &at.path);
    let why = store::obstacle(&path)?;
    let what = format!("`{}` cannot be the store: {why}", path.display());
    // systemd makes a StateDirectory at the start of its service.
    let hint = "the folder has to exist and be writable by the server, and the server has to own the file: `store = \"/var/lib/doorward/doorward.db\"`";
    Some(Mistake::warning(file, at.at, what, Some(hint.to_owned())))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use doorward_core::policy::read;

    use super::*;

    fn check(folder: &Path, text: &str) -> Vec<String> {
        let policy = folder.join("doorward.toml");
        let found = mistakes(&policy, &read(text, "p"), "p");
        let folder = format!("{}/", folder.display());
        found.iter().map(|mistake| mistake.to_string().replace(&folder, "")).collect()
    }

    fn first(folder: &Path, text: &str) -> String {
        let found = check(folder, text);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn what_a_server_would_stumble_over_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let pair = |name: &str| {
            let pair = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
            fs::write(folder.join(format!("{name}.pem")), pair.cert.pem()).expect("a file");
            fs::write(folder.join(format!("{name}.key")), pair.signing_key.serialize_pem()).expect("a file");
        };
        pair("one");
        pair("two");
        fs::write(folder.join("notes.txt"), "no database").expect("a file");
        let tls = |certificate: &str, key: &str| {
            format!("[server]\ntls = {{ certificate = \"{certificate}\", key = \"{key}\" }}\n")
        };
        let store = |store: &str| format!("[server]\nstore = \"{store}\"\n");
        assert!(
            first(folder, &tls("absent.pem", "one.key")).starts_with("p:2:23: cannot read `absent.pem`: ")
        );
        assert!(
            first(folder, &tls("one.pem", "absent.key")).starts_with("p:2:40: cannot read `absent.key`: ")
        );
        let swapped = first(folder, &tls("one.key", "one.key"));
        assert_eq!(swapped, "p:2:23: `one.key` has no certificate in PEM form");
        let strangers = first(folder, &tls("one.pem", "two.key"));
        assert_eq!(strangers, "p:2:23: the certificate in `one.pem` and the key in `two.key` do not match");
        assert!(check(folder, &tls("one.pem", "one.key")).is_empty());

        let cannot = |store: &str, why: &str| format!("p:2:9: warning: `{store}` cannot be the store: {why}");
        let absent = "absent/doorward.db";
        assert_eq!(first(folder, &store(absent)), cannot(absent, "its folder does not exist"));
        assert_eq!(first(folder, &store("notes.txt")), cannot("notes.txt", "it is not an SQLite database"));
        for good in ["doorward.db", "postgres://db/doorward"] {
            assert!(check(folder, &store(good)).is_empty(), "{good}");
        }
        assert!(!folder.join("doorward.db").exists(), "nothing is made by looking");

        // Where the group file is not named, the password file is looked at all the same.
        let people = "[people]\npasswords = \"nope\"\n";
        assert!(
            first(folder, people).starts_with("p:2:13: cannot read `nope`: "),
            "{:?}",
            check(folder, people)
        );
    }
}
