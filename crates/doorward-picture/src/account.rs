//! From an account to a drawing: names, tiers and paths as people would name them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use doorward_core::inventory::{Destination, Inventory, RouteTarget, Subnet, SubnetId, Tags};
use doorward_core::reach::{self, End, Flows, PathQuery, Reachability, Selector};

use crate::{Drawing, Edge, Kind, Outside, Role, Spot, Tier, Vpc};

/// So many sets of addresses outside have a place of their own; the rest share one.
const ADDRESSES: usize = 4;
/// So many prefixes are named.
const PREFIXES: usize = 3;
/// So many gaps are named.
const GAPS: usize = 2;
/// The most ways that are looked at; very many roles that all reach each other have millions.
const WAYS: usize = 200_000;

/// The picture of what can be reached.
pub fn drawing(reachability: &Reachability, scope: &PathQuery) -> Drawing {
    let inventory = reachability.inventory();
    let mut found: Vec<reach::AllowedPath> = Vec::new();
    let mut more = false;
    reachability.paths(scope, &mut |path| {
        more = found.len() >= WAYS;
        if more {
            return ControlFlow::Break(());
        }
        found.push(path);
        ControlFlow::Continue(())
    });
    let places = Places::of(&found);
    let mut drawing = Drawing {
        title: title(inventory, scope),
        notes: notes(inventory),
        part: scope.from.is_some() || scope.to.is_some() || scope.flows.is_some(),
        ..Drawing::default()
    };
    if more {
        drawing.notes.insert(0, format!("There are more than the {WAYS} paths that this picture shows."));
    }
    drawing.vpcs = vpcs(reachability);
    drawing.outside = places.list(inventory);
    // Several ways between two ends, each for some of the addresses that share a place, are one line.
    let mut merged: BTreeMap<(Spot, Spot), Merged> = BTreeMap::new();
    for path in &found {
        let ends = (places.spot(&path.from, path), places.spot(&path.to, path));
        let into = merged.entry(ends).or_default();
        into.whole =
            if into.count == 0 { path.whole } else { into.whole && path.whole && into.flows == path.flows };
        into.count += 1;
        into.flows = into.flows.union(&path.flows);
        into.at_most = into.at_most.union(&path.at_most);
    }
    drawing.edges = merged
        .into_iter()
        .map(|((from, to), path)| {
            // What is only possible is drawn, too, in the colour of what is possible.
            let kind = Kind::of(if path.flows.is_empty() { &path.at_most } else { &path.flows });
            let perhaps = path.at_most.minus(&path.flows);
            Edge { from, to, flows: words(&path.flows), perhaps: words(&perhaps), kind, whole: path.whole }
        })
        .collect();
    drawing
}

/// What a picture is of.
fn title(inventory: &Inventory, scope: &PathQuery) -> String {
    let called = |end: &Selector| match end {
        Selector::Internet => "the internet".to_owned(),
        Selector::Address(address) => address.to_string(),
        Selector::Cidr(cidr) => cidr.to_string(),
        Selector::Host(name) => name.to_string(),
        Selector::Resource(resource) => {
            resource.name.clone().unwrap_or_else(|| resource.resource.to_string())
        }
        Selector::Several(several) => several.text.clone(),
    };
    let what = match (&scope.from, &scope.to) {
        (None, None) => "Network reachability".to_owned(),
        (Some(from), None) => format!("Paths from {}", called(from)),
        (None, Some(to)) => format!("Paths to {}", called(to)),
        (Some(from), Some(to)) => format!("Paths from {} to {}", called(from), called(to)),
    };
    let by = scope.flows.as_ref().map(|flows| format!(" for {flows}")).unwrap_or_default();
    let owners: BTreeSet<&str> = inventory.vpcs.values().filter_map(|vpc| vpc.owner.as_deref()).collect();
    let whose = match owners.into_iter().collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        [owner] => format!(" in account {owner}"),
        owners => format!(" in {} accounts", owners.len()),
    };
    format!("{what}{by}{whose}")
}

/// The ends of a way as a question names them: any of a role stands for all of them.
pub fn endpoints(reachability: &Reachability, drawing: &Drawing, path: &Edge) -> Option<(String, String)> {
    let from = endpoint(reachability, drawing, path.from, 0)?;
    // What passes within a role passes between two of it.
    Some((from, endpoint(reachability, drawing, path.to, usize::from(path.from == path.to))?))
}

fn endpoint(reachability: &Reachability, drawing: &Drawing, spot: Spot, member: usize) -> Option<String> {
    match spot {
        Spot::Outside(place) => {
            let outside = drawing.outside.get(place)?;
            if outside.internet {
                Some("internet".into())
            } else {
                outside.name.split(", ").next().map(str::to_owned)
            }
        }
        Spot::Role(id) => {
            let role = reachability.roles().get(usize::try_from(id.0).ok()?)?;
            let member = role.members.get(member)?;
            Some(Selector::text_of(member, reachability.inventory()))
        }
    }
}

fn words(flows: &Flows) -> String {
    if flows.is_empty() { String::new() } else { flows.to_string() }
}

