//! Folding: roles and paths that a reader need not distinguish become one box or one line.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::reach::RoleId;

use crate::{Drawing, Edge, Kind, Outside, Role, Spot, Tier, Vpc};

/// So many roles can be looked at one by one.
const FEW_ROLES: usize = 40;
/// So many of a tier that nothing happens to.
const FEW_IDLE: usize = 4;
/// So many of a kind are worth a box of their own.
const ALIKE: usize = 3;
/// So many lines can be followed one by one.
pub const FEW_LINES: usize = 90;
/// The most boxes; beyond these, what is left of each tier is one.
const BOXES: usize = 1000;
/// The most lines that wait to be looked at, one box at a time; a file must stay small enough to open.
const WAITING: usize = 7000;

/// A thing that lines end at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A number in [`Scene::outside`].
    Outside(usize),
    /// A number in [`Scene::cells`].
    Cell(usize),
    /// A number in [`Scene::bands`].
    Band(usize),
}

/// What is drawn, after folding.
#[derive(Debug, Default)]
pub struct Scene<'a> {
    /// What is outside and has a way, with its number in [`Drawing::outside`].
    pub outside: Vec<(usize, &'a Outside)>,
    /// The VPCs, each with the numbers of its bands.
    pub areas: Vec<Area<'a>>,
    /// The tiers.
    pub bands: Vec<Band<'a>>,
    /// The boxes in them.
    pub cells: Vec<Cell<'a>>,
    /// The lines between boxes, bands and what is outside.
    pub lines: Vec<Line<'a>>,
    /// What passes within one role.
    pub loops: Vec<Line<'a>>,
    /// What passes within one tier, where that is one line.
    pub within: Vec<Line<'a>>,
    /// Lines that wait until somebody looks at one of their ends.
    pub waiting: Vec<Line<'a>>,
    /// How many lines there are that are in neither.
    pub left_out: usize,
    /// Every pair of a box or a place outside between which there is a line, however it is drawn.
    pub links: Vec<(Node, Node)>,
}

/// A VPC.
#[derive(Debug)]
pub struct Area<'a> {
    /// What it is.
    pub vpc: &'a Vpc,
    pub bands: Vec<usize>,
}

/// A tier.
#[derive(Debug)]
pub struct Band<'a> {
    /// What it is.
    pub tier: &'a Tier,
    /// Its VPC.
    pub area: usize,
    /// Its boxes.
    pub cells: Vec<usize>,
}

/// Why roles share a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// They do not: it is one role.
    Alone,
    /// The same ways, some of them inward.
    Alike,
    /// The same ways, all of them outward.
    Unreached,
    /// No ways.
    Idle,
    /// There are too many to draw each.
    Rest,
}

/// A box.
#[derive(Debug)]
pub struct Cell<'a> {
    pub band: usize,
    /// Who is in it.
    pub roles: Vec<&'a Role>,
    /// Why they are in one.
    pub why: Why,
}

/// A line, of one way or many.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// Where it begins.
    pub from: Node,
    /// Where it ends.
    pub to: Node,
    /// The kind that colours it.
    pub kind: Kind,
    /// Whether not all of it passes for sure.
    pub dashed: bool,
    /// What it stands for.
    pub edges: Vec<&'a Edge>,
    /// How many lines between boxes it stands for.
    pub bundles: usize,
}

impl<'a> Line<'a> {
    /// Whether it stands for several lines.
    pub fn is_bundle(&self) -> bool {
        matches!((self.from, self.to), (Node::Band(_), _) | (_, Node::Band(_)))
    }

    /// What passes, each once, in words.
    pub fn flows(&self) -> String {
        let flows: BTreeSet<String> = self.edges.iter().map(|edge| edge.says()).collect();
        flows.into_iter().collect::<Vec<_>>().join("; ")
    }

    /// The same in the fewest letters, for a label: all ports of a protocol are the protocol.
    pub fn label(&self) -> String {
        self.flows().replace("tcp/0-65535", "tcp").replace("udp/0-65535", "udp")
    }

    fn of(from: Node, to: Node, edges: Vec<&'a Edge>) -> Self {
        let kind = edges.iter().map(|edge| edge.kind).max().unwrap_or(Kind::Other);
        let dashed = edges.iter().any(|edge| edge.dashed());
        Self { from, to, kind, dashed, edges, bundles: 1 }
    }
}

/// Folds.
pub fn fold(drawing: &Drawing) -> Scene<'_> {
    let ends: BTreeSet<Spot> = drawing.edges.iter().flat_map(|edge| [edge.from, edge.to]).collect();
    let outside = drawing.outside.iter().enumerate();
    let outside = outside.filter(|(place, _)| ends.contains(&Spot::Outside(*place))).collect();
    let mut scene = Scene { outside, ..Scene::default() };
    let mut node_of: BTreeMap<Spot, Node> = BTreeMap::new();
    for (number, (place, _)) in scene.outside.iter().enumerate() {
        node_of.insert(Spot::Outside(*place), Node::Outside(number));
    }
    let alike = Signatures::of(drawing);
    let most = most(drawing, &alike);
    for vpc in &drawing.vpcs {
        let area = scene.areas.len();
        let mut bands = Vec::new();
        for tier in vpc.tiers.iter().filter(|tier| !tier.roles.is_empty()) {
            let band = scene.bands.len();
            let mut cells = Vec::new();
            for (why, roles) in cropped(boxes(drawing, tier, &alike), most) {
                let cell = scene.cells.len();
                node_of.extend(roles.iter().map(|role| (Spot::Role(role.id), Node::Cell(cell))));
                scene.cells.push(Cell { band, roles, why });
                cells.push(cell);
            }
            scene.bands.push(Band { tier, area, cells });
            bands.push(band);
        }
        scene.areas.push(Area { vpc, bands });
    }
    let mut links: BTreeMap<(Node, Node), Vec<&Edge>> = BTreeMap::new();
    for edge in &drawing.edges {
        // A way from or to nowhere has nowhere to be drawn.
        if let (Some(from), Some(to)) = (node_of.get(&edge.from), node_of.get(&edge.to)) {
            links.entry((*from, *to)).or_default().push(edge);
        }
    }
    let lines = links.into_iter().map(|((from, to), edges)| Line::of(from, to, edges));
    let (loops, lines): (Vec<_>, Vec<_>) = lines.partition(|line| line.from == line.to);
    scene.loops = loops;
    scene.links = lines.iter().map(|line| (line.from, line.to)).collect();
    bundle(&mut scene, lines);
    scene
}

