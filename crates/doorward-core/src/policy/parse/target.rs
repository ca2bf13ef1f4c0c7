//! `[target.NAME]`: what people reach, and for how long.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use jiff::SignedDuration;

use super::across;
use super::walk::{Section, Span, Walk, and};
use super::{GroupAt, destination, settings};
use crate::net::Flow;
use crate::policy::duration::duration;
use crate::policy::mistake::did_you_mean;
use crate::policy::{Approval, FirewallName, GrantDefaults, Group, Lasts, Target, TargetName, Transport};

/// A target, and where its parts stand.
pub(super) struct TargetAt {
    pub(super) target: Target,
    pub(super) name_at: Span,
    pub(super) address_at: Span,
    pub(super) ports_at: Span,
    pub(super) firewall_at: Span,
    pub(super) transports_at: Span,
    pub(super) names_at: Span,
    /// Each transport where it stands in the list.
    pub(super) ways_at: BTreeMap<Transport, Span>,
    /// Whether it is meant that a grant of another one may reach it.
    pub(super) shared: bool,
}

pub(super) const KEYS: [&str; 13] = [
    "about",
    "address",
    "ports",
    "groups",
    "transports",
    "firewall",
    "lasts",
    "approval",
    "reason",
    "limit",
    "shared",
    "names",
    "resolver",
];

const USUALLY: SignedDuration = SignedDuration::from_hours(1);
const AT_MOST: SignedDuration = SignedDuration::from_hours(8);

/// Reads one target; none when something that it cannot be without is wrong.
pub(super) fn read<'t>(
    walk: &mut Walk<'t>,
    name: &TargetName,
    section: &Section<'t, '_>,
    grants: &GrantDefaults,
    firewalls: &BTreeSet<FirewallName>,
    named: &mut Vec<GroupAt>,
) -> Option<TargetAt> {
    let about = section.plain(walk, "about", "about = \"…\"").unwrap_or_default().to_owned();
    let address = destination::address(walk, section);
    let names = destination::names(walk, section);
    let ports = some_of::<Flow>(walk, section, "ports", "ports = [\"tcp/5432\"]");
    let groups = some_of::<Group>(walk, section, "groups", "groups = [\"dbs\"]");
    for (group, span) in groups.iter().flatten() {
        let at = walk.spot(span);
        named.push(GroupAt { group: group.clone(), at, lets: format!("open {}", section.name) });
    }
    let transports = some_of::<ParsedTransport>(walk, section, "transports", "transports = [\"direct\"]");
    let firewall = section.parsed::<FirewallName>(walk, "firewall", "firewall = \"orders-clients\"");
    if let Some(firewall) = &firewall {
        across::firewall_is_there(walk, firewall, &section.value_at("firewall"), firewalls);
    }
    let lasts = lasts(walk, section);
    let approval = approval(walk, section, lasts, named);
    let limit = settings::limit(walk, section, "limit", 1);
    let reason_required = settings::reason(walk, section).unwrap_or(grants.reason_required);
    let shared = section.flag(walk, "shared").unwrap_or(false);
    let ways_at = transports.as_ref()?.iter().map(|(transport, at)| (transport.0, at.clone())).collect();
    let target = Target {
        name: name.clone(),
        about,
        address: address?,
        names: names.ok()?,
        ports: set(ports?),
        groups: set(groups?),
        transports: transports.iter().flatten().map(|(transport, _)| transport.0).collect(),
        firewall,
        lasts: lasts?,
        approval,
        reason_required,
        limit,
    };
    Some(TargetAt {
        target,
        name_at: section.at.clone(),
        address_at: section.value_at("address"),
        ports_at: section.value_at("ports"),
        firewall_at: section.value_at("firewall"),
        transports_at: section.value_at("transports"),
        names_at: section.key_at("names"),
        ways_at,
        shared,
    })
}

fn set<T: Ord>(list: Vec<(T, Span)>) -> BTreeSet<T> {
    list.into_iter().map(|(item, _)| item).collect()
}

/// A list that has to be there. An empty one is a way to say `nobody` and is told of, since it is never
/// permission.
fn some_of<'t, T: std::str::FromStr<Err: Display> + PartialEq>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    key: &str,
    like: &str,
) -> Option<Vec<(T, Span)>> {
    section.need(walk, key, like)?;
    let before = walk.mistakes.len();
    let list = section.list::<T>(walk, key, like)?;
    if list.is_empty() && walk.mistakes.len() == before {
        let what = format!("`{key}` is empty, so nobody can open {}", section.name);
        walk.warning(&section.value_at(key), what, Some(format!("write `{like}`")));
    }
    Some(list)
}

/// A transport as a policy writes it.
#[derive(Debug, PartialEq, Eq)]
struct ParsedTransport(Transport);