#[derive(Default)]
struct Merged {
    flows: Flows,
    at_most: Flows,
    whole: bool,
    count: usize,
}

/// The places outside, and which addresses stand at which.
struct Places {
    internet: bool,
    remotes: BTreeSet<String>,
    /// The sets of addresses that have a place, as text.
    addresses: Vec<String>,
    others: bool,
}

impl Places {
    fn of(edges: &[reach::AllowedPath]) -> Self {
        let mut places =
            Self { internet: false, remotes: BTreeSet::new(), addresses: Vec::new(), others: false };
        let mut sets: BTreeMap<String, usize> = BTreeMap::new();
        for path in edges {
            for end in [&path.from, &path.to] {
                match end {
                    End::Internet if path.addresses.is_empty() => places.internet = true,
                    End::Internet => *sets.entry(named(path)).or_default() += 1,
                    End::Remote(id) => {
                        places.remotes.insert(id.to_string());
                    }
                    End::Role(_) => {}
                }
            }
        }
        let mut order: Vec<(usize, String)> = sets.into_iter().map(|(set, count)| (count, set)).collect();
        order.sort_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
        places.others = order.len() > ADDRESSES;
        places.addresses = order.into_iter().take(ADDRESSES).map(|(_, set)| set).collect();
        places
    }

    fn list(&self, inventory: &Inventory) -> Vec<Outside> {
        let mut list = Vec::new();
        if self.internet {
            let about = "all public addresses".into();
            list.push(Outside { name: "Internet".into(), about, internet: true });
        }
        for id in &self.remotes {
            let about = match remote_name(inventory, id) {
                Some(name) => format!("{name}, over VPN or Direct Connect"),
                None => "over VPN or Direct Connect".into(),
            };
            list.push(Outside { name: id.clone(), about, internet: false });
        }
        for set in &self.addresses {
            list.push(Outside { name: set.clone(), about: "external addresses".into(), internet: false });
        }
        if self.others {
            let about = "other external addresses".into();
            list.push(Outside { name: "Other addresses".into(), about, internet: false });
        }
        list
    }

    fn spot(&self, end: &End, path: &reach::AllowedPath) -> Spot {
        let internet = usize::from(self.internet);
        let addresses = internet + self.remotes.len();
        match end {
            End::Role(id) => Spot::Role(*id),
            End::Internet if path.addresses.is_empty() => Spot::Outside(0),
            End::Internet => {
                let name = named(path);
                let place = self.addresses.iter().position(|set| *set == name);
                Spot::Outside(addresses + place.unwrap_or(self.addresses.len()))
            }
            End::Remote(id) => {
                let place = self.remotes.iter().position(|remote| remote == id.id());
                Spot::Outside(internet + place.unwrap_or(0))
            }
        }
    }
}

/// Addresses in a few words.
fn named(path: &reach::AllowedPath) -> String {
    let mut words: Vec<String> = path.addresses.iter().take(PREFIXES).map(ToString::to_string).collect();
    if path.addresses.len() > PREFIXES {
        words.push(format!("and {} more", path.addresses.len() - PREFIXES));
    }
    words.join(", ")
}

fn tagged(tags: &Tags) -> Option<&str> {
    tags.get("Name").map(|name| name.trim()).filter(|name| !name.is_empty())
}

fn remote_name<'a>(inventory: &'a Inventory, id: &str) -> Option<&'a str> {
    let gateways = inventory.vpn_gateways.values().find(|gateway| gateway.id.as_str() == id);
    let attachments = inventory.attachments.values().find(|attachment| attachment.id.as_str() == id);
    gateways.map(|gateway| &gateway.tags).or(attachments.map(|attachment| &attachment.tags)).and_then(tagged)
}

/// What could not be seen, for the foot of the picture.
fn notes(inventory: &Inventory) -> Vec<String> {
    let gaps = &inventory.gaps;
    let mut notes: Vec<String> =
        gaps.iter().take(GAPS).map(|gap| format!("Missing from the inventory: {gap}.")).collect();
    if let more @ 1.. = gaps.len().saturating_sub(GAPS) {
        let calls = if more == 1 { "call" } else { "calls" };
        notes.push(format!("{more} more {calls} failed, so paths may be missing."));
    }
    notes
}

fn vpcs(reachability: &Reachability) -> Vec<Vpc> {
    let inventory = reachability.inventory();
    let mut tiers: BTreeMap<_, BTreeMap<Vec<SubnetId>, Vec<Role>>> = BTreeMap::new();
    for role in reachability.roles() {
        let subnets: Vec<SubnetId> = role.subnets.iter().cloned().collect();
        tiers.entry(role.vpc.clone()).or_default().entry(subnets).or_default().push(drawn(inventory, role));
    }
    tiers
        .into_iter()
        .map(|(id, tiers)| {
            let vpc = inventory.vpcs.get(&id);
            let mut about: Vec<String> =
                vpc.into_iter().flat_map(|vpc| &vpc.cidrs).map(ToString::to_string).collect();
            about.extend(vpc.map(|vpc| vpc.account_region.to_string()));
            Vpc {
                name: vpc.and_then(|vpc| tagged(&vpc.tags)).map(str::to_owned),
                about,
                tiers: together(tiers)
                    .into_iter()
                    .map(|(subnets, roles)| tier(inventory, &subnets, roles))
                    .collect(),
                id: id.to_string(),
            }
        })
        .collect()
}

