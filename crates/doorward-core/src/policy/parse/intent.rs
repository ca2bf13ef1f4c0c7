//! `[[never]]` and `[[always]]`, in the order of the file.

use toml::de::DeValue;

use super::walk::{Section, Walk};
use crate::net::{Cidr, Flow, NetError};
use crate::policy::did_you_mean;
use crate::policy::intent::{Intent, IntentEnd, IntentKind};

const KEYS: [&str; 4] = ["from", "to", "ports", "reason"];

/// Reads all of them. What is wrong is reported, and left out.
pub(super) fn read<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>) -> Vec<Intent> {
    let mut intents = Vec::new();
    for kind in IntentKind::ALL {
        let Some(value) = root.get(kind.word()) else { continue };
        let DeValue::Array(array) = value.get_ref() else {
            let what = format!("`[{kind}]` is a single table, and a policy may have several");
            walk.error(&root.key_at(kind.word()), what, Some(format!("write `[[{kind}]]`")));
            continue;
        };
        for item in array.iter() {
            let name = format!("`[[{kind}]]`");
            let section = walk.section(&name, item.span(), item, &KEYS);
            intents.extend(section.and_then(|section| one(walk, root, kind, &section)));
        }
    }
    intents.sort_by_key(|intent: &Intent| intent.at);
    intents
}

fn one<'t>(
    walk: &mut Walk<'t>,
    root: &Section<'t, '_>,
    kind: IntentKind,
    section: &Section<'t, '_>,
) -> Option<Intent> {
    let from = end(walk, root, section, "from", "from = \"internet\"");
    let to = end(walk, root, section, "to", "to = \"role:db\"");
    let ports = ports(walk, kind, section);
    let reason = section.plain(walk, "reason", "reason = \"databases are private\"").map(str::to_owned);
    Some(Intent { kind, from: from?, to: to?, ports: ports?, reason, at: walk.spot(&section.at) })
}

fn ports<'t>(
    walk: &mut Walk<'t>,
    kind: IntentKind,
    section: &Section<'t, '_>,
) -> Option<Option<std::collections::BTreeSet<Flow>>> {
    const LIKE: &str = "ports = [\"tcp/5432\"]";
    if section.get("ports").is_none() {
        if kind == IntentKind::Never {
            return Some(None);
        }
        walk.missing(&section.at, format!("{} needs `ports`", section.name), Some(format!("add `{LIKE}`")));
        return None;
    }
    let list = section.list::<Flow>(walk, "ports", LIKE)?;
    if list.is_empty() {
        let what = format!("`ports` is empty, so this {} says nothing", section.name);
        walk.error(&section.value_at("ports"), what, Some(format!("write `{LIKE}`")));
        return None;
    }
    Some(Some(list.into_iter().map(|(flow, _)| flow).collect()))
}

fn end<'t>(
    walk: &mut Walk<'t>,
    root: &Section<'t, '_>,
    section: &Section<'t, '_>,
    key: &str,
    like: &str,
) -> Option<IntentEnd> {
    section.need(walk, key, like)?;
    let text = section.plain(walk, key, like)?;
    let at = section.value_at(key);
    let Some(role) = text.strip_prefix("role:") else {
        return match text.parse::<Cidr>() {
            Err(error @ NetError::HostBits { .. }) => {
                walk.error(&at, error.to_string(), None);
                None
            }
            _ => Some(IntentEnd::Named(text.to_owned())),
        };
    };
    let roles = match root.get("role").map(|value| value.get_ref()) {
        Some(DeValue::Table(table)) => Some(table),
        _ => None,
    };
    let declared: Vec<&str> =
        roles.into_iter().flat_map(|roles| roles.keys()).map(|key| &**key.get_ref()).collect();
    if !declared.contains(&role) {
        let hint = match did_you_mean(role, declared.iter().copied()) {
            Some(meant) => format!("did you mean `role:{meant}`?"),
            None => format!("add `[role.{role}]`, or name a security group like `group:{role}`"),
        };
        walk.missing(&at, format!("there is no `[role.{role}]`"), Some(hint));
        return None;
    }
    // A name or an id that is none was reported where the role is declared.
    let group = match roles.and_then(|roles| roles.get(role)).map(|value| value.get_ref()) {
        Some(DeValue::Table(table)) => table.get("group").map(|value| value.get_ref()),
        _ => None,
    };
    let group = match group {
        Some(DeValue::String(text)) => Some(text.parse().ok()?),
        Some(_) => return None,
        None => None,
    };
    Some(IntentEnd::Role { role: role.parse().ok()?, group })
}
