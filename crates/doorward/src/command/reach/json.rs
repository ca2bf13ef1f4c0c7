//! Answers as JSON: flows in FLOW's own syntax, merged and sorted.

use std::collections::BTreeMap;

use doorward_core::inventory::{Gap, NamedResource, ResourceKind, ResourceRef};
use doorward_core::net::Flow;
use doorward_core::reach::{
    AllowedPath, Answer, Back, Blocker, Change, Code, End, Flows, Hop, Pair, Part, Role, RoleId, Selector,
    Verdict,
};
use serde::Serialize;

use super::answer::Asked;
use super::listing::Names;

/// The answer to one question.
#[derive(Serialize)]
pub(super) struct Question<'a> {
    verdict: Verdict,
    flows: Vec<Flow>,
    hops: Vec<HopView<'a>>,
    blockers: Vec<BlockerView<'a>>,
    #[serde(rename = "return")]
    back: BackView<'a>,
    gaps: &'a [Gap],
    at_most: Vec<Flow>,
    parts: Vec<PartView<'a>>,
    notes: &'a [String],
    from: EndpointView<'a>,
    to: EndpointView<'a>,
    /// None when all that passes was asked for.
    asked: Option<Vec<Flow>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    assumed: &'a [String],
}

pub(super) fn question<'a>(answer: &'a Answer, asked: &Asked<'a>, assumed: &'a [String]) -> Question<'a> {
    Question {
        verdict: answer.verdict,
        flows: answer.flows.list(),
        hops: hops(&answer.hops),
        blockers: answer.blockers.iter().map(blocker).collect(),
        back: back(&answer.back),
        gaps: &answer.gaps,
        at_most: answer.at_most.list(),
        parts: answer.parts.iter().map(part).collect(),
        notes: &answer.notes,
        from: endpoint(asked.from),
        to: endpoint(asked.to),
        asked: asked.flows.map(Flows::list),
        assumed,
    }
}

#[derive(Serialize)]
struct HopView<'a> {
    resource: &'a str,
    kind: ResourceKind,
    because: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

fn hops(hops: &[Hop]) -> Vec<HopView<'_>> {
    hops.iter().map(hop).collect()
}

fn hop(hop: &Hop) -> HopView<'_> {
    let Hop { resource, name, because } = hop;
    HopView { resource: resource.id(), kind: resource.kind(), because, name: name.as_deref() }
}

#[derive(Serialize)]
pub(super) struct BlockerView<'a> {
    code: Code,
    resource: &'a str,
    why: &'a str,
    fix: String,
    changes: &'a [Change],
    kind: ResourceKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    flows: Vec<Flow>,
    replies: bool,
}

pub(super) fn blocker(blocker: &Blocker) -> BlockerView<'_> {
    let Blocker { code, resource, name, why, fix, flows, replies } = blocker;
    let (name, flows) = (name.as_deref(), flows.list());
    let (kind, resource) = (resource.kind(), resource.id());
    let (changes, fix) = (fix.changes(), fix.to_string());
    BlockerView { code: *code, resource, why, fix, changes, kind, name, flows, replies: *replies }
}

#[derive(Serialize)]
struct BackView<'a> {
    verdict: Verdict,
    ports: Vec<String>,
    hops: Vec<HopView<'a>>,
}

fn back(back: &Back) -> BackView<'_> {
    let ports = back.ports.iter().map(ToString::to_string).collect();
    BackView { verdict: back.verdict, ports, hops: hops(&back.hops) }
}

#[derive(Serialize)]
struct PartView<'a> {
    from: &'a str,
    to: &'a str,
    flows: Vec<Flow>,
    verdict: Verdict,
}

fn part(part: &Part) -> PartView<'_> {
    PartView { from: &part.from, to: &part.to, flows: part.flows.list(), verdict: part.verdict }
}

#[derive(Serialize)]
pub(super) struct EndpointView<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