/// Roles may be in some of the subnets that share a table and an ACL: their sets are joined where they overlap.
fn together(tiers: BTreeMap<Vec<SubnetId>, Vec<Role>>) -> Vec<(BTreeSet<SubnetId>, Vec<Role>)> {
    let mut joined: Vec<(BTreeSet<SubnetId>, Vec<Role>)> = Vec::new();
    for (subnets, roles) in tiers {
        let mut now: (BTreeSet<SubnetId>, Vec<Role>) = (subnets.into_iter().collect(), roles);
        let (mut apart, mut touched) = (Vec::new(), Vec::new());
        for other in joined {
            if other.0.is_disjoint(&now.0) { apart.push(other) } else { touched.push(other) }
        }
        for (subnets, roles) in touched {
            now.0.extend(subnets);
            now.1.extend(roles);
        }
        apart.push(now);
        joined = apart;
    }
    for (_, roles) in &mut joined {
        roles.sort_by_key(|role| role.id);
    }
    joined.sort_by(|a, b| a.0.cmp(&b.0));
    joined
}

fn drawn(inventory: &Inventory, role: &reach::Role) -> Role {
    let groups = role.groups.iter().map(|id| {
        let group = inventory.groups.get(id);
        group.map_or_else(|| id.to_string(), |group| group.name.clone())
    });
    Role {
        id: role.id,
        name: role.name.clone(),
        groups: groups.collect(),
        members: role.members.len(),
        public: role.public,
    }
}

fn tier(inventory: &Inventory, ids: &BTreeSet<SubnetId>, roles: Vec<Role>) -> Tier {
    let subnets: Vec<&Subnet> = ids.iter().filter_map(|id| inventory.subnets.get(id)).collect();
    let names: Vec<&str> = subnets.iter().filter_map(|subnet| tagged(&subnet.tags)).collect();
    let count = if ids.len() == 1 { "1 subnet".to_owned() } else { format!("{} subnets", ids.len()) };
    let title = shared_name(&names).unwrap_or_else(|| match (names.as_slice(), ids.first()) {
        ([first, ..], _) => (*first).to_owned(),
        ([], Some(first)) if ids.len() == 1 => first.to_string(),
        _ => count.clone(),
    });
    let mut about: Vec<String> =
        ids.first().and_then(|id| way_out(inventory, id)).map(str::to_owned).into_iter().collect();
    if title != count {
        about.push(count);
    }
    let zones: BTreeSet<&str> = subnets.iter().filter_map(|subnet| subnet.zone.as_deref()).collect();
    about.extend((!zones.is_empty()).then(|| zones.into_iter().collect::<Vec<_>>().join(", ")));
    Tier { title, about: about.join(" · "), subnets: ids.iter().map(ToString::to_string).collect(), roles }
}

/// What names have in common at their beginning, up to a break between words.
fn shared_name(names: &[&str]) -> Option<String> {
    let [first, rest @ ..] = names else { return None };
    let mut shared = *first;
    for name in rest {
        let same = shared.char_indices().zip(name.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
        let end = same.unwrap_or(shared.len().min(name.len()));
        shared = shared.get(..end).unwrap_or_default();
    }
    let shared = shared.trim_end_matches(['-', '_', ' ', '.', '/', ':']);
    (shared.chars().count() > 1).then(|| shared.to_owned())
}

/// Which way out the routes of a subnet leave.
fn way_out(inventory: &Inventory, id: &SubnetId) -> Option<&'static str> {
    let vpc = &inventory.subnets.get(id)?.vpc;
    let own = inventory.route_tables.values().find(|table| table.subnets.contains(id));
    let main = || inventory.route_tables.values().find(|table| table.main && table.vpc == *vpc);
    let table = own.or_else(main)?;
    let leads = |wanted: fn(&RouteTarget) -> bool| {
        table.routes.iter().any(|route| {
            let everyone = matches!(&route.destination, Destination::Cidr(cidr) if cidr.is_everyone());
            everyone && !route.blackhole && wanted(&route.target)
        })
    };
    Some(if leads(|target| matches!(target, RouteTarget::InternetGateway(_))) {
        "public"
    } else if leads(|target| {
        matches!(target, RouteTarget::NatGateway(_) | RouteTarget::Instance(_) | RouteTarget::Interface(_))
    }) {
        "private, egress through NAT"
    } else if leads(|target| !matches!(target, RouteTarget::Local)) {
        "private, egress through a gateway"
    } else {
        "isolated"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_name_ends_with_a_word() {
        assert_eq!(shared_name(&["private-a", "private-b"]).as_deref(), Some("private"));
        assert_eq!(shared_name(&["data"]).as_deref(), Some("data"));
        assert_eq!(shared_name(&["öffentlich 1", "öffentlich 2"]).as_deref(), Some("öffentlich"));
        assert_eq!(shared_name(&["a", "b"]), None);
        assert_eq!(shared_name(&[]), None);
    }
}
