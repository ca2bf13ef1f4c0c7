//! Who there is: Apache's password file and group file, read unchanged.
//!
//! Both are read whole or not at all: [`People`] exists only when every line of both files was understood.

use std::collections::{BTreeMap, BTreeSet};

use super::name::{Group, Person};

/// The people of a policy and the groups that they are in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    /// Each person's password line, as it stands behind the colon.
    pub passwords: BTreeMap<Person, String>,
    /// Each group's members; a group that nobody is in is there and empty.
    pub groups: BTreeMap<Group, BTreeSet<Person>>,
}

impl People {
    /// Whether there is such a person at all.
    pub fn knows(&self, person: &Person) -> bool {
        self.passwords.contains_key(person)
    }

    /// Whether the person is in one of the groups. No groups: nobody is.
    pub fn in_any<'a>(&self, person: &Person, groups: impl IntoIterator<Item = &'a Group>) -> bool {
        self.knows(person)
            && groups
                .into_iter()
                .any(|group| self.groups.get(group).is_some_and(|members| members.contains(person)))
    }
}
