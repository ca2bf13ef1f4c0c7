//! Collects the blockers of a question, each cause once however many pairs it blocks, and puts it into words.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::inventory::{Direction, Peer, ResourceRef, RuleIdentity};
use crate::net::Cidr;
use crate::reach::code::Code;
use crate::reach::compare::change::Change;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::network::security_groups::GroupNode;
use crate::reach::network::table::{AclIx, InterfaceIx, SetIx, SubnetIx};
use crate::reach::question::fixes;
use crate::reach::question::stands_for::StandsFor;
use crate::reach::result::{Blocker, Fix};
use crate::reach::trace::path_text;
use crate::reach::trace::steps::{Block, GroupCheck, Step, StepKind, StepText};

/// What stops packets, whoever they are from and for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Cause<'s> {
    Text {
        replies: bool,
        code: Code,
        resource: &'s ResourceRef,
        why: &'s str,
    },
    /// With the number of the entry that denies, where one does.
    Acl {
        replies: bool,
        acl: Option<AclIx>,
        subnet: SubnetIx,
        direction: Direction,
        entry: Option<u32>,
    },
    /// A interface that carries no group stops by itself.
    Groups {
        set: SetIx,
        alone: Option<InterfaceIx>,
        direction: Direction,
        unheard: Option<&'s RuleIdentity>,
        references: bool,
    },
}

/// Whom a cause stops.
#[derive(Debug)]
struct Stopped<'s> {
    step: &'s Step,
    flows: Flows,
    others: BTreeSet<Other>,
    /// The changes that the steps themselves know of.
    changes: Vec<Change>,
}

/// What is at the other end of packets that are stopped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Other {
    address: IpAddr,
    pub(super) peer: Option<InterfaceIx>,
    /// The prefixes that the address stands for: its own, where it stands for itself.
    pub(super) cidrs: Vec<Cidr>,
    words: String,
}

impl Other {
    fn of(cx: Context<'_>, address: IpAddr, peer: Option<InterfaceIx>, meant: Option<&StandsFor>) -> Self {
        let meant = meant.and_then(|meant| Some((meant.cidrs(address)?, meant.words(address)?)));
        match meant {
            Some((cidrs, words)) => Self { address, peer, cidrs, words },
            None => {
                let words = match peer {
                    Some(peer) => format!("{address} ({})", cx.network.interfaces.at(peer).title()),
                    None => address.to_string(),
                };
                Self { address, peer, cidrs: vec![Cidr::host(address)], words }
            }
        }
    }
}

/// What stops packets, as it is found.
#[derive(Debug)]
pub(crate) struct Blockers<'s> {
    cx: Context<'s>,
    causes: BTreeMap<Cause<'s>, Stopped<'s>>,
}

impl<'s> Blockers<'s> {
    pub(crate) fn new(cx: Context<'s>) -> Self {
        Self { cx, causes: BTreeMap::new() }
    }

    /// Notes that a step stops some flows, of packets between an interface and `meant` where that is outside.
    pub(crate) fn add(&mut self, step: &'s Step, flows: Flows, meant: Option<&StandsFor>) {
        let Some(cause) = self.cause(step, &flows) else { return };
        let stopped = self.causes.entry(cause);
        let stopped = stopped.or_insert_with(|| Stopped {
            step,
            flows: Flows::NONE,
            others: BTreeSet::new(),
            changes: Vec::new(),
        });
        stopped.flows = stopped.flows.union(&flows);
        for change in fixes::of_step(step, meant) {
            if !stopped.changes.contains(&change) {
                stopped.changes.push(change);
            }
        }
        match &step.note {
            StepKind::Text(_) => {}
            StepKind::NetworkAcl { other, .. } => {
                stopped.others.insert(Other::of(self.cx, *other, None, meant));
            }
            StepKind::SecurityGroups(asked) => {
                stopped.others.insert(Other::of(self.cx, asked.other, asked.peer, meant));
            }
        }
    }

