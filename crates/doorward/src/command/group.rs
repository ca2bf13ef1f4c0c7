//! `doorward group`: who is in which group, in Apache's group file.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use doorward_core::policy::people::{groups, shell_word};
use doorward_core::policy::{Group, Person};
use serde::Serialize;

use super::user::{Named, people_files, read_groups, read_passwords, refuse_hidden};
use super::{Code, Failure, json, note, print};
use crate::people::edit::{self, FileError};
use crate::policy_file::PeoplePaths;

/// Add people to groups, and remove them
///
/// Only the line of that group changes in the group file. Comments, order, commas, mode and owner are kept.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  doorward group add dbs maria
  doorward group list")]
pub struct GroupCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add people to a group
    #[command(after_help = "\
Examples:
  doorward group add dbs maria
  doorward group add dbs maria jon
  doorward group add --new leads richard     create the group")]
    Add {
        /// The group
        group: Group,
        /// The people to add
        #[arg(required = true, value_name = "PERSON")]
        people: Vec<Person>,
        /// Create the group, which must not exist yet
        #[arg(long)]
        new: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove people from a group
    ///
    /// Their grants that depend on the group are revoked when the server next reloads the files.
    #[command(after_help = "\
Examples:
  doorward group remove dbs maria")]
    Remove {
        /// The group
        group: Group,
        /// The people to remove
        #[arg(required = true, value_name = "PERSON")]
        people: Vec<Person>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the groups and their members
    #[command(after_help = "\
Examples:
  doorward group list
  doorward group list --json | jq -r '.[] | select(.members == []) | .name'")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl GroupCommand {
    /// Edits the file, or lists it.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        let files = people_files(policy, matches!(self.verb, Verb::List { .. }))?;
        match self.verb {
            Verb::Add { group, people, new, json } => add(&files, &group, &people, new, json)?,
            Verb::Remove { group, people, json } => remove(&files, &group, &people, json)?,
            Verb::List { json } => list(&files, json)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What became of a group, as `--json` prints it.
#[derive(Serialize)]
struct Changed<'r> {
    group: &'r Group,
    /// The group file.
    groups: String,
    /// Whether the group was made.
    made: bool,
    /// Who was put into it.
    added: Vec<&'r Person>,
    /// Who was taken out of it.
    removed: Vec<&'r Person>,
}

fn add(
    files: &PeoplePaths,
    group: &Group,
    people: &[Person],
    new: bool,
    as_json: bool,
) -> Result<(), Failure> {
    let known = read_passwords(files)?.named;
    if let Some(stranger) = people.iter().find(|person| !known.contains_key(*person)) {
        let error = edit::no_person(&files.passwords, stranger, known.keys());
        return Err(match &error {
            FileError::NoPerson { meant: None, .. } => Failure::of(Code::Data, &error)
                .hint(format!("`doorward user add {}` adds them", shell_word(stranger.as_str()))),
            _ => error.into(),
        });
    }
    if new {
        refuse_hidden(group.as_str())?;
    }
    let named = Named::of(files);
    let joined = edit::join(&files.groups, group, people, new, &|word| named.has(word))?;
    if as_json {
        let groups = files.groups.display().to_string();
        let (made, added) = (new, joined.iter().collect());
        return print(&json(&Changed { group, groups, made, added, removed: Vec::new() })?);
    }
    if new {
        print(&format!("created the group `{group}` in {}\n", files.groups.display()))?;
    }
    let mut listed = std::collections::BTreeSet::new();
    for person in people.iter().filter(|person| listed.insert(*person)) {
        print(&if joined.contains(person) {
            format!("added `{person}` to the group `{group}`\n")
        } else {
            format!("`{person}` is in the group `{group}` already\n")
        })?;
    }
    Ok(())
}

fn remove(files: &PeoplePaths, group: &Group, people: &[Person], as_json: bool) -> Result<(), Failure> {
    let named = Named::of(files);
    let left = edit::leave(&files.groups, group, people, &|word| named.has(word))?;
    if as_json {
        let groups = files.groups.display().to_string();
        let (added, removed) = (Vec::new(), left.iter().collect());
        print(&json(&Changed { group, groups, made: false, added, removed })?)?;
    }
    let mut listed = std::collections::BTreeSet::new();
    for person in people.iter().filter(|person| listed.insert(*person) && !as_json) {
        print(&if left.contains(person) {
            format!("removed `{person}` from the group `{group}`\n")
        } else {
            format!("`{person}` is not in the group `{group}`\n")
        })?;
    }
    if left.is_empty() { Ok(()) } else { note_empty_groups(files, std::slice::from_ref(group)) }
}

/// Says which of the groups nobody is in any more.
pub(super) fn note_empty_groups(files: &PeoplePaths, groups: &[Group]) -> Result<(), Failure> {
    if groups.is_empty() {
        return Ok(());
    }
    // What is wrong elsewhere in the file is nothing to a removal.
    let named = Named::of(files);
    let Ok(read) = read_groups(files, &|word| named.has(word)) else { return Ok(()) };
    for group in groups {
        if read.members.get(group).is_some_and(std::collections::BTreeSet::is_empty) {
            note(&format!("note: the group `{group}` has no members any more"));
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Row<'r> {
    name: &'r Group,
    members: Vec<&'r Person>,
}

fn list(files: &PeoplePaths, as_json: bool) -> Result<(), Failure> {
    // Where no group was made yet there is no file.
    let named = Named::of(files);
    let groups = if files.groups.exists() {
        read_groups(files, &|word| named.has(word))?
    } else {
        groups::Groups::default()
    };
    let rows: Vec<Row<'_>> = groups
        .members
        .iter()
        .map(|(name, members)| Row { name, members: members.iter().collect() })
        .collect();
    if as_json {
        return print(&json(&rows)?);
    }
    if rows.is_empty() {
        note(&format!("there is no group in {}", files.groups.display()));
        note("hint: `doorward group add --new GROUP PERSON` creates one");
    }
    let width = rows.iter().map(|row| row.name.as_str().chars().count()).max().unwrap_or(0);
    let lines = rows.iter().map(|row| {
        let members: Vec<&str> = row.members.iter().map(|person| person.as_str()).collect();
        let members = if members.is_empty() { "(nobody)".to_owned() } else { members.join(", ") };
        format!("{:width$}  {members}\n", row.name.as_str())
    });
    print(&lines.collect::<String>())
}
