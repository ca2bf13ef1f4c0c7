//! Reads a policy file and finds every mistake in it at once.

mod across;
mod apart;
mod carried;
mod destination;
mod environment;
mod files;
mod firewall;
mod id;
mod intent;
mod jump;
mod network;
mod prices;
mod proxies;
mod regions;
mod relayed;
mod remains;
mod role;
mod settings;
mod syntax;
mod target;
mod topology;
mod url;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use self::files::{FileAt, Role};
pub use self::remains::Remains;
use self::walk::{Section, Walk};
use super::mistake::{Lines, Mistake, Spot, did_you_mean};
use super::people::{self, People};
use super::{Firewall, Group, Person, Policy};

/// A policy, or every mistake that keeps it from being one. Warnings are not told; [`read`] tells them.
pub fn parse(text: &str, file: &str) -> Result<Policy, Vec<Mistake>> {
    let Reading { policy, mistakes, .. } = read(text, file);
    policy.ok_or(mistakes)
}

/// All that was understood of a policy file.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The policy, unless there is an error.
    pub policy: Option<Policy>,
    /// The people files, also where something else is wrong: whoever leaves must not wait for that.
    pub people: Option<FilesAt>,
    /// The firewalls that were understood, also where something else is wrong: a closing must not wait for that.
    pub firewalls: Vec<Firewall>,
    /// Errors and warnings, in the order of the file.
    pub mistakes: Vec<Mistake>,
    /// Every group that is named, and where.
    pub groups: Vec<GroupAt>,
    /// The folder of a recorded account, also where something else is wrong.
    pub inventory: Option<FolderAt>,
    /// Every file that it names, also where something else is wrong.
    pub files: Vec<FileAt>,
    /// What it names, also where something else is wrong; none where it is no TOML.
    pub remains: Option<Remains>,
}

/// The folder of a recorded account as a policy names it, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderAt {
    /// Which, as written.
    pub folder: String,
    /// Where it is named.
    pub at: Spot,
}

/// The people files as a policy names them, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesAt {
    /// The password file, as written.
    pub passwords: String,
    /// Where it is named.
    pub passwords_at: Spot,
    /// The group file, as written.
    pub groups: String,
    /// Where it is named.
    pub groups_at: Spot,
    /// The least characters of a password that is set.
    pub least_length: usize,
}

/// A group that a policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupAt {
    pub group: Group,
    pub at: Spot,
    /// What it lets its members do.
    pub lets: String,
}

/// Reads a policy file. `file` is what it is called in mistakes.
pub fn read(text: &str, file: &str) -> Reading {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut walk = Walk { file, lines: Lines::of(text), mistakes: Vec::new(), unreadable: Vec::new() };
    syntax::note(&mut walk, &errors);
    let mut groups = Vec::new();
    let (policy, people, firewalls, inventory) = document_of(&mut walk, &document, &mut groups);
    let root = Section { name: "the policy".into(), at: 0..0, table: document.get_ref() };
    let files = files::named(&walk, &root);
    let remains = if errors.is_empty() { Remains::of(document.get_ref()) } else { None };
    let mut mistakes = walk.mistakes;
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    let policy = policy.filter(|_| !mistakes.iter().any(Mistake::is_error));
    Reading { policy, people, firewalls, mistakes, groups, inventory, files, remains }
}

/// The groups that a policy names and that do not exist, or that nobody is in.
///
/// They are errors to whoever checks a policy. They do not keep a policy from being used: that would keep in
/// those who were taken out of the group just now.
pub fn check(reading: &Reading, people: &People, file: &str) -> Vec<Mistake> {
    let empty = |at: &GroupAt| {
        let group = &at.group;
        let (what, hint) = match people.groups.get(group) {
            Some(members) if members.iter().any(|member| people.knows(member)) => return None,
            Some(members) if !members.is_empty() && members.is_subset(&people.locked) => {
                // Somebody meant that, and it is no reason to let a pipeline fail.
                let what = format!(
                    "everybody in the group `{group}` is locked ({}), so nobody in it can {}",
                    names(members),
                    at.lets
                );
                let one = members.first().filter(|_| members.len() == 1);
                let who = one.map_or("PERSON".into(), |one| people::shell_word(one.as_str()));
                let hint = format!("unlock them with `doorward user unlock {who}`");
                return Some(Mistake::warning(file, at.at, what, Some(hint)));
            }
            Some(members) if !members.is_empty() => (
                format!(
                    "nobody in the group `{group}` can sign in ({}), so nobody in it can {}",
                    names(members),
                    at.lets
                ),
                "set a password with `doorward user passwd PERSON`; `doorward user list` shows who has none"
                    .into(),
            ),
            Some(_) => (
                format!("the group `{group}` has no members, so nobody in it can {}", at.lets),
                format!("add a person with `doorward group add {group} PERSON`"),
            ),
            None => {
                let known = people.groups.keys().map(Group::as_str);
                let hint =
                    did_you_mean(group.as_str(), known).map(|meant| format!("did you mean `{meant}`?"));
                let add = || format!("create it with `doorward group add --new {group} PERSON`");
                let what = format!("the group `{group}` does not exist, so nobody in it can {}", at.lets);
                (what, hint.unwrap_or_else(add))
            }
        };
        Some(Mistake::error(file, at.at, what, Some(hint)))
    };
    reading.groups.iter().filter_map(empty).collect()
}

/// A few names in words.
fn names(people: &BTreeSet<Person>) -> String {
    const TOLD: usize = 5;
    let told: Vec<&str> = people.iter().take(TOLD).map(Person::as_str).collect();
    let more = people.len().saturating_sub(TOLD);
    if more > 0 { format!("{} and {more} more", told.join(", ")) } else { told.join(", ") }
}

