//! `doorward user`: who there is, and their passwords, in Apache's password file.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use doorward_core::policy::people::groups::{self, ThereIs};
use doorward_core::policy::people::{passwords, shell_word};
use doorward_core::policy::{Group, Person};
use doorward_core::text;
use serde::Serialize;

use super::{Code, Failure, POLICY, json, note, print, terminal};
use crate::bounded_file::read;
use crate::people::PEOPLE_AT_MOST;
use crate::people::edit::{self, ExpectedPerson, FileError};
use crate::people::password::{PasswordError, hash_new};
use crate::people::rules::Rules;
use crate::policy_file::{LoadError, PeoplePaths, people_paths, usual_people_paths};

/// Add and remove people, and set their passwords
///
/// Only the line of that person changes in the password file. Comments, order, mode and owner are kept.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  doorward user add maria --group dbs
  doorward user list")]
pub struct User {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add a person
    ///
    /// You type the password twice without echo, or pass it on the first line of standard input. It is never an
    /// argument, because every user of the machine could read it.
    #[command(after_help = "\
Examples:
  doorward user add maria
  doorward user add maria --group dbs --group leads
  pass show maria | doorward user add maria --stdin
  pass show maria | doorward user add maria --stdin --json | jq .groups")]
    Add {
        /// The person's name
        name: Person,
        /// A group to add them to; can be repeated
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<Group>,
        /// Read the password from the first line of standard input
        #[arg(long)]
        stdin: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a person, also from all groups
    ///
    /// Their sessions end and their open grants are revoked when the server next reloads the files.
    #[command(after_help = "\
Examples:
  doorward user remove maria")]
    Remove {
        /// The person's name
        name: Person,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a person's password
    ///
    /// Their sessions end and their open grants are revoked, because someone else may have known the old password.
    /// People who change their own password with `doorward password` keep their grants.
    #[command(
        alias = "password",
        after_help = "\
Examples:
  doorward user passwd maria
  pass show maria | doorward user passwd maria --stdin"
    )]
    Passwd {
        /// The person's name
        name: Person,
        /// Read the password from the first line of standard input
        #[arg(long)]
        stdin: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Lock a person out, but keep their password
    ///
    /// A `!` is put in front of the hash, so that no password matches, also in Apache. Their sessions end and their
    /// open grants are revoked when the server next reloads the file.
    #[command(after_help = "\
Examples:
  doorward user lock maria")]
    Lock {
        /// The person's name
        name: Person,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Unlock a person, who can then sign in with their old password
    #[command(after_help = "\
Examples:
  doorward user unlock maria")]
    Unlock {
        /// The person's name
        name: Person,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the people, how their passwords are hashed, and their groups
    #[command(after_help = "\
Examples:
  doorward user list
  doorward user list --json | jq -r '.[] | select(.hash == \"des-crypt\") | .name'")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl User {
    /// Edits the file, or lists it.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        let files = people_files(policy, matches!(self.verb, Verb::Add { .. } | Verb::List { .. }))?;
        match self.verb {
            Verb::Add { name, groups, stdin, json } => add(&files, &name, &groups, stdin, json)?,
            Verb::Remove { name, json } => remove(&files, &name, json)?,
            Verb::Passwd { name, stdin, json } => passwd(&files, &name, stdin, json)?,
            Verb::Lock { name, json } => lock(&files, &name, true, json)?,
            Verb::Unlock { name, json } => lock(&files, &name, false, json)?,
            Verb::List { json } => list(&files, json)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The people's files of a policy. Who begins has no policy yet: then those beside where it will be, where they are there,
/// or `begins` says that they need not be. A policy that somebody named has to be there.
pub(super) fn people_files(policy: &Path, begins: bool) -> Result<PeoplePaths, Failure> {
    match people_paths(policy) {
        Err(LoadError::Unreadable { path, source })
            if source.kind() == ErrorKind::NotFound && policy == Path::new(POLICY) =>
        {
            let files = usual_people_paths(policy);
            if !begins && !files.passwords.exists() && !files.groups.exists() {
                return Err(LoadError::Unreadable { path, source }.into());
            }
            note(&format!(
                "note: `{POLICY}` does not exist yet; the password and group files are created in the same folder"
            ));
            Ok(files)
        }
        files => Ok(files?),
    }
}

/// A new name must have no invisible characters: else two names that appear equal are two people, or two groups.
pub(super) fn refuse_hidden(name: &str) -> Result<(), Failure> {
    if !name.contains(text::is_hidden) {
        return Ok(());
    }
    let what = format!("`{}` has invisible characters", text::shown(name));
    Err(Failure::new(Code::Data, what).hint("type the name rather than paste it"))
}

/// Somebody whose lines were changed, as `--json` prints them.
#[derive(Serialize)]
struct Changed<'r> {
    name: &'r Person,
    /// The password file.
    passwords: String,
    /// What became of the person: `added`, `removed`, `password-set`, `locked` or `unlocked`; `unchanged` where that was so
    /// before.
    done: &'static str,
    /// Of somebody who was added, the groups that they are in; of somebody who was removed, those that they were in.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Group>>,
}

/// Says what was done, in words or as JSON.
fn tell(
    files: &PeoplePaths,
    name: &Person,
    words: &str,
    done: &'static str,
    as_json: bool,
) -> Result<(), Failure> {
    if !as_json {
        return print(words);
    }
    let passwords = files.passwords.display().to_string();
    print(&json(&Changed { name, passwords, done, groups: None })?)
}

fn add(
    files: &PeoplePaths,
    name: &Person,
    wanted: &[Group],
    stdin: bool,
    as_json: bool,
) -> Result<(), Failure> {
    // All that can be refused is refused before a password is asked for, and before a file is touched.
    refuse_hidden(name.as_str())?;
    if files.passwords.exists() {
        let read = read_passwords(files)?;
        if read.named.contains_key(name) {
            return Err(FileError::There { person: name.clone(), path: files.passwords.clone() }.into());
        }
    }
    let mut member_of: Vec<Group> = Vec::new();
    // Where there is no file of groups, they are made with their first member.
    let made_groups = !files.groups.exists();
    if made_groups {
        wanted.iter().try_for_each(|group| refuse_hidden(group.as_str()))?;
    } else {
        let named = Named::of(files);
        let read = read_groups(files, &|word| named.has(word) || word == name.as_str())?;
        if let Some(missing) = wanted.iter().find(|group| !read.members.contains_key(*group)) {
            let error = edit::no_group(&files.groups, missing, read.members.keys());
            let failure = match &error {
                FileError::NoGroup { meant: None, .. } => {
                    let (name, group) = (shell_word(name.as_str()), shell_word(missing.as_str()));
                    Failure::of(Code::Data, &error).hint(format!(
                        "`doorward user add {name}`, and then `doorward group add --new {group} {name}`"
                    ))
                }
                _ => error.into(),
            };
            return Err(failure);
        }
        let of = read.members.iter().filter(|(_, members)| members.contains(name));
        member_of.extend(of.map(|(group, _)| group.clone()));
    }
    let rules = Rules { person: name, least: files.least_length };
    let hash = hash_new(&new_password(name, stdin, &rules)?, &rules)?;
    let made = edit::set_password(&files.passwords, name, &hash, ExpectedPerson::New)?;
    let file = files.passwords.display();
    // With `--json` there is one object, once all is done.
    let say = |words: String| if as_json { Ok(()) } else { print(&words) };
    say(if made {
        format!("created {file} with `{name}`\n")
    } else {
        format!("added `{name}` to {file}\n")
    })?;
    for group in &member_of {
        note(&format!("note: the group `{group}` already had the name `{name}`, who is now a member"));
    }
    let mut created: Vec<&Group> = Vec::new();
    let named = Named::of(files);
    for group in wanted {
        if created.contains(&group) {
            continue;
        }
        let joined = edit::join(&files.groups, group, std::slice::from_ref(name), made_groups, &|word| {
            named.has(word)
        })?;
        if made_groups {
            let file = files.groups.display();
            let what = if created.is_empty() { format!("created {file} with") } else { "created".into() };
            say(format!("{what} the group `{group}` and `{name}`\n"))?;
        } else if !joined.is_empty() {
            say(format!("added `{name}` to the group `{group}`\n"))?;
        }
        created.push(group);
    }
    if !as_json {
        return Ok(());
    }
    let mut groups: Vec<Group> = member_of.iter().chain(created).cloned().collect();
    groups.sort();
    groups.dedup();
    let passwords = file.to_string();
    print(&json(&Changed { name, passwords, done: "added", groups: Some(groups) })?)
}

fn remove(files: &PeoplePaths, name: &Person, as_json: bool) -> Result<(), Failure> {
    let named = Named::of(files);
    let leave_all = || match files.groups.exists() {
        true => edit::leave_all(&files.groups, name, &|word| named.has(word)),
        false => Ok(Vec::new()),
    };
    // A word with a comma names two others as soon as nobody has all of it as a name: it must be gone by then.
    let left_before = if name.as_str().contains(',') { Some(leave_all()?) } else { None };
    // Else the password file comes first: without a line in it nobody is let in, whatever the groups say.
    let was = edit::remove_person(&files.passwords, name)?;
    if was && !as_json {
        print(&format!("removed `{name}` from {}\n", files.passwords.display()))?;
    }
    let left = match left_before {
        Some(left) => left,
        None => leave_all()?,
    };
    for group in left.iter().filter(|_| !as_json) {
        print(&format!("removed `{name}` from the group `{group}`\n"))?;
    }
    if !was && left.is_empty() {
        let read = read_passwords(files)?;
        return Err(edit::no_person(&files.passwords, name, read.named.keys()).into());
    }
    if as_json {
        let passwords = files.passwords.display().to_string();
        print(&json(&Changed { name, passwords, done: "removed", groups: Some(left.clone()) })?)?;
    }
    super::group::note_empty_groups(files, &left)
}

fn passwd(files: &PeoplePaths, name: &Person, stdin: bool, as_json: bool) -> Result<(), Failure> {
    let read = read_passwords(files)?;
    if !read.named.contains_key(name) {
        return Err(edit::no_person(&files.passwords, name, read.named.keys()).into());
    }
    let rules = Rules { person: name, least: files.least_length };
    let hash = hash_new(&new_password(name, stdin, &rules)?, &rules)?;
    edit::set_password(&files.passwords, name, &hash, ExpectedPerson::Known)?;
    let words = format!("set a new password for `{name}` in {}\n", files.passwords.display());
    tell(files, name, &words, "password-set", as_json)
}

fn lock(files: &PeoplePaths, name: &Person, locked: bool, as_json: bool) -> Result<(), Failure> {
    let changed = edit::set_locked(&files.passwords, name, locked)?;
    let file = files.passwords.display();
    let (words, done) = match (locked, changed) {
        (true, true) => (format!("locked `{name}` in {file}\n"), "locked"),
        (true, false) => (format!("`{name}` was locked already\n"), "unchanged"),
        (false, true) => (format!("unlocked `{name}` in {file}\n"), "unlocked"),
        (false, false) => (format!("`{name}` was not locked\n"), "unchanged"),
    };
    tell(files, name, &words, done, as_json)?;
    if changed {
        // Somebody tries it at once, and is refused once more.
        note("note: a running server reloads the file within two seconds");
    }
    Ok(())
}

#[derive(Serialize)]
struct Row<'r> {
    name: &'r Person,
    hash: String,
    groups: Vec<&'r Group>,
}

fn list(files: &PeoplePaths, as_json: bool) -> Result<(), Failure> {
    // Where nobody was added yet there is no file.
    let passwords = match files.passwords.exists() {
        true => read_passwords(files)?,
        false => passwords::Passwords::default(),
    };
    // Who has added people and no group yet has no file of groups.
    let named = Named::of(files);
    let groups = if files.groups.exists() {
        read_groups(files, &|word| named.has(word))?
    } else {
        groups::Groups::default()
    };
    let rows: Vec<Row<'_>> = passwords
        .named
        .keys()
        .map(|name| Row {
            name,
            // No password fits what is no hash.
            hash: passwords
                .hashes
                .get(name)
                .map_or_else(|| "locked".to_owned(), |hash| hash.kind().to_string()),
            groups: groups
                .members
                .iter()
                .filter(|(_, of)| of.contains(name))
                .map(|(group, _)| group)
                .collect(),
        })
        .collect();
    if as_json {
        return print(&json(&rows)?);
    }
    if rows.is_empty() {
        note(&format!("{} has no people", files.passwords.display()));
        note("hint: add a person with `doorward user add NAME`");
    }
    let width = rows.iter().map(|row| row.name.as_str().chars().count()).max().unwrap_or(0);
    let lines = rows.iter().map(|row| {
        let groups: Vec<&str> = row.groups.iter().map(|group| group.as_str()).collect();
        let line = format!("{:width$}  {:13}  {}", row.name.as_str(), row.hash, groups.join(", "));
        line.trim_end().to_owned() + "\n"
    });
    print(&lines.collect::<String>())
}

/// The password file, refused when it has errors.
pub(super) fn read_passwords(files: &PeoplePaths) -> Result<passwords::Passwords, Failure> {
    let path = &files.passwords;
    let bytes =
        read(path, PEOPLE_AT_MOST).map_err(|source| FileError::Unreadable { path: path.clone(), source })?;
    let read = passwords::read(&bytes, &path.display().to_string());
    if read.mistakes.iter().any(doorward_core::policy::Mistake::is_error) {
        return Err(FileError::Mistakes { path: path.clone(), mistakes: read.mistakes }.into());
    }
    Ok(read)
}

/// Who has a line in the password file, whatever else is wrong with it: what a word with a comma in the group file means
/// depends on them.
pub(super) struct Named(BTreeMap<Person, usize>);

impl Named {
    pub(super) fn of(files: &PeoplePaths) -> Self {
        let bytes = read(&files.passwords, PEOPLE_AT_MOST).unwrap_or_default();
        Self(passwords::read(&bytes, "").named)
    }

    /// Whether there is somebody of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        name.parse().is_ok_and(|name: Person| self.0.contains_key(&name))
    }
}

/// The group file, refused when it has errors.
pub(super) fn read_groups(files: &PeoplePaths, there_is: &ThereIs<'_>) -> Result<groups::Groups, Failure> {
    let path = &files.groups;
    let bytes =
        read(path, PEOPLE_AT_MOST).map_err(|source| FileError::Unreadable { path: path.clone(), source })?;
    let read = groups::read_beside(&bytes, &path.display().to_string(), there_is);
    if read.mistakes.iter().any(doorward_core::policy::Mistake::is_error) {
        return Err(FileError::Mistakes { path: path.clone(), mistakes: read.mistakes }.into());
    }
    Ok(read)
}

/// A password from the terminal, typed twice and unseen, or from the first line of the standard input.
fn new_password(name: &Person, stdin: bool, rules: &Rules<'_>) -> Result<String, Failure> {
    if stdin {
        return terminal::first_line();
    }
    let password = terminal::password(&format!("New password for {name}: "))?;
    // What is refused is not typed a second time.
    rules.check(&password).map_err(PasswordError::Weak)?;
    if terminal::password("New password again: ")? != password {
        return Err(Failure::new(Code::Data, "the two passwords differ, so nothing was changed"));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use doorward_core::policy::people;

    use super::*;

    const HASH: &str = "abl0JrMf6tlhw";

    fn person(name: &str) -> Person {
        name.parse().expect("a person")
    }

    /// Who is in the group `dbs` when the two files are read together.
    fn members(files: &PeoplePaths) -> Vec<String> {
        let bytes = |path| std::fs::read(path).expect("a file");
        let read = people::read(&bytes(&files.passwords), "p", &bytes(&files.groups), "g").0;
        let dbs = "dbs".parse().expect("a group");
        let members = read.groups.get(&dbs).expect("the group").iter();
        members.filter(|member| read.passwords.contains_key(*member)).map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_with_a_comma_that_goes_makes_nobody_else_a_member() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let files = PeoplePaths { passwords: at("p"), groups: at("g"), least_length: 8 };
        let people = ["a,b", "a", "b", "jon"].map(|name| format!("{name}:{HASH}\n"));
        std::fs::write(&files.passwords, people.concat()).expect("written");
        std::fs::write(&files.groups, "dbs: a,b jon\nops: jon,a\n").expect("written");
        assert_eq!(members(&files), ["a,b", "jon"]);
        // `a` is in the other group alone.
        remove(&files, &person("a"), false).expect("removed");
        assert_eq!(members(&files), ["a,b", "jon"]);
        assert_eq!(std::fs::read_to_string(&files.groups).expect("read"), "dbs: a,b jon\nops: jon\n");
        std::fs::write(&files.passwords, people.concat()).expect("written");
        remove(&files, &person("a,b"), false).expect("removed");
        assert_eq!(members(&files), ["jon"]);
        // Where the group file cannot be edited, the name stays, and so does what the word with the comma means.
        std::fs::write(&files.passwords, people.concat()).expect("written");
        std::fs::remove_file(&files.groups).expect("removed");
        std::fs::create_dir(&files.groups).expect("a folder");
        assert!(remove(&files, &person("a,b"), false).is_err());
        assert!(Named::of(&files).has("a,b"));
        assert!(remove(&files, &person("jon"), false).is_err() && !Named::of(&files).has("jon"));
    }
}
