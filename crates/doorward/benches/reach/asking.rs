//! Questions as people ask them, by the thousand.

use std::hint::black_box;
use std::time::Duration;

use doorward_core::inventory::{Inventory, SecurityGroupId};
use doorward_core::net::{Flow, Ports};
use doorward_core::reach::{Flows, Reachability, Selector};

use crate::account::{Chance, SERVICES};
use crate::limit::timed;
use crate::table::median;

/// How many of each kind.
const QUESTIONS: usize = 1_000;

/// How long answers took.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    /// The middle one.
    pub median: Duration,
    /// All but one in a hundred took no longer.
    pub p99: Duration,
}

/// How long questions of each kind took.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// A flow between two interfaces, or an interface and the internet.
    pub flow: Took,
    /// The same without a flow: what passes?
    pub any: Took,
    /// A flow from whatever carries one group to whatever carries another.
    pub groups: Took,
    /// Finding one end of a question by its id.
    pub by_id: Took,
    /// The same by its name.
    pub by_name: Took,
}

/// Asks them all.
pub fn ask(reachability: &Reachability) -> Answered {
    let inventory = reachability.inventory();
    let mut chance = Chance::new(0xa5);
    let servers = servers(inventory);
    let groups: Vec<&SecurityGroupId> = inventory.groups.keys().collect();
    let ends: Vec<(Selector, Selector, Flows)> = (0..QUESTIONS)
        .map(|_| {
            let [one, other] = [0; 2].map(|_| find(chance.pick::<&str>(&servers), inventory));
            let (from, to) = match chance.below(10) {
                0 | 1 => (Selector::Internet, other),
                2 => (one, Selector::Internet),
                _ => (one, other),
            };
            (from, to, service(&mut chance))
        })
        .collect();
    let group_ends: Vec<(Selector, Selector, Flows)> = (0..QUESTIONS)
        .map(|_| {
            let [one, other] = [0; 2].map(|_| find(chance.pick(&groups).as_str(), inventory));
            (one, other, service(&mut chance))
        })
        .collect();
    let named: Vec<&String> =
        inventory.instances.values().filter_map(|instance| instance.tags.get("Name")).collect();
    let names: Vec<String> = (0..100).map(|_| (*chance.pick(&named)).clone()).collect();
    Answered {
        flow: took(&ends, |(from, to, flows)| {
            black_box(reachability.ask(from, to, Some(flows)));
        }),
        any: took(&ends, |(from, to, _)| {
            black_box(reachability.ask(from, to, None));
        }),
        groups: took(&group_ends, |(from, to, flows)| {
            black_box(reachability.ask(from, to, Some(flows)));
        }),
        by_id: took(&servers, |id| {
            black_box(find(id, inventory));
        }),
        by_name: took(&names, |name| {
            black_box(find(name, inventory));
        }),
    }
}

/// The ids of the interfaces of servers.
pub fn servers(inventory: &Inventory) -> Vec<&str> {
    let interfaces = inventory.interfaces.values().filter(|interface| interface.kind == "interface");
    interfaces.map(|interface| interface.id.as_str()).collect()
}

/// What an id or a name means.
pub fn find(text: &str, inventory: &Inventory) -> Selector {
    Selector::find(text, inventory).expect("it is there")
}

fn service(chance: &mut Chance) -> Flows {
    Flows::from(Flow::Tcp(Ports::one(*chance.pick(&SERVICES))))
}

fn took<T>(all: &[T], mut ask: impl FnMut(&T)) -> Took {
    let mut times: Vec<Duration> =
        all.iter().take(QUESTIONS).map(|question| timed(|| ask(question)).1).collect();
    times.sort();
    Took { median: median(times.clone()), p99: times[times.len() * 99 / 100] }
}
