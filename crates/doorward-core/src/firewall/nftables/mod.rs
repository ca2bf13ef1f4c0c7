//! A ruleset as one table of nftables: the text that replaces it whole, and what stands read back.
//!
//! Only what targets behind the firewall offer is guarded; every other packet is none of our business. What is
//! guarded is refused unless its sender is in a set, so an empty ruleset, or a table whose every element has
//! timed out, admits nobody. Each granted element carries the time left to its grant's end: the kernel closes
//! it even if nobody else is alive to do so.
//!
//! Addresses of grants stand in plain sets, one for each length of prefix, and are looked up under that length's
//! mask: an interval set refuses elements that overlap, and one person's /64 may hold another's /128. Static
//! prefixes never end and stand, aggregated, in interval sets of their own.

mod chains;
mod difference;
mod existing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

pub use difference::Difference;
pub use existing::{ExistingTable, NotNft, NotOurs};

use self::chains::{Chain, Lengths, Lookup};
use super::{Because, InstallationId, Mark, Rule, Ruleset};
use crate::net::{Cidr, Family, Flow, Ports};
use crate::policy::{Enforcement, Firewall, Target, TargetName};

/// The longest comment that nftables keeps, in bytes (`NFTNL_UDATA_COMMENT_MAXLEN`, its final zero included).
const LONGEST_COMMENT: usize = 127;

/// The name of a table of the family `inet`: a letter, then letters, digits, `_`, `-`, `.`; at most 31 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableName(String);

/// Why a firewall of the policy cannot be a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotATable {
    /// Not a name that nft takes.
    #[error(
        "`{0}` cannot be a table's name (a letter, then at most 30 letters, digits, `_`, `-` or `.`, like `doorward`)"
    )]
    Name(String),
    /// Not enforced in nftables at all.
    #[error("firewall `{0}` is not one of nftables")]
    Elsewhere(crate::policy::FirewallName),
}

impl TableName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TableName {
    type Err = NotATable;

    fn from_str(text: &str) -> Result<Self, NotATable> {
        let good = text.len() <= 31
            && text.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        if good { Ok(Self(text.into())) } else { Err(NotATable::Name(text.into())) }
    }
}

/// What a table guards: a flow, to one destination or to any.
///
/// A target whose address is a name or an AWS resource has no destination that a packet could be compared with:
/// its ports are guarded on this machine and on everything that this machine forwards. The ports of a target whose address
/// is this machine's own are refused at its other addresses, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guarded {
    /// Where to; none: anywhere.
    pub to: Option<IpAddr>,
    pub flow: Flow,
}

impl Guarded {
    fn of(rule: &Rule) -> Self {
        Self { to: rule.to(), flow: rule.flow() }
    }

    fn families(self) -> impl Iterator<Item = Family> {
        [Family::V4, Family::V6]
            .into_iter()
            .filter(move |family| self.flow.fits(*family))
            .filter(move |family| self.to.is_none_or(|to| Cidr::host(to).family() == *family))
    }

    /// The part of names of sets and chains that says what they are for: `tcp_5432_at_10.0.0.5`.
    fn name(self) -> String {
        let text = match self.to {
            Some(to) => format!("{}_at_{to}", self.flow),
            None => self.flow.to_string(),
        };
        text.replace(['/', ':'], "_")
    }
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) => write!(f, "{} at {to}", self.flow),
            None => write!(f, "{}", self.flow),
        }
    }
}

/// A firewall of the policy as a table of nftables: its name, what it guards, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    name: TableName,
    by: InstallationId,
    guarded: BTreeMap<Guarded, BTreeSet<TargetName>>,
    /// The flows that are refused at every address of this machine, because a target has one of these addresses: a service
    /// rarely listens on one address alone. A grant admits to the target's own address.
    local: BTreeMap<Flow, BTreeSet<TargetName>>,
}