impl std::str::FromStr for ParsedTransport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Nobody is sent to what this version does not have.
        let there = Transport::ALL
            .into_iter()
            .filter(|transport| transport.is_supported())
            .map(|transport| transport.to_string());
        let there: Vec<String> = there.collect();
        let names: Vec<&str> = there.iter().map(String::as_str).collect();
        if let Some(transport) = Transport::ALL.into_iter().find(|transport| transport.to_string() == text) {
            return Ok(Self(transport));
        }
        Err(match did_you_mean(text, names.iter().copied()) {
            Some(meant) => format!("`{text}` is not a transport; did you mean `{meant}`?"),
            None => format!("`{text}` is not a transport; the transports are {}", and(&names)),
        })
    }
}

/// A duration of a table, which is at least `least` seconds.
fn length<'t>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    key: &str,
    like: &str,
    least: i64,
) -> Result<Option<SignedDuration>, ()> {
    if section.get(key).is_none() {
        return Ok(None);
    }
    let at = section.value_at(key);
    let text = section.text(walk, key, like).ok_or(())?;
    match duration(text) {
        Ok(length) if length.as_secs() >= least => Ok(Some(length)),
        Ok(_) => {
            walk.error(&at, format!("`{key}` is at least a second"), None);
            Err(())
        }
        Err(error) => {
            walk.error(&at, error.to_string(), None);
            Err(())
        }
    }
}

/// `lasts = { usually = "2h", at-most = "8h" }`, each of which may be left out.
fn lasts<'t>(walk: &mut Walk<'t>, target: &Section<'t, '_>) -> Option<Lasts> {
    let Some(value) = target.get("lasts") else {
        return Some(Lasts { usually: USUALLY, at_most: AT_MOST });
    };
    if matches!(value.get_ref(), toml::de::DeValue::String(_)) {
        let hint = "write `lasts = { usually = \"2h\", at-most = \"8h\" }`".to_owned();
        walk.error(&value.span(), "`lasts` has two durations, and this is one", Some(hint));
        return None;
    }
    let section = walk.section("`lasts`", target.key_at("lasts"), value, &["usually", "at-most"])?;
    let usually = length(walk, &section, "usually", "usually = \"2h\"", 1);
    let at_most = length(walk, &section, "at-most", "at-most = \"8h\"", 1);
    let (usually, at_most) = (usually.ok()?, at_most.ok()?);
    let lasts = match (usually, at_most) {
        (None, None) => Lasts { usually: USUALLY, at_most: AT_MOST },
        (None, Some(at_most)) => Lasts { usually: USUALLY.min(at_most), at_most },
        (Some(usually), None) => Lasts { usually, at_most: AT_MOST },
        (Some(usually), Some(at_most)) => Lasts { usually, at_most },
    };
    if lasts.usually > lasts.at_most {
        let words = crate::policy::in_words;
        let default = if at_most.is_none() { ", which is the default" } else { "" };
        let what = format!(
            "a grant would usually last {}, but may last at most {}{default}",
            words(lasts.usually),
            words(lasts.at_most)
        );
        walk.error(&section.value_at("usually"), what, Some("make `at-most` longer than `usually`".into()));
        return None;
    }
    Some(lasts)
}

/// `approval = { from = ["leads"], above = "4h" }`
fn approval<'t>(
    walk: &mut Walk<'t>,
    target: &Section<'t, '_>,
    lasts: Option<Lasts>,
    named: &mut Vec<GroupAt>,
) -> Option<Approval> {
    let value = target.get("approval")?;
    let section = walk.section("`approval`", target.key_at("approval"), value, &["from", "above"])?;
    let above = length(walk, &section, "above", "above = \"4h\"", 0);
    section.need(walk, "from", "from = [\"leads\"]")?;
    let from = section.list::<Group>(walk, "from", "from = [\"leads\"]")?;
    for (group, span) in &from {
        let at = walk.spot(span);
        named.push(GroupAt {
            group: group.clone(),
            at,
            lets: format!("approve requests for {}", target.name),
        });
    }
    if from.is_empty() {
        let what = format!("`from` is empty, so nobody can approve requests for {}", target.name);
        walk.warning(&section.value_at("from"), what, Some("write `from = [\"leads\"]`".into()));
    }
    let above = above.ok()?.unwrap_or(SignedDuration::ZERO);
    if let Some(lasts) = lasts.filter(|lasts| above >= lasts.at_most) {
        let words = crate::policy::in_words;
        let what = format!(
            "no grant lasts longer than {}, so no request ever needs an approval",
            words(lasts.at_most)
        );
        walk.warning(&section.value_at("above"), what, None);
    }
    Some(Approval { from: set(from), above })
}