    /// What blocks; none for something that allows everything.
    fn cause(&self, step: &'s Step, flows: &Flows) -> Option<Cause<'s>> {
        Some(match &step.note {
            StepKind::Text(StepText { resource, block, .. }) => {
                let Block { code, why, .. } = block.as_ref()?;
                Cause::Text { replies: step.replies, code: *code, resource, why }
            }
            StepKind::NetworkAcl { acl, subnet, direction, other } => Cause::Acl {
                replies: step.replies,
                acl: *acl,
                subnet: *subnet,
                direction: *direction,
                entry: denying(self.cx, step, *acl, *direction, *other, flows).map(|(number, _)| number),
            },
            StepKind::SecurityGroups(asked) => {
                let GroupCheck { interface, direction, references, .. } = *asked;
                let set = self.cx.network.interfaces.at(interface).set;
                let alone = self.cx.network.sets.at(set).groups.is_empty().then_some(interface);
                let unheard = unheard(self.cx, *asked, flows);
                Cause::Groups { set, alone, direction, unheard, references }
            }
        })
    }

    /// All of it, in words.
    pub(crate) fn into_blockers(self) -> Vec<Blocker> {
        let cx = self.cx;
        let words = self.causes.into_iter().filter_map(|(cause, stopped)| blocked_by(cx, &cause, stopped));
        let mut blockers: Vec<Blocker> = words.collect();
        blockers.sort_by(|a, b| {
            let key = |blocker: &Blocker| (blocker.replies, blocker.code);
            key(a).cmp(&key(b)).then_with(|| (&a.resource, &a.why).cmp(&(&b.resource, &b.why)))
        });
        blockers
    }
}

/// A step as a blocker of some flows.
pub(crate) fn blocker<'a>(cx: Context<'a>, step: &'a Step, flows: Flows) -> Option<Blocker> {
    let mut blocked = Blockers::new(cx);
    blocked.add(step, flows, None);
    blocked.into_blockers().pop()
}

fn blocked_by(cx: Context<'_>, cause: &Cause<'_>, stopped: Stopped<'_>) -> Option<Blocker> {
    Some(match &stopped.step.note {
        StepKind::Text(StepText { resource, name, block, .. }) => {
            let Block { code, why, advice } = block.as_ref()?;
            Blocker {
                code: *code,
                resource: resource.clone(),
                name: name.clone(),
                why: why.clone(),
                fix: Fix::of(stopped.changes, || advice.clone()),
                flows: stopped.flows,
                replies: stopped.step.replies,
            }
        }
        StepKind::NetworkAcl { acl, subnet, direction, .. } => {
            acl_blocker(cx, *acl, *subnet, *direction, stopped)
        }
        StepKind::SecurityGroups(asked) => {
            let unheard = match cause {
                Cause::Groups { unheard, .. } => *unheard,
                Cause::Text { .. } | Cause::Acl { .. } => None,
            };
            group_blocker(cx, *asked, unheard, stopped)
        }
    })
}

/// The first of them, and how many more.
fn shortened(others: &BTreeSet<Other>) -> String {
    let Some(first) = others.first() else { return "nobody".into() };
    match others.len() - 1 {
        0 => first.words.clone(),
        more => format!("{} and {more} more", first.words),
    }
}

/// The entry of an ACL that denies what a step does not let through.
fn denying(
    cx: Context<'_>,
    step: &Step,
    acl: Option<AclIx>,
    direction: Direction,
    other: IpAddr,
    flows: &Flows,
) -> Option<(u32, String)> {
    let flow = if step.replies { None } else { flows.first() };
    let (number, words, allows) = path_text::deciding(cx, acl?, direction, other, &flow?)?;
    (!allows).then_some((number, words))
}

