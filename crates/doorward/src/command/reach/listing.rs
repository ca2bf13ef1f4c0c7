//! Who can reach what: receiver by receiver, as it is found.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;

use doorward_core::inventory::{Gap, Inventory, NamedResource};
use doorward_core::reach::{AllowedPath, End, Flows, PathQuery, Reachability, Role, RoleId};

use super::json;
use crate::answer_text::{end, fold, folded};
use crate::command::account::Remarks;
use crate::command::{Code, Failure, count, note, printer};

/// How many senders, prefixes or groups are listed in a line before the rest is counted.
const NAMES: usize = 8;

/// What roles are called.
pub(super) struct Names<'a> {
    roles: BTreeMap<RoleId, &'a Role>,
    /// How many roles share a name.
    shared: BTreeMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    pub(super) fn of(roles: &'a [Role]) -> Self {
        let mut shared = BTreeMap::new();
        for role in roles {
            *shared.entry(role.name.as_str()).or_default() += 1;
        }
        Self { roles: roles.iter().map(|role| (role.id, role)).collect(), shared }
    }

    pub(super) fn role(&self, id: RoleId) -> Option<&'a Role> {
        self.roles.get(&id).copied()
    }

    /// The name alone, which several roles may share.
    pub(super) fn name(&self, id: RoleId) -> &'a str {
        self.role(id).map_or("", |role| role.name.as_str())
    }

    /// The name, and the number where several share it.
    fn unique(&self, id: RoleId) -> String {
        let name = self.name(id);
        match self.shared.get(name) {
            Some(1) => name.to_owned(),
            _ => format!("{name} #{}", id.0).trim_start().to_owned(),
        }
    }

    /// Whether the addresses that are listed say all: a single flow, to or from a single interface.
    fn one_flow_of_one(&self, path: &AllowedPath) -> bool {
        let one = |end: &End| match end {
            End::Role(id) => self.role(*id).is_some_and(|role| role.members.len() == 1),
            End::Internet | End::Remote(_) => true,
        };
        !path.addresses.is_empty() && path.flows.list().len() == 1 && one(&path.from) && one(&path.to)
    }

    fn end(&self, end: &End) -> String {
        match end {
            End::Internet => "the internet".into(),
            End::Remote(id) => format!("behind {id}"),
            End::Role(id) => self.unique(*id),
        }
    }
}

/// The lines of the printer, until the reader closes the pipe.
struct Lines {
    out: printer::Lines,
    failed: Option<io::Error>,
    written: usize,
}

impl Lines {
    fn new() -> Self {
        Self { out: printer::Lines::new(), failed: None, written: 0 }
    }

    fn write(&mut self, text: &str) -> ControlFlow<()> {
        self.by(|out| out.text(text))
    }

    fn json(&mut self, line: &json::Line<'_>) -> ControlFlow<()> {
        self.by(|out| out.json(line))
    }

    fn by(&mut self, write: impl FnOnce(&mut printer::Lines) -> io::Result<()>) -> ControlFlow<()> {
        if self.failed.is_some() {
            return ControlFlow::Break(());
        }
        self.written += 1;
        match write(&mut self.out) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// How it went; whether anybody still reads.
    fn done(mut self) -> Result<bool, Failure> {
        match self.failed.take().map_or_else(|| self.out.flush(), Err) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::of(Code::Io, &error)),
        }
    }
}

pub(super) fn run(
    reachability: &Reachability,
    scope: &PathQuery,
    pairs: bool,
    as_json: bool,
    remarks: &Remarks,
) -> Result<u8, Failure> {
    let mut lines = Lines::new();
    let mut found: u64 = 0;
    if pairs {
        reachability.pairs(scope, &mut |pair| {
            found += 1;
            if as_json {
                lines.json(&json::pair(&pair))
            } else {
                lines.write(&format!("{} -> {}  {}\n", pair.from, pair.to, folded(pair.flows)))
            }
        });
    } else if as_json {
        found = json_paths(reachability, scope, &mut lines);
    } else {
        found = text_paths(reachability, scope, &mut lines);
    }
    let gaps = &reachability.inventory().gaps;
    if as_json {
        let notes = remarks.passed_over.iter().map(|note| json::Line::Note { note });
        let assumed = remarks.assumed.iter().map(|assumed| json::Line::Assumed { assumed });
        let all = gaps.iter().map(|gap| json::Line::Gap { gap }).chain(notes).chain(assumed);
        for line in all {
            if lines.json(&line).is_break() {
                break;
            }
        }
    }
    if !lines.done()? {
        return Ok(0);
    }
    if found == 0 {
        note(&nothing(scope));
        if reachability.roles().is_empty() {
            note(
                "hint: the inventory has no network interfaces: check the folder, the profile and the Region",
            );
        }
    }
    if !as_json {
        unseen(gaps);
        remarks.note();
    }
    Ok(0)
}

fn nothing(scope: &PathQuery) -> String {
    let what = match &scope.flows {
        Some(flows) => format!(" by {}", folded(flows)),
        None => String::new(),
    };
    match (&scope.from, &scope.to) {
        (Some(from), Some(to)) => format!("{} reaches nothing of {}{what}", end(from), end(to)),
        (Some(from), None) => format!("{} reaches nothing{what}", end(from)),
        (None, Some(to)) => format!("nothing reaches {}{what}", end(to)),
        (None, None) => format!("nothing reaches anything{what}"),
    }
}