impl Table {
    /// The table of a firewall, guarding every target behind it. `is_local` says whether an address is this machine's own.
    pub fn new<'a>(
        firewall: &Firewall,
        targets: impl IntoIterator<Item = &'a Target>,
        by: &InstallationId,
        is_local: impl Fn(IpAddr) -> bool,
    ) -> Result<Self, NotATable> {
        let Enforcement::Nftables { table } = &firewall.kind else {
            return Err(NotATable::Elsewhere(firewall.name.clone()));
        };
        let mut guarded: BTreeMap<Guarded, BTreeSet<TargetName>> = BTreeMap::new();
        let mut local: BTreeMap<Flow, BTreeSet<TargetName>> = BTreeMap::new();
        for target in targets.into_iter().filter(|target| target.firewall.as_ref() == Some(&firewall.name)) {
            let to = firewall.destination(target);
            for flow in &target.ports {
                guarded.entry(Guarded { to, flow: *flow }).or_default().insert(target.name.clone());
                // A flow without ports describes an address and not a service.
                let service = flow.ports().is_some_and(|ports| ports != Ports::ALL);
                if service && to.is_some_and(&is_local) {
                    local.entry(*flow).or_default().insert(target.name.clone());
                }
            }
        }
        Ok(Self { name: table.parse()?, by: by.clone(), guarded, local })
    }

    /// Its name; the family is always `inet`.
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// What it guards, and for which targets. Where one entry speaks for several targets, a grant to one of them
    /// is a grant to all: their packets look alike.
    pub fn guarded(&self) -> impl Iterator<Item = (Guarded, &BTreeSet<TargetName>)> {
        self.guarded.iter().map(|(guarded, targets)| (*guarded, targets))
    }

    /// The whole table as one transaction for `nft -f -`: made if it is missing, deleted and made anew.
    ///
    /// The kernel exchanges old for new at one instant, so nobody who is in both is refused in between.
    pub fn transaction(&self, ruleset: &Ruleset, now: Timestamp) -> String {
        let name = &self.name;
        let sets = self.sets(ruleset, now);
        let chains = self.chains(ruleset);
        let marker = self.marker(&chains);
        format!(
            "table inet {name}\ndelete table inet {name}\ntable inet {name} {{\n\tchain {marker} {{\n\t}}\n\n{}{}}}\n",
            sets_text(&sets),
            chains::text(&chains),
        )
    }

    /// The text that takes the table away, and with it every guard.
    pub fn removal(&self) -> String {
        format!("table inet {0}\ndelete table inet {0}\n", self.name)
    }

    /// The commands that take the elements of one source out of the sets of a target by hand.
    pub fn manual_removal(&self, firewall: &Firewall, target: &Target, source: Cidr) -> Vec<String> {
        let of_flow = |flow: &Flow| {
            let guarded = Guarded { to: firewall.destination(target), flow: *flow };
            let set = Lookup { guarded, family: source.family(), bits: Some(source.bits()) }.set();
            format!("nft delete element inet {} {set} '{{ {} }}'", self.name, source.net().addr())
        };
        target.ports.iter().filter(|flow| flow.fits(source.family())).map(of_flow).collect()
    }

    /// The name of a chain that holds nothing and is never reached. It says whose the table is, and which guards
    /// its rules were written for.
    fn marker(&self, chains: &[Chain]) -> String {
        // The chains name every set that there is.
        let digest = Sha256::digest(chains::text(chains).as_bytes());
        let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{MARKER}{}.{short}", self.by)
    }

    fn chains(&self, ruleset: &Ruleset) -> Vec<Chain> {
        chains::chains(&self.guarded, &self.local, &lengths(ruleset))
    }

    /// Every set of the table, also those that are empty, and what is in each at `now`.
    fn sets(&self, ruleset: &Ruleset, now: Timestamp) -> BTreeMap<String, Set> {
        let lengths = lengths(ruleset);
        let mut sets: BTreeMap<String, Set> = self
            .guarded
            .keys()
            .flat_map(|guarded| chains::lookups(*guarded, &lengths))
            .map(|lookup| (lookup.set(), Set { lookup, elements: BTreeMap::new() }))
            .collect();
        let mut statics: BTreeMap<String, (Vec<IpNet>, String)> = BTreeMap::new();
        for rule in ruleset.iter().filter(|rule| self.guarded.contains_key(&Guarded::of(rule))) {
            let family = rule.peer().family();
            let guarded = Guarded::of(rule);
            let comment = self.comment(rule);
            let Some(until) = rule.until() else {
                let set = Lookup { guarded, family, bits: None }.set();
                statics.entry(set).or_insert_with(|| (Vec::new(), comment)).0.push(rule.peer().net());
                continue;
            };
            // What has less than a millisecond to live has no timeout that nft could write.
            let left = u64::try_from(until.duration_since(now).as_millis()).unwrap_or(0);
            if left == 0 {
                continue;
            }
            let lookup = Lookup { guarded, family, bits: Some(rule.peer().bits()) };
            let element = Element { comment, left: Some(left) };
            if let Some(set) = sets.get_mut(&lookup.set()) {
                set.elements.insert(rule.peer().net(), element);
            }
        }
        for (name, (nets, comment)) in statics {
            let Some(set) = sets.get_mut(&name) else { continue };
            for net in IpNet::aggregate(&nets) {
                set.elements.insert(net, Element { comment: comment.clone(), left: None });
            }
        }
        sets
    }

    /// A rule's mark, cut where nftables has no room for it: the target's name first, then the person's. The
    /// grant's own name and the end are always whole.
    fn comment(&self, rule: &Rule) -> String {
        let mark = Mark::new(self.by.clone(), rule.because().clone(), rule.until()).to_string();
        if mark.len() <= LONGEST_COMMENT {
            return mark;
        }
        let mut over = mark.len() - LONGEST_COMMENT;
        let mut words: Vec<String> = mark.split(' ').map(str::to_owned).collect();
        let places: &[usize] = match rule.because() {
            Because::Grant { .. } => &[5, 3],
            Because::Static { .. } | Because::Role { .. } | Because::Network { .. } => &[3],
        };
        for place in places {
            let Some(word) = words.get_mut(*place) else { continue };
            let before = word.len();
            *word = cut(word, before.saturating_sub(over).max(16));
            over = over.saturating_sub(before - word.len());
        }
        cut(&words.join(" "), LONGEST_COMMENT)
    }
}