fn acl_blocker(
    cx: Context<'_>,
    acl: Option<AclIx>,
    subnet: SubnetIx,
    direction: Direction,
    stopped: Stopped<'_>,
) -> Blocker {
    let Stopped { step, flows, others, .. } = stopped;
    let replies = step.replies;
    let (resource, name) = path_text::acl_name(cx, acl, subnet);
    let node = cx.network.subnets.at(subnet);
    let whose = if acl.is_none() { "the network ACL of " } else { "" };
    let ports = if replies { "the client's port (1024-65535)".to_owned() } else { flows.to_string() };
    let whom = shortened(&others);
    let (way, whom) = match direction {
        Direction::In => ("into", format!("from {whom}")),
        Direction::Out => ("out of", format!("to {whom}")),
    };
    let what = if replies { format!("replies to {ports}") } else { ports };
    let first = others.first().map(|other| other.address);
    let denied = first.and_then(|other| denying(cx, step, acl, direction, other, &flows));
    let entry = match (acl, denied) {
        (None, _) => "its network ACL was not seen".into(),
        (Some(_), Some((number, words))) => format!("entry {number} denies {words}"),
        (Some(_), None) => "no entry allows it".into(),
    };
    let changes = acl.map(|acl| fixes::entries(cx, acl, direction, &others, &flows, replies));
    let direction = if direction == Direction::In { "inbound" } else { "outbound" };
    Blocker {
        code: Code::Acl,
        why: format!("it does not let {what} {way} {} {whom}: {entry}", node.id),
        fix: Fix::of(changes.unwrap_or_default(), || {
            format!(
                "add an {direction} entry to {whose}{resource} that allows {what} {whom}, before those that deny it"
            )
        }),
        resource,
        name,
        flows,
        replies,
    }
}

/// A rule that would admit if it were known who carries its group.
fn unheard<'a>(cx: Context<'a>, asked: GroupCheck, flows: &Flows) -> Option<&'a RuleIdentity> {
    let set = cx.network.sets.at(cx.network.interfaces.at(asked.interface).set);
    let groups = set.groups.iter().map(|group| cx.network.groups.at(*group));
    let mut rules = groups.flat_map(|group| group.rules.iter().map(move |rule| (group, rule)));
    let found = rules.find(|(group, rule)| {
        matches!(rule.peer, Peer::Group(_))
            && (!asked.references || path_text::is_stale(cx, group, rule))
            && path_text::matches(cx, rule, asked, true)
            && Flows::from(rule.flow).meets(flows)
    });
    found.map(|(_, rule)| rule)
}

fn group_blocker(
    cx: Context<'_>,
    GroupCheck { interface, direction, references, .. }: GroupCheck,
    unheard: Option<&RuleIdentity>,
    stopped: Stopped<'_>,
) -> Blocker {
    let Stopped { flows, others, .. } = stopped;
    let interface = cx.network.interfaces.at(interface);
    let set = cx.network.sets.at(interface.set);
    let groups: Vec<&GroupNode> = set.groups.iter().map(|group| cx.network.groups.at(*group)).collect();
    let (word, preposition) = match direction {
        Direction::In => ("inbound", "from"),
        Direction::Out => ("outbound", "to"),
    };
    let named: Vec<String> = groups
        .iter()
        .map(|group| match group.name.as_str() {
            "" => group.id.to_string(),
            name => format!("{} ({name})", group.id),
        })
        .collect();
    let (code, why) = match unheard {
        Some(rule) => {
            let rule = path_text::rule_words(cx, rule);
            let why = if references {
                format!("its rule {rule} is stale: the peering connection to that group is not active")
            } else {
                format!(
                    "its rule {rule} does not match here: the security groups of the sender are not known on this path"
                )
            };
            (Code::ReferencesLost, why)
        }
        None if groups.is_empty() => {
            (Code::SecurityGroupEmpty, format!("{} has no security group attached", interface.title()))
        }
        None if !groups.iter().any(|group| group.rules.iter().any(|rule| rule.direction == direction)) => {
            (Code::SecurityGroupEmpty, format!("{} has no {word} rule", named.join(", ")))
        }
        None => {
            let whom = shortened(&others);
            let named = named.join(", ");
            let why = format!("no {word} rule of {named} admits {flows} {preposition} {whom}");
            (Code::SecurityGroup, why)
        }
    };
    let first = groups.first();
    let name = first.map(|group| group.name.clone()).filter(|name| !name.is_empty());
    let changes = first.map(|group| fixes::rules(cx, &group.id, direction, references, &others, &flows));
    let advice = || match first {
        Some(group) => format!(
            "add an {word} rule to {}: {flows} {preposition} each of {}",
            group.id,
            shortened(&others)
        ),
        None => format!("attach a security group to {}", interface.resource),
    };
    Blocker {
        code,
        resource: first.map_or_else(|| interface.resource.clone(), |group| (&group.id).into()),
        name,
        why,
        fix: Fix::of(changes.unwrap_or_default(), advice),
        flows,
        replies: false,
    }
}
