//! Gathers what stops packets, each cause once however many pairs it stops, and puts it into words.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::answer::Blocker;
use super::network::GroupNode;
use super::stage::{Asked, Note, Plain, Stage};
use super::table::{AclIx, GroupIx, HostIx, SetIx, SubnetIx};
use super::walk::Walk;
use super::{Code, Flows};
use crate::inventory::{Direction, Peer, RuleIdentity};
use crate::net::Cidr;

/// What stops packets, whoever they are from and for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Cause<'s> {
    Plain {
        replies: bool,
        code: Code,
        resource: &'s str,
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
    /// A host that carries no group stops by itself.
    Groups {
        set: SetIx,
        alone: Option<HostIx>,
        direction: Direction,
        unheard: Option<&'s RuleIdentity>,
        references: bool,
    },
}

/// Whom a cause stops.
#[derive(Debug)]
struct Stopped<'s> {
    stage: &'s Stage,
    flows: Flows,
    /// Who is at the other end.
    others: BTreeSet<(IpAddr, Option<HostIx>)>,
}

/// What stops packets, as it is found.
#[derive(Debug)]
pub(super) struct Blocked<'s> {
    walk: Walk<'s>,
    causes: BTreeMap<Cause<'s>, Stopped<'s>>,
}

impl<'s> Blocked<'s> {
    pub(super) fn new(walk: Walk<'s>) -> Self {
        Self { walk, causes: BTreeMap::new() }
    }

    /// Notes that a stage stops some flows.
    pub(super) fn add(&mut self, stage: &'s Stage, flows: Flows) {
        let cause = self.cause(stage, &flows);
        let stopped = self.causes.entry(cause);
        let stopped =
            stopped.or_insert_with(|| Stopped { stage, flows: Flows::NONE, others: BTreeSet::new() });
        stopped.flows = stopped.flows.union(&flows);
        match &stage.note {
            Note::Plain(_) => {}
            Note::Acl { other, .. } => {
                stopped.others.insert((*other, None));
            }
            Note::Groups(asked) => {
                stopped.others.insert((asked.other, asked.peer));
            }
        }
    }

    fn cause(&self, stage: &'s Stage, flows: &Flows) -> Cause<'s> {
        match &stage.note {
            Note::Plain(Plain { code, resource, why, .. }) => {
                Cause::Plain { replies: stage.replies, code: *code, resource, why }
            }
            Note::Acl { acl, subnet, direction, other } => Cause::Acl {
                replies: stage.replies,
                acl: *acl,
                subnet: *subnet,
                direction: *direction,
                entry: self.walk.denying(stage, *acl, *direction, *other, flows).map(|(number, _)| number),
            },
            Note::Groups(asked) => {
                let Asked { host, direction, references, .. } = *asked;
                let set = self.walk.network.hosts.at(host).set;
                let alone = self.walk.network.sets.at(set).groups.is_empty().then_some(host);
                let unheard = self.walk.unheard(*asked, flows);
                Cause::Groups { set, alone, direction, unheard, references }
            }
        }
    }

    /// All of it, in words.
    pub(super) fn into_blockers(self) -> Vec<Blocker> {
        let walk = self.walk;
        let words = self.causes.into_iter().map(|(cause, stopped)| walk.stopped(&cause, stopped));
        let mut blockers: Vec<Blocker> = words.collect();
        blockers.sort_by(|a, b| {
            let key = |blocker: &Blocker| (blocker.replies, blocker.code);
            key(a).cmp(&key(b)).then_with(|| (&a.resource, &a.why).cmp(&(&b.resource, &b.why)))
        });
        blockers
    }
}

impl<'a> Walk<'a> {
    /// A stage as a blocker of some flows.
    pub(super) fn blocker(self, stage: &'a Stage, flows: Flows) -> Option<Blocker> {
        let mut blocked = Blocked::new(self);
        blocked.add(stage, flows);
        blocked.into_blockers().pop()
    }

    fn stopped(self, cause: &Cause<'_>, stopped: Stopped<'_>) -> Blocker {
        match &stopped.stage.note {
            Note::Plain(plain) => Blocker {
                code: plain.code,
                resource: plain.resource.clone(),
                name: plain.name.clone(),
                kind: plain.kind,
                why: plain.why.clone(),
                lift: plain.lift.clone(),
                flows: stopped.flows,
                replies: stopped.stage.replies,
            },
            Note::Acl { acl, subnet, direction, .. } => self.acl_blocker(*acl, *subnet, *direction, stopped),
            Note::Groups(asked) => {
                let unheard = match cause {
                    Cause::Groups { unheard, .. } => *unheard,
                    Cause::Plain { .. } | Cause::Acl { .. } => None,
                };
                self.group_blocker(*asked, unheard, stopped)
            }
        }
    }

    /// The first of them, and how many more.
    fn others(self, others: &BTreeSet<(IpAddr, Option<HostIx>)>) -> String {
        let Some((address, peer)) = others.first() else { return "nobody".into() };
        let first = match peer {
            Some(peer) => format!("{address} ({})", self.network.hosts.at(*peer).title()),
            None => address.to_string(),
        };
        match others.len() - 1 {
            0 => first,
            more => format!("{first} and {more} more"),
        }
    }

