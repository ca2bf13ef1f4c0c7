//! What differs between a table as it should be and as it stands, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnet::IpNet;
use jiff::Timestamp;

use super::existing::{ExistingElement, ExistingTable};
use super::{Guarded, MARKER, Set, Table};
use crate::firewall::Ruleset;

/// How far, in seconds, the kernel's count of what is left to an element may be from ours before we set it anew:
/// nft says whole seconds, and a moment passes between asking and comparing.
const SLACK: u64 = 2;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// There is no such table.
    TableGone,
    /// The rules were written for other targets, or by another release.
    OtherGuards,
    /// A chain is missing.
    ChainGone(String),
    /// A chain is not entered where it should be.
    ChainMoved(String),
    /// A chain holds no rule, and should.
    ChainFlushed(String),
    /// A chain's rules are others.
    ChainChanged(String),
    /// Something that we do not make: a chain, a set, a map.
    Foreign(String),
    /// A set is missing, or is of another kind.
    SetGone(String),
    /// An address is not admitted.
    Missing {
        /// Whom.
        peer: IpNet,
        guarded: Guarded,
        /// Why it should be.
        comment: String,
    },
    /// An address is admitted that should not be.
    Extra {
        /// Whom, as nft says it.
        peer: String,
        guarded: Guarded,
        /// What its comment says.
        comment: Option<String>,
        /// Seconds after which the kernel takes it; none: never.
        left: Option<u64>,
    },
    /// An address is admitted for longer or shorter than it should be, in seconds; none: for ever.
    End {
        /// Whom.
        peer: IpNet,
        guarded: Guarded,
        /// How it should be.
        wanted: Option<u64>,
        /// How it is.
        found: Option<u64>,
    },
    /// An element's comment does not say why it is there.
    Comment {
        /// Whom.
        peer: IpNet,
        guarded: Guarded,
        /// What it says.
        found: Option<String>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = |seconds: &Option<u64>| match seconds {
            Some(seconds) => format!("for {seconds} s more"),
            None => "without an end".into(),
        };
        match self {
            Self::TableGone => f.write_str("the table was gone"),
            Self::OtherGuards => f.write_str("the table was made for other targets or by another release"),
            Self::ChainGone(chain) => write!(f, "chain `{chain}` was gone"),
            Self::ChainMoved(chain) => write!(f, "chain `{chain}` had another hook, priority or policy"),
            Self::ChainFlushed(chain) => write!(f, "chain `{chain}` was flushed"),
            Self::ChainChanged(chain) => {
                write!(f, "the rules of chain `{chain}` were not the ones that we made")
            }
            Self::Foreign(what) => write!(f, "there was a {what} that is not ours"),
            Self::SetGone(set) => write!(f, "set `{set}` was gone or of another kind"),
            Self::Missing { peer, guarded, comment } => {
                write!(f, "{peer} was not admitted to {guarded} ({comment})")
            }
            Self::Extra { peer, guarded, comment: Some(comment), .. } => {
                write!(f, "{peer} was admitted to {guarded} ({comment})")
            }
            Self::Extra { peer, guarded, comment: None, .. } => {
                write!(f, "{peer} was admitted to {guarded} without a mark")
            }
            Self::End { peer, guarded, wanted, found } => {
                write!(
                    f,
                    "{peer} was admitted to {guarded} {} instead of {}",
                    left(found),
                    left(wanted).trim_end_matches(" more")
                )
            }
            Self::Comment { peer, guarded, found } => match found {
                Some(found) => write!(f, "{peer} to {guarded} was marked `{found}`"),
                None => write!(f, "{peer} to {guarded} had no mark"),
            },
        }
    }
}

impl Difference {
    /// Whether it is only that the kernel has not yet taken what is at its end, and is about to.
    pub fn is_ending(&self) -> bool {
        matches!(self, Self::Extra { left: Some(left), .. } if *left <= SLACK)
    }
}

impl ExistingTable {
    /// The chains whose rules are not the ones that [`ExistingTable::rules`] told of the same table earlier.
    pub fn edited(&self, before: &[(String, String)]) -> Vec<Difference> {
        let of = |rules: &[(String, String)], name: &str| -> Vec<String> {
            rules.iter().filter(|(chain, _)| chain == name).map(|(_, says)| says.clone()).collect()
        };
        let after = self.rules();
        let names: BTreeSet<&str> = before.iter().chain(&after).map(|(chain, _)| chain.as_str()).collect();
        let edited = names.into_iter().filter(|name| of(before, name) != of(&after, name));
        edited.map(|name| Difference::ChainChanged(name.into())).collect()
    }
}