pub(super) fn endpoint(endpoint: &Selector) -> EndpointView<'_> {
    match endpoint {
        Selector::Internet => EndpointView { kind: "internet", id: None, name: None },
        Selector::Address(address) => {
            EndpointView { kind: "address", id: Some(address.to_string()), name: None }
        }
        Selector::Cidr(cidr) => EndpointView { kind: "cidr", id: Some(cidr.to_string()), name: None },
        Selector::Host(name) => EndpointView { kind: "name", id: Some(name.to_string()), name: None },
        Selector::Resource(resource) => EndpointView {
            kind: resource.resource.kind().word(),
            id: Some(resource.resource.id().to_owned()),
            name: resource.name.as_deref(),
        },
        Selector::Several(several) => {
            EndpointView { kind: "several", id: Some(several.text.clone()), name: None }
        }
    }
}

/// One end of a path.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum EndView<'a> {
    Role { id: u32, name: &'a str },
    Internet,
    Remote { id: &'a str },
}

fn end<'a>(end: &'a End, names: &Names<'a>) -> EndView<'a> {
    match end {
        End::Role(role) => EndView::Role { id: role.0, name: names.name(*role) },
        End::Internet => EndView::Internet,
        End::Remote(id) => EndView::Remote { id: id.id() },
    }
}

/// What passes between two ends.
#[derive(Serialize)]
pub(super) struct PathView<'a> {
    from: EndView<'a>,
    to: EndView<'a>,
    flows: Vec<Flow>,
    whole: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    at_most: Vec<Flow>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    addresses: &'a [doorward_core::net::Cidr],
}

pub(super) fn path<'a>(path: &'a AllowedPath, names: &Names<'a>) -> PathView<'a> {
    PathView {
        from: end(&path.from, names),
        to: end(&path.to, names),
        flows: path.flows.list(),
        whole: path.whole,
        at_most: path.at_most.minus(&path.flows).list(),
        addresses: &path.addresses,
    }
}

/// Who is in a role.
#[derive(Serialize)]
pub(super) struct RoleView<'a> {
    id: u32,
    name: &'a str,
    vpc: &'a doorward_core::inventory::VpcId,
    subnets: Vec<&'a doorward_core::inventory::SubnetId>,
    groups: Vec<&'a doorward_core::inventory::SecurityGroupId>,
    members: &'a [ResourceRef],
    owners: Vec<String>,
    public: bool,
}

pub(super) fn role(role: &Role) -> RoleView<'_> {
    RoleView {
        id: role.id.0,
        name: &role.name,
        vpc: &role.vpc,
        subnets: role.subnets.iter().collect(),
        groups: role.groups.iter().collect(),
        members: &role.members,
        owners: role.owners.iter().map(NamedResource::described).collect(),
        public: role.public,
    }
}

/// The roles that some paths name, each once.
pub(super) fn roles_of<'a>(paths: &[AllowedPath], names: &Names<'a>) -> Vec<RoleView<'a>> {
    let ends = paths.iter().flat_map(|path| [&path.from, &path.to]);
    let named: BTreeMap<RoleId, &'a Role> = ends
        .filter_map(|end| match end {
            End::Role(id) => Some((*id, names.role(*id)?)),
            End::Internet | End::Remote(_) => None,
        })
        .collect();
    named.into_values().map(role).collect()
}

/// A line of a list.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Line<'a> {
    Role { role: RoleView<'a> },
    Path(PathView<'a>),
    Pair { from: &'a str, to: &'a str, flows: Vec<Flow> },
    Gap { gap: &'a Gap },
    Note { note: &'a str },
    Assumed { assumed: &'a str },
}

pub(super) fn pair<'a>(pair: &Pair<'a>) -> Line<'a> {
    Line::Pair { from: pair.from.id(), to: pair.to.id(), flows: pair.flows.list() }
}

/// What a change opens and closes.
#[derive(Serialize)]
pub(super) struct Comparison<'a> {
    pub opened: Vec<PathView<'a>>,
    pub closed: Vec<PathView<'a>>,
    /// Numbers of roles are of the account afterwards.
    pub roles_of_opened: Vec<RoleView<'a>>,
    /// And these of the account before.
    pub roles_of_closed: Vec<RoleView<'a>>,
    pub gaps: &'a [Gap],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub notes: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub assumed: &'a [String],
}