fn lengths(ruleset: &Ruleset) -> Lengths {
    let peers = ruleset.iter().filter(|rule| rule.until().is_some()).map(Rule::peer);
    chains::USUAL.into_iter().chain(peers.map(|peer| (peer.family(), peer.bits()))).collect()
}

/// What begins the marker's name.
const MARKER: &str = "doorward.";

/// The text, or as much of it as fits with a `*` behind it.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.into();
    }
    let mut end = most.saturating_sub(1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}*", text.get(..end).unwrap_or_default())
}

/// A set: who is looked up in it, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    lookup: Lookup,
    elements: BTreeMap<IpNet, Element>,
}

impl Set {
    fn of(&self) -> &'static str {
        match self.lookup.family {
            Family::V4 => "ipv4_addr",
            Family::V6 => "ipv6_addr",
        }
    }

    fn flag(&self) -> &'static str {
        if self.lookup.bits.is_some() { "timeout" } else { "interval" }
    }
}

/// An element: why it is there, and the milliseconds that are left to it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Element {
    comment: String,
    left: Option<u64>,
}

fn sets_text(sets: &BTreeMap<String, Set>) -> String {
    let mut text = String::new();
    for (name, set) in sets {
        text.push_str(&format!("\tset {name} {{\n\t\ttype {}\n\t\tflags {}\n", set.of(), set.flag()));
        let elements: Vec<String> = set
            .elements
            .iter()
            .map(|(net, element)| match element.left {
                Some(left) => format!("{} timeout {left}ms comment \"{}\"", net.addr(), element.comment),
                None => format!("{net} comment \"{}\"", element.comment),
            })
            .collect();
        if !elements.is_empty() {
            text.push_str(&format!("\t\telements = {{\n\t\t\t{}\n\t\t}}\n", elements.join(",\n\t\t\t")));
        }
        text.push_str("\t}\n\n");
    }
    text
}
