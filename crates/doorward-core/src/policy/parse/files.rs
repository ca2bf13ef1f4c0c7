//! The files that a policy names, also where something else in it is wrong: each is looked at by itself.

use toml::de::DeValue;

use super::walk::{Section, Walk};
use crate::policy::mistake::Spot;

/// What a file is to the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Apache's password file.
    Passwords,
    /// Apache's group file.
    Groups,
    /// The certificate of the server.
    Certificate,
    /// The certificate's key.
    Key,
    /// Where grants and the audit log are kept, unless that is another server.
    Store,
}

/// A file as a policy names it, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAt {
    /// What it is for.
    pub role: Role,
    /// Which, as written.
    pub path: String,
    /// Where it is named.
    pub at: Spot,
}

/// Every file that is named as a text; what is wrong with the others is said where their section is read.
pub(super) fn named<'t>(walk: &Walk<'t>, root: &Section<'t, '_>) -> Vec<FileAt> {
    let places: [(&[&str], Role); 5] = [
        (&["people", "passwords"], Role::Passwords),
        (&["people", "groups"], Role::Groups),
        (&["server", "tls", "certificate"], Role::Certificate),
        (&["server", "tls", "key"], Role::Key),
        (&["server", "store"], Role::Store),
    ];
    let mut files = Vec::new();
    for (keys, role) in places {
        let Some((first, rest)) = keys.split_first() else { continue };
        let found = rest.iter().try_fold(root.get(first), |value, key| match value?.get_ref() {
            DeValue::Table(table) => Some(table.get(*key)),
            _ => None,
        });
        let Some(Some(value)) = found else { continue };
        if let DeValue::String(path) = value.get_ref() {
            files.push(FileAt { role, path: path.to_string(), at: walk.spot(&value.span()) });
        }
    }
    files
}
