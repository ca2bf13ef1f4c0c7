//! Every way there is: between roles, and between them and what is outside.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::Scope;
use super::answer::{End, Pair, RoleId, Way};
use super::ends::Ends;
use super::gathered::Gathered;
use super::intern::{FlowsIx, Interner, Known, SpanIx};
use super::matrix::Matrix;
use super::passage::{Aim, Outside, Spot};
use super::span::Span;
use super::stage::Detail;
use super::table::{ClassIx, HostIx, Index as _};
use super::walk::Walk;
use crate::net::Family;
use crate::net::ranges::{self, Ranges};

/// Who is asked about.
struct Chosen {
    /// Hosts that are meant; none means all of them.
    hosts: Option<BTreeSet<HostIx>>,
    /// Whether what is outside is meant as well.
    outside: Vec<(Outside, Ranges)>,
    /// Whether addresses were named, whatever leads to them.
    by_address: bool,
}

impl<'a> Walk<'a> {
    fn chosen(self, ends: Option<Ends>) -> Chosen {
        let everything = || {
            let mut outside: Vec<(Outside, Ranges)> = Vec::new();
            for kind in std::iter::once(Outside::Internet).chain(self.remotes()) {
                let ranges = [Family::V4, Family::V6].map(|family| self.behind(&kind, family));
                outside.extend(
                    ranges.into_iter().filter(|range| !range.is_empty()).map(|range| (kind.clone(), range)),
                );
            }
            outside
        };
        match ends {
            None => Chosen { hosts: None, outside: everything(), by_address: false },
            Some(ends) => Chosen {
                hosts: Some(ends.hosts.iter().map(|(index, _)| *index).collect()),
                by_address: !ends.internet_only && ends.behind.is_none(),
                outside: ends.outside,
            },
        }
    }