fn json_paths(reachability: &Reachability, scope: &PathQuery, lines: &mut Lines) -> u64 {
    let names = Names::of(reachability.roles());
    let mut listed = std::collections::BTreeSet::new();
    let mut found = 0;
    // A complete list has every role, also one that reaches nothing.
    if scope.from.is_none() && scope.to.is_none() {
        for role in reachability.roles() {
            listed.insert(role.id);
            if lines.json(&json::Line::Role { role: json::role(role) }).is_break() {
                return found;
            }
        }
    }
    reachability.paths(scope, &mut |path| {
        found += 1;
        for end in [&path.from, &path.to] {
            if let End::Role(id) = end
                && let Some(role) = names.role(*id).filter(|role| listed.insert(role.id))
            {
                lines.json(&json::Line::Role { role: json::role(role) })?;
            }
        }
        lines.json(&json::Line::Path(json::path(&path, &names)))
    });
    found
}

fn text_paths(reachability: &Reachability, scope: &PathQuery, lines: &mut Lines) -> u64 {
    let names = Names::of(reachability.roles());
    let mut found = 0;
    // Ways come receiver by receiver, so that only those of one are held.
    let mut held: Vec<AllowedPath> = Vec::new();
    reachability.paths(scope, &mut |path| {
        found += 1;
        if held.first().is_some_and(|first| first.to != path.to) {
            let paths = std::mem::take(&mut held);
            let first = lines.written == 0;
            lines.write(&receiver(&paths, &names, reachability.inventory(), first))?;
        }
        held.push(path);
        ControlFlow::Continue(())
    });
    if !held.is_empty() {
        let first = lines.written == 0;
        // Nothing comes behind it that a reader who left would have to be spared.
        let _ = lines.write(&receiver(&held, &names, reachability.inventory(), first));
    }
    found
}

/// A receiver, and below it a line for all senders who may do the same.
fn receiver(paths: &[AllowedPath], names: &Names<'_>, inventory: &Inventory, first: bool) -> String {
    let mut text = if first { String::new() } else { "\n".to_owned() };
    let Some(path) = paths.first() else { return text };
    text.push_str(&heading(&path.to, names, inventory));
    text.push_str(&grouped(paths, names));
    text
}

/// What is let through, and by it who, a line each.
pub(super) fn grouped(paths: &[AllowedPath], names: &Names<'_>) -> String {
    let mut alike: BTreeMap<(Flows, Flows, bool), Vec<String>> = BTreeMap::new();
    for path in paths {
        let perhaps = path.at_most.minus(&path.flows);
        let mut sender = names.end(&path.from);
        if !path.addresses.is_empty() {
            sender.push_str(&format!(" ({})", fold(&path.addresses, NAMES)));
        }
        let whole = path.whole || names.one_flow_of_one(path);
        alike.entry((path.flows.clone(), perhaps, whole)).or_default().push(sender);
    }
    let rows: Vec<(String, String)> = alike
        .into_iter()
        .map(|((flows, perhaps, whole), senders)| {
            let mut what = if flows.is_empty() { String::new() } else { folded(&flows) };
            if !perhaps.is_empty() {
                let and = if what.is_empty() { "" } else { ", " };
                what.push_str(&format!("{and}possibly {}", folded(&perhaps)));
            }
            let some = if whole { "" } else { ", in part" };
            (what, format!("from {}{some}", fold(&senders, NAMES)))
        })
        .collect();
    let width = rows.iter().map(|(what, _)| what.len()).filter(|width| *width <= 40).max().unwrap_or(0);
    rows.iter().map(|(what, who)| format!("  {what:width$}  {who}\n")).collect()
}

/// The paths of each receiver together.
pub(super) fn by_receiver(paths: &[AllowedPath]) -> BTreeMap<&End, Vec<AllowedPath>> {
    let mut receivers: BTreeMap<&End, Vec<AllowedPath>> = BTreeMap::new();
    for path in paths {
        receivers.entry(&path.to).or_default().push(path.clone());
    }
    receivers
}

/// A receiver in a line: its name, and in brackets how many, where, with which groups, of what.
pub(super) fn heading(end: &End, names: &Names<'_>, inventory: &Inventory) -> String {
    let End::Role(id) = end else { return format!("{}\n", names.end(end)) };
    let Some(role) = names.role(*id) else { return format!("{}\n", names.end(end)) };
    let groups: Vec<&str> = role
        .groups
        .iter()
        .map(|group| inventory.groups.get(group).map_or(group.as_str(), |group| group.name.as_str()))
        .collect();
    let mut listed =
        vec![format!("{} in {}", count(role.members.len(), "interface", "interfaces"), role.vpc)];
    // A role of many things is called by its groups, and one of a single thing by that.
    if groups.join(" + ") == role.name {
        let owners: Vec<String> = role.owners.iter().map(NamedResource::described).collect();
        listed.push(format!("of {}", fold(&owners, NAMES / 2)));
    } else if groups.is_empty() {
        listed.push("no group".to_owned());
    } else {
        listed.push(fold(&groups, NAMES));
    }
    if role.public {
        listed.push("public".to_owned());
    }
    format!("{}  [{}]\n", names.unique(*id), listed.join(", "))
}

/// Notes what could not be read, so that the list may be incomplete.
pub(super) fn unseen(gaps: &[Gap]) {
    const TOLD: usize = 3;
    for gap in gaps.iter().take(TOLD) {
        note(&format!("not readable, so the list may be incomplete: {gap}"));
    }
    match gaps.len().saturating_sub(TOLD) {
        0 => {}
        more => note(&format!(
            "not readable: {} more; `doorward inventory show` lists them",
            count(more, "answer", "answers")
        )),
    }
}

#[cfg(test)]
mod tests;
