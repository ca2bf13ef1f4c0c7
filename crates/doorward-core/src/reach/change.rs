//! A change of rules where they stand: only those who may fare otherwise are looked at again, before and after.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::after::{self, Change, Impossible};
use super::answer::{Difference, End, RoleId};
use super::class;
use super::difference::{self, Sides};
use super::passage::{Outside, Spot};
use super::span::Span;
use super::stage::Track;
use super::table::{HostIx, Index as _, SubnetIx};
use super::walk::{References, Walk};
use super::{Flows, Reachability};
use crate::inventory::{Direction, Peer, RuleIdentity, SecurityGroupId};
use crate::net::ranges::{self, Ranges};
use crate::net::{Cidr, Family};

/// Something that may fare otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Probe {
    Between(HostIx, HostIx),
    /// A host and a piece of the addresses outside: the first, the last, and whether it comes in.
    Across(HostIx, Outside, Family, u128, u128, bool),
}

/// What the way between two subnets comes to, for addresses that routes and network ACLs treat alike.
#[derive(Debug, Clone)]
struct Way {
    span: Span,
    references: References,
    seen: Option<IpAddr>,
}

type Ends = (SubnetIx, Family, u32);

/// Ways that were looked at already: no change of rules touches them.
#[derive(Debug, Default)]
struct Ways(HashMap<(Ends, Ends), Option<Way>>);

impl Reachability {
    /// Makes changes here, and says what they open and close. Nothing is changed when one of them cannot be made.
    ///
    /// It looks only at those whom a changed rule names, and so takes much less than [`Self::of`] and
    /// [`Self::difference`] on the inventory after the changes, with the same result.
    pub fn change(&mut self, changes: &[Change]) -> Result<Difference, Impossible> {
        let groups: BTreeSet<SecurityGroupId> = changes.iter().map(|change| change.group.clone()).collect();
        if self.asks_who_sends(&groups) {
            let after = Self::of(after::after(&self.inventory, changes)?);
            let difference = self.difference(&after);
            *self = after;
            return Ok(difference);
        }
        let rules = |side: &Self, group: &SecurityGroupId| -> BTreeSet<RuleIdentity> {
            side.inventory
                .groups
                .get(group)
                .map(|group| group.rules.keys().cloned().collect())
                .unwrap_or_default()
        };
        let old: BTreeMap<SecurityGroupId, BTreeSet<RuleIdentity>> =
            groups.iter().map(|group| (group.clone(), rules(self, group))).collect();
        let wanted = after::edited(&self.inventory, changes)?;
        let changed: Vec<(SecurityGroupId, RuleIdentity)> = wanted
            .iter()
            .flat_map(|(group, standing)| {
                let new: BTreeSet<RuleIdentity> = standing.keys().cloned().collect();
                let old = old.get(group).cloned().unwrap_or_default();
                let differing: Vec<RuleIdentity> = new.symmetric_difference(&old).cloned().collect();
                differing.into_iter().map(|rule| (group.clone(), rule))
            })
            .collect();
        let cidrs: Vec<Cidr> = changed.iter().flat_map(|(_, rule)| self.prefixes(&rule.peer)).collect();
        let probes = self.probes(&changed, &cidrs);
        let mut ways = Ways::default();
        let before: Vec<Span> = probes.iter().map(|probe| self.walk().probed(probe, &mut ways)).collect();
        for (group, standing) in wanted {
            if let Some(group) = self.inventory.groups.get_mut(&group) {
                group.rules = standing;
            }
        }
        self.network.rules_changed(&groups, &self.inventory);
        class::split(&mut self.network, &cidrs);
        let mut sides = Sides::default();
        for (probe, before) in probes.iter().zip(before) {
            let after = self.walk().probed(probe, &mut ways);
            if before != after {
                self.differs(probe, &before, &after, &mut sides);
            }
        }
        Ok(difference::gathered([self, self], sides))
    }

    /// Whether an appliance carries one of the groups: then the ways themselves depend on them.
    fn asks_who_sends(&self, groups: &BTreeSet<SecurityGroupId>) -> bool {
        self.network.hosts.rows().filter(|host| !host.source_dest_check).any(|host| {
            let carried = &self.network.sets.at(host.set).groups;
            carried.iter().any(|group| groups.contains(&self.network.groups.at(*group).id))
        })
    }

    fn prefixes(&self, peer: &Peer) -> Vec<Cidr> {
        match peer {
            Peer::Cidr(cidr) => vec![*cidr],
            Peer::Group(_) => Vec::new(),
            Peer::PrefixList(list) => {
                let list = self.inventory.prefix_lists.get(list).and_then(|list| list.entries.as_ref());
                list.into_iter().flatten().copied().collect()
            }
        }
    }

    fn carriers(&self, group: &SecurityGroupId) -> &[HostIx] {
        let index = self.network.group_of.get(group);
        index.map_or(&[], |index| self.network.groups.at(*index).carriers.as_slice())
    }

    /// Everybody whom a changed rule lets through, or did.
    fn probes(&self, changed: &[(SecurityGroupId, RuleIdentity)], cidrs: &[Cidr]) -> BTreeSet<Probe> {
        let mut probes = BTreeSet::new();
        for (group, rule) in changed {
            let others: Vec<HostIx> = match &rule.peer {
                Peer::Group(peer) => self.carriers(peer).to_vec(),
                peer => self.with_address_in(&self.prefixes(peer), group),
            };
            for &host in self.carriers(group) {
                for &other in others.iter().filter(|other| **other != host) {
                    probes.insert(match rule.direction {
                        Direction::In => Probe::Between(other, host),
                        Direction::Out => Probe::Between(host, other),
                    });
                }
                for prefix in self.prefixes(&rule.peer) {
                    self.across(host, prefix, rule.direction, cidrs, &mut probes);
                }
            }
        }
        probes
    }

