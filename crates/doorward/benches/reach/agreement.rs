//! Whether answers of different kinds say the same of the same pair.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use doorward_core::reach::{End, Flows, PathQuery, Reachability, RoleId};

use crate::account::Chance;
use crate::asking::{find, servers};

/// How many pairs are asked for one by one: as many that were told to pass, and as many at random.
const EACH: usize = 100;

/// How many different sets of flows pass between pairs.
///
/// Pairs that are told otherwise one by one, or that no way between their roles covers, are added to `wrong`.
pub fn check(reachability: &Reachability, wrong: &mut Vec<String>) -> usize {
    let inventory = reachability.inventory();
    let servers = servers(inventory);
    let mut chance = Chance::new(0xc4);
    let mut random: HashMap<&str, HashMap<&str, Flows>> = HashMap::new();
    for _ in 0..EACH {
        let [from, to] = [0; 2].map(|_| *chance.pick::<&str>(&servers));
        if from != to {
            random.entry(from).or_default().insert(to, Flows::NONE);
        }
    }
    let mut some: Vec<(String, String, Flows)> = Vec::new();
    let mut sets: HashSet<Flows> = HashSet::new();
    let mut seen = 0;
    reachability.pairs(&PathQuery::default(), &mut |pair| {
        seen += 1;
        if !sets.contains(pair.flows) {
            sets.insert(pair.flows.clone());
        }
        if let Some(flows) = random.get_mut(pair.from.id()).and_then(|to| to.get_mut(pair.to.id())) {
            *flows = flows.union(pair.flows);
        }
        // Each pair is as likely to stay as any other (Vitter's algorithm R).
        let place = if some.len() < EACH { some.len() } else { chance.below(seen) };
        if place < EACH {
            let pair = (pair.from.to_string(), pair.to.to_string(), pair.flows.clone());
            match some.get_mut(place) {
                Some(kept) => *kept = pair,
                None => some.push(pair),
            }
        }
        ControlFlow::Continue(())
    });
    if sets.contains(&Flows::NONE) {
        wrong.push("a pair was told of between which nothing passes".to_owned());
    }
    let random = random.into_iter().flat_map(|(from, to)| {
        to.into_iter().map(move |(to, flows)| (from.to_owned(), to.to_owned(), flows))
    });
    let told: BTreeMap<_, _> = random.chain(some).map(|(from, to, flows)| ((from, to), flows)).collect();
    if told.len() < EACH {
        wrong.push(format!("only {} pairs could be compared", told.len()));
    }
    let paths = paths(reachability);
    let roles = roles(reachability);
    for ((from, to), flows) in &told {
        let answer = reachability.ask(&find(from, inventory), &find(to, inventory), None);
        if answer.flows != *flows {
            wrong.push(format!("{from} to {to}: `pairs` says {flows}, `ask` says {}", answer.flows));
        }
        let (Some(one), Some(other)) = (roles.get(from.as_str()), roles.get(to.as_str())) else {
            wrong.push(format!("{from} or {to} is in no role"));
            continue;
        };
        let (path, whole) = paths.get(&(*one, *other)).cloned().unwrap_or((Flows::NONE, true));
        if if whole { path != *flows } else { !path.covers(flows) } {
            wrong.push(format!("{from} to {to}: `pairs` says {flows}, `ways` says {path}"));
        }
    }
    sets.len()
}

/// What passes between two roles, and whether all of it does between any two of their members.
fn paths(reachability: &Reachability) -> HashMap<(RoleId, RoleId), (Flows, bool)> {
    let mut paths = HashMap::new();
    reachability.paths(&PathQuery::default(), &mut |path| {
        if let (End::Role(from), End::Role(to)) = (path.from, path.to) {
            let (flows, whole) = paths.entry((from, to)).or_insert((Flows::NONE, true));
            // A role that is told of in parts is whole in none of them.
            *whole &= path.whole && flows.is_empty();
            *flows = flows.union(&path.flows);
        }
        ControlFlow::Continue(())
    });
    paths
}

fn roles(reachability: &Reachability) -> HashMap<&str, RoleId> {
    let roles = reachability.roles().iter();
    roles.flat_map(|role| role.members.iter().map(|member| (member.id(), role.id))).collect()
}