    /// Every pair of hosts between which something surely passes.
    pub(super) fn pairs(self, scope: &Scope, visit: &mut dyn FnMut(Pair<'_>) -> ControlFlow<()>) {
        let from = self.chosen(scope.from.as_ref().map(|end| self.ends(end)));
        let to = self.chosen(scope.to.as_ref().map(|end| self.ends(end)));
        let mut matrix = Matrix::new(self);
        for receiver in self.classes_of(&to) {
            let row = matrix.row(receiver);
            let sinks = self.all_meant(receiver, &to);
            for (sender, span) in row {
                let flows = matrix.interner.flows(span.sure);
                let cut;
                let flows = match &scope.flows {
                    Some(asked) => {
                        cut = flows.and(asked);
                        &cut
                    }
                    None => flows,
                };
                if flows.is_empty() {
                    continue;
                }
                for sink in &sinks {
                    for source in self.meant(sender, &from).filter(|source| source != sink) {
                        let (source, sink) = (self.network.hosts.at(source), self.network.hosts.at(*sink));
                        let pair = Pair { from: &source.label, to: &sink.label, flows };
                        if visit(pair).is_break() {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn classes_of(self, chosen: &Chosen) -> Vec<ClassIx> {
        match &chosen.hosts {
            None => self.network.classes.enumerate().map(|(class, _)| class).collect(),
            Some(hosts) => {
                let classes: BTreeSet<ClassIx> =
                    hosts.iter().map(|host| self.network.hosts.at(*host).class).collect();
                classes.into_iter().collect()
            }
        }
    }

    fn meant(self, class: ClassIx, chosen: &Chosen) -> impl Iterator<Item = HostIx> {
        let members = self.network.classes.at(class).members.iter().copied();
        members.filter(move |host| chosen.hosts.as_ref().is_none_or(|hosts| hosts.contains(host)))
    }

    fn all_meant(self, class: ClassIx, chosen: &Chosen) -> Vec<HostIx> {
        self.meant(class, chosen).collect()
    }

    /// Every way, one receiver after the other; what is outside receives last.
    pub(super) fn ways(
        self,
        role_of: &[RoleId],
        scope: &Scope,
        visit: &mut dyn FnMut(Way) -> ControlFlow<()>,
    ) {
        let from = self.chosen(scope.from.as_ref().map(|end| self.ends(end)));
        let to = self.chosen(scope.to.as_ref().map(|end| self.ends(end)));
        let senders = self.by_role(role_of, &from);
        let sizes: BTreeMap<RoleId, usize> = senders
            .iter()
            .map(|(role, classes)| (*role, classes.iter().map(|(_, hosts)| hosts.len()).sum()))
            .collect();
        let sources: Known<ClassIx, (RoleId, usize)> = senders
            .iter()
            .flat_map(|(role, classes)| classes.iter().map(|(class, hosts)| (*class, (*role, hosts.len()))))
            .collect();
        let mut matrix = Matrix::new(self);
        let asked = scope.flows.as_ref().map(|flows| matrix.interner.number(flows));
        let mut gathered: Known<RoleId, Gathered> = Known::default();
        for (receiver, classes) in self.by_role(role_of, &to) {
            let sinks: usize = classes.iter().map(|(_, hosts)| hosts.len()).sum();
            for (class, hosts) in &classes {
                for (sender, span) in matrix.row(*class) {
                    let span = cut(&mut matrix.interner, span, asked);
                    if span.is_none() {
                        continue;
                    }
                    let Some((role, count)) = sources.get(&sender) else { continue };
                    let own = if sender == *class { own_pairs(hosts, &from) } else { 0 };
                    let pairs = count * hosts.len() - own;
                    if pairs > 0 {
                        gathered.entry(*role).or_default().add(&mut matrix.interner, span, pairs);
                    }
                }
            }
            let interner = &mut matrix.interner;
            for (outside, reached) in self.incoming(&from, &classes, asked, interner) {
                let ends = (outside.end(), End::Role(receiver));
                if visit(outside_way(&outside, ends, &reached, sinks, &from, interner)).is_break() {
                    return;
                }
            }
            let mut gathered: Vec<(RoleId, Gathered)> = gathered.drain().collect();
            gathered.sort_unstable_by_key(|(sender, _)| *sender);
            for (sender, gathered) in gathered {
                let sources = sizes.get(&sender).copied().unwrap_or(0);
                let own = || classes.iter().map(|(_, hosts)| own_pairs(hosts, &from)).sum();
                let both = if sender == receiver { own() } else { 0 };
                let whole = gathered.is_alike() && gathered.pairs == sources * sinks - both;
                let way = Way {
                    from: End::Role(sender),
                    to: End::Role(receiver),
                    flows: interner.flows(gathered.span.sure).clone(),
                    at_most: interner.flows(gathered.span.maybe).clone(),
                    whole,
                    addresses: Vec::new(),
                };
                if visit(way).is_break() {
                    return;
                }
            }
        }
        self.ways_out(&senders, asked, &mut matrix.interner, &to, visit);
    }

    /// Who is meant, by roles; a class is of one role.
    fn by_role(self, role_of: &[RoleId], chosen: &Chosen) -> BTreeMap<RoleId, Vec<(ClassIx, Vec<HostIx>)>> {
        let mut by_role: BTreeMap<RoleId, Vec<(ClassIx, Vec<HostIx>)>> = BTreeMap::new();
        for class in self.classes_of(chosen) {
            let hosts = self.all_meant(class, chosen);
            let role = hosts.first().and_then(|host| role_of.get(host.number()));
            if let Some(role) = role {
                by_role.entry(*role).or_default().push((class, hosts));
            }
        }
        by_role
    }

    fn incoming(
        self,
        from: &Chosen,
        classes: &[(ClassIx, Vec<HostIx>)],
        asked: Option<FlowsIx>,
        interner: &mut Interner,
    ) -> BTreeMap<Outside, Gathered> {
        let mut reached: BTreeMap<Outside, Gathered> = BTreeMap::new();
        for (class, hosts) in classes {
            let Some(&host) = self.network.classes.at(*class).members.first() else { continue };
            for (outside, ranges) in &from.outside {
                for spot in self.outside_spots(host, outside, ranges.family) {
                    let pieces = self.pieces(ranges, host).into_iter().map(|(first, last, address)| {
                        let passage = self.inward(outside, address, spot, Detail::Sum);
                        ((ranges.family, first, last), passage.span)
                    });
                    collect(&mut reached, outside, hosts.len(), pieces, asked, interner);
                }
            }
        }
        reached
    }

    /// The addresses of a host that the outside can be asked about at all.
    pub(super) fn outside_spots(self, host: HostIx, outside: &Outside, family: Family) -> Vec<Spot> {
        let node = self.network.hosts.at(host);
        let points = node.points.iter().filter(|point| {
            let public = *outside != Outside::Internet || point.public || family == Family::V6;
            ranges::family(point.address) == family && public
        });
        points.map(|point| Spot { host, point: *point }).collect()
    }

    fn ways_out(
        self,
        senders: &BTreeMap<RoleId, Vec<(ClassIx, Vec<HostIx>)>>,
        asked: Option<FlowsIx>,
        interner: &mut Interner,
        to: &Chosen,
        visit: &mut dyn FnMut(Way) -> ControlFlow<()>,
    ) {
        for (sender, classes) in senders {
            let mut reached: BTreeMap<Outside, Gathered> = BTreeMap::new();
            for (class, hosts) in classes {
                let Some(&host) = self.network.classes.at(*class).members.first() else { continue };
                for (outside, ranges) in &to.outside {
                    let node = self.network.hosts.at(host);
                    let points =
                        node.points.iter().filter(|point| ranges::family(point.address) == ranges.family);
                    for point in points {
                        let spot = Spot { host, point: *point };
                        let aim = if to.by_address { Aim::Anywhere } else { Aim::of(outside) };
                        let pieces = self.pieces(ranges, host).into_iter().map(|(first, last, address)| {
                            let passage = self.outward(spot, address, aim, Detail::Sum);
                            ((ranges.family, first, last), passage.span)
                        });
                        collect(&mut reached, outside, hosts.len(), pieces, asked, interner);
                    }
                }
            }
            let hosts = classes.iter().map(|(_, hosts)| hosts.len()).sum();
            for (outside, reached) in reached {
                let ends = (End::Role(*sender), outside.end());
                if visit(outside_way(&outside, ends, &reached, hosts, to, interner)).is_break() {
                    return;
                }
            }
        }
    }
}

/// How many hosts of a receiver are among the senders: nobody sends to himself.
fn own_pairs(hosts: &[HostIx], from: &Chosen) -> usize {
    hosts.iter().filter(|host| from.hosts.as_ref().is_none_or(|all| all.contains(host))).count()
}

fn cut(interner: &mut Interner, span: SpanIx, asked: Option<FlowsIx>) -> SpanIx {
    asked.map_or(span, |asked| interner.both(span, SpanIx::exact(asked)))
}

fn collect(
    reached: &mut BTreeMap<Outside, Gathered>,
    outside: &Outside,
    hosts: usize,
    pieces: impl Iterator<Item = ((Family, u128, u128), Span)>,
    asked: Option<FlowsIx>,
    interner: &mut Interner,
) {
    let mut any = false;
    for ((family, first, last), span) in pieces {
        let span = interner.span(&span);
        let span = cut(interner, span, asked);
        if span.is_none() {
            continue;
        }
        let gathered = reached.entry(outside.clone()).or_default();
        gathered.add(interner, span, 0);
        gathered.reach(family, first, last);
        any = true;
    }
    if any && let Some(gathered) = reached.get_mut(outside) {
        gathered.pairs += hosts;
    }
}

fn outside_way(
    outside: &Outside,
    (from, to): (End, End),
    reached: &Gathered,
    hosts: usize,
    of: &Chosen,
    interner: &Interner,
) -> Way {
    let ranges = reached.ranges();
    // All that was asked about, of every family that something passes for.
    let all =
        ranges.iter().all(|range| of.outside.iter().any(|(kind, asked)| kind == outside && asked == range));
    Way {
        from,
        to,
        flows: interner.flows(reached.span.sure).clone(),
        at_most: interner.flows(reached.span.maybe).clone(),
        whole: reached.is_alike() && all && reached.pairs >= hosts,
        addresses: if all { Vec::new() } else { ranges.iter().flat_map(Ranges::prefixes).collect() },
    }
}