    /// Hosts with an address in some prefixes. A receiver may see another source than the sender's own, behind a NAT
    /// gateway: whoever is in a VPC with one counts as well.
    fn with_address_in(&self, prefixes: &[Cidr], of: &SecurityGroupId) -> Vec<HostIx> {
        let translated: BTreeSet<&str> =
            self.inventory.nat_gateways.values().map(|gateway| gateway.vpc.as_str()).collect();
        let near: BTreeSet<&str> = self
            .carriers(of)
            .iter()
            .map(|host| self.network.vpcs.at(self.network.hosts.at(*host).vpc).id.as_str())
            .collect();
        let nat_sees = self.inventory.nat_gateways.values().any(|gateway| {
            gateway.private_address.is_none_or(|own| prefixes.iter().any(|cidr| cidr.contains(own.into())))
        });
        let hosts = self.network.hosts.enumerate().filter(|(_, host)| {
            let vpc = self.network.vpcs.at(host.vpc).id.as_str();
            host.points.iter().any(|point| prefixes.iter().any(|cidr| cidr.contains(point.address)))
                || nat_sees && translated.contains(vpc) && near.contains(vpc)
        });
        hosts.map(|(index, _)| index).collect()
    }

    fn across(
        &self,
        host: HostIx,
        prefix: Cidr,
        direction: Direction,
        cidrs: &[Cidr],
        probes: &mut BTreeSet<Probe>,
    ) {
        let walk = self.walk();
        let family = prefix.family();
        let points = &self.network.hosts.at(host).points;
        if !points.iter().any(|point| ranges::family(point.address) == family) {
            return;
        }
        for kind in std::iter::once(Outside::Internet).chain(walk.remotes()) {
            let range = Ranges::of(family, [prefix]).and(&walk.behind(&kind, family));
            let cuts = walk.cuts(host).into_iter().chain(cidrs.iter().copied());
            for (first, last) in range.cut(cuts) {
                let inward = direction == Direction::In;
                probes.insert(Probe::Across(host, kind.clone(), family, first, last, inward));
            }
        }
    }

    fn differs(&self, probe: &Probe, before: &Span, after: &Span, sides: &mut Sides) {
        let role =
            |host: &HostIx| End::Role(self.role_of.get(host.number()).copied().unwrap_or(RoleId(u32::MAX)));
        for (side, span) in
            sides.iter_mut().zip([difference::lost(before, after), difference::lost(after, before)])
        {
            if span.maybe.is_empty() {
                continue;
            }
            match probe {
                Probe::Between(from, to) => side.entry((role(from), role(to))).or_default().add(&span, 1),
                Probe::Across(host, kind, family, first, last, inward) => {
                    let end = kind.end();
                    let key = if *inward { (end, role(host)) } else { (role(host), end) };
                    let entry = side.entry(key).or_default();
                    entry.add(&span, 1);
                    entry.reach(*family, *first, *last);
                }
            }
        }
    }
}

impl Walk<'_> {
    fn probed(self, probe: &Probe, ways: &mut Ways) -> Span {
        match probe {
            Probe::Between(from, to) => {
                let mut sum = Span::none();
                for a in &self.network.hosts.at(*from).points {
                    for b in &self.network.hosts.at(*to).points {
                        if ranges::family(a.address) == ranges::family(b.address) {
                            let (from, to) = (Spot { host: *from, point: *a }, Spot { host: *to, point: *b });
                            sum = sum.union(&self.known_way(from, to, ways));
                        }
                    }
                }
                sum
            }
            Probe::Across(host, kind, family, first, _, inward) => {
                let direction = if *inward { Direction::In } else { Direction::Out };
                self.across(kind, ranges::address(*family, *first), *host, direction)
            }
        }
    }

    /// Between two spots, by a way that was looked at once for all that are alike.
    fn known_way(self, from: Spot, to: Spot, ways: &mut Ways) -> Span {
        let end = |spot: Spot| {
            let routed = self.network.routed.as_ref().and_then(|routed| routed.at(spot.point.address));
            (
                self.network.hosts.at(spot.host).subnet,
                ranges::family(spot.point.address),
                routed.copied().unwrap_or(u32::MAX),
            )
        };
        let named = |spot: Spot| self.network.classes.at(self.network.hosts.at(spot.host).class).named;
        if named(from) || named(to) {
            return self.between(from, to, false).span;
        }
        let way = ways.0.entry((end(from), end(to))).or_insert_with(|| {
            let mut track = Track::new(false);
            let way = self.way(&mut track, self.sender(from), to.host, to.point.address);
            let (span, _) = track.passes();
            let seen = (way.seen != from.point.address).then_some(way.seen);
            (!way.appliances).then_some(Way { span, references: way.references, seen })
        });
        let Some(way) = way else { return self.between(from, to, false).span };
        let mut track = Track::new(false);
        track.forward = way.span.within(&Flows::of_family(ranges::family(to.point.address)));
        if track.forward.maybe.is_empty() {
            return track.forward;
        }
        self.starts(&mut track, from.host);
        let kept = way.references == References::Kept;
        self.groups(&mut track, from.host, Direction::Out, to.point.address, Some(to.host), kept);
        self.sends(&mut track, from.host, to.host, to.point.address);
        let kept = way.references >= References::Inbound;
        self.receives(&mut track, to.host, way.seen.unwrap_or(from.point.address), Some(from.host), kept);
        track.forward
    }
}
