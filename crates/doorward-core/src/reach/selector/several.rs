//! Several resources that one text means together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::inventory::{NamedResource, ResourceKind};

/// How many resources are named one by one.
const NAMED: usize = 5;

/// Several resources that one text means together: those of one tag, or the instances of one `Name`, which an Auto
/// Scaling group gives to all of its instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Several {
    /// What was typed, like `tag:Name=web`.
    pub text: String,
    /// Each of them.
    pub resources: Vec<NamedResource>,
}

impl Several {
    /// Which resources they are, in a sentence.
    pub(crate) fn in_full(&self) -> String {
        let named = self.resources.iter().take(NAMED).map(|resource| resource.resource.to_string());
        let named: Vec<String> = named.collect();
        let rest = match self.resources.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{} means {}: {}{rest}", self.text, self.counted(), named.join(", "))
    }

    /// How many of each kind.
    fn counted(&self) -> String {
        let mut kinds: BTreeMap<ResourceKind, usize> = BTreeMap::new();
        for resource in &self.resources {
            *kinds.entry(resource.resource.kind()).or_default() += 1;
        }
        let counts = kinds.iter().map(|(kind, count)| match count {
            1 => format!("1 {kind}"),
            _ => format!("{count} {}", plural(kind.word())),
        });
        counts.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Several {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.counted(), self.text)
    }
}

fn plural(word: &str) -> String {
    match word.strip_suffix('y') {
        // A gateway is none of those.
        Some(stem) if !stem.ends_with('a') => format!("{stem}ies"),
        _ => format!("{word}s"),
    }
}

/// Whether all are instances of EC2, whose `Name` need not be unique: one name of several then means them all.
pub(super) fn are_instances(found: &BTreeSet<&NamedResource>) -> bool {
    found.iter().all(|named| named.resource.kind() == ResourceKind::Instance)
}