    /// The entry of an ACL that denies what a stage does not let through.
    fn denying(
        self,
        stage: &Stage,
        acl: Option<AclIx>,
        direction: Direction,
        other: IpAddr,
        flows: &Flows,
    ) -> Option<(u32, String)> {
        let flow = if stage.replies { None } else { flows.first() };
        let (number, words, allows) = self.deciding(acl?, direction, other, &flow?)?;
        (!allows).then_some((number, words))
    }

    fn acl_blocker(
        self,
        acl: Option<AclIx>,
        subnet: SubnetIx,
        direction: Direction,
        stopped: Stopped<'_>,
    ) -> Blocker {
        let Stopped { stage, flows, others } = stopped;
        let replies = stage.replies;
        let (resource, name) = self.acl_name(acl, subnet);
        let node = self.network.subnets.at(subnet);
        let ports = if replies { "the client's port (1024-65535)".to_owned() } else { flows.to_string() };
        let whom = self.others(&others);
        let (way, whom) = match direction {
            Direction::In => ("into", format!("from {whom}")),
            Direction::Out => ("out of", format!("to {whom}")),
        };
        let what = if replies { format!("replies to {ports}") } else { ports };
        let first = others.first().map(|(address, _)| *address);
        let denied = first.and_then(|other| self.denying(stage, acl, direction, other, &flows));
        let entry = match (acl, denied) {
            (None, _) => "it was not seen".into(),
            (Some(_), Some((number, words))) => format!("entry {number} denies {words}"),
            (Some(_), None) => "no entry allows it".into(),
        };
        let direction = if direction == Direction::In { "inbound" } else { "outbound" };
        Blocker {
            code: Code::Acl,
            why: format!("it does not let {what} {way} {} {whom}: {entry}", node.id),
            lift: format!(
                "add an {direction} entry to {resource} that allows {what} {whom}, before the one that denies it"
            ),
            resource,
            name,
            kind: "network ACL",
            flows,
            replies,
        }
    }

    /// A rule that would admit if it were known who carries its group.
    fn unheard(self, asked: Asked, flows: &Flows) -> Option<&'a RuleIdentity> {
        if asked.references {
            return None;
        }
        let set = self.network.sets.at(self.network.hosts.at(asked.host).set);
        let mut rules = set.groups.iter().flat_map(|group| &self.network.groups.at(*group).rules);
        rules.find(|rule| {
            matches!(rule.peer, Peer::Group(_))
                && self.matches(rule, asked, true)
                && Flows::from(rule.flow).meets(flows)
        })
    }

    fn group_blocker(
        self,
        Asked { host, direction, references, .. }: Asked,
        unheard: Option<&RuleIdentity>,
        stopped: Stopped<'_>,
    ) -> Blocker {
        let Stopped { flows, others, .. } = stopped;
        let host = self.network.hosts.at(host);
        let set = self.network.sets.at(host.set);
        let groups: Vec<&GroupNode> = set.groups.iter().map(|group| self.network.groups.at(*group)).collect();
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
            Some(rule) => (
                Code::ReferencesLost,
                format!(
                    "its rule {} does not count here: who carries a group is not known behind this way",
                    self.rule_words(rule)
                ),
            ),
            None if groups.is_empty() => {
                (Code::SecurityGroupEmpty, format!("{} carries no security group", host.title()))
            }
            None if !groups
                .iter()
                .any(|group| group.rules.iter().any(|rule| rule.direction == direction)) =>
            {
                (Code::SecurityGroupEmpty, format!("{} has no {word} rule", named.join(", ")))
            }
            None => {
                let whom = self.others(&others);
                let named = named.join(", ");
                let why = format!("no {word} rule of {named} admits {flows} {preposition} {whom}");
                (Code::SecurityGroup, why)
            }
        };
        // A reference lives longer than an address.
        let shared = if references { self.shared(&others) } else { None };
        let by = match (shared, others.first()) {
            (Some(group), _) => self.network.groups.at(group).id.to_string(),
            (None, Some((address, _))) if others.len() == 1 => Cidr::host(*address).to_string(),
            (None, _) => format!("each of {}", self.others(&others)),
        };
        let first = groups.first();
        let name = first.map(|group| group.name.clone()).filter(|name| !name.is_empty());
        let lift = match first {
            Some(group) => format!("add an {word} rule to {}: {flows} {preposition} {by}", group.id),
            None => format!("give {} a security group", host.label),
        };
        Blocker {
            code,
            kind: if first.is_some() { "security group" } else { "interface" },
            resource: first.map_or_else(|| host.label.clone(), |group| group.id.to_string()),
            name,
            why,
            lift,
            flows,
            replies: false,
        }
    }

    /// A group that all of them carry.
    fn shared(self, others: &BTreeSet<(IpAddr, Option<HostIx>)>) -> Option<GroupIx> {
        let mut shared: Option<BTreeSet<GroupIx>> = None;
        for (_, peer) in others {
            let carried = &self.network.sets.at(self.network.hosts.at((*peer)?).set).groups;
            shared = Some(match shared {
                None => carried.iter().copied().collect(),
                Some(shared) => shared.into_iter().filter(|group| carried.contains(group)).collect(),
            });
        }
        shared?.first().copied()
    }
}