/// What a role sends and receives: whoever has the same can be told apart by name only.
type Signature<'a> = BTreeSet<(bool, Spot, &'a str, &'a str, bool)>;

struct Signatures<'a>(BTreeMap<RoleId, Signature<'a>>);

impl<'a> Signatures<'a> {
    fn of(drawing: &'a Drawing) -> Self {
        let mut all: BTreeMap<RoleId, Signature<'a>> = BTreeMap::new();
        for edge in &drawing.edges {
            for (end, other, inward) in [(edge.from, edge.to, false), (edge.to, edge.from, true)] {
                if let Spot::Role(role) = end {
                    all.entry(role).or_default().insert((
                        inward,
                        other,
                        &edge.flows,
                        &edge.perhaps,
                        edge.whole,
                    ));
                }
            }
        }
        Self(all)
    }
}

/// The boxes of a tier, in the order of their names.
fn boxes<'a>(drawing: &Drawing, tier: &'a Tier, alike: &Signatures<'_>) -> Vec<(Why, Vec<&'a Role>)> {
    let roles: usize = drawing.vpcs.iter().flat_map(|vpc| &vpc.tiers).map(|tier| tier.roles.len()).sum();
    let none = Signature::new();
    let mut groups: BTreeMap<&Signature<'_>, Vec<&Role>> = BTreeMap::new();
    for role in &tier.roles {
        groups.entry(alike.0.get(&role.id).unwrap_or(&none)).or_default().push(role);
    }
    let mut boxes: Vec<(Why, Vec<&Role>)> = Vec::new();
    for (signature, mut roles_alike) in groups {
        roles_alike.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let count = roles_alike.len();
        let folds = if signature.is_empty() {
            count > 1 && (roles > FEW_ROLES || count > FEW_IDLE || drawing.part)
        } else {
            count >= ALIKE && roles > FEW_ROLES
        };
        if folds {
            let why = match signature.iter().any(|(inward, ..)| *inward) {
                _ if signature.is_empty() => Why::Idle,
                true => Why::Alike,
                false => Why::Unreached,
            };
            boxes.push((why, roles_alike));
        } else {
            boxes.extend(roles_alike.into_iter().map(|role| (Why::Alone, vec![role])));
        }
    }
    let name = |roles: &[&Role]| roles.first().map(|role| (role.name.clone(), role.id));
    boxes.sort_by_cached_key(|(why, roles)| (*why, name(roles)));
    boxes
}

/// The most boxes that a tier may have, so that all of them together are not too many.
fn most(drawing: &Drawing, alike: &Signatures<'_>) -> usize {
    let tiers = drawing.vpcs.iter().flat_map(|vpc| &vpc.tiers);
    let counts: Vec<usize> = tiers.map(|tier| boxes(drawing, tier, alike).len()).collect();
    let mut most = counts.iter().copied().max().unwrap_or(0);
    while most > 8 && counts.iter().map(|count| (*count).min(most)).sum::<usize>() > BOXES {
        most = most * 3 / 4;
    }
    most
}

/// The first boxes, and one for the roles of all others.
fn cropped(mut boxes: Vec<(Why, Vec<&Role>)>, most: usize) -> Vec<(Why, Vec<&Role>)> {
    if boxes.len() > most.max(1) {
        let rest = boxes.split_off(most.saturating_sub(1));
        boxes.push((Why::Rest, rest.into_iter().flat_map(|(_, roles)| roles).collect()));
    }
    boxes
}

/// Draws few lines one by one. Of many, those that lead from one tier to another become one.
fn bundle<'a>(scene: &mut Scene<'a>, lines: Vec<Line<'a>>) {
    if lines.len() <= FEW_LINES {
        scene.lines = lines;
        return;
    }
    let whole = |node: Node| match node {
        Node::Cell(cell) => scene.cells.get(cell).map_or(node, |cell| Node::Band(cell.band)),
        Node::Outside(_) | Node::Band(_) => node,
    };
    let mut groups: BTreeMap<(Node, Node, Kind), Vec<Line<'a>>> = BTreeMap::new();
    for line in &lines {
        groups.entry((whole(line.from), whole(line.to), line.kind)).or_default().push(line.clone());
    }
    let singly =
        |alone: usize| -> usize { groups.values().map(Vec::len).filter(|count| *count <= alone).sum() };
    let alone = [3, 2, 1].into_iter().find(|alone| singly(*alone) <= FEW_LINES).unwrap_or(0);
    for ((from, to, kind), group) in groups {
        if group.len() <= alone {
            scene.lines.extend(group);
            continue;
        }
        let edges = group.iter().flat_map(|line| line.edges.iter().copied()).collect();
        let dashed = group.iter().all(|line| line.dashed);
        let line = Line { from, to, kind, dashed, edges, bundles: group.len() };
        if from == to { scene.within.push(line) } else { scene.lines.push(line) }
    }
    if lines.len() <= WAITING {
        scene.waiting = lines;
    } else {
        scene.left_out = lines.len();
    }
}