impl Table {
    /// Whether the table that stands admits exactly what the ruleset does at `now`.
    pub fn matches(&self, ruleset: &Ruleset, existing: Option<&ExistingTable>, now: Timestamp) -> bool {
        self.difference(ruleset, existing, now).is_empty()
    }

    /// Everything in which the table that stands, if one does, is not what the ruleset wants at `now`.
    ///
    /// A rule is known by its place and its comment; one that was edited and kept both is found by comparing
    /// [`ExistingTable::rules`] with what it was after our own last write.
    pub fn difference(
        &self,
        ruleset: &Ruleset,
        existing: Option<&ExistingTable>,
        now: Timestamp,
    ) -> Vec<Difference> {
        let Some(existing) = existing else { return vec![Difference::TableGone] };
        let chains = self.chains(ruleset);
        let marker = self.marker(&chains);
        let marked = |name: &&String| name.starts_with(MARKER);
        if existing.chains.keys().filter(marked).any(|name| *name != marker) {
            return vec![Difference::OtherGuards];
        }
        let mut found = Vec::new();
        for chain in &chains {
            let name = || chain.name.clone();
            let Some(stands) = existing.chains.get(&chain.name) else {
                found.push(Difference::ChainGone(name()));
                continue;
            };
            let hook = chain.hook.map(|hook| format!("filter {} {} accept", hook.name, hook.priority));
            if stands.hook != hook {
                found.push(Difference::ChainMoved(name()));
            }
            let is = stands.rules.iter().map(|rule| rule.comment.as_deref());
            if stands.rules.is_empty() && !chain.rules.is_empty() {
                found.push(Difference::ChainFlushed(name()));
            } else if !is.eq(chain.rules.iter().map(|(_, comment)| Some(comment.as_str()))) {
                found.push(Difference::ChainChanged(name()));
            }
        }
        if !existing.chains.contains_key(&marker) {
            found.push(Difference::ChainGone(marker.clone()));
        }
        let known: BTreeSet<&str> =
            chains.iter().map(|chain| chain.name.as_str()).chain([marker.as_str()]).collect();
        let strange = existing.chains.keys().filter(|name| !known.contains(name.as_str()));
        found.extend(strange.map(|name| Difference::Foreign(format!("chain `{name}`"))));
        found.extend(existing.others.iter().cloned().map(Difference::Foreign));

        let sets = self.sets(ruleset, now);
        let strange = existing.sets.keys().filter(|name| !sets.contains_key(*name));
        found.extend(strange.map(|name| Difference::Foreign(format!("set `{name}`"))));
        for (name, set) in &sets {
            match existing.sets.get(name) {
                Some(stands) if stands.of == set.of() && stands.flags == [set.flag()] => {
                    elements(set, &stands.elements, &mut found);
                }
                _ => found.push(Difference::SetGone(name.clone())),
            }
        }
        found
    }
}

fn elements(wanted: &Set, existing: &[ExistingElement], found: &mut Vec<Difference>) {
    let guarded = wanted.lookup.guarded;
    let mut seen: BTreeMap<IpNet, &ExistingElement> = BTreeMap::new();
    for element in existing {
        if element.nets.is_empty() {
            let (peer, comment) = (element.says.clone(), element.comment.clone());
            found.push(Difference::Extra { peer, guarded, comment, left: element.left });
        }
        // A hash set is asked under its mask, so its element speaks for the whole prefix.
        let bits = wanted.lookup.bits;
        let whole = |net: &IpNet| match bits {
            Some(bits) => IpNet::new(net.addr(), bits).unwrap_or(*net),
            None => *net,
        };
        seen.extend(element.nets.iter().map(|net| (whole(net), element)));
    }
    for (peer, element) in &wanted.elements {
        let peer = *peer;
        let Some(stands) = seen.remove(&peer) else {
            found.push(Difference::Missing { peer, guarded, comment: element.comment.clone() });
            continue;
        };
        if stands.comment.as_deref() != Some(element.comment.as_str()) {
            found.push(Difference::Comment { peer, guarded, found: stands.comment.clone() });
        }
        let left = element.left.map(|milliseconds| milliseconds / 1000);
        let near = match (left, stands.left) {
            (Some(wanted), Some(found)) => wanted.abs_diff(found) <= SLACK,
            (wanted, found) => wanted == found,
        };
        if !near {
            found.push(Difference::End { peer, guarded, wanted: left, found: stands.left });
        }
    }
    found.extend(seen.into_iter().map(|(peer, element)| Difference::Extra {
        peer: peer.to_string(),
        guarded,
        comment: element.comment.clone(),
        left: element.left,
    }));
}