const SECTIONS: [&str; 17] = [
    "people",
    "aws",
    "server",
    "audit",
    "grants",
    "limits",
    "ssm",
    "ssh",
    "inventory",
    "firewall",
    "target",
    "network",
    "role",
    "environment",
    "never",
    "always",
    "prices",
];

fn document_of<'t>(
    walk: &mut Walk<'t>,
    document: &Spanned<DeTable<'t>>,
    groups: &mut Vec<GroupAt>,
) -> (Option<Policy>, Option<FilesAt>, Vec<Firewall>, Option<FolderAt>) {
    let root = Section { name: "the policy".into(), at: 0..0, table: document.get_ref() };
    unknown_sections(walk, &root);
    let (people, files) = settings::people(walk, &root, groups);
    let aws = settings::aws(walk, &root);
    let server = settings::server(walk, &root);
    let audit = settings::audit(walk, &root);
    let grants = settings::grants(walk, &root);
    let limits = settings::limits(walk, &root);
    let ssm = jump::ssm(walk, &root, &aws);
    let ssh = jump::ssh(walk, &root, &aws);
    let inventory = settings::inventory(walk, &root);
    let topology = topology::read(walk, &root, &aws);
    let intents = intent::read(walk, &root);
    let prices = prices::read(walk, &root);

    let named = tables(walk, &root, "firewall");
    let mut firewalls = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for (key, at, value) in named {
        let heading = format!("`[firewall.{key}]`");
        let section = walk.section(&heading, at.clone(), value, &firewall::keys());
        let Some(name) = name(walk, key, &at) else { continue };
        firewalls.extend(
            section.and_then(|section| firewall::read(walk, &name, &section, &aws, &grants.special_networks)),
        );
        names.insert(name);
    }
    let mut targets = Vec::new();
    for (key, at, value) in tables(walk, &root, "target") {
        let heading = format!("`[target.{key}]`");
        let section = walk.section(&heading, at.clone(), value, &target::KEYS);
        let Some(name) = name(walk, key, &at) else { continue };
        targets
            .extend(section.and_then(|section| target::read(walk, &name, &section, &grants, &names, groups)));
    }
    firewalls.sort_by_key(|at| at.name_at.start);
    targets.sort_by_key(|at| at.name_at.start);
    across::check(walk, &root, &server, &firewalls, &targets, &names);
    relayed::check(walk, &root, &server, &firewalls, &targets);
    carried::check(walk, &root, &targets);
    apart::check(walk, &root, (ssm.as_ref(), ssh.as_ref()), &firewalls, &targets);

    let firewalls: Vec<Firewall> = firewalls.into_iter().map(|at| at.firewall).collect();
    let policy = people.map(|people| Policy {
        people,
        server,
        audit,
        grants,
        limits,
        aws,
        ssm,
        ssh,
        topology,
        prices,
        intents,
        inventory: inventory.as_ref().map(|at| at.folder.clone()),
        firewalls: firewalls.iter().map(|firewall| (firewall.name.clone(), firewall.clone())).collect(),
        targets: targets
            .into_iter()
            .map(|at| (at.target.name.clone(), at.target))
            .collect::<BTreeMap<_, _>>(),
    });
    (policy, files, firewalls, inventory)
}

fn unknown_sections<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>) {
    for (key, value) in root.table {
        let given: &str = key.get_ref();
        if SECTIONS.contains(&given) {
            continue;
        }
        let table = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
        let what = if table {
            format!("a policy has no `[{given}]`")
        } else {
            format!("`{given}` is not in a table")
        };
        let hint = match did_you_mean(given, SECTIONS) {
            Some(meant @ ("firewall" | "target" | "network" | "role" | "environment")) => {
                format!("did you mean `[{meant}.NAME]`?")
            }
            Some(meant @ ("never" | "always")) => format!("did you mean `[[{meant}]]`?"),
            Some(meant) => format!("did you mean `[{meant}]`?"),
            None if table => format!("there are {}", walk::and(&SECTIONS)),
            None => "move it below its `[table]`".to_owned(),
        };
        walk.error(&key.span(), what, Some(hint));
    }
}

/// The tables below `[firewall.…]`, `[target.…]` and the like.
fn tables<'t, 'v>(
    walk: &mut Walk<'t>,
    root: &Section<'t, 'v>,
    kind: &str,
) -> Vec<(&'v str, walk::Span, &'v Spanned<DeValue<'t>>)> {
    let Some(value) = root.get(kind) else { return Vec::new() };
    let hint = || Some(format!("each {kind} has its own table with its name: `[{kind}.NAME]`"));
    let DeValue::Table(table) = value.get_ref() else {
        walk.error(&root.key_at(kind), format!("`{kind}` has no names below it"), hint());
        return Vec::new();
    };
    let mut tables = Vec::new();
    for (key, value) in table {
        if matches!(value.get_ref(), DeValue::Table(_)) {
            tables.push((&**key.get_ref(), key.span(), value));
        } else {
            let what = format!("`{}` is in `[{kind}]`, which has no keys of its own", key.get_ref());
            walk.error(&key.span(), what, hint());
        }
    }
    tables
}

fn name<T: std::str::FromStr<Err: std::fmt::Display>>(
    walk: &mut Walk<'_>,
    key: &str,
    at: &walk::Span,
) -> Option<T> {
    key.parse().map_err(|error: T::Err| walk.error(at, error.to_string(), None)).ok()
}
